"""Whatever shape the sets have: one series, one channel, one step, gaps, unequal lengths, constants, and refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsprout.errors import InputError
from tsprout.metrics import METRICS, QUICK, evaluate, quick_scores
from tsprout.metrics import features as features_module
from tsprout.metrics.features import KernelBank
from tsprout.metrics.reference import Reference, fill, share_gaps
from tsprout.metrics.yardstick import Yardstick

RNG = np.random.default_rng(0)


def series(n: int, channels: int, length: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).standard_normal((n, channels, length)), axis=-1)


@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    channels=st.integers(1, 4),
    lengths=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    holes=st.floats(0, 0.9),
    constant=st.booleans(),
)
def test_any_shape_scores_in_range_without_a_warning(n, m, channels, lengths, holes, constant):
    rng = np.random.default_rng(n * 100 + m)
    real, made = series(n, channels, lengths[0], 1), series(m, channels, lengths[1], 2)
    if constant:
        real[:, 0] = made[:, 0] = 7.0
    for values in (real, made):
        values[rng.random(values.shape) < holes] = np.nan
        values[0, :, 0] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in QUICK:
            found = metric(real, made)
            assert np.isnan(found) or metric.range[0] <= found <= metric.range[1]
        scores = quick_scores(real, made, shots=real)
    assert {score.name for score in scores} == {*(metric.name for metric in QUICK), "copying", "near_copies"}
    assert scores.summary().endswith(".")


def test_one_channel_has_no_correlation():
    one = series(30, 1, 24)
    assert np.isnan(METRICS["correlation"](one, one))
    assert quick_scores(one, one, shots=one)["correlation"].verdict == "does not apply"


def test_one_step_has_no_rhythm():
    one = series(30, 2, 1)
    for name in ("autocorrelation", "increments", "spectrum"):
        assert np.isnan(METRICS[name](one, one))
    assert METRICS["marginal"](one, one) == 0


def test_one_real_series_tells_nothing_and_says_so():
    scores = quick_scores(series(1, 2, 24), series(50, 2, 24, 1), shots=series(1, 2, 24))
    assert scores.few
    assert scores.repeats == 0
    assert {score.verdict for score in scores} <= {"too few series to tell", "does not apply"}
    assert scores.summary().startswith("There are too few real series to tell")


def test_too_few_synthetic_series_are_not_said_to_be_too_few_real_ones():
    real = series(12, 2, 24)
    scores = quick_scores(real, series(1, 2, 24, 1), shots=real)
    assert scores.summary().startswith("There are too few synthetic series to tell")


def test_unequal_lengths_are_compared_over_what_they_share():
    real, made = series(60, 2, 24), series(60, 2, 40, 1)
    scores = quick_scores(real, made, shots=real[:5])
    assert scores.notes[0] == "Only the first 24 time steps were compared, those that all sets have."
    padded = np.concatenate([real, np.full((60, 2, 16), np.nan)], axis=-1)
    assert METRICS["frechet"](padded, made) == METRICS["frechet"](real, made)


def test_gaps_on_one_side_alone_tell_nothing():
    real, made = series(300, 2, 24, 1), series(300, 2, 24, 2)
    ragged = real.copy()
    for i, length in enumerate(RNG.integers(10, 25, 300)):
        ragged[i, :, length:] = np.nan
    ragged[RNG.random(ragged.shape) < 0.2] = np.nan
    assert METRICS["discriminative"](ragged, made) < 0.08
    assert METRICS["discriminative"](made, ragged) < 0.08
    assert METRICS["spectrum"](ragged, made) < 1.0
    assert METRICS["discriminative"](ragged, made + 1.0 * RNG.standard_normal(made.shape)) > 0.2
    scores = quick_scores(ragged, made, shots=ragged[:10], max_series=60)
    assert scores["discriminative"].verdict == "as good as another real sample"
    assert scores["frechet"].verdict == "as good as another real sample"


def test_shared_gaps_leave_no_channel_empty():
    values = series(4, 2, 6)
    values[:, 0, :3] = np.nan
    others = series(3, 2, 6)
    others[:, 0, 3:] = np.nan  # what the values have
    others[:, 1] = np.nan
    others[:, 1, 2] = 0.0
    masked = share_gaps(values, others, np.random.default_rng(0))
    assert np.array_equal(masked[:, 0], values[:, 0], equal_nan=True)
    assert np.isnan(masked[:, 1]).sum() == 4 * 5
    assert share_gaps(values, series(4, 2, 6), np.random.default_rng(0)) is values


def test_a_channel_that_some_series_lack_does_not_tell_the_sets_apart():
    real, made = series(600, 2, 24), series(600, 2, 24, 1)
    real[RNG.random(600) < 0.8, 1] = np.nan
    masked = share_gaps(made, real, np.random.default_rng(0))
    assert 0.7 < np.isnan(masked[:, 1]).all(axis=1).mean() < 0.9
    assert not np.isnan(masked[:, 0]).any()
    # A set that lacks the channel at times by itself is as it is: taking it away once more would be too often.
    assert share_gaps(real[:300], real[300:], np.random.default_rng(0)) is not real
    again = share_gaps(real[:300], real[300:], np.random.default_rng(0))
    assert np.array_equal(again, real[:300], equal_nan=True)
    for name in ("discriminative", "frechet"):
        assert METRICS[name](real, made) < 2 * METRICS[name](real[:300], real[300:]) + 0.05, name
    scores = Yardstick(real, real[:10], which=("cfid",), seed=0, iterations=20).score(made, "paper")
    floor = Yardstick(real, real[:10], which=("cfid",), seed=0, iterations=20).beside("paper")["floor"]
    assert scores["cfid"] < 3 * floor["cfid"]


def test_real_series_are_shown_with_their_own_gaps_and_no_others():
    real, shots = series(300, 2, 24), series(150, 2, 24, 1)
    for values in (real, shots):
        for number, length in enumerate(RNG.integers(6, 25, len(values))):
            values[number, :, length:] = np.nan
    beside = Yardstick(real, shots, seed=0).beside()
    assert beside["copies"]["frechet"] < 2.2 * beside["floor"]["frechet"]


def test_a_channel_that_no_real_series_has_does_not_count():
    real, made, shots = series(200, 2, 24), series(200, 2, 24, 1), series(20, 2, 24, 2)
    real[:, 1] = np.nan
    shots[:, 1] += 1000
    ruler = Yardstick(real, shots, seed=0, which=("cfid",), iterations=20)
    alone = Yardstick(real[:, :1], shots[:, :1], seed=0, which=("cfid",), iterations=20)
    for suite in ("fast", "paper"):
        assert ruler.score(made, suite) == pytest.approx(alone.score(made[:, :1], suite), nan_ok=True)
        assert ruler.beside(suite)["copies"] == pytest.approx(alone.beside(suite)["copies"], nan_ok=True)
    with pytest.raises(InputError, match="not a single value"):
        Yardstick(np.full((20, 2, 24), np.nan), shots)


def test_fill_draws_straight_lines_and_holds_the_ends():
    gappy = np.array([[[np.nan, 1.0, np.nan, np.nan, 4.0, np.nan]], [[np.nan] * 6], [[0.0, 1, 2, 3, 4, 5]]])
    assert fill(gappy).tolist() == [[[1, 1, 2, 3, 4, 4]], [[0] * 6], [[0, 1, 2, 3, 4, 5]]]
    whole = series(2, 1, 5)
    assert fill(whole) is whole


def test_reference_measures_observed_cells_and_constants():
    values = np.array([[[1.0, 3.0, np.nan], [5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [np.nan] * 3]])
    reference = Reference.fit(values)
    assert reference.mean.tolist() == [2, 5, 0, 0]
    assert reference.scale.tolist() == [1, 5, 1, 1]
    assert reference.constant.tolist() == [False, True, True, True]


def test_a_constant_channel_that_starts_to_move_is_noticed():
    real = series(40, 2, 24)
    real[:, 1] = 3.0
    moving = real.copy()
    moving[:, 1] += RNG.standard_normal((40, 24))
    for name in ("marginal", "spectrum", "frechet", "discriminative"):
        assert METRICS[name](real, moving) > np.nan_to_num(METRICS[name](real, real)) + 0.1, name


def test_wild_values_stay_finite():
    real, made = series(40, 2, 24), series(40, 2, 24, 1)
    made[0, 0, 0], made[1, 1, 3] = 1e30, -1e30
    for metric in QUICK:
        assert np.isfinite(metric(real, made)), metric.name


def test_features_do_not_depend_on_how_they_are_cut_into_chunks(monkeypatch):
    values = series(30, 3, 50)
    bank = KernelBank.fit(values)
    whole = bank.transform(values)
    monkeypatch.setattr(features_module, "_CELLS", 5000)
    assert bank.transform(values) == pytest.approx(whole, abs=1e-5)
    assert bank.transform(values[[3]])[0] == pytest.approx(whole[3], abs=1e-5)
    assert np.sinh(whole).mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert bank.n_pooled < whole.shape[1]


def test_many_channels_and_long_series_keep_the_features_few():
    assert KernelBank.fit(series(3, 200, 12)).transform(series(3, 200, 12)).shape[1] < 700
    assert KernelBank.fit(series(2, 1, 5000)).transform(series(2, 1, 5000)).shape[1] < 500


@pytest.mark.parametrize(
    ("real", "made", "words"),
    [
        (np.zeros((3, 4)), np.zeros((3, 1, 4)), "shape (3, 4)"),
        (np.zeros((0, 1, 4)), np.zeros((3, 1, 4)), "cannot be scored"),
        (np.zeros((3, 1, 4)), np.zeros((3, 2, 4)), "1 channels and the synthetic series 2"),
        (np.zeros((3, 1, 4)), np.full((3, 1, 4), np.inf), "infinite values in channel 0"),
        (np.full((3, 1, 4), np.nan), np.zeros((3, 1, 4)), "not a single value"),
        ([[["a"]]], np.zeros((3, 1, 4)), "not numbers"),
        (np.zeros((3, 2, 4)), np.array([[[0.0] * 4, [np.nan] * 4]]), "channel 1 holds no value"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(real, made, words):
    with pytest.raises(InputError) as caught:
        METRICS["marginal"](real, made)
    assert words in str(caught.value)


def test_unknown_metrics_and_sizes_are_refused():
    real = series(5, 1, 8)
    with pytest.raises(InputError, match="no metric 'nonsense'"):
        evaluate(real, real, shots=real, metrics=["nonsense"])
    with pytest.raises(InputError, match="no metric 'copying' of two sets"):
        evaluate(real, real, shots=real, metrics=["copying"])
    with pytest.raises(InputError, match="max_series is 1"):
        evaluate(real, real, shots=real, max_series=1)
    with pytest.raises(InputError, match="shot series 2"):
        evaluate(real, real, shots=series(5, 2, 8))
