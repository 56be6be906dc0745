"""``tsprout.evaluate`` and ``tsprout evaluate``: what they take, refuse, find and leave behind."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsprout
from tsprout import cli, evaluation, render
from tsprout.console import Console
from tsprout.data import files
from tsprout.errors import InputError
from tsprout.evaluation import check_limits, parse_limits
from tsprout.report.units import check_units
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


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forests of a quarter of their trees, where what they find is not asked."""
    monkeypatch.setattr(sys.modules["tsprout.metrics.two_sample"], "N_TREES", 5)
    monkeypatch.setattr(sys.modules["tsprout.metrics.forecasting"], "_TREES", 5)


def test_full_has_every_group_and_uses_the_labels(few_trees: None) -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS, suite="full")
    assert {score.group for score in report.scores} == {"fidelity", "diversity", "copying", "usefulness"}
    for name in ("tails", "mmd", "two_sample", "coverage", "variety", "forecasting", "membership", "augmentation"):
        assert report[name].value.known, name
        assert report[name].floor.known, name
    # The class is what the first value of the wave says, so a classifier learns it from other series of the kind.
    assert report["classification"].value.mean < 0.2
    assert report["augmented_classes"].value.known


def test_copies_are_caught_where_other_scores_like_them(few_trees: None) -> None:
    rng = np.random.default_rng(0)
    copies = SHOTS[rng.integers(0, 10, 150)]
    report = tsprout.evaluate(of(REAL.values), of(copies.values), shots=of(SHOTS.values), suite="full")
    assert "classification" not in names_of(report), "there are no labels"
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
        ({"synthetic": None}, "there are no synthetic series"),
        ({"seed": None}, "None is not a whole number"),
        ({"seed": 2**63}, "too large"),
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


def test_the_paper_suite_in_small(monkeypatch: pytest.MonkeyPatch) -> None:
    from tsprout.metrics.suites import score_suite

    monkeypatch.setattr("tsprout.metrics.paper_suite.SPLITS", 2)
    steps: list[tuple[str, int, int]] = []
    scores = score_suite(
        REAL.values[:40],
        GOOD.values[:40],
        shots=SHOTS.values,
        name="paper",
        repeats=2,
        iterations=1,
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


def test_a_report_goes_through_its_scores() -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS)
    assert len(report) == len(report.scores) == len(list(report))
    assert list(report) == list(report.scores)


def test_a_negative_seed_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="the seed is -1"):
        tsprout.evaluate("nowhere.csv", GOOD, shots=SHOTS, seed=-1)


# Units


def of(values: Any, like: SeriesSet = REAL) -> SeriesSet:
    return SeriesSet.from_arrays(np.asarray(values), channels=like.channels)


def levels(n: int, seed: int) -> SeriesSet:
    """Series that each move by about 1, around levels from 0 to 10 000."""
    rng = np.random.default_rng(seed)
    return SeriesSet.from_arrays(rng.uniform(0, 1e4, (n, 1, 1)) + rng.standard_normal((n, 1, 24)), channels=["v"])


