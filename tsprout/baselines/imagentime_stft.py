"""ImagenTime on spectrograms: the short-time Fourier transform in place of the delay embedding, all else the same.

Naiman et al. 2024, arXiv 2410.19538, which uses it for long series. See :mod:`tsprout.baselines.imagentime` for the
model and :class:`~tsprout.baselines._images.SpectrogramImage` for the transform; series need two time steps at least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tsprout.baselines._images import DelayImage, SpectrogramImage
from tsprout.baselines.hyperparameters import whole_numbers
from tsprout.baselines.imagentime import ImagenTime


@dataclass(eq=False, kw_only=True)
class SpectrogramImagenTime(ImagenTime):
    """See the module's text and :class:`~tsprout.baselines.imagentime.ImagenTime`; ``delay`` and ``dimension`` are not
    used here.

    Attributes:
        window: steps of a window; 0 for about twice the root of the length.
        hop: steps from one window to the next; 0 for a quarter of the window.
    """

    name: ClassVar[str] = "imagentime-stft"
    summary: ClassVar[str] = "Diffusion of spectrograms from fresh weights (ImagenTime)"

    window: int = 0
    hop: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_numbers(window=self.window, hop=self.hop, least=0)

    def _image(self, channels: int, length: int) -> DelayImage | SpectrogramImage:
        return SpectrogramImage(channels, length, self.window, self.hop)
