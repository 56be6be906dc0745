"""TimeGAN of ydata-synthetic, on TensorFlow.

Its ``fit`` cuts windows out of one recording, last step first. A set of series has been cut already, so its ``train``
is called, which is what ``fit`` calls once it has windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import ydata_synthetic.synthesizers.timeseries.timegan.model as library
from ydata_synthetic.synthesizers import ModelParameters
from ydata_synthetic.synthesizers.timeseries.timegan.model import TimeGAN

PACKAGE = "ydata-synthetic"


def _model(shots: np.ndarray, settings: dict[str, Any]) -> TimeGAN:
    found = ModelParameters(
        batch_size=min(settings["batch"], len(shots)),
        lr=settings["learning_rate"],
        latent_dim=settings["hidden"],
        gamma=settings["gamma"],
    )
    model = TimeGAN(found)
    model.n_seq, model.seq_len = shots.shape[1:]
    return model


def fit(shots: np.ndarray, settings: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """Weights of the network that draws, in Keras's order."""
    model, done = _model(shots, settings), 0

    def told(steps: range, **bar: Any) -> Iterator[int]:
        nonlocal done
        for step in steps:
            yield step
            done += 1
            progress(done, 3 * len(steps))

    library.tqdm = told  # the only way to see the steps of its three phases go by
    model.train(list(shots.transpose(0, 2, 1).astype(np.float32)), settings["steps"])
    return {f"{k}": value for k, value in enumerate(model.generator.get_weights())}


def sample(shots: np.ndarray, state: dict[str, np.ndarray], settings: dict[str, Any], n: int) -> np.ndarray:
    """``(n, channels, steps)``; the noise is that of the library, uniform over 0 to 1."""
    model = _model(shots, settings)
    model.define_gan()
    model.generator.set_weights([state[f"{k}"] for k in range(len(state))])
    noise = np.random.uniform(size=(n, model.seq_len, model.n_seq)).astype(np.float32)  # noqa: NPY002
    return np.asarray(model.generator(noise)).transpose(0, 2, 1)
