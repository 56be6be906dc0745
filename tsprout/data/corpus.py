"""The pre-training stream: endless few-shot episodes drawn from many sets of real series.

An *episode* is a small world: ``k`` shots and other series of the same set, scaled by statistics of the shots alone, as
a user's few series would be. Nothing is materialised: an episode is cut from a set's recordings or instances when it is
asked for, from its own stretch of time, with its own subset and order of channels, sampling stride, signs and classes,
so that a hundred sets become many thousand tasks. Targets never overlap the shots in time.

Sets are read from the data pack (``pretrain`` and ``extra``); ``eval`` sets cannot be named here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tsprout.errors import InputError

ROLES = ("pretrain", "extra")
# Licences that forbid derived works or commercial use, prices under a vendor's terms, and near copies of evaluation
# sets (ETTh1 is the same transformer as ETTm1; the light curves have the source of StarLightCurves).
EXCLUDED = {
    "ETTh1": "CC BY-ND, and the same transformer as the evaluation set ETTm1",
    "SunspotsDaily": "CC BY-NC",
    "Stocks": "Yahoo Finance terms",
    "Stock_AAPL": "Yahoo Finance terms",
    "Stock_AMZN": "Yahoo Finance terms",
    "Stock_DIS": "Yahoo Finance terms",
    "Stock_FB": "Yahoo Finance terms",
    "Stock_XLP": "Yahoo Finance terms",
    "SFA_query_lightcurves": "same source as the evaluation set StarLightCurves",
}
# Never trained on: what every design choice is measured on.
HELD_OUT = (
    "BikeSharing",
    "Chinatown",
    "MBA_ECG",
    "NN5",
    "SteamGen",
    "SeattleTrail",
    "UEA_BasicMotions",
    "UCR_GunPoint",
    "UCR_GunPointAgeSpan",
    "UCR_GunPointMaleVersusFemale",
    "UCR_GunPointOldVersusYoung",
    "UCR_Plane",
    "UCR_PowerCons",
    "UCR_TwoLeadECG",
    "VicElec",
)
_SHORTEST = 16


@dataclass
class Domain:
    """One set of the corpus.

    ``recordings``: arrays ``(channels, time)``, windows are cut from them; or ``instances (n, channels, length)``,
    which are series already. ``row``: of the dataset token. Missing cells are NaN. ``weight``: relative share of the
    draws.
    """

    name: str
    row: int
    weight: float
    recordings: list[np.ndarray] = field(default_factory=list)
    instances: np.ndarray | None = None
    labels: np.ndarray | None = None

    @property
    def channels(self) -> int:
        """Channels of the set."""
        return (self.recordings[0] if self.instances is None else self.instances[0]).shape[0]


def tame(values: np.ndarray) -> np.ndarray:
    """Heavy-tailed channels made milder, as the scaler does for a user: ``(channels, time)`` to the same shape.

    Infinite cells become missing.
    """
    out = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    for channel in out:
        seen = channel[np.isfinite(channel)]
        if len(seen) < 8:
            continue
        low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95])
        spread = high - low
        if spread <= 0:
            continue
        peak = np.abs(seen - middle).max() / spread
        skew = (high - middle) / max(middle - low, 1e-6 * spread)
        if seen.min() >= 0 and skew > 4:
            channel[:] = np.log1p(channel / max(seen.mean(), 1e-12))
        elif peak > 8:
            channel[:] = np.arcsinh((channel - middle) / (spread / 3))
    return out


def moments(values: np.ndarray, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the observed cells, axes kept; NaN where nothing is observed."""
    seen = np.isfinite(values)
    count = seen.sum(axis=axis, keepdims=True)
    none = np.where(count > 0, 0.0, np.nan)
    total = np.where(seen, values, 0).sum(axis=axis, keepdims=True, dtype=np.float64)
    mean = total / np.maximum(count, 1) + none
    square = np.where(seen, (values - mean) ** 2, 0).sum(axis=axis, keepdims=True, dtype=np.float64)
    return mean, np.sqrt(square / np.maximum(count, 1)) + none


