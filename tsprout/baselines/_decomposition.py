r"""The network of Diffusion-TS (arXiv 2403.01742): decoder layers that hand in a trend and a season each.

Series are ``(batch, length, channels)`` here, tokens ``(batch, length, width)``; a token is a time step. Of every
decoder block a convolution makes two inputs, for

- the trend (equation 3): :math:`C\, W(w_{tr}) + \bar x`, a polynomial of the scaled time with a few coefficients a
  channel, plus the mean over time that is taken off the block's output;
- the season (equation 4): the :math:`K` strongest frequencies of :math:`w_{seas}`, each channel by itself.

The estimate of the clean series is the sum of all trends, all seasons and what the last block leaves (equation 5).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def strongest(x: Tensor, count: int) -> Tensor:
    """Keep the ``count`` strongest frequencies of ``x (batch, length, width)`` over time, each column by itself.

    Neither the constant nor, for even lengths, the highest frequency: they have no conjugate partner. What is returned
    is :math:`\\frac{1}{L} \\sum_k A_k [\\cos(2 \\pi f_k t + \\phi_k) + \\cos(2 \\pi \\bar f_k t + \\bar \\phi_k)]`.
    """
    length = x.shape[1]
    last = (length - 1) // 2
    if last < 1:
        return x * 0
    spectrum = torch.fft.rfft(x, dim=1)
    amplitude = spectrum[:, 1 : last + 1].abs()
    kept = amplitude.topk(min(count, last), dim=1).indices + 1
    mask = torch.zeros(spectrum.shape, device=x.device, dtype=x.dtype).scatter_(1, kept, 1.0)
    return torch.fft.irfft(spectrum * mask, n=length, dim=1)


class StepNorm(nn.Module):
    """Layer normalisation whose scale and shift depend on the diffusion step."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.register_buffer(
            "frequencies", torch.exp(-math.log(1e4) * torch.arange(half) / max(1, half - 1)), persistent=False
        )
        self.modulate = nn.Linear(2 * half, 2 * width)
        self.width = width

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        angle = at[:, None].float() * self.frequencies
        scale, shift = self.modulate(F.silu(torch.cat([angle.sin(), angle.cos()], dim=1)))[:, None].chunk(2, dim=2)
        return F.layer_norm(x, (self.width,)) * (1 + scale) + shift


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves or to a ``memory``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.value, self.out = (nn.Linear(width, width) for _ in range(3))
        # Adding one vector to all keys changes nothing, so there is none.
        self.key = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        memory = x if memory is None else memory
        q, k, v = (
            layer(y).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, y in ((self.query, x), (self.key, memory), (self.value, memory))
        )
        found = F.scaled_dot_product_attention(q, k, v)
        return self.out(found.transpose(1, 2).flatten(2))


def _feed_forward(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class EncoderBlock(nn.Module):
    """Self-attention and a feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attention, self.feed = StepNorm(width), Attention(width, heads), _feed_forward(width)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x, at))
        return x + self.feed(x)


class DecoderBlock(nn.Module):
    """Attention to itself and to the encoder, and what it hands in: see the module's text.

    Returns tokens without their mean over time, the trend ``(batch, length, channels)``, and the season in tokens.
    """

    basis: Tensor

    def __init__(self, channels: int, length: int, width: int, heads: int, degree: int, frequencies: int) -> None:
        super().__init__()
        self.norm1, self.attention = StepNorm(width), Attention(width, heads)
        self.norm2, self.cross = StepNorm(width), Attention(width, heads)
        self.feed = _feed_forward(width)
        self.split = nn.Conv1d(length, 2 * length, 1)
        self.to_channels = nn.Linear(width, channels)
        self.to_coefficients = nn.Linear(length, degree + 1)
        self.mean = nn.Linear(width, channels)
        self.frequencies = frequencies
        time = torch.arange(length) / length
        self.register_buffer("basis", torch.stack([time**p for p in range(degree + 1)]), persistent=False)

    def forward(self, x: Tensor, memory: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = x + self.attention(self.norm1(x, at))
        x = x + self.cross(self.norm2(x, at), memory)
        for_trend, for_season = self.split(x).chunk(2, dim=1)
        x = x + self.feed(x)
        mean = x.mean(dim=1, keepdim=True)
        coefficients = self.to_coefficients(self.to_channels(for_trend).transpose(1, 2))
        trend = (coefficients @ self.basis).transpose(1, 2) + self.mean(mean)
        return x - mean, trend, strongest(for_season, self.frequencies)


class Decomposer(nn.Module):
    """Noisy series and diffusion step to an estimate of the clean series.

    Args:
        channels, length: of the series.
        width, heads, encoders, decoders: of the transformer.
        degree: of the trend's polynomial.
        frequencies: ``K`` of a season; 0 for the whole part of the natural logarithm of the length, at least 1.
    """

    def __init__(
        self,
        channels: int,
        length: int,
        *,
        width: int,
        heads: int,
        encoders: int,
        decoders: int,
        degree: int = 3,
        frequencies: int = 0,
    ) -> None:
        super().__init__()
        count = frequencies or max(1, int(math.log(length)))
        self.first = nn.Linear(channels, width)
        self.places = nn.Parameter(torch.randn(2, length, width) * 0.02)
        self.encoder = nn.ModuleList(EncoderBlock(width, heads) for _ in range(encoders))
        self.decoder = nn.ModuleList(
            DecoderBlock(channels, length, width, heads, degree, count) for _ in range(decoders)
        )
        self.season = nn.Linear(width, channels)
        self.rest = nn.Linear(width, channels)

    def parts(self, x: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Trend, season and rest of noisy ``x (batch, length, channels)`` at steps ``at (batch,)``."""
        tokens = self.first(x)
        memory = tokens + self.places[0]
        for block in self.encoder:
            memory = block(memory, at)
        h, trends, seasons = tokens + self.places[1], torch.zeros_like(x), torch.zeros_like(tokens)
        for block in self.decoder:
            h, trend, season = block(h, memory, at)
            trends, seasons = trends + trend, seasons + season
        return trends, self.season(seasons), self.rest(h)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        trend, season, rest = self.parts(x, at)
        return trend + season + rest
