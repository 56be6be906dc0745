"""The protocol to use: what a model sees, what settings are chosen with and what it is compared with share nothing.

- Shots, validation and reference come from disjoint stretches of time at least ``length`` steps apart, spread over the
  whole history, or from disjoint recordings or instances (:mod:`tsprout.data.protocols.stretches`). Equal instances,
  up to ``length``, stay together.
- The scaler is fitted on the shots: a user with ten series has nothing else. Values stay in the source's units.
- Shots do not overlap while the set has enough windows that do not; otherwise the stride shrinks, and a note says so.
- A window that is equal to a shot, as where nothing changes, is in neither reference nor validation.
- Where recordings are many (30), each has one role as a whole, and roles share the moments of simultaneous ones.
- Every seed draws other stretches and other shots; for a seed and a length the reference is the same whatever the
  number of shots, but for windows that equal one, and fewer shots are a prefix of more as long as the stride is the
  same. (Where a small set of instances has too few for the shots, instances move from the reference, then from
  validation, behind the others.)
- Windows of which more than half of the cells are missing are in no role. A channel without any value in the shots
  is left out of all roles, for a model cannot learn it; more shots may bring it back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsprout.data.catalog.sets import RealSet
from tsprout.data.protocols.scaler import Standardizer
from tsprout.data.protocols.split import Split, check_shots, count_shots, first_notes, prepared
from tsprout.data.protocols.stretches import (
    PARTS,
    REFERENCE,
    SHOTS,
    VALIDATION,
    deal,
    dealt_whole,
    first_equal,
    recording_stretches,
)
from tsprout.data.protocols.windows import Sources, as_series, cut, grid, most_windows, own_lengths, thinned, usable
from tsprout.errors import InputError

LEAST_REFERENCE = 20


@dataclass(frozen=True, eq=False)
class _Plan:
    """Roles of a set for one length and seed. ``stretches``: ``(n, 3)`` source, first step, end, one array a role.

    ``groups``: of instances, the reference and validation groups in random order, first members first; empty for
    recordings. The order of instances in ``stretches[SHOTS]`` is random, that of recordings is their own.
    """

    sources: Sources
    labels: np.ndarray | None
    good: list[np.ndarray]
    stretches: list[np.ndarray]
    groups: list[tuple[int, np.ndarray]]
    notes: list[str]


def strict(real: RealSet | str, *, shots: int | float, length: int = 24, seed: int = 0, most: int = 2000) -> Split:
    """A split in which nothing leaks, in the units of the source, NaN where missing.

    Args:
        real: a set, or its name.
        shots: a number, or a share (float, 0.05 is 5 %) of the windows of the shots' pool that do not overlap, rounded
            down, at least 1.
        length: of every series, in time steps.
        seed: of everything drawn, 0 or more; ``SEEDS`` are the benchmark's.
        most: at most so many series in the reference, a quarter of them in validation, evenly spread.

    Raises:
        InputError: the pool has fewer windows than shots asked for, the reference would have fewer than 20 (windows
            that equal a shot do not count), or a number makes no sense; it says what works.
    """
    wanted = check_shots(shots)
    if most < LEAST_REFERENCE:
        raise InputError(f"most is {most}", fix=f"The reference needs at least {LEAST_REFERENCE} series.")
    real = prepared(real, length, seed)
    plan = _plan(real, length, seed)
    if _windows(plan, REFERENCE, length) < LEAST_REFERENCE or not _windows(plan, SHOTS, length):
        raise _too_short(real, length, seed)
    notes = first_notes(real) + plan.notes
    disjoint = grid(plan.stretches[SHOTS], plan.good, length, length, _phases(plan, length, seed))
    count = count_shots(wanted, max(1, len(disjoint)))
    if plan.groups and count > len(disjoint):
        _enlarge(plan, count, length)
    pool, stride = _pool(plan, count, length, seed)
    if len(pool) < count:
        raise InputError(
            f"{count} shots asked for, but {real.name} has only {len(pool)} windows of {length} time steps for them",
            fix=f"Ask for at most {len(pool)} shots, or for a smaller length.",
        )
    if stride < length and not plan.groups:
        notes.append(
            f"shots overlap: they start {stride} steps or more apart, for the pool has {len(disjoint)} disjoint windows"
        )
    order = (
        np.arange(len(pool)) if plan.groups else np.random.default_rng([seed, length, 1, stride]).permutation(len(pool))
    )
    origin = {"shots": pool[order[:count]]}
    held = grid(plan.stretches[REFERENCE], plan.good, length, 1)
    checked = grid(plan.stretches[VALIDATION], plan.good, length, 1)
    origin |= {"validation": thinned(checked, max(1, most // 4)), "reference": thinned(held, most)}
    seen = np.isfinite(cut(plan.sources, origin["shots"], length)).any(axis=(0, 2))
    if not seen.all():
        lost = ", ".join(name for name, has in zip(real.channels, seen, strict=True) if not has)
        notes.append(f"channels without any value in the shots are left out: {lost}")
    if not len(checked):
        notes.append("too little for a validation set")
    keep = np.flatnonzero(seen)
    _drop_equal(plan, origin, length, keep, notes)
    sets = {k: as_series(real, plan.sources, plan.labels, v, length, keep) for k, v in origin.items() if len(v)}
    return Split(
        name=real.name,
        protocol="strict",
        length=length,
        seed=seed,
        shots=sets["shots"],
        validation=sets.get("validation"),
        reference=sets["reference"],
        scaler=Standardizer.fit(sets["shots"].values),
        scaled=False,
        origin=origin,
        pool=len(pool),
        available=len(held),
        notes=tuple(notes),
    )


def _plan(real: RealSet, length: int, seed: int) -> _Plan:
    if not real.recordings:
        return _plan_instances(real, length, seed)
    lengths = own_lengths(real.recordings)
    table = recording_stretches(lengths, first_equal(real.recordings), length, seed)
    notes = []
    short = int((lengths < length).sum())
    if short:
        notes.append(f"{short} of {len(lengths)} recordings are shorter than {length} steps: left out")
    if len(lengths) == 1 and lengths[0] < 20 * length:
        notes.append(
            "the recording is short: the shots and the reference are one stretch each, and see different times"
        )
    whole = len(dealt_whole(lengths, length))
    if whole > 1:
        notes.append(
            f"{whole} recordings are dealt to roles as wholes: roles share moments where recordings are simultaneous"
        )
    stretches = [table[table[:, 0] == role, 1:] for role in (SHOTS, VALIDATION, REFERENCE)]
    return _Plan(real.recordings, None, usable(real.recordings, length), stretches, [], notes)


def _plan_instances(real: RealSet, length: int, seed: int) -> _Plan:
    values, labels = real.instances()
    good = usable(values, length)
    fits = np.flatnonzero((own_lengths(values) >= length) & np.array([g.any() for g in good], bool))
    copies = fits[first_equal(values[fits, :, :length])] if len(fits) else fits
    leaders, own, size = np.unique(copies, return_inverse=True, return_counts=True)
    members = np.split(fits[np.argsort(own, kind="stable")], np.cumsum(size)[:-1])
    notes = []
    if len(fits) < len(values):
        notes.append(f"{len(values) - len(fits)} of {len(values)} series are too short or too empty: left out")
    if len(leaders) < len(fits):
        notes.append(
            f"{len(fits) - len(leaders)} series are copies of others over {length} steps: all copies have one role, "
            f"and only one of them may be a shot"
        )
    held = min(0.8, max(PARTS[REFERENCE], (LEAST_REFERENCE + 1) / max(1, len(fits))))
    rest = (1 - held) / (1 - PARTS[REFERENCE])
    kinds = [0] * len(leaders) if labels is None else np.unique(labels[leaders], return_inverse=True)[1].tolist()
    rng = np.random.default_rng([seed, length, len(values)])
    roles = deal(size.tolist(), kinds, (PARTS[SHOTS] * rest, PARTS[VALIDATION] * rest, held), rng)
    order = rng.permutation(len(leaders))
    groups = [(int(roles[g]), members[g]) for g in order.tolist()]

    def rows(parts: list[np.ndarray]) -> np.ndarray:
        source = np.concatenate([np.zeros(0, np.int64), *parts])
        return np.stack([source, np.zeros_like(source), np.full_like(source, length)], axis=1)

    stretches = [rows([m[:1] for role, m in groups if role == SHOTS])]
    stretches += [rows([np.sort(np.concatenate([m for r, m in groups if r == role] or [fits[:0]]))]) for role in (1, 2)]
    return _Plan(values, labels, good, stretches, groups, notes)


def _enlarge(plan: _Plan, count: int, length: int) -> None:
    """Move instances to the end of the shots' pool until it has ``count``, leaving the reference its least."""
    for role in (REFERENCE, VALIDATION):
        for own, members in plan.groups:
            if own != role or len(plan.stretches[SHOTS]) >= count:
                continue
            left = plan.stretches[role][~np.isin(plan.stretches[role][:, 0], members)]
            if role == REFERENCE and len(left) < LEAST_REFERENCE:
                continue
            plan.stretches[role] = left
            plan.stretches[SHOTS] = np.concatenate([plan.stretches[SHOTS], [[members[0], 0, length]]])


