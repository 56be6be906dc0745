"""How the ``strict`` protocol deals recordings and instances to roles: about half to the shots' pool, a tenth to
validation, four tenths to the held-out reference.

A long recording is cut into blocks, and every ten consecutive blocks are dealt five, one and four in random order, so
that all roles see the whole history. Neighbours of one role are merged; between roles ``length`` steps are left out,
half of them from each side, so that no window of one role shares a step with a window of another, nor touches one.
Recordings of equal length are cut alike: series recorded side by side do not give one role the other's moments.
Shorter recordings get fewer, larger stretches; those that are too short to cut, and the recordings of large
collections, go to one role as a whole: then roles share moments where recordings are simultaneous. Instances are dealt
likewise, class by class, and equal ones together.

Nothing here looks at values, but for which recordings or instances are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SHOTS, VALIDATION, REFERENCE = range(3)
PARTS = (0.5, 0.1, 0.4)
GROUP = (SHOTS,) * 5 + (VALIDATION,) + (REFERENCE,) * 4
GROUPS = 12
BLOCK_WINDOWS = 8
WHOLE_FROM = 30


def layout(windows: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Roles of consecutive stretches of a recording and their relative sizes, both ``(stretches,)``.

    Args:
        windows: steps of the recording in units of the window's length; at least 3.
    """
    if windows >= 30:
        groups = min(GROUPS, int(windows / (len(GROUP) * BLOCK_WINDOWS)))
        if groups < 3:
            groups = 3 if windows >= 120 else 2 if windows >= 60 else 1
        # A multiple of three: then every third of the recording has all roles.
        groups -= groups % 3 if groups > 3 else 0
        roles = np.concatenate([rng.permutation(GROUP) for _ in range(groups)])
        return roles, np.ones(len(roles))
    if windows >= 20:
        five = np.array([SHOTS, REFERENCE, VALIDATION, SHOTS, REFERENCE])
        order = rng.permutation(5)
        return five[order], np.array([0.24, 0.2, 0.12, 0.24, 0.2])[order]
    if windows >= 10:
        share = 2.5 / windows
        order = rng.permutation(3)
        return order, np.array([(1 - share) * 5 / 9, share, (1 - share) * 4 / 9])[order]
    return rng.permutation([SHOTS, REFERENCE]), np.ones(2)


def cut_recording(steps: int, length: int, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Stretches ``(role, first step, step after the last)`` of a recording; unlike neighbours are ``length`` apart."""
    roles, weights = layout(steps / length, rng)
    borders = np.rint(np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum() * steps).astype(int)
    change = np.flatnonzero(np.diff(roles))
    begins = np.concatenate([[0], borders[change + 1] - length // 2 + length])
    ends = np.concatenate([borders[change + 1] - length // 2, [steps]])
    kept = roles[np.concatenate([change, [len(roles) - 1]])]
    rows = zip(kept.tolist(), begins.tolist(), ends.tolist(), strict=True)
    return [(role, begin, end) for role, begin, end in rows if end - begin >= length]


def dealt_whole(lengths: np.ndarray, length: int) -> np.ndarray:
    """Which recordings go to one role as a whole: all that are long enough where they are many, else short ones."""
    long = np.flatnonzero(lengths >= length)
    return long if len(long) >= WHOLE_FROM else long[lengths[long] < 3 * length]


def recording_stretches(lengths: np.ndarray, copies: np.ndarray, length: int, seed: int) -> np.ndarray:
    """Stretches of one or more recordings.

    Args:
        lengths: steps of each, ``(n,)``.
        copies: ``(n,)``: the first recording that is equal to each.

    Returns:
        ``int64 (stretches, 4)``: role, source, first step, step after the last; each at least one window long.
    """
    whole = dealt_whole(lengths, length)
    rows = []
    for i in np.setdiff1d(np.flatnonzero(lengths >= length), whole).tolist():
        steps = int(lengths[i])
        rng = np.random.default_rng([seed, length, steps])
        rows += [(role, i, begin, end) for role, begin, end in cut_recording(steps, length, rng)]
    groups = [whole[copies[whole] == first] for first in np.unique(copies[whole])]
    rng = np.random.default_rng([seed, length, 0])
    sizes = [int((lengths[group] - length + 1).sum()) for group in groups]
    for group, role in zip(groups, deal(sizes, [0] * len(groups), PARTS, rng), strict=True):
        rows += [(role, i, 0, int(lengths[i])) for i in group.tolist()]
    return np.array(sorted(rows, key=lambda row: row[1:]), np.int64).reshape(-1, 4)


def deal(sizes: Sequence[int], strata: Sequence[int], parts: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """A role for every group: in random order within their strata, each goes to the role that lacks most.

    Args:
        sizes: how much each group counts.
        strata: groups of one stratum (class) are dealt one after another, so that all roles get their part of it.
        parts: what part of everything each role should have.

    Returns:
        ``int64 (groups,)``.
    """
    ranks = rng.permutation(len(sizes))
    kinds = np.unique(np.asarray(strata, np.int64))
    turn = dict(zip(kinds.tolist(), rng.permutation(len(kinds)).tolist(), strict=True))
    order = sorted(range(len(sizes)), key=lambda i: (turn[int(strata[i])], ranks[i]))
    roles, had, total = np.zeros(len(sizes), np.int64), np.zeros(len(parts)), 0
    for i in order:
        total += sizes[i]
        roles[i] = int(np.argmax(np.asarray(parts) * total - had))
        had[roles[i]] += sizes[i]
    return roles


def first_equal(rows: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """For every array, the number of the first one that is equal to it bit by bit (any NaN equals any NaN)."""
    seen: dict[tuple[tuple[int, ...], bytes], int] = {}
    out = []
    for i, row in enumerate(rows):
        # Adding 0 turns -0 into 0.
        values = np.where(np.isnan(row), np.float32(np.nan), row + np.float32(0)).astype(np.float32)
        out.append(seen.setdefault((row.shape, values.tobytes()), i))
    return np.array(out, np.int64)
