r"""What the denoiser is told besides the noisy series: noise level, size, dataset token, and the prompt.

- **Noise level**: Fourier features of :math:`c_{noise}(\sigma)` (Song et al. 2021, arXiv 2011.13456).
- **Size**: logarithms of length and channel count, since one checkpoint serves all of them.
- **Dataset token**: one learned row per pre-training set (arXiv 2505.20446, section 5).
- **Prompt**: the shots themselves. They are cut into grid columns like the noisy series, encoded by self-attention
  within each shot and then across all shots, and come out as a *memory* of tokens to attend to and a pooled vector.
  Nothing in it depends on the order of the shots. Memory and vector can each be left out (``prompt_use``).

Token and prompt can each be absent for any part of a batch; an absent one contributes a learned *null* vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.errors import InputError
from tsprout.nn.attention import FEED_FORWARDS, Attention
from tsprout.nn.constants import constant
from tsprout.nn.delay import embed, exact_grid
from tsprout.nn.dyconv import DyPatchEmbed
from tsprout.nn.invariant import ChannelPatch

# How the prompt is used: its tokens are attended to ("cross"), its pooled vector conditions ("pooled"), or both.
PROMPT_USES = ("both", "pooled", "cross")


class FourierFeatures(nn.Module):
    """Sines and cosines of a scalar at log-spaced frequencies, then a two-layer network: ``(n,)`` to ``(n, width)``."""

    frequencies: Tensor

    def __init__(self, width: int, features: int = 64, lowest: float = 0.25, highest: float = 64.0) -> None:
        super().__init__()
        frequencies = torch.exp(torch.linspace(math.log(lowest), math.log(highest), features // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, value: Tensor) -> Tensor:
        angle = value[:, None] * self.frequencies
        return self.layers(torch.cat([angle.sin(), angle.cos()], dim=-1))


@dataclass
class Memory:
    """The encoded prompts of ``groups`` different sets.

    ``tokens (groups, t, width)``, their ``positions (groups, t)`` in time steps, which of them are
    ``valid (groups, t)``, and the pooled ``vector (groups, width)``. A batch of ``groups * s`` noisy series uses group
    ``i // s`` for series ``i``. ``present (groups,)`` is False where the prompt was dropped. ``channels (groups,
    channels, inner)``: by what a model without channel order tells them apart, see :mod:`tsprout.nn.invariant`.
    """

    tokens: Tensor
    positions: Tensor
    valid: Tensor
    vector: Tensor
    present: Tensor
    channels: Tensor | None = None


class DatasetToken(nn.Module):
    """A table of learned vectors, one row per set; row index -1 stands for "no token" and gives the null vector."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(rows, width) * 0.02)
        self.null = nn.Parameter(torch.zeros(width))

    def forward(self, rows: Tensor) -> Tensor:
        """Row indices ``(n,)`` to vectors ``(n, width)``."""
        return torch.where((rows >= 0)[:, None], self.table[rows.clamp(min=0)], self.null)

    def mean(self) -> Tensor:
        """The mean row ``(width,)``: where a new set starts."""
        return self.table.detach().mean(dim=0)


