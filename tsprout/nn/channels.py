"""Other ways than DyConv's bicubic interpolation to bring a kernel to the channels at hand; for comparison with it.

- **Padded**: the kernel is static; a series with fewer channels than it has leaves the others zero. The ablation of
  arXiv 2505.20446, table 5. More channels than the kernel's cannot be served.
- **Learned**: a small network of a channel's place and of the number of channels corrects the interpolation, from which
  it starts.

Both see channels by their order, as DyConv does; :mod:`tsprout.nn.invariant` does not.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.errors import InputError
from tsprout.nn.dyconv import Resize

_FREQUENCIES = (1.0, 2.0, 4.0, 8.0, 16.0)


class PadResize(Resize):
    """The first ``size`` channels of the kernel: what zeros in place of the others would give."""

    def forward(self, size: int, canonical: int, like: Tensor) -> Tensor:
        if size > canonical:
            raise InputError(
                f"this model pads channels to {canonical}, and there are {size}",
                fix=f"Choose {canonical} channels or fewer, or a model with channel_mixing other than padded.",
            )
        return torch.eye(size, canonical, device=like.device, dtype=like.dtype)

    def gain(self, size: int, canonical: int) -> float:
        return 1.0


class LearnedResize(Resize):
    """Interpolation plus a learned correction, rows of unit norm; the correction starts at zero.

    Args:
        canonical: channels of the kernel; at this size the kernel is used as it is.
        hidden: width of the network.
    """

    def __init__(self, canonical: int, hidden: int = 32) -> None:
        super().__init__()
        self.rise = nn.Linear(2 * len(_FREQUENCIES) + 2, hidden)
        self.fall = nn.Linear(hidden, canonical)
        nn.init.zeros_(self.fall.weight)
        nn.init.zeros_(self.fall.bias)

    def forward(self, size: int, canonical: int, like: Tensor) -> Tensor:
        place = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size
        angle = math.pi * place[:, None] * torch.tensor(_FREQUENCIES, device=like.device, dtype=like.dtype)
        count = torch.full_like(place, math.log(size) / 4)
        features = torch.cat([angle.sin(), angle.cos(), torch.stack([place, count], dim=1)], dim=1)
        correction = self.fall(F.silu(self.rise(features)))
        return F.normalize(super().forward(size, canonical, like) + correction, dim=1)


def resizer(mixing: str, canonical: int) -> Resize:
    """The resizing of ``channel_mixing`` "dyconv", "padded" or "learned", with fresh weights where it has some."""
    if mixing == "padded":
        return PadResize()
    return LearnedResize(canonical) if mixing == "learned" else Resize()
