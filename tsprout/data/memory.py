"""How much memory there is, and a refusal in words before it runs out."""

from __future__ import annotations

import os
from pathlib import Path

from tsprout.errors import InputError
from tsprout.staging import readable_bytes

MEMINFO = Path("/proc/meminfo")
GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_NO_LIMIT = 1 << 60  # what the first version of control groups says where there is none
# Of a control group, by version: its limit, what is used of it, and what of that are files, which give way at need.
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available() -> int | None:
    """Bytes of memory that can be used without swapping, within a container's limit; ``None`` where nothing says."""
    found = [bytes_ for bytes_ in (_of_the_machine(), _of_the_container()) if bytes_ is not None]
    return min(found, default=None)


def _of_the_container() -> int | None:
    """What the limits of this process' control group, and of those around it, leave; ``None`` where there is none."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUP.read_text().splitlines()]
    except OSError:
        return None
    left = []
    for _, controllers, own in (line for line in lines if len(line) == 3):
        kind = "memory" if "memory" in controllers.split(",") else controllers
        if kind in _FILES:
            top = GROUPS / kind
            inner = top / own.strip("/")
            left += [_left(place, *_FILES[kind]) for place in (inner, *inner.parents) if top in (place, *place.parents)]
    return min((bytes_ for bytes_ in left if bytes_ is not None), default=None)


def _left(group: Path, limit: str, used: str, files: str) -> int | None:
    try:
        most, now = (int((group / name).read_text()) for name in (limit, used))
        facts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group here, or no limit, which is "max"
        return None
    if most >= _NO_LIMIT:
        return None
    return max(most - now + int(facts.get(files, 0)), 0)


def _of_the_machine() -> int | None:
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
