"""aeon / sktime ``.ts`` files. Read through aeon (the extra ``ts``); written here, for the format is lines of numbers.

aeon puts all text in lower case, so labels are taken from the lines themselves. The format has no ids, times or static
columns.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data import numbers, tables
from tsprout.data.columns import decode_values, missing_numbers, without_codes
from tsprout.data.files._writer import Writer
from tsprout.data.long import attach
from tsprout.data.memory import require
from tsprout.data.precision import array_notices
from tsprout.data.reading import ReadOptions
from tsprout.data.schema import Schema
from tsprout.errors import InputError, MissingExtraError
from tsprout.series import SeriesSet

CHANNELS_MARK = "# channels:"


def read(path: Path, options: ReadOptions) -> SeriesSet:
    """Read a ``.ts`` file; see :func:`tsprout.data.files.read`."""
    where = str(path)
    head, lines, labels = _scan(path, options)
    require(4 * path.stat().st_size, options.available_memory, where)
    try:
        from aeon.datasets import load_from_ts_file
    except ImportError:
        raise MissingExtraError(
            "reading .ts files needs the package aeon", where=where, fix="Install it: pip install 'tsprout[ts]'."
        ) from None
    try:
        cases, _ = load_from_ts_file(where, encoding=options.encoding)
    except (OSError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"the .ts file cannot be read: {_plain(str(error))}",
            where=f"{where}{_case_line(str(error), lines)}",
            fix="Check that the header (@univariate, @equalLength, @classLabel) agrees with the data.",
        ) from None
    lengths = np.array([case.shape[-1] for case in cases], np.int64)
    n, c = len(cases), int(cases[0].shape[0])
    values = np.full((n, c, int(lengths.max())), np.nan)
    for i, case in enumerate(cases):
        values[i, :, : lengths[i]] = case
    if np.isinf(values).any():
        i, j, k = (int(x) for x in np.argwhere(np.isinf(values))[0])
        raise InputError(f"infinite value in channel {j}, time step {k}", where=f"{where}, line {lines[i]}")
    values = without_codes(values, missing_numbers(options.missing_codes))
    names = list(options.channels) if options.channels is not None else head["channels"]
    column = decode_values(list(labels), is_text=True) if labels else None
    cells = head["cells"]
    whole = bool(np.all(np.isnan(values) | (values == np.rint(values)))) and not any("." in t for t in cells)
    style = numbers.merge_style(numbers.written_style(cells), numbers.decimals_of(values))
    try:
        series = SeriesSet.from_arrays(values, lengths=lengths, channels=names, labels=column)
    except InputError as error:
        raise InputError(error.what, where=where, fix=error.fix) from None
    schema = Schema(
        "ts",
        dtypes={"values": "int64" if whole else "float64"},
        number_styles={"values": style},
        missing_text=head["missing"],
        encoding=options.encoding,
        label_column="targetlabel" if head["target"] else "classlabel" if labels else None,
        meta={"name": head["name"], "classes": head["classes"], "named": bool(head["channels"])},
        notices=tuple(array_notices(values, series.values, series.channels)),
    )
    return attach(series, schema, options)


def _scan(path: Path, options: ReadOptions) -> tuple[dict[str, Any], list[int], list[str]]:
    """Facts of the header in their own spelling, the lines the series are on, and their labels."""
    where = str(path)
    head: dict[str, Any] = {"name": path.stem, "classes": [], "target": False, "channels": None, "missing": "?"}
    head["cells"] = []
    labelled, in_data = True, False
    lines: list[int] = []
    labels: list[str] = []
    try:
        with open(path, encoding=options.encoding) as text:
            for number, line in enumerate(text, 1):
                line = line.strip()
                if in_data:
                    if not line:
                        raise InputError("there is an empty line among the series", where=f"{where}, line {number}")
                    lines.append(number)
                    cut = line.rsplit(":", 1)
                    if labelled and len(cut) == 2:
                        labels.append(cut[1].strip())
                    if len(lines) <= 50:
                        found = [t.strip() for t in re.split("[,:]", cut[0])]
                        head["cells"] += [t for t in found if t.lower() not in ("?", "nan")]
                        head["missing"] = next((t for t in found if t.lower() in ("?", "nan")), head["missing"])
                elif line.startswith(CHANNELS_MARK):
                    head["channels"] = line[len(CHANNELS_MARK) :].strip().split(" ")
                elif line.startswith("@"):
                    key, *rest = line[1:].split()
                    first = rest[0] if rest else ""
                    in_data = key.lower() == "data"
                    if key.lower() == "problemname":
                        head["name"] = first or path.stem
                    if key.lower() in ("classlabel", "targetlabel"):
                        labelled = first.lower() == "true"
                        head["target"] = key.lower() == "targetlabel" and labelled
                        head["classes"] = rest[1:]
                    if key.lower() == "timestamps" and first.lower() == "true":
                        raise InputError(
                            "time stamps in .ts files are not supported",
                            where=f"{where}, line {number}",
                            fix="Write the series without them, or as a long CSV.",
                        )
                elif line and not line.startswith("#"):
                    raise InputError(
                        f"{line[:40]!r} is neither a header line (@...) nor a comment (#...)",
                        where=f"{where}, line {number}",
                        fix="Put @data before the first series.",
                    )
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(f"not {options.encoding} text: {error}", where=where, fix="Say it with encoding=.") from None
    if not lines:
        what = "there are no series after @data" if in_data else "there is no @data line"
        raise InputError(what, where=where, fix="Give a .ts file with a header, @data, and one series a line.")
    return head, lines, labels


def _plain(error: str) -> str:
    return re.sub(r"Error loading <[^>]*>\. ?", "", error)


def _case_line(error: str, lines: list[int]) -> str:
    match = re.search(r"case (\d+)", error)
    case = int(match[1]) if match else 0
    return f", line {lines[case - 1]}" if 0 < case <= len(lines) else ""


class TsWriter(Writer):
    """Writes ``.ts``. The header says what only the last batch shows, so the lines wait in a temporary file."""

    _body: Any = None

    def _begin(self, batch: SeriesSet) -> None:
        base = self.known or Schema("series-set")
        self.schema = base
        kinds = {numbers.number_kind(tables.channel_dtype(base, c)) for c in self.channels}
        self._dtype = "int64" if kinds <= {"int", "bool"} else "float64"
        self._style = base.number_styles.get("values", "short")
        self._mark = base.missing_text if base.format == "ts" else "?"
        self._labels: dict[str, None] = dict.fromkeys(base.meta.get("classes", ()) if base.format == "ts" else ())
        self._labelled = batch.labels is not None
        self._target = base.label_column == "targetlabel" or (
            self._labelled and batch.labels is not None and batch.labels.dtype.kind == "f"
        )
        self._lengths: set[int] = set()
        self._gaps = False
        self._body = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115  (closed in _discard)

    def _add(self, batch: SeriesSet) -> None:
        for block in tables.blocks(batch):
            self._add_block(block)

    def _add_block(self, block: SeriesSet) -> None:
        import pyarrow as pa

        flat = block.values[np.broadcast_to(block.within[:, None], block.values.shape)]
        text = numbers.to_text(flat, self._dtype, self._style, ("0", "1"), ".").cast(pa.string())
        self._gaps |= text.null_count > 0
        cells = text.fill_null(self._mark or "?").to_pylist()
        out, at = [], 0
        for i, own in enumerate(block.lengths.tolist()):
            rows = []
            for _ in range(block.n_channels):
                rows.append(",".join(cells[at : at + own]))
                at += own
            if self._labelled:
                rows.append(self._label(None if block.labels is None else block.labels[i]))
            out.append(":".join(rows) + "\n")
        self._lengths.update(block.lengths.tolist())
        self._body.write("".join(out).encode(self.schema.encoding))

    def _label(self, label: Any) -> str:
        text = "" if label is None else str(label)
        if not text or re.search(r"[\s:,]", text):
            raise InputError(
                f"label {text!r} cannot be written to a .ts file",
                where=str(self.path),
                fix="Labels there have at least one character and no spaces, commas or colons.",
            )
        self._labels.setdefault(text)
        return text

    def _end(self) -> None:
        equal = len(self._lengths) <= 1
        name = self.schema.meta.get("name") if self.schema.format == "ts" else None
        problem = re.sub(r"[^\w.-]", "_", name or self.path.stem)
        header = [f"@problemName {problem}", "@timestamps false"]
        header += [f"@missing {_word(self._gaps)}", f"@univariate {_word(len(self.channels) == 1)}"]
        header += [f"@dimensions {len(self.channels)}"] if len(self.channels) > 1 else []
        header += [f"@equalLength {_word(equal)}"]
        header += [f"@seriesLength {next(iter(self._lengths))}"] if equal and self._lengths else []
        default = tuple(f"channel_{i}" for i in range(len(self.channels)))
        if self.channels != default and not any(re.search(r"\s", c) or not c for c in self.channels):
            header.insert(0, f"{CHANNELS_MARK} {' '.join(self.channels)}")
        if self._target:
            header += ["@targetLabel true"]
        elif self._labelled:
            header += [f"@classLabel true {' '.join(self._labels)}"]
        else:
            header += ["@classLabel false"]
        self.file.write(("\n".join([*header, "@data"]) + "\n").encode(self.schema.encoding))
        self._body.seek(0)
        shutil.copyfileobj(self._body, self.file, 1 << 20)

    def _discard(self) -> None:
        if self._body is not None:
            self._body.close()
        super()._discard()


def _word(flag: bool) -> str:
    return "true" if flag else "false"