MEAN, DEVIATION = REAL.values.mean(axis=(0, 2))[:, None], REAL.values.std(axis=(0, 2))[:, None]
LOW, HIGH = REAL.values.min(axis=(0, 2))[:, None], REAL.values.max(axis=(0, 2))[:, None]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((GOOD.values - MEAN) / DEVIATION, "every channel is standardised"),
        ((GOOD.values - LOW) / (HIGH - LOW), "every channel is squeezed into 0 to 1"),
        (2 * (GOOD.values - LOW) / (HIGH - LOW) - 1, "every channel is squeezed into -1 to 1"),
        (GOOD.values * np.array([[1e-3], [1]]), "channel 'a' seems to be in different units"),
        (GOOD.values * np.array([[1e3], [1]]), "channel 'a' seems to be in different units"),
        (GOOD.values + 5000, "no channel has the level"),
    ],
)
def test_synthetic_series_in_other_units_are_refused(values: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_units(REAL, of(values))


@pytest.mark.parametrize("bad", ["shifted", "noisy", "far noise", "constant", "zeros", "nearly zero", "one", "wild"])
def test_a_bad_generator_is_never_refused(bad: str) -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(GOOD.values.shape)
    values = {
        "shifted": GOOD.values + 3 * DEVIATION,
        "noisy": GOOD.values + 10 * DEVIATION * noise,
        "far noise": MEAN + 4 * DEVIATION + 15 * DEVIATION * noise,
        "constant": np.broadcast_to(MEAN, GOOD.values.shape),
        "zeros": np.zeros(GOOD.values.shape),
        "nearly zero": 1e-3 * noise,
        "one": np.repeat(GOOD.values[:1], 50, axis=0),
        "wild": np.where(rng.random(GOOD.values.shape) < 0.005, 1e9, GOOD.values),
    }[bad]
    check_units(REAL, of(values))
    check_units(
        of(REAL.values + 50 * DEVIATION), of(values if bad in ("zeros", "nearly zero") else values + 50 * DEVIATION)
    )


def test_real_series_that_are_standardised_themselves_are_no_reason() -> None:
    real = of((REAL.values - MEAN) / DEVIATION)
    assert check_units(real, of((GOOD.values - MEAN) / DEVIATION)) == []
    assert check_units(REAL, GOOD) == []


def test_what_is_odd_but_not_refused_is_noted_in_the_report() -> None:
    odd = GOOD.values + np.array([[6.5], [0]]) * DEVIATION
    report = tsprout.evaluate(REAL, of(odd), shots=SHOTS)
    found = [note for note in report.scores.notes if "other units?" in note]
    assert len(found) == 1
    assert found[0].startswith("Channel a: its median is 6.")
    assert found[0] in report.to_dict()["notes"]
    centred = of(REAL.values - MEAN)
    (note,) = check_units(centred, of((GOOD.values - MEAN) * np.array([[1], [15]])))
    assert note.startswith("Channel b: ") and "times as much" in note


@pytest.mark.parametrize("name", ["shots", "held_out"])
@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_shots_and_unseen_series_in_other_units_are_refused(name: str, factor: float) -> None:
    wrong = SHOTS.values * np.array([[1], [factor]])
    with pytest.raises(InputError, match="channel 'b' seems to be in different units") as caught:
        tsprout.evaluate(**({"real": REAL, "synthetic": GOOD, "shots": SHOTS} | {name: of(wrong)}))
    assert caught.value.where == ("shot series" if name == "shots" else "held-out series")
    with pytest.raises(InputError, match="different units"):
        check_units(REAL, of(SHOTS.values + 6 * DEVIATION), "shot")


def test_a_few_series_of_the_same_data_are_never_refused() -> None:
    real = levels(200, 0)
    amplitudes = np.geomspace(0.01, 1000, 200)[:, None, None]
    uneven = SeriesSet.from_arrays(5 + amplitudes * np.random.default_rng(1).standard_normal((200, 1, 24)))
    for i in range(0, 200, 7):
        check_units(real, real[i], "shot")
        check_units(uneven, uneven[i], "shot")
        check_units(REAL, REAL[i % 120], "shot")
    still = REAL[:3].values.copy()
    still[:, 1] = np.float32(0.1)
    check_units(REAL, of(still), "shot")
    check_units(real, levels(40, 1), "held-out")
    check_units(real[:3], levels(40, 1), "held-out")


# What may be absent


def test_channels_without_names_are_matched_by_position() -> None:
    named = tsprout.evaluate(REAL, of(GOOD.values), shots=of(SHOTS.values))
    bare = SeriesSet.from_arrays(GOOD.values)
    shots = SHOTS.values.transpose(0, 2, 1)
    for report in (
        tsprout.evaluate(REAL, bare, shots=of(SHOTS.values)),
        tsprout.evaluate(SeriesSet.from_arrays(REAL.values), of(GOOD.values), shots=of(SHOTS.values)),
        tsprout.evaluate(REAL, GOOD.values.transpose(0, 2, 1), shots=shots, axes="nlc"),
    ):
        assert report.real.channels == report.synthetic.channels == ("a", "b")
        assert [s.value.mean for s in report] == [s.value.mean for s in named]
        assert any("by their position" in note for note in report.scores.notes)
    assert not any("by their position" in note for note in named.scores.notes)
    with pytest.raises(InputError, match="only there: channel_0, channel_1"):
        tsprout.evaluate(of(REAL.values[:, :1], replace(REAL, channels=("a",))), bare)


def test_columns_that_only_the_real_series_have(tmp_path: Path) -> None:
    static = {"site": np.repeat(["x", "y"], 60).astype(object)}
    files.write(
        SeriesSet.from_arrays(REAL.values, channels=("a", "b"), labels=REAL.labels, static=static), tmp_path / "r.csv"
    )
    files.write(SeriesSet.from_arrays(GOOD.values, channels=("a", "b")), tmp_path / "s.csv")
    options = {"label_column": "label", "static_columns": ["site"]}
    report = tsprout.evaluate(tmp_path / "r.csv", tmp_path / "s.csv", **options)
    assert report.real.labels is not None and report.synthetic.labels is None
    assert "Classification is left out: the synthetic series have no labels." in report.scores.notes
    with pytest.raises(InputError, match="no column 'label'"):
        tsprout.evaluate(tmp_path / "s.csv", tmp_path / "r.csv", **options)
    with pytest.raises(InputError, match="no column 'c'"):
        tsprout.evaluate(tmp_path / "r.csv", tmp_path / "s.csv", channels=["a", "c"])


# Limits


@pytest.mark.parametrize("text", ["copying", "copying=", "copying=much", "=1x"])
def test_limits_that_make_no_sense(text: str) -> None:
    with pytest.raises(InputError, match="NAME=NUMBER"):
        parse_limits([text], "--fail-under")


@pytest.mark.parametrize("text", ["copying=nan", "copying=inf", "copying=-Infinity"])
def test_limits_that_are_no_numbers(text: str) -> None:
    with pytest.raises(InputError, match="must be finite"):
        parse_limits([text], "--fail-under")


def test_limits_are_checked_against_the_suite_and_its_directions() -> None:
    check_limits({"copying": 0.5, "coverage": 0.5}, {"copying": 2, "frechet": 1, "membership": 0.1}, "full")
    check_limits({}, {"context_fid": 1, "near_copies": 0.1}, "paper")
    for name, suite in (("coverage", "quick"), ("context_fid", "full"), ("frechet", "paper")):
        with pytest.raises(InputError, match=f"no score '{name}' in the {suite} suite"):
            check_limits({name: 1}, {}, suite)
    with pytest.raises(InputError) as caught:
        check_limits({"frechet": 0.5}, {}, "quick")
    assert "Write --fail-over frechet=0.5." in str(caught.value)
    with pytest.raises(InputError) as caught:
        check_limits({}, {"coverage": 0.5}, "full")
    assert "Write --fail-under coverage=0.5." in str(caught.value)
    with pytest.raises(InputError, match="finite"):
        check_limits({"copying": float("nan")}, {}, "quick")


def test_a_score_of_the_suite_that_did_not_come_about_fails_its_limit() -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS)
    assert replace(report, suite="full").failures({}, {"classification": 0.1}) == [
        "classification could not be computed"
    ]


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


