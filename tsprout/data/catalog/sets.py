"""A data set as it lies on disk, read into plain arrays: ``<folder>/<role>/<name>.npz``.

=========== =================================================================================================
kind        arrays of the file
=========== =================================================================================================
recording   ``series (steps, channels)``; with ``segment_lengths`` it is several recordings end to end
collection  ``flat (all steps,)`` and ``lengths (series,)``: univariate recordings end to end
instances   ``train_X (n, length, channels)``, ``train_y (n,)``, ``test_X``, ``test_y``: either split may be absent
=========== =================================================================================================

``channels`` names them. Values are raw, in the units of the source; NaN is a missing value.

Beside a file that was pulled lies its receipt, ``<name>.json``: where it came from and its checksum.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.entry import Catalogue, Content, Entry, Size, catalogue
from tsprout.data.catalog.folders import cache_folder, data_folders, pack_folder
from tsprout.errors import InputError

VALUES = ("series", "flat", "train_X", "test_X")


@dataclass(frozen=True, eq=False)
class RealSet:
    """The values of one set, raw, float32, NaN where missing.

    ``recordings``: ``(channels, steps)`` each; empty for instances. ``train``, ``test``: ``(n, channels, length)`` or
    ``None``; shorter series are NaN at their end. ``labels``: of the classes, by split. ``complete``: ``False`` where
    the file is known to hold only part of the set, which ``partial`` then says. ``path``: of the file; ``None`` where
    the set was made in memory.
    """

    entry: Entry
    path: Path | None
    digest: str
    channels: tuple[str, ...]
    recordings: tuple[np.ndarray, ...] = ()
    train: np.ndarray | None = None
    test: np.ndarray | None = None
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    partial: str = ""

    @property
    def name(self) -> str:
        """Of the catalogue."""
        return self.entry.name

    @property
    def complete(self) -> bool:
        """Whether nothing of the set is known to be missing."""
        return not self.partial

    @property
    def size(self) -> Size:
        """What is there."""
        if self.recordings:
            steps, kind = sum(r.shape[1] for r in self.recordings), "recording"
            if len(self.recordings) > 1 and self.entry.size.kind == "collection":
                return Size("collection", len(self.channels), steps, len(self.recordings))
            return Size(kind, len(self.channels), steps)
        splits = [x for x in (self.train, self.test) if x is not None]
        counts = [None if x is None else len(x) for x in (self.train, self.test)]
        longest = max(x.shape[2] for x in splits)
        return Size("instances", len(self.channels), None, None, counts[0], counts[1], longest)

    def instances(self, *splits: str) -> tuple[np.ndarray, np.ndarray | None]:
        """``(n, channels, length)`` and labels of the given splits, of both where none is given; padded with NaN."""
        wanted = splits or ("train", "test")
        parts = [(getattr(self, s), getattr(self, f"{s}_labels")) for s in wanted if getattr(self, s) is not None]
        longest = max(x.shape[2] for x, _ in parts)
        padded = [np.pad(x, ((0, 0), (0, 0), (0, longest - x.shape[2])), constant_values=np.nan) for x, _ in parts]
        labels = [y for _, y in parts if y is not None]
        return np.concatenate(padded), np.concatenate(labels) if len(labels) == len(parts) else None


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the values of a set: float32, little-endian, one pattern for NaN; names and labels do not count."""
    found = hashlib.sha256()
    for key in (*VALUES, "segment_lengths", "lengths"):
        if key in arrays:
            array = np.ascontiguousarray(arrays[key], "<f4" if key in VALUES else "<i8")
            if key in VALUES and np.isnan(array).any():
                array = np.where(np.isnan(array), np.float32(np.nan), array)
            found.update(f"{key} {array.shape} ".encode())
            found.update(array.tobytes())
    return found.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(entry: Entry, folder: Path) -> Path:
    """The file of a set in a data folder."""
    return folder / entry.role / f"{entry.name}.npz"


def find(entry: Entry, folders: tuple[Path, ...] | None = None) -> Path | None:
    """The first file of the set in the data folders, or ``None``."""
    paths = (place(entry, folder) for folder in (data_folders() if folders is None else folders))
    return next((path for path in paths if path.is_file()), None)


def receipt_place(path: Path) -> Path:
    """Where the receipt of a set's file lies."""
    return path.with_name(f"{path.stem}.json")


def read_receipt(path: Path) -> dict[str, Any] | None:
    """The receipt of a set's file, ``None`` where there is none (a file of the pack, or one put there by hand).

    Raises:
        InputError: it is not a receipt.
    """
    place = receipt_place(path)
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        if not isinstance(found["sha256"], str):
            raise TypeError
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise InputError("the receipt is damaged", where=str(place), fix="Pull the set again.") from None
    return dict(found)


def presence(entry: Entry, folders: tuple[Path, ...] | None = None) -> tuple[str, Path | None]:
    """``here``, ``partial``, ``made`` (in memory, when needed) or an empty text, and the file; values are not read."""
    from tsprout.data.catalog.generated import is_free

    path = find(entry, folders)
    if path is None:
        return "made" if is_free(entry) else "", None
    packed = entry.pack
    if packed is None or not packed.partial or receipt_place(path).is_file():
        return "here", path
    return "partial" if file_digest(path) == packed.sha256 else "here", path


