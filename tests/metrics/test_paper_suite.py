"""The paper suite is judged at one size, says at which, and passes on what its scores cannot tell."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import tsprout.metrics.paper as paper
from tsprout.metrics import paper_suite as module
from tsprout.metrics import verdicts as words
from tsprout.metrics.paper import Repeats
from tsprout.metrics.suites import score_suite


def walks(n: int, seed: int, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.standard_normal((n, channels, 12)), axis=-1) + rng.standard_normal((n, channels, 1))


REAL, SHOTS = walks(60, 1), walks(8, 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int, dict[str, Any]]]:
    """Which score was asked for, of how many series; answers are below the range now and then."""
    calls: list[tuple[str, int, int, dict[str, Any]]] = []

    def scores(real, synthetic, *, which, **options):
        calls.append((which[0], len(real), len(synthetic), options))
        rng = np.random.default_rng(len(calls))
        return {which[0]: Repeats.of(0.3 * rng.standard_normal(4) + 0.2, note="Half blind.")}

    monkeypatch.setattr(paper, "paper_scores", scores)
    return calls


def test_all_four_numbers_come_from_sets_of_one_size(asked):
    scores = score_suite(REAL, walks(40, 3), shots=SHOTS, name="paper")
    assert {call[1:3] for call in asked} == {(30, 30)}
    assert Counter(call[0] for call in asked) == dict.fromkeys(module._KEYS, 3 * 4)
    assert (scores.sample_size, scores.repeats) == (30, 3)
    assert any(note.startswith("The scores are computed on 30 series against 30; for figures") for note in scores.notes)
    asked.clear()
    assert score_suite(REAL, walks(7, 3), shots=SHOTS, name="paper").sample_size == 7
    assert {call[1:3] for call in asked} == {(7, 7)}


def test_the_papers_own_size_is_told_where_there_are_enough_series(asked):
    scores = score_suite(REAL, walks(90, 3), shots=SHOTS, name="paper", repeats=10)
    full = [call for call in asked if call[1:3] != (30, 30)]
    assert [call[:3] for call in full] == [("disc", 60, 60), ("pred", 60, 60), ("cfid", 60, 60)]
    assert full[0][3]["repeats"] == 10
    told = [note for note in scores.notes if "at full size, 60 against 60: Disc " in note]
    assert len(told) == 1 and ", Pred " in told[0] and ", Context-FID " in told[0]


def test_spreads_are_over_splits_and_encoders_and_in_range(asked):
    scores = score_suite(REAL, walks(40, 3), shots=SHOTS, name="paper")
    assert all(call[3]["encoders"] >= 2 and call[3]["capable"] >= 2 for call in asked)
    assert len({call[3]["seed"] for call in asked}) == 3
    for score in list(scores)[:6]:
        for found in (score.value, score.floor, score.shots, score.noise):
            assert score.range[0] <= found.low < found.mean < found.high <= score.range[1], score.name


def test_shots_are_judged_neither_with_nor_against_themselves(asked):
    scores = score_suite(np.concatenate([SHOTS, REAL]), walks(40, 3), shots=SHOTS, name="paper")
    assert {call[1:3] for call in asked} == {(30, 30)}
    assert scores.notes[0].startswith("8 of the real series are among yours")


def test_notes_of_the_scores_are_passed_on_once(asked):
    notes = score_suite(REAL, walks(40, 3), shots=SHOTS, name="paper").notes
    assert notes.count("Discriminative score (paper): Half blind.") == 1
    assert sum(note.endswith("Half blind.") for note in notes) == 6


def test_one_channel_has_no_input_for_the_papers_forecaster():
    scores = score_suite(REAL[:32, :1], walks(16, 3, 1), shots=SHOTS[:, :1], name="paper", repeats=1, iterations=2)
    assert scores["predictive_paper"].verdict == words.NOT_APPLICABLE
    assert scores["predictive_capable"].verdict != words.NOT_APPLICABLE
    assert sum(note.startswith("Predictive score (paper): ") for note in scores.notes) == 1
    assert sum(note.startswith("Discriminative score (paper): ") for note in scores.notes) == 1
    for score in list(scores)[:6]:
        assert score.value.known and score.floor.known and score.shots.known and score.noise.known


def test_too_few_series_for_halves(asked):
    scores = score_suite(REAL[:3], walks(40, 3), shots=SHOTS, name="paper")
    assert not [call for call in asked if call[1] != 3]
    assert {score.verdict for score in list(scores)[:6]} == {words.NOT_APPLICABLE}
