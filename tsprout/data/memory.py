"""How much memory there is, and a refusal in words before it runs out."""

from __future__ import annotations

import os
from pathlib import Path

from tsprout.errors import InputError
from tsprout.staging import readable_bytes

MEMINFO = Path("/proc/meminfo")


def available() -> int | None:
    """Bytes of memory that can be used without swapping; ``None`` where the system does not say."""
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


_TO_READ = "Read fewer series or channels (channels=), split the file, or use a machine with more memory."


def require(
    needed: int, at_hand: int | None, where: str, *, what: str = "reading it needs", fix: str = _TO_READ
) -> None:
    """Refuse what would need more memory than there is.

    Args:
        needed: bytes.
        at_hand: bytes there are; ``None`` asks the system.
        where, what, fix: for the error.

    Raises:
        InputError: it does not fit.
    """
    there = available() if at_hand is None else at_hand
    if there is not None and needed > there:
        raise InputError(
            f"{what} about {readable_bytes(needed)} of memory, but {readable_bytes(there)} are available",
            where=where,
            fix=fix,
        )


def require_drawn(n: int, channels: int, length: int) -> None:
    """Refuse to draw more series than there is memory for.

    Raises:
        InputError: they do not fit.
    """
    # A float and whether it is observed, once in batches and once put together.
    fix = "Draw them with sample_batches(...), or with tsprout sample straight into a file."
    require(10 * n * channels * length, None, "n", what=f"{n:,} series need", fix=fix)
