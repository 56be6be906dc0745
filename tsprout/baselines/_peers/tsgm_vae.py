"""The variational autoencoder of TSGM with its architecture ``vae_conv5``, on Keras's torch backend."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import tsgm

PACKAGE = "tsgm"


def _architecture(shots: np.ndarray, settings: dict[str, Any]) -> Any:
    return tsgm.models.zoo["vae_conv5"](shots.shape[2], shots.shape[1], settings["latent"])


def fit(shots: np.ndarray, settings: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, np.ndarray]:
    """Weights of the decoder, in Keras's order."""
    parts, epochs = _architecture(shots, settings), settings["epochs"]
    model = tsgm.models.cvae.BetaVAE(parts.encoder, parts.decoder)
    model.compile(optimizer=keras.optimizers.Adam(settings["learning_rate"]))
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: progress(epoch + 1, epochs))
    x = shots.transpose(0, 2, 1).astype(np.float32)
    model.fit(x, epochs=epochs, batch_size=settings["batch"], verbose=0, callbacks=[told])
    return {f"{k}": value for k, value in enumerate(parts.decoder.get_weights())}


def sample(shots: np.ndarray, state: dict[str, np.ndarray], settings: dict[str, Any], n: int) -> np.ndarray:
    """``(n, channels, steps)``."""
    parts = _architecture(shots, settings)
    parts.decoder.set_weights([state[f"{k}"] for k in range(len(state))])
    model = tsgm.models.cvae.BetaVAE(parts.encoder, parts.decoder)
    return keras.ops.convert_to_numpy(model.generate(n)).transpose(0, 2, 1)
