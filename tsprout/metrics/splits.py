"""Who is compared with whom: samples of one and the same size, drawn anew for every comparison.

Windows cut from one recording overlap, and neighbours are alike. Were the two halves of the real series drawn one by
one, nearly every series of one half would have its neighbour in the other, and the floor would lie too low. So the
halves are made of stretches of consecutive series, enough of them to make both a fair sample.

The two halves share no series. Where a recording drifts they are therefore a little less alike than two independent
samples would be: what one half has more of, the other has less of. That lifts the floor, never the synthetic series'
value, so it is a small advantage to the synthetic series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.metrics.copying import keys, unseen
from tsprout.metrics.reference import Reference, share_gaps

STRETCHES = 40
_LEFT = 20  # real series that must be left for the shots among them to be taken out


@dataclass(frozen=True)
class Split:
    """Positions of one comparison: in the real, the synthetic, the shots' and the noise series."""

    half: np.ndarray
    other: np.ndarray
    synthetic: np.ndarray
    shots: np.ndarray
    noise: np.ndarray


def spread(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``most`` of ``n`` positions, drawn at random, in order."""
    return np.arange(n) if n <= most else np.sort(rng.choice(n, most, replace=False))


def halves(n: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of ``size`` of ``n`` positions, each of stretches of consecutive ones, in order; none is in both."""
    stretches = [part for part in np.array_split(np.arange(n), min(STRETCHES, n)) if len(part)]
    order = np.concatenate([stretches[i] for i in rng.permutation(len(stretches))])
    first, second = order[: n // 2], order[n // 2 :]
    return np.sort(first[spread(len(first), size, rng)]), np.sort(second[spread(len(second), size, rng)])


def split(
    real: np.ndarray, synthetic: np.ndarray, shots: np.ndarray, noise: np.ndarray, size: int, rng: np.random.Generator
) -> Split:
    """One comparison of ``size`` a side; shots that are in the real half are not handed back against it."""
    half, other = halves(len(real), size, rng)
    known = set(keys(real[half]))
    fresh = np.flatnonzero([key not in known for key in keys(shots)])
    return Split(
        half=half,
        other=other,
        synthetic=spread(len(synthetic), size, rng),
        shots=rng.choice(fresh, size) if fresh.size else fresh,
        noise=spread(len(noise), size, rng),
    )


def without_shots(real: np.ndarray, shots: np.ndarray) -> tuple[np.ndarray, str]:
    """``real`` (n, C, L) without those that are shots, where enough others remain, and a sentence on it or none.

    Enough are two thirds of them, and twenty at least. A generator that repeats shots would else be rewarded for it.
    """
    fresh = unseen(real, shots)
    count, left = len(real) - int(fresh.sum()), int(fresh.sum())
    if not count or not left:
        return real, ""
    if left >= max(_LEFT, 2 * len(real) / 3):
        return real[fresh], f"{count} of the real series are among yours; the others alone were compared with."
    return real, f"{count} of the real series are among yours, and too few others to do without: this flatters copies."


def gaussian(shots: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` series of independent Gaussian cells with the mean and spread of every channel of ``shots``."""
    own = Reference.fit(shots)
    size = np.where(own.constant, 0.0, own.scale)
    return own.mean[:, None] + size[:, None] * rng.standard_normal((n, *shots.shape[1:]))


def gapped(sets: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The sets, each with the gaps of real as well as of synthetic series, so that gaps tell none from another."""
    real, synthetic = sets["real"], sets["synthetic"]
    lenders = {"real": (synthetic,), "synthetic": (real,), "shots": (synthetic,), "noise": (real, synthetic)}
    result = {}
    for number, (name, values) in enumerate(sets.items()):
        for lender in lenders[name]:
            values = share_gaps(values, lender, np.random.default_rng([seed, 13, number]))
        result[name] = values
    return result
