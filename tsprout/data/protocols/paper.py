"""The set-up of arXiv 2505.20446, to the letter, weaknesses included; for numbers to put beside published ones.

Windows of the *training split* at stride 1: the first twelve months of ETT, the first 70 % of other recordings, the
TRAIN file of archive instances, of which the first ``length`` steps count (``entry.paper`` has the exceptions). The
scaler is fitted on the whole training split; the shots are the first ``k`` of one fixed permutation of its windows; and
the reference is all of its windows, shots included. All values are scaled: z-score, or [0, 1] for the sets so marked
(the sines are made within it, and stay as they are).
"""

from __future__ import annotations

import numpy as np

from tsprout.data.catalog.entry import Paper
from tsprout.data.catalog.sets import RealSet
from tsprout.data.protocols.scaler import Kind, Standardizer
from tsprout.data.protocols.split import Split, check_shots, count_shots, first_notes, prepared
from tsprout.data.protocols.windows import Sources, as_series, own_lengths, thinned
from tsprout.errors import InputError

PERMUTATION_SEED = 20446
FIT_SHARE = 0.7
PRINTED_LENGTH = 24
_SCALINGS: dict[str, Kind] = {"zscore": "z-score", "minmax": "min-max", "none": "none"}


def paper(
    real: RealSet | str,
    *,
    shots: int | float,
    length: int = 24,
    seed: int | None = None,
    reference_size: int | None = None,
) -> Split:
    """The split of arXiv 2505.20446. Values are scaled; ``scaler.inverse`` brings them back to the source's units.

    Missing values are put back as the code that the benchmark's files hold (AirQuality -200, Weather -9999); other sets
    keep NaN. Recordings that the pack holds end to end count as one, and windows cross their borders, as in the paper;
    series of a collection are cut at 70 % each. There is no validation.

    Args:
        real: a set, or its name.
        shots: a number, or a share of the windows as a float (0.05 is 5 %), rounded down, at least 1.
        length: of the windows, in time steps.
        seed: of the permutation; one constant when left out. Smaller numbers of shots are a prefix of larger ones.
        reference_size: take so many windows as reference, evenly spread; all by default.

    Raises:
        InputError: no window is as long as ``length``, or a number that makes no sense.
    """
    drawn = PERMUTATION_SEED if seed is None else seed
    wanted = check_shots(shots)
    if reference_size is not None and reference_size < 1:
        raise InputError(f"reference_size is {reference_size}", fix="It must be at least 1.")
    real = prepared(real, length, drawn)
    notes = ["the reference contains the shots, and the scaler has seen the whole training split", *first_notes(real)]
    if len(real.recordings) > 1 and real.entry.size.kind != "collection":
        notes.append(f"windows cross the borders between its {len(real.recordings)} recordings, as in the paper")
    plan = real.entry.paper if real.entry.size.kind == real.size.kind else None
    split, labels, fitted_on, unused = _training(real, plan)
    if real.entry.missing_code is not None:
        split, fitted_on = _coded(split, real.entry.missing_code), _coded(fitted_on, real.entry.missing_code)
        notes.append(f"missing values are {real.entry.missing_code:g}, as in the benchmark's files")
    scaler = Standardizer.fit(_flat(fitted_on), _SCALINGS["zscore" if plan is None else plan.scaling])
    scaled: Sources = tuple(map(scaler.transform, split)) if isinstance(split, tuple) else scaler.transform(split)
    windows = _windows(scaled, length, unused, _stride(real, plan))
    if not len(windows):
        longest = int(own_lengths(scaled).max(initial=0)) - unused
        raise InputError(
            f"the training split of {real.name} has no window of {length} time steps",
            fix=f"The longest window is {longest} steps.",
        )
    if not isinstance(scaled, tuple) and len(windows) < len(scaled):
        notes.append(f"{len(scaled) - len(windows)} of {len(scaled)} series are shorter than {length} steps: left out")
    count = count_shots(wanted, len(windows))
    if count > len(windows):
        notes.append(f"{count} shots were asked for, but there are only {len(windows)} windows: all of them are shots")
        count = len(windows)
    first = windows[np.random.default_rng(drawn).permutation(len(windows))[:count]]
    reference = thinned(windows, reference_size)
    return Split(
        name=real.name,
        protocol="paper",
        length=length,
        seed=drawn,
        shots=as_series(real, scaled, labels, first, length, None),
        validation=None,
        reference=as_series(real, scaled, labels, reference, length, None),
        scaler=scaler,
        scaled=True,
        origin={"shots": first, "validation": np.zeros((0, 2), np.int64), "reference": reference},
        pool=len(windows),
        available=len(windows),
        notes=tuple(notes),
    )


def _training(real: RealSet, plan: Paper | None) -> tuple[Sources, np.ndarray | None, Sources, int]:
    """What windows are cut from, its labels, what the scaler is fitted on, and the steps at the end left unused."""
    if not real.recordings:
        present = [name for name in ("train", "test") if getattr(real, name) is not None]
        splits = [name for name in (plan.splits if plan else ("train",)) if name in present] or present
        values, labels = real.instances(*splits)
        fitted = real.instances(splits[0])[0]
        most = plan.most if plan else None
        return values[:most], None if labels is None else labels[:most], fitted[:most], 0
    if real.entry.size.kind == "collection":
        split = tuple(r[:, : int(FIT_SHARE * r.shape[1])] for r in real.recordings)
        return split, None, split, 0
    whole = real.recordings[0] if len(real.recordings) == 1 else np.concatenate(real.recordings, axis=1)
    steps = int(FIT_SHARE * whole.shape[1]) if plan is None else plan.fit_steps
    return (whole[:, :steps],), None, (whole[:, :steps],), plan.unused if plan else 0


def _stride(real: RealSet, plan: Paper | None) -> int:
    """1, but for a recording of which the paper uses only every n-th window (SMD: every hundredth)."""
    steps = real.entry.size.steps
    if plan is None or not real.complete or not real.recordings or steps is None:
        return 1
    return max(1, round(((plan.fit_steps or steps) - plan.unused - PRINTED_LENGTH + 1) / plan.windows))


def _windows(sources: Sources, length: int, unused: int, stride: int) -> np.ndarray:
    """``(n, 2)``: source and first step of every window."""
    own = own_lengths(sources) - unused
    if not isinstance(sources, tuple):
        rows = np.flatnonzero(own >= length)
        return np.stack([rows, np.zeros_like(rows)], axis=1)
    starts = [np.arange(0, max(0, steps - length + 1), stride) for steps in own.tolist()]
    parts = [np.stack([np.full_like(s, i), s], axis=1) for i, s in enumerate(starts)]
    return np.concatenate(parts)


def _coded(sources: Sources, code: float) -> Sources:
    filled = tuple(np.where(np.isnan(source), np.float32(code), source) for source in sources)
    return filled if isinstance(sources, tuple) else np.stack(filled)


def _flat(sources: Sources) -> np.ndarray:
    if not isinstance(sources, tuple):
        return sources
    return sources[0] if len(sources) == 1 else np.concatenate(sources, axis=1)
