"""Floors, ceilings, verdicts and how they are told."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from tsprout.errors import InputError
from tsprout.metrics import METRICS, QUICK, Interval, Scores, evaluate, quick_scores
from tsprout.metrics import verdicts as words
from tsprout.metrics.base import LOWER, PairMetric
from tsprout.metrics.reference import standardised
from tsprout.metrics.suites import score_suite
from tsprout.metrics.verdicts import copying_verdict, fidelity_verdict, near_copies_verdict

RNG = np.random.default_rng(0)


def process(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 2, 24))
    x[..., 0] = 2 * rng.standard_normal((n, 2))
    for t in range(1, 24):
        x[..., t] = 0.9 * x[..., t - 1] + rng.standard_normal((n, 2)) @ np.array([[1.0, 0.7], [0.0, 0.7]])
    return x + np.array([100.0, -3.0])[:, None]


REAL, GOOD, SHOTS = process(400, 1), process(200, 2), process(10, 3)


def quick(real: np.ndarray, made: np.ndarray, shots: np.ndarray, **options: int) -> Scores:
    return quick_scores(real, made, shots=shots, max_series=80, **options)


@pytest.fixture(scope="module")
def good() -> Scores:
    return quick(REAL, GOOD, SHOTS)


def test_series_of_the_same_process_are_as_good_as_another_sample(good):
    assert good.sample_size == 80
    assert good.held_out
    assert not good.few
    for score in good:
        blind = score.name == "marginal"  # Gaussian values, and noise that is Gaussian
        assert score.verdict in ((words.BLIND,) if blind else (words.AS_GOOD, words.FAR_ENOUGH)), score.name
    assert good.summary() == (
        "The synthetic series are as good as another real sample on 6 of 6 scores. They show no sign of being copies. "
        "1 more score cannot tell here."
    )


def test_the_floor_lies_below_both_ceilings(good):
    for score in list(good)[:7]:
        assert score.floor.low <= score.floor.mean <= score.floor.high
        assert score.floor.mean < score.shots.mean
    for name in ("autocorrelation", "spectrum", "frechet", "discriminative", "correlation"):
        assert good[name].floor.mean < good[name].noise.mean
    assert good["discriminative"].noise.mean > 0.45
    assert good["marginal"].noise.mean < good["marginal"].shots.mean + 0.2  # Gaussian noise has the right values


def test_handing_back_the_shots_scores_what_its_ceiling_says():
    back = SHOTS[RNG.integers(10, size=200)]
    scores = quick(REAL, back, SHOTS)
    for score in list(scores)[:7]:
        assert score.value.mean == pytest.approx(score.shots.mean, rel=0.35, abs=0.02), score.name
    for name in ("frechet", "discriminative"):
        assert scores[name].verdict == words.SAME, name
    assert scores["increments"].verdict == words.NO_BETTER_THAN_NOISE
    assert "no better than noise on 1" in scores.summary()
    assert f"{words.SAME} on" in scores.summary()
    assert scores["copying"].verdict == words.COPIES
    assert scores["copying"].shots.mean == 0
    assert scores["near_copies"].shots.mean == 1


def test_noise_is_worse_than_handing_back_the_shots():
    noise = SHOTS.mean() + 3 * RNG.standard_normal(GOOD.shape)
    scores = quick(REAL, noise, SHOTS)
    assert scores["frechet"].verdict == words.WORSE
    assert scores["spectrum"].verdict == words.WORSE
    assert scores["copying"].verdict == words.TOO_FAR
    assert "further from your series" in scores.summary()


def test_a_slightly_wrong_generator_is_better_than_handing_back_the_shots():
    scores = quick(REAL, GOOD + 0.5 * RNG.standard_normal(GOOD.shape), SHOTS)
    assert scores["marginal"].verdict == words.BLIND
    assert scores["autocorrelation"].verdict == words.AS_GOOD
    assert scores["discriminative"].verdict == words.BETTER
    assert scores["frechet"].verdict == words.BETTER
    assert "better than handing back your series on" in scores.summary()


def test_ten_series_are_few_but_tell_noise_from_series():
    scores = quick(SHOTS, GOOD, SHOTS)
    assert scores.few
    assert not scores.held_out
    assert scores.sample_size == 5
    assert scores.repeats == 25
    assert words.WORSE not in [score.verdict for score in scores]
    assert "only 10 real series" in scores.summary()
    assert "made from" in scores.notes[0]
    noise = SHOTS.mean(axis=(0, 2))[:, None] + 5 * RNG.standard_normal(GOOD.shape)
    bad = quick(SHOTS, noise, SHOTS)
    assert [bad[name].verdict for name in ("spectrum", "frechet", "discriminative")] == [words.WORSE] * 3


def test_few_synthetic_series_are_said_to_be_few():
    scores = quick(REAL, GOOD[:4], SHOTS)
    assert scores.few
    assert scores.sample_size == 4
    if "rough guide" in scores.summary():
        assert "only 4 synthetic" in scores.summary()


def test_value_and_floor_have_the_same_expectation_at_every_sample_size():
    for size in (10, 40):
        gaps = []
        for seed in range(10):
            scores = evaluate(
                process(size, 100 + seed),
                process(200, 200 + seed),
                shots=SHOTS,
                metrics=["marginal", "spectrum"],
                seed=seed,
            )
            gaps.append([scores[name].value.mean / scores[name].floor.mean for name in ("marginal", "spectrum")])
        assert np.mean(np.log(gaps), axis=0) == pytest.approx([0, 0], abs=0.25)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    runs = [quick_scores(SHOTS, GOOD, shots=SHOTS, seed=seed).to_dict() for seed in (0, 0, 1)]
    assert json.dumps(runs[0]) == json.dumps(runs[1])
    assert runs[0]["scores"]["marginal"]["value"] != runs[2]["scores"]["marginal"]["value"]


def test_inputs_stay_as_they_were():
    copies = [REAL.copy(), GOOD.copy(), SHOTS.copy()]
    quick_scores(REAL, GOOD, shots=SHOTS, max_series=50)
    for now, before in zip((REAL, GOOD, SHOTS), copies, strict=True):
        assert np.array_equal(now, before)


def test_float32_and_lists_are_welcome():
    first = quick_scores(REAL[:40].astype(np.float32), GOOD[:40].astype(np.float32), shots=SHOTS.tolist())
    second = quick(REAL[:40], GOOD[:40], SHOTS)
    assert first["marginal"].value.mean == pytest.approx(second["marginal"].value.mean, rel=1e-3)


def test_table_and_dict_are_plain_and_strict_json(good):
    lone = quick_scores(REAL[:40, :1], GOOD[:40, :1], shots=SHOTS[:, :1])
    for scores in (good, lone):
        told = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
        assert list(told["scores"]) == [*(metric.name for metric in QUICK), "copying", "near_copies"]
        assert told["summary"] == scores.summary()
        json.dumps(scores.table(), allow_nan=False)
        assert [row["name"] for row in scores.table()] == [score.name for score in scores]
    assert lone["correlation"].to_dict()["value"] is None
    assert good["marginal"].to_dict()["range"] == [0.0, None]
    assert len(good) == 9
    with pytest.raises(KeyError):
        good["nonsense"]


def test_progress_counts_to_the_end():
    calls: list[tuple[str, int, int]] = []
    quick_scores(SHOTS, GOOD[:50], shots=SHOTS, progress=lambda *call: calls.append(call))
    assert calls == [("score", done, 8) for done in range(9)]


def test_a_metric_of_ones_own_is_scored_like_the_others():
    mine = PairMetric(
        name="mean_gap",
        title="Mean gap",
        direction=LOWER,
        range=(0.0, 10.0),
        unit="sd",
        explanation="Difference of means.",
        prepare=standardised,
        compare=lambda first, second, seed: float(abs(np.nanmean(first) - np.nanmean(second))),
    )
    scores = evaluate(REAL, GOOD + 3, shots=SHOTS, max_series=50, metrics=[mine, "marginal"])
    assert [score.name for score in scores] == ["mean_gap", "marginal", "copying", "near_copies"]
    assert scores["mean_gap"].value.mean > scores["mean_gap"].floor.high


def test_a_handful_against_a_thousand_takes_little_time():
    shots, made = np.repeat(SHOTS, 4, axis=1)[:, :7], np.repeat(process(1000, 5), 4, axis=1)[:, :7]
    start = time.process_time()
    quick_scores(shots, made, shots=shots)
    assert time.process_time() - start < 2


def at(mean: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(mean, mean if low is None else low, mean if high is None else high)


NOTHING = Interval()
FLOOR, BACK, NOISE = at(1, 0.8, 1.4), at(3, 2.5, 3.5), at(5)


@pytest.mark.parametrize(
    ("value", "few", "verdict"),
    [
        (at(0.9), False, words.AS_GOOD),
        (at(1.39), False, words.AS_GOOD),
        (at(2), False, words.BETTER),
        (at(2.7), False, words.SAME),
        (at(4), False, words.WORSE),
        (at(0.9), True, words.AS_GOOD),
        (at(1.39), True, words.UNCLEAR),
        (at(2), True, words.BETTER),
        (at(2.7), True, words.UNCLEAR),
        (at(4), True, words.WORSE),
        (at(3.6, 3.3, 3.9), True, words.UNCLEAR),
        (at(3.7, 3.6, 3.9), True, words.WORSE),
        (NOTHING, False, words.NOT_APPLICABLE),
    ],
)
def test_fidelity_verdicts(value, few, verdict):
    assert fidelity_verdict(value, FLOOR, BACK, NOISE, few=few) == verdict


def test_fidelity_verdicts_where_something_is_unknown_or_blind():
    assert fidelity_verdict(at(1), NOTHING, BACK, NOISE, few=False) == words.UNCLEAR
    assert fidelity_verdict(at(2), FLOOR, NOTHING, NOISE, few=False) == words.WORSE_THAN_REAL
    assert fidelity_verdict(at(0.9), FLOOR, BACK, at(1.2), few=True) == words.BLIND
    assert fidelity_verdict(at(0.9), FLOOR, BACK, at(1.2), few=False) == words.BLIND
    assert fidelity_verdict(at(2), FLOOR, BACK, at(1.2), few=False) == words.NO_BETTER_THAN_NOISE
    assert fidelity_verdict(at(0.9), FLOOR, BACK, NOTHING, few=True) == words.AS_GOOD


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (at(1.0), words.FAR_ENOUGH),
        (at(0.7), words.TOO_NEAR),
        (at(0.1), words.COPIES),
        (at(1.6), words.FAR_ENOUGH),
        (at(2.5), words.TOO_FAR),
        (NOTHING, words.NOT_APPLICABLE),
    ],
)
def test_copying_verdicts(value, verdict):
    assert words.FAR_ENOUGH == "no nearer to your series than unseen real ones"  # true of what lies further, too
    assert copying_verdict(value, at(1, 0.8, 1.2), enough=True) == verdict
    assert copying_verdict(at(1.0), at(1, 0.8, 1.2), enough=False) == words.UNCLEAR
    near = near_copies_verdict(value, at(0.05, 0, 1.2), enough=True)
    assert near == (
        words.NOT_APPLICABLE if not value.known else words.FAR_ENOUGH if value.mean <= 1.2 else words.SOME_NEAR
    )


def test_near_but_no_copies_is_said_in_the_summary():
    # between half the usual distance and the lower end of what chance gives
    near = REAL[:200] + RNG.standard_normal((200, 2, 24))
    scores = quick_scores(REAL[200:], near, shots=REAL[:200], max_series=50)
    assert scores["copying"].verdict == words.TOO_NEAR
    assert "nearer to your series than unseen real ones would be" in scores.summary()


def test_better_needs_a_gap_and_must_beat_noise():
    shots = at(3, 2.98, 3.02)
    for value, verdict in ((2.97, words.SAME), (2.85, words.BETTER)):
        assert fidelity_verdict(at(value), FLOOR, shots, NOISE, few=False) == verdict
    noise = at(2.5, 2.3, 2.7)
    for value, verdict in (
        (2.2, words.BETTER),
        (2.4, words.NO_BETTER_THAN_NOISE),
        (2.9, words.NO_BETTER_THAN_NOISE),
        (3.0, words.NO_BETTER_THAN_NOISE),
        (3.1, words.WORSE),
    ):
        assert fidelity_verdict(at(value), FLOOR, shots, noise, few=False) == verdict, value
    assert fidelity_verdict(at(2.4), FLOOR, shots, noise, few=True) == words.UNCLEAR
    assert fidelity_verdict(at(2.6), FLOOR, shots, noise, few=True) == words.NO_BETTER_THAN_NOISE


def test_without_a_ceiling_of_shots_a_value_is_held_against_floor_and_noise():
    for value, verdict in (
        (at(2, 1.5, 2.5), words.WORSE_THAN_REAL),
        (at(2, 1.3, 2.7), words.UNCLEAR),
        (at(6), words.NO_BETTER_THAN_NOISE),
    ):
        assert fidelity_verdict(value, FLOOR, NOTHING, NOISE, few=False) == verdict


def test_a_handful_of_series_proves_little():
    value = at(4.5, 4.2, 4.8)
    assert fidelity_verdict(value, FLOOR, BACK, NOISE, few=True) == words.WORSE
    assert fidelity_verdict(value, FLOOR, BACK, NOISE, few=True, tiny=True) == words.UNCLEAR
    assert fidelity_verdict(at(9, 8, 10), FLOOR, BACK, at(20), few=True, tiny=True) == words.WORSE


@pytest.mark.parametrize("n", [2, 3])
def test_with_two_or_three_series_a_perfect_generator_is_hardly_ever_worse(n):
    said = []
    for seed in range(6):
        real = process(n, 1000 + seed)
        scores = quick_scores(real, process(50, 2000 + seed), shots=real, seed=seed)
        said += [score.verdict for score in list(scores)[:7]]
    told = [verdict for verdict in said if verdict != words.NOT_APPLICABLE]
    assert said.count(words.WORSE) + said.count(words.NO_BETTER_THAN_NOISE) <= 0.1 * len(told)


def test_shots_among_the_real_series_are_not_compared_with():
    mixed = np.concatenate([SHOTS, REAL[:60]])
    scores, apart = quick(mixed, GOOD, SHOTS), quick(REAL[:60], GOOD, SHOTS)
    assert [score.value.mean for score in scores] == [score.value.mean for score in apart]
    assert scores.sample_size == 30
    assert scores.n_real == 70
    assert "10 of the real series are among yours; the others alone" in scores.notes[0]
    assert apart.notes == ()
    for many in (12, 19):  # fewer than 20 others: they stay, and it is said
        kept = quick(np.concatenate([SHOTS, REAL[:many]]), GOOD, SHOTS)
        assert kept.sample_size == (10 + many) // 2
        assert "too few others to do without" in kept.notes[0]
    assert len(quick(SHOTS, GOOD, SHOTS).notes) == 1


def test_a_ratio_of_nothing_is_as_bad_as_a_tenth():
    own = METRICS["variety"]
    assert own.loss(0.5) == own.loss(2) == pytest.approx(np.log(2))
    assert [own.loss(value) for value in (0, 1e9, 0.1)] == pytest.approx([np.log(10)] * 3)


def test_a_seed_below_zero_is_refused():
    for call in (evaluate, score_suite):
        with pytest.raises(InputError, match="the seed is -1"):
            call(REAL[:20], GOOD[:20], shots=SHOTS, seed=-1)


def test_what_leaks_is_not_said_to_show_no_sign_of_copies(good):
    leak = replace(good["copying"], name="membership", verdict=words.LEAKS)
    said = replace(good, scores=(*good.scores, leak)).summary()
    assert "no sign" not in said
    end = " 1 more score cannot tell here."
    assert said.endswith(f". They are no plain copies, yet they tell which real series were among yours.{end}")
    copies = replace(good["copying"], verdict=words.COPIES)
    said = replace(good, scores=(*list(good)[:7], copies, leak)).summary()
    assert said.endswith(
        f". They are close to copies of your series. They tell which real series were among yours.{end}"
    )


def test_scores_that_cannot_tell_are_not_counted(good):
    blind = tuple(replace(score, verdict=words.BLIND) for score in good)
    assert replace(good, scores=blind).summary() == "No score can tell here how good the synthetic series are."


def test_series_too_large_to_compare_by_hundreds_are_compared_by_fewer(monkeypatch):
    import sys

    module = sys.modules["tsprout.metrics.evaluate"]  # the package has a function of that name
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(2, 120, 2, 20))
    whole = evaluate(real, made, shots=real[:10])
    assert whole.sample_size > 40 and not any("so large" in note for note in whole.notes)
    monkeypatch.setattr(module, "_CELLS", 25 * 40)
    monkeypatch.setattr(module, "_CELLS_OF_ALL", 25 * 40)
    fewer = evaluate(real, made, shots=real[:10])
    assert (fewer.sample_size, fewer.repeats) == (25, 4)
    assert "The series are so large that 25 a side are compared at a time." in fewer.notes


def test_values_beyond_32_bits_are_refused():
    values = np.ones((4, 1, 8))
    values[2, 0, 3] = 1e39
    with pytest.raises(InputError, match=r"beyond 3\.4e\+38"):
        evaluate(values, np.ones((4, 1, 8)), shots=np.ones((4, 1, 8)))


def test_a_single_copy_is_told():
    made = GOOD.copy()
    assert "no sign of being copies" in quick(REAL, made, SHOTS).summary()
    made[17] = SHOTS[3]
    scores = quick(REAL, made, SHOTS)
    assert scores["near_copies"].verdict == words.COPIED
    assert "Some of them are copies of your series, value for value." in scores.summary()
    assert "1 of 200 synthetic series is a copy of one of yours, value for value." in scores.notes
    made[[4, 9]] = SHOTS[:2].astype(np.float32)
    assert any(note.startswith("3 of 200 synthetic series are copies") for note in quick(REAL, made, SHOTS).notes)


def test_series_that_real_ones_share_by_chance_are_no_copies():
    rng = np.random.default_rng(0)
    real, made = (rng.integers(0, 2, (300, 1, 5)).astype(float) for _ in range(2))
    scores = quick(real, made, rng.integers(0, 2, (10, 1, 5)).astype(float))
    assert scores["near_copies"].verdict != words.COPIED
