"""Two streams with two jobs; strict JSON; a progress bar only where somebody can see it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from tsprout.accounts import plain, to_json
from tsprout.console import Console, as_flags
from tsprout.errors import InputError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def streams(**switches: bool) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(out=out, err=err, **switches), out, err


def test_plain_values() -> None:
    value = {
        1: np.float32(0.5),
        "array": np.array([1.0, np.nan, np.inf]),
        "deep": ({"a": float("-inf")}, [True, None, "x"]),
        "path": Path("a/b"),
        "set": {3},
    }
    assert plain(value) == {
        "1": 0.5,
        "array": [1.0, None, None],
        "deep": [{"a": None}, [True, None, "x"]],
        "path": str(Path("a/b")),
        "set": [3],
    }
    assert json.loads(to_json(value))["array"] == [1.0, None, None]


def test_results_and_the_rest_go_apart() -> None:
    console, out, err = streams()
    console.say("[bold]said[/bold]")
    console.note("noted")
    console.warn("warned")
    console.result({"a": 1})
    console.table(["name", "x"], [["a[b]", "1.5"], ["c", "-"]], title="t")
    assert "[bold]said[/bold]" in out.getvalue()
    assert "a[b]" in out.getvalue()
    assert '"a"' not in out.getvalue()
    assert err.getvalue().splitlines() == ["note: noted", "warning: warned"]


def test_json_is_alone_on_standard_output() -> None:
    console, out, err = streams(as_json=True)
    console.say("said")
    console.table(["name"], [["cell"]])
    console.result({"nan": float("nan")})
    assert json.loads(out.getvalue()) == {"nan": None}
    assert "said" in err.getvalue()
    assert "cell" in err.getvalue()


def test_quiet_keeps_warnings_and_errors() -> None:
    console, out, err = streams(quiet=True)
    console.say("said")
    console.note("noted")
    console.table(["name"], [["cell"]])
    console.warn("warned")
    console.error(InputError("wrong", where="file.csv, row 3", fix="Mend it."))
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == ["warning: warned", "error: file.csv, row 3: wrong", "  Mend it."]


@pytest.mark.parametrize(
    ("python", "flags"),
    [
        ("say the encoding with encoding=; try", "say the encoding with --encoding; try"),
        ("cut it with window=64.", "cut it with --window 64."),
        ("give id_column='patient' or channels=", "give --id-column patient or --channel"),
        ("say missing_codes=-200", "say --missing-code -200"),
        ("leave out day_first=True", "leave out --day-first"),
        ("the other way with day_first=False)", "the other way with --month-first)"),
        ("try encoding='utf-16'; otherwise", "try --encoding utf-16; otherwise"),
        ("name it with channels='air temp'", "name it with --channel 'air temp'"),
        (
            "name them with channels=['air temp', \"a'b\", 'x'].",
            "name them with --channel 'air temp' --channel 'a'\"'\"'b' --channel x.",
        ),
        ("name them with channels=[,] or channels=[]", "name them with --channel or --channel"),
        ("say orientation=wide", "say --wide"),
        ("say orientation='columns'", "say --by-column"),
        ("say orientation=", "say --wide, --long or --by-column"),
        ("nothing here = there, n=3", "nothing here = there, n=3"),
    ],
)
def test_arguments_are_spelled_as_flags(python: str, flags: str) -> None:
    assert as_flags(python) == flags
    console, _, err = streams()
    console.warn(python)
    assert err.getvalue() == f"warning: {flags}\n"


def test_error_as_json() -> None:
    console, out, err = streams(as_json=True)
    console.error(InputError("wrong"))
    assert json.loads(out.getvalue())["error"] == {
        "kind": "InputError",
        "what": "wrong",
        "where": None,
        "fix": None,
        "exit_code": 2,
    }
    assert "error: wrong" in err.getvalue()


@pytest.mark.parametrize("switches", [{"quiet": True}, {"as_json": True}, {}])
def test_no_bar_where_nobody_sees_it(switches: dict[str, bool]) -> None:
    err = Terminal() if switches else io.StringIO()
    with Console(err=err, out=io.StringIO(), **switches).progress() as progress:
        assert progress is None
    assert err.getvalue() == ""


def test_a_bar_for_every_stage() -> None:
    err = Terminal()
    with Console(err=err, out=io.StringIO()).progress() as progress:
        assert progress is not None
        progress("fit", 0, 10)
        progress("fit", 10, 10)
        progress("sample", 0, 0)
    assert "fit" in err.getvalue()
    assert "sample" in err.getvalue()


def test_numbers_stand_flush_right() -> None:
    console, out, _ = streams()
    console.table(["name", "number", "words"], [["a", "1", "x"], ["b", "1,000", "longer"]])
    lines = out.getvalue().splitlines()
    assert lines[1].index("1") > lines[2].index("1")
    assert lines[1].index("x") == lines[2].index("longer")
