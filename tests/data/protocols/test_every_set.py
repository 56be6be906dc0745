"""Both protocols on the real sets, as many as are here."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from real_sets import present, real, with_values

from tsprout.data.catalog.entry import catalogue
from tsprout.data.catalog.sets import RealSet
from tsprout.data.protocols import SEEDS, Split, paper, strict
from tsprout.data.protocols.paper import _training
from tsprout.errors import InputError

EVALUATION = [entry.name for entry in catalogue().of_role("eval")]
PRESENT = present()
# Windows of 24 steps and channels as the paper prints them ...
PRINTED = {
    "MuJoCo": (3000, 14), "ETTm1": (34369, 7), "ETTm2": (34273, 7), "ETTh2": (8353, 7), "Sine": (10000, 6),
    "Weather": (36696, 21), "ILI": (581, 7), "SaugeenRiverFlow": (18921, 1), "ECG200": (200, 1),
    "SelfRegulationSCP1": (268, 6), "StarLightCurves": (1000, 1), "AirQuality": (9357, 13), "Stocks": (3661, 6),
    "Energy": (19711, 28), "ETTh1": (8617, 7), "ExchangeRate": (5288, 8), "MSL": (58294, 55), "SMAP": (132458, 25),
    "PSM": (135160, 25), "SMD": (7084, 38), "ECG5000": (200, 1), "NonInvasiveFetalECGThorax1": (120, 1),
    "SelfRegulationSCP2": (500, 7), "Blink": (1800, 4), "ElectricDevices": (8926, 1), "Trace": (100, 1),
    "FordB": (3636, 1), "UWaveGestureLibrary": (2238, 3), "EMOPain": (968, 30), "Chinatown": (20, 1),
    "SharePriceIncrease": (965, 1),
}  # fmt: skip
# ... and where the data themselves say something else (docs/protocols.md says why).
DIFFERENT = {
    "AirQuality": 9334, "SMAP": 135160, "PSM": 132458, "ECG5000": 500, "NonInvasiveFetalECGThorax1": 1800,
    "SelfRegulationSCP2": 200, "Blink": 500, "UWaveGestureLibrary": 120,
}  # fmt: skip
# Too few series or steps to hold anything out at 24 steps, or too many that are equal so far.
TOO_SMALL = {"AustralianTourism", "SFA_query_lightcurves", "UEA_Covid3Month", "UEA_JapaneseVowels"}

data = pytest.mark.data
here = pytest.mark.skipif(not PRESENT, reason="no data sets here: set TSPROUT_DATA")


def test_the_catalogue_knows_the_printed_table() -> None:
    known = {entry.name: entry for entry in catalogue().values() if entry.paper is not None}
    assert set(known) == set(PRINTED)
    for name, (windows, channels) in PRINTED.items():
        plan = known[name].paper
        assert plan is not None and known[name].size.channels == channels, name
        assert plan.windows == DIFFERENT.get(name, windows), name
        assert plan.printed == (windows if name in DIFFERENT else None), name


@data
@here
@pytest.mark.parametrize("name", PRESENT or ["none"])
def test_every_set_present(name: str) -> None:
    made = real(name)
    entry = made.entry
    expected = entry.pack.size if entry.pack is not None and made.partial else entry.size
    assert made.size == expected
    split = paper(made, shots=10, reference_size=300)
    assert split.reference.n_channels == expected.channels and split.length == 24
    same_windows = made.complete or name == "ECG5000"  # of which only TEST is missing
    if entry.paper is not None and same_windows:
        assert split.available == entry.paper.windows
    _check_scaling(made, split)
    if made.complete and entry.content.missing is not None:
        arrays = made.recordings or [x for x in (made.train, made.test) if x is not None]
        assert sum(int(np.isnan(a).sum()) for a in arrays) == entry.content.missing
    if name in TOO_SMALL:
        with pytest.raises(InputError, match="to hold out"):
            strict(made, shots=5)
        return
    blind = strict(made, shots=5)
    assert blind.shots.n_series == 5 and blind.reference.n_series >= 20
    assert set(blind.channels) <= set(made.channels)
    _check_origin(made, blind)


def _check_scaling(made: RealSet, split: Split) -> None:
    """Over the training split every channel has mean 0 and deviation 1, or goes from 0 to 1."""
    plan = made.entry.paper if made.entry.size.kind == made.size.kind else None
    fitted = _training(made, plan)[2]
    code = made.entry.missing_code
    for i in range(len(made.channels)):
        parts = [np.asarray(p[..., i, :], np.float64).ravel() for p in fitted]
        cells = np.concatenate(parts)
        cells = cells[~np.isnan(cells)] if code is None else np.where(np.isnan(cells), code, cells)
        scaled = (cells - split.scaler.offset[i]) / split.scaler.scale[i]
        if not cells.size or np.ptp(cells) == 0:
            assert (scaled == 0).all()
        elif plan is not None and plan.scaling == "minmax":
            assert (scaled.min(), scaled.max()) == pytest.approx((0, 1), abs=1e-9)
        elif plan is not None and plan.scaling == "none":
            assert np.array_equal(scaled, cells)
        else:
            assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-6)
    assert np.isfinite(split.shots.values).any()


def _check_origin(made: RealSet, split: Split) -> None:
    keep = [made.channels.index(channel) for channel in split.channels]
    sources = made.recordings or made.instances()[0]
    for series, role in ((split.shots, "shots"), (split.reference, "reference")):
        for row in (0, -1):
            source, begin = split.origin[role][row]
            expected = sources[source][keep, begin : begin + split.length]
            assert np.array_equal(series.values[row], expected, equal_nan=True)


def _made_longer(name: str) -> bool:
    return name == "Sine" or (name == "MuJoCo" and find_spec("dm_control") is not None)


def _gaps(split: Split) -> int:
    """The smallest number of steps between a shot and a window of another role, over the whole set."""
    smallest = 10**9
    others = np.concatenate([split.origin["validation"], split.origin["reference"]])
    for source in np.unique(split.origin["shots"][:, 0]):
        mine = split.origin["shots"][split.origin["shots"][:, 0] == source, 1]
        theirs = others[others[:, 0] == source, 1]
        if len(theirs):
            # Both are length steps long: those between them are the difference of the starts less one length.
            smallest = min(smallest, int(np.abs(mine[:, None] - theirs[None]).min()) - split.length)
    return smallest


@data
@pytest.mark.parametrize("length", [12, 24, 64, 256])
@pytest.mark.parametrize("name", EVALUATION)
def test_nothing_leaks(name: str, length: int) -> None:
    made = real(name)
    if not made.recordings and made.size.length is not None and made.size.length < length and not _made_longer(name):
        with pytest.raises(InputError, match=f"longest length that works is {made.size.length}"):
            strict(made, shots=10, length=length)
        return
    for seed in SEEDS[: 1 if length > 64 else 2]:
        split = strict(made, shots=100, length=length, seed=seed)
        if made.recordings:
            assert _gaps(split) >= length
            continue
        ids = {role: set(rows[:, 0].tolist()) for role, rows in split.origin.items()}
        assert not ids["shots"] & (ids["validation"] | ids["reference"]) and not ids["validation"] & ids["reference"]
        sets = {"shots": split.shots, "validation": split.validation, "reference": split.reference}
        hashes = {role: {v.tobytes() for v in s.values} for role, s in sets.items() if s is not None}
        assert not hashes["shots"] & (hashes["validation"] | hashes["reference"])
        assert not hashes["validation"] & hashes["reference"]


@data
@pytest.mark.parametrize("name", [*EVALUATION, "MSL"])
def test_shots_and_scaler_are_blind_to_all_other_values(name: str) -> None:
    made = real(name)
    split = strict(made, shots=10, seed=1)
    inside, outside = _disturbed(made, split, True), _disturbed(made, split, False)
    blind, other = strict(outside, shots=10, seed=1), strict(inside, shots=10, seed=1)
    assert blind.shots.values.tobytes() == split.shots.values.tobytes() and blind.channels == split.channels
    assert blind.scaler.offset.tobytes() == split.scaler.offset.tobytes()
    assert blind.scaler.scale.tobytes() == split.scaler.scale.tobytes()
    assert not blind.reference.equals(split.reference)
    # A changed shot is equal to no window: all that were left out for being equal to one are back.
    kept = np.isin(other.origin["reference"] @ [10**9, 1], split.origin["reference"] @ [10**9, 1])
    assert other.reference.values[kept].tobytes() == split.reference.values.tobytes()
    assert kept.all() or any("equal to a shot" in note for note in split.notes)
    assert not other.shots.equals(split.shots)
    # The other protocol's scaler is not blind: the test can tell.
    if made.recordings:
        a, b = (paper(s, shots=1, reference_size=1).scaler for s in (outside, made))
        assert not np.array_equal(a.scale, b.scale)


def _disturbed(made: RealSet, split: Split, inside: bool) -> RealSet:
    """Every value inside (or outside) the shots times -2 and one more, shots as their origin says."""
    arrays = [a.copy() for a in made.recordings] or list(made.instances()[0].copy())
    for source, array in enumerate(arrays):
        mask = np.zeros(array.shape[1], bool)
        for begin in split.origin["shots"][split.origin["shots"][:, 0] == source, 1].tolist():
            mask[begin : begin + split.length] = True
        chosen = mask if inside else ~mask
        array[:, chosen] = array[:, chosen] * -2 + 1
    if made.recordings:
        return with_values(made, arrays)
    stacked, train = np.stack(arrays), 0 if made.train is None else len(made.train)
    return with_values(made, [stacked[:train], stacked[train:]])


@data
@pytest.mark.parametrize("name", ["MSL", "SMAP", "SaugeenRiverFlow"])
def test_no_window_of_a_recording_equals_a_shot(name: str) -> None:
    told = 0
    for length in (12, 24):
        split = strict(real(name), shots=100, length=length, seed=1)
        shots = {values.tobytes() for values in split.shots.values}
        for held in (split.reference, split.validation):
            assert held is not None and not shots & {values.tobytes() for values in held.values}
        told += any("equal to a shot" in note for note in split.notes)
    assert told


@data
@pytest.mark.parametrize("name", ["ETTm1", "ETTh2", "Weather", "SaugeenRiverFlow", "AirQuality"])
def test_all_roles_are_in_every_third_of_the_history(name: str) -> None:
    made = real(name)
    steps = made.recordings[0].shape[1]
    for seed in SEEDS:
        split = strict(made, shots=100, seed=seed)
        for role, rows in split.origin.items():
            assert np.unique(rows[:, 1] * 3 // steps).tolist() == [0, 1, 2], (seed, role)
        # No season is one role's alone: halves of the shots and the reference lie in halves of the history.
        assert 0.3 < (split.origin["shots"][:, 1] < steps / 2).mean() < 0.7


@data
@pytest.mark.parametrize("name", ["AirQuality", "Weather"])
def test_missing_values_stay_missing(name: str) -> None:
    split = strict(real(name), shots=100, most=10**6)
    code = split.reference.values[split.reference.observed]
    assert np.isnan(split.reference.values).any()
    assert not (code == real(name).entry.missing_code).any()


@data
def test_by_name_and_partial() -> None:
    real("PSM")
    split = strict("psm", shots=3)
    assert split.name == "PSM" and any("not the complete set" in note for note in split.notes)
    assert any("not the complete set" in note for note in paper("PSM", shots=3).notes)


@data
def test_labels_are_the_files_own() -> None:
    made = real("ECG200")
    split = strict(made, shots=10)
    labels = made.instances()[1]
    assert labels is not None and split.shots.labels is not None
    assert split.shots.labels.tolist() == labels[split.origin["shots"][:, 0]].tolist()
    without = strict(replace(made, train_labels=None), shots=10)
    assert without.shots.labels is None
