"""Baselines are found by name: ours by their files, others by entry points, broken ones without harm to the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tsprout.baselines import registry
from tsprout.baselines.registry import entries, get, names
from tsprout.errors import InputError

PLUGIN = """
from tsprout.baselines.copies import Copies

class Backwards(Copies):
    name = "backwards"
    summary = "the input series in reverse"
    source = "nobody, 2020"

    def _draw(self, own, lengths, picked, seed):
        return own[picked][:, :, ::-1]

class Other(Copies):
    name = "other"

number = 3
"""
POINTS = """[tsprout.baselines]
backwards = tsprout_plugin:Backwards
absent = tsprout_plugin_that_is_not_there:X
number = tsprout_plugin:number
alias = tsprout_plugin:Other
copies = tsprout_plugin:Other
imagenfew = tsprout_plugin:Other
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that adds one good baseline, three broken ones, and two under names of ours."""
    (tmp_path / "tsprout_plugin.py").write_text(PLUGIN, encoding="utf-8")
    info = tmp_path / "tsprout_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tsprout-plugin\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tsprout_plugin", raising=False)
    return tmp_path


def test_each_file_is_a_baseline() -> None:
    folder = Path(registry.__file__).parent
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files - {"contract", "hyperparameters", "registry", "store"} == set(registry._own())
    assert {"copies", "levels-shapes", "gp"} <= set(names())


def test_unknown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no baseline 'nothing'"):
        get("nothing")


def test_a_package_adds_one(plugin: Path, tmp_path: Path) -> None:
    import numpy as np
    from baselines.cases import waves

    from tsprout import Sprout
    from tsprout.series import SeriesSet

    assert "backwards" in names()
    real = SeriesSet.from_arrays(waves(3, 1, 8))
    sprout = Sprout.from_pretrained("backwards").fit(real)
    drawn = sprout.sample(3)
    shown = {tuple(np.round(row, 2)) for row in real.values[:, 0, ::-1].tolist()}
    assert {tuple(np.round(row, 2)) for row in drawn.values[:, 0].tolist()} == shown
    sprout.save_pretrained(tmp_path / "saved")
    assert Sprout.from_pretrained(tmp_path / "saved").sample(3).equals(drawn)


def test_our_names_are_ours(plugin: Path) -> None:
    assert get("copies").__module__ == "tsprout.baselines.copies"
    assert get("imagenfew").__module__ == "tsprout.published", "found by an entry point, as theirs is"


@pytest.mark.parametrize(("name", "words"), [("absent", "cannot be loaded"), ("number", "is not"), ("alias", "itself")])
def test_a_broken_one_harms_only_itself(plugin: Path, name: str, words: str) -> None:
    found = {entry.name: entry for entry in entries()}
    assert words in str(found[name].error)
    assert found["backwards"].error is None
    assert found["backwards"].package == "tsprout-plugin"
    assert found["gp"].error is None
    with pytest.raises(InputError, match=words) as caught:
        get(name)
    assert "tsprout-plugin" in str(caught.value)