def _pieces(arrays: dict[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray | None, np.ndarray | None]:
    if "series" in arrays:
        whole = tame(arrays["series"].astype(np.float32).T)
        bounds = np.cumsum(arrays["segment_lengths"])[:-1].tolist() if "segment_lengths" in arrays else []
        return [p for p in np.split(whole, bounds, axis=1) if p.shape[1] >= _SHORTEST], None, None
    if "flat" in arrays:
        parts = np.split(arrays["flat"].astype(np.float32), np.cumsum(arrays["lengths"])[:-1])
        return [tame(p[None]) for p in parts if len(p) >= _SHORTEST], None, None
    found = [arrays[k] for k in ("train_X", "test_X") if k in arrays]
    length = min(a.shape[1] for a in found)
    instances = np.concatenate([a[:, :length] for a in found]).astype(np.float32).transpose(0, 2, 1)
    instances[~np.isfinite(instances)] = np.nan
    classes = [arrays[k] for k in ("train_y", "test_y") if k in arrays]
    labels = np.concatenate(classes) if sum(map(len, classes)) == len(instances) else None
    return [], instances, labels


def load_domains(folder: Path, *, exclude: Iterable[str] = (), only: Sequence[str] | None = None) -> list[Domain]:
    """Read the sets below ``folder``/``pretrain`` and ``folder``/``extra`` listed in its manifest.

    Args:
        folder: of the data pack.
        exclude: names to leave out, beside those of :data:`EXCLUDED`.
        only: if given, just these names.

    Raises:
        InputError: if the manifest is missing, or a name in ``only`` is not a pre-training set or is left out.
    """
    manifest = Path(folder) / "manifest.json"
    if not manifest.is_file():
        raise InputError("no manifest.json there", where=str(folder), fix="Point TSPROUT_DATA at the data pack.")
    entries = [d for d in json.loads(manifest.read_text())["datasets"] if d["role"] in ROLES]
    unknown = sorted(set(only or ()) - {d["name"] for d in entries})
    if unknown:
        raise InputError(f"not a pre-training set: {', '.join(unknown)}", where=str(manifest))
    left_out = set(EXCLUDED) | set(exclude)
    barred = sorted(set(only or ()) & left_out)
    if barred:
        reasons = "; ".join(f"{name}: {EXCLUDED.get(name, 'excluded by the caller')}" for name in barred)
        raise InputError(f"left out of pre-training ({reasons})", where=str(manifest))
    domains: list[Domain] = []
    for entry in sorted(entries, key=lambda d: d["name"]):
        if entry["name"] in left_out or (only is not None and entry["name"] not in only):
            continue
        with np.load(Path(folder) / entry["file"], allow_pickle=False) as arrays:
            recordings, instances, labels = _pieces(dict(arrays))
        if not recordings and instances is None:
            continue
        # Outlines and gestures make up most of the archive; a third of a vote each keeps them from drowning the rest.
        weight = 0.3 if entry["name"].startswith("UCR_") else 1.0
        domains.append(Domain(entry["name"], len(domains), weight, recordings, instances, labels))
    return domains


def _cells(rng: np.random.Generator, time: int, width: int, shots: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts of ``shots`` and ``targets`` windows of ``width`` in ``time`` steps; no target meets a shot."""
    room = 1.0 if rng.random() < 0.5 else float(rng.uniform(1, 2))
    cell = max(width, min(int(width * room), time // 3))
    count = time // cell
    offset = int(rng.integers(0, time - count * cell + 1))
    order = rng.permutation(count)
    shots = min(shots, max(1, count - max(1, count // 3)))
    rest = order[shots:]
    chosen = np.concatenate([order[:shots], rng.choice(rest, targets, replace=len(rest) < targets)])
    starts = offset + chosen * cell + rng.integers(0, cell - width + 1, size=len(chosen))
    return starts[:shots], starts[shots:]


def _from_recordings(
    rng: np.random.Generator, domain: Domain, channels: np.ndarray, length: int, shots: int, targets: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Shots and targets from one stretch of one recording, or across many short recordings."""
    lengths = np.array([r.shape[1] for r in domain.recordings])
    stride = int(rng.choice([1, 1, 1, 2, 3, 4]))
    while stride > 1 and lengths.max() < 6 * length * stride:
        stride -= 1
    width = length * stride
    within = np.flatnonzero(lengths >= 3 * width)
    across = np.flatnonzero(lengths >= width)
    if len(across) >= 8 and (len(within) == 0 or rng.random() < 0.4):
        order = rng.permutation(across)
        picked = order[: shots + targets]
        if len(across) < shots + targets:
            # Few recordings: some serve the shots, the others the targets, so that none is on both sides.
            half = max(1, min(shots, len(order) // 2))
            picked = np.concatenate([order[:half], rng.choice(order[half:], targets)])
            shots = half
        aligned = rng.random() < 0.3
        cuts = []
        for index in picked:
            recording = domain.recordings[index]
            start = 0 if aligned else int(rng.integers(0, recording.shape[1] - width + 1))
            cut = recording[channels, start : start + width : stride]
            level, scale = moments(recording[channels], axis=(1,))
            cuts.append((cut - level) / (scale + 1e-9))
        windows = np.stack(cuts)
        return windows[:shots], windows[shots:]
    if len(within) == 0:
        return None
    recording = domain.recordings[int(rng.choice(within, p=lengths[within] / lengths[within].sum()))]
    time = recording.shape[1]
    least = min(time, 3 * width)
    stretch = int(np.exp(rng.uniform(np.log(least), np.log(time)))) if rng.random() < 0.6 else time
    begin = int(rng.integers(0, time - stretch + 1))
    own, other = _cells(rng, stretch, width, shots, targets)
    starts = np.concatenate([own, other]) + begin
    index = starts[:, None] + np.arange(0, width, stride)
    windows = recording[channels][:, index].transpose(1, 0, 2)
    return windows[: len(own)], windows[len(own) :]


def _from_instances(
    rng: np.random.Generator, domain: Domain, channels: np.ndarray, length: int, shots: int, targets: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Shots and targets among the instances, perhaps of one class, cut at one common place and stride."""
    assert domain.instances is not None
    total = domain.instances.shape[-1]
    if total < length:
        return None
    pool = np.arange(len(domain.instances))
    if domain.labels is not None and rng.random() < 0.3:
        same = np.flatnonzero(domain.labels == rng.choice(domain.labels))
        pool = same if len(same) >= 6 else pool
    if len(pool) < 2:
        return None
    order = rng.permutation(pool)
    shots = max(1, min(shots, len(order) // 2))
    chosen = np.concatenate([order[:shots], rng.choice(order[shots:], targets, replace=len(order) - shots < targets)])
    stride = int(rng.integers(1, total // length + 1)) if rng.random() < 0.5 else 1
    width = length * stride
    if rng.random() < 0.25:
        begin = rng.integers(0, total - width + 1, size=len(chosen))
    else:
        begin = np.full(len(chosen), 0 if rng.random() < 0.5 else rng.integers(0, total - width + 1))
    index = begin[:, None] + np.arange(0, width, stride)
    windows = domain.instances[chosen[:, None, None], channels[None, :, None], index[:, None, :]]
    return windows[:shots], windows[shots:]


def draw_series(
    rng: np.random.Generator, domain: Domain, channels: int, length: int, shots: int, targets: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Raw shots ``(<= shots, channels, length)`` and targets ``(targets, channels, length)`` of one set.

    ``None`` where the set is too short or small for this, or has too few channels.
    """
    if domain.channels < channels:
        return None
    picked = rng.permutation(domain.channels)[:channels]
    cut = _from_recordings if domain.instances is None else _from_instances
    return cut(rng, domain, picked, length, shots, targets)
