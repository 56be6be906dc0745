"""The configuration of a model: everything that decides its shape and how it is trained and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tsprout.diffusion.denoiser import NOISES, WEIGHTINGS
from tsprout.errors import InputError
from tsprout.limits import MAX_GUIDANCE
from tsprout.nn.attention import FEED_FORWARDS
from tsprout.nn.conditioning import PROMPT_USES

_LEAST = {"rows": 0, "prompt_depth": 0, "depth": 0, "canonical": 1, "dimension": 1, "delay": 1, "steps": 1, "blocks": 1}


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape and behaviour of a model; JSON-able, stored in every checkpoint.

    Sizes: ``width``, ``depth`` and ``heads`` of the transformer; ``width``, ``multipliers``, ``blocks`` and
    ``attention_sides`` of the UNet. Grid: ``grid`` ("exact" or "padded"), ``delay`` m, ``dimension`` n.
    ``canonical``: channels of the canonical kernels. ``rows``: dataset tokens, ``prompt_depth``: layers of the prompt
    encoder (0 leaves either out). Diffusion: ``sigma_data``, the range ``sigma_min`` to ``sigma_max`` and ``rho`` of
    the schedule, log-normal training noise ``noise_mean`` and ``noise_std``, default ``solver`` and ``steps``;
    ``guidance``: how much of the difference that the prompt makes is applied when a model draws (1: just it), at noise
    levels from ``guidance_low`` to ``guidance_high``, where it costs a second network call.

    For comparison: ``channel_mixing``, how any number of channels enters and leaves the network ("dyconv"; "padded":
    zeros up to ``canonical`` channels, and no more; "learned": a learned resize; "invariant": whatever their order,
    transformer only). ``prompt_use``: "both", "pooled" (its vector alone), "cross" (attention to it alone).
    ``attention_every``: self-attention in the first and then every so many layers of the transformer (in the UNet
    ``attention_sides`` decides, none switches it off). ``feed_forward``: "gelu" or "swiglu". ``weighting`` of the loss:
    "edm", "velocity", "min-snr" or "learned". ``noise`` in training: "lognormal", or "uniform" in its logarithm from
    ``noise_low`` to ``noise_high``.
    """

    backbone: str = "transformer"
    width: int = 128
    depth: int = 5
    heads: int = 4
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    blocks: int = 3
    attention_sides: tuple[int, ...] = (8, 4, 2)
    grid: str = "exact"
    delay: int = 4
    dimension: int = 4
    canonical: int = 64
    rows: int = 0
    prompt_depth: int = 2
    dropout: float = 0.0
    sigma_data: float = 1.5
    sigma_min: float = 0.01
    sigma_max: float = 80.0
    rho: float = 7.0
    noise_mean: float = -0.5
    noise_std: float = 1.6
    solver: str = "dpmpp-2m"
    steps: int = 10
    guidance: float = 1.0
    guidance_low: float = 0.0
    guidance_high: float = 1e6
    channel_mixing: str = "dyconv"
    prompt_use: str = "both"
    attention_every: int = 1
    feed_forward: str = "gelu"
    weighting: str = "edm"
    noise: str = "lognormal"
    noise_low: float = 0.01
    noise_high: float = 80.0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able dictionary; inverse of :meth:`from_dict`."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Build from :meth:`to_dict`'s output.

        Raises:
            InputError: an unknown setting, which would change the model silently, or a value of the wrong type.
        """
        defaults = {f.name: f.default for f in fields(cls)}
        unknown = sorted(set(values) - set(defaults))
        if unknown:
            raise InputError(f"unknown model setting: {', '.join(unknown)}", fix="A newer tsprout may know it.")
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for name, value in plain.items():
            kind = type(defaults[name])
            parts = value if kind is tuple and isinstance(value, tuple) else (value,)
            wanted: tuple[type, ...] = {tuple: (int,), float: (float, int)}.get(kind, (kind,))
            if isinstance(value, tuple) != (kind is tuple) or not all(type(part) in wanted for part in parts):
                raise InputError(f"the model setting {name} cannot be {value!r}")
        return cls(**plain)


# The paper's model (arXiv 2505.20446, table of hyper-parameters): 6.39 M parameters (the paper says
# 6.75), 71 network calls a sample.
PAPER = ModelConfig(
    backbone="unet",
    width=32,
    grid="padded",
    delay=8,
    dimension=8,
    canonical=128,
    rows=32,
    prompt_depth=0,
    sigma_data=0.5,
    sigma_min=0.002,
    sigma_max=80.0,
    noise_mean=-1.2,
    noise_std=1.2,
    solver="heun",
    steps=36,
)
# Guided, six steps draw as well as eight and better than ten unguided ones (docs/experiments/guidance.md), if none of
# them is spent on noise that training hardly meets or that hides nothing (docs/experiments/noise-range.md).
SMALL = ModelConfig(sigma_min=0.03, sigma_max=20.0, steps=6, guidance=1.3)
CONFIGS: dict[str, ModelConfig] = {"paper": PAPER, "small": SMALL}


CHOICES: dict[str, Sequence[str]] = {
    "channel_mixing": ("dyconv", "padded", "learned", "invariant"),
    "prompt_use": PROMPT_USES,
    "feed_forward": tuple(FEED_FORWARDS),
    "weighting": tuple(WEIGHTINGS),
    "noise": NOISES,
}


def check(config: ModelConfig) -> None:
    """Refuse a configuration that describes no model.

    Raises:
        InputError: for a kind of something that does not exist, or that the backbone does not have.
    """
    for name, known in CHOICES.items():
        if getattr(config, name) not in known:
            raise InputError(
                f"the model setting {name} cannot be {getattr(config, name)!r}",
                fix=f"Choose one of: {', '.join(known)}.",
            )
    for name, value in asdict(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"the model setting {name} is {value}", fix="Give a finite number.")
    for name, least in _LEAST.items():
        if getattr(config, name) < least:
            raise InputError(f"the model setting {name} is {getattr(config, name)}", fix=f"Give {least} or more.")
    if min(config.sigma_data, config.rho, config.noise_std) <= 0 or not 0 < config.sigma_min < config.sigma_max:
        raise InputError(
            "the noise levels make no sense",
            fix="Give sigma_data, rho and noise_std above 0, and 0 < sigma_min < sigma_max.",
        )
    if not 0 <= config.guidance <= MAX_GUIDANCE:
        raise InputError(f"a guidance of {config.guidance:g} makes no sense", fix=f"Give 0 to {MAX_GUIDANCE:g}.")
    if config.attention_every < 1:
        raise InputError(f"attention_every is {config.attention_every}", fix="Give 1 for attention in every layer.")
    if not 0 < config.noise_low < config.noise_high:
        raise InputError(
            f"training noise from {config.noise_low:g} to {config.noise_high:g} is no range",
            fix="Give 0 < noise_low < noise_high.",
        )
    if config.backbone == "unet" and config.channel_mixing == "invariant":
        raise InputError("the UNet knows channels by their order", fix="Use channel_mixing invariant in a transformer.")
    if config.backbone == "unet" and config.attention_every > 1:
        raise InputError("attention_every is of the transformer", fix="Set the UNet's attention_sides.")
