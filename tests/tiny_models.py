"""Models small enough to train in a second, and series to train them on."""

from __future__ import annotations

import numpy as np
import torch

from tsprout.model import Denoiser, ModelConfig

TRANSFORMER = ModelConfig(width=16, depth=1, heads=2, canonical=8, rows=3, prompt_depth=2, steps=3)
UNET = ModelConfig(
    backbone="unet",
    width=8,
    multipliers=(1, 2),
    blocks=1,
    attention_sides=(4, 2),
    grid="exact",
    canonical=8,
    rows=3,
    prompt_depth=2,
    steps=3,
)
# The paper's kind: padded square grid, a token and no prompt.
PADDED = ModelConfig(
    backbone="unet",
    width=8,
    multipliers=(1, 2),
    blocks=1,
    attention_sides=(8,),
    grid="padded",
    delay=8,
    dimension=8,
    canonical=8,
    rows=3,
    prompt_depth=0,
    solver="heun",
    steps=3,
)
# Small tensors on many threads only wait for each other.
torch.set_num_threads(1)

CONFIGS = {"transformer": TRANSFORMER, "unet": UNET, "padded": PADDED}


def woken(config: ModelConfig, seed: int = 0) -> Denoiser:
    """A model whose layers that start at zero have been moved off it, so that everything in it has an effect."""
    model = Denoiser(config, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def waves(n: int, channels: int = 2, length: int = 16, seed: int = 0) -> np.ndarray:
    """``(n, channels, length)`` float32 sine waves of random phase, about zero mean and unit variance."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, (n, channels, 1))
    return (np.sqrt(2) * np.sin(2 * np.pi * np.arange(length) / 8 + phase)).astype(np.float32)


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all weights."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same_weights(model: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    """Whether every weight is bit-equal to a snapshot."""
    now = model.state_dict()
    return set(now) == set(before) and all(torch.equal(now[name], before[name]) for name in before)
