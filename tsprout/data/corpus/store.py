"""The corpus on disk: Arrow IPC shards that are memory-mapped, and a Parquet index of what lies where.

::

    corpus.json          format version, the sets (name, domain, channels, licence, ...), the shards
    pieces.parquet       one row a piece: set, shard, batch, start, steps, label, level and scale of each channel
    shard-00000.arrow    record batches with one column, ``values: large_list<float>``, one row a piece

A *piece* is one recording, or one series of a set of instances: ``(channels, steps)`` float32, channel after channel,
NaN where missing. Any Arrow tool can open a shard. Local shards are mapped, not read, and unmapped again once more than
``mapped`` bytes are: resident memory stays bounded however large the corpus is. Anywhere else (``s3://``, ``gs://``,
``memory://``, what fsspec knows) whole record batches are fetched and the last ``mapped`` bytes of them kept.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsprout.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
INDEX, PIECES = "corpus.json", "pieces.parquet"
MAPPED_BYTES = 256 << 20


@dataclass(frozen=True)
class StoredSet:
    """One set of a corpus. ``instances``: its pieces are series of one length; else recordings to cut windows from."""

    name: str
    domain: str
    channels: int
    instances: bool
    values: int
    pieces: int
    licence: str = ""
    held_out: bool = False
    digest: str = ""
    source: str = ""


@dataclass
class Pieces:
    """The pieces of one set, in the order in which they are stored.

    ``steps``, ``labels`` (-1: none), ``place`` (shard and batch in the upper and lower half), ``start`` (of the piece's
    first value in its batch): ``(n,)``; ``level``, ``scale``: ``(n, channels)``, mean and deviation of each channel
    over the piece.
    """

    steps: np.ndarray
    labels: np.ndarray
    place: np.ndarray
    start: np.ndarray
    level: np.ndarray
    scale: np.ndarray

    @cached_property
    def by_length(self) -> np.ndarray:
        """Pieces from the longest to the shortest; in stored order where all are as long."""
        if (self.steps == self.steps[0]).all():
            return np.arange(len(self.steps), dtype=np.int32)
        return np.argsort(-self.steps, kind="stable").astype(np.int32)

    @cached_property
    def sorted_steps(self) -> np.ndarray:
        """``steps`` in that order."""
        return self.steps[self.by_length]

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Sums of ``sorted_steps``, to draw a piece by its length."""
        return np.cumsum(self.sorted_steps)

    def __len__(self) -> int:
        return len(self.steps)

    def at_least(self, steps: int) -> int:
        """How many pieces have ``steps`` or more; they are the first of ``by_length``."""
        return int(np.searchsorted(-self.sorted_steps, -steps, side="right"))


