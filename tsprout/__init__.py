"""tsprout: a handful of time series in, thousands of realistic synthetic ones out.

The names below are the whole front door. They are looked up when first used, so that ``import tsprout`` costs
nothing and the heavy libraries (torch, pandas, pyarrow, matplotlib) load only once they are needed.

>>> from tsprout import Sprout
>>> synthetic = Sprout.from_pretrained().fit("patients.csv").sample(1000)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsprout.data.files import read, write
    from tsprout.evaluation import Report, evaluate
    from tsprout.series import SeriesSet
    from tsprout.synthesizer import Sprout

__version__ = "0.1.0"
__all__ = ["Sprout", "SeriesSet", "Report", "evaluate", "read", "write", "__version__"]

_HOME = {
    "Sprout": "tsprout.synthesizer",
    "SeriesSet": "tsprout.series",
    "Report": "tsprout.evaluation",
    "evaluate": "tsprout.evaluation",
    "read": "tsprout.data.files",
    "write": "tsprout.data.files",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module the first time it is asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