class PromptEncoder(nn.Module):
    """Shots, already cut into tokens, to a :class:`Memory`.

    Args:
        width: of the tokens.
        depth: number of layers; even ones attend within a shot, odd ones across all shots of the set.
        heads: attention heads.
        period: time steps per unit of rotary position.
        use: what of it is used, one of ``PROMPT_USES``.
        feed_forward: kind of the feed-forward layers.
    """

    def __init__(
        self, width: int, depth: int, heads: int, period: float, *, use: str = "both", feed_forward: str = "gelu"
    ) -> None:
        super().__init__()
        self.adapt = nn.Linear(width, width)
        self.missing = nn.Parameter(torch.zeros(width))
        self.norms1 = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.attentions = nn.ModuleList(Attention(width, heads, period=period) for _ in range(depth))
        self.norms2 = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.feeds = nn.ModuleList(FEED_FORWARDS[feed_forward](width) for _ in range(depth))
        self.final = nn.LayerNorm(width)
        # A parameter that never gets a gradient has no place in a model.
        pooled, attended = use != "cross", use != "pooled"
        layers = (nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.pool = nn.Sequential(*layers) if pooled else None
        self.null_token = nn.Parameter(torch.zeros(width)) if attended else None
        self.null_vector = nn.Parameter(torch.zeros(width)) if pooled else None

    def forward(self, tokens: Tensor, positions: Tensor, missing: Tensor, valid: Tensor, present: Tensor) -> Memory:
        """Encode the prompts.

        Args:
            tokens: ``(groups, shots, columns, width)``.
            positions: ``(groups, shots, columns)``, first time step of each column.
            missing: ``(groups, shots, columns)``, share of a column's cells that are not observed.
            valid: ``(groups, shots, columns)``, False beyond the end of a shorter shot.
            present: ``(groups,)``, False where the prompt is dropped.
        """
        groups, shots, columns, width = tokens.shape
        x = self.adapt(tokens) + missing[..., None] * self.missing
        joined_valid = valid.flatten(1)
        own_valid, joined_usable = _usable(valid.flatten(0, 1)), _usable(joined_valid)
        first: Attention = self.attentions[0]  # type: ignore[assignment]
        own_turn, joined_turn = first.turn(positions.flatten(0, 1)), first.turn(positions.flatten(1))
        for layer, attention in enumerate(self.attentions):
            h = self.norms1[layer](x)
            if layer % 2 == 0:
                h = attention(h.flatten(0, 1), own_turn, key_mask=own_valid).view_as(x)
            else:
                h = attention(h.flatten(1, 2), joined_turn, key_mask=joined_usable).view_as(x)
            x = x + h
            x = x + self.feeds[layer](self.norms2[layer](x))
        x = self.final(x).flatten(1, 2)
        vector = x[:, 0]
        absent = ~present
        if self.pool is not None and self.null_vector is not None:
            weight = joined_valid.to(x.dtype)[..., None]
            vector = self.pool((x * weight).sum(1) / weight.sum(1).clamp(min=1))
            vector = torch.where(absent[:, None], self.null_vector.to(vector.dtype), vector)
        if self.null_token is not None:
            x = torch.where(absent[:, None, None], self.null_token.to(x.dtype), x)
        return Memory(x, positions.flatten(1), joined_usable, vector, present)

    def nothing(self, groups: int, dtype: torch.dtype = torch.float32) -> Memory:
        """The memory of ``groups`` sets that have no prompt at all: one null token each."""
        device, none = self.missing.device, torch.zeros_like(self.missing)
        tokens = (none if self.null_token is None else self.null_token).to(dtype).expand(groups, 1, -1)
        ones = torch.ones(groups, 1, dtype=torch.bool, device=device)
        vector = (none if self.null_vector is None else self.null_vector).to(dtype).expand(groups, -1)
        return Memory(tokens, torch.zeros(groups, 1, device=device), ones, vector, torch.zeros_like(ones[:, 0]))


def _usable(valid: Tensor) -> Tensor:
    """A row without a single valid key would make attention undefined; let such a row see its first key."""
    # To look first would save a little work, and on an accelerator make the host wait for it.
    if not valid.is_cuda and bool(valid.any(dim=-1).all()):
        return valid
    first = torch.arange(valid.shape[-1], device=valid.device) == 0
    return torch.where(valid.any(dim=-1, keepdim=True), valid, first)


class Conditioner(nn.Module):
    """Everything the denoiser is told, as one vector per noisy series and, where there is a prompt, a memory.

    Args:
        width: of the conditioning vector and of the prompt's tokens.
        rows: dataset tokens in the table; 0 leaves the token out.
        prompt_depth: layers of the prompt encoder; 0 leaves the prompt out.
        heads: attention heads of the prompt encoder.
        dimension: time steps per column of a shot.
        period: time steps per unit of rotary position.
        prompt_use, feed_forward: of the prompt encoder.
    """

    def __init__(
        self,
        width: int,
        *,
        rows: int,
        prompt_depth: int,
        heads: int,
        dimension: int,
        period: float,
        prompt_use: str = "both",
        feed_forward: str = "gelu",
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.noise = FourierFeatures(width)
        self.size = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
        self.token = DatasetToken(rows, width) if rows else None
        self.pooled = prompt_use != "cross"
        self.prompt = None
        if prompt_depth:
            kinds = {"use": prompt_use, "feed_forward": feed_forward}
            self.prompt = PromptEncoder(width, prompt_depth, heads, period, **kinds)

    def encode(self, patch: DyPatchEmbed | ChannelPatch, shots: Tensor, observed: Tensor, present: Tensor) -> Memory:
        """Shots to memory.

        Args:
            patch: cuts columns into tokens.
            shots: ``(groups, shots, channels, length)``, scaled; the value of an unobserved cell does not matter.
            observed: boolean, same shape. Columns without any observed cell are not attended to.
            present: ``(groups,)``, False where the prompt is dropped.
        """
        if self.prompt is None:
            raise InputError("this model has no prompt encoder")
        groups, count = shots.shape[:2]
        grid = exact_grid(shots.shape[-1], self.dimension)
        seen = embed(observed.flatten(0, 1).to(shots.dtype), grid)
        cells = embed(torch.where(observed, shots, 0.0).flatten(0, 1), grid)
        share = seen.mean(dim=(1, 2)).unflatten(0, (groups, count))
        flat, channels = patch.read_shots(_pad_rows(cells, self.dimension), seen.mean(dim=2), present)
        tokens = flat.unflatten(0, (groups, count))
        starts = constant(grid.starts, shots.device).expand(share.shape)
        memory: Memory = self.prompt(tokens, starts, 1 - share, share > 0, present)
        return replace(memory, channels=channels)

    def forward(self, noise: Tensor, channels: int, length: int, rows: Tensor | None, memory: Memory | None) -> Tensor:
        """The conditioning vector ``(batch, width)`` for ``c_noise (batch,)``, token ``rows (batch,)`` and a memory."""
        size = constant((math.log(length) / 4, math.log(channels) / 4), noise.device)
        vector = self.noise(noise) + self.size(size)
        if self.token is not None:
            if rows is None:
                rows = torch.full((len(noise),), -1, dtype=torch.long, device=noise.device)
            vector = vector + self.token(rows)
        if memory is not None and self.pooled:
            vector = vector + memory.vector.repeat_interleave(len(noise) // len(memory.vector), dim=0)
        return vector


def _pad_rows(image: Tensor, rows: int) -> Tensor:
    """A series shorter than one column leaves the lower rows of its only column empty."""
    return image if image.shape[-2] == rows else F.pad(image, (0, 0, 0, rows - image.shape[-2]))
