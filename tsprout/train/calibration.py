"""Level, spread and spectrum of every channel put right, for a model that is shown the shots, trained on them or not.

A model draws the channels of a set it hardly knows somewhat too high or low, too wide or narrow, too rough or smooth. A
few samples show by how much. First the power of each band of frequencies, band by band on the discrete cosine
transform, is brought to that of the shots by one gain; then mean and standard deviation, by one shift and one factor.
All of them are one number for all samples of a channel: shapes, dependence and the ranking of series stay as the model
draws them. A trained model has learnt level and spread from the same few shots, so it is corrected by as much as these
show beyond chance: the shift and the logarithms of factor and gains are shrunk by their sampling variance over their
square (the non-negative garrote, Breiman 1995). What all this brings is in ``docs/experiments/fine-tuning.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from scipy.fft import dct, idct

from tsprout.model import Denoiser
from tsprout.train.drawing import USUAL, Drawing, draw_shown
from tsprout.train.shots import Shots

# The correction is no better than the samples it is found from: as many as these time steps, within limits.
_STEPS_DRAWN, _FEWEST, _SAMPLES, _MOST_STEPS = 24_576, 128, 512, 10
_OF_EACH = 32  # samples of a label, at least, where many labels share that number
# A larger correction would say that the model has not understood the channel at all; it is then only met half-way.
_MOST = 4.0
# Upper ends of the bands, as shares of the highest frequency: about three a decade, the lowest being the level itself.
BANDS = (0.0, 0.06, 0.12, 0.25, 0.5, 1.0)
# So many values of the spectrum count as evidence that an untrained model is right already.
_DOUBT = 4.0


@dataclass(frozen=True)
class Calibration:
    """``factor`` and ``shift``, one of each per channel, of scaled series, after ``gains``, one per channel and band of
    ``bands`` (none: 1); ``labels``: of series of a label, where that has its own."""

    factor: tuple[float, ...]
    shift: tuple[float, ...]
    gains: tuple[tuple[float, ...], ...] = ()
    bands: tuple[float, ...] = BANDS
    labels: Mapping[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wide = {len(row) for row in self.gains} - {len(self.bands)}
        if len(self.factor) != len(self.shift) or len(self.gains) not in (0, len(self.factor)) or wide:
            raise ValueError("the correction of level and spectrum is damaged")

    def of(self, label: str) -> Calibration:
        """The correction of a label."""
        return self.labels.get(label, self)

    def apply(self, latent: np.ndarray) -> np.ndarray:
        """Correct ``(n, channels, length)``; same shape, float32."""
        factor, shift = (np.array(v, dtype=np.float32)[:, None] for v in (self.factor, self.shift))
        filtered = filter_bands(latent, np.array(self.gains), self.bands) if self.gains else latent
        corrected: np.ndarray = filtered * factor + shift
        return corrected.astype(np.float32, copy=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; inverse of :meth:`from_dict`."""
        plain: dict[str, Any] = {"factor": list(self.factor), "shift": list(self.shift)}
        plain |= {"gains": [list(g) for g in self.gains], "bands": list(self.bands)}
        return plain | ({"labels": {k: v.to_dict() for k, v in self.labels.items()}} if self.labels else {})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Build from :meth:`to_dict`'s output.

        Raises:
            ValueError: the correction of a label has a key that is not known.
        """
        of_a_label = {f.name for f in fields(cls)} - {"labels"}
        if any(set(own) - of_a_label for own in values.get("labels", {}).values()):
            raise ValueError("the correction of a label says more than is known here")
        gains = tuple(tuple(map(float, g)) for g in values.get("gains", ()))
        bands = tuple(map(float, values.get("bands", BANDS)))
        labels = {str(label): cls.from_dict(own) for label, own in values.get("labels", {}).items()}
        return cls(tuple(map(float, values["factor"])), tuple(map(float, values["shift"])), gains, bands, labels)


def band_of(length: int, bands: tuple[float, ...] = BANDS) -> np.ndarray:
    """The band that each of the ``length`` cosines belongs to."""
    return np.searchsorted(bands, np.arange(length) / max(1, length - 1))


def filter_bands(series: np.ndarray, gains: np.ndarray, bands: tuple[float, ...] = BANDS) -> np.ndarray:
    """Multiply each band of ``(n, channels, length)`` by its gain ``(channels, bands)``; float32."""
    spectrum = dct(series, axis=-1, norm="ortho") * gains[:, band_of(series.shape[-1], bands)]
    filtered: np.ndarray = idct(spectrum, axis=-1, norm="ortho").astype(np.float32)
    return filtered


def band_power(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of squares ``(n, channels, bands)`` and number ``(bands,)`` of the cosines of ``(n, channels, length)``."""
    members = band_of(series.shape[-1])[:, None] == np.arange(len(BANDS))
    return dct(series.astype(np.float64), axis=-1, norm="ortho") ** 2 @ members, members.sum(0)


