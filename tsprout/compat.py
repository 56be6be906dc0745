"""Which checkpoints this tsprout reads: format versions, migrations of older ones, and settings it does not know.

A checkpoint's format is ``major.minor``, the keys ``format_version`` and ``format_minor`` of its ``config.json`` (none:
0). The rules, also in ``docs/checkpoints.md``:

- **Older formats are read for ever.** Each :class:`Migration` turns what was written before its version into what that
  version would have written, configuration and weights, without changing a number the model computes.
- **A newer major is refused**, naming the tsprout that wrote it. It means that a reader of today would get it wrong.
- **A newer minor is read**, as long as it says nothing that this reader needs and does not know. A key that the reader
  does not know is refused, because it may change the numbers, unless the writer lists it under ``ignorable`` (such as
  ``"model.hint"``); then it is left out, with a note.

A new setting whose default is not what its absence meant must come with a migration that writes the old meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from tsprout.data.channel_scaling import ChannelScaling
from tsprout.data.circular import CircularScaling
from tsprout.data.label_scaling import LabelScaling
from tsprout.data.schema import Schema
from tsprout.data.transforms import Constant, Curve, Hurdle, Levels
from tsprout.data.zeros import Together
from tsprout.errors import CheckpointError
from tsprout.model import ModelConfig
from tsprout.nn.adapters import AdapterConfig

Config = dict[str, Any]
Weights = dict[str, Tensor]

FORMAT = "tsprout-checkpoint"
VERSION = (1, 1)
OLDEST = (1, 0)


def _names(*classes: Any) -> list[str]:
    return [f.name for cls in classes for f in fields(cls)]


_PARTS = ("whole", "start", "moves", "apart", "unwound")  # of cumulative, relative and circular channels


def _channel(place: str, *more: str) -> dict[str, frozenset[str]]:
    return {
        place: frozenset((*more, *_names(ChannelScaling))),
        f"{place}.transform": frozenset(("name", *_names(Curve, Hurdle, Levels, Constant))),
        f"{place}.transform.curve": frozenset(_names(Curve)),
    }


# By part of the configuration; of a list, of each of its members.
KNOWN: Mapping[str, frozenset[str]] = {
    "": frozenset(
        (
            "format",
            "format_version",
            "format_minor",
            "tsprout_version",
            "ignorable",
            "model",
            "adapter",
            "info",
            "fitted",
        )
    ),
    "model": frozenset(f.name for f in fields(ModelConfig)),
    "adapter": frozenset(f.name for f in fields(AdapterConfig)),
    "fitted": frozenset(("scaler", "report", "row", "calibration", "shots")),
    # Of what a model was fitted on all of it, but for the report, which is an account.
    "fitted.scaler": frozenset(("version", "channels", "labels", "together")),
    "fitted.scaler.together": frozenset(_names(Together)),
    "fitted.scaler.labels": frozenset(f.name for f in fields(LabelScaling)),
    **_channel("fitted.scaler.channels", "others", "names", *_PARTS, *_names(CircularScaling)),
    **{key: known for part in _PARTS for key, known in _channel(f"fitted.scaler.channels.{part}").items()},
    "fitted.calibration": frozenset(("factor", "shift", "gains", "bands", "labels")),
    "fitted.shots": frozenset(("channels", "ids", "time_kind", "frequency", "labels", "static", "schema")),
    "fitted.shots.ids": frozenset(("dtype", "values")),
    "fitted.shots.labels": frozenset(("dtype", "values")),
    "fitted.shots.schema": frozenset(_names(Schema)),
}


@dataclass(frozen=True)
class Migration:
    """From any format before ``to`` to ``to``: functions of configuration and weights that return new ones."""

    to: tuple[int, int]
    config: Callable[[Config], Config]
    weights: Callable[[Weights], Weights] = lambda weights: weights


# 1.1 added ``format_minor`` and ``ignorable``; before it, nothing could be left out.
MIGRATIONS: tuple[Migration, ...] = (Migration((1, 1), lambda config: config | {"ignorable": []}),)


def stamp(version: str) -> Config:
    """The first keys of a configuration that tsprout ``version`` writes."""
    return {"format": FORMAT, "format_version": VERSION[0], "format_minor": VERSION[1], "tsprout_version": version}


def text(version: tuple[int, int]) -> str:
    """``"1.1"``."""
    return f"{version[0]}.{version[1]}"


def readable() -> str:
    """What this tsprout reads, for a person: ``"1.0 to 1.x"``."""
    return f"{text(OLDEST)} to {VERSION[0]}.x"


def version_of(config: Mapping[str, Any], where: str) -> tuple[int, int]:
    """The format of a configuration that can be read.

    Raises:
        CheckpointError: it is not a tsprout checkpoint, has no version, or one that is not read here.
    """
    if config.get("format") != FORMAT:
        fix = "Its config.json would say so; name a folder that tsprout wrote."
        raise CheckpointError("this is not a tsprout checkpoint", where=where, fix=fix)
    if "format_version" not in config:
        fix = "Copy or download the checkpoint again."
        raise CheckpointError(
            "the configuration has no format version: it is damaged or truncated", where=where, fix=fix
        )
    major, minor = config["format_version"], config.get("format_minor", 0)
    whole = all(type(number) is int and number >= 0 for number in (major, minor))
    said = f"{major}.{minor}" if whole else f"{major!r}"
    if whole and (major, minor) >= OLDEST and major <= VERSION[0]:
        return major, minor
    writer = str(config.get("tsprout_version", ""))[:20]
    if whole and major > VERSION[0]:
        named = f", written by tsprout {writer}" if writer else ""
        wanted = f"tsprout>={writer}" if writer else "tsprout"
        raise CheckpointError(
            f"the checkpoint is of format version {said}{named}; this tsprout reads {readable()}",
            where=where,
            fix=f"Upgrade: pip install --upgrade '{wanted}'.",
        )
    raise CheckpointError(
        f"the checkpoint is of format version {said}, which no release wrote; this tsprout reads {readable()}",
        where=where,
        fix="Make or download the checkpoint again.",
    )


def modern(config: Config, where: str) -> tuple[Config, tuple[int, int], tuple[str, ...]]:
    """A configuration as this version writes it, the version it had, and notes about settings that were left out.

    Args:
        config: as read.
        where: the file, for messages.

    Raises:
        CheckpointError: see :func:`version_of`; or it holds a setting that is not known here and may matter.
    """
    version = version_of(config, where)
    config = deepcopy(config)
    for migration in MIGRATIONS:
        if version < migration.to:
            config = migration.config(config)
    ignorable = config.get("ignorable") or []
    left: list[str] = []
    refused: list[str] = []
    for part, known in KNOWN.items():
        for inner in _parts(config, part):
            for key in sorted(set(inner) - known):
                name = f"{part}.{key}" if part else key
                (left if name in ignorable else refused).append(name)
                inner.pop(key)
    left, refused = list(dict.fromkeys(left)), list(dict.fromkeys(refused))
    writer = str(config.get("tsprout_version", ""))[:20] or "a newer one"
    if refused:
        names = ", ".join(name.removeprefix("model.") for name in refused)
        kind = "model setting" if all(name.startswith("model.") for name in refused) else "setting"
        raise CheckpointError(
            f"unknown {kind}: {names}; this tsprout cannot give the numbers that the one that wrote it gives",
            where=where,
            fix=f"Upgrade tsprout; it was written by {writer}.",
        )
    notes = [
        f"the checkpoint's setting {name}, which does not change the series, is not used (upgrade)" for name in left
    ]
    return config, version, tuple(notes)


def _parts(config: Config, path: str) -> list[Config]:
    """The mappings at a dotted path, of a list all of its members; empty where there is none."""
    found: list[Any] = [config]
    for key in path.split(".") if path else ():
        values = [each.get(key) for each in found if isinstance(each, dict)]
        found = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return [each for each in found if isinstance(each, dict)]


def modern_weights(weights: Weights, version: tuple[int, int]) -> Weights:
    """Weights read from a checkpoint of format ``version``, as this version names them."""
    for migration in MIGRATIONS:
        if version < migration.to:
            weights = migration.weights(weights)
    return weights
