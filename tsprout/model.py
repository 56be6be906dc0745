r"""The model: a backbone on the grid, preconditioned into a denoiser of series. This is what is trained and sampled.

Diffusion runs on the series themselves, ``(n_series, n_channels, length)``; the grid exists only inside the backbone.
Noise is drawn once per time step and then embedded, which for a grid without overlap is the same as noise on the image,
keeps padding free of noise, and makes overlap harmless. So the loss is a mean over real, observed cells for every kind
of grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tsprout.diffusion.denoiser import (
    NOISES,
    WEIGHTINGS,
    Uncertainty,
    loss_weight,
    precondition,
    training_sigma,
    uniform_sigma,
)
from tsprout.diffusion.samplers import karras_schedule, solver_by_name
from tsprout.errors import InputError
from tsprout.limits import MAX_GUIDANCE
from tsprout.nn.attention import FEED_FORWARDS
from tsprout.nn.conditioning import PROMPT_USES, Memory
from tsprout.nn.transformer import Transformer
from tsprout.nn.unet import UNet

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
# Guided, six steps draw as well as eight and better than ten unguided ones (docs/experiments/guidance.md).
SMALL = ModelConfig(steps=6, guidance=1.3)
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


def build_backbone(config: ModelConfig) -> nn.Module:
    """The network a configuration describes, with fresh weights from torch's global generator.

    Raises:
        InputError: for a kind of something that does not exist, or that this backbone does not have.
    """
    check(config)
    if config.backbone == "transformer":
        return Transformer(
            config.width,
            config.depth,
            config.heads,
            dimension=config.dimension,
            canonical=config.canonical,
            rows=config.rows,
            prompt_depth=config.prompt_depth,
            dropout=config.dropout,
            channel_mixing=config.channel_mixing,
            prompt_use=config.prompt_use,
            attention_every=config.attention_every,
            feed_forward=config.feed_forward,
        )
    if config.backbone == "unet":
        return UNet(
            config.width,
            multipliers=config.multipliers,
            blocks=config.blocks,
            attention_sides=config.attention_sides,
            grid=config.grid,
            delay=config.delay,
            dimension=config.dimension,
            canonical=config.canonical,
            rows=config.rows,
            prompt_depth=config.prompt_depth,
            dropout=config.dropout,
            channel_mixing=config.channel_mixing,
            prompt_use=config.prompt_use,
            feed_forward=config.feed_forward,
        )
    raise InputError(f"there is no backbone called {config.backbone!r}", fix="Choose one of: transformer, unet.")


class Noised(NamedTuple):
    """What :meth:`Denoiser.losses` takes of one batch."""

    clean: Tensor
    observed: Tensor | None
    sigma: Tensor
    noise: Tensor
    rows: Tensor | None = None
    memory: Memory | None = None


class Denoiser(nn.Module):
    """:math:`D_\\theta(x; \\sigma)`: a backbone with EDM preconditioning.

    Args:
        config: shape and diffusion settings.
        seed: of the fresh weights.
    """

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.backbone = build_backbone(config)
        self.uncertainty = Uncertainty() if config.weighting == "learned" else None

    @property
    def parameter_count(self) -> int:
        """Number of trainable and frozen parameters."""
        return sum(p.numel() for p in self.parameters())

    def settled(self) -> tuple[ModelConfig, dict[str, Tensor]]:
        """Configuration and weights without what only training needs: what a checkpoint holds."""
        if self.uncertainty is None:
            return self.config, self.state_dict()
        weights = {k: v for k, v in self.state_dict().items() if not k.startswith("uncertainty.")}
        return replace(self.config, weighting="edm"), weights

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def has_prompt(self) -> bool:
        """Whether the model can be shown shots."""
        return self.config.prompt_depth > 0

    def encode(self, shots: Tensor, observed: Tensor | None = None, present: Tensor | None = None) -> Memory:
        """Encode prompts ``(groups, shots, channels, length)``; ``observed`` same shape, ``present (groups,)``."""
        if observed is None:
            observed = torch.ones_like(shots, dtype=torch.bool)
        if present is None:
            present = torch.ones(len(shots), dtype=torch.bool, device=shots.device)
        memory: Memory = self.backbone.encode(shots, observed, present)  # type: ignore[operator]
        return memory

    def forward(self, x: Tensor, sigma: Tensor, rows: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        """Clean estimate of ``x (batch, channels, length)`` at noise levels ``sigma (batch,)``, or ``(1,)`` for all."""
        scale = precondition(sigma.float(), self.config.sigma_data)
        out = self.backbone(x * scale.into[:, None, None], scale.noise, rows, memory)
        return scale.skip[:, None, None] * x + scale.out[:, None, None] * out.float()

    def losses(
        self,
        clean: Tensor,
        observed: Tensor | None,
        sigma: Tensor,
        noise: Tensor,
        rows: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Weighted squared error of each series, mean over its observed cells: ``(batch,)``.

        In training mode weighted as configured, in evaluation mode always as in EDM, so that models compare; with the
        learned weighting the gradient alone is weighted, and the value is EDM's. An unobserved cell counts as 0 under
        its noise, whatever ``clean`` holds there, and not at all in the loss.
        """
        if observed is not None:
            clean = torch.where(observed, clean, 0)
        estimate = self(clean + sigma[:, None, None] * noise, sigma, rows, memory)
        return self._weighed(estimate, clean, observed, sigma)

    def losses_of_groups(self, groups: Sequence[Noised]) -> list[Tensor]:
        """:meth:`losses` of groups that differ in their channels; in one pass where the backbone is the UNet."""
        if not isinstance(self.backbone, UNet) or any(group.memory is not None for group in groups):
            return [self.losses(*group) for group in groups]
        clean = [g.clean if g.observed is None else torch.where(g.observed, g.clean, 0) for g in groups]
        noisy = [x + g.sigma[:, None, None] * g.noise for x, g in zip(clean, groups, strict=True)]
        scales = [precondition(g.sigma.float(), self.config.sigma_data) for g in groups]
        into = [x * scale.into[:, None, None] for x, scale in zip(noisy, scales, strict=True)]
        found = self.backbone.groups(into, [scale.noise for scale in scales], [g.rows for g in groups])
        return [
            self._weighed(s.skip[:, None, None] * x + s.out[:, None, None] * out.float(), y, g.observed, g.sigma)
            for s, x, out, y, g in zip(scales, noisy, found, clean, groups, strict=True)
        ]

    def _weighed(self, estimate: Tensor, clean: Tensor, observed: Tensor | None, sigma: Tensor) -> Tensor:
        error = (estimate - clean) ** 2
        if observed is None:
            mean = error.mean(dim=(1, 2))
        else:
            weight = observed.to(error.dtype)
            mean = (error * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)
        if not self.training:
            return mean * loss_weight(sigma, self.config.sigma_data)
        mean = mean * loss_weight(sigma, self.config.sigma_data, self.config.weighting)
        if self.uncertainty is None:
            return mean
        level = self.uncertainty(sigma)
        if observed is not None:
            level = torch.where(observed.any(dim=2).any(dim=1), level, 0.0)
        normalised = mean * (-level).exp() + level
        # It may be negative, and says little by itself: the gradient is its own, the value that of the plain loss.
        return normalised + (mean - normalised).detach()

    def training_sigma(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise levels for ``count`` series, from the configured distribution."""
        if self.config.noise == "uniform":
            return uniform_sigma(count, self.config.noise_low, self.config.noise_high, generator)
        return training_sigma(count, self.config.noise_mean, self.config.noise_std, generator)

    @torch.no_grad()
    def sample(
        self,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        *,
        rows: Tensor | None = None,
        memory: Memory | None = None,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """Draw ``shape = (batch, channels, length)`` scaled series, all with the token ``rows (1,)`` and one prompt.

        Noise comes from ``generator`` on the CPU, so that the same seed starts from the same noise on every device.

        Args:
            shape: of what to draw.
            generator: of the noise.
            rows: index of the dataset token, ``(1,)``; ``None`` for no token.
            memory: of one group, from :meth:`encode`; ``None`` for no prompt.
            steps: of the solver; by default the configuration's.
            solver: its name; by default the configuration's.
            guidance: :math:`w` of :math:`D_0 + w (D - D_0)`, where the model :math:`D` is told of token and prompt and
                :math:`D_0` of neither (Ho and Salimans 2022, arXiv 2207.12598), within the configured range of noise
                levels (Kynkaanniemi et al. 2024, arXiv 2404.07724); by default the configuration's. Without a prompt
                there is none.
            on_step: called before every network call.

        Raises:
            InputError: for an unknown solver or fewer than one step.
        """
        config = self.config if steps is None else replace(self.config, steps=steps)
        solve = solver_by_name(solver or config.solver)
        sigmas = karras_schedule(config.steps, config.sigma_min, config.sigma_max, config.rho)
        weight = config.guidance if guidance is None else guidance
        guided = weight != 1 and memory is not None and bool(memory.present.any())
        device = self.device
        x = torch.randn(shape, generator=generator).to(device) * sigmas[0]

        def call(x: Tensor, sigma: float, rows: Tensor | None, memory: Memory | None) -> Tensor:
            if on_step is not None:
                on_step()
            # One noise level for the whole batch: the conditioning is computed once and broadcast.
            return self(x, torch.full((1,), sigma, device=device), rows, memory)

        def denoise(x: Tensor, sigma: float) -> Tensor:
            told = call(x, sigma, rows, memory)
            if not guided or not config.guidance_low <= sigma <= config.guidance_high:
                return told
            untold = call(x, sigma, None, None)
            return untold + weight * (told - untold)

        return solve(denoise, x, sigmas)
