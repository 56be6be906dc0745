"""Single columns of a table: what kind they are, and how ids, texts and numbers in them are coded and decoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.arrays import as_objects, within_int64

if TYPE_CHECKING:
    import pyarrow as pa

_EXACT = 2**53  # whole numbers up to here are exact as float64


class Coder:
    """Codes for the distinct values of a column that comes in batches; missing is -1."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._index: dict[Any, int] = {}

    def encode(self, column: pa.Array) -> np.ndarray:
        """``int32`` codes ``(n,)`` of one batch."""
        import pyarrow as pa

        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        table = np.empty(len(encoded.dictionary) + 1, np.int32)
        table[-1] = -1
        for i, value in enumerate(encoded.dictionary.to_pylist()):
            if value is None or value != value:
                table[i] = -1
                continue
            table[i] = self._index.setdefault(value, len(self.values))
            if table[i] == len(self.values):
                self.values.append(value)
        return table[encoded.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)]

    def used(self, parts: list[np.ndarray]) -> np.ndarray:
        """Codes of all batches together; what a categorical column names and no row has is forgotten."""
        codes = np.concatenate(parts)
        there = np.unique(codes[codes >= 0])
        if len(there) < len(self.values):
            self.values = [self.values[code] for code in there.tolist()]
            codes = np.where(codes >= 0, np.searchsorted(there, codes), -1).astype(np.int32)
        return codes


def kind_of(dtype: pa.DataType) -> str:
    """The kind of content of an Arrow type, in the words of :func:`tsprout.data.roles.assign`."""
    import pyarrow as pa

    t = pa.types
    if t.is_dictionary(dtype):
        return kind_of(dtype.value_type)
    if t.is_boolean(dtype):
        return "bool"
    if t.is_integer(dtype):
        return "int"
    if t.is_floating(dtype) or t.is_decimal(dtype):
        return "float"
    if t.is_temporal(dtype):
        return "time"
    if t.is_string(dtype) or t.is_large_string(dtype) or t.is_string_view(dtype):
        return "text"
    return "empty" if t.is_null(dtype) else "nested"


def number_column(column: pa.Array) -> np.ndarray:
    """A column of numbers or booleans as ``float64`` ``(n,)``; missing is NaN."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def decode_ids(values: list[Any], is_text: bool) -> np.ndarray:
    """Series ids: ``int64`` when all are whole numbers that fit it (text without leading zeros included), else text."""
    if is_text and all(_canonical_int(v) for v in values):
        return np.array([int(v) for v in values], np.int64)
    if all(_is_whole(v) for v in values) and within_int64(whole := [int(v) for v in values]):
        return np.array(whole, np.int64)
    return as_objects(str(v) for v in values)


def decode_values(values: list[Any], is_text: bool) -> np.ndarray:
    """A label or static column: ``int64`` or ``float64`` when all are such, else objects; missing is ``None``.

    Whole numbers beyond ``int64``, as hashes are, become text.
    """
    present = [v for v in values if v is not None]
    if is_text and present and all(_canonical_int(v) for v in present):
        values = [None if v is None else int(v) for v in values]
    elif is_text and present and all(is_number_text(v) for v in present):
        values = [None if v is None else float(v) for v in values]
    kinds = {type(v) for v in values}
    if int in kinds and not within_int64([v for v in values if type(v) is int]):
        values = [str(v) if type(v) is int else v for v in values]
        kinds = {type(v) for v in values}
    if kinds == {int}:
        return np.array(values, np.int64)
    if kinds in ({float}, {float, type(None)}):
        return np.array([np.nan if v is None else v for v in values], np.float64)
    return as_objects(values)


def _is_whole(value: Any) -> bool:
    """Whether an id is a whole number, also one that came in a column of floats or decimals."""
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= _EXACT
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def missing_numbers(codes: Sequence[str | float]) -> np.ndarray:
    """The codes for "missing" that are numbers, also those given as text; as they are, and as ``float32`` has them."""
    given = np.array([float(c) for c in codes if is_number_text(c)], np.float64)
    with np.errstate(over="ignore"):
        narrow = given.astype(np.float32).astype(np.float64)
    return np.unique([*given, *narrow[np.isfinite(narrow)]])


def without_codes(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Numbers with NaN for the codes of :func:`missing_numbers`; the array itself where there are no codes."""
    if not codes.size or values.dtype.kind not in "biuf":
        return values
    return np.where(np.isin(values, codes), np.nan, values.astype(np.float64))


def _canonical_int(text: Any) -> bool:
    return len(text) < 19 and text.removeprefix("-").isdecimal() and str(int(text)) == text


_SIGNED = re.compile(r"[+-]?\s*(?:[$€£¥%]\s*[+-]?[\d.,' ]*\d[\d.,' ]*|[\d.,' ]*\d[\d.,' ]*\s*[$€£¥%])")


def has_sign(cell: str) -> bool:
    """Whether a text is a number but for a sign of a currency or percent."""
    return _SIGNED.fullmatch(cell.strip()) is not None


def is_number_text(value: Any) -> bool:
    """Whether a text stands for a finite number."""
    try:
        return np.isfinite(float(value))
    except ValueError:
        return False
