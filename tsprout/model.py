r"""The model: a backbone on the grid, preconditioned into a denoiser of series. This is what is trained and sampled.

Diffusion runs on the series themselves, ``(n_series, n_channels, length)``; the grid exists only inside the backbone.
Noise is drawn once per time step and then embedded, which for a grid without overlap is the same as noise on the image,
keeps padding free of noise, and makes overlap harmless. So the loss is a mean over real, observed cells for every kind
of grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from tsprout.diffusion.denoiser import loss_weight, precondition, training_sigma
from tsprout.diffusion.samplers import karras_schedule, solver_by_name
from tsprout.errors import InputError
from tsprout.nn.conditioning import Memory
from tsprout.nn.transformer import Transformer
from tsprout.nn.unet import UNet

MIN_LENGTH, MAX_LENGTH, MAX_CHANNELS = 4, 1024, 256


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape and behaviour of a model; JSON-able, stored in every checkpoint.

    Sizes: ``width``, ``depth`` and ``heads`` of the transformer; ``width``, ``multipliers``, ``blocks`` and
    ``attention_sides`` of the UNet. Grid: ``grid`` ("exact" or "padded"), ``delay`` m, ``dimension`` n.
    ``canonical``: channels of the canonical kernels. ``rows``: dataset tokens, ``prompt_depth``: layers of the prompt
    encoder (0 leaves either out). Diffusion: ``sigma_data``, the range ``sigma_min`` to ``sigma_max`` and ``rho`` of
    the schedule, log-normal training noise ``noise_mean`` and ``noise_std``, default ``solver`` and ``steps``.
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


# The paper's model (arXiv 2505.20446, table of hyper-parameters): 6.75 M parameters, 71 network calls a sample.
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
SMALL = ModelConfig()
CONFIGS: dict[str, ModelConfig] = {"paper": PAPER, "small": SMALL}


def build_backbone(config: ModelConfig) -> nn.Module:
    """The network a configuration describes, with fresh weights from torch's global generator."""
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
        )
    raise InputError(f"there is no backbone called {config.backbone!r}", fix="Choose one of: transformer, unet.")


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

    @property
    def parameter_count(self) -> int:
        """Number of trainable and frozen parameters."""
        return sum(p.numel() for p in self.parameters())

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
        """EDM-weighted squared error of each series, mean over its observed cells: ``(batch,)``.

        An unobserved cell counts as 0 under its noise, whatever ``clean`` holds there, and not at all in the loss.
        """
        if observed is not None:
            clean = torch.where(observed, clean, 0)
        estimate = self(clean + sigma[:, None, None] * noise, sigma, rows, memory)
        error = (estimate - clean) ** 2
        if observed is None:
            mean = error.mean(dim=(1, 2))
        else:
            weight = observed.to(error.dtype)
            mean = (error * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1)
        return mean * loss_weight(sigma, self.config.sigma_data)

    def training_sigma(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Noise levels for ``count`` series, from the configured log-normal distribution."""
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
            on_step: called before every network call.

        Raises:
            InputError: for an unknown solver or fewer than one step.
        """
        config = self.config if steps is None else replace(self.config, steps=steps)
        solve = solver_by_name(solver or config.solver)
        sigmas = karras_schedule(config.steps, config.sigma_min, config.sigma_max, config.rho)
        device = self.device
        x = torch.randn(shape, generator=generator).to(device) * sigmas[0]

        def denoise(x: Tensor, sigma: float) -> Tensor:
            if on_step is not None:
                on_step()
            # One noise level for the whole batch: the conditioning is computed once and broadcast.
            return self(x, torch.full((1,), sigma, device=device), rows, memory)

        return solve(denoise, x, sigmas)
