"""How far values agree with the catalogue: what is told apart and refused, and what is said where little is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_server import WALK, DataServer, csv_of, entry_table, isolate, serving

from tsprout.data.catalog import content, sets
from tsprout.data.catalog.entry import Catalogue, Entry, bundled, read_entry
from tsprout.data.catalog.pull import pull
from tsprout.errors import InputError

NOTHING = {"digest": None, "missing": None, "mean": None, "deviation": None}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolate(monkeypatch, tmp_path / "cache")


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as made:
        yield made


def entry_of(*urls: str, **changes: Any) -> Entry:
    table = entry_table(*urls, **changes)
    table["content"] = {key: value for key, value in table["content"].items() if value is not None}
    return read_entry("Walk", table, "test")


def agreement(entry: Entry, arrays: dict[str, np.ndarray]) -> str:
    return content.agreement(entry, arrays, Path("x.npz"), sets.digest(arrays))


def facts(values: np.ndarray, **more: Any) -> dict[str, Any]:
    return {k: v for k, v in content.described({"series": values}).items() if k != "digest"} | more


# --- sets of which nothing is known -----------------------------------------------------------------------------------


def test_where_nothing_is_known_nothing_is_claimed(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("walk.csv"), content=NOTHING)
    found = pull(entry, tmp_path)
    assert found.complete and found.agreement == "unverified" and not found.exact
    receipt = json.loads(found.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert receipt["agreement"] == "unverified" and receipt["exact"] is False
    again = pull(entry, tmp_path)
    assert again.was_there and again.agreement == "unverified" and not again.exact
    server.files["walk.csv"] = csv_of(WALK[:-1])
    with pytest.raises(InputError, match="3,999 steps x 2"):
        pull(entry, tmp_path, force=True)


def test_files_of_a_known_checksum_are_something(server: DataServer, tmp_path: Path) -> None:
    sha256 = sets.hashlib.sha256(server.files["walk.csv"]).hexdigest()
    entry = entry_of(server.url("walk.csv"), content=NOTHING, source={"sha256": [sha256]})
    assert pull(entry, tmp_path).agreement == pull(entry, tmp_path).agreement == "files"


def test_a_set_must_have_values_at_least() -> None:
    hollow = WALK.copy()
    hollow[:2500] = np.nan
    with pytest.raises(InputError, match=r"only 3,000 of 8,000 cells of Walk have a value") as caught:
        agreement(entry_of(content=NOTHING), {"series": hollow})
    assert "missing = 5000 in [Walk.content]" in str(caught.value)
    assert agreement(entry_of(content=NOTHING | {"missing": 5000}), {"series": hollow}) == "unverified"
    with pytest.raises(InputError, match="the number of missing cells differs"):
        agreement(entry_of(content=NOTHING | {"missing": 4999}), {"series": hollow})
    assert agreement(entry_of(content=NOTHING), {"series": np.where(hollow[2000:] > 0, np.nan, 1.0)}) == "unverified"


def test_the_documentation_names_the_sets_of_which_nothing_is_known() -> None:
    docs = Path(__file__).parents[3] / "docs" / "data.md"
    if not docs.is_file():
        pytest.skip("the documentation is not beside the tests")
    told = (
        docs.read_text(encoding="utf-8").partition("`unverified` are the sets")[2].partition("entries of your own")[0]
    )
    bare = {e.name for e in bundled() if e.content.digest is None and e.content.mean is None and not e.content.parts}
    assert bare == set(re.findall(r"[A-Z]\w+", told)) and len(bare) == 10


# --- sets of which a part is known ------------------------------------------------------------------------------------

SPLIT = np.random.default_rng(1).standard_normal((6, 9, 1)).astype(np.float32)
LABELS = np.array(list("aaabbc"))
OTHER = np.zeros((4, 9, 1), np.float32)


def instances(**part: Any) -> Entry:
    table = {key: value for key, value in entry_table().items() if key not in ("steps", "channel_names", "content")}
    table |= {"kind": "instances", "channels": 1, "train": 6, "test": 4, "length": 9, "content": {"train": part}}
    return read_entry("Walk", table, "test")


def test_a_split_that_is_known_is_checked() -> None:
    arrays = {"train_X": SPLIT, "train_y": LABELS, "test_X": OTHER, "test_y": np.array(list("abca"))}
    low, high = float(SPLIT.min()), float(SPLIT.max())
    moments = {"missing": 0, "mean": float(SPLIT.mean(dtype=float)), "deviation": float(SPLIT.std(dtype=float))}
    assert agreement(instances(digest=sets.digest({"train_X": SPLIT})), arrays) == "part"
    entry = instances(**moments, extremes=[low, high], classes=[3, 1, 2])
    assert agreement(entry, arrays) == "part"
    rounded = arrays | {"train_X": SPLIT.astype(np.float16)}
    assert agreement(entry, rounded) == "part"
    for change, what in (
        ({"train_X": SPLIT + 1}, r"the mean \(train\)"),
        ({"train_X": SPLIT * 2}, r"the (mean|deviation) \(train\)"),
        ({"train_X": np.where(high == SPLIT, np.nan, SPLIT)}, "missing cells"),
        ({"train_y": np.array(list("aabbcc"))}, "series of each class"),
    ):
        with pytest.raises(InputError, match=f"that the catalogue knows: .*{what}.* differs"):
            agreement(entry, arrays | change)
    with pytest.raises(InputError, match=r"the least or the greatest value \(train\) differs"):
        agreement(instances(**moments, extremes=[low - 1, high]), arrays)
    with pytest.raises(InputError, match=r"the digest \(train\) differs"):
        agreement(instances(digest=sets.digest({"train_X": SPLIT})), rounded)
    del arrays["train_X"]
    with pytest.raises(InputError, match="its train differs"):
        agreement(entry, arrays)


def test_the_first_steps_of_a_recording_are_checked() -> None:
    entry = entry_of(content=NOTHING | {"head": {"steps": 100, "digest": sets.digest({"series": WALK[:100]})}})
    later = WALK.copy()
    later[100:] += 1
    assert agreement(entry, {"series": later}) == "part"
    later[99] += 1
    with pytest.raises(InputError, match=r"the digest \(head\) differs"):
        agreement(entry, {"series": later})


def test_a_split_is_known_wherever_the_pack_holds_one() -> None:
    for entry in bundled():
        if entry.pack is not None and entry.pack.size.train is not None and entry.pack.partial:
            part = entry.content.train
            assert part is not None and part.mean is not None and sum(part.classes) == entry.pack.size.train
            assert len(part.extremes) == 2 and part.missing is not None
    assert sum(bool(entry.content.parts) for entry in bundled()) == 17


# --- channel by channel -----------------------------------------------------------------------------------------------


def test_permuted_channels_are_not_the_same_set() -> None:
    swapped = {"series": WALK[:, ::-1]}
    pooled = {"digest": None, "mean": float(WALK.mean(dtype=float)), "deviation": float(WALK.std(dtype=float))}
    assert agreement(entry_of(content=pooled), swapped) == "close"  # which is why the catalogue knows them one by one
    entry = entry_of(content={"digest": None, **facts(WALK)})
    assert agreement(entry, {"series": WALK + np.float32(1e-4)}) == "close"
    with pytest.raises(InputError, match="the mean of channel 0 differs"):
        agreement(entry, swapped)
    wide = WALK * [1, 2]
    spread = entry_of(content={"digest": None, **facts(WALK) | {"mean": facts(wide)["mean"]}})
    with pytest.raises(InputError, match="the deviation of channel 1 differs"):
        agreement(spread, {"series": wide})


def test_channels_that_are_constant_or_empty_can_be_known() -> None:
    values = WALK.copy()
    values[:, 0] = 1234.567
    entry = entry_of(content={"digest": None, **facts(values)})
    assert agreement(entry, {"series": values}) == "close"
    values[:, 1] = np.nan
    empty = entry_of(content={"digest": None, **facts(values)})
    assert agreement(empty, {"series": values}) == "close"
    with pytest.raises(InputError, match="missing cells"):
        agreement(empty, {"series": WALK})


def test_every_channel_of_the_bundled_sets_is_known() -> None:
    for entry in bundled():
        if entry.size.channels > 1 and entry.content.digest is not None:
            assert isinstance(entry.content.mean, tuple) and len(entry.content.mean) == entry.size.channels, entry.name


# --- files that are not what they should be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"series": np.array([["a", "b"]])}, "'series' holds str32, not numbers"),
        ({"series": np.zeros((2, 2), complex)}, "'series' holds complex128"),
        ({"series": np.zeros(5)}, "'series' has 1 axes, not 2"),
        ({"series": np.zeros((0, 2))}, "'series' is empty"),
        ({"series": np.zeros((9, 2)), "segment_lengths": np.array(["a"])}, "'segment_lengths' holds str32"),
        ({"series": np.zeros((9, 2)), "segment_lengths": np.array([-1, 10])}, "must hold positive numbers"),
        ({"series": np.zeros((9, 2)), "segment_lengths": np.array([])}, "'segment_lengths' holds float64, not whole"),
        ({"series": np.zeros((9, 2)), "segment_lengths": np.array([[9]])}, "'segment_lengths' has 2 axes"),
        ({"flat": np.zeros((3, 3)), "lengths": np.array([9])}, "'flat' has 2 axes, not 1"),
        ({"flat": np.zeros(9), "lengths": np.array([4.5, 4.5])}, "'lengths' holds float64, not whole numbers"),
        ({"train_X": np.zeros((3, 9))}, "'train_X' has 2 axes, not 3"),
        ({"train_X": np.full((3, 9, 1), "x")}, "'train_X' holds str32"),
        ({"train_X": np.zeros((3, 9, 1)), "train_y": np.array(["a"])}, "do not fit together"),
        ({"train_X": np.zeros((3, 9, 1)), "train_y": np.zeros((3, 2))}, "'train_y' has 2 axes"),
        ({"other": np.zeros(3)}, "do not fit together"),
    ],
)
def test_arrays_of_another_kind_are_refused_with_the_file(
    tmp_path: Path, arrays: dict[str, np.ndarray], what: str
) -> None:
    path = tmp_path / "extra" / "Walk.npz"
    path.parent.mkdir()
    np.savez(path, **arrays)
    with pytest.raises(InputError) as caught:
        sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([entry_of()]))
    assert what in caught.value.what and caught.value.where == str(path)
    assert "tsprout datasets pull Walk --force" in str(caught.value)


def test_a_file_of_another_size_is_not_the_set(server: DataServer, tmp_path: Path) -> None:
    entry = entry_of(server.url("walk.csv"), content=NOTHING)
    path = tmp_path / "extra" / "Walk.npz"
    path.parent.mkdir()
    np.savez(path, series=WALK[:3000])
    known = Catalogue([entry])
    with pytest.raises(InputError, match="3,000 steps x 2, and Walk has 4,000 steps x 2"):
        sets.load_set("Walk", folders=(tmp_path,), known=known)
    lax = sets.load_set("Walk", folders=(tmp_path,), known=known, check=False)
    assert not lax.complete and lax.partial == "3,000 steps x 2, not 4,000 steps x 2"
    assert not pull(entry, tmp_path).was_there
    assert sets.load_set("Walk", folders=(tmp_path,), known=known).size.steps == 4000


# --- several data folders ---------------------------------------------------------------------------------------------


def test_a_damaged_file_does_not_hide_a_good_one(
    server: DataServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, first, second = entry_of(server.url("walk.csv")), tmp_path / "cache", tmp_path / "pack"
    pull(entry, first)
    good = pull(entry, second).path
    bad = sets.place(entry, first)
    np.savez(bad, series=WALK + 1)
    known, both = Catalogue([entry]), (first, second)
    found = sets.load_set("Walk", folders=both, known=known)
    assert found.path == good and found.agreement == "exact"
    (note,) = found.notes
    assert str(bad) in note and "damaged" in note and "tsprout datasets pull Walk --force" in note
    monkeypatch.setattr("tsprout.data.catalog.pull.data_folders", lambda: both)
    mended = pull(entry)
    assert not mended.was_there and mended.path == bad
    found = sets.load_set("Walk", folders=both, known=known)
    assert found.path == bad and found.notes == ()
    assert pull(entry).was_there
    for path in (bad, good):
        path.write_bytes(b"harm")
    with pytest.raises(InputError, match="damaged") as caught:
        sets.load_set("Walk", folders=both, known=known)
    assert caught.value.where == str(bad) and "tsprout datasets pull Walk --force" in str(caught.value)


def test_what_was_not_checked_claims_nothing(tmp_path: Path) -> None:
    entry = replace(entry_of(), pack=None)
    path = sets.place(entry, tmp_path)
    path.parent.mkdir()
    np.savez(path, series=WALK)
    assert sets.load_set("Walk", folders=(tmp_path,), known=Catalogue([entry]), check=False).agreement == ""
