r"""Attention with rotary positions, and the feed-forward layer beside it.

Rotary position embedding (Su et al. 2021, arXiv 2104.09864) turns queries and keys by an angle proportional to their
time step, so attention depends on time *differences* and the same weights serve any length. Queries and keys are
normalised (Henry et al. 2020, arXiv 2010.04245), which keeps small models stable at high learning rates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Keys from which the fused kernel is used, whose memory does not grow with queries times keys. On a CPU its backward
# pass is several times slower than what is written out here; on a GPU that is so for the shortest sequences only.
_FUSED_FROM, _FUSED_FROM_ON_GPU = 2048, 17


Turn = tuple[Tensor, Tensor]


def turn_of(positions: Tensor, size: int, period: float, base: float = 1000.0) -> Turn:
    """Cosines and sines of the angles of ``positions (batch or 1, tokens)``, in time steps, for vectors of ``size``.

    ``period`` time steps are one radian of the fastest pair of dimensions; ``base`` times that of the slowest. Both
    are ``(batch or 1, 1, tokens, size // 2)``.
    """
    rates = base ** -torch.linspace(0, 1, size // 2, device=positions.device) / period
    angle = (positions.float()[..., None] * rates)[:, None]
    return angle.cos(), angle.sin()


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """Turn ``x (batch, heads, tokens, d)`` by its :func:`turn_of`."""
    half = x.shape[-1] // 2
    cos, sin = turn[0].to(x.dtype), turn[1].to(x.dtype)
    a, b = x[..., :half], x[..., half : 2 * half]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, x[..., 2 * half :]], dim=-1)


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves or to a context.

    Args:
        width: of the tokens, divisible by ``heads``.
        heads: number of heads.
        period: time steps per radian of the fastest rotary pair; ``None`` switches positions off.
        cross: whether keys and values come from a context of the same width.
    """

    def __init__(self, width: int, heads: int, *, period: float | None, cross: bool = False) -> None:
        super().__init__()
        self.heads, self.size, self.period, self.cross = heads, width // heads, period, cross
        if cross:
            self.query = nn.Linear(width, width, bias=False)
            self.key_value = nn.Linear(width, 2 * width, bias=False)
        else:
            self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.query_scale = nn.Parameter(torch.ones(width // heads))
        self.key_scale = nn.Parameter(torch.ones(width // heads))

    def turn(self, positions: Tensor) -> Turn | None:
        """By what tokens at ``positions (groups or 1, tokens)``, in time steps, are turned; layers alike share it."""
        return None if self.period is None else turn_of(positions, self.size, self.period)

    def forward(
        self,
        x: Tensor,
        turn: Turn | None = None,
        *,
        context: Tensor | None = None,
        context_turn: Turn | None = None,
        key_mask: Tensor | None = None,
    ) -> Tensor:
        """Attend from ``x (groups, queries, width)``, to itself or to ``context (groups, keys, width)``.

        ``turn`` and ``context_turn`` are :meth:`turn` of the positions of queries and keys; ``key_mask (groups, keys)``
        is True where a key may be attended to.
        """
        if context is None:
            query, key, value = self.query_key_value(x).chunk(3, dim=-1)
            context_turn = turn
        else:
            query = self.query(x)
            key, value = self.key_value(context).chunk(2, dim=-1)
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (query, key, value))
        query = F.rms_norm(query, (query.shape[-1],)) * self.query_scale.to(query.dtype)
        key = F.rms_norm(key, (key.shape[-1],)) * self.key_scale.to(key.dtype)
        if turn is not None and context_turn is not None:
            query, key = rotate(query, turn), rotate(key, context_turn)
        if key.shape[-2] >= (_FUSED_FROM_ON_GPU if key.is_cuda else _FUSED_FROM):
            mask = None if key_mask is None else key_mask[:, None, None, :]
            out = F.scaled_dot_product_attention(query, key, value.to(query.dtype), attn_mask=mask).to(value.dtype)
            return self.out(out.transpose(1, 2).flatten(-2))
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        # To look first saves work, but makes the host wait for an accelerator.
        if key_mask is not None and (key_mask.is_cuda or not bool(key_mask.all())):
            scores = scores.masked_fill(~key_mask[:, None, None, :], float("-inf"))
        out = scores.softmax(dim=-1).to(value.dtype) @ value
        return self.out(out.transpose(1, 2).flatten(-2))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, width: int, factor: int = 4) -> None:
        super().__init__()
        self.rise = nn.Linear(width, factor * width)
        self.fall = nn.Linear(factor * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fall(F.gelu(self.rise(x), approximate="tanh"))


class GatedFeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv 2002.05202), as wide inside as makes its parameters about those of the other one."""

    def __init__(self, width: int, factor: int = 4) -> None:
        super().__init__()
        inner = 8 * max(1, round(2 * factor * width / 3 / 8))
        self.rise = nn.Linear(width, 2 * inner)
        self.fall = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.rise(x).chunk(2, dim=-1)
        return self.fall(F.silu(gate) * value)


FEED_FORWARDS: dict[str, type[FeedForward] | type[GatedFeedForward]] = {
    "gelu": FeedForward,
    "swiglu": GatedFeedForward,
}
