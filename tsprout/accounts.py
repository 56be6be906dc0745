"""What every account of a job is made of: plain values, seconds by stage, peak memory, versions."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


def plain(value: Any) -> Any:
    """The same value in what strict JSON knows: numbers that are not finite become null, arrays become lists."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def to_json(value: Any) -> str:
    """Strict JSON text of :func:`plain` ``value``, two spaces a level."""
    return json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False)


@dataclass
class Stopwatch:
    """Seconds by stage, in the order the stages were run."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block under ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def rounded(self) -> dict[str, float]:
        """Seconds by stage and in all, to the millisecond."""
        stages = {name: round(value, 3) for name, value in self.seconds.items()}
        return {**stages, "total": round(sum(self.seconds.values()), 3)}


def peak_memory() -> int | None:
    """Bytes this process has held at most so far; None where the system does not say."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def versions() -> dict[str, str]:
    """The versions a result depends on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from tsprout import __version__

    found = {"tsprout": __version__, "python": platform.python_version()}
    for name in ("torch", "numpy", "pandas", "pyarrow"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