@dataclass(frozen=True)
class Moments:
    """Of each channel, ``(channels,)``: ``mean``, standard deviation ``spread``, and the sampling variances of the mean
    and of the spread's logarithm, infinite from fewer than two series."""

    mean: np.ndarray
    spread: np.ndarray
    mean_variance: np.ndarray
    log_spread_variance: np.ndarray


def moments(values: np.ndarray, observed: np.ndarray) -> Moments:
    """Of the observed cells of ``(n, channels, length)``; a series counts by how many it has.

    Few series lie closer to their own mean than to that of the set, so the mean's variance is added to the spread's
    square. How far both may be off follows from how series differ, and for the spread is at least what as many
    levels from a normal distribution would give: two or three that happen to be alike are no evidence.
    """
    cells = observed.sum(2)
    share = cells / np.maximum(cells.sum(0), 1)
    mean = np.where(observed, values, 0).sum((0, 2), dtype=np.float64) / np.maximum(cells.sum(0), 1)
    away = np.where(observed, values - mean[:, None], 0)
    level = away.sum(2) / np.maximum(cells, 1)
    square = (away**2).sum(2) / np.maximum(cells, 1)
    # 1 / number of series where all are as long; longer ones count for more, and the number is as good as smaller.
    part = (share**2).sum(0)
    others = np.maximum(1 - part, 1e-9)
    between = (share * level**2).sum(0) / others
    of_mean = part * between
    variance = (share * square).sum(0) + of_mean
    safe = np.where(variance > 0, variance, 1)
    of_spread = part / others * (share * (square / safe - 1) ** 2).sum(0) / 4
    of_spread = np.maximum(of_spread, (between / safe) ** 2 * part / (2 * others))
    several = (cells > 0).sum(0) > 1
    return Moments(mean, np.sqrt(variance), *(np.where(several, known, np.inf) for known in (of_mean, of_spread)))