def _windows(plan: _Plan, role: int, length: int) -> int:
    return len(grid(plan.stretches[role], plan.good, length, 1))


def _phases(plan: _Plan, length: int, seed: int) -> np.ndarray:
    """Where in its first stride every stretch begins: random, or all shots would start at the same hour of the day."""
    return np.random.default_rng([seed, length, 2]).random(len(plan.stretches[SHOTS]))


def _pool(plan: _Plan, count: int, length: int, seed: int) -> tuple[np.ndarray, int]:
    """The windows of the shots' stretches at the largest stride that gives ``count`` of them, and that stride."""
    phases = _phases(plan, length, seed)
    found = np.zeros((0, 2), np.int64)
    for stride in range(length, 0, -1):
        if stride > 1 and most_windows(plan.stretches[SHOTS], length, stride) < count:
            continue
        found = grid(plan.stretches[SHOTS], plan.good, length, stride, phases if stride > 1 else None)
        if len(found) >= count:
            return found, stride
    return found, 1


def _drop_equal(plan: _Plan, origin: dict[str, np.ndarray], length: int, keep: np.ndarray, notes: list[str]) -> None:
    """Take windows out of reference and validation that are equal to a shot in the channels ``keep``.

    Stretches in which nothing changes are equal wherever they lie; instances may be, once a channel is left out.
    """
    shots = cut(plan.sources, origin["shots"], length)[:, keep]
    dropped = {}
    for role in ("reference", "validation"):
        windows = cut(plan.sources, origin[role], length)[:, keep]
        fresh = first_equal(np.concatenate([shots, windows]))[len(shots) :] >= len(shots)
        origin[role], dropped[role] = origin[role][fresh], int((~fresh).sum())
    if any(dropped.values()):
        told = " and ".join(f"{count} of the {role}" for role, count in dropped.items() if count)
        notes.append(f"windows that are equal to a shot, value by value, are left out: {told}")
    if len(origin["reference"]) < LEAST_REFERENCE:
        raise InputError(
            f"nearly all windows of {length} time steps to hold out are equal to one of the shots",
            fix="Take a greater length, or another set.",
        )


def _works(real: RealSet, length: int, seed: int) -> bool:
    plan = _plan(real, length, seed)
    return _windows(plan, REFERENCE, length) >= LEAST_REFERENCE and _windows(plan, SHOTS, length) > 0


def _too_short(real: RealSet, length: int, seed: int) -> InputError:
    """The error that names the longest shorter length that works, found by bisection, or else a longer one."""
    low, high = 1, length
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _works(real, middle, seed) else (low, middle)
    longest = real.size.length or 0
    if low > 1:
        fix = f"The longest length that works is {low}."
    elif longest > length and _works(real, longest, seed):
        fix = f"Too many of its series are equal over so few steps; length {longest} works."
    else:
        fix = "It is too small for this protocol."
    return InputError(
        f"{real.name} ({real.size}) has fewer than {LEAST_REFERENCE} windows of {length} time steps to hold out",
        fix=fix,
    )
