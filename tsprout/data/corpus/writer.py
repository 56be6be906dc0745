"""Writing a corpus: set by set, with memory for one record batch, whatever the size of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.corpus.store import FORMAT, INDEX, PIECES, StoredSet
from tsprout.errors import InputError

SHARD_BYTES = 64 << 20
BATCH_VALUES = 1 << 20
# A longer recording is cut, so that no record batch is too large to fetch whole.
PIECE_VALUES = 1 << 24
_PLAIN = ("set", "shard", "batch", "start", "steps", "label")
_ROWS = 1 << 15


class CorpusWriter:
    """Writes a corpus (:mod:`tsprout.data.corpus.store`) into an empty folder.

    ``with CorpusWriter(folder) as writer: writer.add("Name", pieces, domain="energy", instances=False)``. The index is
    written at the end, so a folder in which something went wrong is not a corpus.

    Args:
        folder: exists, and is empty.
        shard_bytes: a shard is ended when it holds as much.
        batch_values: a record batch holds about so many values; what remote readers fetch at once.
    """

    def __init__(self, folder: Path, *, shard_bytes: int = SHARD_BYTES, batch_values: int = BATCH_VALUES) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder, self.shard_bytes, self.batch_values = folder, shard_bytes, batch_values
        self.schema = pa.schema([("values", pa.large_list(pa.float32()))])
        self.sets: list[StoredSet] = []
        self.shards: list[dict[str, Any]] = []
        plain = [(k, pa.int64() if k in ("start", "steps") else pa.int32()) for k in _PLAIN]
        self._index_schema = pa.schema([*plain, ("level", pa.list_(pa.float32())), ("scale", pa.list_(pa.float32()))])
        self._index = pq.ParquetWriter(folder / PIECES, self._index_schema, compression="zstd")
        self._rows: dict[str, list[Any]] = {name: [] for name in self._index_schema.names}
        self._shard: Any = None
        self._waiting: list[np.ndarray] = []
        self._batch = self._waiting_values = self._written = 0

    def __enter__(self) -> CorpusWriter:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            self._index.close()
            if self._shard is not None:
                self._shard.close()

    def add(
        self,
        name: str,
        pieces: Iterable[np.ndarray],
        *,
        domain: str,
        instances: bool,
        labels: Sequence[int] | np.ndarray | None = None,
        **facts: Any,
    ) -> StoredSet:
        """Append a set.

        Args:
            name: of the set.
            pieces: ``(channels, steps)`` each, NaN where missing, all with the same channels.
            domain: what pre-training is balanced over.
            instances: the pieces are series of one length, not recordings to cut windows from.
            labels: of the pieces, from 0; -1 for none.
            facts: further fields of :class:`~tsprout.data.corpus.store.StoredSet`.

        Raises:
            InputError: the name is taken, the pieces differ in channels, or there is none.
        """
        if any(entry.name == name for entry in self.sets):
            raise InputError(f"two sets are called {name!r}", fix="Rename one of them.")
        count, values, channels = 0, 0, 0
        for number, whole in enumerate(pieces):
            if channels not in (0, whole.shape[0]):
                raise InputError(f"the series of {name!r} have {channels} channels, and one has {whole.shape[0]}")
            channels = whole.shape[0]
            for piece in _parts(np.asarray(whole, np.float32)):
                self._append(piece, -1 if labels is None else int(labels[number]))
                count, values = count + 1, values + piece.size
        if not count:
            raise InputError(f"the set {name!r} has no series")
        self.sets.append(StoredSet(name, domain, channels, instances, values, count, **facts))
        return self.sets[-1]

    def _append(self, piece: np.ndarray, label: int) -> None:
        if self._waiting_values and self._waiting_values + piece.size > self.batch_values:
            self._flush()
        place = (len(self.sets), len(self.shards), self._batch, self._waiting_values, piece.shape[1], label)
        level, scale = _moments(piece)
        for key, value in zip(self._rows, (*place, level.tolist(), scale.tolist()), strict=True):
            self._rows[key].append(value)
        if len(self._rows["set"]) >= _ROWS:
            self._flush_index()
        self._waiting.append(piece)
        self._waiting_values += piece.size

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        path = self.folder / f"shard-{len(self.shards):05d}.arrow"
        if self._shard is None:
            self._shard = pa.ipc.new_file(str(path), self.schema)
        flat = np.concatenate([piece.ravel() for piece in self._waiting])
        offsets = pa.array(np.cumsum([0, *(piece.size for piece in self._waiting)]), pa.int64())
        rows = pa.LargeListArray.from_arrays(offsets, pa.array(flat))
        self._shard.write_batch(pa.record_batch([rows], schema=self.schema))
        self._written += flat.nbytes
        self._waiting, self._waiting_values, self._batch = [], 0, self._batch + 1
        if self._written >= self.shard_bytes:
            self._end_shard(path)

    def _end_shard(self, path: Path) -> None:
        self._shard.close()
        self.shards.append({"file": path.name, "bytes": path.stat().st_size})
        self._shard, self._batch, self._written = None, 0, 0

    def _flush_index(self) -> None:
        import pyarrow as pa

        if self._rows["set"]:
            self._index.write_table(pa.table(self._rows, schema=self._index_schema))
        for column in self._rows.values():
            column.clear()

    def close(self) -> None:
        """Write what is waiting, and the index."""
        self._flush()
        if self._shard is not None:
            self._end_shard(self.folder / f"shard-{len(self.shards):05d}.arrow")
        self._flush_index()
        self._index.close()
        index = {"format": FORMAT, "sets": [asdict(entry) for entry in self.sets], "shards": self.shards}
        (self.folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _parts(piece: np.ndarray) -> list[np.ndarray]:
    most = max(1, PIECE_VALUES // piece.shape[0])
    return [np.ascontiguousarray(piece[:, i : i + most]) for i in range(0, piece.shape[1], most)]


def _moments(piece: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel over its observed cells; 0 and 1 where there are none."""
    seen = np.isfinite(piece)
    count = np.maximum(seen.sum(axis=1), 1)
    filled = np.where(seen, piece, 0).astype(np.float64)
    level = filled.sum(axis=1) / count
    spread = np.sqrt((np.where(seen, filled - level[:, None], 0) ** 2).sum(axis=1) / count)
    return level.astype(np.float32), np.where(spread > 0, spread, 1).astype(np.float32)
