"""Scaling: round trips of every kind of channel, statistics of latents, constraints, JSON, refusals, real data."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tsprout.data.scaling import TRANSFORMS, Scaler
from tsprout.data.schema import Schema
from tsprout.errors import InputError
from tsprout.series import SeriesSet

DATA = Path(os.environ.get("TSPROUT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")

EXACT = ("whole", "counts", "hundreds", "binary", "levels", "constant", "decimals", "rare flag", "zeros and counts")
SMOOTH = ("normal", "lognormal", "heavy", "outlier", "share", "offset", "tiny", "huge", "rain", "changes", "saturated")


def channel(kind: str, rng: np.random.Generator, shape=(12, 24)) -> np.ndarray:
    """Cells of one kind, ``float32`` values."""
    normal = rng.standard_normal(shape)
    wet = rng.random(shape) < 0.3
    out = {
        "whole": lambda: np.round(1000 * normal),
        "counts": lambda: rng.poisson(np.exp(2 + normal)),
        "hundreds": lambda: 100 * np.round(1e4 * np.exp(normal)),
        "binary": lambda: rng.choice([2.5, 7.1], shape),
        "levels": lambda: rng.choice([0.0, 0.1, 0.5, 1.0], shape),
        "constant": lambda: np.full(shape, 0.1),
        "decimals": lambda: np.round(36.6 + normal, 1),
        "rare flag": lambda: np.arange(normal.size).reshape(shape) == 7,
        "zeros and counts": lambda: wet * rng.integers(1, 5000, shape),
        "normal": lambda: 5 + 3 * normal,
        "lognormal": lambda: np.exp(1.5 * normal),
        "heavy": lambda: rng.standard_t(2, shape),
        "outlier": lambda: normal + 1e5 * (np.arange(normal.size).reshape(shape) == 7),
        "share": lambda: 1 / (1 + np.exp(-2 * normal)),
        "offset": lambda: 1e9 + 1e5 * normal,
        "tiny": lambda: 1e-12 * (3 + normal),
        "huge": lambda: 1e30 * normal,
        "rain": lambda: wet * np.exp(normal),
        "changes": lambda: wet * normal,
        "saturated": lambda: np.clip(normal, -1.2, 1.1),
    }[kind]()
    return np.asarray(out).astype(np.float32)


def fit(cells: np.ndarray, **options) -> Scaler:
    return Scaler.fit(SeriesSet.from_arrays(cells[:, None]), **options)


def one(cells: np.ndarray, **options) -> tuple[dict, np.ndarray, np.ndarray]:
    """Description, latents and values back of one channel."""
    scaler = fit(cells, **options)
    latent = scaler.transform(cells[:, None])
    return scaler.describe()[0], latent[:, 0], scaler.inverse(latent)[:, 0]


@pytest.mark.parametrize("kind", EXACT)
@given(seed=st.integers(0, 10**6), missing=st.sampled_from([0.0, 0.3]))
@settings(max_examples=15, deadline=None)
def test_exact_kinds_come_back_equal(kind, seed, missing):
    rng = np.random.default_rng(seed)
    cells = channel(kind, rng)
    cells[rng.random(cells.shape) < missing] = np.nan
    _, latent, back = one(cells)
    assert latent.dtype == np.float32 and back.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(latent), np.isnan(cells))
    # As they are kept: hundreds of so many digits come back nearer to themselves than 32 bits had them.
    np.testing.assert_array_equal(back.astype(np.float32), cells)


@pytest.mark.parametrize("kind", SMOOTH)
@given(seed=st.integers(0, 10**6), missing=st.sampled_from([0.0, 0.3]))
@settings(max_examples=15, deadline=None)
def test_smooth_kinds_come_back_to_round_off_and_are_standardised(kind, seed, missing):
    rng = np.random.default_rng(seed)
    cells = channel(kind, rng)
    cells[rng.random(cells.shape) < missing] = np.nan
    seen = ~np.isnan(cells)
    about, latent, back = one(cells)
    np.testing.assert_array_equal(np.isnan(back), ~seen)
    x, span = cells[seen].astype(np.float64), np.ptp(cells[seen].astype(np.float64))
    assert np.abs(back[seen] - x).max() <= 1e-6 * span
    np.testing.assert_array_equal(back[seen][x == 0], 0.0)
    assert abs(latent[seen].mean()) < 1e-3
    assert 0.79 < latent[seen].std() < 1.01
    assert about["minimum"] == x.min() and about["maximum"] == x.max()


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=60), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_any_values_at_all_come_back(values, rows):
    cells = np.resize(np.array(values, np.float32), (rows, -(-len(values) // rows)))
    _, latent, back = one(cells)
    assert np.isfinite(latent).all()
    span = np.ptp(cells.astype(np.float64))
    # One latent step is 2^-24 of the distance from the mean *on the log scale*, which such ranges make up to 100.
    assert np.abs(back - cells).max() <= 1e-5 * span


@given(st.lists(st.integers(-(10**6), 10**6), min_size=5, max_size=60, unique=True))
@settings(max_examples=150, deadline=None)
def test_any_whole_numbers_come_back_equal(values):
    cells = np.array([values], np.float32)
    about, _, back = one(cells)
    assert about["integer"]
    np.testing.assert_array_equal(back, cells)


@pytest.mark.parametrize("kind", [k for k in (*EXACT, *SMOOTH) if k != "constant"])
def test_latents_rise_with_the_values_and_back(kind):
    cells = channel(kind, np.random.default_rng(1))
    scaler = fit(cells)
    x = np.unique(cells)
    z = scaler.transform(x[None, None])[0, 0]
    assert (np.diff(z) > 0).all() or (kind == "outlier" and (np.diff(z) >= 0).all())
    back = scaler.inverse(np.linspace(-9, 9, 5001)[None, None])[0, 0]
    assert (np.diff(back) >= 0).all()


@pytest.mark.parametrize("kind", SMOOTH)
def test_far_latents_exceed_the_range_but_do_not_explode(kind):
    cells = channel(kind, np.random.default_rng(2))
    about, latent, _ = one(cells)
    low, high, span = float(cells.min()), float(cells.max()), float(np.ptp(cells.astype(np.float64)))
    # Two standard deviations beyond the edge exceed it, unless there is a bound; nothing goes beyond a few ranges.
    z = np.array([[[latent.max() + 2.0, 6.0, -6.0, latent.min() - 2.0]]])
    above, six, minus_six, below = fit(cells).inverse(z)[0, 0]
    assert above > high or above == about["upper"]
    assert below < low or below in (about["lower"], 0.0)
    assert low - 4 * span <= min(minus_six, below) and max(six, above) <= high + 4 * span


@pytest.mark.parametrize(
    ("kind", "transform", "word"),
    [
        ("normal", "identity", "no strong skew"),
        ("lognormal", "log1p", "non-negative, right-skewed (skewness"),
        ("heavy", "asinh", "heavy tails"),
        ("outlier", "asinh", "heavy tails or outliers"),
        ("rain", "hurdle", "of the cells are exactly 0"),
        ("changes", "hurdle", "of the cells are exactly 0"),
        ("binary", "binary", "only 2.5 and 7.1 occur"),
        ("levels", "levels", "4 distinct values"),
        ("constant", "constant", "every observed cell is 0.1"),
    ],
)
def test_the_choice_is_said_in_plain_words(kind, transform, word):
    about, _, _ = one(channel(kind, np.random.default_rng(3), (20, 50)))
    assert about["transform"].split("+")[0] == transform
    assert about["reason"].startswith(about["transform"] + ": ") and word in about["reason"]


def test_what_a_channel_is_shows_in_its_description():
    rng = np.random.default_rng(0)
    about = {kind: one(channel(kind, rng))[0] for kind in (*EXACT, *SMOOTH)}
    assert [k for k in about if about[k]["integer"]] == ["whole", "counts", "hundreds", "rare flag", "zeros and counts"]
    assert [k for k in about if about[k]["binary"]] == ["binary", "rare flag"]
    assert [k for k in about if about[k]["constant"]] == ["constant"]
    assert about["hundreds"]["decimals"] == -2 and about["decimals"]["decimals"] == 1
    assert about["normal"]["lower"] is None and about["lognormal"]["lower"] == 0
    assert (about["saturated"]["lower"], about["saturated"]["upper"]) == (np.float32(-1.2), np.float32(1.1))
    assert (about["share"]["lower"], about["share"]["upper"]) == (0, 1)
    assert 0.6 < about["rain"]["zero_share"] < 0.8 and about["normal"]["zero_share"] == 0
    json.dumps(list(about.values()))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_constraints_hold_for_any_latents(seed):
    rng = np.random.default_rng(seed)
    kinds = ("counts", "hundreds", "binary", "levels", "constant", "decimals", "share", "saturated", "rain")
    cells = np.stack([channel(kind, rng) for kind in kinds], axis=1)
    share = cells[:, kinds.index("share")]
    assume(share.min() < 0.02 and share.max() > 0.98)  # what hardly comes near to 0 or 1 is not known to end there
    scaler = Scaler.fit(SeriesSet.from_arrays(cells, channels=kinds))
    out = dict(
        zip(kinds, scaler.inverse(4 * rng.standard_normal((5, len(kinds), 200))).transpose(1, 0, 2), strict=True)
    )
    assert (out["counts"] == np.round(out["counts"])).all() and out["counts"].min() >= 0
    assert (out["hundreds"] % 100 == 0).all()
    for kind in ("binary", "levels", "constant"):
        assert set(np.unique(out[kind])) == {float(v) for v in np.unique(cells[:, kinds.index(kind)])}
    np.testing.assert_array_equal(out["decimals"], np.round(out["decimals"], 1).astype(np.float32))
    assert out["share"].min() >= 0 and out["share"].max() <= 1
    assert (out["saturated"] == np.float32(1.1)).any() and (out["saturated"] == np.float32(-1.2)).any()
    assert out["rain"].min() == 0 and not np.signbit(out["rain"]).any()


@pytest.mark.parametrize("kind", SMOOTH)
def test_single_zeros_come_back_as_zeros(kind):
    cells = channel(kind, np.random.default_rng(5))
    cells[[1, 4, 6], [3, 0, 2]] = 0.0
    _, _, back = one(cells)
    np.testing.assert_array_equal(back == 0, cells == 0)


def test_two_values_are_plus_and_minus_one_however_rare():
    _, latent, _ = one(channel("rare flag", np.random.default_rng(0)))
    assert set(np.unique(latent)) == {-1.0, 1.0}
    assert (latent == 1).sum() == 1


def test_rare_levels_and_bursts_are_drawn_in_and_stay_centred():
    rng = np.random.default_rng(0)
    rare = rng.choice([0.0, 1.0, 2.0], (20, 100), p=[0.98, 0.01, 0.01])
    burst = np.where(rng.random((20, 100)) < 0.97, 0.0, np.exp(rng.standard_normal((20, 100))))
    for cells, kind in ((rare, "levels"), (burst, "hurdle")):
        about, latent, _ = one(cells.astype(np.float32))
        assert about["transform"].startswith(kind)
        assert latent.std() == pytest.approx(0.8, abs=1e-3) and abs(latent.mean()) < 1e-4


def test_differences_in_level_among_series_stay():
    cells = (np.arange(6)[:, None] * 10 + np.random.default_rng(0).standard_normal((6, 24))).astype(np.float32)
    _, latent, _ = one(cells)
    assert (np.diff(latent.mean(axis=1)) > 0.4).all()


def test_a_huge_skewed_count_falls_back_to_the_identity_to_stay_exact():
    rng = np.random.default_rng(0)
    cells = np.floor(2e3 * np.exp(1.2 * rng.standard_normal((10, 100)))).astype(np.float32)
    cells[::2, :20] = 7_990_001 + np.arange(100).reshape(5, 20)
    about, _, back = one(cells)
    assert about["transform"] == "identity" and "back exactly only so" in about["reason"]
    np.testing.assert_array_equal(back, cells)
    asked, _, back = one(cells, transforms={"channel_0": "log1p"})
    assert asked["transform"] == "log1p"
    assert np.abs(back - cells).max() <= 8
    mostly_zero = cells * (rng.random(cells.shape) < 0.5).astype(np.float32)
    about, _, back = one(mostly_zero)
    assert about["transform"] == "hurdle"
    np.testing.assert_array_equal(back, mostly_zero)


def test_a_decimal_grid_finer_than_float32_latents_is_dropped():
    rng = np.random.default_rng(0)
    cells = np.round(rng.uniform(0, 1e3, (10, 100)) ** 4 / 1e9, 3).astype(np.float32)
    cells[0, 0] = 2096.0
    about, _, back = one(cells, transforms={"channel_0": "log1p"})
    assert about["decimals"] in (None, 3)
    assert np.abs(back - cells).max() <= 1e-6 * np.ptp(cells)


def test_schema_says_what_is_whole():
    cells = np.array([[1.0, 2.0], [2.0, 1.0]], np.float32)
    wide = Schema("csv-wide", step_columns=("0", "1"), dtypes={"0": "int64", "1": "int64"})
    for schema, integer in (
        (None, False),
        (Schema("csv-long", dtypes={"channel_0": "float64"}), False),
        (Schema("csv-long", dtypes={"channel_0": "int64"}), True),
        (Schema("pandas-long", dtypes={"channel_0": "UInt8"}), True),
        (Schema("numpy", dtypes={"values": "int32"}), True),
        (wide, True),
        (wide.replace(dtypes={"0": "int64", "1": "float64"}), False),
    ):
        scaler = Scaler.fit(SeriesSet.from_arrays(cells[:, None], schema=schema))
        assert scaler.describe()[0]["integer"] is integer, schema


def test_only_the_observed_cells_of_the_shots_matter():
    rng = np.random.default_rng(0)
    cells = channel("lognormal", rng)[:, None]
    observed = rng.random(cells.shape) < 0.7
    shots = SeriesSet.from_arrays(cells, observed=observed)
    scaler = Scaler.fit(shots)
    # What hides below the mask, further series, ids, and what is scaled in between make no difference.
    other = SeriesSet(
        np.where(observed, cells, 1e9).astype(np.float32), observed, shots.lengths, shots.channels, shots.ids + 5
    )
    scaler.transform(1e6 * cells)
    assert Scaler.fit(other).to_dict() == scaler.to_dict() == Scaler.fit(shots).to_dict()
    # The order of the series makes none either.
    assert Scaler.fit(shots[::-1]).to_dict() == scaler.to_dict()
    assert Scaler.fit(shots[:6]).to_dict() != scaler.to_dict()


def test_unseen_data_are_scaled_and_come_back_too():
    rng = np.random.default_rng(0)
    for kind in ("normal", "lognormal", "heavy", "rain"):
        scaler = fit(channel(kind, rng))
        far = 3 * channel(kind, rng)[:, None]
        back = scaler.inverse(scaler.transform(far))
        np.testing.assert_allclose(back, far, rtol=1e-4, atol=1e-5)


def test_channels_never_observed_stay_missing():
    cells = np.full((4, 2, 8), np.nan, np.float32)
    cells[:, 0] = np.random.default_rng(0).standard_normal((4, 8))
    scaler = Scaler.fit(SeriesSet.from_arrays(cells))
    about = scaler.describe()[1]
    assert (about["transform"], about["minimum"], about["decimals"]) == ("empty", None, None)
    latent = scaler.transform(cells)
    assert np.isnan(latent[:, 1]).all()
    assert np.isnan(scaler.inverse(np.zeros((1, 2, 3)))[:, 1]).all()
    assert Scaler.from_dict(json.loads(json.dumps(scaler.to_dict()))).to_dict() == scaler.to_dict()


def test_json_keeps_every_bit():
    rng = np.random.default_rng(0)
    kinds = (*EXACT, *SMOOTH)
    cells = np.stack([channel(kind, rng) for kind in kinds], axis=1)
    scaler = Scaler.fit(SeriesSet.from_arrays(cells, channels=kinds), bounds={"normal": (-100.0, None)})
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict(), allow_nan=False)))
    assert again.to_dict() == scaler.to_dict() and again.describe() == scaler.describe()
    z = 3 * rng.standard_normal((3, len(kinds), 50))
    assert again.inverse(z).tobytes() == scaler.inverse(z).tobytes()
    assert again.transform(cells).tobytes() == scaler.transform(cells).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("version"),
        lambda d: d.update(version=2),
        lambda d: d.pop("channels"),
        lambda d: d["channels"][0].pop("scale"),
        lambda d: d["channels"][0].update(scale=-1.0),
        lambda d: d["channels"][0].update(shift="0"),
        lambda d: d["channels"][0].update(decimals=0.5),
        lambda d: d["channels"][0].update(decimals=True),
        lambda d: d["channels"][0].update(transform={"name": "spline"}),
    ],
)
def test_unknown_versions_and_damage_are_refused(change):
    data = json.loads(json.dumps(fit(channel("normal", np.random.default_rng(0))).to_dict()))
    change(data)
    with pytest.raises(InputError):
        Scaler.from_dict(data)


def test_what_is_not_a_dict_is_refused():
    with pytest.raises(InputError, match="not a scaler"):
        Scaler.from_dict([1])  # type: ignore[arg-type]


def test_bounds_from_the_user_take_over():
    cells = channel("share", np.random.default_rng(0))
    far = np.array([[[-50.0, 50.0]]])
    np.testing.assert_array_equal(fit(cells).inverse(far)[0, 0], [0, 1])
    np.testing.assert_array_equal(fit(cells, bounds={"channel_0": (-0.5, 1.5)}).inverse(far)[0, 0], [-0.5, 1.5])
    free = fit(cells, bounds={"channel_0": (None, None)}).inverse(far)[0, 0]
    assert free[0] < 0 and free[1] > 1
    counts = channel("counts", np.random.default_rng(0))
    about = fit(counts, bounds={"channel_0": (-0.5, 9999.5)}).describe()[0]
    assert (about["lower"], about["upper"]) == (0, 9999)
    tenth = np.array([[0.1, 0.05, 0.02]], np.float32)  # the float32 nearest to 0.1 is above 0.1
    assert fit(tenth, bounds={"channel_0": (0, 0.1)}).describe()[0]["upper"] == 0.1
    empty = np.full((2, 1, 4), np.nan, np.float32)
    assert Scaler.fit_arrays(empty, ["a"], bounds={"a": (0, 1)}).describe()[0]["upper"] == 1


@pytest.mark.parametrize("name", [t for t in TRANSFORMS if t != "auto"])
@pytest.mark.parametrize("kind", ["normal", "rain", "whole", "binary", "constant"])
def test_every_transform_can_be_asked_for(name, kind):
    cells = channel(kind, np.random.default_rng(0), (5, 40))
    about, latent, back = one(cells, transforms={"channel_0": name})
    if kind == "constant":
        assert about["transform"] == "constant" and "nothing to transform" in about["reason"]
    else:
        expected = "binary" if name == "levels" and kind == "binary" else name
        assert about["transform"].split("+")[0] == expected and "as asked" in about["reason"]
    span = np.ptp(cells.astype(np.float64))
    assert np.abs(back - cells).max() <= 1e-6 * span + 1e-7
    assert np.isfinite(latent).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"bounds": {"other": (0, 1)}}, "no channel 'other'"),
        ({"bounds": {"channel_0": (1, 0)}}, "not below"),
        ({"bounds": {"channel_0": (0, "1")}}, "two numbers"),
        ({"bounds": {"channel_0": 3}}, "two numbers"),
        ({"bounds": {"channel_0": (float("nan"), 1)}}, "two numbers"),
        ({"bounds": {"channel_0": (5.0, None)}}, "lies below"),
        ({"bounds": {"channel_0": (None, 5.0)}}, "lies above"),
        ({"transforms": {"other": "log1p"}}, "no channel 'other'"),
        ({"transforms": {"channel_0": "boxcox"}}, "unknown transform"),
        ({"transforms": {"channel_0": "levels"}}, "too many for levels"),
    ],
)
def test_bad_options_are_refused(options, word):
    cells = channel("normal", np.random.default_rng(0), (20, 40))
    with pytest.raises(InputError, match=word) as caught:
        fit(cells, **options)
    assert "bounds" in str(caught.value) or "transforms" in str(caught.value)


def test_arrays_of_the_wrong_shape_or_infinite_are_refused():
    scaler = fit(channel("normal", np.random.default_rng(0)))
    for bad in (np.zeros((3, 24)), np.zeros((3, 2, 24))):
        with pytest.raises(InputError, match="does not go with 1 channel"):
            scaler.transform(bad)
        with pytest.raises(InputError, match="does not go with 1 channel"):
            scaler.inverse(bad)
    with pytest.raises(InputError, match="infinite"):
        Scaler.fit_arrays(np.array([[[1.0, np.inf]]]), ["a"])


def test_inverse_is_fast():
    rng = np.random.default_rng(0)
    kinds = ("normal", "lognormal", "heavy", "rain", "counts", "binary", "levels")
    cells = np.stack([channel(kind, rng) for kind in kinds], axis=1)
    scaler = Scaler.fit(SeriesSet.from_arrays(cells))
    z = rng.standard_normal((1000, 7, 24)).astype(np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        scaler.inverse(z)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05  # a few milliseconds; the margin is for busy machines


def real(name: str, length: int, count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """``count`` windows of a real recording, ``(count, n_channels, length)``."""
    path = DATA / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"no real data: {name}.npz is not in TSPROUT_DATA")
    with np.load(path) as arrays:
        series = arrays["series"]
    starts = np.random.default_rng(seed).choice(len(series) - length, count, replace=False)
    windows = np.stack([series[s : s + length].T for s in starts])
    return windows, [f"c{i}" for i in range(series.shape[1])]


@pytest.mark.data
@pytest.mark.parametrize(("count", "length"), [(5, 24), (25, 24), (10, 128)])
@pytest.mark.parametrize(
    "name", ["eval/SaugeenRiverFlow", "eval/AirQuality", "eval/Weather", "pretrain/MSL", "eval/ILI", "eval/ETTm1"]
)
def test_real_series(name, count, length):
    for seed in range(3):
        cells, names = real(name, length, count, seed)
        scaler = Scaler.fit(SeriesSet.from_arrays(cells, channels=names))
        latent = scaler.transform(cells)
        back = scaler.inverse(latent)
        np.testing.assert_array_equal(np.isnan(back), np.isnan(cells))
        for i, about in enumerate(scaler.describe()):
            seen = ~np.isnan(cells[:, i])
            x, y = cells[:, i][seen].astype(np.float64), back[:, i][seen]
            if about["decimals"] is not None or about["levels"] is not None:
                np.testing.assert_array_equal(y, x)
            elif x.size:
                assert np.abs(y - x).max() <= 1e-6 * np.ptp(x)
            z = latent[:, i][seen].astype(np.float64)
            if about["binary"] or about["constant"]:
                continue
            assert abs(z.mean()) < 0.05 and 0.79 < z.std() < 1.25, about
            if about["transform"].startswith(("hurdle", "levels")):
                continue  # a rare burst or level has the kurtosis of a rare event
            assert np.mean(((z - z.mean()) / z.std()) ** 4) < 12, about
            assert np.abs(z).max() < 7, about


@pytest.mark.data
def test_real_rain_is_mostly_exact_zeros_and_stays_so():
    cells, names = real("eval/Weather", 128, 30, 0)
    scaler = Scaler.fit(SeriesSet.from_arrays(cells, channels=names))
    about = scaler.describe()[14]
    assert about["transform"].startswith("hurdle") and about["lower"] == 0
    latent = scaler.transform(cells)[:, 14:15].astype(np.float64)
    noisy = np.repeat(latent + 0.05 * np.random.default_rng(0).standard_normal(latent.shape), len(names), axis=1)
    back = scaler.inverse(noisy)[:, 14]
    assert np.mean((back == 0) == (cells[:, 14] == 0)) > 0.999


@pytest.mark.data
def test_real_commands_are_two_valued():
    cells, names = real("pretrain/MSL", 128, 25, 0)
    about = Scaler.fit(SeriesSet.from_arrays(cells, channels=names)).describe()[1:]
    assert all(a["binary"] or a["constant"] for a in about) and sum(a["binary"] for a in about) >= 5


def test_what_is_always_positive_stays_so() -> None:
    rng = np.random.default_rng(0)
    values = 60 + 20 * rng.normal(size=(8, 1, 40)).cumsum(2) / 4
    values = values - values.min() + 5
    scaler = Scaler.fit(SeriesSet.from_arrays(values))
    back = scaler.inverse(np.linspace(-12, 3, 4000)[None, None].astype(np.float32))
    assert back.min() > 0 and (np.diff(back) >= 0).all()
    assert np.allclose(scaler.inverse(scaler.latent(SeriesSet.from_arrays(values))), values, rtol=1e-5)
    touching = values - values.min()
    assert Scaler.fit(SeriesSet.from_arrays(touching)).inverse(np.full((1, 1, 4), -12, np.float32)).min() == 0
