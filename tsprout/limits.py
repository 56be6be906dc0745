"""What any model here can be asked for: said once, for the network, for files, for options and for benchmarks."""

from __future__ import annotations

import operator
from typing import SupportsIndex, cast

from tsprout.errors import InputError

MIN_LENGTH, MAX_LENGTH = 4, 1024  # time steps
MAX_CHANNELS = 256
MAX_GUIDANCE = 5.0
DRAWS, MAX_DRAWS = 15, 1000  # of a gap; the usual number is odd, so that the median is one of them
MAX_SEED = 2**63 - 1  # torch takes no more than 64 bits, numpy's are made of these


def check_whole(value: object, where: str) -> int:
    """A whole number, Python's or numpy's, as Python's.

    Raises:
        InputError: it is something else, such as 3.0 or ``None``.
    """
    try:
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        what = f"{value!r:.80} is not a whole number"
        raise InputError(what, where=where, fix="Give a whole number, such as 12.") from None


def check_seed(seed: object) -> int:
    """A seed that every generator can start from, as Python's own integer.

    Raises:
        InputError: it is no whole number, or not from 0 to :data:`MAX_SEED`.
    """
    number = check_whole(seed, "seed")
    if not 0 <= number <= MAX_SEED:
        reason = "negative" if number < 0 else "too large"
        raise InputError(f"the seed is {number}, which is {reason}", where="seed", fix=f"Give 0 to {MAX_SEED}.")
    return number
