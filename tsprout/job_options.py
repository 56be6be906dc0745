"""What a job is asked for: how to read, what to fit, what to draw. All of it is checked before the first work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tsprout.baselines import registry
from tsprout.budget import parse_budget
from tsprout.errors import InputError
from tsprout.identity import Wanted, pools, total
from tsprout.series import SeriesSet

MODES = ("auto", "prompt", "full", "lora", "bias", "token")
SOLVERS = ("heun", "dpmpp-2m")
TRANSFORMS = ("auto", "identity", "asinh", "log1p", "reflected_log1p", "hurdle", "levels")
USUAL = 1000
Bound = tuple[float | None, float | None]
T = TypeVar("T")


@dataclass(frozen=True)
class ReaderOptions:
    """How a file is to be read, as given; what is left out :func:`tsprout.data.files.read` finds by itself."""

    format: str | None = None
    id_column: str | None = None
    time_column: str | None = None
    channels: tuple[str, ...] | None = None
    label_column: str | None = None
    static_columns: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    axes: str | None = None
    window: int | None = None
    stride: int | None = None
    orientation: str | None = None
    missing_codes: tuple[str, ...] | None = None
    thousands: str | None = None
    day_first: bool | None = None
    every: str | None = None
    full_length: bool | None = None
    encoding: str = "utf-8"

    def to_dict(self) -> dict[str, Any]:
        """The options that were given, as keyword arguments of the reader."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}


