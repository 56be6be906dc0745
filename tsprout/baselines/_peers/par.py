"""PAR of DeepEcho: a recurrent network that predicts the distribution of the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import deepecho.models.par as library
import numpy as np
import torch
from deepecho.models.par import PARModel, PARNet

PACKAGE = "deepecho"


def _sequences(shots: np.ndarray) -> list[dict[str, Any]]:
    return [{"context": [], "data": [channel.tolist() for channel in series]} for series in shots.astype(float)]


def _model(settings: dict[str, Any]) -> PARModel:
    return PARModel(epochs=settings["epochs"], sample_size=settings["sample_size"], cuda=False, verbose=False)


def fit(shots: np.ndarray, settings: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """Weights by name."""
    model = _model(settings)

    def told(epochs: range, **bar: Any) -> Iterator[int]:
        for epoch in epochs:
            yield epoch
            progress(epoch + 1, len(epochs))

    library.tqdm = told  # the only way to see its epochs go by
    model.fit_sequences(_sequences(shots), [], ["continuous"] * shots.shape[1])
    return {name: value.numpy() for name, value in model._model.state_dict().items()}


def sample(shots: np.ndarray, state: dict[str, np.ndarray], settings: dict[str, Any], n: int) -> np.ndarray:
    """``(n, channels, steps)``."""
    model = _model(settings)
    model._build(_sequences(shots), [], ["continuous"] * shots.shape[1])
    model._model = PARNet(model._data_dims, model._ctx_dims)
    model._model.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    # A step may be drawn as missing with a small probability, since nothing that was shown was.
    drawn = [model.sample_sequence([], sequence_length=shots.shape[2]) for _ in range(n)]
    return np.array(drawn, dtype=np.float32)
