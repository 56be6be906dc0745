"""The variational autoencoder of TSGM, with its convolutional architecture ``vae_conv5``.

Nikitin, Iannucci and Kaski 2023, "TSGM: A Flexible Framework for Generative Modeling of Synthetic Time Series", arXiv
2305.11567. Five convolutions and dense layers on both sides; its loss is the library's: squared errors of the cells and
of their means, summed, plus the divergence. It wants values in [0, 1], which is done here, channel by channel. The
library leaves latent dimension and training to its user; the defaults here are ours.

TSGM is under the Apache License 2.0. It also has a TimeGAN, which ``timegan`` and ``ydata-timegan`` stand for here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tsprout.baselines._library import PEERS, LibraryBaseline
from tsprout.baselines.hyperparameters import numbers, whole_numbers


@dataclass(eq=False, kw_only=True)
class TsgmVAE(LibraryBaseline):
    """See the module's text.

    Attributes:
        latent: dimensions of the latent vector.
        epochs, batch: of the training.
        learning_rate: of Adam.
    """

    name: ClassVar[str] = "tsgm-vae"
    summary: ClassVar[str] = "Convolutional variational autoencoder (library TSGM)"
    source: ClassVar[str] = "Nikitin, Iannucci and Kaski 2023, TSGM, arXiv 2305.11567"
    library: ClassVar[str] = "tsgm"
    package: ClassVar[str] = "tsgm"
    licence: ClassVar[str] = "Apache License 2.0"
    module: ClassVar[Path] = PEERS / "tsgm_vae.py"
    box: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    latent: int = 10
    epochs: int = 500
    batch: int = 64
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        whole_numbers(latent=self.latent, epochs=self.epochs, batch=self.batch)
        numbers(learning_rate=self.learning_rate, above=True)
