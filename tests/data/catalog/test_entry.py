"""The catalogue: what a table of TOML may say, how an entry is found, and that every bundled one is complete."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tsprout.data.catalog._facts import FORMATS as NAMED
from tsprout.data.catalog._needs import OPTIONS
from tsprout.data.catalog.entry import (
    DOMAINS,
    FILES,
    KINDS,
    ROLES,
    Catalogue,
    Entry,
    Source,
    UnknownSetError,
    bundled,
    catalogue,
    expanded,
    read_catalogue,
    read_entry,
)
from tsprout.data.catalog.folders import data_folders
from tsprout.data.catalog.formats import FORMATS
from tsprout.data.catalog.readers.options import chosen
from tsprout.errors import InputError

ALL = bundled()
NAMES = [entry.name for entry in ALL]
# arXiv 2505.20446, tables of the evaluation and of the pre-training sets.
JUDGES = [
    "AirQuality",
    "ECG200",
    "ETTh2",
    "ETTm1",
    "ETTm2",
    "ILI",
    "MuJoCo",
    "SaugeenRiverFlow",
    "SelfRegulationSCP1",
    "Sine",
    "StarLightCurves",
    "Weather",
]
LESSONS = [
    "Blink",
    "Chinatown",
    "ECG5000",
    "ElectricDevices",
    "EMOPain",
    "Energy",
    "ETTh1",
    "ExchangeRate",
    "FordB",
    "MSL",
    "NonInvasiveFetalECGThorax1",
    "PSM",
    "SelfRegulationSCP2",
    "SharePriceIncrease",
    "SMAP",
    "SMD",
    "Stocks",
    "Trace",
    "UWaveGestureLibrary",
]
TABLE = {
    "role": "extra",
    "domain": "nature",
    "kind": "recording",
    "steps": 10,
    "channels": 2,
    "licence": "CC0",
    "citation": "Someone 2020, Something",
    "source": {"urls": ["https://example.org/{a,b}.csv"], "format": "csv", "options": {"join": "columns"}},
}
TOML = """
[River]
role = "extra"
domain = "nature"
kind = "recording"
steps = 10
channels = 1
licence = "CC0"
citation = "Someone 2020"
aliases = ["Stream"]
"""


def test_a_table_becomes_an_entry() -> None:
    entry = read_entry("River", TABLE | {"content": {"digest": "ab"}, "aliases": ["Stream"]}, "here")
    assert (entry.name, entry.role, entry.size.steps, entry.size.channels) == ("River", "extra", 10, 2)
    assert entry.source.urls == ("https://example.org/a.csv", "https://example.org/b.csv")
    assert not entry.source.checked  # nobody has said so
    assert entry.content.digest == "ab"
    assert entry.aliases == ("Stream",)


def test_a_pack_has_the_size_of_the_set_or_its_own() -> None:
    whole = read_entry("R", TABLE | {"pack": {"sha256": "0"}}, "here")
    assert whole.pack is not None and whole.pack.size == whole.size
    part = {"sha256": "0", "partial": "the first rows", "kind": "recording", "steps": 3, "channels": 2}
    some = read_entry("R", TABLE | {"pack": part}, "here")
    assert some.pack is not None and some.pack.size.steps == 3 and some.size.steps == 10


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"licens": "CC0"}, r"unknown key: licens\nKnown: .*licence"),
        ({"source": {"url": "x"}}, r"\.source: unknown key: url"),
        ({"content": {"hash": "x"}}, r"\.content: unknown key: hash"),
        ({"paper": {"windows": 1, "split": "x"}}, r"\.paper: unknown key: split"),
        ({"pack": {"sha256": "0", "part": "x"}}, r"\.pack: unknown key: part"),
        ({"role": "test"}, "role 'test' is not known\nKnown: eval, pretrain, extra"),
        ({"domain": "space"}, "domain 'space' is not known"),
        ({"kind": "video"}, "kind 'video' is not known"),
        ({"licence": None}, r"'licence' is missing\nAdd licence = "),
        ({"channels": None}, "'channels'"),
    ],
)
def test_a_table_that_is_wrong(change: Mapping[str, Any], what: str) -> None:
    table = {key: value for key, value in (TABLE | dict(change)).items() if value is not None}
    with pytest.raises(InputError, match=what) as caught:
        read_entry("River", table, "my.toml, [River]")
    assert "my.toml, [River]" in str(caught.value)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[River\n", encoding="utf-8")
    with pytest.raises(InputError, match="not a TOML file"):
        read_catalogue(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match="not a TOML file"):
        read_catalogue(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("a.csv", ["a.csv"]),
        ("{a,b}/{1..2}.txt", ["a/1.txt", "a/2.txt", "b/1.txt", "b/2.txt"]),
        ("m-{9..11}", ["m-9", "m-10", "m-11"]),
        ("{one}", ["one"]),
    ],
)
def test_expanded(text: str, out: list[str]) -> None:
    assert expanded(text) == out


def test_names_are_found_in_any_case_and_by_aliases() -> None:
    known = catalogue()
    assert known["etth1"] is known["ETTh1"]
    assert known["exchange"].name == "ExchangeRate"
    assert "airquality" in known and "nothing" not in known and 3 not in known
    assert len(known) == len(list(known)) == len(ALL)
    assert [entry.name for entry in known.of_role("eval")] == [e.name for e in ALL if e.role == "eval"]


def test_an_unknown_name_is_an_error_with_a_guess() -> None:
    with pytest.raises(UnknownSetError, match=r"no data set is called 'ETTm3'\nDid you mean .*ETTm1") as caught:
        catalogue()["ETTm3"]
    assert caught.value.exit_code == 2
    assert isinstance(caught.value, KeyError)
    with pytest.raises(UnknownSetError) as far:
        catalogue()["qqqqqqqq"]
    assert "Did you mean" not in str(far.value)


def test_a_folder_adds_and_replaces_entries(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text(TOML, encoding="utf-8")
    known = catalogue(tmp_path, tmp_path / "nothing there")
    assert len(known) == len(ALL) + 1
    assert known["stream"].name == "River"
    (tmp_path / "catalogue.toml").write_text(TOML.replace("River", "USGasoline"), encoding="utf-8")
    known = catalogue(tmp_path)
    assert len(known) == len(ALL)
    assert known["USGasoline"].size.steps == 10
    assert catalogue()["USGasoline"].size.steps == 1578


def test_a_folder_cannot_make_lessons_of_a_judge(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(TOML.replace("River", "ETTh2").replace('"extra"', '"pretrain"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"catalogue.toml, \[ETTh2\]: an evaluation set stays one"):
        catalogue(tmp_path)
    path.write_text(TOML.replace("River", "ETTh2").replace('"extra"', '"eval"'), encoding="utf-8")
    assert catalogue(tmp_path)["ETTh2"].size.steps == 10


# --- the bundled entries ----------------------------------------------------------------------------------------------


def test_names_and_aliases_are_unique() -> None:
    keys = [key.lower() for entry in ALL for key in {entry.name, *entry.aliases}]
    assert len(keys) == len(set(keys))
    tables = [tomllib.loads((Path(read_entry.__code__.co_filename).parent / f).read_text("utf-8")) for f in FILES]
    assert sum(map(len, tables)) == len(ALL)


@pytest.mark.parametrize("entry", ALL, ids=NAMES)
def test_an_entry_is_complete(entry: Entry) -> None:
    assert entry.role in ROLES and entry.domain in DOMAINS and entry.size.kind in KINDS
    for text in (entry.licence, entry.citation):
        assert text.strip() and "TODO" not in text and len(text) < 300
    size = entry.size
    counts = {
        "recording": [size.steps],
        "collection": [size.series, size.steps],
        "instances": [size.train, size.length],
    }
    assert all(count is not None and count > 0 for count in [size.channels, *counts[size.kind]])
    assert str(size)
    assert len(entry.channel_names) in (0, size.channels)
    assert not {entry.name} & set(entry.near) and set(entry.near) <= set(NAMES)


@pytest.mark.parametrize("entry", ALL, ids=NAMES)
def test_an_entry_says_where_it_comes_from(entry: Entry) -> None:
    source: Source = entry.source
    assert bool(source.urls) != bool(source.generator)
    if source.generator:
        from tsprout.data.catalog.generated import GENERATORS

        assert source.generator in GENERATORS
        assert not source.format
        return
    assert source.format in FORMATS
    assert len(set(source.urls)) == len(source.urls)
    for url in source.urls:
        parts = urlsplit(url)
        assert parts.scheme == "https" and "." in parts.netloc and parts.path.count("/") >= 2
        assert not set(url) & set(" {}<>\"'*?")
    assert source.page == "" or urlsplit(source.page).scheme == "https"
    assert len(source.sha256) in (0, len(source.urls))
    chosen(OPTIONS[source.format], source.options, entry)
    digest = entry.content.digest
    assert digest is None or (len(digest) == 64 and set(digest) <= set("0123456789abcdef"))
    if digest is not None:
        assert entry.content.missing is not None and entry.content.mean is not None


def test_every_format_has_its_options_here() -> None:
    assert set(OPTIONS) == set(FORMATS) == set(NAMED)
    assert {entry.source.format for entry in ALL} - {""} <= set(FORMATS)


def test_the_sets_of_the_paper_are_all_there() -> None:
    by_role = {role: sorted(entry.name for entry in ALL if entry.role == role) for role in ROLES}
    assert by_role["eval"] == sorted(JUDGES)
    assert by_role["pretrain"] == sorted(LESSONS)
    for entry in ALL:
        assert (entry.paper is not None) == (entry.role != "extra")


def test_what_records_the_same_as_a_judge_is_kept_apart() -> None:
    known = Catalogue(ALL)
    for entry in ALL:
        if entry.role != "eval" and any(known[name].role == "eval" for name in entry.near):
            assert entry.left_out


@pytest.mark.data
def test_every_set_of_the_data_pack_is_in_the_catalogue() -> None:
    paths = [folder / "manifest.json" for folder in data_folders() if (folder / "manifest.json").is_file()]
    if not paths:
        pytest.skip("no data pack: set TSPROUT_DATA to its folder")
    known = catalogue()
    for told in json.loads(paths[-1].read_text(encoding="utf-8"))["datasets"]:
        entry = known[told["name"]]
        assert entry.role == told["role"]
        assert entry.pack is not None and entry.pack.sha256 == told["sha256"]
