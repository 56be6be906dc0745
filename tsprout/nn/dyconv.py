r"""Dynamic convolution (DyConv): one canonical kernel that serves any number of channels.

A canonical kernel :math:`W \in \mathbb{R}^{O \times I \times k_1 \times k_2}` is resized by bicubic interpolation along
its channel axes to the channel counts at hand, :math:`\tilde W = s\, R_{out} W R_{in}^\top` (Gonen et al., "Time Series
Generation Under Data Scarcity", arXiv 2505.20446, section 5). So a network whose first and last layers are DyConvs has
no fixed channel count.

Two things are ours. The rows of the interpolation matrices :math:`R` are scaled to unit norm, and
:math:`s = \sqrt{I / C}` for :math:`C` input channels: a kernel with independent entries then gives activations of the
same variance for every channel count, while plain interpolation loses or gains variance. And at the canonical size
:math:`R` is the identity, so the layer *is* an ordinary convolution there.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CACHED_SIZES = 512


@lru_cache(maxsize=_CACHED_SIZES)
def _resize_matrix(size: int, canonical: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        image = torch.eye(canonical, dtype=torch.float64)[None, None]
        matrix = F.interpolate(image, size=(size, canonical), mode="bicubic", align_corners=False)[0, 0]
        return (matrix / matrix.norm(dim=1, keepdim=True)).to(device=device, dtype=dtype)


def resize_matrix(size: int, canonical: int, like: Tensor) -> Tensor:
    """Bicubic interpolation from ``canonical`` to ``size`` places: ``(size, canonical)``, rows of unit norm."""
    return _resize_matrix(size, canonical, like.device, like.dtype)


class Resize(nn.Module):
    """How a kernel is brought from its canonical size to the channels at hand: here by bicubic interpolation."""

    def forward(self, size: int, canonical: int, like: Tensor) -> Tensor:
        """The matrix ``(size, canonical)`` that makes ``size`` channels of ``canonical`` ones."""
        return resize_matrix(size, canonical, like)

    def gain(self, size: int, canonical: int) -> float:
        """What a kernel resized along its inputs is multiplied by."""
        return math.sqrt(canonical / size)


_BICUBIC = Resize()


def resize_kernel(kernel: Tensor, out_channels: int, in_channels: int, resize: Resize = _BICUBIC) -> Tensor:
    """Resize ``(O, I, ...)`` to ``(out_channels, in_channels, ...)``, keeping the variance of what it computes."""
    if out_channels != kernel.shape[0]:
        kernel = torch.tensordot(resize(out_channels, kernel.shape[0], kernel), kernel, dims=1)
    if in_channels != kernel.shape[1]:
        matrix = resize(in_channels, kernel.shape[1], kernel) * resize.gain(in_channels, kernel.shape[1])
        kernel = torch.einsum("io,ko...->ki...", matrix, kernel)
    return kernel


def conv_as_product(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolution, stride 1 and "same" padding, as one matrix product of shifted views; a square, odd kernel."""
    side, (rows, columns) = weight.shape[-1], image.shape[-2:]
    padded = F.pad(image, (side // 2,) * 4)
    shifted = [padded[..., i : i + rows, j : j + columns] for i in range(side) for j in range(side)]
    patches = torch.stack(shifted, dim=2).flatten(3).flatten(1, 2)
    return (weight.flatten(1) @ patches + bias[:, None]).unflatten(-1, (rows, columns))


class DyConv2d(nn.Module):
    """A 2-D convolution, stride 1 and "same" padding, whose channel counts are given with each call.

    Args:
        out_channels: canonical output channels ``O``.
        in_channels: canonical input channels ``I``.
        kernel_size: side of the square kernel, odd.
        zero: start from a kernel of zeros (the last layer of a denoiser).
        resize: another way than bicubic interpolation, see :mod:`tsprout.nn.channels`.
    """

    def __init__(
        self,
        out_channels: int,
        in_channels: int,
        kernel_size: int = 3,
        *,
        zero: bool = False,
        resize: Resize | None = None,
    ) -> None:
        super().__init__()
        self.resize = Resize() if resize is None else resize
        fan_in = in_channels * kernel_size**2
        weight = torch.randn(out_channels, in_channels, kernel_size, kernel_size) / math.sqrt(fan_in)
        self.weight = nn.Parameter(torch.zeros_like(weight) if zero else weight)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, image: Tensor, out_channels: int) -> Tensor:
        """``(batch, channels, rows, columns)`` to ``(batch, out_channels, rows, columns)``."""
        weight = resize_kernel(self.weight, out_channels, image.shape[1], self.resize)
        bias: Tensor = self.bias
        if out_channels != bias.shape[0]:
            bias = self.resize(out_channels, bias.shape[0], bias) @ bias
        if not image.is_cuda:
            return F.conv2d(image, weight, bias, padding=self.weight.shape[-1] // 2)
        # cuDNN makes a plan for every shape it has not met, which takes longer than this; and shapes abound here.
        return conv_as_product(image, weight, bias)


class DyPatchEmbed(nn.Module):
    """A whole grid column, all channels, to one vector: DyConv with a kernel as tall as the grid, and its transpose.

    The canonical kernels are ``(width, canonical, dimension)`` on the way in and ``(canonical, dimension, width)`` on
    the way out; only the channel axis is resized, bicubically unless another ``resize`` is given.
    """

    def __init__(self, width: int, canonical: int, dimension: int, *, resize: Resize | None = None) -> None:
        super().__init__()
        self.resize = Resize() if resize is None else resize
        self.into = nn.Parameter(torch.randn(width, canonical, dimension) / math.sqrt(canonical * dimension))
        self.into_bias = nn.Parameter(torch.zeros(width))
        self.out_of = nn.Parameter(torch.zeros(canonical, width, dimension))
        self.out_bias = nn.Parameter(torch.zeros(canonical, dimension))

    def embed(self, image: Tensor) -> Tensor:
        """``(batch, channels, dimension, columns)`` to ``(batch, columns, width)``."""
        kernel = resize_kernel(self.into, self.into.shape[0], image.shape[1], self.resize)
        columns = image.permute(0, 3, 1, 2).flatten(2)
        return F.linear(columns, kernel.flatten(1), self.into_bias)

    def read_shots(self, image: Tensor, share: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """Shots ``(groups * shots, channels, dimension, columns)`` to tokens; nothing else is kept of their channels.

        ``share`` (observed, of each channel's columns) and ``present`` do not matter here.
        """
        return self.embed(image), None

    def unembed(self, tokens: Tensor, channels: int) -> Tensor:
        """``(batch, columns, width)`` to ``(batch, channels, dimension, columns)``."""
        kernel: Tensor = self.out_of
        bias: Tensor = self.out_bias
        if channels != kernel.shape[0]:
            matrix = self.resize(channels, kernel.shape[0], kernel)
            kernel, bias = torch.tensordot(matrix, kernel, dims=1), matrix @ bias
        flat = kernel.permute(0, 2, 1).flatten(0, 1)
        return F.linear(tokens, flat, bias.flatten()).unflatten(-1, (channels, -1)).permute(0, 2, 3, 1)
