r"""A series as an image and back, for ImagenTime (arXiv 2410.19538): the delay embedding, or a spectrogram.

Images are ``(batch, image channels, rows, columns)``. Both maps are inverted exactly on images that come from a
series; on others the delay embedding reads each step from the first cell that holds it, and the spectrogram gives the
series whose own spectrogram is nearest (weighted overlap-add).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tsprout.errors import InputError
from tsprout.nn.delay import embed, grid_mask, invert, padded_grid


class DelayImage(nn.Module):
    """Columns of ``dimension`` steps, ``delay`` apart, padded with zeros to a square. One image channel a channel."""

    mask: Tensor

    def __init__(self, channels: int, length: int, delay: int, dimension: int) -> None:
        super().__init__()
        self.grid = padded_grid(length, delay, dimension)
        self.channels, self.side = channels, max(self.grid.rows, self.grid.columns)
        self.register_buffer("mask", grid_mask(self.grid).float(), persistent=False)

    def measure(self, series: Tensor) -> None:
        """Nothing is learnt from the series."""

    def forward(self, series: Tensor) -> Tensor:
        """``(batch, channels, length)`` to images."""
        return embed(series, self.grid)

    def inverse(self, image: Tensor) -> Tensor:
        """Images to ``(batch, channels, length)``."""
        return invert(image, self.grid)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Image channels, rows and columns."""
        return self.channels, self.grid.rows, self.grid.columns


class SpectrogramImage(nn.Module):
    """Short-time Fourier transform (Hann window, mirrored ends), real and imaginary part as two image channels each.

    Each image channel is brought to -1 ... 1 by its extremes over the training series.

    Args:
        channels, length: of the series.
        window: time steps of the window; 0 for about twice the root of the length, so that the image is near-square.
        hop: steps from one window to the next, at most half a window; 0 for a quarter.
    """

    hann: Tensor
    mask: Tensor
    least: Tensor
    span: Tensor

    def __init__(self, channels: int, length: int, window: int = 0, hop: int = 0) -> None:
        super().__init__()
        longest = max(2, 2 * (length - 1))
        self.window = window or min(2 * max(2, math.ceil(math.sqrt(length))), longest - longest % 2)
        self.hop = hop or max(1, self.window // 4)
        if length < 2 or not 2 <= self.window <= longest or not 1 <= self.hop <= self.window // 2:
            raise InputError(
                f"a window of {self.window} steps every {self.hop} does not suit series of {length} steps",
                where="window",
                fix="The window is at least 2 and at most twice the length less 2, the hop at most half of it.",
            )
        self.length, self.series_channels = length, channels
        self.rows = self.window // 2 + 1
        self.columns = (length + 2 * (self.window // 2) - self.window) // self.hop + 1
        self.side = max(self.rows, self.columns)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        self.register_buffer("mask", torch.ones(self.rows, self.columns), persistent=False)
        self.register_buffer("least", torch.zeros(2 * channels, 1, 1))
        self.register_buffer("span", torch.ones(2 * channels, 1, 1))

    def _transform(self, series: Tensor) -> Tensor:
        flat = series.flatten(0, 1)
        found = torch.stft(flat, self.window, self.hop, window=self.hann, return_complex=True)
        parts = torch.view_as_real(found).unflatten(0, series.shape[:2])
        return parts.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def measure(self, series: Tensor) -> None:
        """Learn the extremes of each image channel over ``series (n, channels, length)``."""
        image = self._transform(series)
        least, most = image.amin(dim=(0, 2, 3)), image.amax(dim=(0, 2, 3))
        self.least.copy_(least[:, None, None])
        # The imaginary part of a spectrum's ends is 0; a channel that is 0 throughout keeps the scale 1.
        span = torch.where(most > least, most - least, 1.0)
        self.span.copy_(span[:, None, None])

    def forward(self, series: Tensor) -> Tensor:
        """``(batch, channels, length)`` to images."""
        return 2 * (self._transform(series) - self.least) / self.span - 1

    def inverse(self, image: Tensor) -> Tensor:
        """Images to ``(batch, channels, length)``."""
        parts = (image + 1) / 2 * self.span + self.least
        parts = parts.unflatten(1, (self.series_channels, 2)).permute(0, 1, 3, 4, 2)
        found = torch.view_as_complex(parts.contiguous()).flatten(0, 1)
        series = torch.istft(found, self.window, self.hop, window=self.hann, length=self.length)
        return series.unflatten(0, (len(image), self.series_channels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Image channels, rows and columns."""
        return 2 * self.series_channels, self.rows, self.columns
