r"""Parameter-efficient fine-tuning: which parameters train, and low-rank adapters.

Low-rank adaptation (LoRA, Hu et al. 2022, arXiv 2106.09685) leaves a linear layer's weight :math:`W` as it is and adds
:math:`\frac{\alpha}{r} B A` with :math:`B` zero at the start, so that the adapted model begins as the pre-trained one.
Beside it: biases only (BitFit, Zaken et al. 2022, arXiv 2106.10199), the dataset token only, and all weights.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsprout.devices import seeded
from tsprout.errors import InputError

MODES = ("full", "lora", "bias", "token")
_BIASES_AND_GAINS = ("bias", "into_bias", "out_bias", "query_scale", "key_scale")


@dataclass(frozen=True)
class AdapterConfig:
    """Low-rank adapters: ``rank`` and ``alpha`` (the update is scaled by ``alpha / rank``)."""

    rank: int = 16
    alpha: float = 16.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


class LowRankLinear(nn.Module):
    """A linear layer with a frozen weight and a trained low-rank update."""

    def __init__(self, base: nn.Linear, config: AdapterConfig) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = config.alpha / config.rank
        into = torch.randn(config.rank, base.in_features) / math.sqrt(base.in_features)
        self.into = nn.Parameter(into.to(base.weight.device))
        self.out_of = nn.Parameter(torch.zeros(base.out_features, config.rank, device=base.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.scale * F.linear(F.linear(x, self.into), self.out_of)


def adapt(model: nn.Module, config: AdapterConfig) -> None:
    """Put a low-rank adapter on every linear layer of ``model``, in place; everything else is frozen."""
    if config.rank < 1:
        raise InputError(f"a low-rank adapter needs a rank of at least 1, got {config.rank}")
    model.requires_grad_(False)
    for module in list(model.modules()):
        if isinstance(module, LowRankLinear):
            continue
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, LowRankLinear(child, config))


def select_trainable(model: nn.Module, mode: str, *, seed: int = 0) -> AdapterConfig | None:
    """Make exactly the parameters of a fine-tuning mode trainable, in place; the adapter's configuration for "lora".

    ``full``: all; ``lora``: low-rank adapters; ``bias``: biases, gains of normalisations and the token; ``token``: the
    dataset token alone.

    Raises:
        InputError: for an unknown mode, or "token" on a model without dataset tokens.
    """
    if mode == "lora":
        with seeded(seed):
            config = AdapterConfig()
            adapt(model, config)
        return config
    if mode == "full":
        model.requires_grad_(True)
    elif mode in ("bias", "token"):
        norms = {id(p) for m in model.modules() if isinstance(m, nn.LayerNorm | nn.GroupNorm) for p in m.parameters()}
        for name, parameter in model.named_parameters():
            leaf = name.rsplit(".", 1)[-1]
            biased = leaf in _BIASES_AND_GAINS or id(parameter) in norms
            is_token = "conditioner.token." in name
            parameter.requires_grad_(is_token or (mode == "bias" and biased))
        if mode == "token" and not any(p.requires_grad for p in model.parameters()):
            raise InputError("this model has no dataset token to train", fix="Choose another mode, such as full.")
    else:
        raise InputError(f"there is no fine-tuning mode called {mode!r}", fix=f"Choose one of: {', '.join(MODES)}.")
    return None
