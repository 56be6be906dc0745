"""``tsprout.evaluate`` and ``tsprout evaluate``: what they take, refuse, find and leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsprout
from tsprout import cli
from tsprout.data import files
from tsprout.errors import InputError
from tsprout.evaluation import parse_limits
from tsprout.series import SeriesSet

Run = Callable[..., tuple[int, str, str]]


def series(
    n: int, seed: int, *, phase: float = 0.0, length: int = 24, names: tuple[str, ...] = ("a", "b")
) -> SeriesSet:
    """A wave and a walk, 100 and 3 in size, each series with a phase and a level of its own."""
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    wave = np.sin(2 * np.pi * time / 12 + rng.uniform(0, 2, (n, 1)) + phase) + 0.1 * rng.standard_normal((n, length))
    walk = rng.standard_normal((n, length)).cumsum(axis=1) + rng.standard_normal((n, 1))
    labels = np.where(wave[:, 0] > 0.5, "up", "down").astype(object)
    values = np.stack([100 * wave + 500, 3 * walk], axis=1).astype(np.float32)
    return SeriesSet.from_arrays(values, channels=names, labels=labels)


REAL, GOOD, SHOTS = series(120, 0), series(150, 1), series(10, 2)


def names_of(report: tsprout.Report) -> list[str]:
    return [score.name for score in report.scores]


def test_quick() -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS)
    assert report.suite == "quick"
    assert report["frechet"].verdict == "as good as another real sample"
    assert report["copying"].value.mean == pytest.approx(1, abs=0.25)
    assert list(report.table.index) == names_of(report)
    assert {"value", "floor", "shots_copied", "noise", "verdict", "direction"} <= set(report.table.columns)
    told = json.loads(report.to_json())
    assert told["suite"] == "quick" and told["summary"] == report.verdict
    assert "as good as" in repr(report)


def test_full_has_every_group_and_uses_the_labels() -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS, suite="full")
    assert {score.group for score in report.scores} == {"fidelity", "diversity", "copying", "usefulness"}
    for name in ("tails", "mmd", "two_sample", "coverage", "variety", "forecasting", "membership", "augmentation"):
        assert report[name].value.known, name
        assert report[name].floor.known, name
    # The class is what the first value of the wave says, so a classifier learns it from other series of the kind.
    assert report["classification"].value.mean < 0.2
    assert report["augmented_classes"].value.known
    plain = [SeriesSet.from_arrays(s.values, channels=s.channels) for s in (REAL, GOOD, SHOTS)]
    assert "classification" not in names_of(tsprout.evaluate(plain[0], plain[1], shots=plain[2], suite="full"))


def test_copies_are_caught_where_other_scores_like_them() -> None:
    rng = np.random.default_rng(0)
    copies = SHOTS[rng.integers(0, 10, 150)]
    copies = SeriesSet.from_arrays(copies.values, channels=copies.channels)
    report = tsprout.evaluate(REAL, copies, shots=SHOTS, suite="full")
    assert report["copying"].verdict == "close to copies of your series"
    assert report["near_copies"].value.mean == 1
    assert report["membership"].verdict == "tells who was among your series"
    assert report["variety"].value.mean < 0.1
    assert "copies" in report.verdict and "tell which real series" in report.verdict
    assert report["spectrum"].value.mean < 3 * report["spectrum"].floor.mean


def test_held_out_series_judge_copying() -> None:
    held = series(40, 7)
    report = tsprout.evaluate(SHOTS, GOOD, shots=SHOTS, held_out=held)
    assert report.scores.held_out
    assert not tsprout.evaluate(SHOTS, GOOD, shots=SHOTS).scores.held_out


def test_channels_are_matched_by_name() -> None:
    swapped = SeriesSet.from_arrays(GOOD.values[:, ::-1], channels=("b", "a"))
    same = tsprout.evaluate(REAL, SeriesSet.from_arrays(GOOD.values, channels=("a", "b")), shots=SHOTS)
    other = tsprout.evaluate(REAL, swapped, shots=SHOTS)
    assert [s.value.mean for s in other.scores] == [s.value.mean for s in same.scores]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"synthetic": series(20, 1, names=("a", "c"))}, "not there: b; only there: c"),
        ({"synthetic": SeriesSet.from_arrays(GOOD.values[:, :1], channels=("a",))}, "not there: b"),
        ({"synthetic": series(20, 1, length=48)}, "48 time steps and the real series 24"),
        ({"shots": series(20, 1, length=8)}, "shot series: they have 8 time steps"),
        ({"synthetic": SeriesSet.from_arrays(GOOD.values - 5000, channels=("a", "b"))}, "different units"),
        ({"synthetic": SeriesSet.from_arrays(1000 * GOOD.values, channels=("a", "b"))}, "different units"),
        ({"suite": "nonsense"}, "quick, full, paper"),
        ({"synthetic": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_refusals(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        tsprout.evaluate(**({"real": REAL, "synthetic": GOOD, "shots": SHOTS} | given))
    assert words in str(caught.value)


def test_a_bad_generator_is_not_taken_for_other_units() -> None:
    flat = np.repeat(REAL.values.mean(axis=2, keepdims=True), 24, axis=2).mean(axis=0, keepdims=True).repeat(50, 0)
    report = tsprout.evaluate(REAL, SeriesSet.from_arrays(flat, channels=("a", "b")), shots=SHOTS)
    assert report["frechet"].verdict == "worse than handing back your series"


def test_the_paper_suite_in_small() -> None:
    from tsprout.metrics.suites import score_suite

    steps: list[tuple[str, int, int]] = []
    scores = score_suite(
        REAL.values,
        GOOD.values,
        shots=SHOTS.values,
        name="paper",
        repeats=2,
        iterations=3,
        progress=lambda *step: steps.append(step),
    )
    paper = [score for score in scores if score.group == "paper"]
    assert [score.name for score in paper] == [
        "discriminative_paper",
        "predictive_paper",
        "context_fid_paper",
        "discriminative_capable",
        "predictive_capable",
        "context_fid",
    ]
    for score in paper:
        assert score.value.known and score.floor.known and score.shots.known and score.noise.known
    assert {score.name for score in scores} - {score.name for score in paper} == {"copying", "near_copies"}
    assert steps[-1][1] == steps[-1][2]


@pytest.mark.parametrize("text", ["copying", "copying=", "copying=much", "=1x"])
def test_limits_that_make_no_sense(text: str) -> None:
    with pytest.raises(InputError, match="NAME=NUMBER"):
        parse_limits([text], "--fail-under")


# The command


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    for name, held in (("real", REAL), ("good", GOOD), ("shots", SHOTS)):
        files.write(SeriesSet.from_arrays(held.values, channels=held.channels), tmp_path / f"{name}.csv")

    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(["evaluate", *map(str, argv)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call


def test_command_for_a_person(run: Run) -> None:
    code, out, err = run("real.csv", "good.csv", "--shots", "shots.csv", "--html", "report.html")
    assert code == 0, err
    assert "Quantile error" in out and "floor (real)" in out and "report: report.html" in out
    page = Path("report.html").read_text(encoding="utf-8")
    assert page.startswith(("<!doctype html>", "<!DOCTYPE html>"))
    assert "good.csv beside real.csv" in page
    code, _, err = run("real.csv", "good.csv", "--html", "report.html")
    assert code == 2 and "exists" in err


def test_command_as_json_with_limits(run: Run) -> None:
    code, out, _ = run("real.csv", "good.csv", "--shots", "shots.csv", "--json", "--fail-under", "copying=0.5")
    account = json.loads(out)
    assert code == 0 and account["ok"] and account["failed"] == []
    assert account["scores"]["scores"]["copying"]["value"] > 0.5
    code, out, err = run(
        "real.csv",
        "good.csv",
        "--shots",
        "shots.csv",
        "--json",
        "--fail-under",
        "copying=9",
        "--fail-over",
        "frechet=0",
    )
    account = json.loads(out)
    assert code == 1 and not account["ok"]
    assert [text.split(" is ")[0] for text in account["failed"]] == ["copying", "frechet"]
    assert "warning: copying is" in err


def test_command_with_bad_input(run: Run) -> None:
    assert run("real.csv", "missing.csv")[0] == 2
    code, _, err = run("real.csv", "good.csv", "--fail-under", "beauty=1")
    assert code == 2 and "no score 'beauty'" in err and "copying" in err
    code, _, err = run("real.csv", "good.csv", "--suite", "best")
    assert code == 2 and "quick, full, paper" in err
