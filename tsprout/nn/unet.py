r"""UNet over the grid: residual blocks with adaptive group normalisation, attention on chosen levels, skip connections.

The papers' backbone (arXiv 2505.20446, after Karras et al. 2022, arXiv 2206.00364, and Dhariwal and Nichol 2021,
arXiv 2105.05233): width 32, multipliers 1, 2, 2, 4, three blocks a level, attention from 8 x 8 cells down, DyConv as
first and last layer. Works on rectangles with odd sides: a side is halved rounding up, and restored to the size of its
skip. Padded cells are kept at zero on the way in and are never read on the way out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.errors import InputError
from tsprout.nn.attention import Attention
from tsprout.nn.channels import resizer
from tsprout.nn.conditioning import Conditioner, Memory
from tsprout.nn.delay import Grid, embed, exact_grid, invert, padded_grid
from tsprout.nn.dyconv import DyConv2d, DyPatchEmbed


def _norm(channels: int) -> nn.GroupNorm:
    """Groups of at least four channels, at most 32 groups, a number that divides the channels."""
    groups = min(32, max(1, channels // 4))
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels, eps=1e-6)


class Block(nn.Module):
    """Residual block; the conditioning vector scales and shifts its second group normalisation (hence "adaptive").

    Its cells may ``attend`` to each other and ``read`` the prompt.
    """

    def __init__(self, into: int, out: int, vector: int, *, attend: bool, read: bool, dropout: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(into), nn.Conv2d(into, out, 3, padding=1)
        self.modulate = nn.Linear(vector, 2 * out)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)
        self.skip = nn.Conv2d(into, out, 1) if into != out else nn.Identity()
        heads = max(1, out // 64)
        self.attention_norm = _norm(out) if attend or read else None
        self.attention = Attention(out, heads, period=None) if attend else None
        self.reader = nn.Linear(vector, out) if read else None
        self.cross = Attention(out, heads, period=None, cross=True) if read else None

    def forward(self, x: Tensor, vector: Tensor, memory: Memory | None) -> Tensor:
        scale, shift = self.modulate(vector)[..., None, None].chunk(2, dim=1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = F.silu(self.norm2(h) * (1 + scale) + shift)
        x = self.skip(x) + self.conv2(self.dropout(h))
        if self.attention_norm is None:
            return x
        tokens = self.attention_norm(x).flatten(2).transpose(1, 2)
        out = self.attention(tokens) if self.attention is not None else torch.zeros_like(tokens)
        if self.cross is not None and self.reader is not None and memory is not None:
            queries = tokens.unflatten(0, (len(memory.tokens), -1)).flatten(1, 2)
            read = self.cross(queries, context=self.reader(memory.tokens), key_mask=memory.valid)
            out = out + read.view_as(tokens)
        return x + out.transpose(1, 2).reshape(x.shape)


class Down(nn.Module):
    """Halve both sides, rounding up, by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Up(nn.Module):
    """Nearest-neighbour enlargement to a given size, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


class UNet(nn.Module):
    """The backbone :math:`F_\\theta`: noisy series ``(batch, channels, length)`` to the same shape, whatever that is.

    Args:
        width: channels of the first level.
        multipliers: channels of each level in units of ``width``.
        blocks: residual blocks a level on the way down (one more on the way up).
        attention_sides: blocks attend on the levels that have one of these sides when a ``dimension`` by ``dimension``
            grid comes in (fixed when built: other grids attend on the same levels). Without any, no block does; the
            middle one still reads the prompt.
        grid: ``"padded"`` (the papers') or ``"exact"``.
        delay, dimension: ``m`` and ``n`` of the padded grid; the exact grid finds its own sides for every length.
        canonical: channels of the canonical kernels.
        rows, prompt_depth: dataset tokens and layers of the prompt encoder, 0 for none.
        prompt_dimension: time steps per token of a prompt.
        dropout: inside the residual blocks.
        channel_mixing: resizing of the canonical kernels: "dyconv", "padded" or "learned"
            (:mod:`tsprout.nn.channels`).
        prompt_use, feed_forward: see :class:`~tsprout.nn.conditioning.Conditioner`.
    """

    def __init__(
        self,
        width: int,
        *,
        multipliers: tuple[int, ...] = (1, 2, 2, 4),
        blocks: int = 3,
        attention_sides: tuple[int, ...] = (8, 4, 2),
        grid: str = "padded",
        delay: int = 8,
        dimension: int = 8,
        canonical: int = 128,
        rows: int = 0,
        prompt_depth: int = 0,
        prompt_dimension: int = 4,
        dropout: float = 0.0,
        channel_mixing: str = "dyconv",
        prompt_use: str = "both",
        feed_forward: str = "gelu",
    ) -> None:
        super().__init__()
        vector = 4 * width
        prompt = prompt_depth > 0
        read = prompt and prompt_use != "pooled"
        self.width, self.delay, self.dimension, self.exact = width, delay, dimension, grid == "exact"
        self.conditioner = Conditioner(
            vector,
            rows=rows,
            prompt_depth=prompt_depth,
            heads=max(1, vector // 32),
            dimension=prompt_dimension,
            period=float(prompt_dimension),
            prompt_use=prompt_use,
            feed_forward=feed_forward,
        )
        self.prompt_patch = None
        if prompt:
            resize = resizer(channel_mixing, canonical)
            self.prompt_patch = DyPatchEmbed(vector, canonical, prompt_dimension, resize=resize)
        if self.prompt_patch is not None:
            # Only its way in is used here; a parameter that never gets a gradient has no place in a model.
            del self.prompt_patch.out_of, self.prompt_patch.out_bias
        # A static kernel has the width of the network on its inner side; the others are resized to it.
        inner = width if channel_mixing == "padded" else canonical
        self.first = DyConv2d(inner, canonical, resize=resizer(channel_mixing, canonical))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        side = dimension
        skips, channels = [width], width
        sides = []
        for level, multiplier in enumerate(multipliers):
            sides.append(side)
            for _ in range(blocks):
                block = Block(
                    channels,
                    width * multiplier,
                    vector,
                    attend=side in attention_sides,
                    read=read and side in attention_sides,
                    dropout=dropout,
                )
                channels = width * multiplier
                self.down.append(block)
                skips.append(channels)
            if level < len(multipliers) - 1:
                self.down.append(Down(channels))
                skips.append(channels)
                side = (side + 1) // 2
        self.middle = nn.ModuleList(
            Block(
                channels, channels, vector, attend=first and bool(attention_sides), read=first and read, dropout=dropout
            )
            for first in (True, False)
        )
        for level in reversed(range(len(multipliers))):
            for _ in range(blocks + 1):
                block = Block(
                    channels + skips.pop(),
                    width * multipliers[level],
                    vector,
                    attend=sides[level] in attention_sides,
                    read=read and sides[level] in attention_sides,
                    dropout=dropout,
                )
                channels = width * multipliers[level]
                self.up.append(block)
            if level:
                self.up.append(Up(channels))
        self.norm = _norm(channels)
        self.last = DyConv2d(canonical, inner, zero=True, resize=resizer(channel_mixing, canonical))

    def grid(self, length: int) -> Grid:
        """The grid a series of ``length`` steps is laid on."""
        return exact_grid(length) if self.exact else padded_grid(length, self.delay, self.dimension)

    def encode(self, shots: Tensor, observed: Tensor, present: Tensor) -> Memory:
        """Encode prompts, see :meth:`Conditioner.encode`."""
        if self.prompt_patch is None:
            raise InputError("this model has no prompt encoder")
        return self.conditioner.encode(self.prompt_patch, shots, observed, present)

    def forward(self, x: Tensor, noise: Tensor, rows: Tensor | None, memory: Memory | None) -> Tensor:
        """Noisy ``x (batch, channels, length)`` and ``c_noise (batch,)`` to ``(batch, channels, length)``."""
        return self.groups([x], [noise], [rows], memory)[0]

    def groups(
        self,
        series: Sequence[Tensor],
        noise: Sequence[Tensor],
        rows: Sequence[Tensor | None],
        memory: Memory | None = None,
    ) -> list[Tensor]:
        """:meth:`forward` of groups that differ in their channels alone: all but the first and last layer at once."""
        if memory is None and self.conditioner.prompt is not None:
            memory = self.conditioner.prompt.nothing(1, series[0].dtype)
        grid = self.grid(series[0].shape[-1])
        images = [embed(x, grid) for x in series]
        vectors = [
            self.conditioner(level, *x.shape[1:], row, memory)
            for x, level, row in zip(series, noise, rows, strict=True)
        ]
        return [invert(image, grid) for image in self.on_images(images, torch.cat(vectors), memory)]

    def on_image(self, image: Tensor, vector: Tensor, memory: Memory | None = None) -> Tensor:
        """Images ``(batch, channels, rows, columns)`` to the same shape, told a conditioning ``vector``.

        What :meth:`forward` does between embedding and inversion, for methods whose diffusion is that of the image.
        """
        return self.on_images([image], vector, memory)[0]

    def on_images(self, images: Sequence[Tensor], vector: Tensor, memory: Memory | None = None) -> list[Tensor]:
        """:meth:`on_image` of groups that differ in their channels alone; ``vector`` of all, one group after another.

        One pass through the trunk: a batch of whole sets has dozens of channel counts and few series of each.
        """
        vector = F.silu(vector)
        image = torch.cat([self.first(image, self.width) for image in images])
        skips = [image]
        for module in self.down:
            image = module(image) if isinstance(module, Down) else module(image, vector, memory)
            skips.append(image)
        for module in self.middle:
            image = module(image, vector, memory)
        for module in self.up:
            if isinstance(module, Up):
                image = module(image, skips[-1].shape[-2:])
            else:
                image = module(torch.cat([image, skips.pop()], dim=1), vector, memory)
        parts = F.silu(self.norm(image)).split([len(image) for image in images])
        return [self.last(part, own.shape[1]) for part, own in zip(parts, images, strict=True)]
