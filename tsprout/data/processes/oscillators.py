r"""Oscillation in closed form: damped and driven oscillators, sums of sinusoids, and modulated carriers."""

from __future__ import annotations

import numpy as np

from tsprout.data.processes.common import below, between, log_between, noise_size


def oscillation(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    r"""Damped swing from a random state, perhaps with a drive: :math:`x'' + 2\delta x' + \omega^2 x = F \cos \Omega t`.

    The drive is common to all series; the swing is each series' own, so early steps differ more than late ones.
    """
    clock = np.arange(length)
    cycles = log_between(rng, 0.3, max(0.6, min(12, length / 5)))
    speed = 2 * np.pi * cycles / length * np.exp(0.3 * rng.standard_normal((1, factors, 1)))
    if rng.random() < 0.6:
        own = rng.standard_normal((n, 1, 1) if rng.random() < 0.5 else (n, factors, 1))
        speed = speed * np.exp(log_between(rng, 0.01, 0.5) * own)
    damping = 0.0 if rng.random() < 0.3 else log_between(rng, 0.3, 8) / length
    turn = speed * clock
    if rng.random() < 0.4:
        # One amplitude, a phase of each series' own, or nearly none.
        phase = 2 * np.pi * rng.random((n, factors, 1)) * between(rng, 0, 1)
        out = np.sin(turn + phase)
    else:
        state = rng.standard_normal((2, n, factors, 1))
        out = state[0] * np.sin(turn) + state[1] * np.cos(turn)
    if damping:
        out = out * np.exp(-damping * clock)
    if rng.random() < 0.3:
        drive = 2 * np.pi * log_between(rng, 0.5, max(1, length / 6)) / length
        out = out + between(rng, 0.2, 1.5) * np.cos(drive * clock + 6.28 * rng.random((1, factors, 1)))
    size = noise_size(rng, 0.6, 0.3)
    return out + size * rng.standard_normal((n, factors, length)) if size else out


def modulation(rng: np.random.Generator, n: int, factors: int, length: int) -> np.ndarray:
    """A carrier whose amplitude, frequency or both move: beats, chirps and wave packets."""
    u = np.linspace(0, 1, length)
    cycles = log_between(rng, 1, max(2, min(20, length / 4)))
    sweep = between(rng, -0.8, 2) if rng.random() < 0.5 else 0.0
    turns = cycles * (1 + 0.1 * rng.standard_normal((n, 1, 1))) * (u + sweep / 2 * u**2)
    if rng.random() < 0.4:
        turns = turns + between(rng, 0.1, 0.6) * np.sin(2 * np.pi * (between(rng, 0.3, 3) * u + rng.random((n, 1, 1))))
    phase = rng.random((n, factors, 1)) * (rng.random() < 0.7) + rng.random((1, factors, 1))
    out = np.sin(2 * np.pi * (turns + phase))
    kind = below(rng, 3)
    if kind == 0:
        out *= 1 + between(rng, 0.3, 1) * np.cos(2 * np.pi * (between(rng, 0.3, 3) * u + rng.random((n, factors, 1))))
    elif kind == 1:
        width = log_between(rng, 0.05, 0.4)
        middle = between(rng, 0.1, 0.9) + between(rng, 0, 0.3) * rng.standard_normal((n, factors, 1))
        out *= np.exp(-0.5 * ((u - middle) / width) ** 2)
    return out
