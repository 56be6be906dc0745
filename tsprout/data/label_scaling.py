r"""Where labels lie far apart, a shift and scale of each label's own, on top of the scaling of the whole channel.

A channel's one scale is made of all that its series vary by. Where much of that is the distance between labels (sites,
machines, patients of very different size), what sets the series of one label apart is a ripple, which a diffusion model
draws in its last steps or not at all. So where labels take more than :data:`FAR_APART` of a channel's variance, and
more than chance would, each label :math:`l` is scaled by itself, :math:`z' = (z - shift_l) / scale_l`, as if it were a
set of its own.

``shift`` is the label's mean. ``scale`` comes from its standard deviation, whose logarithm is drawn towards that of all
labels together, by a factor of three at most, with the weight of one series: few say little of a spread, and one less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import fdtri

from tsprout.errors import InputError

FAR_APART = 0.2
"""Share of a channel's variance that lies between labels, less what chance puts there, from which each is scaled by
itself."""
_CERTAIN = 0.95  # that the means of labels differ by more than chance
_MOST = 3.0  # the factor by which a label's scale differs from its own deviation, at most
_NONE = 1e-14  # a deviation below it is rounding: latents have unit variance


@dataclass(frozen=True, eq=False)
class LabelScaling:
    """Of each of the ``labels``, as text and in order, ``shift`` and ``scale``, ``(labels, strands)`` float64, in units
    of latents.

    A strand is a channel, or a part of one that has a scale of its own. Strands left alone have 0 and 1; one that is
    constant in a label has a scale of 0 there.
    """

    labels: tuple[str, ...]
    shift: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, strands: Iterable[np.ndarray | None], labels: np.ndarray) -> LabelScaling | None:
        """From scaled series and their labels; ``None`` where nothing needs it.

        Args:
            strands: of each ``(n_series, length)`` float64, NaN where missing; ``None`` for one to leave alone.
            labels: ``(n_series,)``.
        """
        names, own = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        alone = np.zeros(len(names)), np.ones(len(names))
        found = [None if cells is None else _within(cells, own, len(names)) for cells in strands]
        if all(one is None for one in found):
            return None
        shift, scale = (np.stack(side, axis=1) for side in zip(*(one or alone for one in found), strict=True))
        return cls(tuple(map(str, names)), shift, scale)

    @property
    def strands(self) -> np.ndarray:
        """Which are scaled so: ``(strands,)`` bool."""
        return ((self.shift != 0) | (self.scale != 1)).any(0)

    def of(self, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of series with these ``labels``, ``(n, strands)`` each.

        Raises:
            InputError: no labels, or one that the shots have not.
        """
        if labels is None:
            raise InputError("each label is scaled by itself, and these series have none", where="labels")
        names, own = np.unique(np.asarray(labels).astype(str), return_inverse=True)
        at = np.minimum(np.searchsorted(self.labels, names), len(self.labels) - 1)
        if (unknown := names != np.array(self.labels)[at]).any():
            known = ", ".join([*self.labels[:10], "..."] if len(self.labels) > 10 else self.labels)
            fix = f"The labels are: {known}."
            raise InputError(f"no series of the shots has the label {str(names[unknown][0])!r}", fix=fix)
        return self.shift[at[own]], self.scale[at[own]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; inverse of :meth:`from_dict`."""
        return {"labels": list(self.labels), "shift": self.shift.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], n_strands: int) -> LabelScaling:
        """What :meth:`to_dict` wrote, for ``n_strands``.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        labels = tuple(map(str, data["labels"]))
        shift, scale = (np.array(data[key], dtype=np.float64) for key in ("shift", "scale"))
        sound = shift.shape == scale.shape == (len(labels), n_strands) and labels == tuple(sorted(set(labels)))
        if not sound or not (np.isfinite(shift) & np.isfinite(scale) & (scale >= 0)).all():
            raise ValueError("the scaling of labels has other names, shapes or values than it must")
        return cls(labels, shift, scale)


def lie_apart(cells: np.ndarray, labels: np.ndarray) -> bool:
    """Whether labels of one strand ``(n_series, length)`` are to be scaled each by itself, if that can be."""
    names, own = np.unique(np.asarray(labels).astype(str), return_inverse=True)
    return _within(cells, own, len(names)) is not None


def _within(cells: np.ndarray, own: np.ndarray, labels: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Shift and scale of each label, ``(labels,)``, from one strand ``(n_series, length)`` of series whose labels are
    ``own (n_series,)``; ``None`` where they do not lie far apart."""

    def of_label(each: np.ndarray) -> np.ndarray:
        return np.bincount(own, weights=each, minlength=labels)

    seen = np.isfinite(cells)
    lengths = seen.sum(1)
    counts, series = of_label(lengths), of_label(lengths > 0)
    mean = of_label(np.where(seen, cells, 0).sum(1)) / np.maximum(counts, 1)
    away = np.where(seen, cells - mean[own, None], 0)
    variance = of_label((away**2).sum(1)) / np.maximum(counts, 1)
    # The level of a series that is alone with its label is its own or the label's: it says nothing here.
    several = series > 1
    if several.sum() < 2:
        return None
    share = np.where(several, counts, 0) / counts[several].sum()
    within, whole = share @ variance, share @ mean
    between = share @ (mean - whole) ** 2
    # Means of labels differ by chance, too, as series of one label do (one-way analysis of variance, Fisher 1925).
    level = away.sum(1) / np.maximum(lengths, 1)
    others, freedom = several.sum() - 1, (series[several] - 1).sum()
    chance = (several[own] * level**2).sum() / freedom * others / series[several].sum()
    if between - chance <= FAR_APART * (between + within) or between <= chance * fdtri(others, freedom, _CERTAIN):
        return None
    spread, all_of_them = np.sqrt(variance), np.sqrt(within)
    varied, weight = spread > _NONE, 1 / np.maximum(series, 1)
    usual = all_of_them if all_of_them > _NONE else 1.0
    towards = np.clip(usual / np.where(varied, spread, usual), 1 / _MOST, _MOST) ** weight
    scale = np.where(varied, spread * towards, np.where(series > 0, 0, usual))
    return np.where(counts > 0, mean, whole), scale
