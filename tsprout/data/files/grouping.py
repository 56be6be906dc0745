"""Numbers whose digits are grouped, as spreadsheets write them: 1.234,5 or 1,234.5 or 1'234 or 1 234."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tsprout.errors import InputError

# By what groups the digits: that character in its various forms, and what can then stand before the decimals.
_MARKS = {".": (r"\.", ","), ",": (",", "."), "'": ("['\u2019]", ".,"), " ": ("[ \u00a0\u202f]", ".,")}
_DISTINCT = 3  # cells like 1.234 from which on they are no accident


def pattern(mark: str) -> str:
    """A regular expression that cells with digits grouped by ``mark`` match whole."""
    group, decimal = _MARKS[mark]
    return rf"[+-]?\d{{1,3}}(?:{group}\d{{3}})+(?:[{decimal}]\d*)?"


def ungrouped(cell: str, mark: str) -> str:
    """A cell without what groups its digits; any other as it is."""
    return re.sub(_MARKS[mark][0], "", cell) if mark and re.fullmatch(pattern(mark), cell) else cell


def group_class(mark: str) -> str:
    """A regular expression for the character that groups digits."""
    return _MARKS[mark][0]


def decimal_of(mark: str, usual: str) -> str:
    """What stands before the decimals where ``mark`` groups digits; ``usual`` where that leaves it open."""
    decimals = _MARKS[mark][1] if mark else ""
    return decimals if len(decimals) == 1 else usual


def found(columns: Iterable[Sequence[str]], where: str) -> str:
    """What groups the digits of the numbers in some columns of cells; ``""`` if nothing does.

    Raises:
        InputError: cells like 1.234 may as well be decimals.
    """
    sure: set[str] = set()
    decimals: set[str] = set()
    doubt: dict[str, str] = {}
    for cells in columns:
        for mark, (group, decimal) in _MARKS.items():
            grouped = {cell for cell in cells if re.search(group, cell)}
            if not grouped:
                continue
            if not all(re.fullmatch(pattern(mark), cell) for cell in grouped):
                if mark in ".," and all(
                    re.fullmatch(rf"[+-]?\d*{group}\d+(?:[eE][+-]?\d+)?", cell) for cell in grouped
                ):
                    decimals.add(mark)
                continue
            certain = rf".*{group}\d{{3}}(?:{group}\d{{3}}|[{decimal}]\d).*"
            if mark in "' " or any(re.fullmatch(certain, cell) for cell in grouped):
                sure.add(mark)
                continue
            # Up to 999 without a mark, from 1.000 on with one, and never other than three digits after it.
            others = [cell for cell in cells if cell not in grouped]
            small = others and all(re.fullmatch(rf"[+-]?\d{{1,3}}(?:[{decimal}]\d*)?", cell) for cell in others)
            if small and len(grouped) >= _DISTINCT and not any(cell.lstrip("+-").startswith("0") for cell in grouped):
                doubt[mark] = min(grouped)
    for mark in _MARKS:
        if mark not in decimals and (mark in sure or (mark in doubt and _MARKS[mark][1] in decimals)):
            return mark
    for mark, cell in doubt.items():
        if mark not in decimals:
            plain = re.sub(_MARKS[mark][0], "", cell)
            raise InputError(
                f"{cell!r} may be {plain} or {cell.replace(',', '.')}: numbers up to 999 have no mark, larger ones one "
                "before the last three digits",
                where=where,
                fix=f"Say thousands={mark!r} if it groups digits, or thousands='none'.",
            )
    return ""
