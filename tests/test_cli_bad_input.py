"""Every kind of bad input: exit code 2, what and where and what to do, no traceback, nothing left behind."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_sprout import FakeSprout

from tsprout import cli

HEADER = "id,time,load,flow\n"


def rows(*, n_series: int = 3, length: int = 6) -> list[str]:
    return [
        f"s{series},2024-01-{step + 1:02d},{series + step * 0.5},{(series * step) % 4}\n"
        for series in range(n_series)
        for step in range(length)
    ]


def replaced(row: int, column: int, cell: str) -> str:
    """The good file with one cell changed; ``row`` counts from 0 below the header."""
    lines = rows()
    cells = lines[row].rstrip("\n").split(",")
    cells[column] = cell
    lines[row] = ",".join(cells) + "\n"
    return HEADER + "".join(lines)


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tsprout.synthesizer.Sprout", FakeSprout)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must be refused; returns what it said."""

    def call(*argv: str, code: int = 2) -> str:
        before = sorted(os.listdir())
        assert cli.main(list(argv)) == code, capsys.readouterr()
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        assert said.err.startswith(("error: ", "note: ", "warning: "))
        assert sorted(os.listdir()) == before
        assert cli.main([*argv, "--json"]) == code
        found = json.loads(capsys.readouterr().out)["error"]
        assert found["what"]
        assert found["fix"]
        return said.err

    return call


@pytest.mark.parametrize("verb", [("run", "-o", "out"), ("fit", "-o", "model"), ("inspect",)])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", ("empty",), id="empty"),
        pytest.param(HEADER, ("header",), id="header only"),
        pytest.param(replaced(7, 2, "high"), ("high", "load", "9"), id="not a number"),
        pytest.param(HEADER + "".join(rows()) + "s9,2024-01-01,1,2,3,4\n", ("20",), id="ragged"),
        pytest.param(HEADER + "".join([*rows(), rows()[3]]), ("s0", "2024-01-04"), id="duplicate id and time"),
        pytest.param(
            "".join([HEADER, *(r.rsplit(",", 2)[0] + ",,\n" for r in rows())]),
            ("nothing was observed in channels 'load', 'flow'",),
            id="all missing",
        ),
        pytest.param(replaced(4, 3, "inf"), ("flow", "6"), id="infinite"),
        pytest.param(HEADER + "".join(rows(n_series=5, length=1)), ("step",), id="one step"),
        pytest.param(replaced(5, 1, "noon"), ("noon",), id="not a time"),
    ],
)
def test_bad_files(refused: Callable[..., str], verb: tuple[str, ...], content: str, words: tuple[str, ...]) -> None:
    Path("bad.csv").write_text(content, encoding="utf-8")
    said = refused(verb[0], "bad.csv", *verb[1:])
    assert "bad.csv" in said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("name", ["remark", "label"])
def test_a_column_that_changes_is_left_out_by_itself_or_by_the_command_that_is_told(
    refused: Callable[..., str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (HEADER + "".join(rows())).splitlines()
    text = "\n".join(f"{line},{name if n == 0 else f'no. {n}'}" for n, line in enumerate(lines))
    Path("bad.csv").write_text(text, encoding="utf-8")
    more: list[str] = []
    if name == "label":  # it may be the wrong column that is called so
        said = refused("run", "bad.csv", "-o", "out")
        told = re.search(r"((?:--channel \S+ ?)+)leaves it out\.", said)
        assert told and repr(name) in said
        more = told.group(1).split()
    assert cli.main(["run", "bad.csv", "-o", "out", "-n", "3", *more]) == 0
    assert f"column '{name}' changes within series and is left out" in capsys.readouterr().err
    assert name not in Path("out/synthetic.csv").read_text(encoding="utf-8").splitlines()[0]
    refused("run", "bad.csv", "-o", "other", "--static-column", name, "--channel", "load")


def test_binary_file_called_csv(refused: Callable[..., str]) -> None:
    Path("photo.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)))
    assert "photo.csv" in refused("run", "photo.csv", "-o", "out")


def test_wrong_encoding(refused: Callable[..., str]) -> None:
    Path("latin.csv").write_bytes((HEADER + "".join(rows())).replace("s1", "Zürich").encode("latin-1"))
    assert "--encoding" in refused("run", "latin.csv", "-o", "out")
    Path("good.csv").write_text(HEADER + "".join(rows()), encoding="utf-8")
    refused("run", "good.csv", "-o", "out", "--encoding", "no-such-encoding")


@pytest.mark.parametrize("option", ["--id-column", "--time-column", "--channel", "--label-column", "--static-column"])
def test_unknown_columns(refused: Callable[..., str], option: str) -> None:
    Path("good.csv").write_text(HEADER + "".join(rows()), encoding="utf-8")
    assert "lod" in refused("run", "good.csv", "-o", "out", option, "lod")


def test_no_such_file_and_a_folder(refused: Callable[..., str]) -> None:
    assert "no such file" in refused("run", "none.csv", "-o", "out")
    Path("folder").mkdir()
    assert "folder" in refused("inspect", "folder")


def test_unknown_format(refused: Callable[..., str]) -> None:
    Path("good.csv").write_text(HEADER + "".join(rows()), encoding="utf-8")
    Path("good.xyz").write_text(HEADER + "".join(rows()), encoding="utf-8")
    refused("run", "good.xyz", "-o", "out")
    refused("run", "good.csv", "-o", "out", "--format", "excel")


def test_array_without_axes(refused: Callable[..., str]) -> None:
    np.save("array.npy", np.zeros((3, 4, 5)))
    assert "axes" in refused("run", "array.npy", "-o", "out")


def test_pickled_array(refused: Callable[..., str]) -> None:
    np.save("array.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("run", "array.npy", "-o", "out", "--axes", "nl")


def test_window_longer_than_every_series(refused: Callable[..., str]) -> None:
    Path("good.csv").write_text(HEADER + "".join(rows()), encoding="utf-8")
    assert "window" in refused("run", "good.csv", "-o", "out", "--window", "50")


def test_output_in_a_place_that_is_none(refused: Callable[..., str]) -> None:
    Path("good.csv").write_text(HEADER + "".join(rows()), encoding="utf-8")
    assert "leads through a file" in refused("run", "good.csv", "-o", "good.csv/out")
    assert "is a file" in refused("run", "good.csv", "-o", "good.csv")
    assert "no such model" in refused("sample", "nowhere", "-n", "3", "-o", "new.csv")
    assert "does not exist" in refused("sample", "small", "-n", "3", "-o", "nowhere/new.csv")


def test_what_is_data_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Gaps, constants, unequal lengths and any order of rows are data; what was done about them is said."""
    lines = [*rows(length=6), *(f"s9,2024-01-{step + 1:02d},,7\n" for step in range(3)), "s9,2024-01-04,2.5,7\n"]
    Path("odd.csv").write_text(HEADER + "".join(reversed(lines)), encoding="utf-8")
    assert cli.main(["run", "odd.csv", "-o", "out", "-n", "5"]) == 0, capsys.readouterr().err
    assert "sorted" in capsys.readouterr().err
    constant = [f"{row.rsplit(',', 1)[0]},3\n" for row in rows()]
    Path("constant.csv").write_text(HEADER + "".join(constant), encoding="utf-8")
    assert cli.main(["run", "constant.csv", "-o", "flat", "-n", "5"]) == 0, capsys.readouterr().err
