"""What is known of a public data set: the classes behind the tables of the catalogue (:mod:`.entry`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROLES = ("eval", "pretrain", "extra")
KINDS = ("recording", "collection", "instances")
DOMAINS = (
    "economy",
    "energy",
    "environment",
    "finance",
    "health",
    "industry",
    "motion",
    "nature",
    "physiology",
    "shape",
    "simulation",
    "sound",
    "spectroscopy",
    "telemetry",
    "transport",
    "weather",
    "web",
)
FORMATS = ("csv", "xlsx", "ts", "tsf", "npy", "npz", "rda")
SIZES = {"recording": ("steps",), "collection": ("series", "steps"), "instances": ("train", "length")}


@dataclass(frozen=True)
class Size:
    """How much there is. Counts that a kind does not have, or that are not known, are ``None``.

    ``recording``: ``steps``. ``collection``: ``series`` recordings of ``steps`` in all. ``instances``: ``train`` and
    ``test`` series of ``length`` steps (of the longest).
    """

    kind: str
    channels: int
    steps: int | None = None
    series: int | None = None
    train: int | None = None
    test: int | None = None
    length: int | None = None

    def __str__(self) -> str:
        if self.kind == "recording":
            return f"{self.steps:,} steps x {self.channels}"
        if self.kind == "collection":
            return f"{self.series:,} series, {self.steps:,} steps x {self.channels}"
        test = "" if self.test is None else f" + {self.test:,}"
        return f"{self.train:,}{test} series of {self.length} x {self.channels}"


def expanded(text: str) -> list[str]:
    """What a text with ``{a,b}`` or ``{1..3}`` stands for, the last such part changing fastest.

    >>> expanded("{a,b}{1..2}.csv")
    ['a1.csv', 'a2.csv', 'b1.csv', 'b2.csv']
    """
    part = re.search(r"\{([^{}]*)\}", text)
    if part is None:
        return [text]
    span = re.fullmatch(r"(\d+)\.\.(\d+)", part[1])
    choices = [str(i) for i in range(int(span[1]), int(span[2]) + 1)] if span else part[1].split(",")
    rest = expanded(text[part.end() :])
    return [text[: part.start()] + choice + end for choice in choices for end in rest]


@dataclass(frozen=True)
class Source:
    """Where the public has a set: files to fetch, the reader for them and its options; or ``generator`` by name.

    ``urls``: ``{a,b}`` and ``{1..3}`` in one are written out, in their order. ``page``: for people. ``checked``:
    whether somebody has seen that the recipe gives the digest, or that rows of the source are rows of the set.
    """

    urls: tuple[str, ...] = ()
    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    sha256: tuple[str, ...] = ()
    generator: str = ""
    page: str = ""
    checked: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", tuple(url for text in self.urls for url in expanded(text)))


@dataclass(frozen=True)
class Part:
    """What one part of a set is known to be: a split of instances, or the first ``steps`` of a recording.

    ``classes``: series of each class, in any order. ``extremes``: the least and the greatest value. The rest, and
    ``None``, as of :class:`Content`.
    """

    digest: str | None = None
    missing: int | None = None
    mean: float | tuple[float, ...] | None = None
    deviation: float | tuple[float, ...] | None = None
    extremes: tuple[float, ...] = ()
    classes: tuple[int, ...] = ()
    steps: int | None = None


@dataclass(frozen=True)
class Content:
    """What the values of the complete set are known to be.

    ``digest``: of the values (:func:`tsprout.data.catalog.content.digest`). ``missing``: cells. ``mean``,
    ``deviation``: for sources that are not equal to the last bit, of the observed cells: one for each channel, or one
    for all. ``train``, ``test``, ``head`` (its first steps): of a part. Each ``None`` where not known.
    """

    digest: str | None = None
    missing: int | None = None
    mean: float | tuple[float, ...] | None = None
    deviation: float | tuple[float, ...] | None = None
    train: Part | None = None
    test: Part | None = None
    head: Part | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """The parts of which something is known."""
        named = {"train": self.train, "test": self.test, "head": self.head}
        return {name: part for name, part in named.items() if part is not None}


@dataclass(frozen=True)
class Pack:
    """The file of the data pack: ``<role>/<name>.npz``. ``partial`` says what it lacks; ``size`` is its own."""

    sha256: str
    size: Size
    partial: str = ""


@dataclass(frozen=True)
class Paper:
    """How arXiv 2505.20446 cuts and scales the set; see :mod:`tsprout.data.protocols.paper`.

    ``windows``: of 24 steps; ``printed``: what the paper's table says where it says something else, and ``note`` why.
    ``fit_steps``: steps of the training split. ``unused``: steps at its end that its
    windows do not use. ``splits``: of instances, which count. ``scaling``: ``zscore``, ``minmax`` or ``none``.
    """

    windows: int
    printed: int | None = None
    scaling: str = "zscore"
    fit_steps: int | None = None
    unused: int = 0
    splits: tuple[str, ...] = ("train",)
    most: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One public data set.

    ``missing_code``: what the benchmark's own files hold where a value is missing. ``near``: evaluation sets that
    record the same thing. ``left_out``: why it is not in the bundled corpus. ``held_out``: kept for validation.
    """

    name: str
    role: str
    domain: str
    size: Size
    licence: str
    citation: str
    sampling: str = ""
    channel_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    missing_code: float | None = None
    near: tuple[str, ...] = ()
    left_out: str = ""
    held_out: bool = False
    note: str = ""
    source: Source = field(default_factory=Source)
    content: Content = field(default_factory=Content)
    pack: Pack | None = None
    paper: Paper | None = None
