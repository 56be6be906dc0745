"""Numbers whose digits are grouped, as spreadsheets write them: 1.234,5 or 1,234.5 or 1'234 or 1 234."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tsprout.errors import InputError

# By what groups the digits: that character in its various forms, and what can then stand before the decimals.
_MARKS = {".": (r"\.", ","), ",": (",", "."), "'": ("['\u2019]", ".,"), " ": ("[ \u00a0\u202f]", ".,")}
_DISTINCT = 3  # cells like 1.234 from which on they are no accident
_MOSTLY = 0.8


def pattern(mark: str) -> str:
    """A regular expression that cells with digits grouped by ``mark`` match whole."""
    group, decimal = _MARKS[mark]
    return rf"[+-]?[1-9]\d{{0,2}}(?:{group}\d{{3}})+(?:[{decimal}]\d*)?"


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

    A column shows it by groups beside smaller numbers, or by decimals behind them: addresses, codes and numbers with
    three decimals throughout show nothing.

    Raises:
        InputError: cells like 1.234 may as well be decimals.
    """
    sure: set[str] = set()
    decimals: set[str] = set()
    doubt: dict[str, str] = {}
    for column in columns:
        # A few cells without a digit, such as "-", stand for what is missing.
        digits = [cell for cell in column if re.search(r"\d", cell)]
        cells = digits if len(digits) >= _MOSTLY * len(column) else column
        for mark, (group, decimal) in _MARKS.items():
            grouped = {cell for cell in cells if re.search(group, cell)}
            if not grouped:
                continue
            if not all(re.fullmatch(pattern(mark), cell) for cell in grouped):
                if mark in ".," and all(re.fullmatch(rf"[+-]?\d*{group}\d+(?:[eE][+-]?\d+)?", c) for c in grouped):
                    decimals.add(mark)
                continue
            others = {cell for cell in cells if cell not in grouped}
            if not all(re.fullmatch(rf"[+-]?\d+(?:[{decimal}]\d*)?", cell) for cell in others):
                continue
            marks = {len(re.findall(group, cell)) for cell in grouped} | ({0} if others else set())
            if any(re.search(rf"{group}\d{{3}}[{decimal}]\d", cell) for cell in grouped) or (
                len(marks) > 1 and (max(marks) > 1 or mark in "' ")
            ):
                sure.add(mark)
            elif len(marks) > 1 and len(grouped) >= _DISTINCT:
                doubt[mark] = min(grouped)  # 999 and 1.000, and never other than three digits after the mark
    for mark in _MARKS:
        if mark not in decimals and (mark in sure or (mark in doubt and _MARKS[mark][1] in decimals)):
            return mark
    for mark, cell in doubt.items():
        if mark not in decimals:
            plain = re.sub(_MARKS[mark][0], "", cell)
            raise InputError(
                f"{cell!r} may be {plain} or {cell.replace(',', '.')}: others have no mark, these one before the "
                "last three digits",
                where=where,
                fix=f"Say thousands={mark!r} if it groups digits, or thousands='none'.",
            )
    return ""


def grouped(cell: str, mark: str, decimal: str) -> str:
    """A plain number, with what stands before its decimals, written with its digits grouped."""
    match = re.fullmatch(r"([+-]?)(\d+)(.*)", cell, re.DOTALL)
    if not mark or match is None or (match[3] and match[3][0] != decimal):
        return cell
    sign, whole, rest = match.groups()
    return sign + f"{int(whole):,}".replace(",", mark) + rest
