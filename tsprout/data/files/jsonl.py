"""GluonTS JSON lines: one series a line, ``{"start": ..., "target": [...], "item_id": ..., "freq": ...}``.

``target`` is one list, or one list a channel. Times follow from ``start`` and ``freq``; what these cannot say
(irregular or numeric times, channel names) is written under ``times`` and ``channels``, which GluonTS ignores.
Scalars under other keys, and the items of ``feat_static_cat`` and ``feat_static_real``, are static columns.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.arrays import COUNT_LATER, TIMES_TOO_LARGE, within_int64
from tsprout.data import numbers, tables
from tsprout.data.columns import decode_ids, decode_values, missing_numbers, without_codes
from tsprout.data.files import json_rows
from tsprout.data.files._writer import Writer
from tsprout.data.files.packing import is_called_packed, packer
from tsprout.data.long import attach
from tsprout.data.memory import require
from tsprout.data.precision import array_notices
from tsprout.data.reading import ReadOptions
from tsprout.data.roles import ID_NAMES, LABEL_NAMES
from tsprout.data.schema import Schema
from tsprout.data.timestamps import (
    TimeStyle,
    default_style,
    expand,
    format_times,
    infer_frequency,
    parse_texts,
    sniff_style,
)
from tsprout.errors import InputError, NotThereError
from tsprout.series import SeriesSet

LISTS = ("feat_static_cat", "feat_static_real")
OWN = ("start", "target", "freq", "times", "channels")


def read(path: Path, options: ReadOptions) -> SeriesSet:
    """Read JSON lines; see :func:`tsprout.data.files.read`."""
    return _Reader(path, options).read()


class _Reader:
    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self.options, self.where = path, options, str(path)
        self.notices: list[str] = []
        self.missing = "null"
        self.whole = True
        self.nested = False
        self.arrays: list[np.ndarray] = []
        self.codes = missing_numbers(options.missing_codes)

    def read(self) -> SeriesSet:
        require(2 * self.path.stat().st_size, self.options.available_memory, self.where)
        rows = self._records()
        first = rows[0][1]
        keys = list(first)
        id_key = self.options.id_column or next((k for k in ID_NAMES if k in first), None)
        label_key = self.options.label_column or next((k for k in LABEL_NAMES if k in first), None)
        for asked in (self.options.id_column, self.options.label_column, *(self.options.static_columns or ())):
            if asked is not None and asked not in first:
                raise NotThereError("key", asked, where=self.where, fix=f"Keys there are: {', '.join(keys)}.")
        arrays = self.arrays
        c = arrays[0].shape[0]
        for (number, _), array in zip(rows, arrays, strict=True):
            if array.shape[0] != c:
                raise InputError(f"{array.shape[0]} channels, but the first series has {c}", where=self._at(number))
        lengths = np.array([a.shape[1] for a in arrays], np.int64)
        values = np.full((len(arrays), c, int(lengths.max())), np.nan)
        for i, array in enumerate(arrays):
            values[i, :, : lengths[i]] = array
        names = (
            self.options.channels
            or first.get("channels")
            or (["target"] if c == 1 else [f"target_{j}" for j in range(c)])
        )
        style, times = self._times(rows, lengths)
        static = self._static(rows, {id_key, label_key})
        if times is None and style is None and "start" in first:
            static["start"] = decode_values([row.get("start") for _, row in rows], is_text=False)
        ids = None
        if id_key is not None:
            ids = decode_ids([self._need(number, row, id_key) for number, row in rows], is_text=False)
        try:
            series = SeriesSet.from_arrays(
                values,
                lengths=lengths,
                channels=names,
                ids=ids,
                times=times,
                frequency=infer_frequency(times, lengths),
                labels=decode_values([row.get(label_key) for _, row in rows], is_text=False) if label_key else None,
                static=static,
            )
        except InputError as error:
            raise InputError(error.what, where=self.where, fix=error.fix) from None
        lists = {k: len(first[k]) for k in LISTS if isinstance(first.get(k), list)}
        schema = Schema(
            "jsonl",
            columns=tuple(k for k in keys if k in OWN or k in lists or k in static or k in (id_key, label_key)),
            id_column=id_key,
            label_column=label_key,
            time_column=None if times is None else "start" if style and style.kind == "datetime" else "times",
            static_columns=tuple(static),
            dtypes={"values": "int64" if self.whole else "float64"},
            time_kind=style.kind if style else None,
            time_format=style.format if style else None,
            time_digits=style.digits if style else 0,
            time_suffix=style.suffix if style else "",
            timezone=style.timezone if style else None,
            encoding=self.options.encoding,
            missing_text=self.missing,
            meta={"freq": first.get("freq"), "lists": lists, "nested": self.nested},
            notices=(*self.notices, *array_notices(values, series.values, series.channels)),
        )
        return attach(series, schema, self.options)

    def _at(self, number: int) -> str:
        return f"{self.where}, line {number}"

    def _records(self) -> list[tuple[int, dict[str, Any]]]:
        rows = []
        for number, row in json_rows.rows(self.path, self.options.encoding):
            self.arrays.append(self._target(number, row["target"]))
            row["target"] = None  # the parsed list takes ten times the memory of the array
            rows.append((number, row))
        if not rows:
            raise InputError("the file is empty", where=self.where)
        return rows

    def _target(self, number: int, target: list[Any]) -> np.ndarray:
        self.nested = isinstance(target[0], list)
        channels = target if isinstance(target[0], list) else [target]
        if any(not isinstance(ch, list) or len(ch) != len(channels[0]) for ch in channels):
            raise InputError("the channels of the target have different lengths", where=self._at(number))
        self.whole = self.whole and all(
            v is None or v == "NaN" or v != v or isinstance(v, int) for ch in channels for v in ch
        )
        try:
            # Arrays are float32 in the end; converting one by one keeps memory near that.
            array = np.array(channels, dtype=np.float64)
            if array.ndim != 2:
                raise ValueError("lists within its lists")
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"the target holds something that is not a number: {error}", where=self._at(number)
            ) from None
        if np.isnan(array).any():
            gap = next(v for ch in channels for v in ch if v is None or isinstance(v, str) or v != v)
            self.missing = "null" if gap is None else '"NaN"' if isinstance(gap, str) else "NaN"
        if np.isinf(array).any():
            raise InputError("the target holds infinite values", where=self._at(number))
        return without_codes(array, self.codes)

    def _need(self, number: int, row: dict[str, Any], key: str) -> Any:
        if row.get(key) is None:
            raise InputError(f"the key {key!r} is missing", where=self._at(number))
        return row[key]

    def _static(self, rows: list[tuple[int, dict[str, Any]]], taken: set[str | None]) -> dict[str, np.ndarray]:
        static: dict[str, np.ndarray] = {}
        first = rows[0][1]
        for key, value in first.items():
            if key in OWN or key in taken:
                continue
            if key in LISTS and isinstance(value, list):
                for j in range(len(value)):
                    items = [self._need(number, row, key) for number, row in rows]
                    if any(not isinstance(item, list) or len(item) != len(value) for item in items):
                        raise InputError(f"under {key!r} are not lists of one length", where=self.where)
                    static[f"{key}_{j}"] = decode_values([item[j] for item in items], is_text=False)
            elif any(isinstance(row.get(key), list | dict) for _, row in rows):
                self.notices.append(f"key left out: {key!r} (not one value a series)")
            else:
                static[key] = decode_values([row.get(key) for _, row in rows], is_text=False)
        return static

    def _times(
        self, rows: list[tuple[int, dict[str, Any]]], lengths: np.ndarray
    ) -> tuple[TimeStyle | None, np.ndarray | None]:
        first = rows[0][1]
        listed = "times" in first
        if not listed and not ("start" in first and first.get("freq")):
            return None, None
        own = [self._need(number, row, "times" if listed else "start") for number, row in rows]
        for (number, _), ts, n in zip(rows, own, lengths.tolist(), strict=True):
            if listed and len(ts) != n:
                raise InputError(f"{len(ts)} times for {n} time steps", where=self._at(number))
        flat = [t for ts in own for t in ts] if listed else own
        if len({isinstance(t, str) for t in flat}) > 1:
            raise InputError("times are numbers in one series and texts in another", where=self.where)
        if flat and not isinstance(flat[0], str):
            style = TimeStyle("int" if all(isinstance(t, int) for t in flat) else "float")
            if style.kind == "int" and not within_int64(flat):
                raise InputError(TIMES_TOO_LARGE, where=self.where, fix=COUNT_LATER)
            parsed = np.array(flat, np.int64 if style.kind == "int" else np.float64)
        else:
            style, parsed = self._parsed(rows, [str(t) for t in flat])
        times = np.zeros((len(rows), int(lengths.max())), parsed.dtype)
        at = 0
        for i, ((number, row), n) in enumerate(zip(rows, lengths.tolist(), strict=True)):
            if listed:
                times[i, :n] = parsed[at : at + n]
                at += n
            else:
                try:
                    times[i, :n] = expand(parsed[i], str(row.get("freq") or first["freq"]), n)
                except InputError as error:
                    raise InputError(error.what, where=self._at(number), fix=error.fix) from None
        return style, times

    def _parsed(self, rows: list[tuple[int, dict[str, Any]]], texts: list[str]) -> tuple[TimeStyle, np.ndarray]:
        import pyarrow as pa

        style = sniff_style(texts, self.options.day_first)
        if style is None or style.kind != "datetime":
            raise InputError(f"start {texts[0]!r} is not a time stamp", where=self._at(rows[0][0]))
        parsed, bad = parse_texts(pa.array(texts, pa.string()), style)
        if bad.any():
            k = int(np.argmax(bad))
            number = rows[k][0] if len(texts) == len(rows) else rows[0][0]
            raise InputError(f"time stamp {texts[k]!r} cannot be read", where=self._at(number))
        if style.notice:
            self.notices.append(style.notice)
        return style, parsed


class JsonlWriter(Writer):
    """Writes JSON lines."""

    _sink: Any = None

    def _begin(self, batch: SeriesSet) -> None:
        base = self.known or Schema("series-set")
        self.schema = base
        same = base.format == "jsonl"
        kinds = {numbers.number_kind(tables.channel_dtype(base, c)) for c in self.channels}
        self._int = kinds == {"int"}
        if same and base.meta.get("freq"):
            self._freq = base.meta["freq"]
        elif same and "times" in base.columns:
            self._freq = None
        else:
            self._freq = batch.frequency or infer_frequency(batch.times, batch.lengths)
        self._id = base.id_column if same else "item_id"
        self._label = base.label_column if same and base.label_column else "label"
        self._lists: dict[str, int] = base.meta.get("lists", {}) if same else {}
        plain = ("target",) if len(self.channels) == 1 else tuple(f"target_{j}" for j in range(len(self.channels)))
        self._names = list(self.channels) if self.channels != plain or "channels" in base.columns else None
        self._nested = len(self.channels) > 1 or bool(same and base.meta.get("nested"))
        self._style = None
        if batch.times is not None and batch.times.dtype.kind == "M":
            known = base.time_format is not None
            self._style = (
                TimeStyle("datetime", base.time_format, base.time_digits, base.time_suffix)
                if known
                else default_style(batch.times, base.timezone)
            )
        self._grids: dict[tuple[int, int], np.ndarray] = {}
        bad = [k for k in batch.static if k in OWN and k != "start"]
        if bad:
            raise InputError(f"a static column cannot be called {bad[0]!r} in JSON lines", where=str(self.path))
        self._sink = packer(self.file) if is_called_packed(self.path) else self.file

    def _add(self, batch: SeriesSet) -> None:
        for block in tables.blocks(batch):
            numbers_out = self._numbers(block)
            lines = [self._line(block, i, numbers_out[i]) for i in range(len(block))]
            self._sink.write("".join(lines).encode(self.schema.encoding))

    def _numbers(self, block: SeriesSet) -> list[list[list[Any]]]:
        """The values of each series and channel, within its length, as JSON will show them."""
        mark = {"NaN": float("nan"), '"NaN"': "NaN"}.get(self.schema.missing_text)
        values = np.rint(block.values).astype(np.float64) if self._int else numbers.clean(block.values)
        out = []
        for rows, seen, own in zip(values, block.observed, block.lengths.tolist(), strict=True):
            part = rows[:, :own]
            if self._int and seen[:, :own].all():
                out.append(part.astype(np.int64).tolist())
                continue
            listed: list[list[Any]] = part.tolist()
            if not seen[:, :own].all():
                listed = [[mark if v != v else v for v in row] for row in listed]
            if self._int:
                listed = [[int(v) if isinstance(v, float) and v == v else v for v in row] for row in listed]
            out.append(listed)
        return out

    def _line(self, block: SeriesSet, i: int, values: list[list[Any]]) -> str:
        own = int(block.lengths[i])
        row: dict[str, Any] = {}
        if block.times is not None:
            row |= self._times_of(block.times[i, :own])
        row["target"] = values if self._nested else values[0]
        if self._id is not None:
            row[self._id] = _plain(block.ids[i])
        if self._names is not None:
            row["channels"] = self._names
        if block.labels is not None:
            row[self._label] = _plain(block.labels[i])
        static = {name: _plain(column[i]) for name, column in block.static.items()}
        for key, count in self._lists.items():
            row[key] = [static.pop(f"{key}_{j}", None) for j in range(count)]
        row |= static
        ordered = {k: row.pop(k) for k in self.schema.columns if k in row} | row
        return json.dumps(ordered, ensure_ascii=False) + "\n"

    def _times_of(self, times: np.ndarray) -> dict[str, Any]:
        if self._style is None:
            return {"times": times.tolist()}
        out: dict[str, Any] = {"start": self._text(times[:1])[0] if len(times) else None}
        if self._freq and len(times):
            key = (int(times[0].astype(np.int64)), len(times))
            if key not in self._grids:
                if len(self._grids) > 1000:
                    self._grids.clear()
                self._grids[key] = expand(times[0], self._freq, len(times))
            if np.array_equal(self._grids[key], times):
                return out | {"freq": self._freq}
        return out | {"times": self._text(times)}

    def _text(self, times: np.ndarray) -> list[str]:
        assert self._style is not None
        return format_times(times, self._style).dictionary_decode().to_pylist()

    def _end(self) -> None:
        if self._sink is not self.file:
            self._sink.close()


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if value != value else value
