"""Pre-training that begins with the weights of another checkpoint.

Everything but the token table is taken over as it is. A token's row belongs to a set and not to a place, so rows are
matched by the names of the sets that the checkpoint's facts give (``info["sets"][name]["row"]``); a set that it has not
met starts from the null token, as a fine-tuned one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tsprout.checkpoint import Checkpoint
from tsprout.errors import InputError
from tsprout.model import Denoiser

_TOKEN = "backbone.conditioner.token."
_FREE = (
    *("rows", "dropout", "sigma_data", "sigma_min", "sigma_max", "rho", "solver", "steps"),
    *("guidance", "guidance_low", "guidance_high"),
    *("noise", "noise_mean", "noise_std", "noise_low", "noise_high", "weighting"),
)


@dataclass(frozen=True)
class Started:
    """``matched`` of ``sets`` found their token row in the checkpoint; both 0 for a model without tokens."""

    matched: int
    sets: int


@torch.no_grad()
def start_from(model: Denoiser, checkpoint: Checkpoint, sets: Sequence[str]) -> Started:
    """Overwrite ``model``'s weights by those of ``checkpoint``; row ``i`` of the token table is that of ``sets[i]``.

    Raises:
        InputError: the checkpoint is a fitted or adapted one, or its network has another shape.
    """
    if checkpoint.adapter is not None or checkpoint.fitted is not None:
        raise InputError("a fitted model cannot be pre-trained further", fix="Start from the model it was fitted from.")
    mine, theirs = model.config.to_dict(), checkpoint.model.config.to_dict()
    differ = [f"{k} {mine[k]} and not {theirs[k]}" for k in mine if k not in _FREE and mine[k] != theirs[k]]
    if differ:
        raise InputError(
            f"the checkpoint is of a network of another shape: the configuration has {', '.join(differ)}",
            fix="Give both the same model settings, or start without it.",
        )
    old = {k: v.to(model.device) for k, v in checkpoint.model.state_dict().items()}
    new = model.state_dict()
    for name, weight in new.items():
        if name in old and not name.startswith(_TOKEN + "table"):
            weight.copy_(old[name])
    if not model.config.rows:
        return Started(0, 0)
    table, matched = new[_TOKEN + "table"], 0
    table[:] = new[_TOKEN + "null"]
    facts = checkpoint.info.get("sets", {})
    known = {name: int(fact["row"]) for name, fact in facts.items()} if isinstance(facts, dict) else {}
    for place, name in enumerate(sets):
        if known.get(name, checkpoint.model.config.rows) < checkpoint.model.config.rows:
            table[place] = old[_TOKEN + "table"][known[name]]
            matched += 1
    return Started(matched, len(sets))
