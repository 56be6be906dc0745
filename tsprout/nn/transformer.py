r"""Transformer over grid columns: one column (a stretch of ``dimension`` time steps, all channels) is one token.

DyConv's resized kernel embeds and un-embeds columns, adaptive layer normalisation carries noise level, size, token and
the pooled prompt (Peebles and Xie 2023, "Scalable Diffusion Models with Transformers", arXiv 2212.09748), and every
layer reads the prompt's memory by cross-attention. The cost of a layer does not depend on the channel count.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.nn.attention import FEED_FORWARDS, Attention, Turn, turn_of
from tsprout.nn.channels import resizer
from tsprout.nn.conditioning import Conditioner, Memory
from tsprout.nn.constants import constant
from tsprout.nn.delay import embed, exact_grid, invert
from tsprout.nn.dyconv import DyPatchEmbed
from tsprout.nn.invariant import ChannelPatch


@dataclass(frozen=True)
class Turns:
    """Of one call, for all layers: of the columns of one series, of those of all series of a group one after the
    other, which read the memory, and of the memory's tokens."""

    own: Turn
    reading: Turn | None = None
    memory: Turn | None = None


class Layer(nn.Module):
    """Self-attention, cross-attention to the memory, feed-forward; the conditioning vector modulates and gates each.

    ``attend`` and ``read`` switch the attentions, ``feed_forward`` names the kind of the last.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        period: float,
        *,
        read: bool,
        dropout: float,
        attend: bool = True,
        feed_forward: str = "gelu",
    ) -> None:
        super().__init__()
        parts = [*(["own"] if attend else []), "feed", *(["cross"] if read else [])]
        self.place = {part: number for number, part in enumerate(parts)}
        self.parts = len(parts)
        self.modulate = nn.Linear(width, 3 * self.parts * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        self.own = Attention(width, heads, period=period) if attend else None
        self.cross = Attention(width, heads, period=period, cross=True) if read else None
        self.feed = FEED_FORWARDS[feed_forward](width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, vector: Tensor, turns: Turns, memory: Memory | None) -> Tensor:
        """``x (batch, columns, width)``, ``vector (batch, width)``."""
        scale, shift, gate = (
            t.unflatten(-1, (self.parts, 1, -1)).unbind(1) for t in self.modulate(vector).chunk(3, dim=-1)
        )
        width = (x.shape[-1],)

        def modulated(part: str) -> Tensor:
            return F.layer_norm(x, width) * (1 + scale[self.place[part]]) + shift[self.place[part]]

        if self.own is not None:
            x = x + gate[self.place["own"]] * self.dropout(self.own(modulated("own"), turns.own))
        if self.cross is not None and memory is not None:
            groups = len(memory.tokens)
            queries = modulated("cross").unflatten(0, (groups, -1))
            read = self.cross(
                queries.flatten(1, 2),
                turns.reading,
                context=memory.tokens,
                context_turn=turns.memory,
                key_mask=memory.valid,
            )
            x = x + gate[self.place["cross"]] * self.dropout(read.view_as(x))
        return x + gate[self.place["feed"]] * self.dropout(self.feed(modulated("feed")))


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
        channel_mixing: how columns of any number of channels become tokens: "dyconv", "padded", "learned"
            (:mod:`tsprout.nn.channels`) or "invariant" (:mod:`tsprout.nn.invariant`, which has no canonical kernel).
        prompt_use: what of the prompt is used: "both", "pooled" or "cross".
        attention_every: self-attention in the first and then every so many layers.
        feed_forward: "gelu" or "swiglu".
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
        channel_mixing: str = "dyconv",
        prompt_use: str = "both",
        attention_every: int = 1,
        feed_forward: str = "gelu",
    ) -> None:
        super().__init__()
        period = float(dimension)
        self.dimension, self.period, self.size = dimension, period, width // heads
        self.patch: DyPatchEmbed | ChannelPatch
        if channel_mixing == "invariant":
            self.patch = ChannelPatch(width, dimension, prompt=prompt_depth > 0)
        else:
            self.patch = DyPatchEmbed(width, canonical, dimension, resize=resizer(channel_mixing, canonical))
        self.place = nn.Linear(2, width)
        self.conditioner = Conditioner(
            width,
            rows=rows,
            prompt_depth=prompt_depth,
            heads=heads,
            dimension=dimension,
            period=period,
            prompt_use=prompt_use,
            feed_forward=feed_forward,
        )
        self.layers = nn.ModuleList(
            Layer(
                width,
                heads,
                period,
                read=prompt_depth > 0 and prompt_use != "pooled",
                dropout=dropout,
                attend=number % attention_every == 0,
                feed_forward=feed_forward,
            )
            for number in range(depth)
        )
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
        starts = constant(grid.starts, x.device)
        if memory is None and self.conditioner.prompt is not None:
            memory = self.conditioner.prompt.nothing(1, x.dtype)
        vector = F.silu(self.conditioner(noise, channels, length, rows, memory))
        # Where a column lies, from the start and from the end: aligned sets (heart beats, days) need both.
        ends = torch.stack([starts[0], length - self.dimension - starts[0]], dim=-1)
        if isinstance(self.patch, ChannelPatch):
            tokens, own, places = self.patch.enter(image, None if memory is None else memory.channels, vector)
        else:
            tokens = self.patch.embed(image)
        tokens = tokens + self.place(torch.log1p(ends.clamp(min=0)) - 2)
        turns = self._turns(starts, len(x), memory)
        for layer in self.layers:
            tokens = layer(tokens, vector, turns, memory)
        scale, shift = self.final(vector)[:, None].chunk(2, dim=-1)
        tokens = F.layer_norm(tokens, (tokens.shape[-1],)) * (1 + scale) + shift
        if isinstance(self.patch, ChannelPatch):
            image = self.patch.leave(tokens, own, places, vector, starts)
        else:
            image = self.patch.unembed(tokens, channels)
        return invert(image[..., : image.shape[-2] - short, :], grid)

    def _turns(self, starts: Tensor, batch: int, memory: Memory | None) -> Turns:
        own = turn_of(starts, self.size, self.period)
        if memory is None:
            return Turns(own)
        cos, sin = (part.repeat(1, 1, batch // len(memory.tokens), 1) for part in own)
        return Turns(own, (cos, sin), turn_of(memory.positions, self.size, self.period))
