"""Time budgets, as a person writes them, and the number of training steps they buy.

A budget is turned into steps by a fixed cost model and not by a clock, so that the same seed gives the same model
however busy the machine is. The clock only guards: a fit that would take much longer than asked is stopped, and says
so.
"""

from __future__ import annotations

import math
import re

from tsprout.errors import InputError

MIN_BUDGET = 5.0
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
# Effective speed, in multiply-adds a second, of one free core training this kind of small network, looks included.
_ASSUMED_SPEED = 3.0e10


def parse_budget(text: str | float) -> float:
    """Seconds of a budget such as ``45``, ``"30s"``, ``"2m"``, ``"1.5h"``, ``"2d"``.

    Raises:
        InputError: it cannot be read, or is below :data:`MIN_BUDGET` seconds.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", str(text).lower())
    unit = _UNITS.get(match.group(2)) if match else None
    if match is None or unit is None:
        raise InputError(
            f"the budget {text!r} cannot be read", where="budget", fix="Write a time such as 30s, 2m or 1h."
        )
    seconds = float(match.group(1)) * unit
    if seconds < MIN_BUDGET:
        raise InputError(
            f"a budget of {text} is too small", where="budget", fix=f"The minimum is {MIN_BUDGET:g}s; 60s is usual."
        )
    return seconds


def affordable_steps(seconds: float, multiply_adds: float, most: int) -> int:
    """How many training steps of ``multiply_adds`` each (forward pass) a budget buys, at most ``most``, at least 1."""
    return max(1, int(min(most, seconds * _ASSUMED_SPEED / (3 * multiply_adds))))


def budget_for(steps: int, multiply_adds: float) -> str:
    """The least budget, in words for :func:`parse_budget`, that buys so many steps of ``multiply_adds`` each."""
    seconds = max(MIN_BUDGET, 3 * multiply_adds * steps / _ASSUMED_SPEED)
    if seconds <= 60:
        return f"{math.ceil(seconds)}s"
    return f"{math.ceil(seconds / 60)}m" if seconds <= 3600 else f"{math.ceil(seconds / 360) / 10:g}h"