@dataclass(frozen=True)
class FitOptions:
    """Which model to start from and how to adapt it.

    ``checkpoint`` is what a baseline starts from that needs one, ``bounds`` what each channel's new values must keep,
    ``transforms`` how a channel is scaled instead of as its values suggest, ``device`` where to train and to draw.
    """

    model: str = "small"
    mode: str = "auto"
    budget: str = "60s"
    seed: int = 0
    checkpoint: str | None = None
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    device: str = "cpu"
    transforms: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise :class:`InputError` for an option that cannot be."""
        if self.mode not in MODES:
            raise InputError(f"there is no mode {self.mode!r}", where="--mode", fix=f"Choose from {', '.join(MODES)}.")
        with as_options():
            parse_budget(self.budget)
        check_device(self.device)
        if self.model in registry.names():
            mode = None if self.mode == "auto" else self.mode
            given = {"bounds": self.bounds or None, "transforms": self.transforms or None}
            with as_options():
                registry.refuse_options(self.model, mode=mode, **given)
            registry.make(self.model, self.checkpoint)
        elif self.checkpoint is not None:
            fix = "Name that checkpoint itself as the model, or say --model imagenfew."
            raise InputError(f"{self.model} starts from no other checkpoint", where="--checkpoint", fix=fix)

    def to_dict(self) -> dict[str, Any]:
        """What was asked, for an account; what is usually not given only where it is."""
        bounds, transforms = {k: list(v) for k, v in self.bounds.items()}, dict(self.transforms)
        unusual = {"checkpoint": self.checkpoint, "bounds": bounds, "transforms": transforms}
        own = {"model": self.model, "seed": self.seed, "budget": self.budget}
        return own | {name: value for name, value in unusual.items() if value}


@contextmanager
def as_options() -> Iterator[None]:
    """Errors name options of the command line where Python names arguments, ``bounds, channel 'x'`` for one."""
    try:
        yield
    except InputError as error:
        name, _, rest = (error.where or "").partition(",")
        usual = {name: f"--{name}" for name in ("mode", "budget")}
        known = (usual | {"bounds": "--bounds", "transforms": "--transform", "n": "-n"}).get(name)
        if known is None:
            raise
        where = ",".join([known, *([rest] if rest else [])])
        raise InputError(error.what, where=where, fix=error.fix) from error


def parse_count(given: Sequence[str]) -> Wanted:
    """How many series: a number, or ``LABEL=COUNT`` of several labels.

    Raises:
        InputError: one of them says something else, or a label is named twice.
    """

    def read(text: str) -> int | None:
        try:
            return int(text)
        except ValueError:
            return None

    if len(given) == 1 and (number := read(given[0])) is not None:
        return number
    fix = "Write -n 1000, or -n ill=900 -n well=100 for so many of each label."
    once = ("the label {} is given a number twice", "Give it once.")
    return _by_name(given, read, "-n", "a number or LABEL=COUNT", fix, once) if given else USUAL


def check_device(name: str) -> None:
    """Refuse a device that is not here; the usual one needs no look.

    Raises:
        InputError: this machine has none of that name.
    """
    if name != "cpu":
        from tsprout.devices import device_of

        device_of(name, where="--device")


def parse_bounds(given: Sequence[str]) -> dict[str, Bound]:
    """``NAME=LOW:HIGH`` of several channels, where a side that is left out is open.

    Raises:
        InputError: one of them says something else, or a channel is named twice.
    """

    def read(sides: str) -> Bound | None:
        low, colon, high = sides.partition(":")
        try:
            bound = tuple(float(side) if side.strip() else None for side in (low, high))
        except ValueError:
            return None
        told = [side for side in bound if side is not None]
        return (bound[0], bound[1]) if colon and told and all(map(math.isfinite, told)) else None

    form, fix = "NAME=LOW:HIGH", "Write --bounds x=0:100, or x=0: for a lower bound alone."
    return _by_name(given, read, "--bounds", form, fix, ("the channel {} is given bounds twice", "Give them once."))


def parse_transforms(given: Sequence[str]) -> dict[str, str]:
    """``NAME=TRANSFORM`` of several channels.

    Raises:
        InputError: one of them says something else, or a channel is named twice.
    """

    def read(kind: str) -> str | None:
        return kind if kind in TRANSFORMS else None

    form, fix = "NAME=TRANSFORM", f"Write --transform x=identity, with one of: {', '.join(TRANSFORMS)}."
    once = ("the channel {} is given a transform twice", "Give it once.")
    return _by_name(given, read, "--transform", form, fix, once)


def _by_name(
    given: Sequence[str], read: Callable[[str], T | None], where: str, form: str, fix: str, once: tuple[str, str]
) -> dict[str, T]:
    """What ``read`` makes of the part after the last ``=``, by the name before it.

    Args:
        given: texts of the ``form``.
        read: gives ``None`` for what it cannot read.
        where, form, fix: of the message about such a text.
        once: what is wrong where a name is given twice, and what to do.
    """
    found: dict[str, T] = {}
    for text in given:
        name, _, rest = text.rpartition("=")
        value = read(rest)
        if not name or value is None:
            raise InputError(f"{text!r} is not {form}", where=where, fix=fix)
        if name in found:
            raise InputError(once[0].format(repr(name)), where=where, fix=once[1])
        found[name] = value
    return found


@dataclass(frozen=True)
class SampleOptions:
    """How many series to draw, in all or of each label, and how; None means the model's own choice."""

    n: Wanted = USUAL
    length: int | None = None
    steps: int | None = None
    solver: str | None = None
    seed: int = 0
    guidance: float | None = None

    def check(self) -> None:
        """Raise :class:`InputError` for an option that cannot be."""
        from tsprout.data.checks import check_guidance
        from tsprout.limits import MAX_LENGTH, MIN_LENGTH

        least = min(self.n.values(), default=0) if isinstance(self.n, Mapping) else self.n
        if least < 1:
            raise InputError(f"asked for {least} series", where="-n", fix="Ask for at least one.")
        for name, value, least in (("--length", self.length, MIN_LENGTH), ("--steps", self.steps, 1)):
            if value is not None and value < least:
                raise InputError(f"{value} is too small", where=name, fix=f"Give at least {least}.")
        if self.length is not None and self.length > MAX_LENGTH:
            raise InputError(f"{self.length} is too large", where="--length", fix=f"Give at most {MAX_LENGTH}.")
        check_guidance(self.guidance, "--guidance")
        if self.solver is not None and self.solver not in SOLVERS:
            fix = f"Choose from {', '.join(SOLVERS)}."
            raise InputError(f"there is no solver {self.solver!r}", where="--solver", fix=fix)

    def check_labels(self, shots: SeriesSet) -> None:
        """Raise :class:`InputError` where numbers are asked for of labels that series like ``shots`` do not have."""
        with as_options():
            pools(shots, self.n)

    @property
    def total(self) -> int:
        """How many series in all."""
        return total(self.n)

    def account(self) -> dict[str, Any]:
        """What was asked, for an account."""
        of_labels = {"labels": dict(self.n)} if isinstance(self.n, Mapping) else {}
        return {"n": self.total, **of_labels, **self.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """The options without the number, as keyword arguments of ``Sprout.sample_batches``."""
        own = {"length": self.length, "steps": self.steps, "solver": self.solver, "guidance": self.guidance}
        return own | {"seed": self.seed}
