r"""The model: a backbone on the grid, preconditioned into a denoiser of series. This is what is trained and sampled.

Diffusion runs on the series themselves, ``(n_series, n_channels, length)``; the grid exists only inside the backbone.
Noise is drawn once per time step and then embedded, which for a grid without overlap is the same as noise on the image,
keeps padding free of noise, and makes overlap harmless. So the loss is a mean over real, observed cells for every kind
of grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tsprout.devices import seeded
from tsprout.diffusion.denoiser import (
    Uncertainty,
    loss_weight,
    precondition,
    training_sigma,
    uniform_sigma,
)
from tsprout.diffusion.samplers import Denoise, karras_schedule, solver_by_name
from tsprout.errors import InputError
from tsprout.model_config import CHOICES, CONFIGS, PAPER, SMALL, ModelConfig, check
from tsprout.nn.conditioning import Memory
from tsprout.nn.transformer import Transformer
from tsprout.nn.unet import UNet

__all__ = ["CHOICES", "CONFIGS", "PAPER", "SMALL", "Denoiser", "ModelConfig", "Noised", "build_backbone", "check"]


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
        with seeded(seed):
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
        counted: Tensor | None = None,
    ) -> Tensor:
        """Weighted squared error of each series, mean over its observed cells: ``(batch,)``.

        In training mode weighted as configured, in evaluation mode always as in EDM, so that models compare; with the
        learned weighting the gradient alone is weighted, and the value is EDM's. An unobserved cell counts as 0 under
        its noise, whatever ``clean`` holds there, and not at all in the loss; ``counted``, by default ``observed``: the
        cells that do count.
        """
        if observed is not None:
            clean = torch.where(observed, clean, 0)
        estimate = self(clean + sigma[:, None, None] * noise, sigma, rows, memory)
        return self._weighed(estimate, clean, observed if counted is None else counted, sigma)

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
        condition: Callable[[Denoise], Denoise] | None = None,
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
            condition: makes of the denoiser the one to solve with, :func:`tsprout.diffusion.conditioning.given` for
                one; by default it is left as it is.
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

        return solve(denoise if condition is None else condition(denoise), x, sigmas)
