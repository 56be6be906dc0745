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
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from tsprout.data.catalog.content import agreement, digest
from tsprout.data.catalog.entry import Catalogue, Entry, Size, catalogue
from tsprout.data.catalog.folders import cache_folder, data_folders, pack_folder
from tsprout.errors import InputError

AXES = {"series": 2, "train_X": 3, "test_X": 3}
AXES |= dict.fromkeys(("flat", "segment_lengths", "lengths", "train_y", "test_y", "channels"), 1)
KINDS = {"segment_lengths": "iu", "lengths": "iu", "train_y": "", "test_y": "", "channels": ""}  # "": any


@dataclass(frozen=True, eq=False)
class RealSet:
    """The values of one set, raw, float32, NaN where missing.

    ``recordings``: ``(channels, steps)`` each; empty for instances. ``train``, ``test``: ``(n, channels, length)`` or
    ``None``; shorter series are NaN at their end. ``labels``: of the classes, by split. ``complete``: ``False`` where
    the file is known to hold only part of the set, which ``partial`` then says. ``path``: of the file; ``None`` where
    the set was made in memory. ``agreement``: of the values with the catalogue, where
    it was checked (:mod:`tsprout.data.catalog.content`). ``notes``: on damaged files in earlier data folders.
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
    agreement: str = ""
    notes: tuple[str, ...] = ()

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


def parse(entry: Entry, arrays: Mapping[str, np.ndarray], path: Path | None) -> RealSet:
    """A set from its arrays.

    Raises:
        InputError: arrays that no kind has, or that do not fit together.
    """
    _sound(arrays, path)
    names = tuple(map(str, arrays["channels"])) if "channels" in arrays else ()
    known = digest(arrays)

    def named(count: int) -> tuple[str, ...]:
        return names if len(names) == count else tuple(f"channel_{i}" for i in range(count))

    def values(key: str) -> np.ndarray:
        out = np.asarray(arrays[key], np.float32)
        return np.where(np.isfinite(out), out, np.nan)

    if "series" in arrays:
        whole = values("series").T
        bounds = arrays.get("segment_lengths", np.array([whole.shape[1]]))
        _fit(int(np.sum(bounds)) == whole.shape[1], path)
        cut = tuple(np.ascontiguousarray(p) for p in np.split(whole, np.cumsum(bounds)[:-1], axis=1))
        return RealSet(entry, path, known, named(len(whole)), recordings=cut)
    if "flat" in arrays and "lengths" in arrays:
        flat = values("flat")
        _fit(int(arrays["lengths"].sum()) == len(flat), path)
        cut = tuple(p[None] for p in np.split(flat, np.cumsum(arrays["lengths"])[:-1]))
        return RealSet(entry, path, known, named(1), recordings=cut)
    splits: dict[str, Any] = {k: values(f"{k}_X").transpose(0, 2, 1) for k in ("train", "test") if f"{k}_X" in arrays}
    _fit(bool(splits) and len({x.shape[1] for x in splits.values()}) == 1, path)
    labels: dict[str, Any] = {f"{k}_labels": arrays[f"{k}_y"] for k in splits if f"{k}_y" in arrays}
    _fit(all(len(labels.get(f"{k}_labels", x)) == len(x) for k, x in splits.items()), path)
    channels = named(next(iter(splits.values())).shape[1])
    return RealSet(entry, path, known, channels, **splits, **labels)


def _sound(arrays: Mapping[str, np.ndarray], path: Path | None) -> None:
    """Refuse arrays of other things than numbers, or of another number of axes."""
    for key, axes in AXES.items():
        if key not in arrays:
            continue
        array, kinds = np.asarray(arrays[key]), KINDS.get(key, "fiu")
        what = ""
        if array.ndim != axes:
            what = f"has {array.ndim} axes, not {axes}"
        elif kinds and array.dtype.kind not in kinds:
            what = f"holds {array.dtype.name}, not {'whole numbers' if kinds == 'iu' else 'numbers'}"
        elif kinds == "iu" and (not array.size or (array < 1).any()):
            what = "must hold positive numbers"
        elif not array.size:
            what = "is empty"
        if what:
            where = None if path is None else str(path)
            raise InputError(f"the array {key!r} {what}", where=where, fix="Pull the set again.")


def _fit(condition: bool, path: Path | None) -> None:
    if not condition:
        where = None if path is None else str(path)
        raise InputError("the arrays do not fit together", where=where, fix="Pull the set again.")


def size_differs(entry: Entry, seen: Size) -> bool:
    """Whether a size is not the one of the catalogue, in anything that it knows."""
    pairs = [(getattr(entry.size, field.name), getattr(seen, field.name)) for field in fields(Size)]
    return any(want is not None and want != got for want, got in pairs)


def load_set(
    name: str, *, folders: tuple[Path, ...] | None = None, known: Catalogue | None = None, check: bool = True
) -> RealSet:
    """Read a set from the first data folder that has it; one that costs nothing to make is made where none has it.

    A file that is damaged is passed over where a later folder has a good one; ``notes`` then says so.

    Args:
        name: of the catalogue; any case, or an alias.
        folders: where to look; :func:`~tsprout.data.catalog.folders.data_folders` by default.
        known: the catalogue; the bundled one with the folders' own additions by default.
        check: compare the file with its checksum, and the values with the catalogue's size and content.

    Raises:
        UnknownSetError: no such set.
        InputError: it is on none of the folders (with what to do), the file is damaged, or is not what it should be.
    """
    from tsprout.data.catalog.generated import generate, is_free

    places = data_folders() if folders is None else folders
    entry = (catalogue(*places) if known is None else known)[name]
    again = f"tsprout datasets pull {entry.name} --force"
    damaged: list[InputError] = []
    for path in (place(entry, folder) for folder in places):
        if not path.is_file():
            continue
        try:
            found = _load(entry, path, check)
        except InputError as error:
            damaged.append(error)
            continue
        notes = (f"passed over: {error.where}: {error.what}; {again} puts it right" for error in damaged)
        return replace(found, notes=tuple(notes))
    if damaged:
        first = damaged[0]
        if again not in (first.fix or ""):
            first.fix = f"{first.fix or ''}\n{again} fetches it again.".lstrip()
        raise first
    if is_free(entry):
        return parse(entry, generate(entry), None)
    raise InputError(
        f"the data set {entry.name} is not here",
        where=", ".join(str(place(entry, folder)) for folder in places),
        fix=f"tsprout datasets pull {entry.name} fetches it into {cache_folder()}.",
    )


def _load(entry: Entry, path: Path, check: bool) -> RealSet:
    """The set of one file."""
    if check:
        verify(entry, path)
    arrays = read_arrays(path)
    found = parse(entry, arrays, path)
    packed, size = entry.pack, found.size
    if packed is not None and packed.partial and size == packed.size:
        return replace(found, partial=packed.partial)
    if size_differs(entry, size):
        if not check:
            return replace(found, partial=f"{size}, not {entry.size}")
        raise InputError(
            f"the file has {size}, and {entry.name} has {entry.size}", where=str(path), fix="Pull the set again."
        )
    if not check:
        return found
    state = agreement(entry, arrays, path, found.digest)
    if state == "unverified" and (read_receipt(path) or {}).get("agreement") == "files":
        state = "files"
    return replace(found, agreement=state)
