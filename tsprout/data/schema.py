"""How a series set came in, and so how it should go out: columns, order, dtypes, text formats, axes.

A :class:`Schema` is plain data. It goes into checkpoints as JSON, so that a model fitted on a file long gone still
writes files that look like it. No source beyond this project.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tsprout.errors import InputError

FORMATS = (
    "csv-long",
    "csv-wide",
    "parquet-long",
    "parquet-wide",
    "npz",
    "npy",
    "ts",
    "jsonl",
    "numpy",
    "pandas-long",
    "pandas-wide",
    "polars-long",
    "polars-wide",
    "series-set",
)


@dataclass(frozen=True)
class Schema:
    """Everything needed to write what was read. Columns are named by their text, also where a header was a number.

    Attributes:
        format: one of :data:`FORMATS`.
        columns: all columns that go out, in order.
        int_columns: those whose header was an integer (pandas).
        id_column, time_column, label_column, row_number_column: names, or ``None`` where there is none.
        static_columns: per-series columns.
        step_columns: wide format only, the columns that are time steps.
        by_column: long format only, the columns are series (:mod:`tsprout.data.by_column`).
        dtypes: dtype by column in the words of the format: ``int64``, ``float64``, ``bool``, ``str`` for CSV and JSON,
            pandas and Arrow names for frames and Parquet, a numpy dtype under the key ``values`` for arrays.
        arrow: Arrow schema (IPC, base64) for Parquet and polars.
        number_styles: CSV only, how a channel's numbers were written: ``fixedD``, ``pointD`` or ``shortD`` with D
            decimals, without D when they are not limited.
        bool_texts: CSV only, by column the words for false and true.
        time_kind: ``datetime``, ``int``, ``float`` or ``None``.
        time_format: for times that are text, the ``strftime`` format without fraction and time zone.
        time_digits: digits of the fraction of a second in that text.
        time_suffix: time zone as it is written behind that text, such as ``Z`` or ``+01:00``.
        timezone: name or offset of the time zone; ``None`` for times without one.
        index_columns, index_names: pandas index levels, as columns and under their own names.
        axes: axis order of arrays.
        keys: the arrays of an ``.npz`` file, in order.
        delimiter, decimal_mark, encoding, missing_text: CSV dialect.
        meta: further facts of one format only; JSON values.
        notices: sentences for the user about what was noticed while reading.
    """

    format: str
    columns: tuple[str, ...] = ()
    int_columns: tuple[str, ...] = ()
    id_column: str | None = None
    time_column: str | None = None
    label_column: str | None = None
    row_number_column: str | None = None
    static_columns: tuple[str, ...] = ()
    step_columns: tuple[str, ...] = ()
    by_column: bool = False
    dtypes: dict[str, str] = field(default_factory=dict)
    arrow: str | None = None
    number_styles: dict[str, str] = field(default_factory=dict)
    bool_texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    time_kind: str | None = None
    time_format: str | None = None
    time_digits: int = 0
    time_suffix: str = ""
    timezone: str | None = None
    index_columns: tuple[str, ...] = ()
    index_names: tuple[str | None, ...] = ()
    axes: str | None = None
    keys: tuple[str, ...] = ()
    delimiter: str = ","
    decimal_mark: str = "."
    encoding: str = "utf-8"
    missing_text: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"unknown format {self.format!r}", fix=f"Known formats: {', '.join(FORMATS)}.")

    @property
    def family(self) -> str:
        """The format without ``-long`` or ``-wide``."""
        return self.format.partition("-")[0]

    @property
    def wide(self) -> bool:
        """Whether one row is one series."""
        return self.format.endswith("-wide")

    @property
    def long(self) -> bool:
        """Whether it is a table in which one row is one time step."""
        return self.format.endswith("-long")

    def replace(self, **changes: Any) -> Schema:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def noticed(self, *notices: str) -> Schema:
        """A copy with further notices, each only once."""
        return self.replace(notices=tuple(dict.fromkeys((*self.notices, *notices))))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; fields that hold their default are left out."""
        out: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
            if value != default:
                out[f.name] = _plain(value)
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """The schema :meth:`to_dict` described.

        Raises:
            InputError: not such a description, or one with fields this version does not know.
        """
        fields = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(data) - set(fields))
        if unknown or "format" not in data:
            raise InputError(f"not a schema this version can read: {f'unknown {unknown}' if unknown else 'no format'}")
        values: dict[str, Any] = {
            k: tuple(v) if str(fields[k].type).startswith("tuple") else v for k, v in data.items()
        }
        if "bool_texts" in values:
            values["bool_texts"] = {k: (v[0], v[1]) for k, v in values["bool_texts"].items()}
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value
