"""What every protocol returns, and how a number of shots is said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tsprout.data.catalog.generated import generate, is_free
from tsprout.data.catalog.sets import RealSet, load_set, parse
from tsprout.data.protocols.scaler import Standardizer
from tsprout.errors import InputError, MissingExtraError
from tsprout.limits import check_seed
from tsprout.series import SeriesSet

SEEDS = (0, 1, 2, 3, 4)
SHOTS = (5, 10, 25, 50, 100)
SHARES = (0.05, 0.10, 0.15, 1.0)
LONGEST_MADE = 512


@dataclass(frozen=True, eq=False)
class Split:
    """Shots, validation and reference of one set, each series ``length`` steps.

    Attributes:
        name: of the set; ``protocol``: how it was split; ``seed``: of everything drawn.
        length: of every series, in time steps.
        shots: ``(k, channels, length)``, all that a model may see.
        validation: series to choose settings with, or ``None`` where the protocol or the set has none.
        reference: what synthetic series are compared with.
        scaler: ``strict`` fits it on the shots, ``paper`` on the training split.
        scaled: whether the values of the three sets went through ``scaler`` already (``paper``) or are in the units
            of the source (``strict``).
        origin: ``int64 (n, 2)`` for ``shots``, ``validation`` and ``reference``: the recording or instance of every
            series and its first step there. Instances count through TRAIN, then TEST.
        pool: number of windows that the shots were drawn from.
        available: number of windows of the reference before it was thinned out.
        notes: what a user should know: overlap, fewer shots than asked, what is left out, missing or made longer.
    """

    name: str
    protocol: str
    length: int
    seed: int
    shots: SeriesSet
    validation: SeriesSet | None
    reference: SeriesSet
    scaler: Standardizer
    scaled: bool
    origin: dict[str, np.ndarray]
    pool: int
    available: int
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, the same in all three sets."""
        return self.shots.channels

    def __repr__(self) -> str:
        held = 0 if self.validation is None else self.validation.n_series
        return (
            f"Split({self.name}, {self.protocol}, seed {self.seed}: {self.shots.n_series} shots, {held} validation, "
            f"{self.reference.n_series} reference, {len(self.channels)} channels, length {self.length})"
        )


def parse_shots(text: str) -> int | float:
    """``"10"`` is the number 10, ``"5%"`` the share 0.05.

    Raises:
        InputError: neither, a number below 1, or a share outside 0 to 100 %.
    """
    bare = text.strip()
    try:
        found = float(bare[:-1]) / 100 if bare.endswith("%") else int(bare)
    except ValueError:
        raise InputError(f"{text!r} is not a number of shots", fix="Give a number as 10, or a share as 5%.") from None
    return check_shots(found)


def check_shots(shots: int | float) -> int | float:
    """The number (int) or share (float) as it was given.

    Raises:
        InputError: a number below 1, or a share that is not above 0 and at most 1.
    """
    fix = "Give a number of shots, at least 1, as an int, or a share of the windows, above 0 and at most 1, as a float."
    if isinstance(shots, int | np.integer) and not isinstance(shots, bool):
        if shots < 1:
            raise InputError(f"{shots} shots", fix=fix)
        return int(shots)
    if not isinstance(shots, float | np.floating) or not 0 < shots <= 1:
        raise InputError(f"{shots!r} is neither a number nor a share of shots", fix=fix)
    return float(shots)


def count_shots(shots: int | float, available: int) -> int:
    """How many shots that is: an int is itself, a share of ``available`` is rounded down, to at least 1."""
    if isinstance(shots, int):
        return shots
    return max(1, math.floor(shots * available + 1e-9))


def prepared(real: RealSet | str, length: int, seed: int) -> RealSet:
    """The set, read if only its name was given, once ``length`` and ``seed`` are known to be usable.

    A set that is generated comes with longer series where ``length`` asks for them, as far as it can be made here.

    Raises:
        InputError: a length below 2, a seed that cannot be, a set that is not here, or a length too great to be made.
    """
    if length < 2:
        raise InputError(f"length is {length}", fix="A series needs at least 2 time steps.")
    check_seed(seed)
    found = load_set(real) if isinstance(real, str) else real
    if not found.entry.source.generator or length <= (found.size.length or 0):
        return found
    if length > LONGEST_MADE and is_free(found.entry):
        raise InputError(
            f"{found.name} has no series of {length} time steps",
            fix=f"The longest length that works is {LONGEST_MADE}.",
        )
    try:
        return found if length > LONGEST_MADE else parse(found.entry, generate(found.entry, length=length), None)
    except MissingExtraError:
        return found


def first_notes(real: RealSet) -> list[str]:
    """What a user should know of the set itself: that it is not complete, or that its series were made longer."""
    notes = [f"not the complete set: {real.partial}"] if real.partial else []
    usual, here = real.entry.size.length, real.size.length
    if real.entry.source.generator and usual is not None and here is not None and here > usual:
        notes.append(f"its series were made with {here} steps; they continue those of the set, which have {usual}")
    return notes