class Corpus:
    """A corpus opened for reading; cheap to open, cheap to send to another process, which maps it anew.

    Args:
        path: folder, or URL that fsspec knows.
        mapped: bytes of shards (of record batches, if remote) kept at once.

    Raises:
        InputError: there is no corpus, it is damaged, or of a newer format.
    """

    def __init__(self, path: str | Path, *, mapped: int = MAPPED_BYTES) -> None:
        self.path, self.mapped = str(path), mapped
        self.remote = "://" in self.path
        try:
            content = self._read(INDEX)
            index = json.loads(content)
            version = index["format"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise self._damaged(INDEX, error) from None
        if version != FORMAT:
            raise InputError(
                f"the corpus has format {version}, this version reads {FORMAT}",
                where=self.path,
                fix="Build it again with tsprout corpus build.",
            )
        try:
            self.sets = tuple(StoredSet(**entry) for entry in index["sets"])
            self.shards: tuple[str, ...] = tuple(shard["file"] for shard in index["shards"])
            self.shard_bytes = np.array([shard["bytes"] for shard in index["shards"]], np.int64)
        except (KeyError, TypeError) as error:
            raise self._damaged(INDEX, error) from None
        self.digest = hashlib.sha256(content).hexdigest()
        self.number = {entry.name: i for i, entry in enumerate(self.sets)}
        self._pieces = self._read_pieces()
        self._open: OrderedDict[Any, Any] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.mapped)

    def __repr__(self) -> str:
        return f"Corpus({self.path!r}, {len(self.sets)} sets, {self.values:,} values)"

    @property
    def values(self) -> int:
        """Cells of all sets together."""
        return sum(entry.values for entry in self.sets)

    def pieces(self, name: str) -> Pieces:
        """The pieces of a set.

        Raises:
            InputError: the corpus does not have it.
        """
        if name not in self.number:
            raise InputError(f"the corpus has no set {name!r}", where=self.path, fix="See tsprout corpus info.")
        return self._pieces[self.number[name]]

    def gather(
        self, pieces: Pieces, chosen: np.ndarray, channels: np.ndarray, starts: np.ndarray, length: int, stride: int = 1
    ) -> np.ndarray:
        """Windows ``(w, c, length)`` of the ``chosen`` pieces ``(w,)``, from step ``starts (w,)`` on, every ``stride``.

        Copies only what is asked for; ``channels (c,)`` in the order given.
        """
        steps = np.arange(0, length * stride, stride)
        base = pieces.start[chosen] + starts
        index = base[:, None, None] + channels[None, :, None] * pieces.steps[chosen][:, None, None] + steps
        places = pieces.place[chosen]
        if (places == places[0]).all():
            return self._flat(int(places[0]))[index]
        out = np.empty(index.shape, np.float32)
        for place in np.unique(places):
            rows = places == place
            out[rows] = self._flat(int(place))[index[rows]]
        return out

    def piece(self, name: str, number: int) -> np.ndarray:
        """One whole piece, ``(channels, steps)``: a copy."""
        found = self.pieces(name)
        channels = np.arange(self.sets[self.number[name]].channels)
        at = np.array([number])
        return self.gather(found, at, channels, np.zeros(1, np.int64), int(found.steps[number]))[0]

    def _flat(self, place: int) -> np.ndarray:
        """All values of a record batch, ``(values,)``; a view of the mapped file where it is local."""
        shard, batch = place >> 32, place & 0xFFFFFFFF
        key = (shard, batch) if self.remote else shard
        held = self._open.get(key)
        if held is not None:
            self._open.move_to_end(key)
            if self.remote:
                return held
        if self.remote:
            return self._keep(key, self._fetch(shard, batch))
        reader, views = self._keep(key, self._map(shard)) if held is None else held
        if batch not in views:
            try:
                views[batch] = _values(reader.get_batch(batch))
            except (OSError, ValueError) as error:
                raise self._damaged(self.shards[shard], error) from None
        return views[batch]

    def _map(self, shard: int) -> tuple[pa.ipc.RecordBatchFileReader, dict[int, np.ndarray]]:
        import pyarrow as pa

        try:
            return pa.ipc.open_file(pa.memory_map(str(Path(self.path) / self.shards[shard]), "r")), {}
        except (OSError, pa.ArrowInvalid) as error:
            raise self._damaged(self.shards[shard], error) from None

    def _fetch(self, shard: int, batch: int) -> np.ndarray:
        import pyarrow as pa

        try:
            with self._filesystem().open(f"{self.path.rstrip('/')}/{self.shards[shard]}", "rb") as file:
                return _values(pa.ipc.open_file(pa.PythonFile(file, mode="r")).get_batch(batch))
        except Exception as error:
            raise self._damaged(self.shards[shard], error) from None

    def _keep(self, key: Any, value: Any) -> Any:
        """Remember what was opened, and forget the oldest beyond the limit."""
        self._open[key] = value

        def size(k: Any) -> int:
            return int(self._open[k].nbytes) if self.remote else int(self.shard_bytes[k])

        total = sum(map(size, self._open))
        while total > self.mapped and len(self._open) > 1:
            oldest = next(iter(self._open))
            total -= size(oldest)
            del self._open[oldest]
        return value

    def _filesystem(self) -> Any:
        import fsspec

        return fsspec.core.url_to_fs(self.path)[0]

    def _read(self, name: str) -> bytes:
        try:
            if not self.remote:
                return (Path(self.path) / name).read_bytes()
            content: bytes = self._filesystem().cat_file(f"{self.path.rstrip('/')}/{name}")
            return content
        except ImportError as error:
            raise InputError(
                f"reading from there needs another package: {error}", where=self.path, fix="Install it with pip."
            ) from None
        # Every object store has errors of its own, which fsspec passes on as they are.
        except Exception as error:
            raise InputError(
                f"there is no corpus: {name} cannot be read ({error})",
                where=self.path,
                fix="Check the address, or build one with tsprout corpus build -o FOLDER.",
            ) from None

    def _read_pieces(self) -> list[Pieces]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(pa.BufferReader(self._read(PIECES)))
            columns = {name: table[name].combine_chunks() for name in table.column_names}
            number = columns["set"].to_numpy()
            plain = {k: columns[k].to_numpy() for k in ("steps", "label", "start")}
            plain["place"] = columns["shard"].to_numpy().astype(np.int64) << 32 | columns["batch"].to_numpy()
            del table
            flat = {k: columns[k].values.to_numpy() for k in ("level", "scale")}
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise self._damaged(PIECES, error) from None
        out, at, channel_at = [], 0, 0
        for i, entry in enumerate(self.sets):
            rows = slice(at, at + entry.pieces)
            cells = slice(channel_at, channel_at + entry.pieces * entry.channels)
            at, channel_at = rows.stop, cells.stop
            if at > len(number) or not (number[rows] == i).all():
                raise self._damaged(PIECES, ValueError("it does not fit corpus.json"))
            shape = (entry.pieces, entry.channels)
            level, scale = flat["level"][cells].reshape(shape), flat["scale"][cells].reshape(shape)
            steps, labels, place, start = (plain[k][rows] for k in ("steps", "label", "place", "start"))
            out.append(Pieces(steps, labels, place, start, level, scale))
        if at != len(number) or channel_at != len(flat["level"]):
            raise self._damaged(PIECES, ValueError("it does not fit corpus.json"))
        return out

    def _damaged(self, name: str, error: Exception) -> InputError:
        return InputError(
            f"the corpus is damaged: {name}: {error}", where=self.path, fix="Build it again with tsprout corpus build."
        )


def _reopen(path: str, mapped: int) -> Corpus:
    return Corpus(path, mapped=mapped)


def _values(batch: pa.RecordBatch) -> np.ndarray:
    out: np.ndarray = batch.column(0).values.to_numpy(zero_copy_only=True)
    return out
