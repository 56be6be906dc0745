"""DGAN of gretel-synthetics: DoppelGANger in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gretel_synthetics.timeseries_dgan.config import DGANConfig, OutputType
from gretel_synthetics.timeseries_dgan.dgan import DGAN
from gretel_synthetics.timeseries_dgan.transformations import create_outputs_from_data

PACKAGE = "gretel-synthetics"


def _shaped(shots: np.ndarray) -> np.ndarray:
    """``(series, steps, channels)``; it cannot be trained on one series, but on the same one twice."""
    return np.repeat(shots, 2 if len(shots) == 1 else 1, axis=0).transpose(0, 2, 1).astype(float)


def _model(shots: np.ndarray, settings: dict[str, Any]) -> DGAN:
    length = shots.shape[2]
    wanted = settings["sample_len"] or -(-length // 50)
    stride = max(each for each in range(1, wanted + 1) if length % each == 0)  # it draws whole strides only
    return DGAN(DGANConfig(max_sequence_len=length, cuda=False, **dict(settings, sample_len=stride)))


def fit(shots: np.ndarray, settings: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """Weights of the generator by name."""
    model, epochs = _model(shots, settings), settings["epochs"]

    def told(info: Any) -> None:
        progress(info.epoch + 1, epochs)

    model.train_numpy(_shaped(shots), progress_callback=told)
    return {name: value.numpy() for name, value in model.generator.state_dict().items()}


def sample(shots: np.ndarray, state: dict[str, np.ndarray], settings: dict[str, Any], n: int) -> np.ndarray:
    """``(n, channels, steps)``."""
    model, features = _model(shots, settings), list(_shaped(shots))
    config = model.config
    outputs = create_outputs_from_data(
        None,
        features,
        None,
        [OutputType.CONTINUOUS] * shots.shape[1],
        normalization=config.normalization,
        apply_feature_scaling=config.apply_feature_scaling,
        apply_example_scaling=config.apply_example_scaling,
    )
    model._build(*outputs)
    model.generator.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return np.array(model.generate_numpy(n)[1]).transpose(0, 2, 1)
