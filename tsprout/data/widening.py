"""Columns on their way out: in the type that came in, or in a wider one where that cannot hold what was drawn.

Ids go on counting and values go beyond those of the shots. Nothing of it may wrap around, become nought or be refused
after all the work, so a type gives way: small integers to ``int64``, a decimal to one of more digits, ids to text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tsprout.data import numbers
from tsprout.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def fitted(column: pa.Array, field: pa.Field, is_id: bool = False) -> tuple[pa.Array, pa.Field]:
    """A column in the type of its field, and the field; in a wider type, and a field of that, where it does not fit.

    Args:
        is_id: the column may become text.

    Raises:
        InputError: it fits no type that will do.
    """
    import pyarrow as pa

    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    if pa.types.is_decimal(field.type) and not pa.types.is_decimal(plain.type):
        field = _changed(field, _roomy(plain, field.type))
    reason: Exception | str = "it does not fit"
    if not (is_id and _outside_enum(plain, field)):
        try:
            return _cast(plain, field.type), field
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            reason = error
    for dtype in _wider(plain, field.type, is_id):
        try:
            return _cast(plain, dtype), _changed(field, dtype)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    raise InputError(f"column {field.name!r} cannot be written as {field.type}: {reason}")


def _changed(field: pa.Field, dtype: pa.DataType) -> pa.Field:
    return field if dtype == field.type else field.with_type(dtype).remove_metadata()


def _cast(column: pa.Array, dtype: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    t, found = pa.types, column.type
    if t.is_dictionary(dtype):
        return _cast(column, dtype.value_type).dictionary_encode().cast(dtype)
    if t.is_time32(dtype):
        column = column.cast(pa.int32())
    if t.is_integer(found) and t.is_decimal(dtype):
        column = column.cast(pa.decimal256(76, max(dtype.scale, 0)))
    # Decimals of floats are rounded, finer times cut off; whatever else is lost would be lost unseen.
    rounded = t.is_floating(found) and (t.is_decimal(dtype) or t.is_floating(dtype))
    made = column.cast(dtype, safe=not (rounded or (t.is_timestamp(found) and t.is_temporal(dtype))))
    narrowed = t.is_floating(found) and t.is_floating(dtype) and dtype.bit_width < found.bit_width
    if narrowed and pc.sum(pc.is_finite(made)) != pc.sum(pc.is_finite(column)):
        raise pa.ArrowInvalid("a number is too large")
    return made


def _roomy(column: pa.Array, dtype: pa.DataType) -> pa.DataType:
    """The decimal type itself, or one of the same scale with digits enough for every number of a column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)) or column.null_count == len(column):
        return dtype
    ends = pc.min_max(column)
    largest = max(abs(ends["min"].as_py()), abs(ends["max"].as_py()))
    # A little more than half of the last place, for Arrow makes nought of what its rounding takes beyond the digits.
    whole = int(largest + 0.51 * 10.0**-dtype.scale if isinstance(largest, float) else largest)
    needed = (len(str(whole)) if whole else 0) + dtype.scale
    if needed <= dtype.precision:
        return dtype
    return pa.decimal128(needed, dtype.scale) if needed <= 38 else pa.decimal256(min(needed, 76), dtype.scale)


def _wider(column: pa.Array, dtype: pa.DataType, is_id: bool) -> Iterator[pa.DataType]:
    """Types to try where one does not hold a column, the nearest first."""
    import pyarrow as pa

    t = pa.types
    coded = t.is_dictionary(dtype)
    inner = dtype.value_type if coded else dtype
    if coded:
        yield pa.dictionary(pa.int32(), inner)
    numeric = t.is_integer(inner) or t.is_floating(inner)
    if (t.is_integer(column.type) or t.is_floating(column.type)) and numeric:
        yield column.type
    if is_id:
        yield inner if t.is_large_string(inner) else pa.string()


def _outside_enum(column: pa.Array, field: pa.Field) -> bool:
    """Whether a field is a polars ``Enum`` and some text of the column is none of its values."""
    packed = next((v for k, v in (field.metadata or {}).items() if k.startswith(b"_PL_ENUM_VALUES")), None)
    if packed is None:
        return False
    known = set()
    while packed:
        size, _, packed = packed.partition(b";")
        known.add(packed[: int(size)].decode())
        packed = packed[int(size) :]
    return not known.issuperset(column.unique().cast("string").to_pylist())


def redescribed(metadata: dict[bytes, bytes] | None, changed: list[pa.Field]) -> dict[bytes, bytes] | None:
    """The metadata of a schema, in which pandas' own account of some columns is that of their new types."""
    import numpy as np
    import pyarrow as pa

    if not changed or not metadata or b"pandas" not in metadata:
        return metadata
    facts: dict[str, Any] = json.loads(metadata[b"pandas"])
    for column in facts.get("columns", ()):
        field = next((f for f in changed if f.name == column.get("field_name")), None)
        if field is None:
            continue
        if pa.types.is_dictionary(field.type):  # pandas makes a category of it, whatever is said of its codes
            column["numpy_type"] = str(field.type.index_type)
            continue
        decimal = pa.types.is_decimal(field.type)
        name = np.dtype(field.type.to_pandas_dtype()).name
        column["pandas_type"] = "decimal" if decimal else {"object": "unicode"}.get(name, name)
        column["numpy_type"] = name
        column["metadata"] = {"precision": field.type.precision, "scale": field.type.scale} if decimal else None
    return {**metadata, b"pandas": json.dumps(facts).encode()}


def breadth(dtype: str) -> tuple[int, int]:
    """How much a dtype, in whatever words, can hold; for comparison."""
    kind = ("bool", "int", "float").index(numbers.number_kind(dtype))
    bits = re.match(r"u?(?:int|float)(\d+)", dtype.lower())
    # Arrow's words for floats have no digits; decimals hold less than any of them.
    named = {"halffloat": 16, "float": 32, "double": 64, "object": 64}
    return kind, int(bits[1]) if bits else named.get(dtype.lower(), 0)
