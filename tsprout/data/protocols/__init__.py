"""Protocols: which real series a model may see, which it is compared with, and how both are scaled.

``strict`` is the one to use: shots, validation and held-out reference come from disjoint stretches of time or disjoint
series, and the scaler sees the shots only. ``paper`` is the one of arXiv 2505.20446, for numbers that can be put beside
published ones. Both are deterministic and return a :class:`Split`; ``docs/protocols.md`` says more.
"""

from __future__ import annotations

from collections.abc import Callable

from tsprout.data.protocols.paper import paper
from tsprout.data.protocols.scaler import Standardizer
from tsprout.data.protocols.split import SEEDS, SHARES, SHOTS, Split, parse_shots
from tsprout.data.protocols.strict import strict
from tsprout.errors import InputError

PROTOCOLS: dict[str, Callable[..., Split]] = {"strict": strict, "paper": paper}


def protocol(name: str) -> Callable[..., Split]:
    """The protocol of this name: a function of a set and ``shots``, ``length`` and ``seed``.

    Raises:
        InputError: there is no such protocol.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise InputError(f"no protocol is called {name!r}", fix=f"There are {', '.join(PROTOCOLS)}.") from None


__all__ = [
    "PROTOCOLS",
    "SEEDS",
    "SHARES",
    "SHOTS",
    "Split",
    "Standardizer",
    "paper",
    "parse_shots",
    "protocol",
    "strict",
]
