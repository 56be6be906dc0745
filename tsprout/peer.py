"""A baseline in the shape of :class:`~tsprout.synthesizer.Sprout`, so that every job takes any of them by name.

>>> from tsprout import Sprout
>>> synthetic = Sprout.from_pretrained("gp").fit("patients.csv").sample(1000)  # doctest: +SKIP
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from tsprout.baselines import registry, store
from tsprout.baselines.contract import Baseline
from tsprout.budget import parse_budget
from tsprout.checkpoint import bundled_names
from tsprout.data.frames import to_fit
from tsprout.data.reading import Reading
from tsprout.devices import device_of, is_name
from tsprout.errors import InputError
from tsprout.fitting import FitReport
from tsprout.identity import Wanted
from tsprout.interface import Synthesizer
from tsprout.progress import Progress
from tsprout.series import SeriesSet

_USUAL = 60.0


def is_peer(name: str | Path) -> bool:
    """Whether a name or path is that of a baseline. Bundled checkpoints come first; ``./name`` is always a folder."""
    return str(name) not in bundled_names() and (str(name) in registry.names() or store.is_baseline(name))


def device_for(name: str | Path, device: str, options: Mapping[str, Any] | None = None) -> str:
    """What a model with ``options`` that is asked to use ``device`` uses.

    Of the baselines, fitted or not, those with networks use a GPU of CUDA, and nothing else.
    """
    if not is_peer(name):
        return device
    chosen = str((options or {}).get("device", device))
    if not chosen.startswith("cuda"):
        return "cpu"
    known = registry.get(str(name))().settings if str(name) in registry.names() else store.settings_of(name)
    return chosen if is_name(known.get("device")) else "cpu"


def made(name: str, device: str, options: Mapping[str, Any] | None = None) -> Baseline:
    """A baseline by its name with ``options``, for ``device`` where :func:`device_for` says that it uses that."""
    chosen = device_for(name, device, options)
    return registry.get(name)(**({} if chosen == "cpu" else {"device": chosen}) | dict(options or {}))


class Peer(Synthesizer):
    """A baseline, fitted or not, behind the same door as the pre-trained model.

    Attributes:
        baseline: what does the work.
    """

    def __init__(self, baseline: Baseline, fit_report: FitReport | None = None, notes: Sequence[str] = ()) -> None:
        self.baseline, self.info, self.notes = baseline, {}, tuple(notes)
        self.shots, self.scaler, self.fit_report = baseline.shots, baseline.scaler, fit_report
        if baseline.shots is not None and fit_report is None:
            self.fit_report = _report(baseline)

    def __repr__(self) -> str:
        state = "not fitted" if self.shots is None else f"fitted on {self.shots!r}"
        return f"Peer({self.baseline.name}, {state})"

    @property
    def device(self) -> str:
        """Where its network works; ``cpu`` where it has none."""
        own = self.baseline.settings.get("device")
        return str(own) if is_name(own) else "cpu"

    @classmethod
    def open(cls, name_or_path: str | Path, device: str = "cpu", options: Mapping[str, Any] | None = None) -> Peer:
        """A baseline by its name with ``options``, or a fitted one from its folder; on a device if it can use that.

        Raises:
            InputError: it cannot be loaded; as a :class:`CheckpointError` where the folder is at fault; or there is no
                such device here.
        """
        device_of(device)
        if str(name_or_path) in registry.names():
            opened = cls(made(str(name_or_path), device, options))
        else:
            opened = cls(registry.load(name_or_path, device=device_for(name_or_path, device)))
        if opened.device == "cpu" and not str(device).startswith("cpu"):
            opened.notes = (f"{opened.baseline.name} works on the processor, not on {device}",)
        return opened

    def fit(
        self,
        data: Any,
        mode: str = "auto",
        *,
        budget: str | float = "60s",
        seed: int = 0,
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        transforms: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        **reader: Unpack[Reading],
    ) -> Peer:
        """Fit to series; returns a new, fitted object. A baseline has no modes, and takes the time it takes.

        Raises:
            InputError: the data cannot be used, or an option was given that baselines do not have.
        """
        name = self.baseline.name
        registry.refuse_options(
            name, mode=None if mode == "auto" else mode, bounds=bounds or None, transforms=transforms or None
        )
        unusual = parse_budget(budget) != _USUAL
        series = to_fit(data, reader)
        start = time.monotonic()
        fitted = self.baseline.fresh().fit(series, seed=seed, progress=progress)
        report = _report(fitted, time.monotonic() - start)
        if unusual:
            report.notes += ("a baseline is fitted as published, whatever the budget",)
        return Peer(fitted, report, self.notes)

    def sample_batches(
        self,
        n: Wanted,
        *,
        length: int | None = None,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Iterator[SeriesSet]:
        """Draw ``n`` series in batches; see :meth:`Sprout.sample_batches`.

        Raises:
            InputError: an option was given that baselines do not have, or nothing has been fitted.
        """
        how = {"length": length, "steps": steps, "solver": solver, "guidance": guidance, "batch_size": batch_size}
        registry.refuse_options(self.baseline.name, **how)
        self.baseline.check_sample(n, seed)
        return self.baseline.sample_batches(n, seed=seed, progress=progress)

    def impute(self, data: Any = None, **options: Any) -> Any:
        """Refused: a baseline draws whole series, and not around what is there."""
        raise InputError(f"the baseline {self.baseline.name} cannot fill gaps", fix="Choose a pre-trained model.")

    def completions(self, data: Any = None, **options: Any) -> Any:
        """Refused, as :meth:`impute`."""
        return self.impute(data, **options)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **push: Any,
    ) -> None:
        """Write a folder that :meth:`Sprout.from_pretrained` reads. **It contains the series it was fitted to.**

        Raises:
            InputError: see :meth:`Baseline.save`; baselines are not pushed.
        """
        if push_to_hub or repo_id is not None or push:
            raise _not_pushed(self.baseline.name)
        self.baseline.save(folder, force=force)

    def push_to_hub(self, repo_id: str, **push: Any) -> str:
        """Refused: a fitted baseline is little more than the series it was fitted to."""
        raise _not_pushed(self.baseline.name)


def _not_pushed(name: str) -> InputError:
    what = f"the baseline {name} is little more than the series it was fitted to, and is not pushed"
    return InputError(what, fix="Share the folder yourself if you mean to.")


def _report(baseline: Baseline, seconds: float = 0.0) -> FitReport:
    reason = f"a baseline: {baseline.summary}"
    return FitReport(mode=baseline.name, requested="auto", reason=reason, seconds=seconds, notes=baseline.notes)
