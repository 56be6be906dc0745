"""A user's scaled series as tensors, and how they are shown to a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from tsprout.data.gaps import complete
from tsprout.model import Denoiser
from tsprout.nn.conditioning import Memory

# Shots longer than this in all are shown in part, a different part each time.
PROMPT_STEPS = 2048
SHOWN_TO = 64  # so many of the series that are drawn are shown the same part


@dataclass(frozen=True)
class Shots:
    """Scaled series ``(n, channels, length)``, ``observed`` of the same shape, each one's own ``lengths (n,)``, and its
    label as text, ``labels (n,)``, where there are any.

    A gap holds what lies between its neighbours (:mod:`tsprout.data.gaps`), what is beyond a series' end 0.
    """

    values: Tensor
    observed: Tensor
    lengths: np.ndarray
    labels: np.ndarray | None = None

    @classmethod
    def from_latent(cls, latent: np.ndarray, lengths: np.ndarray, labels: np.ndarray | None = None) -> Shots:
        """From scaled values with NaN where not observed."""
        observed, within = np.isfinite(latent), _within(latent.shape, lengths)
        values = np.where(within, complete(latent, lengths), 0).astype(np.float32)
        own = None if labels is None else np.asarray(labels).astype(str)
        return cls(torch.from_numpy(values), torch.from_numpy(observed), np.asarray(lengths), own)

    @property
    def within(self) -> Tensor:
        """Which cells are within a series' own length, observed or not; of the shape of ``values``."""
        return torch.from_numpy(_within(tuple(self.values.shape), self.lengths)).to(self.values.device)

    def by_label(self) -> dict[str, np.ndarray]:
        """Which series have each label; those of no label are all of the label ``""``."""
        if self.labels is None:
            return {"": np.arange(len(self))}
        return {str(name): np.flatnonzero(self.labels == name) for name in np.unique(self.labels)}

    def alike(self, label: str) -> Shots:
        """The series of a label that a model is shown for it: all, where fewer than two have it."""
        members = self.by_label().get(label, np.empty(0, np.int64))
        return self[members] if 1 < len(members) < len(self) else self

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> Shots:
        where = torch.from_numpy(np.asarray(index, dtype=np.int64))
        own = None if self.labels is None else self.labels[index]
        return Shots(self.values[where], self.observed[where], self.lengths[index], own)

    def to(self, device: torch.device) -> Shots:
        """The same on a device."""
        return replace(self, values=self.values.to(device), observed=self.observed.to(device))

    def cut(self, length: int) -> Shots:
        """The first ``length`` steps."""
        own = np.minimum(self.lengths, length)
        return Shots(self.values[..., :length], self.observed[..., :length], own, self.labels)

    def part(self, rng: np.random.Generator | None = None, limit: int = PROMPT_STEPS) -> Shots:
        """As many of them as fit in a prompt: all, or a random choice (evenly spread ones without ``rng``)."""
        most = max(1, limit // self.values.shape[-1])
        if len(self) <= most:
            return self
        return self[np.arange(most) * len(self) // most if rng is None else rng.permutation(len(self))[:most]]

    def in_turn(self, n: int, rng: np.random.Generator, limit: int = PROMPT_STEPS) -> Iterator[tuple[int, Shots]]:
        """Which of them are shown to how many of ``n`` series that are drawn: all to all, where they fit in a prompt.

        Otherwise :data:`SHOWN_TO` series see the same ones, the next see others, until each of them had its turn: of a
        long recording, a few windows would be of one season.
        """
        most = max(1, limit // self.values.shape[-1])
        if len(self) <= most:
            yield n, self
            return
        order = rng.permutation(len(self))
        for k, start in enumerate(range(0, n, SHOWN_TO)):
            yield min(SHOWN_TO, n - start), self[order[(k * most + np.arange(most)) % len(self)]]


def is_shown(shots: int, trained: bool) -> bool:
    """Whether a model is shown so many shots when it draws: training on a single one was done without it."""
    return not (trained and shots == 1)


def _within(shape: tuple[int, ...], lengths: np.ndarray) -> np.ndarray:
    return np.array(np.broadcast_to(np.arange(shape[-1]) < np.asarray(lengths)[:, None, None], shape))


def encode_prompts(model: Denoiser, prompts: list[Shots], present: Tensor | None = None) -> Memory:
    """Encode several prompts of perhaps different numbers of shots at once.

    Gaps are shown as what they are filled with: pre-training has seen few, and a model that is shown scattered ones
    draws them, as noise (docs/experiments/gaps.md).
    """
    most = max(len(p) for p in prompts)
    values = torch.stack([nn.functional.pad(p.values, (0, 0, 0, 0, 0, most - len(p))) for p in prompts])
    shown = torch.stack([nn.functional.pad(p.within, (0, 0, 0, 0, 0, most - len(p))) for p in prompts])
    return model.encode(values, shown, present)


@torch.no_grad()
def memory_of(model: Denoiser, shots: Shots, *, present: bool = True) -> Memory | None:
    """The shots as a model is shown them when it draws, as many as fit in a prompt, or held back from it where they are
    not ``present``; ``None`` for a model without a prompt encoder."""
    if not model.has_prompt:
        return None
    return encode_prompts(model, [shots.part().to(model.device)], torch.tensor([present], device=model.device))
