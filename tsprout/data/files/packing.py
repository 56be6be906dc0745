"""Gzip: a file that is read is packed if its first bytes say so, one that is written if it is called so."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, BinaryIO, cast


def is_called_packed(path: Path) -> bool:
    """Whether a file of this name is to be packed."""
    return path.suffix.lower() == ".gz"


def is_packed(path: Path) -> bool:
    """Whether the file is packed, whatever it is called."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def unpacked(path: Path) -> BinaryIO:
    """What is in the file, open for reading."""
    return cast(BinaryIO, gzip.open(path) if is_packed(path) else open(path, "rb"))


def packer(file: IO[bytes]) -> gzip.GzipFile:
    """What packs into an open file; the same bytes at any time and under any name. Closing it leaves the file open."""
    return gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="")
