"""The front door: fit a pre-trained model to a few series, draw as many new ones as wanted.

>>> from tsprout import Sprout
>>> sprout = Sprout.from_pretrained().fit("patients.csv")  # doctest: +SKIP
>>> synthetic = sprout.sample(1000)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from tsprout import checkpoint as checkpoints
from tsprout.budget import parse_budget
from tsprout.checkpoint import Checkpoint
from tsprout.data.checks import check_size, check_usable
from tsprout.data.frames import to_fit, to_object
from tsprout.data.reading import Reading
from tsprout.data.scaling import Scaler
from tsprout.drawing import Source, draw_batches
from tsprout.errors import CheckpointError, InputError
from tsprout.fitting import UNSCALED, FitReport, fit_model
from tsprout.hub import HubOptions, PushOptions
from tsprout.identity import Wanted, pools
from tsprout.imputing import all_draws, checked, fill
from tsprout.interface import Synthesizer, not_fitted
from tsprout.limits import DRAWS, check_seed, check_whole
from tsprout.model import Denoiser, ModelConfig
from tsprout.nn.adapters import AdapterConfig
from tsprout.progress import Progress
from tsprout.series import SeriesSet
from tsprout.train.calibration import Calibration
from tsprout.train.drawing import Drawing


class Sprout(Synthesizer):
    """A generator of time series: a pre-trained model and, once fitted, the shots it is to be faithful to.

    Attributes:
        model: the network, ready to draw.
    """

    def __init__(
        self,
        model: Denoiser,
        *,
        info: dict[str, Any] | None = None,
        shots: SeriesSet | None = None,
        scaler: Scaler | None = None,
        fit_report: FitReport | None = None,
        adapter: AdapterConfig | None = None,
        row: int | None = None,
        calibration: Calibration | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.model, self.info = model.eval(), info or {}
        self.shots, self.scaler, self.fit_report = shots, scaler, fit_report
        self._adapter, self._row, self._calibration = adapter, row, calibration
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        state = "not fitted" if self.shots is None else f"fitted on {self.shots!r}"
        return f"Sprout({self.model.config.backbone}, {self.model.parameter_count:,} parameters, {state})"

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    @property
    def device(self) -> str:
        """Where it works, as torch calls it: ``cpu``, ``cuda:0``."""
        return str(self.model.device)

    @property
    def _trained(self) -> bool:
        """Whether the weights have been fine-tuned, and not only shown the shots."""
        return self.fit_report is not None and self.fit_report.mode != "prompt"

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = "small",
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        device: str = "cpu",
    ) -> Synthesizer:
        """Load a checkpoint: a bundled name, a folder, or a Hugging Face id (``owner/model``, needs the extra ``hub``).

        It gives a :class:`Sprout`; the name of a baseline (``tsprout.baselines.names()``), or the folder of a fitted
        one, a :class:`~tsprout.peer.Peer`, which has the same methods.

        Args:
            name_or_path: see above; ``owner/model@revision`` names a revision, too.
            revision: branch, tag or commit of a model on the hub.
            cache_dir: where models from the hub are kept; by default where that library keeps them.
            local_files_only: never ask the network, take what is in the cache.
            token: for private models on the hub; by default the one that is stored.
            device: where to train and to draw, ``cpu``, ``cuda`` or ``cuda:1``; baselines without a network need none.

        Raises:
            CheckpointError: if there is none, it cannot be had, or it is truncated, of a newer format, or a pickle.
            InputError: this machine has no such device.
        """
        from tsprout import peer

        if peer.is_peer(name_or_path):
            if revision is not None:
                fix = "Leave the revision out, or give the full name of a model on the hub."
                raise CheckpointError("only models on the hub have revisions", where=str(name_or_path), fix=fix)
            return peer.Peer.open(name_or_path, device)
        options = HubOptions(revision, cache_dir, local_files_only, token)
        loaded = checkpoints.load(name_or_path, device=device, options=options)
        fitted = loaded.fitted
        if fitted is None:
            return cls(loaded.model, info=loaded.info, notes=loaded.notes)
        try:
            return cls(
                loaded.model,
                info=loaded.info,
                shots=loaded.shots,
                scaler=Scaler.from_dict(fitted["scaler"]),
                fit_report=FitReport.from_dict(fitted["report"]),
                adapter=loaded.adapter,
                row=fitted["row"],
                calibration=Calibration.from_dict(fitted["calibration"]) if fitted["calibration"] else None,
                notes=loaded.notes,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"what the model was fitted on is not described completely ({error})"
            raise CheckpointError(what, where=str(name_or_path), fix="Fit again.") from error

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **push: Any,
    ) -> None:
        """See :meth:`Synthesizer.save_pretrained`."""
        options = PushOptions(**push)
        checkpoint, name = self._checkpoint(), repo_id or Path(folder).resolve().name
        if push_to_hub:
            checkpoints.check_push(checkpoint, name, options)
        elif repo_id is not None or push:
            fix = "Add push_to_hub=True, or leave them out."
            raise InputError("options of a push were given and no push was asked for", where="repo_id", fix=fix)
        checkpoints.save(checkpoint, folder, force=force)
        if push_to_hub:
            try:
                checkpoints.push(checkpoint, name, options, folder)
            except CheckpointError as error:
                error.fix = f"{error.fix or ''} The folder {folder} is written.".strip()
                raise

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        commit_message: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        include_shots: bool = False,
    ) -> str:
        """See :meth:`Synthesizer.push_to_hub`."""
        options = PushOptions(private, commit_message, revision, token, include_shots)
        return checkpoints.push(self._checkpoint(), repo_id, options)

    def _checkpoint(self) -> Checkpoint:
        fitted = None
        if self.scaler is not None and self.fit_report is not None:
            fitted = {
                "scaler": self.scaler.to_dict(),
                "report": self.fit_report.to_dict(),
                "row": self._row,
                "calibration": None if self._calibration is None else self._calibration.to_dict(),
            }
        return Checkpoint(self.model, self.info, self._adapter, fitted, self.shots)

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
    ) -> Sprout:
        """See :meth:`Synthesizer.fit`."""
        seconds = parse_budget(budget)
        seed = check_seed(seed)
        if self._trained:
            fix = "Fit the pre-trained one: Sprout.from_pretrained().fit(...)."
            raise InputError("this model has been trained on other series already", fix=fix)
        series = to_fit(data, reader)
        check_usable(series)
        check_size(series.n_channels, series.length)
        scaler = Scaler.fit(series, bounds=bounds, transforms=transforms)
        latent = scaler.latent(series)
        fitted = fit_model(
            self.model,
            latent,
            series.lengths,
            mode,
            seconds=seconds,
            seed=seed,
            labels=series.labels,
            progress=progress,
        )
        fitted.report.notes += tuple(UNSCALED.format(repr(name)) for name in scaler.unscaled)
        return Sprout(
            fitted.model,
            info=self.info,
            shots=series,
            scaler=scaler,
            fit_report=fitted.report,
            adapter=fitted.adapter,
            row=fitted.row,
            calibration=fitted.calibration,
            notes=self.notes,
        )

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
        """See :meth:`Synthesizer.sample_batches`."""
        if self.shots is None or self.scaler is None:
            raise not_fitted()
        wanted, seed = pools(self.shots, n), check_seed(seed)
        length = None if length is None else check_whole(length, "length")
        batch_size = None if batch_size is None else check_whole(batch_size, "batch_size")
        if batch_size is not None and batch_size < 1:
            raise InputError(f"a batch of {batch_size} series", where="batch_size", fix="Give at least 1.")
        how = Drawing(steps, solver, guidance)
        how.check(self.config)
        check_size(self.shots.n_channels, self.shots.length if length is None else length)
        return draw_batches(
            self._source(), wanted, length=length, how=how, seed=seed, batch_size=batch_size, progress=progress
        )

    def impute(
        self,
        data: Any = None,
        *,
        draws: int = DRAWS,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        **reader: Unpack[Reading],
    ) -> Any:
        """See :meth:`Synthesizer.impute`."""
        how = Drawing(steps, solver, guidance)
        series, original = checked(self.shots, self.config, data, draws, seed, how, reader)
        out = fill(self._source(), series, draws=draws, how=how, seed=seed, progress=progress)
        return to_object(out) if original is None else original.filled(out)

    def completions(
        self,
        data: Any = None,
        *,
        draws: int = DRAWS,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        **reader: Unpack[Reading],
    ) -> np.ndarray:
        """See :meth:`Synthesizer.completions`."""
        how = Drawing(steps, solver, guidance)
        series, original = checked(self.shots, self.config, data, draws, seed, how, reader)
        out = all_draws(self._source(), series, draws=draws, how=how, seed=seed, progress=progress)
        return out if original is None else out[:, :, [series.channels.index(c) for c in original.series.channels]]

    def _source(self) -> Source:
        assert self.shots is not None and self.scaler is not None
        return Source(self.model, self.shots, self.scaler, self._trained, self._row, self._calibration)
