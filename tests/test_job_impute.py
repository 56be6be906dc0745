"""tsprout impute: the file that is made, the account, the check on hidden values, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsprout import cli
from tsprout.errors import InputError
from tsprout.job_impute import WHOLE, WINDOW, hidden, impute, shown
from tsprout.job_options import FitOptions, ReaderOptions
from tsprout.series import SeriesSet


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with an untrained model, beside ``gaps.csv``, in the current folder."""
    from tsprout import checkpoint
    from tsprout.model import Denoiser, ModelConfig

    tiny = Denoiser(ModelConfig(width=16, depth=1, heads=2, rows=2, steps=3))
    checkpoint.save(checkpoint.Checkpoint(tiny), tmp_path / "base")
    rng = np.random.default_rng(0)
    lines = ["id,time,x,y"]
    for number in range(6):
        for step in range(12):
            x = f"{20 + 3 * np.sin(number + step / 2):.2f}" if rng.random() > 0.2 else ""
            lines.append(f"s{number},2024-01-{step + 1:02d},{x},{(number + step) % 4 if rng.random() > 0.1 else ''}")
    (tmp_path / "gaps.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "base"


def test_what_is_missing_is_filled_and_what_is_there_stays(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["impute", "gaps.csv", "-o", "filled.csv", "--model", model, "--draws", "3", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    before, after = pd.read_csv("gaps.csv"), pd.read_csv("filled.csv")
    assert list(before.columns) == list(after.columns) and len(before) == len(after)
    missing = before[["x", "y"]].isna()
    assert account["imputed"] == {"cells": int(missing.sum().sum()), "left": 0, "series": 6, "draws": 3}
    assert not after.isna().any().any()
    for name in ("id", "time"):
        assert before[name].equals(after[name])
    for name in ("x", "y"):
        assert np.array_equal(before[name][~missing[name]], after[name][~missing[name]])
    assert set(after["y"]) <= {0, 1, 2, 3} and (after["x"].round(2) == after["x"]).all()
    check = account["check"]
    assert check["hidden"] > 0 and check["error"] > 0 and check["error_of_straight_lines"] > 0
    assert check["within"] is None  # three draws have no range to speak of


def test_the_same_seed_gives_the_same_bytes_and_the_check_can_be_left_out(model: str) -> None:
    for name, seed in (("a.csv", "5"), ("b.csv", "5"), ("c.csv", "6")):
        arguments = ["impute", "gaps.csv", "-o", name, "--model", model, "--draws", "1", "--seed", seed, "--no-check"]
        assert cli.main([*arguments, "--quiet"]) == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes() != Path("c.csv").read_bytes()
    assert impute("gaps.csv", "d.csv", draws=1, check=False)["check"] is None


def test_other_formats(model: str) -> None:
    account = impute("gaps.csv", "filled.npz", draws=1, check=False)
    assert account["files"]["imputed"] == "filled.npz"
    assert np.isfinite(np.load("filled.npz", allow_pickle=False)["values"]).all()


def test_what_a_person_reads(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["impute", "gaps.csv", "-o", "filled.csv", "--model", model, "--draws", "3"]) == 0
    said = "".join(capsys.readouterr())
    assert "missing values in 6 series filled" in said and "straight lines by" in said and "filled.csv" in said


def test_nothing_to_fill_is_said_and_the_file_written(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("gaps.csv").fillna(1)
    frame.to_csv("whole.csv", index=False)
    assert cli.main(["impute", "whole.csv", "-o", "same.csv", "--model", model]) == 0
    assert "nothing is missing" in "".join(capsys.readouterr())
    assert Path("same.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert impute("whole.csv", "same.npz", options=FitOptions(model, "prompt"))["imputed"]["cells"] == 0
    assert np.allclose(np.load("same.npz", allow_pickle=False)["values"][0, 0], frame["x"][:12])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "gp"],
        ["--window", "3"],
        ["--stride", "3", "--window", "6"],
        ["--draws", "0"],
        ["--draws", "100000"],
        ["--mode", "nonsense"],
    ],
)
def test_bad_options_are_refused_before_any_work(
    model: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["impute", "gaps.csv", "-o", "filled.csv", *arguments]) == 2
    assert arguments[0] in "".join(capsys.readouterr()) and not Path("filled.csv").exists()


@pytest.mark.parametrize("mode", ["prompt", "bias"])
def test_what_goes_round_is_filled_the_short_way(
    model: str, mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tsprout.train.finetune import FinetuneConfig

    quick = FinetuneConfig(steps=2, batch=4, episodes=2, evaluate_every=2, warmup=1, blind_steps=2)
    monkeypatch.setattr(FinetuneConfig, "for_shots", lambda _: quick)
    rng = np.random.default_rng(1)
    wind = np.round(np.mod(rng.uniform(0, 360, (8, 1)) + 25 * rng.standard_normal((8, 30)).cumsum(1), 360)) % 360
    rows = [(f"s{i}", t, wind[i, t], (t + 3 * i) % 24) for i in range(8) for t in range(30)]
    frame = pd.DataFrame(rows, columns=["id", "time", "direction", "hour"])
    frame.loc[::9, ["direction", "hour"]] = np.nan
    frame.to_csv("wind.csv", index=False)
    asked = ["impute", "wind.csv", "-o", "filled.csv", "--model", model, "--draws", "11", "--mode", mode, "--json"]
    assert cli.main(asked) == 0
    account = json.loads(capsys.readouterr().out)
    filled = pd.read_csv("filled.csv")
    assert not filled.isna().any().any() and account["imputed"]["left"] == 0 and not account["notes"]
    assert [c["transform"] for c in account["input"]["channels"]] == ["circular", "circular"]
    assert filled["direction"].between(0, 359).all() and (filled["direction"] % 1 == 0).all()
    assert (filled["hour"] == [(t + 3 * i) % 24 for i in range(8) for t in range(30)]).all()
    # Straight lines, too, are measured the short way: a rough path of 25 degrees a step, and hours that are exact.
    assert account["check"]["error_of_straight_lines"] < 0.3 and 0 <= account["check"]["within"] <= 1


def test_training_on_moves_is_refused_before_it_begins(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    meter = rng.integers(0, 9, (8, 20)).cumsum(1)
    frame = pd.DataFrame([(i, t, meter[i, t]) for i in range(8) for t in range(20)], columns=["id", "time", "meter"])
    frame.loc[5::17, "meter"] = np.nan
    frame.to_csv("meter.csv", index=False)
    asked = ["impute", "meter.csv", "-o", "filled.csv", "--model", model, "--draws", "3", "--no-check"]
    assert cli.main([*asked, "--mode", "full"]) == 2
    said = "".join(capsys.readouterr())
    assert "'meter'" in said and "--mode prompt" in said
    assert cli.main(asked) == 0
    assert (pd.read_csv("filled.csv").groupby("id")["meter"].diff().dropna() >= 0).all()


def recording(length: int) -> pd.DataFrame:
    steps = np.arange(length)
    x = np.where(steps % 50 < 4, np.nan, np.sin(steps / 9) + 1e-9)
    return pd.DataFrame({"time": steps[::-1], "x": x, "remark": [f"it's {i}" if i % 9 else None for i in steps]})


def test_a_long_recording_is_filled_in_windows(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = recording(1500)
    given.to_csv("long.csv", index=False)
    asked = ["impute", "long.csv", "-o", "filled.csv", "--model", model, "--draws", "1", "--channel", "x"]
    asked += ["--time-column", "time"]
    assert cli.main([*asked, "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account["imputed"] == {"cells": 120, "left": 0, "series": 1, "draws": 1, "window": WINDOW}
    assert account["input"]["lengths"]["longest"] == 1500 and "in windows" in account["notes"][0]
    assert account["check"]["hidden"] > 0 and not account["input"]["warnings"]
    filled = pd.read_csv("filled.csv")
    pd.testing.assert_frame_equal(filled[given["x"].notna()], given[given["x"].notna()])
    assert not filled["x"].isna().any()
    assert cli.main([*asked, "--window", "32", "--force", "--no-check"]) == 0
    assert "in windows of so many" in "".join(capsys.readouterr())


def test_steps_without_a_row_get_one(model: str) -> None:
    recording(200).drop(index=[7, 8, 120]).to_csv("in.csv", index=False)
    reader = ReaderOptions(every="1", channels=("x",), time_column="time")
    account = impute("in.csv", "filled.csv", reader=reader, options=FitOptions(model, "prompt"), draws=1, check=False)
    assert "rows added, for steps that had none: 3" in account["notes"]
    filled = pd.read_csv("filled.csv")
    assert len(filled) == 200 and sorted(filled["time"]) == list(range(200)) and not filled["x"].isna().any()


def test_series_of_many_lengths_are_shown_as_windows_and_filled_all(model: str) -> None:
    frames = [recording(n).assign(id=i) for i, n in enumerate((40, 120, 20))]
    pd.concat(frames).drop(columns="remark").to_csv("mixed.csv", index=False)
    account = impute(
        "mixed.csv", "filled.csv", reader=ReaderOptions(window=32), options=FitOptions(model, "prompt"), draws=1
    )
    assert account["imputed"]["window"] == 32 and account["imputed"]["left"] == 0
    assert not pd.read_csv("filled.csv")["x"].isna().any()


def test_an_hour_beside_a_long_recording_is_exact(model: str) -> None:
    frame = recording(600).drop(columns="remark").iloc[::-1].reset_index(drop=True)
    hours = np.arange(600) % 24
    frame["hour"] = np.where(np.arange(600) % 61 < 6, np.nan, hours)
    frame.to_csv("hours.csv", index=False)
    account = impute("hours.csv", "filled.csv", options=FitOptions(model, "prompt"), draws=1, check=False)
    assert [c["transform"] for c in account["input"]["channels"]][1] == "circular"
    assert np.array_equal(pd.read_csv("filled.csv")["hour"], hours)


def test_what_only_short_series_have_is_shown_beside_long_ones(model: str) -> None:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"id": f"long{i}", "label": "p", "time": range(300), "x": rng.standard_normal(300), "z": 1.5})
        for i in range(2)
    ]
    for i in range(3):
        x = 10 + rng.standard_normal(90)
        frames.append(pd.DataFrame({"id": f"s{i}", "label": "q", "time": range(90), "x": x, "z": x}))
    frame = pd.concat(frames)
    frame.loc[frame.index % 13 == 5, "x"] = np.nan
    frame.loc[frame["label"] == "p", "z"] = np.nan
    frame.to_csv("mixed.csv", index=False)
    account = impute("mixed.csv", "filled.csv", options=FitOptions(model, "prompt"), draws=1, check=False)
    assert account["imputed"]["window"] == WINDOW
    filled = pd.read_csv("filled.csv")
    assert not filled.isna().any().any() and filled.loc[filled["label"] == "q", "x"].min() > 5


def test_what_is_shown_of_long_series() -> None:
    def made(*lengths: int) -> SeriesSet:
        values = np.random.default_rng(0).standard_normal((len(lengths), 1, max(lengths)))
        return SeriesSet.from_arrays(values, lengths=np.array(lengths))

    short = made(WHOLE, 50)
    assert shown(short) is short and shown(short, 300) is short
    assert shown(made(500, 30)).length == WINDOW and len(shown(short, 64)) == 2 * WHOLE // 64 - 1 + 1
    assert shown(made(500, 30)).lengths.tolist() == [WINDOW] * 20 + [30]  # the last one up to the end
    gone = made(500, 400)
    gone.values[0, 0, 100:170], gone.observed[0, 0, 100:170] = np.nan, False
    assert shown(gone).length == 140
    gone.values[0, 0, 100:400], gone.observed[0, 0, 100:400] = np.nan, False
    assert shown(gone).length == WHOLE
    assert len(shown(made(400_000))) <= 4002
    with pytest.raises(InputError, match="nothing was observed"):
        gone = made(400)
        gone.values[:], gone.observed[:] = np.nan, False
        shown(gone)


def test_ends_that_are_left_are_said(model: str) -> None:
    values = np.random.default_rng(0).standard_normal((5, 1, 12))
    values[1, 0, 9:] = values[2, 0, 4] = np.nan
    np.save("ends.npy", values)
    account = impute(
        "ends.npy", "filled.npy", reader=ReaderOptions(axes="ncl"), options=FitOptions(model, "prompt"), draws=1
    )
    assert account["imputed"]["cells"] == 1 and "1 series end" in account["notes"][-1]
    assert np.isnan(np.load("filled.npy")[1, 0, 9:]).all()


def test_an_output_that_exists_is_kept_unless_forced(model: str) -> None:
    Path("filled.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError):
        impute("gaps.csv", "filled.csv", draws=1, check=False)
    assert Path("filled.csv").read_text(encoding="utf-8") == "mine"
    impute("gaps.csv", "filled.csv", draws=1, check=False, force=True)
    assert Path("filled.csv").read_text(encoding="utf-8").startswith("id,time,x,y")


def test_of_long_recordings_a_part_is_checked(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsprout.job_impute._STRETCH", 200)
    monkeypatch.setattr("tsprout.job_impute._STEPS", 200)
    frame = recording(900).drop(columns="remark").iloc[::-1].reset_index(drop=True)
    frame.loc[:600, "x"] = frame.loc[:600, "x"].fillna(0.5)
    frame.to_csv("long.csv", index=False)
    account = impute("long.csv", "filled.csv", options=FitOptions(model, "prompt"), draws=1)
    # Its gaps are 4 steps in 50, and are hidden wherever they were moved to.
    assert 8 <= account["check"]["hidden"] <= 24 and account["imputed"]["cells"] == 24
    assert np.isfinite(account["check"]["error"]) and account["check"]["error_of_straight_lines"] < 0.2


def test_hidden_cells_are_there_and_look_like_the_gaps() -> None:
    values = np.random.default_rng(0).standard_normal((8, 2, 20))
    values[::2, 0, 5:9] = np.nan
    series = SeriesSet.from_arrays(values, lengths=np.full(8, 20))
    hide = hidden(series, 0)
    assert hide.any() and series.observed[hide].all() and not hide[:, 1].any()
    assert {int(h[0].sum()) for h in hide} <= {0, 4}
    # Of one series, and where others miss everything, something is left to fill from.
    one = hidden(series[np.array([0])], 0)
    assert one.any() and series.observed[:1][one].all()
    values[::2, 0] = np.nan
    everything = SeriesSet.from_arrays(values, lengths=np.full(8, 20))
    assert not hidden(everything, 0).any()
