"""Filling gaps: what is there stays, what is filled keeps to its channel; seeds, labels, lengths, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_models import TRANSFORMER, UNET, waves

from tsprout import imputing
from tsprout.baselines import get
from tsprout.data.frames import from_object
from tsprout.errors import InputError, TsproutError
from tsprout.imputing import gaps
from tsprout.model import Denoiser
from tsprout.peer import Peer
from tsprout.series import SeriesSet
from tsprout.synthesizer import Sprout
from tsprout.train.finetune import FinetuneConfig

QUICK = FinetuneConfig(steps=2, batch=4, episodes=2, evaluate_every=2, warmup=1, blind_steps=2)


def sprout(config: Any = TRANSFORMER) -> Sprout:
    return Sprout(Denoiser(config, seed=0))


def holes(values: np.ndarray, seed: int = 0, share: float = 0.3) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.nan, values)


def series(n: int = 6, length: int = 16, **rest: Any) -> SeriesSet:
    values = holes(100 + 5 * waves(n, 2, length))
    return SeriesSet.from_arrays(values, lengths=rest.pop("lengths", np.full(n, length)), **rest)


@pytest.mark.parametrize("config", [TRANSFORMER, UNET], ids=["transformer", "unet"])
def test_gaps_are_filled_and_all_else_stays(config: Any) -> None:
    given = series(lengths=[16, 16, 12, 9, 16, 12])
    filled = sprout(config).fit(given, "prompt").impute()
    assert gaps(given).any() and not gaps(filled).any()
    seen = given.observed
    assert np.array_equal(filled.values[seen], given.values[seen])
    assert np.array_equal(filled.observed, seen | gaps(given)) and np.isnan(filled.values[~filled.observed]).all()
    assert np.array_equal(filled.lengths, given.lengths) and np.array_equal(filled.ids, given.ids)
    assert abs(filled.values[gaps(given)].mean() - 100) < 10


def test_the_same_seed_gives_the_same_bits_and_a_median_is_one_of_its_draws() -> None:
    fitted = sprout().fit(series(), "prompt")
    one = fitted.impute(draws=5, seed=3)
    assert one.equals(fitted.impute(draws=5, seed=3)) and not one.equals(fitted.impute(draws=5, seed=4))
    every = fitted.completions(draws=5, seed=3)
    assert every.shape == (5, 6, 2, 16)
    gap = gaps(fitted.shots)
    np.testing.assert_array_equal(np.median(every, axis=0)[gap].astype(np.float32), one.values[gap])
    assert np.ptp(every[:, gap], axis=0).min() > 0
    assert (every[:, fitted.shots.observed] == fitted.shots.values[fitted.shots.observed]).all()
    assert not fitted.impute(draws=1, seed=3).equals(one)


def test_smooth_series_are_filled_near_what_they_were() -> None:
    # The bundled model, never trained for this, is nearer than a mean by far.
    truth = 50 + 20 * waves(12, 1, 24, seed=2)
    given = SeriesSet.from_arrays(holes(truth, share=0.2), lengths=np.full(12, 24))
    filled = Sprout.from_pretrained().fit(given, "prompt").impute(draws=5)
    gap = gaps(given)
    error = np.abs(filled.values - truth)[gap].mean()
    assert error < 0.3 * np.abs(np.nanmean(given.values) - truth)[gap].mean()


def test_channels_keep_to_what_they_are() -> None:
    rng, n, length = np.random.default_rng(0), 8, 24
    meter = np.cumsum(rng.integers(0, 4, (n, length)), axis=1)
    low = 50 + np.cumsum(rng.standard_normal((n, length)), axis=1)
    high = low + rng.uniform(0.0, 0.1, (n, length))
    switch = rng.integers(0, 2, (n, length))
    values = np.stack([meter, low, high, switch, np.full((n, length), 7.0)], axis=1)
    gappy = holes(values, share=0.2)
    gappy[:, 1:3] = holes(values[:, 1:3], share=0.05, seed=1)
    given = SeriesSet.from_arrays(gappy, lengths=np.full(n, length))
    fitted = sprout().fit(given, "prompt")
    assert {c["transform"] for c in fitted.scaler.describe()} >= {"cumulative", "relative"}
    filled = fitted.impute(draws=3).values
    assert (np.diff(filled[:, 0]) >= 0).all() and np.array_equal(filled[:, 0], np.round(filled[:, 0]))
    assert (filled[:, 2] >= filled[:, 1] - 1e-5).all()
    assert set(np.unique(filled[:, 3])) <= {0, 1} and (filled[:, 4] == 7).all()


def test_other_series_with_the_same_channels_are_filled_too() -> None:
    fitted = sprout().fit(series(), "prompt")
    other = series(3, 12)
    filled = fitted.impute(other, draws=3)
    assert not gaps(filled).any() and len(filled) == 3
    turned = replace(
        other, values=other.values[:, ::-1], observed=other.observed[:, ::-1], channels=other.channels[::-1]
    )
    again = fitted.impute(turned, draws=3)
    assert again.channels == turned.channels and np.array_equal(again.values[:, ::-1], filled.values)
    every = fitted.completions(turned, draws=3)
    assert np.array_equal(every[:, :, ::-1], fitted.completions(other, draws=3))


@pytest.mark.parametrize("change", ["channels", "label"])
def test_what_does_not_fit_the_model_is_refused(change: str) -> None:
    labels = np.array(["a", "b"] * 3, dtype=object)
    fitted = sprout().fit(series(labels=labels), "prompt")
    other = {
        "channels": SeriesSet.from_arrays(series(2).values, channels=["x", "y"]),
        "label": series(2, labels=np.array(["a", "c"], dtype=object)),
    }[change]
    with pytest.raises(InputError, match={"label": "label 'c'"}.get(change, "fitted to")):
        fitted.impute(other)
    if change == "label":
        with pytest.raises(InputError, match="have none"):
            fitted.impute(series(2))
        with pytest.raises(InputError, match="windows"):
            fitted.impute(series(2), window=8)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="not been fitted"):
        sprout().impute()
    fitted = sprout().fit(series(), "prompt")
    arguments = [{"draws": 0}, {"draws": True}, {"draws": 10**6}, {"foo": 1}, {"window": 8}, {"steps": 0}]
    arguments += [{"solver": "euler"}, {"guidance": -1}, {"guidance": "1.5"}, {"guidance": True}, {"seed": -1}]
    for wrong in arguments:
        with pytest.raises(InputError):
            fitted.impute(**wrong)
    with pytest.raises(InputError, match="cannot fill gaps"):
        Peer(get("copies")()).impute()


def test_a_model_trained_on_moves_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FinetuneConfig, "for_shots", lambda _: QUICK)
    rng = np.random.default_rng(0)
    meter = np.cumsum(rng.integers(0, 9, (8, 1, 24)), axis=2).astype(np.float32)
    given = SeriesSet.from_arrays(holes(meter, share=0.1), channels=["meter"], lengths=np.full(8, 24))
    with pytest.raises(InputError, match="'meter'"):
        sprout().fit(given, "bias").impute()
    filled = sprout().fit(given, "bias", transforms={"meter": "identity"}).impute(draws=3)
    assert not gaps(filled).any()


def test_frames_come_back_as_frames() -> None:
    given = series(4)
    frame = pd.DataFrame(
        [
            {"who": f"p{i}", "time": t, "x": given.values[i, 0, t], "y": given.values[i, 1, t]}
            for i in range(4)
            for t in range(16)
        ]
    )
    filled = sprout().fit(frame, "prompt", id_column="who").impute(draws=3)
    assert list(filled.columns) == ["who", "time", "x", "y"] and len(filled) == 64
    assert not filled.isna().any().any() and frame.isna().any().any()
    # Of a frame that is given here nothing else changes: not a digit, the order of rows, nor what is no channel.
    given = frame.assign(x=frame["x"] + 1e-9, remark="as it was")[::-1]
    given["remark"] = np.arange(len(given)).astype(str)
    out = (
        sprout()
        .fit(frame, "prompt", id_column="who")
        .impute(given, draws=3, id_column="who", time_column="time", channels=["x", "y"])
    )
    assert list(out.columns) == list(given.columns) and out.index.equals(given.index) and not out.isna().any().any()
    assert all(out[name][given[name].notna()].equals(given[name].dropna()) for name in given.columns)


@pytest.mark.parametrize("labelled", [False, True])
def test_series_longer_than_the_shots_are_filled_in_windows(labelled: bool) -> None:
    labels = np.array(["a", "b"] * 3, dtype=object) if labelled else None
    fitted = sprout().fit(series(labels=labels), "prompt")
    long = series(3, 75, lengths=[75, 41, 12], labels=None if labels is None else labels[:3])
    told: list[tuple[str, int, int]] = []
    filled = fitted.impute(long, draws=3, progress=lambda *each: told.append(each))
    assert not gaps(filled).any() and np.array_equal(filled.values[long.observed], long.values[long.observed])
    assert np.array_equal(filled.observed, long.observed | gaps(long))
    counts = [each[1] for each in told]
    assert counts[0] == 0 and counts == sorted(counts) and counts[-1] == told[0][2] > 3
    assert filled.equals(fitted.impute(long, draws=3)) and not filled.equals(fitted.impute(long, draws=3, seed=1))
    every = fitted.completions(long, draws=3)
    gap = gaps(long)
    np.testing.assert_array_equal(np.median(every, axis=0)[gap].astype(np.float32), filled.values[gap])
    assert np.ptp(every[:, gap], axis=0).min() > 0


def test_a_recording_is_filled_better_than_by_straight_lines() -> None:
    steps, rng = np.arange(400), np.random.default_rng(0)
    truth = np.stack([20 + 5 * np.sin(steps / 3), 3 + np.cos(steps / 3)]) + 0.1 * rng.standard_normal((2, 400))
    values = truth.copy()
    for start in range(15, 390, 40):
        values[0, start : start + 10] = values[1, start + 20 : start + 30] = np.nan
    recording = SeriesSet.from_arrays(values[None])
    filled = Sprout.from_pretrained().fit(recording.windows(48, 24), "prompt").impute(recording, draws=5)
    gap = gaps(recording)[0]
    lines = np.stack([np.interp(steps, steps[~g], v[~g]) for g, v in zip(gap, values, strict=True)])
    assert np.abs(filled.values[0] - truth)[gap].mean() < 0.5 * np.abs(lines - truth)[gap].mean()


def test_what_goes_round_is_filled_across_its_edge() -> None:
    rng = np.random.default_rng(1)
    truth = np.mod(rng.uniform(0, 360, (20, 1, 1)) + 15 * rng.standard_normal((20, 1, 72)).cumsum(axis=2), 360)
    given = SeriesSet.from_arrays(holes(truth, share=0.2), lengths=np.full(20, 72))
    fitted = Sprout.from_pretrained().fit(given.windows(24), "prompt")
    assert fitted.scaler.describe()[0]["transform"] == "circular"
    period = imputing.periods(fitted.scaler)
    for filled in (fitted.impute(given, draws=5), fitted.impute(given.windows(24), draws=5)):
        own = truth if filled.length == 72 else SeriesSet.from_arrays(truth).windows(24).values
        gap = gaps(given if filled.length == 72 else given.windows(24))
        assert ((filled.values >= 0) & (filled.values < 360)).all()
        assert np.abs(imputing.apart(filled.values, own, period))[gap].mean() < 15


def test_a_direction_beside_a_meter_is_still_followed_round() -> None:
    rng = np.random.default_rng(2)
    wind = np.mod(rng.uniform(0, 360, (20, 1)) + 15 * rng.standard_normal((20, 24)).cumsum(axis=1), 360)
    meter = rng.integers(0, 9, (20, 24)).cumsum(axis=1)
    given = SeriesSet.from_arrays(holes(np.stack([meter, wind], axis=1), share=0.1), lengths=np.full(20, 24))
    fitted = sprout().fit(given, "prompt")
    assert [c["transform"] for c in fitted.scaler.describe()] == ["cumulative", "circular"]
    scaler = imputing.values_scaler(fitted._source())
    assert [c["transform"] for c in scaler.describe()] == ["identity", "circular"]


def test_the_median_of_directions_is_one_between_them() -> None:
    drawn = np.array([350.0, 10, 20, 355, 5])[:, None, None]
    assert imputing.median(drawn, np.array([[360.0]])) == 5 and imputing.median(drawn, np.array([[0.0]])) == 20
    assert imputing.apart(drawn, np.array([[355.0]]), np.array([[360.0]])).ravel().tolist() == [-5, 15, 25, 0, 10]


def test_a_recording_too_long_for_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = sprout().fit(series(), "prompt")
    monkeypatch.setattr("tsprout.data.memory.available", lambda: 1000)
    with pytest.raises(InputError, match="filling it needs"):
        fitted.impute(series(1, 40), draws=3)


def test_labels_are_filled_from_their_own() -> None:
    labels = np.array(["a", "b"] * 4, dtype=object)
    values = holes(waves(8, 1, 16) + np.where(labels == "a", 0, 1000)[:, None, None])
    given = SeriesSet.from_arrays(values, labels=labels, lengths=np.full(8, 16))
    filled = sprout().fit(given, "prompt").impute(draws=3).values
    assert filled[labels == "a"].max() < 500 < filled[labels == "b"].min()


def test_a_channel_without_any_value_in_a_series_is_filled() -> None:
    given = series()
    values, observed = given.values.copy(), given.observed.copy()
    values[2, 1], observed[2, 1] = np.nan, False
    given = replace(given, values=values, observed=observed)
    filled = sprout().fit(given, "prompt").impute(draws=3)
    assert not gaps(filled).any()


def test_many_cells_are_taken_channel_by_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = sprout().fit(series(), "prompt")
    together = fitted.impute(draws=3)
    monkeypatch.setattr("tsprout.imputing._TOGETHER", 16)
    apart = fitted.impute(draws=3)
    assert not gaps(apart).any() and not apart.equals(together)


def test_many_draws_come_in_parts_and_many_shots_are_not_all_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = sprout().fit(series(), "prompt")
    monkeypatch.setattr("tsprout.imputing.series_at_once", lambda _: 4)
    every = fitted.completions(draws=11)
    assert every.shape[0] == 11 and len(np.unique(every[:, gaps(fitted.shots)][:, 0])) == 11
    sizes: list[int] = []
    plain = imputing.covariance
    monkeypatch.setattr(imputing, "covariance", lambda v, o: sizes.append(len(v)) or plain(v, o))
    monkeypatch.setattr(imputing, "_FEWEST", 3)
    monkeypatch.setattr(imputing, "_MOST", 3)
    fitted.impute(draws=1)
    assert sizes == [3]


def test_what_the_user_said_of_a_channel_holds_beside_a_meter() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(0, 5, (8, 24)).cumsum(1), rng.standard_normal((8, 24))], axis=1)
    given = SeriesSet.from_arrays(holes(values, share=0.1), lengths=np.full(8, 24), channels=["meter", "x"])
    fitted = sprout().fit(given, "prompt", transforms={"x": "asinh"})
    scaler = imputing.values_scaler(fitted._source())
    assert [c["transform"] for c in scaler.describe()] == ["identity", "asinh"]
    assert fitted.scaler.describe()[0]["transform"] == "cumulative"


def test_values_that_are_not_finite_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = sprout().fit(series(), "prompt")
    monkeypatch.setattr("tsprout.imputing.draw_latent", lambda *a, **k: np.full(a[1], np.nan, np.float32))
    with pytest.raises(TsproutError, match="not finite"):
        fitted.impute()


def test_progress_counts_series_with_gaps() -> None:
    given = series()
    whole = replace(given, values=np.nan_to_num(given.values, nan=100.0), observed=np.ones_like(given.observed))
    told: list[tuple[str, int, int]] = []
    fitted = sprout().fit(given, "prompt")
    fitted.impute(draws=3, progress=lambda *each: told.append(each))
    assert told[-1] == ("impute", 6, 6)
    told.clear()
    assert fitted.impute(whole, progress=lambda *each: told.append(each)).equals(whole) and not told


def test_a_table_is_read_as_the_one_it_was_fitted_to() -> None:
    frame = pd.DataFrame(
        [(k, t, 10.0 * k + t, "ab"[k % 2], f"note {t}") for k in range(6) for t in range(12)],
        columns=["shop", "step", "sales", "region", "note"],
    )
    frame.loc[[3, 40], "sales"] = np.nan
    fitted = sprout(TRANSFORMER).fit(frame, "prompt", id_column="shop")
    out = fitted.impute(frame, draws=1)
    assert out["sales"].notna().all() and out.drop(columns="sales").equals(frame.drop(columns="sales"))
    # By itself nothing tells its series apart.
    with pytest.raises(InputError, match="rows have the same time"):
        from_object(frame)
    other = frame.rename(columns={"shop": "id"})  # not the columns that it knows
    assert fitted.impute(other, draws=1)["sales"].notna().all()


def test_a_channel_without_a_value_in_new_data_is_filled() -> None:
    frame = pd.DataFrame(
        [(f"p{k}", t, k + t / 2, t % 5) for k in range(6) for t in range(12)], columns=["id", "t", "a", "b"]
    )
    fitted = sprout(TRANSFORMER).fit(frame, "prompt")
    empty = frame[frame["id"] < "p3"].copy()
    empty["b"] = np.nan
    for reader in ({}, {"id_column": "id"}, {"id_column": "id", "time_column": "t"}):
        assert fitted.impute(empty, draws=1, **reader)["b"].notna().all()