def verify(entry: Entry, path: Path) -> None:
    """Hold a file to the checksum of its receipt, or, in the data pack, of the catalogue; another file has none.

    Raises:
        InputError: it has changed since it was written.
    """
    receipt = read_receipt(path)
    expected = None if receipt is None else receipt["sha256"]
    pack = pack_folder()
    if expected is None and pack is not None and entry.pack is not None and path.is_relative_to(pack):
        expected = entry.pack.sha256
    if expected not in (None, file_digest(path)):
        raise InputError(
            "the file is damaged: it is not the one that was written",
            where=str(path),
            fix=f"Pull the set again: tsprout datasets pull {entry.name} --force.",
        )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``; pickled ones are refused.

    Raises:
        InputError: the file is damaged, or holds objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"the file is damaged: {error}", where=str(path), fix="Pull the set again.") from None


def parse(entry: Entry, arrays: Mapping[str, np.ndarray], path: Path | None, *, partial: str = "") -> RealSet:
    """A set from its arrays.

    Raises:
        InputError: arrays that no kind has, or that do not fit together.
    """
    names = tuple(map(str, arrays["channels"])) if "channels" in arrays else ()
    known = digest(arrays)

    def named(count: int) -> tuple[str, ...]:
        return names if len(names) == count else tuple(f"channel_{i}" for i in range(count))

    def values(key: str) -> np.ndarray:
        out = np.asarray(arrays[key], np.float32)
        return np.where(np.isfinite(out), out, np.nan)

    if "series" in arrays and arrays["series"].ndim == 2:
        whole = values("series").T
        bounds = arrays.get("segment_lengths", np.array([whole.shape[1]]))
        _fit(int(np.sum(bounds)) == whole.shape[1], path)
        cut = tuple(np.ascontiguousarray(p) for p in np.split(whole, np.cumsum(bounds)[:-1], axis=1))
        return RealSet(entry, path, known, named(len(whole)), recordings=cut, partial=partial)
    if "flat" in arrays and "lengths" in arrays:
        flat = values("flat")
        _fit(int(arrays["lengths"].sum()) == len(flat), path)
        cut = tuple(p[None] for p in np.split(flat, np.cumsum(arrays["lengths"])[:-1]))
        return RealSet(entry, path, known, named(1), recordings=cut, partial=partial)
    splits: dict[str, Any] = {k: values(f"{k}_X").transpose(0, 2, 1) for k in ("train", "test") if f"{k}_X" in arrays}
    _fit(bool(splits) and len({x.shape[1] for x in splits.values()}) == 1, path)
    labels: dict[str, Any] = {f"{k}_labels": arrays[f"{k}_y"] for k in splits if f"{k}_y" in arrays}
    channels = named(next(iter(splits.values())).shape[1])
    return RealSet(entry, path, known, channels, **splits, **labels, partial=partial)


def _fit(condition: bool, path: Path | None) -> None:
    if not condition:
        where = None if path is None else str(path)
        raise InputError("the arrays do not fit together", where=where, fix="Pull the set again.")


def load_set(
    name: str, *, folders: tuple[Path, ...] | None = None, known: Catalogue | None = None, check: bool = True
) -> RealSet:
    """Read a set from the first data folder that has it; one that costs nothing to make is made where none has it.

    Args:
        name: of the catalogue; any case, or an alias.
        folders: where to look; :func:`~tsprout.data.catalog.folders.data_folders` by default.
        known: the catalogue; the bundled one with the folders' own additions by default.
        check: compare the file with its checksum, and the values with the catalogue's digest.

    Raises:
        UnknownSetError: no such set.
        InputError: it is on none of the folders (with what to do), the file is damaged, or is not what it should be.
    """
    from tsprout.data.catalog.generated import generate, is_free

    places = data_folders() if folders is None else folders
    entry = (catalogue(*places) if known is None else known)[name]
    path = find(entry, places)
    if path is None and is_free(entry):
        return parse(entry, generate(entry), None)
    if path is None:
        raise InputError(
            f"the data set {entry.name} is not here",
            where=", ".join(str(place(entry, folder)) for folder in places),
            fix=f"tsprout datasets pull {entry.name} fetches it into {cache_folder()}.",
        )
    if check:
        verify(entry, path)
    arrays = read_arrays(path)
    packed = entry.pack
    partial = ""
    if packed is not None and packed.partial:
        whole = parse(entry, arrays, path).size
        partial = packed.partial if whole == packed.size else ""
    found = parse(entry, arrays, path, partial=partial)
    if check and not partial and entry.content.digest not in (None, found.digest):
        agrees(entry, arrays, path)
    return found


def agrees(entry: Entry, arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Hold arrays that are not equal to the catalogue's to the last bit to its counts, mean and deviation.

    Raises:
        InputError: they are not the same data.
    """
    content = entry.content
    close = content.digest is None
    if content.mean is not None and content.deviation is not None:
        close = _alike(content, arrays)
    if not close:
        raise InputError(
            f"these are not the values of {entry.name} that the catalogue knows",
            where=str(path),
            fix="Remove the file and pull the set again; if it stays so, its source has changed.",
        )


def _alike(content: Content, arrays: Mapping[str, np.ndarray]) -> bool:
    assert content.mean is not None and content.deviation is not None
    values = np.concatenate([np.asarray(arrays[k], np.float64).ravel() for k in VALUES if k in arrays])
    seen = values[np.isfinite(values)]
    tolerance = 2e-3 * max(content.deviation, 1e-12)
    close = len(seen) > 0 and abs(seen.mean() - content.mean) <= tolerance
    close = close and abs(seen.std() - content.deviation) <= tolerance
    return close and content.missing in (None, len(values) - len(seen))
