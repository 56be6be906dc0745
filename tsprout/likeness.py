r"""Which time stamps and static columns go to which synthetic series: those of a shot that it is like.

A model draws values and knows no calendar, while a shot's stamps and columns belong with its values: the daily peak
lies where the clock says, winter is cold, large sites are large. So templates that were dealt out
(:mod:`tsprout.identity`) change hands within a label and length until the cost

.. math:: c_{ij} = \frac{p_{ij}}{\operatorname{med} p} + \frac{1}{4} \frac{d_{ij}}{\operatorname{med} d}

is least in all, each template being kept as often as before: the assignment problem, solved exactly for up to
:data:`AT_ONCE` series at a time (Crouse 2016, IEEE TAES 52(4); ``scipy.optimize.linear_sum_assignment``).
:math:`d_{ij}` is the mean squared distance of series :math:`i` to shot :math:`j`, in scaled values, over steps that
both have. :math:`p_{ij}` is the squared distance of its shape (less its mean) to the one that the stamps of shot
:math:`j` let expect by a harmonic regression on day, week and year, fitted to the shapes of the shots (ridge: Hoerl and
Kennard 1970), and is left out where stamps are no dates. Values stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from tsprout.data.scaling import Scaler
from tsprout.identity import label_groups, new_times
from tsprout.series import SeriesSet

AT_ONCE = 512
"""Series whose templates change hands among each other, at most; of a batch that is smaller, its own."""
_DAY = 86_400_000_000_000
CYCLES = (_DAY, 7 * _DAY, 31_556_952_000_000_000)
"""Day, week and (Gregorian) year, in nanoseconds."""
HARMONICS = 4
"""Of each cycle, as far as two steps fit into them."""
_RIDGE = 0.01  # of the number of cells: a cosine has a variance of a half
_FITTED = 256  # shots of a label that the regression is fitted to, at most
_WHOLE = 0.25  # weight of the distance to the shot itself beside that to what its stamps let expect


@dataclass(frozen=True, eq=False)
class Likeness:
    """What the shots are compared by.

    Attributes:
        shots: in units.
        scaler: by values, since a first value beside moves is no shape.
        latent: ``(n, channels, length)`` the shots scaled; NaN where not observed.
        cycles: periods in nanoseconds that their stamps can tell, with the number of their harmonics.
    """

    shots: SeriesSet
    scaler: Scaler
    latent: np.ndarray
    cycles: tuple[tuple[int, int], ...]
    _known: dict[bytes, np.ndarray | None] = field(default_factory=dict)

    @classmethod
    def of(cls, shots: SeriesSet) -> Likeness | None:
        """For these shots; ``None`` where it does not matter which template a series has: all have the same."""
        stamped = shots.times is not None and bool((shots.times[:, 0] != shots.times[0, 0]).any())
        if not stamped and not any((column != column[0]).any() for column in shots.static.values()):
            return None
        scaler = Scaler.fit(shots, differences=False)
        return cls(shots, scaler, scaler.latent(shots), _cycles(shots) if stamped else ())

    def deal(self, values: np.ndarray, lengths: np.ndarray, picked: np.ndarray) -> np.ndarray:
        """Templates ``(m,)``: those of ``picked``, each as often, dealt out by likeness within a label and length.

        Args:
            values: ``(m, channels, length)`` in units; what lies beyond ``lengths`` is not looked at.
            lengths: ``(m,)``.
            picked: ``(m,)`` indices of shots, dealt out in turn.
        """
        labels = None if self.shots.labels is None else self.shots.labels[picked]
        drawn = self.scaler.transform(values, labels)
        dealt = picked.copy()
        for members, alike, length in label_groups(self.shots, picked, lengths):
            if alike.tobytes() not in self._known:
                self._known[alike.tobytes()] = self._regression(alike)
            weights = self._known[alike.tobytes()]
            for start in range(0, len(members), AT_ONCE):
                some = members[start : start + AT_ONCE]
                own, place = np.unique(picked[some], return_inverse=True)
                if len(own) > 1:
                    cost = self._cost(drawn[some, :, :length], own, weights)
                    dealt[some] = own[place[linear_sum_assignment(cost[:, place])[1]]]
        return dealt

    def _cost(self, drawn: np.ndarray, own: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """``(m, k)`` float64, of series ``(m, channels, length)`` and templates ``own`` (k,)."""
        length = drawn.shape[-1]
        waves = None
        if weights is not None:
            stamps = new_times(self.shots, own, length)
            assert stamps is not None
            waves = _centred(_waves(stamps, self.cycles))
        whole, cells, shape = np.zeros((len(drawn), len(own))), np.zeros(len(own)), np.zeros((len(drawn), len(own)))
        for j in range(drawn.shape[1]):  # one channel at a time, in little memory
            x, y = drawn[:, j].astype(np.float64), self.latent[own, j, :length].astype(np.float64)
            whole += _squares(x[:, : y.shape[1]], y)
            cells += np.isfinite(y).sum(axis=1)
            if waves is not None and weights is not None:
                shape += _squares(x - x.mean(axis=1, keepdims=True), waves @ weights[j])
        whole /= np.maximum(cells, 1)
        if (cells > 0).any():  # a shot without a cell at these steps is as like as any
            whole = np.where(cells > 0, whole, whole[:, cells > 0].mean())
        return _over_median(shape) + _WHOLE * _over_median(whole)

    def _regression(self, alike: np.ndarray) -> np.ndarray | None:
        """Weights ``(channels, waves)`` of the shapes of shots ``alike`` on the waves of their stamps."""
        if not self.cycles:
            return None
        assert self.shots.times is not None
        alike = alike[np.linspace(0, len(alike) - 1, min(len(alike), _FITTED)).astype(int)]
        within = self.shots.within[alike]
        waves = _waves(self.shots.times[alike], self.cycles)
        out = np.zeros((self.latent.shape[1], waves.shape[-1]))
        for j in range(len(out)):
            cells = self.latent[alike, j].astype(np.float64)
            seen = within & np.isfinite(cells)
            if seen.any():
                x, y = _centred(waves, seen)[seen], _centred(cells[..., None], seen)[seen]
                out[j] = np.linalg.solve(x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1]), x.T @ y)[:, 0]
        return out


def _cycles(shots: SeriesSet) -> tuple[tuple[int, int], ...]:
    assert shots.times is not None
    if shots.times.dtype.kind != "M" or shots.length < 2:
        return ()
    within = shots.within[:, 1:]
    steps = np.diff(shots.times.astype("datetime64[ns]").astype(np.int64), axis=1)[within]
    step = float(np.median(steps)) if steps.size else 0.0
    if step <= 0:
        return ()
    found = ((cycle, min(HARMONICS, int(cycle / (2 * step)))) for cycle in CYCLES)
    return tuple((cycle, harmonics) for cycle, harmonics in found if harmonics > 0)


def _waves(stamps: np.ndarray, cycles: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Cosines and sines ``(k, length, waves)`` of date-times ``(k, length)``."""
    at = stamps.astype("datetime64[ns]").astype(np.int64)
    parts = []
    for cycle, harmonics in cycles:
        phase = 2 * np.pi * ((at % cycle) / cycle)[..., None] * np.arange(1, harmonics + 1)
        parts += [np.cos(phase), np.sin(phase)]
    return np.concatenate(parts, axis=-1)


def _centred(x: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    """``(k, length, f)`` less its mean over the (seen) steps of each of the ``k``."""
    if seen is None:
        return x - x.mean(axis=1, keepdims=True)
    cells = np.where(seen[..., None], x, 0.0)
    return x - cells.sum(axis=1, keepdims=True) / np.maximum(1, seen.sum(axis=1))[:, None, None]


def _squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances ``(m, k)`` of rows ``(m, length)`` to ``(k, length)``, over cells of the latter without NaN."""
    seen = np.isfinite(y)
    y = np.where(seen, y, 0.0)
    return np.maximum(0.0, x**2 @ seen.T.astype(np.float64) - 2 * x @ y.T + (y**2).sum(axis=1))


def _over_median(x: np.ndarray) -> np.ndarray:
    middle = float(np.median(x))
    return x / middle if middle > 0 else x
