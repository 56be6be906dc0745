"""Mistakes and malice in a ``catalogue.toml``: each is named with its table and key, and shadows no other set."""

from __future__ import annotations

from pathlib import Path

import pytest

from tsprout.data.catalog.entry import catalogue, read_catalogue
from tsprout.errors import InputError

ENTRY = """
role = "{role}"
domain = "nature"
kind = "recording"
steps = 10
channels = 2
licence = "CC0"
citation = "Someone 2020"
aliases = {aliases}
"""
SOURCE = """
[River.source]
urls = ["https://example.org/a.csv"]
format = "csv"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    return path


def table(name: str, aliases: str = "[]", role: str = "pretrain") -> str:
    return f"[{name}]" + ENTRY.format(role=role, aliases=aliases)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (table("starlightcurves"), "StarLightCurves"),
        (table("ETTH2"), "ETTh2"),
        (table("Mine", '["SelfRegulationSCP1"]'), "SelfRegulationSCP1"),
        (table("Mine", '["selfregulationscp1"]'), "SelfRegulationSCP1"),
        (table("usgasoline", role="extra"), "USGasoline"),
        (table("ACSF1", role="extra"), "UCR_ACSF1"),  # its alias
        (table("Mine") + table("Other", '["mine"]'), "Mine"),
        (table("Mine", '["Brook"]') + table("Other", '["brook"]'), "Mine"),
        (table("ETTh2", role="eval") + table("etth2"), "ETTh2"),
        (table("starlightcurves", role="eval"), "StarLightCurves"),
    ],
)
def test_no_entry_goes_by_the_name_of_another(tmp_path: Path, text: str, taken: str) -> None:
    written(tmp_path, text)
    with pytest.raises(InputError, match=rf"catalogue.toml, \[\w+\]: '\w+' is a name of the data set {taken}\b"):
        catalogue(tmp_path)


def test_the_aliases_of_an_evaluation_set_stay_its_own(tmp_path: Path) -> None:
    for folder in "abc":
        (tmp_path / folder).mkdir()
    written(tmp_path / "a", table("Judge", '["bench"]', role="eval"))
    written(tmp_path / "b", table("Judge", role="eval"))
    written(tmp_path / "c", table("Bench"))
    with pytest.raises(InputError, match="is a name of the data set Judge"):
        catalogue(tmp_path / "a", tmp_path / "b", tmp_path / "c")


def test_later_folders_may_not_shadow_earlier_ones_either(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    written(tmp_path / "a", table("Mine", role="eval"))
    written(tmp_path / "b", table("mine"))
    with pytest.raises(InputError, match="is a name of the data set Mine"):
        catalogue(tmp_path / "a", tmp_path / "b")


def test_the_same_name_replaces(tmp_path: Path) -> None:
    written(tmp_path, table("USGasoline", role="extra") + table("ETTh2", '["ETTh2"]', role="eval"))
    known = catalogue(tmp_path)
    assert known["usgasoline"].size.steps == known["etth2"].size.steps == 10


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "a\\\\b", "..", ".hidden", "", "a b", "C:x", "é", "a\\n"])
def test_a_name_that_no_file_may_have(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, table(f'"{name}"'))
    with pytest.raises(InputError, match="no data set can be called") as caught:
        read_catalogue(path)
    assert str(path) in str(caught.value) and "letters, digits" in str(caught.value)


def test_names_of_every_bundled_kind_are_possible(tmp_path: Path) -> None:
    assert read_catalogue(written(tmp_path, table('"9-a.b+c_D"')))[0].name == "9-a.b+c_D"


RIVER = table("River")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('name = "x"\n' + RIVER, "[name]", "name is not a table"),
        (RIVER.replace("steps = 10\n", ""), "[River]", "'steps' is missing"),
        (RIVER.replace("steps = 10", 'steps = "many"'), "[River]", "steps = 'many' must be a whole number"),
        (RIVER.replace("steps = 10", "steps = 1.5"), "[River]", "steps = 1.5 must be a whole number"),
        (RIVER.replace("steps = 10", "steps = true"), "[River]", "steps = True must be a whole number"),
        (RIVER.replace("steps = 10", "steps = 0"), "[River]", "steps = 0 is not a count"),
        (RIVER.replace("channels = 2\n", ""), "[River]", "'channels' is missing"),
        (RIVER.replace("steps = 10", "steps = 10\ntrain = 5"), "[River]", "'train' is not for kind = 'recording'"),
        (RIVER.replace('"recording"', '"collection"'), "[River]", "'series' is missing"),
        (RIVER.replace('"recording"', '"instances"'), "[River]", "'train' is missing"),
        (RIVER.replace("aliases = []", 'aliases = "Stream"'), "[River]", "aliases = 'Stream' must be a list"),
        (RIVER.replace("aliases = []", "aliases = [1]"), "[River]", r"aliases = [1] must be a list: each of it text"),
        (RIVER.replace('"CC0"', "7"), "[River]", "licence = 7 must be text"),
        (RIVER + 'channel_names = ["a"]', "[River]", "channel_names has 1 names for 2 channels"),
        (RIVER + 'held_out = "yes"', "[River]", "held_out = 'yes' must be true or false"),
        (RIVER + 'source = "http://x.org"', "[River].source", "this must be a table"),
        (RIVER + '[River.source]\nurls = "http://x"', "[River].source", "urls = 'http://x' must be a list"),
        (RIVER + '[River.source]\nurls = ["http://x"]\nformat = "cvs"', "[River].source", "format 'cvs' is not known"),
        (RIVER + '[River.source]\nurls = ["http://x"]', "[River].source", "format '' is not known"),
        (RIVER + SOURCE + 'sha256 = ["a", "b"]', "[River].source", "2 checksums for 1 addresses"),
        (RIVER + SOURCE + "options = 3", "[River].source", "options = 3 must be a table"),
        (RIVER + "[River.content]\nmean = 1", "[River].content", "mean and deviation belong together"),
        (RIVER + "[River.content]\nmean = [1]\ndeviation = 2", "[River].content", "mean has 1 numbers for 2 channels"),
        (RIVER + '[River.content]\nmean = "low"', "[River].content", "mean = 'low' must be a number or a list"),
        (RIVER + "[River.content.train]\nmaen = 1", "[River].content.train", "unknown key: maen"),
        (RIVER + "[River.pack]\nsha256 = 1", "[River].pack", "sha256 = 1 must be text"),
        (RIVER + 'pack = "x"', "[River].pack", "unknown key: pack"),
    ],
)
def test_a_mistake_is_named_with_table_and_key(tmp_path: Path, text: str, where: str, what: str) -> None:
    path = written(tmp_path, table("Good") + text if not text.startswith("name") else text)
    with pytest.raises(InputError) as caught:
        read_catalogue(path)
    assert what in caught.value.what
    assert (caught.value.where or "").startswith(str(path)) and where in (caught.value.where or "")
