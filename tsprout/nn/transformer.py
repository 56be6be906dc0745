r"""Transformer over grid columns: one column (a stretch of ``dimension`` time steps, all channels) is one token.

DyConv's resized kernel embeds and un-embeds columns, adaptive layer normalisation carries noise level, size, token and
the pooled prompt (Peebles and Xie 2023, "Scalable Diffusion Models with Transformers", arXiv 2212.09748), and every
layer reads the prompt's memory by cross-attention. The cost of a layer does not depend on the channel count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.nn.attention import Attention, FeedForward
from tsprout.nn.conditioning import Conditioner, Memory
from tsprout.nn.delay import embed, exact_grid, invert
from tsprout.nn.dyconv import DyPatchEmbed


class Layer(nn.Module):
    """Self-attention, cross-attention to the memory, feed-forward; the conditioning vector modulates and gates each."""

    def __init__(self, width: int, heads: int, period: float, *, prompt: bool, dropout: float) -> None:
        super().__init__()
        self.parts = 3 if prompt else 2
        self.modulate = nn.Linear(width, 3 * self.parts * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        self.own = Attention(width, heads, period=period)
        self.cross = Attention(width, heads, period=period, cross=True) if prompt else None
        self.feed = FeedForward(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, vector: Tensor, positions: Tensor, memory: Memory | None) -> Tensor:
        """``x (batch, columns, width)``, ``vector (batch, width)``, ``positions (1, columns)`` in time steps."""
        scale, shift, gate = (
            t.unflatten(-1, (self.parts, 1, -1)).unbind(1) for t in self.modulate(vector).chunk(3, dim=-1)
        )
        width = (x.shape[-1],)

        def modulated(part: int) -> Tensor:
            return F.layer_norm(x, width) * (1 + scale[part]) + shift[part]

        x = x + gate[0] * self.dropout(self.own(modulated(0), positions))
        if self.cross is not None and memory is not None:
            groups = len(memory.tokens)
            queries = modulated(2).unflatten(0, (groups, -1))
            where = positions.expand(queries.shape[1], -1).reshape(1, -1)
            read = self.cross(
                queries.flatten(1, 2),
                where,
                context=memory.tokens,
                context_positions=memory.positions,
                key_mask=memory.valid,
            )
            x = x + gate[2] * self.dropout(read.view_as(x))
        return x + gate[1] * self.dropout(self.feed(modulated(1)))


class Transformer(nn.Module):
    """The backbone :math:`F_\\theta`: noisy series ``(batch, channels, length)`` to the same shape, whatever that is.

    Args:
        width: of the tokens, divisible by ``heads``.
        depth: number of layers.
        heads: attention heads.
        dimension: time steps per column.
        canonical: channels of the canonical kernel.
        rows: dataset tokens; 0 for none.
        prompt_depth: layers of the prompt encoder; 0 for none.
        dropout: on every residual branch.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        *,
        dimension: int,
        canonical: int,
        rows: int,
        prompt_depth: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        period = float(dimension)
        self.dimension = dimension
        self.patch = DyPatchEmbed(width, canonical, dimension)
        self.place = nn.Linear(2, width)
        self.conditioner = Conditioner(
            width, rows=rows, prompt_depth=prompt_depth, heads=heads, dimension=dimension, period=period
        )
        prompt = prompt_depth > 0
        self.layers = nn.ModuleList(Layer(width, heads, period, prompt=prompt, dropout=dropout) for _ in range(depth))
        self.final = nn.Linear(width, 2 * width)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)

    def encode(self, shots: Tensor, observed: Tensor, present: Tensor) -> Memory:
        """Encode prompts, see :meth:`Conditioner.encode`."""
        return self.conditioner.encode(self.patch, shots, observed, present)

    def forward(self, x: Tensor, noise: Tensor, rows: Tensor | None, memory: Memory | None) -> Tensor:
        """Noisy ``x (batch, channels, length)`` and ``c_noise (batch,)`` to ``(batch, channels, length)``."""
        channels, length = x.shape[1:]
        grid = exact_grid(length, self.dimension)
        image = embed(x, grid)
        short = self.dimension - image.shape[-2]
        if short:
            image = F.pad(image, (0, 0, 0, short))
        starts = torch.tensor(grid.starts, device=x.device, dtype=torch.float32)[None]
        if memory is None and self.conditioner.prompt is not None:
            memory = self.conditioner.prompt.nothing(1, x.dtype)
        vector = F.silu(self.conditioner(noise, channels, length, rows, memory))
        # Where a column lies, from the start and from the end: aligned sets (heart beats, days) need both.
        ends = torch.stack([starts[0], length - self.dimension - starts[0]], dim=-1)
        tokens = self.patch.embed(image) + self.place(torch.log1p(ends.clamp(min=0)) - 2)
        for layer in self.layers:
            tokens = layer(tokens, vector, starts, memory)
        scale, shift = self.final(vector)[:, None].chunk(2, dim=-1)
        tokens = F.layer_norm(tokens, (tokens.shape[-1],)) * (1 + scale) + shift
        image = self.patch.unembed(tokens, channels)
        return invert(image[..., : image.shape[-2] - short, :], grid)
