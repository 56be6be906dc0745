"""The contract that every baseline keeps, and the part of it that all share.

A baseline is fitted to a :class:`~tsprout.series.SeriesSet` and draws another one in the same units, channels and
types: ``fit(series, seed=) -> self``, ``sample(n, seed=) -> SeriesSet``, ``save(folder)``, ``load(folder)``. The same
seed gives the same bits, before and after saving.

:class:`Baseline` is the contract. :class:`LatentBaseline` is for methods that want complete arrays of scaled values: it
scales (:class:`~tsprout.data.scaling.Scaler`, so that whole numbers, bounds, zeros and constants come back as the main
product gives them), fills gaps and evens out lengths (:mod:`tsprout.data.gaps`), fits one part for each label,
and dresses what is drawn (ids, times, lengths, labels). Such a method is one file with ``_fit``, ``_sample``,
``_state`` and ``_restore``. Its hyper-parameters are the fields of a dataclass; they are stored with it.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from tsprout.data.checks import check_usable
from tsprout.data.gaps import complete
from tsprout.data.memory import require_drawn
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError, TsproutError
from tsprout.identity import Pools, Wanted, dressed, pools, templates, total
from tsprout.likeness import Likeness
from tsprout.limits import check_seed
from tsprout.progress import Progress
from tsprout.series import SeriesSet, concatenate

_AT_ONCE = 512
_CELLS_AT_ONCE = 4_000_000


def derived_seed(*parts: int) -> int:
    """A seed below 2**63 that depends on all ``parts`` (which are not negative)."""
    return int(np.random.SeedSequence(list(parts)).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(eq=False)
class Baseline(abc.ABC):
    """The contract. Subclasses that are dataclasses have their fields as hyper-parameters.

    Attributes:
        name: what ``--model`` calls it; lower case, hyphens.
        summary: one line for ``tsprout models``.
        source: the paper or book it is written from.
        shots: the series it was fitted to, or ``None``.
        scaler: the scaling fitted on them, or ``None``.
        notes: what a user should know of the fit, one sentence each.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]

    shots: SeriesSet | None = field(init=False, default=None, repr=False)
    scaler: Scaler | None = field(init=False, default=None, repr=False)
    notes: tuple[str, ...] = field(init=False, default=(), repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """Hyper-parameters by name; the class called with them gives the same method, not fitted."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    def fresh(self) -> Self:
        """The same method with the same hyper-parameters, not fitted."""
        return type(self)(**self.settings)

    @classmethod
    def lacks(cls) -> str | None:
        """What it needs and may not have here, in words, for ``tsprout models``; ``None`` if nothing."""
        return None

    def check(self) -> None:  # noqa: B027  most methods need nothing
        """Refuse, before any work, what a fit would refuse whatever the series.

        Raises:
            InputError: a setting cannot be used here, or something that the method needs is not there.
        """

    @abc.abstractmethod
    def fit(self, series: SeriesSet, *, seed: int, progress: Progress | None = None) -> Self:
        """Fit to ``series``, forgetting an earlier fit; returns the object itself.

        Args:
            series: in units; missing values and unequal lengths as they are.
            seed: of everything random.
            progress: called with stage, done, total.

        Raises:
            InputError: the series cannot be used by this method.
        """

    @abc.abstractmethod
    def sample(self, n: int, *, seed: int) -> SeriesSet:
        """Draw ``n`` series, in units, channels and types of those it was fitted to.

        Raises:
            InputError: ``n`` is below 1, the seed cannot be, or the object is not fitted.
        """

    def sample_batches(self, n: Wanted, *, seed: int, progress: Progress | None = None) -> Iterator[SeriesSet]:
        """What :meth:`sample` draws, in pieces; a method that can keeps memory flat by it, and takes ``n`` by label.

        Raises:
            InputError: as :meth:`sample`, or so many were asked for of each label, and the method does not do that.
        """
        if isinstance(n, Mapping):
            what = f"the baseline {self.name} draws labels in their own shares"
            raise InputError(what, where="n", fix="Ask for a number of series.")
        yield self.sample(n, seed=seed)

    @abc.abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """All that was learnt, as arrays."""

    @abc.abstractmethod
    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`_arrays` gave; ``shots`` and ``scaler`` are there already."""

    def save(self, folder: str | Path, *, force: bool = False) -> None:
        """Write a folder that gives the same bits when loaded. **It contains the series it was fitted to.**

        Raises:
            InputError: not fitted, or the folder exists and ``force`` is not set.
        """
        from tsprout.baselines import store

        store.save(self, self._arrays, folder, force=force)

    @classmethod
    def load(cls, folder: str | Path, *, device: str | None = None) -> Self:
        """Read a folder of :meth:`save`; called on :class:`Baseline` itself it takes that of any method.

        Args:
            folder: to read.
            device: where one with a network draws; by default where it was fitted, or the CPU where that is not here.

        Raises:
            CheckpointError: there is none, it is damaged, of another version or of another method.
            InputError: this machine has no such device.
        """
        from tsprout.baselines import store

        return store.load(folder, cls, device)

    def check_sample(self, n: Wanted, seed: int) -> SeriesSet:
        """The shots, once ``n`` and ``seed`` can be."""
        if self.shots is None:
            raise InputError(f"the baseline {self.name} has not been fitted to any series yet", fix="Call fit first.")
        pools(self.shots, n)
        check_seed(seed)
        return self.shots


@dataclass(eq=False)
class LatentBaseline(Baseline):
    """A method on complete arrays of scaled values; see the module's text.

    A subclass has ``_fit``, ``_state`` and ``_restore``, and either ``_sample`` or, if it alters the shots themselves,
    ``_draw``. These see one label only: with labels there is one *part*, an object of the same class, for each.

    Attributes:
        per_label: fit one part for each label; else one for all, and labels are dealt out without regard to values.
        keeps_gaps: :meth:`_fit` is given NaN where nothing was observed, instead of what :mod:`tsprout.data.gaps`
            fills in.
    """

    per_label: ClassVar[bool] = True
    keeps_gaps: ClassVar[bool] = False

    _parts: list[LatentBaseline] = field(init=False, default_factory=list, repr=False)

    @abc.abstractmethod
    def _fit(self, latent: np.ndarray, lengths: np.ndarray, seed: int, progress: Progress | None) -> None:
        """Learn from ``latent`` ``(n, channels, length)`` float32, complete; beyond ``lengths`` (n,) it is mirrored.

        Each channel has about zero mean and unit variance over the cells of all shots; a constant one is 0. May set
        ``self.notes``.
        """

    def _sample(self, n: int, seed: int) -> np.ndarray:
        """``(n, channels, length)`` latents as long as those of :meth:`_fit`; what lies beyond a length is cut."""
        raise NotImplementedError

    def _draw(self, own: np.ndarray, lengths: np.ndarray, picked: np.ndarray, seed: int) -> np.ndarray:
        """Latents ``(len(picked), channels, length)`` for templates ``picked``, indices into ``own``.

        Args:
            own: the arrays that :meth:`_fit` saw, of this label.
            lengths: ``(n,)`` their own lengths; what is drawn for a template is cut to its.
            picked: ``(m,)`` a shot for each series to draw, whose length, label and times it takes.
            seed: of everything random.
        """
        return self._sample(len(picked), seed)

    def _state(self) -> dict[str, np.ndarray]:
        """What :meth:`_fit` learnt, as arrays; nothing for a method that only alters the shots."""
        return {}

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take back what :meth:`_state` gave, bit for bit; a KeyError or ValueError says that it is damaged."""
        return

    def fit(self, series: SeriesSet, *, seed: int, progress: Progress | None = None) -> Self:
        """See :meth:`Baseline.fit`."""
        if not isinstance(series, SeriesSet):
            fix = "Read it with tsprout.read, or make it with SeriesSet.from_array."
            raise InputError(f"a SeriesSet is needed, not {type(series).__name__}", where="series", fix=fix)
        check_seed(seed)
        check_usable(series)
        # By values: a method that shuffles, mirrors or interpolates in time would take a first value for a move.
        scaler = Scaler.fit(series, differences=False)
        own = scaler.latent(series) if self.keeps_gaps else _latent(series, scaler)
        parts: list[LatentBaseline] = []
        notes: list[str] = []
        for number, members in enumerate(self._groups(series)):
            part = self.fresh()
            part._fit(own[members], series.lengths[members], derived_seed(seed, number), progress)
            parts.append(part)
            notes += [note for note in part.notes if note not in notes]
        self.shots, self.scaler, self._parts, self.notes = series, scaler, parts, tuple(notes)
        return self

    def sample(self, n: Wanted, *, seed: int) -> SeriesSet:
        """See :meth:`Baseline.sample`."""
        shots = self.check_sample(n, seed)
        require_drawn(total(n), shots.n_channels, shots.length)
        return concatenate(list(self.sample_batches(n, seed=seed)))

    def sample_batches(self, n: Wanted, *, seed: int, progress: Progress | None = None) -> Iterator[SeriesSet]:
        """See :meth:`Baseline.sample_batches`."""
        shots = self.check_sample(n, seed)
        return self._batches(shots, pools(shots, n), seed, progress)

    def _batches(self, shots: SeriesSet, wanted: Pools, seed: int, progress: Progress | None) -> Iterator[SeriesSet]:
        scaler, n = self.scaler, sum(count for _, count in wanted)
        assert scaler is not None
        own, groups = _latent(shots, scaler), self._groups(shots)
        likeness = None if self._alters else Likeness.of(shots)
        size = max(1, min(_AT_ONCE, _CELLS_AT_ONCE // own[0].size))
        for start, some in zip(range(0, n, size), templates(wanted, seed, size), strict=True):
            lengths = shots.lengths[some]
            latent = np.empty((len(some), *own.shape[1:]), dtype=np.float32)
            for number, (part, members) in enumerate(zip(self._parts, groups, strict=True)):
                rows = np.flatnonzero(np.isin(some, members))
                if rows.size:
                    place = np.searchsorted(members, some[rows])
                    drawn_seed = derived_seed(seed, 2, start, number)
                    latent[rows] = part._draw(own[members], shots.lengths[members], place, drawn_seed)
            latent = latent[..., : int(lengths.max())]
            if not np.isfinite(latent).all():
                fix = "Fit again with another seed, or leave out what is extreme in the series."
                raise TsproutError(f"the baseline {self.name} drew values that are not finite", fix=fix)
            labels = None if shots.labels is None else shots.labels[some]
            values = scaler.inverse(latent, labels)
            dealt = some if likeness is None else likeness.deal(values, lengths, some)
            yield dressed(shots, values, lengths, dealt, start)
            if progress is not None:
                progress("sample", start + len(some), n)

    @property
    def _alters(self) -> bool:
        """Whether what is drawn for a template is that shot altered, to which its times belong."""
        return type(self)._draw is not LatentBaseline._draw

    def _groups(self, series: SeriesSet) -> list[np.ndarray]:
        """Sorted indices of the series of each part."""
        if series.labels is None or not self.per_label:
            return [np.arange(len(series))]
        label = np.unique(series.labels.astype(str), return_inverse=True)[1]
        return [np.flatnonzero(label == value) for value in range(int(label.max()) + 1)]

    def _arrays(self) -> dict[str, np.ndarray]:
        return {f"{k}.{name}": value for k, part in enumerate(self._parts) for name, value in part._state().items()}

    def _take(self, arrays: Mapping[str, np.ndarray]) -> None:
        assert self.shots is not None
        parts: list[LatentBaseline] = []
        for number in range(len(self._groups(self.shots))):
            part = self.fresh()
            begin = f"{number}."
            part._restore({k.removeprefix(begin): v for k, v in arrays.items() if k.startswith(begin)})
            parts.append(part)
        self._parts = parts


def _latent(series: SeriesSet, scaler: Scaler) -> np.ndarray:
    return complete(scaler.latent(series), series.lengths)