def _beyond_chance(found: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """``found`` shrunk to 0 by its share of chance, ``1 - variance / found ** 2``, and 0 where that is negative."""
    square = found**2
    kept: np.ndarray = np.where(square > variance, 1 - variance / np.maximum(square, 1e-30), 0)
    return np.where(kept > 0, kept * found, 0)


@torch.no_grad()
def calibrate(
    model: Denoiser,
    shots: Shots,
    *,
    seed: int,
    row: int | None = None,
    trained: bool = False,
    how: Drawing = USUAL,
) -> Calibration:
    """The correction that gives samples of ``model``, shown ``shots``, the level, spread and spectrum of the shots; of
    those of each label, where two or more have it.

    Args:
        model: that is to be corrected, and shown the shots when it draws: not one trained on a single series.
        shots: scaled.
        seed: of the samples it is found from.
        row: in the model's token table; none by default.
        trained: whether it has been trained on them.
        how: it draws, where otherwise than usual; steps are at most ten.
    """
    how = replace(how, steps=min(_MOST_STEPS, how.steps or model.config.steps))

    def found(some: Shots, share: int) -> Calibration:
        length = int(np.median(some.lengths))
        count = min(_SAMPLES, max(_FEWEST, _STEPS_DRAWN // length))
        count = max(min(_OF_EACH, count), count // share)
        generator = torch.Generator().manual_seed(seed)
        drawn = draw_shown(model, some, count, length, generator, seed=seed, row=row, how=how)
        return correction(drawn, some, trained=trained)

    by_label = shots.by_label()
    several = {label: shots[own] for label, own in by_label.items() if 1 < len(own) < len(shots)}
    labels = {label: found(some, len(several)) for label, some in several.items()}
    if len(several) == len(by_label):
        nothing = (1.0,) * shots.values.shape[1], (0.0,) * shots.values.shape[1]
        return Calibration(*nothing, labels=labels)
    return replace(found(shots, 1), labels=labels)


def correction(drawn: np.ndarray, shots: Shots, *, trained: bool = False) -> Calibration:
    """What gives ``drawn (n, channels, length)`` the level, spread and spectrum of the shots, channel by channel; of a
    ``trained`` model as far as they differ by more than chance."""
    gains = band_gains(drawn, shots, trained=trained)
    if gains is not None:
        drawn = filter_bands(drawn, gains)
    wanted, own = moments(shots.values.numpy(), shots.observed.numpy()), moments(drawn, np.isfinite(drawn))
    mean, usable = wanted.mean, np.logical_and(*(m.spread > 1e-9 * np.abs(m.mean) for m in (wanted, own)))
    stretch = np.log(np.where(usable, wanted.spread, 1) / np.where(usable, own.spread, 1))
    if trained:
        mean = own.mean + _beyond_chance(mean - own.mean, wanted.mean_variance + own.mean_variance)
        stretch = _beyond_chance(stretch, wanted.log_spread_variance + own.log_spread_variance)
    factor = np.clip(np.exp(stretch), 1 / _MOST, _MOST)
    shift = np.where(usable, mean - factor * own.mean, 0)
    bands = () if gains is None else tuple(map(tuple, gains.tolist()))
    return Calibration(tuple(factor.tolist()), tuple(shift.tolist()), bands)


def band_gains(drawn: np.ndarray, shots: Shots, *, trained: bool = False) -> np.ndarray | None:
    """Gains ``(channels, bands)`` that bring the power of ``drawn (n, channels, length)`` to that of the shots.

    Each channel from the shots of that length or longer in which it has no missing value; ``None`` where no channel has
    any. Of a ``trained`` model as far as the power differs by more than chance. Of another, a band of which the shots
    have few values is corrected in part. One of which they have none is left alone.
    """
    length = drawn.shape[-1]
    whole = shots.observed[..., :length].all(dim=2).numpy() & (shots.lengths >= length)[:, None]
    if not whole.any() or length < 4:
        return None
    wanted, members = band_power(shots.values.numpy()[..., :length])
    found, _ = band_power(drawn)
    own, of_own = _mean_power(wanted, whole)
    power, of_power = _mean_power(found, np.ones(found.shape[:2], dtype=bool))
    known = (members > 0) & (own > 0) & (power > 0)
    gain = np.log(np.where(known, own, 1) / np.where(known, power, 1)) / 2
    if trained:
        gain = _beyond_chance(gain, (of_own + of_power) / 4)
        gains: np.ndarray = np.exp(gain.clip(-math.log(_MOST), math.log(_MOST)))
    else:
        count = members * whole.sum(0)[:, None]
        gains = np.exp(gain.clip(-math.log(_MOST), math.log(_MOST)) * count / (count + _DOUBT))
    gains[:, 0] = 1.0  # levels are a matter of the shift, and a handful of shots says little of their spread
    return gains


def _mean_power(power: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of ``power (n, channels, bands)`` over the ``counted (n, channels)``, and its sampling variance in units of
    its square; ``(channels, bands)`` each. The latter is infinite from fewer than two."""
    weight, count = counted[..., None], counted.sum(0)[:, None]
    mean = (weight * power).sum(0) / np.maximum(count, 1)
    square = (weight * (power - mean) ** 2).sum(0) / np.maximum(count - 1, 1) / np.maximum(count, 1)
    return mean, np.where(count > 1, square / np.where(mean > 0, mean, 1) ** 2, np.inf)
