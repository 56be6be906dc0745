"""Hyper-parameters of the baselines, refused in words where they cannot be used: they come from files, too."""

from __future__ import annotations

import math
from numbers import Integral, Real

from tsprout.errors import InputError


def whole_numbers(*, least: int = 1, **values: object) -> None:
    """Refuse what is not a whole number of ``least`` or more.

    Raises:
        InputError: naming the first of them.
    """
    for name, value in values.items():
        _refuse_text(name, value)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(f"{name} is {value}", where=name, fix=f"Give a whole number, {least} or more.")


def numbers(
    *, least: float = 0.0, most: float = math.inf, above: bool = False, below: bool = False, **values: object
) -> None:
    """Refuse what is not a finite number from ``least`` to ``most``.

    Args:
        least, most: the bounds.
        above: whether ``least`` itself is refused.
        below: whether ``most`` itself is refused.
        **values: by name.

    Raises:
        InputError: naming the first of them.
    """
    lower = f"above {least:g}" if above else f"{least:g} or more" if math.isfinite(least) else "not infinite"
    upper = "" if most == math.inf else f" and below {most:g}" if below else f" and at most {most:g}"
    for name, value in values.items():
        _refuse_text(name, value)
        try:
            known = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        except OverflowError:
            known = math.inf
        inside = math.isfinite(known) and least <= known <= most
        if not inside or (above and known == least) or (below and known == most):
            raise InputError(f"{name} is {value}", where=name, fix=f"Give a number, {lower}{upper}.")


def sizes(name: str, values: object, *, some: bool = True) -> tuple[int, ...]:
    """A list of whole numbers above 0, as the tuple it was before it went through a settings file.

    Raises:
        InputError: it is none; or it is empty, and ``some`` are needed.
    """
    if not isinstance(values, list | tuple) or (some and not values):
        raise InputError(f"{name} is {values!r}", where=name, fix="Give a list of whole numbers above 0.")
    for value in values:
        whole_numbers(**{name: value})
    return tuple(values)


def _refuse_text(name: str, value: object) -> None:
    if isinstance(value, str):
        fix = "Give a number; YAML reads 1e-3 as text, and 1.0e-3 as a number."
        raise InputError(f"{name} is the text {value!r}", where=name, fix=fix)