def test_page_picture_and_scores_replace_a_file_only_when_told(tmp_path: Path) -> None:
    report = tsprout.evaluate(REAL, GOOD, shots=SHOTS)
    for name, write in (("there.html", report.to_html), ("there.png", report.plot), ("there.json", report.to_json)):
        (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(InputError, match="the output exists") as caught:
            write(tmp_path / name)
        assert "force=True" in str(caught.value.fix) and (tmp_path / name).read_bytes() == b"mine"
        write(tmp_path / name, force=True)
        assert (tmp_path / name).read_bytes() != b"mine"


@pytest.mark.parametrize("name", ["real.csv", "good.csv", "shots.csv", "held.csv"])
def test_the_page_never_replaces_an_input(run: Run, name: str) -> None:
    Path("held.csv").write_bytes(Path("shots.csv").read_bytes())
    before = Path(name).read_bytes()
    os.link(name, "other.html")
    options = ("real.csv", "good.csv", "--shots", "shots.csv", "--held-out", "held.csv", "--force", "--html")
    for target in (name, f"../{Path.cwd().name}/{name}", "other.html"):
        code, _, err = run(*options, target)
        assert code == 2 and "would replace" in err
    assert Path(name).read_bytes() == before


def test_limits_are_refused_before_anything_is_scored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "evaluate", lambda *_, **__: pytest.fail("it was scored"))
    code, _, err = run("real.csv", "good.csv", "--fail-under", "beauty=1")
    assert code == 2 and "no score 'beauty'" in err
    code, _, err = run("real.csv", "good.csv", "--fail-under", "frechet=1")
    assert code == 2 and "--fail-over frechet=1" in err
    code, _, err = run("real.csv", "good.csv", "--fail-over", "frechet=inf")
    assert code == 2 and "finite" in err


