"""All baselines by name: one module a method in this package, and whatever installed packages add.

A module ``block_bootstrap.py`` here holds the class whose ``name`` is ``block-bootstrap``; modules that begin with an
underscore are helpers. A package of somebody else adds one with an entry point::

    [project.entry-points."tsprout.baselines"]
    my-method = "my_package.module:MyMethod"

where ``MyMethod`` is a :class:`~tsprout.baselines.contract.Baseline`. Names are listed without importing anything, and
one that cannot be imported is an error only for who asks for it. Our own names cannot be taken by others.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, fields
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from tsprout.errors import InputError

if TYPE_CHECKING:
    from tsprout.baselines.contract import Baseline

GROUP = "tsprout.baselines"
_PLUMBING = ("contract", "hyperparameters", "registry", "store")


@dataclass(frozen=True)
class Entry:
    """A line of the list: ``error`` says why it cannot be used, where it cannot, and ``lacks`` what it waits for."""

    name: str
    summary: str
    source: str
    package: str
    error: str | None = None
    lacks: str | None = None


def _own() -> dict[str, str]:
    """Modules of our methods by name."""
    found = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    return {m.replace("_", "-"): m for m in found if not m.startswith("_") and m not in _PLUMBING}


def foreign() -> dict[str, EntryPoint]:
    """Entry points by the name of the baseline, but for the modules here; of two of one name ours, or the first."""
    own = _own()
    found = sorted(entry_points(group=GROUP), key=lambda point: (_package(point) != "tsprout", _package(point)))
    return {point.name: point for point in reversed(found) if point.name not in own}


def names() -> list[str]:
    """Names of all baselines, sorted; nothing is imported for it."""
    return sorted({*_own(), *foreign()})


def get(name: str) -> type[Baseline]:
    """The class of a baseline.

    Raises:
        InputError: there is none of that name, or what is installed under it cannot be used.
    """
    from tsprout.baselines.contract import Baseline

    module = _own().get(name)
    if module is not None:
        held = vars(import_module(f"{__package__}.{module}")).values()
        for value in held:
            if isinstance(value, type) and issubclass(value, Baseline) and getattr(value, "name", None) == name:
                return value
        raise InputError(f"the module {module} holds no baseline {name!r}", fix="This is a mistake in tsprout.")
    point = foreign().get(name)
    if point is None:
        fix = f"Choose from {', '.join(names())}, or install the package that adds it."
        raise InputError(f"there is no baseline {name!r}", fix=fix)
    where = f"package {_package(point)}"
    try:
        found = point.load()
    except Exception as error:
        text = f"the baseline {name!r} cannot be loaded ({type(error).__name__}: {error})"
        raise InputError(text, where=where, fix="Repair or remove that package.") from error
    if not (isinstance(found, type) and issubclass(found, Baseline)):
        text = f"what it calls the baseline {name!r} is not a tsprout.baselines.Baseline"
        raise InputError(text, where=where, fix="Tell its authors.")
    if getattr(found, "name", None) != name:
        text = f"the baseline {name!r} calls itself {getattr(found, 'name', None)!r}"
        raise InputError(text, where=where, fix="Tell its authors: entry point and class must have one name.")
    return found


def entries() -> list[Entry]:
    """All baselines, with what each says of itself; a broken one is listed with its error."""
    found, others = [], foreign()
    for name in names():
        package = _package(others[name]) if name in others else "tsprout"
        try:
            kind = get(name)
            found.append(Entry(name, str(kind.summary), str(kind.source), package, lacks=kind.lacks()))
        except Exception as error:
            found.append(Entry(name, "", "", package, error=f"{type(error).__name__}: {error}"))
    return found


def make(name: str, checkpoint: str | None = None) -> Baseline:
    """A baseline that is not fitted, with its own defaults, checked.

    Args:
        name: of the baseline.
        checkpoint: pre-trained model to start from, for one that needs it.

    Raises:
        InputError: there is none, it takes no checkpoint, or something that it needs is not there.
    """
    kind = get(name)
    settings = {f.name for f in fields(kind) if f.init}
    if checkpoint is not None and "checkpoint" not in settings:
        fix = "Leave it out, or name a baseline that starts from one, such as imagenfew."
        raise InputError(f"the baseline {name} takes no checkpoint", where="checkpoint", fix=fix)
    made = kind() if checkpoint is None else kind(checkpoint=checkpoint)  # type: ignore[call-arg]
    made.check()
    return made


def refuse_options(name: str, **given: object) -> None:
    """Refuse what only a pre-trained model can be told, where it is not ``None``.

    Args:
        name: of the baseline.
        **given: options by name; underscores stand for hyphens.

    Raises:
        InputError: one was given.
    """
    for option, value in given.items():
        if value is not None:
            raise InputError(
                f"the baseline {name} takes no {option.replace('_', '-')}",
                where=option.replace("_", "-"),
                fix="Leave it out: a baseline is fitted and drawn from as published, in the lengths of its input.",
            )


def load(folder: str | Path, *, device: str | None = None) -> Baseline:
    """A fitted baseline of any method from its folder; see :meth:`Baseline.load`."""
    from tsprout.baselines.contract import Baseline

    return Baseline.load(folder, device=device)


def _package(point: EntryPoint) -> str:
    return "?" if point.dist is None else str(point.dist.name)
