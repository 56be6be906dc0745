"""What a generator of time series can be asked for: the pre-trained model and every baseline answer to it."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from tsprout.data.frames import to_object
from tsprout.data.memory import require_drawn
from tsprout.data.reading import Reading
from tsprout.data.scaling import Scaler
from tsprout.errors import InputError
from tsprout.fitting import FitReport
from tsprout.identity import Wanted, total
from tsprout.limits import DRAWS
from tsprout.progress import Progress
from tsprout.series import SeriesSet, concatenate


class Synthesizer(abc.ABC):
    """Fitted to a few series, it draws as many new ones as wanted.

    Objects are not changed by their methods: :meth:`fit` returns a new one. A fitted object holds its training series.

    Attributes:
        shots: the series it was fitted on, or ``None``.
        scaler: the scaling fitted on them, or ``None``.
        fit_report: how it was fitted, or ``None``.
        info: what is known of its pre-training: sets, licences, compute.
        notes: what a user should know of how it was loaded.
    """

    shots: SeriesSet | None
    scaler: Scaler | None
    fit_report: FitReport | None
    info: dict[str, Any]
    notes: tuple[str, ...]

    @property
    @abc.abstractmethod
    def device(self) -> str:
        """Where it works, as torch calls it: ``cpu``, ``cuda:0``."""

    @abc.abstractmethod
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
    ) -> Synthesizer:
        """Fit to a few series; returns a new, fitted object.

        Args:
            data: path of a file, :class:`SeriesSet`, pandas or polars frame, or array (then with ``axes=``).
            mode: ``"auto"`` takes one of the next two, by series held back; ``"prompt"`` shows the model the
                series without training; ``"full"``, ``"lora"``, ``"bias"`` and ``"token"`` fine-tune all weights,
                low-rank adapters, biases and gains, or the dataset token.
            budget: time for training, such as ``"30s"`` or ``"2m"``. It is turned into a number of steps by a fixed
                cost model, so that the same seed gives the same bits; where fitting takes twice as long, on a slow
                or busy machine, it is cut short, with a note.
            seed: of everything random.
            bounds: ``{channel: (lower, upper)}`` that synthetic values must keep, ``None`` for an open side.
            transforms: ``{channel: transform}`` to override what the scaler chooses.
            progress: called with stage, done, total.
            **reader: how to read ``data``, see :func:`tsprout.read`.

        Raises:
            InputError: if the data or an option cannot be used.
        """

    @abc.abstractmethod
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
        """Draw ``n`` series in batches, in memory that does not grow with ``n``.

        Values are in the units of the shots and keep their constraints (integers, bounds, ...). Lengths, labels, static
        columns and time stamps follow those of the shots; nothing is missing in them.

        Args:
            n: how many, at least 1; or of each label, one after the other: ``{"normal": 100, "ill": 900}``.
            length: time steps of every series; by default the lengths of the shots in their own shares.
            steps: solver steps; by default the model's.
            solver: ``"dpmpp-2m"`` or ``"heun"``; by default the model's.
            guidance: how much of the difference that the shots make is applied, 1 for just it; by default the model's.
                More brings series closer to what the shots have in common, and takes away from their variety.
            seed: the same seed, arguments and machine give the same bits.
            batch_size: series a batch; part of what fixes the bits.
            progress: called with ``"sample"``, series done, series in all.

        Raises:
            InputError: if an argument cannot be, or the object is not fitted.
        """

    def sample(
        self,
        n: Wanted,
        *,
        length: int | None = None,
        steps: int | None = None,
        solver: str | None = None,
        guidance: float | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Any:
        """Draw ``n`` series, as the kind of object that was given to :meth:`fit` (a frame for a frame, ...).

        See :meth:`sample_batches` for the arguments; a path or a :class:`SeriesSet` gives a :class:`SeriesSet`.
        """
        batches = self.sample_batches(
            n, length=length, steps=steps, solver=solver, guidance=guidance, seed=seed, progress=progress
        )
        assert self.shots is not None
        require_drawn(total(n), self.shots.n_channels, int(length or self.shots.length))
        return to_object(concatenate(list(batches)))

    @abc.abstractmethod
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
        """Fill the gaps of series.

        Args:
            data: series with the channels of those it was fitted to, by default these; longer ones in windows. A table
                of whose columns nothing is said is read as the one it was fitted to.
            draws: a gap gets the median of so many. One varies as real series do; for multiple imputation (Rubin 1987)
                give several seeds.
            steps, solver, guidance, seed: see :meth:`sample_batches`.
            progress: called with ``"impute"``, series (windows of long ones) done, and all that have gaps.
            **reader: how to read ``data``, see :func:`tsprout.read`.

        Returns:
            a copy of the data, gaps filled and all else as it was; of a file, and without data, series to seven digits.

        Raises:
            InputError: nothing has been fitted, or training was on moves, or data or an argument cannot be used; or
                this is a baseline, which draws whole series alone.
        """

    @abc.abstractmethod
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
        """What :meth:`impute` takes medians of; ``(draws, n_series, n_channels, length)`` float64."""

    @abc.abstractmethod
    def save_pretrained(
        self,
        folder: str | Path,
        *,
        force: bool = False,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **push: Any,
    ) -> None:
        """Write a folder that gives the same bits when loaded. **A fitted one contains its shots.**

        Args:
            folder: to make.
            force: replace an older one there.
            push_to_hub: push it, too, once it is written.
            repo_id: ``owner/name`` to push to; by default the folder's name, in the account of the token.
            **push: see :meth:`push_to_hub`.

        Raises:
            InputError: if the folder exists and ``force`` is not set, or cannot be made.
            CheckpointError: see :meth:`push_to_hub`.
        """

    @abc.abstractmethod
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
        """Publish the model on the Hugging Face hub, in one commit (needs the extra ``hub``).

        **A fitted model contains your series**, and is refused unless you say ``include_shots=True``; it then goes to a
        private repository unless you say ``private=False``.

        Args:
            repo_id: ``owner/name``; made if there is none.
            private: whether only you may see a repository that is made here.
            commit_message: of the commit.
            revision: branch to commit to, made if there is none.
            token: that may write there; by default the one that is stored.
            include_shots: publish the series that the model was fitted to.

        Returns:
            the address of the commit.

        Raises:
            CheckpointError: the model is fitted and ``include_shots`` is not set, the name cannot be, the hub refuses,
                or there is no network.
            InputError: this is a baseline, which is little more than the series it was fitted to.
        """


def not_fitted() -> InputError:
    """What is said where something is asked of an object that :meth:`Synthesizer.fit` has not made."""
    fix = "Call fit(...) first; it returns the fitted object."
    return InputError("this model has not been fitted to any series yet", fix=fix)
