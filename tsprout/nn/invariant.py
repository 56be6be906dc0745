r"""Channels without an order: shuffling those of series and prompt shuffles the output, and changes nothing else.

DyConv tells channels apart by their place. Here a channel is known by what can be seen of it. One small network, the
same for every channel, makes :math:`h_{cj} \in \mathbb{R}^w` of its column :math:`j` (sets as functions: Zaheer et al.
2017, "Deep Sets", arXiv 1703.06114). What the prompt shows of the channel, by itself and beside the mean of all
channels, and what its noisy series looks like give it a unit vector :math:`R_c \in \mathbb{R}^r`, which takes the place
of a row of DyConv's interpolation matrix: the trunk, as wide as ever, reads and writes the channels through it,

.. math::
    z_j = \frac{1}{\sqrt{C}} \sum_c P\,(R_c \otimes h_{cj}), \qquad h_{cj} \mathrel{+}= \sum_r R_{cr} (Q z_j)_r ,

so that channels which look different lie in different subspaces of it. A head, again the same for every channel, then
sees its own columns (:math:`h`, with attention over time) and what all channels told the trunk. The trunk's cost does
not depend on the channel count; stem and head have a quarter of its width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.nn.attention import Attention

_SLOTS = 8
_HEADS = 2


class ChannelBlock(nn.Module):
    """Attention over the columns of a channel (if ``attend``) and a feed-forward layer twice as wide.

    Both modulated by the conditioning vector as in the trunk; without one they are plain.
    """

    def __init__(self, inner: int, width: int, period: float, *, attend: bool) -> None:
        super().__init__()
        self.parts, self.width = 2 if attend else 1, width
        self.modulate = nn.Linear(width, 3 * self.parts * inner)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        self.own = Attention(inner, _HEADS, period=period) if attend else None
        self.rise, self.fall = nn.Linear(inner, 2 * inner), nn.Linear(2 * inner, inner)

    def forward(self, x: Tensor, vector: Tensor | None, positions: Tensor | None = None) -> Tensor:
        """``x (batch, channels, columns, inner)``, ``vector (batch or 1, width)``, ``positions (1, columns)``."""
        inner = x.shape[-1]
        if vector is None:
            vector = x.new_zeros(1, self.width)
            changes = vector.new_zeros(3, self.parts, 1, 1, 1, inner)
        else:
            changes = self.modulate(vector).view(-1, 3, self.parts, 1, 1, inner).permute(1, 2, 0, 3, 4, 5)
        scale, shift, gate = changes.unbind(0)

        def modulated(part: int) -> Tensor:
            return F.layer_norm(x, (inner,)) * (1 + scale[part]) + shift[part]

        if self.own is not None:
            turn = None if positions is None else self.own.turn(positions)
            read = self.own(modulated(1).flatten(0, 1), turn)
            x = x + (1 + gate[1]) * read.view_as(x)
        return x + (1 + gate[0]) * self.fall(F.gelu(self.rise(modulated(0)), approximate="tanh"))


class ChannelPatch(nn.Module):
    """Grid columns of any number of channels to tokens of the trunk and back, equivariant to their order.

    Args:
        width: of the trunk's tokens and of the conditioning vector.
        dimension: time steps per column.
        prompt: whether channels may be known by a prompt.
    """

    def __init__(self, width: int, dimension: int, *, prompt: bool) -> None:
        super().__init__()
        inner = max(8, width // 4)
        self.inner = inner
        self.unknown = nn.Parameter(torch.zeros(inner))
        if prompt:
            self.look, self.missing = nn.Linear(dimension, inner), nn.Parameter(torch.zeros(inner))
            self.compare = nn.Sequential(nn.Linear(2 * inner, 2 * inner), nn.SiLU(), nn.Linear(2 * inner, inner))
        self.cut = nn.Linear(dimension, inner)
        self.stem = ChannelBlock(inner, width, float(dimension), attend=False)
        self.notice = nn.Linear(inner, inner)
        self.place = nn.Sequential(nn.Linear(inner, inner), nn.SiLU(), nn.Linear(inner, _SLOTS))
        self.mix = nn.Linear(_SLOTS * inner, width)
        self.spread = nn.Linear(width, _SLOTS * inner)
        self.head = ChannelBlock(inner, width, float(dimension), attend=True)
        self.out = nn.Linear(inner, dimension)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def identify(self, image: Tensor, share: Tensor, groups: int) -> Tensor:
        """What prompts show of their channels: ``(groups * shots, channels, dimension, columns)`` to ``(groups,
        channels, inner)``.

        ``share (groups * shots, channels, columns)`` of each column's cells is observed; columns without any do not
        count. The order of shots and columns does not matter.
        """
        seen = (share > 0).to(image.dtype)[..., None]
        own = self.look(image.transpose(2, 3)) + (1 - share)[..., None] * self.missing
        mean = (own * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
        found = self.compare(torch.cat([own, mean.expand_as(own)], dim=-1)) * seen
        total, count = (t.unflatten(0, (groups, -1)).sum(dim=(1, 3)) for t in (found, seen))
        return total / count.clamp(min=1)

    def enter(self, image: Tensor, identity: Tensor | None, vector: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Columns to tokens.

        Args:
            image: ``(batch, channels, dimension, columns)``.
            identity: ``(groups, channels, inner)`` of :meth:`identify`; ``None`` where no prompt was given.
            vector: the conditioning vector ``(batch or 1, width)``; ``None`` for shots, which have no noise.

        Returns:
            Tokens ``(batch, columns, width)``, and for :meth:`leave` the channels' own columns ``(batch, channels,
            columns, inner)`` and places ``(batch, channels, slots)``.
        """
        batch, channels = image.shape[:2]
        if identity is None:
            identity = self.unknown.expand(1, channels, -1)
        identity = identity.repeat_interleave(batch // len(identity), dim=0)
        own = self.stem(self.cut(image.transpose(2, 3)) + identity[:, :, None], vector)
        places = F.normalize(self.place(identity + self.notice(own.mean(dim=2))), dim=-1)
        pooled = torch.einsum("bcr,bcjw->bjrw", places, own) / math.sqrt(channels)
        return self.mix(pooled.flatten(2)), own, places

    def leave(self, tokens: Tensor, own: Tensor, places: Tensor, vector: Tensor, positions: Tensor) -> Tensor:
        """Tokens ``(batch, columns, width)`` and what :meth:`enter` kept to ``(batch, channels, dimension, columns)``.

        ``positions (1, columns)``: first time step of each column.
        """
        read = torch.einsum("bcr,bjrw->bcjw", places, self.spread(tokens).unflatten(-1, (_SLOTS, -1)))
        own = self.head(own + read, vector, positions)
        return self.out(F.layer_norm(own, (self.inner,))).transpose(2, 3)

    def read_shots(self, image: Tensor, share: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Shots ``(groups * shots, channels, dimension, columns)`` to tokens ``(groups * shots, columns, width)`` and
        the identities ``(groups, channels, inner)`` of their channels, which an absent prompt does not give away.

        ``share`` as in :meth:`identify`; ``present (groups,)``.
        """
        identity = self.identify(image, share, len(present))
        tokens = self.enter(image, identity, None)[0]
        return tokens, torch.where(present[:, None, None], identity, self.unknown.to(identity.dtype))
