"""The example of ``docs/data.md``, word for word: pulled, described, and loaded."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from data_server import DataServer, serving

from tsprout import cli
from tsprout.data.catalog.sets import load_set

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
ROWS = 480


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only data folder; the readers are the real ones."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TSPROUT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("tsprout.data.catalog.folders.pack_folder", lambda: None)
    monkeypatch.setattr("tsprout.data.catalog.sets.pack_folder", lambda: None)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as made:
        yield made


def test_the_example_of_the_documentation(server: DataServer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not DOCS.is_file():
        pytest.skip("the documentation is not beside the tests")
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    tides = np.random.default_rng(0).normal(2, 1, (ROWS, 2)).round(3)
    tides[7, 0] = tides[9, 1] = -99.0
    lines = ["time,surge,level", *(f"{i},{surge},{level}" for i, (level, surge) in enumerate(tides))]
    server.files["tides.csv.gz"] = gzip.compress("\n".join(lines).encode())
    assert "https://example.org/tides.csv.gz" in example and "steps = 87648" in example
    example = example.replace("https://example.org/tides.csv.gz", server.url("tides.csv.gz"))
    example = example.replace("steps = 87648", f"steps = {ROWS}")
    (folder / "catalogue.toml").write_text(example, encoding="utf-8")

    assert cli.main(["datasets", "pull", "TideGauge"]) == 0
    assert "unverified: nothing but the shape is known" in capsys.readouterr().out
    assert cli.main(["datasets", "info", "TideGauge"]) == 0
    said = capsys.readouterr().out
    assert "unverified: nothing but the shape is known" in said
    real = load_set("TideGauge")
    assert real.channels == ("level", "surge") and real.agreement == "unverified" and real.complete
    expected = np.where(tides == -99.0, np.nan, tides).T.astype(np.float32)
    np.testing.assert_array_equal(real.recordings[0], expected)

    # What info prints to be added is added, and then the values are held to it.
    added = said[said.index("[TideGauge.content]") :].splitlines()[:5]
    assert real.digest in added[1] and added[2].strip() == "missing = 2"
    block = "\n".join(line.strip() for line in added)
    (folder / "catalogue.toml").write_text(f"{example}\n{block}\n", encoding="utf-8")
    assert cli.main(["datasets", "pull", "TideGauge", "--force", "--json"]) == 0
    (pulled,) = json.loads(capsys.readouterr().out)["pulled"]
    assert pulled["exact"] and pulled["agreement"] == "exact"
    cli.main(["datasets", "info", "TideGauge"])
    assert "to be added" not in capsys.readouterr().out
    server.files["tides.csv.gz"] = gzip.compress("\n".join(lines).replace("-99.0", "3.0").encode())
    assert cli.main(["datasets", "pull", "TideGauge", "--force"]) == 2
    assert "not the values of TideGauge" in capsys.readouterr().err


def test_a_mistake_in_the_options_is_found_before_anything_is_fetched(
    server: DataServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"""
[Mine]
role = "extra"
domain = "nature"
kind = "recording"
steps = 4000
channels = 2
licence = "CC0"
citation = "Someone"
[Mine.source]
urls = ["{server.url("walk.csv")}"]
format = "csv"
[Mine.source.options]
"""
    for option, what in (
        ("missing = -99.0", "missing = -99.0 must be a list: each of it a number"),
        ('missing = ["none"]', "missing = ['none'] must be a list"),
        ("mising = [-99.0]", "unknown option: mising"),
        ("columns = [1.5]", "columns = [1.5] must be"),
    ):
        (folder / "catalogue.toml").write_text(text + option, encoding="utf-8")
        assert cli.main(["datasets", "pull", "Mine"]) == 2
        err = capsys.readouterr().err
        assert what in err and "[Mine.source.options]" in err
    assert server.asked == []
