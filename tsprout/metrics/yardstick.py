"""One real set with which many synthetic ones are compared: floor, copies and noise are measured once.

:func:`~tsprout.metrics.evaluate.evaluate` judges one output, with intervals and verdicts. Where a hundred models are
compared on the same task, what does not depend on the model is worth keeping: the rows of the real series, the encoder
trained on them, and what another real sample (``floor``), the shots handed back (``copies``) and Gaussian noise
(``noise``) score. As there, every number comes from as many series on either side, of disjoint halves of the real ones.

Two suites. ``fast``: the quick metrics and copying, a second. ``paper``: Context-FID and the discriminative scores of
:mod:`tsprout.metrics.paper` on values in standard deviations of the real channels, on the first half only, with the
copying scores; about ten seconds for the encoder, once, and two to four for each classifier.

Arrays are ``(n_series, n_channels, length)`` in any unit, NaN where not observed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tsprout.errors import InputError
from tsprout.limits import check_seed
from tsprout.metrics.copying import COPYING, NEAR_COPIES, copying
from tsprout.metrics.reference import Reference, align, fill, share_gaps
from tsprout.metrics.registry import QUICK
from tsprout.metrics.splits import Split, gaussian, split, spread, without_shots
from tsprout.staging import write_file

if TYPE_CHECKING:
    from tsprout.metrics.paper.ts2vec import TS2Vec

SUITES = ("fast", "paper")
BESIDE = ("floor", "copies", "noise")
PAPER = ("cfid", "disc")
VERSION = 2  # of what is kept on disk
_LIMIT = 1e4  # standard deviations; beyond it a value is as wrong as it can be


class Yardstick:
    """Scores of synthetic series against ``real``, beside what takes no skill.

    Args:
        real: ``(n, C, L)`` unseen real series in the order of recording, four at least.
        shots: ``(k, C, L)`` what the generators are shown.
        size: series on each side of a comparison; at most half of the real ones.
        splits: comparisons the fast scores are the mean of.
        which: scores of the paper suite, see :func:`tsprout.metrics.paper.paper_scores`.
        repeats: classifiers of each discriminative score, and encoders of Context-FID if ``encoders`` is not given.
        encoders: of Context-FID.
        iterations: steps of training of the paper suite's networks, if other than their own.
        seed: of every random draw.
        cache: a folder that keeps floor, copies and noise by a hash of all they depend on.

    Raises:
        InputError: the arrays cannot be scored or do not fit each other, or a number is too small.
    """

    def __init__(
        self,
        real: ArrayLike,
        shots: ArrayLike,
        *,
        size: int = 500,
        splits: int = 3,
        which: Sequence[str] = PAPER,
        repeats: int = 3,
        encoders: int = 1,
        iterations: int | None = None,
        seed: int = 0,
        cache: str | Path | None = None,
    ) -> None:
        check_seed(seed)
        if min(splits, repeats, encoders) < 1 or size < 2:
            raise InputError("a yardstick needs two series, and one split, repeat and encoder at least")
        self._given, shown = align(real, shots, ("real", "shot"))
        # Nothing can be said of a channel that no real series has, whatever the shots have.
        self._known = np.isfinite(self._given).any(axis=(0, 2))
        self.shots = shown[:, self._known]
        self.real, _ = without_shots(self._given[:, self._known], self.shots)
        self.size = min(len(self.real) // 2, size)
        if self.size < 2:
            raise InputError(f"{len(self.real)} real series are too few to compare with", fix="Give four or more.")
        self.which, self.repeats, self.encoders = tuple(which), repeats, encoders
        self.iterations, self.seed = iterations, seed
        self.cache = None if cache is None else Path(cache)
        rng = np.random.default_rng([seed, 23])
        self._noise = gaussian(self.shots, self.size, rng)
        placeholder = np.zeros((self.size, 1, 1))
        self._splits = [split(self.real, placeholder, self.shots, self._noise, self.size, rng) for _ in range(splits)]
        self._kept: dict[str, dict[str, dict[str, float]]] = {}

    def score(self, synthetic: ArrayLike, suite: str = "fast") -> dict[str, float]:
        """Scores of ``synthetic (m, C, L)``, ``m`` at least :attr:`size`, by metric; NaN where one does not apply.

        Raises:
            InputError: an unknown suite, too few series, or an array that does not fit.
        """
        _check_suite(suite)
        made = align(self._given, synthetic)[1][:, self._known]
        if len(made) < self.size or made.shape[-1] != self.real.shape[-1]:
            lack = "are too few" if len(made) < self.size else "are of another length than the real ones"
            raise InputError(
                f"{len(made)} synthetic series of {made.shape[-1]} steps {lack}",
                fix=f"Give at least {self.size} of {self.real.shape[-1]}.",
            )
        rng = np.random.default_rng([self.seed, 29])
        chosen = [spread(len(made), self.size, rng) for _ in self._splits]
        shown = self._gapped(made)
        found = self._fast(made, chosen, shown) if suite == "fast" else self._paper(shown[chosen[0]])
        near = copying(made, self.shots, self.real, seed=self.seed, reference=self._reference)
        return found | {COPYING.name: near.ratio, NEAR_COPIES.name: near.near_copies}

    def beside(self, suite: str = "fast") -> dict[str, dict[str, float]]:
        """Scores of another real sample, of copies of the shots, and of noise: ``{"floor": {metric: score}, ...}``.

        Raises:
            InputError: an unknown suite.
            TsproutError: the cache cannot be written.
        """
        _check_suite(suite)
        if suite not in self._kept:
            path = None if self.cache is None else self.cache / f"{self._key(suite)}.json"
            known = None if path is None else _read(path)
            self._kept[suite] = known or {kind: self._baseline(kind, suite) for kind in BESIDE}
            if path is not None and known is None:
                write_file(path, json.dumps(self._kept[suite]))
        return self._kept[suite]

    def _baseline(self, kind: str, suite: str) -> dict[str, float]:
        pool = {"floor": self.real, "copies": self.shots, "noise": self._noise}[kind]
        chosen = [_positions(part, kind) for part in self._splits]
        # Real series have gaps by themselves, and the noise those of the real ones.
        shown = self._gapped(pool) if kind == "noise" else pool
        found = self._fast(pool, chosen, shown) if suite == "fast" else self._paper(shown[chosen[0]])
        if kind == "noise":
            near = copying(pool, self.shots, self.real, seed=self.seed, reference=self._reference)
            return found | {COPYING.name: near.ratio, NEAR_COPIES.name: near.near_copies}
        # By definition: copies lie on the shots, and unseen real series are what the ratio is in units of.
        return found | ({COPYING.name: 0.0, NEAR_COPIES.name: 1.0} if kind == "copies" else {COPYING.name: 1.0})

    def _gapped(self, values: np.ndarray) -> np.ndarray:
        """``values`` with the gaps of real series."""
        return share_gaps(values, self.real, np.random.default_rng([self.seed, 31]))

    @cached_property
    def _reference(self) -> Reference:
        return Reference.fit(self.real, seed=self.seed)

    @cached_property
    def _real_rows(self) -> dict[Any, np.ndarray]:
        return {m.prepare: m.prepare(self.real, self._reference) for m in QUICK}

    def _fast(self, values: np.ndarray, chosen: list[np.ndarray], shown: np.ndarray) -> dict[str, float]:
        """Mean over the splits of the quick scores of ``values`` at the positions ``chosen``, one array a split; scores
        that fill gaps see ``shown``, the same with the gaps of real series."""
        if values is self.real:
            rows = plain = self._real_rows
        else:
            rows = {m.prepare: m.prepare(shown, self._reference) for m in QUICK if m.fills}
            plain = {m.prepare: m.prepare(values, self._reference) for m in QUICK if not m.fills}
        found = {}
        for metric in QUICK:
            of_real, own = self._real_rows[metric.prepare], (rows if metric.fills else plain)[metric.prepare]
            scores = [
                metric.compare(of_real[part.half], own[where], self.seed + turn)
                for turn, (part, where) in enumerate(zip(self._splits, chosen, strict=True))
            ]
            found[metric.name] = metric.clip(float(np.mean(scores)))
        return found

    @cached_property
    def _half(self) -> np.ndarray:
        return self._standardised(self.real[self._splits[0].half])

    @cached_property
    def _encoder(self) -> tuple[TS2Vec, np.ndarray]:
        from tsprout.metrics.paper import context_fid

        # Filled: the encoder passes over every step that lacks one channel, and so may see next to nothing.
        half = fill(self._half)
        encoder = context_fid.fit(half, encoders=self.encoders, seed=self.seed, iterations=self.iterations)
        return encoder, encoder.embed(half)

    def _standardised(self, values: np.ndarray) -> np.ndarray:
        return np.clip(self._reference.standardise(values), -_LIMIT, _LIMIT)

    def _paper(self, values: np.ndarray) -> dict[str, float]:
        """Of the paper suite, for the first split; ``values`` have the gaps of real series."""
        from tsprout.metrics.paper import context_fid, paper_scores

        made, found = self._standardised(values), {}
        for name in self.which:
            if name == "cfid":
                encoder, known = self._encoder
                found[name] = float(context_fid.frechet(known, encoder.embed(fill(made))).mean())
            else:
                scores = paper_scores(
                    self._half,
                    made,
                    which=(name,),
                    repeats=self.repeats,
                    capable=self.repeats,
                    iterations=self.iterations,
                    seed=self.seed,
                )
                found[name] = scores[name].mean
        return found

    def _key(self, suite: str) -> str:
        """A hash of everything that the scores beside depend on."""
        settings = [VERSION, suite, self.size, len(self._splits), self.seed, self.real.shape, self.shots.shape]
        if suite == "paper":
            settings += [self.which, self.repeats, self.encoders, self.iterations]
        else:
            settings += [tuple(metric.name for metric in QUICK)]
        found = hashlib.sha256(repr(settings).encode())
        for values in (self.real, self.shots):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()[:32]


def _positions(part: Split, kind: str) -> np.ndarray:
    return {"floor": part.other, "copies": part.shots, "noise": part.noise}[kind]


def _check_suite(suite: str) -> None:
    if suite not in SUITES:
        raise InputError(f"there is no suite {suite!r}", fix=f"Choose one of: {', '.join(SUITES)}.")


def _read(path: Path) -> dict[str, dict[str, float]] | None:
    """What is kept at ``path``; ``None`` where there is nothing usable, which is then computed anew."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {kind: {name: float(v) for name, v in values[kind].items()} for kind in BESIDE}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