def test_the_page_is_there_though_a_limit_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("real.csv", "good.csv", "--html", "failed.html", "--fail-over", "frechet=0")[0] == 1
    assert Path("failed.html").is_file()

    def stop(*_: Any) -> list[str]:
        raise InputError("judged")

    monkeypatch.setattr(tsprout.Report, "failures", stop)
    assert run("real.csv", "good.csv", "--html", "judged.html", "--fail-over", "frechet=0")[0] == 2
    assert Path("judged.html").is_file()


def test_quiet_says_the_verdict_alone(run: Run) -> None:
    code, out, err = run("real.csv", "good.csv", "--shots", "shots.csv", "--quiet")
    assert code == 0 and not err
    assert out.startswith("The synthetic series are ") and out.count("\n") == 1
    code, out, _ = run("real.csv", "good.csv", "--shots", "shots.csv", "--quiet", "--json")
    assert json.loads(out)["ok"]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_long_suite_says_how_far_it_is(as_json: bool) -> None:
    console = Console(as_json=as_json, out=io.StringIO(), err=io.StringIO())
    with render.spoken(console, None, 0.02) as progress:
        assert progress is not None
        progress("paper scores", 5, 24)
        deadline = time.monotonic() + 20
        while "5 of 24" not in console.err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    said = console.err.getvalue()
    assert "paper scores: 5 of 24 (0 s)\n" in said
    assert not console.out.getvalue()
    time.sleep(0.1)
    assert console.err.getvalue() == said
    with render.spoken(Console(quiet=True), None) as progress:
        assert progress is None
    with render.spoken(console, print, 0.0) as progress:
        assert progress is print


def test_the_command_speaks_off_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    scored = evaluation.evaluate

    def spy(*given: Any, progress: Any, **options: Any) -> tsprout.Report:
        steps.append("heard" if progress is not None else "silent")
        return scored(*given, progress=progress, **options)

    monkeypatch.setattr(evaluation, "evaluate", spy)
    for options in ((), ("--json",), ("--quiet",)):
        assert run("real.csv", "good.csv", *options)[0] == 0
    assert steps == ["heard", "heard", "silent"]


def test_columns_that_are_ignored_need_not_be_in_all(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        [(f"p{k}", t, np.sin(k + t), t) for k in range(12) for t in range(16)], columns=["id", "time", "x", "junk"]
    )
    other = frame.drop(columns="junk").assign(id="s" + frame["id"])
    report = tsprout.evaluate(frame, other, ignore=["junk"])
    assert report.real.channels == report.synthetic.channels == ("x",)
