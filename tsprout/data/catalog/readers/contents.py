"""The bytes of a downloaded file: as they are, decompressed, or one or more members of a zip or a tar.

Archives are read in memory and nothing is unpacked to disk, so a member's name can do no harm. What a file may grow to
is capped, against archives that are small and unfold to more than a machine holds.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tsprout.errors import InputError
from tsprout.staging import readable_bytes

MOST = 2 << 30
PULL_AGAIN = "Pull the set again; if it stays so, its source has changed."
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, RuntimeError)
_PACKED: dict[bytes, Callable[[io.BytesIO], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


@dataclass(frozen=True)
class Content:
    """Bytes, and where they come from, for errors."""

    where: str
    data: bytes


def plain(data: bytes, where: str, most: int = MOST) -> bytes:
    """Bytes without their gzip, bzip2 or xz compression, if they have one.

    Raises:
        InputError: they are damaged, or grow to more than ``most`` bytes.
    """
    opener = next((known for magic, known in _PACKED.items() if data.startswith(magic)), None)
    if opener is None:
        return data
    try:
        with opener(io.BytesIO(data)) as packed:
            out = packed.read(most + 1)
    except DAMAGED as error:
        raise InputError(f"the compressed file is damaged: {error}", where=where, fix=PULL_AGAIN) from None
    return _capped(out, where, most)


def contents(path: Path, members: Sequence[str] = (), most: int = MOST) -> list[Content]:
    """What a file holds.

    Args:
        path: plain, gzip, bzip2, xz, zip or tar (which may be compressed, too).
        members: of an archive, in this order: a path inside it, a file name, or a pattern such as ``*/L1-train.csv``.
            Without, an archive must hold a single file.
        most: bytes that one member, or the whole decompressed file, may have.

    Raises:
        InputError: the file is damaged or too large, or has no such member; the text lists those it has.
    """
    where = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=where) from None
    if not raw:
        raise InputError("the file is empty", where=where, fix=PULL_AGAIN)
    raw = plain(raw, where, most)
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _from_zip(raw, members, where, most)
    if raw[257:262] == b"ustar":
        return _from_tar(raw, members, where, most)
    if members:
        raise InputError("this is neither a zip nor a tar archive", where=where, fix=PULL_AGAIN)
    return [Content(where, raw)]


def _from_zip(raw: bytes, members: Sequence[str], where: str, most: int) -> list[Content]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
            out = []
            for name in _chosen(list(sizes), members, where):
                _fits(sizes[name], f"{where}, {name}", most)
                out.append(Content(f"{where}, {name}", archive.read(name)))
            return out
    except (*DAMAGED, NotImplementedError) as error:
        raise InputError(f"the zip archive is damaged: {error}", where=where, fix=PULL_AGAIN) from None


def _from_tar(raw: bytes, members: Sequence[str], where: str, most: int) -> list[Content]:
    try:
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            infos = {info.name: info for info in archive.getmembers() if info.isreg()}
            out = []
            for name in _chosen(list(infos), members, where):
                _fits(infos[name].size, f"{where}, {name}", most)
                file = archive.extractfile(infos[name])
                out.append(Content(f"{where}, {name}", b"" if file is None else file.read()))
            return out
    except DAMAGED as error:
        raise InputError(f"the tar archive is damaged: {error}", where=where, fix=PULL_AGAIN) from None


def _chosen(names: list[str], members: Sequence[str], where: str) -> list[str]:
    """The archive's name of each member; of several that fit, the one that lies least deep."""
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if not members and len(names) == 1:
        return names
    has = f"It has: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
    if not members:
        raise InputError(f"the archive holds {len(names)} files", where=where, fix=f"Name one with 'member'. {has}")
    out = []
    for wanted in members:
        fits = [n for n in names if fnmatchcase(n, wanted) or fnmatchcase(PurePosixPath(n).name, wanted)]
        if not fits:
            raise InputError(f"the archive has no member {wanted!r}", where=where, fix=f"{has} {PULL_AGAIN}")
        out.append(min(fits, key=lambda name: (name.count("/"), name)))
    return out


def _fits(size: int, where: str, most: int) -> None:
    if size > most:
        raise InputError(
            f"it would take {readable_bytes(size)}, and at most {readable_bytes(most)} are read",
            where=where,
            fix="A public data set of this catalogue is smaller: do not trust this file.",
        )


def _capped(data: bytes, where: str, most: int) -> bytes:
    _fits(len(data), where, most)
    return data
