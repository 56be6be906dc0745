"""Numbers on their way out: float32 without its noise, and back to the dtype a column came in.

``float32`` holds about seven significant digits. Widened as it is, 0.1 becomes 0.10000000149; here it becomes the
number nearest to the shortest decimal that still reads back as the same ``float32``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DECIMALS = 7
EXACT_INTEGER = 2**24


def clean(values: np.ndarray) -> np.ndarray:
    """``float32`` of any shape as ``float64`` of the fewest significant digits (6 to 9) that read back the same."""
    narrow = np.asarray(values, dtype=np.float32)
    wide = narrow.astype(np.float64)
    flat, target = wide.reshape(-1), narrow.reshape(-1)
    left = np.flatnonzero(np.isfinite(flat) & (flat != np.rint(flat)) & (np.abs(flat) > 1e-30) & (np.abs(flat) < 1e15))
    x = flat[left]
    exponent = np.floor(np.log10(np.abs(x))).astype(np.int64)
    for digits in (6, 7, 8, 9):
        places = digits - 1 - exponent
        up = 10.0 ** np.maximum(places, 0)
        down = 10.0 ** np.maximum(-places, 0)
        rounded = np.rint(x * up / down) * down / up
        good = rounded.astype(np.float32) == target[left]
        flat[left[good]] = rounded[good]
        left, x, exponent = left[~good], x[~good], exponent[~good]
    return wide


def decimals_of(column: np.ndarray, at_least: int = 0) -> int | None:
    """Decimals that hold every number of a column exactly; ``None`` when more than :data:`MAX_DECIMALS` are needed."""
    finite = column[np.isfinite(column)]
    for decimals in range(at_least, MAX_DECIMALS + 1):
        if np.array_equal(np.round(finite, decimals), finite):
            return decimals
    return None


def number_kind(dtype: str) -> str:
    """``int``, ``bool`` or ``float`` for a dtype in pandas', numpy's or Arrow's words."""
    low = dtype.lower()
    if low.startswith("bool"):
        return "bool"
    return "int" if re.match(r"u?int\d", low) else "float"


def to_arrow(values: np.ndarray, dtype: str) -> pa.Array:
    """One column of ``float32`` values ``(n,)`` as an Arrow array of the dtype's kind; NaN becomes null.

    Integers are rounded and held within their type's range.
    """
    import pyarrow as pa

    kind = number_kind(dtype)
    missing = np.isnan(values)
    if kind == "float":
        if dtype in ("float", "float32", "float16", "halffloat"):
            return pa.array(values.astype(np.float32), mask=missing)
        return pa.array(clean(values), mask=missing)
    filled = np.where(missing, 0, values).astype(np.float64)
    if kind == "bool":
        return pa.array(filled > 0.5, mask=missing)
    match = re.match(r"u?int\d+", dtype.lower())
    info = np.iinfo(match.group() if match else "int64")
    rounded = np.rint(filled)
    # 2**63 is a float but not an int64, so the upper end is compared, not clipped to.
    whole = np.where(rounded >= float(info.max), 0, np.maximum(rounded, info.min)).astype(info.dtype)
    whole[rounded >= float(info.max)] = info.max
    return pa.array(whole, mask=missing)


def written_style(texts: list[str], decimal_mark: str = ".") -> str:
    """How numbers were written: ``fixedD`` (always D decimals), ``point`` (1.0 for one) or ``short`` (1 for one)."""
    mark = re.escape(decimal_mark)
    places = [len(t.partition(decimal_mark)[2]) for t in texts if re.fullmatch(rf"[+-]?\d*{mark}?\d*", t)]
    if places and len(places) == len(texts) and len(set(places)) == 1 and 0 < places[0] <= MAX_DECIMALS:
        return f"fixed{places[0]}"
    pointed = any(re.fullmatch(rf"[+-]?\d+{mark}0+", t) for t in texts)
    return "point" if pointed else "short"


def merge_style(style: str, decimals: int | None) -> str:
    """The written style of a sample, corrected by the decimals that all values of the column need."""
    word = style.rstrip("0123456789")
    if word == "fixed":
        fixed = int(style[5:])
        if decimals is not None and decimals <= fixed:
            return style
        word = "point"
    return word if decimals is None else f"{word}{decimals}"


def to_text(values: np.ndarray, dtype: str, style: str, words: tuple[str, str], decimal_mark: str) -> pa.Array:
    """One column of ``float32`` values ``(n,)`` as the text (or number array) a CSV writer puts out unchanged."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = number_kind(dtype)
    if kind == "int":
        return to_arrow(values, "int64")
    if kind == "bool":
        flags = to_arrow(values, "bool")
        return pc.if_else(flags, words[1], words[0])
    missing = np.isnan(values)
    numbers = clean(values)
    word = style.rstrip("0123456789")
    places = style[len(word) :]
    if places:
        numbers = np.round(numbers, int(places))
    numbers = numbers + 0.0  # no "-0"
    if word == "fixed" and np.nanmax(np.abs(numbers), initial=0) < 1e15:
        text = pa.array(numbers, mask=missing).cast(pa.decimal128(38, int(places)), safe=False).cast(pa.string())
    else:
        text = pa.array(numbers, mask=missing)
        if word == "point":
            whole = pa.array((numbers == np.rint(numbers)) & (np.abs(numbers) < 1e15), mask=missing)
            text = text.cast(pa.string())
            text = pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)
    if decimal_mark != ".":
        text = pc.replace_substring(text.cast(pa.string()), ".", decimal_mark)
    return text
