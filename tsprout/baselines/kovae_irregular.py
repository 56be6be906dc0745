"""KoVAE for series with missing steps: what was observed is read by a neural controlled differential equation.

Naiman et al. 2023, arXiv 2310.02619, section on irregular data: the encoder's first layers are replaced
(:mod:`tsprout.baselines._controlled`), the squared error counts observed cells only, and complete series are drawn.
Nothing is filled in before. The other settings are those of :mod:`tsprout.baselines.kovae`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tsprout.baselines._controlled import ControlledEncoder, spline_slopes
from tsprout.baselines.kovae import KoVAE


@dataclass(eq=False, kw_only=True)
class IrregularKoVAE(KoVAE):
    """See the module's text and :class:`~tsprout.baselines.kovae.KoVAE`."""

    name: ClassVar[str] = "kovae-irregular"
    summary: ClassVar[str] = "KoVAE that reads series with gaps as they are"
    keeps_gaps: ClassVar[bool] = True

    def _encoder(self, channels: int) -> nn.Module:
        return ControlledEncoder(channels, self.hidden, self.layers)

    def _observed(self, x: Tensor) -> Tensor:
        return torch.from_numpy(spline_slopes(x.cpu().numpy())).to(x.device)
