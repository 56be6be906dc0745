"""Checkpoints come back with the same bits; what is not one is refused, with what, where and what to do."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import CONFIGS, PADDED, TRANSFORMER, same_weights, snapshot, waves, woken

from tsprout import checkpoint
from tsprout.checkpoint import CARD, CONFIG, SHOTS, WEIGHTS, Checkpoint, bundled_names, find, load, save
from tsprout.data.schema import Schema
from tsprout.errors import CheckpointError, InputError, MissingExtraError, TsproutError
from tsprout.nn.adapters import AdapterConfig, adapt
from tsprout.series import SeriesSet


def shots(**rest: Any) -> SeriesSet:
    values = waves(3)
    values[0, 1, 2] = np.nan
    return SeriesSet.from_arrays(values, lengths=[16, 16, 9], channels=["a", "b"], **rest)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    save(Checkpoint(woken(TRANSFORMER), {"sets": ["one"]}, fitted={"row": None}, shots=shots()), folder)
    return folder


def change(folder: Path, edit: Callable[[dict], Any]) -> None:
    config = json.loads((folder / CONFIG).read_text())
    edit(config)
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize("name", CONFIGS)
def test_comes_back_with_the_same_bits(tmp_path: Path, name: str) -> None:
    model = woken(CONFIGS[name])
    save(Checkpoint(model, {"steps": 3}), tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.model.config == model.config
    assert same_weights(loaded.model, snapshot(model))
    assert not loaded.model.training
    assert loaded.info == {"steps": 3}
    assert loaded.adapter is None and loaded.fitted is None and loaded.shots is None
    drawn = [m.sample((2, 3, 12), torch.Generator().manual_seed(0)) for m in (model, loaded.model)]
    assert torch.equal(*drawn)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [CARD, CONFIG, WEIGHTS]


def test_what_only_training_needs_is_not_saved(tmp_path: Path) -> None:
    model = woken(replace(TRANSFORMER, weighting="learned", channel_mixing="invariant"))
    save(Checkpoint(model), tmp_path / "model")
    loaded = load(tmp_path / "model").model
    assert loaded.config == replace(model.config, weighting="edm")
    assert same_weights(loaded, {k: v for k, v in snapshot(model).items() if not k.startswith("uncertainty")})
    drawn = [m.sample((2, 3, 12), torch.Generator().manual_seed(0)) for m in (model, loaded)]
    assert torch.equal(*drawn)


def test_an_adapted_model_comes_back_adapted(tmp_path: Path) -> None:
    model, config = woken(TRANSFORMER), AdapterConfig(rank=2, alpha=3.0)
    adapt(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("out_of"):
                parameter.normal_()
    save(Checkpoint(model, adapter=config), tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.adapter == config
    assert same_weights(loaded.model, snapshot(model))


def test_half_precision_is_half_the_size_and_close(tmp_path: Path) -> None:
    model = woken(TRANSFORMER)
    save(Checkpoint(model), tmp_path / "whole")
    save(Checkpoint(model), tmp_path / "half", half=True)
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("half", "whole")]
    assert 0.4 < sizes[0] / sizes[1] < 0.6
    loaded = load(tmp_path / "half").model
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for one, other in zip(loaded.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"ids": ["p1", "p2", "p3"], "labels": np.array(["x", "y", "x"], dtype=object), "frequency": "h"},
        {"times": np.arange(16), "labels": np.array([2, 1, 2])},
        {"times": np.arange(48).reshape(3, 16) / 4, "labels": np.array([2.5, np.nan, 1.0])},
        {
            "times": np.datetime64("2024-01-01", "ns") + np.arange(16) * np.timedelta64(1, "D"),
            "frequency": "D",
            "static": {
                "age": np.array([40, 50, 60], dtype=np.int32),
                "weight": np.array([60.5, np.nan, 80.0]),
                "smokes": np.array([True, False, True]),
                "ward": np.array(["a", None, "c"], dtype=object),
                "code": np.array(["k", "l", "m"]),
                "mixed": np.array([np.int64(4), "five", np.float64(6.5)], dtype=object),
                "born": np.array(["1970-01-01", "NaT", "2000-02-29"], dtype="datetime64[D]"),
            },
        },
        {"schema": Schema("csv-long", ("id", "a", "b"), id_column="id", dtypes={"a": "int64"}, notices=("sorted",))},
    ],
)
def test_shots_come_back_as_they_were(tmp_path: Path, rest: dict) -> None:
    before = shots(**rest)
    save(Checkpoint(woken(TRANSFORMER), fitted={"row": 2}, shots=before), tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.fitted is not None and loaded.fitted["row"] == 2
    after = loaded.shots
    assert after is not None
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.observed, before.observed)
    np.testing.assert_array_equal(after.lengths, before.lengths)
    assert after.channels == before.channels and after.frequency == before.frequency
    assert after.schema == before.schema
    same_column(after.ids, before.ids)
    assert (after.times is None) == (before.times is None)
    if before.times is not None:
        same_column(after.times, before.times)
    assert (after.labels is None) == (before.labels is None)
    if before.labels is not None:
        same_column(after.labels, before.labels)
    assert set(after.static) == set(before.static)
    for key, column in before.static.items():
        same_column(after.static[key], column)


def same_column(after: np.ndarray, before: np.ndarray) -> None:
    # Text of a fixed width comes back as objects, everything else as it was.
    assert after.dtype == (object if before.dtype.kind == "U" else before.dtype)
    np.testing.assert_array_equal(after, before.astype(after.dtype))


def test_nothing_is_pickled(saved: Path) -> None:
    for path in saved.iterdir():
        start = path.read_bytes()[:2]
        assert start not in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05")


def test_an_existing_folder_is_refused_without_force(saved: Path) -> None:
    before = (saved / WEIGHTS).read_bytes()
    with pytest.raises(InputError, match="exists"):
        save(Checkpoint(woken(PADDED)), saved)
    assert (saved / WEIGHTS).read_bytes() == before
    save(Checkpoint(woken(PADDED)), saved, force=True)
    assert load(saved).model.config == PADDED
    assert not (saved / SHOTS).exists()
    (saved / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        save(Checkpoint(woken(PADDED)), saved, force=True)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoint, "array_bytes", fail)
    with pytest.raises((TsproutError, KeyboardInterrupt)):
        save(Checkpoint(woken(TRANSFORMER), fitted={}, shots=shots()), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_files_can_be_read_by_others(tmp_path: Path) -> None:
    save(Checkpoint(woken(TRANSFORMER), fitted={}, shots=shots()), tmp_path / "model")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert len(set(modes.values())) == 1, modes


def truncated(name: str, keep: float) -> Callable[[Path], Any]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * keep)])

    return damage


def pickled(folder: Path) -> None:
    torch.save({"a": torch.ones(3)}, folder / WEIGHTS)


def only_a_pickle(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "model.pt").write_bytes(pickle.dumps({"a": 1}))


def wrong_shape(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["backbone.place.bias"] = torch.ones(5)
    save_file(weights, folder / WEIGHTS)


def wrong_names(folder: Path) -> None:
    save_file({"a": torch.ones(3)}, folder / WEIGHTS)


def edited(edit: Callable[[dict], Any]) -> Callable[[Path], Any]:
    return lambda folder: change(folder, edit)


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated weights": (truncated(WEIGHTS, 0.7), "truncated"),
    "weights cut in their header": (truncated(WEIGHTS, 0.001), "truncated"),
    "empty weights": (truncated(WEIGHTS, 0), "truncated"),
    "truncated configuration": (truncated(CONFIG, 0.5), "damaged or truncated"),
    "empty configuration": (truncated(CONFIG, 0), "damaged or truncated"),
    "binary configuration": (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\x00"), "damaged or truncated"),
    "bottomless configuration": (lambda f: (f / CONFIG).write_text("[" * 200_000), "damaged or truncated"),
    "a pickle for weights": (pickled, "not safetensors"),
    "a folder with a pickle": (only_a_pickle, "no config.json"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), f"{WEIGHTS} is missing"),
    "no configuration": (lambda f: (f / CONFIG).unlink(), "no config.json"),
    "no shots": (lambda f: (f / SHOTS).unlink(), "shots"),
    "truncated shots": (truncated(SHOTS, 0.6), "shots"),
    "shots of other arrays": (lambda f: save_file({"a": torch.ones(1)}, f / SHOTS), "shots"),
    "wrong shape": (wrong_shape, "size mismatch for backbone.place.bias"),
    "wrong names": (wrong_names, "do not fit together"),
    "a newer version": (edited(lambda c: c.update(format_version=2)), "format version 2"),
    "an older version": (edited(lambda c: c.update(format_version=0)), "format version 0"),
    "no version": (edited(lambda c: c.pop("format_version")), "damaged or truncated"),
    "another format": (edited(lambda c: c.update(format="other")), "not a tsprout checkpoint"),
    "not an object": (lambda f: (f / CONFIG).write_text("[1, 2]"), "not a tsprout checkpoint"),
    "unknown setting": (edited(lambda c: c["model"].update(colour="red")), "unknown model setting: colour"),
    "setting of another type": (edited(lambda c: c["model"].update(width="16")), "width cannot be '16'"),
    "settings that cannot be": (edited(lambda c: c["model"].update(heads=0)), "do not fit together"),
    "another size": (edited(lambda c: c["model"].update(width=32)), "size mismatch"),
    "another backbone": (edited(lambda c: c["model"].update(backbone="rnn")), "no backbone"),
    "no model": (edited(lambda c: c.pop("model")), "do not fit together"),
    "a model that is none": (edited(lambda c: c.update(model=3)), "do not fit together"),
    "a bad adapter": (edited(lambda c: c.update(adapter={"rank": 0})), "rank"),
    "facts of the shots missing": (edited(lambda c: c["fitted"].pop("shots")), "shots"),
    "facts of the shots damaged": (edited(lambda c: c["fitted"].update(shots=[])), "shots"),
    "a schema of another version": (edited(lambda c: c["fitted"]["shots"].update(schema={"x": 1})), "shots"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_refused(saved: Path, damage: str) -> None:
    spoil, said = DAMAGES[damage]
    spoil(saved)
    with pytest.raises(CheckpointError) as caught:
        load(saved)
    error = caught.value
    assert said in error.what
    assert error.where is not None and str(saved) in error.where
    assert error.fix
    assert error.exit_code == 2


def test_a_folder_with_a_pickle_is_told_so(saved: Path) -> None:
    only_a_pickle(saved)
    with pytest.raises(CheckpointError, match="never loads"):
        load(saved)


def test_a_newer_version_says_upgrade_and_an_older_one_does_not(saved: Path) -> None:
    change(saved, lambda c: c.update(format_version=2))
    with pytest.raises(CheckpointError, match="Upgrade"):
        load(saved)
    change(saved, lambda c: c.update(format_version="x"))
    with pytest.raises(CheckpointError, match="again"):
        load(saved)


@pytest.mark.parametrize("name", ["model.pt", "model.PKL", "weights.bin", "run.ckpt", "a.joblib"])
def test_a_pickle_is_refused_unopened(tmp_path: Path, name: str) -> None:
    bomb = tmp_path / name

    class Bomb:
        def __reduce__(self) -> tuple:
            return (exec, (f"open({str(tmp_path / 'exploded')!r}, 'w')",))

    bomb.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="pickle"):
        load(bomb)
    assert not (tmp_path / "exploded").exists()


def test_paths_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(CheckpointError, match="a checkpoint is a folder"):
        find(tmp_path / "file.txt")
    for name in (tmp_path / "nowhere", "nosuchmodel", "./a/b", "a/b/c", "x" * 5000):
        with pytest.raises(CheckpointError, match="no such checkpoint") as caught:
            find(name)
        assert caught.value.fix


@pytest.mark.parametrize(("typed", "meant"), [("smal", "small"), ("level-shapes", "levels-shapes")])
def test_a_name_that_is_nearly_one_is_guessed(typed: str, meant: str) -> None:
    with pytest.raises(CheckpointError, match=f"Did you mean {meant!r}"):
        find(typed)


def test_unreadable_files_are_said(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint, "load_file", fail)
    with pytest.raises(InputError, match="permission"):
        load(saved)
    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(InputError, match="permission"):
        load(saved)


def test_bundled_ones_are_found_by_name(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "BUNDLED", saved.parent)
    (saved.parent / "empty").mkdir()
    assert bundled_names() == ["model"]
    assert find("model") == saved
    monkeypatch.setattr(checkpoint, "BUNDLED", saved.parent / "nowhere")
    assert bundled_names() == []


def test_the_hub_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="hub"):
        find("owner/model")
