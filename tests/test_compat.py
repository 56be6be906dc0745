"""Checkpoints of older formats load for ever, to the bit; newer ones are refused or read by rules."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_models import TRANSFORMER, same_weights, snapshot, woken

from tsprout import Sprout, cli, compat, job
from tsprout.checkpoint import CONFIG, WEIGHTS, Checkpoint, load, save
from tsprout.compat import KNOWN, VERSION, Migration, modern, modern_weights, version_of
from tsprout.errors import CheckpointError

OLD = Path(__file__).parent / "golden" / "format-1.0"
EXPECTED = json.loads((OLD / "expected.json").read_text())


def bits(model: torch.nn.Module) -> str:
    state = model.state_dict()
    return hashlib.sha256(b"".join(k.encode() + state[k].numpy().tobytes() for k in sorted(state))).hexdigest()


def edit(folder: Path, **keys: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | keys))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(Checkpoint(woken(TRANSFORMER), {"steps": 3}), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["pretrained", "unet"])
def test_format_1_0_loads_for_ever(name: str) -> None:
    """Written by the first release; never made anew. Weights to the bit, series to within rounding."""
    loaded = load(OLD / name)
    assert loaded.version == (1, 0) and loaded.notes == ()
    assert bits(loaded.model) == EXPECTED[name]["sha256"]
    drawn = loaded.model.sample((2, 2, 12), torch.Generator().manual_seed(0), steps=2)
    np.testing.assert_allclose(drawn.flatten().numpy(), EXPECTED[name]["drawn"], rtol=1e-3, atol=1e-3)


def test_a_fitted_model_of_format_1_0_loads_for_ever() -> None:
    sprout = Sprout.from_pretrained(OLD / "fitted")
    assert bits(sprout.model) == EXPECTED["fitted"]["sha256"]
    assert sprout.fit_report is not None and sprout.fit_report.mode == "lora"
    drawn = sprout.sample(2, seed=1)
    assert [str(name) for name in drawn.ids] == EXPECTED["fitted"]["ids"]
    values = np.nan_to_num(drawn.values, nan=-1).ravel()
    np.testing.assert_allclose(values, EXPECTED["fitted"]["drawn"], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("name", ["pretrained", "fitted"])
def test_an_old_one_saved_anew_is_of_today(tmp_path: Path, name: str) -> None:
    Sprout.from_pretrained(OLD / name).save_pretrained(tmp_path / "new")
    again = load(tmp_path / "new")
    assert again.version == VERSION
    assert bits(again.model) == EXPECTED[name]["sha256"]


def test_every_key_that_is_written_is_known(tmp_path: Path) -> None:
    Sprout.from_pretrained(OLD / "fitted").save_pretrained(tmp_path / "new")
    config = json.loads((tmp_path / "new" / CONFIG).read_text())
    assert set(config) <= KNOWN[""]
    for part in ("model", "adapter", "fitted"):
        assert set(config[part]) == KNOWN[part]


def test_migrations_run_in_order_on_configuration_and_weights(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A future in which a setting was renamed twice and a tensor once: today's checkpoint still gives its numbers."""
    before = load(saved)

    def renamed(old: str, new: str) -> Callable[[dict], dict]:
        return lambda values: {new if key == old else key: value for key, value in values.items()}

    def in_model(old: str, new: str) -> Callable[[dict], dict]:
        return lambda config: config | {"model": renamed(old, new)(config["model"])}

    # On disk: the names of an older time.
    config = json.loads((saved / CONFIG).read_text())
    config["model"]["breadth"] = config["model"].pop("width")
    (saved / CONFIG).write_text(json.dumps(config))
    from safetensors.torch import load_file, save_file

    name = "backbone.place.bias"
    save_file(renamed(name, "old.bias")(load_file(saved / WEIGHTS)), saved / WEIGHTS)
    later = (VERSION[0], VERSION[1] + 2)
    steps = (
        Migration((VERSION[0], VERSION[1] + 1), in_model("breadth", "wideness")),
        Migration(later, in_model("wideness", "width"), renamed("old.bias", name)),
    )
    monkeypatch.setattr(compat, "MIGRATIONS", (*compat.MIGRATIONS, *steps))
    monkeypatch.setattr(compat, "VERSION", later)
    after = load(saved)
    assert after.model.config == before.model.config
    assert same_weights(after.model, snapshot(before.model))
    # Of a file that is of that time already, nothing is changed.
    assert modern_weights({"old.bias": torch.ones(1)}, later).keys() == {"old.bias"}


def test_migrations_lead_to_today() -> None:
    targets = [migration.to for migration in compat.MIGRATIONS]
    assert targets == sorted(set(targets)) and targets[-1] <= VERSION
    assert VERSION[1] == 0 or targets[-1] == VERSION


@pytest.mark.parametrize(
    ("version", "said", "fix"),
    [
        ({"format_version": 2, "tsprout_version": "3.1.4"}, "2.1, written by tsprout 3.1.4; this", "tsprout>=3.1.4"),
        ({"format_version": 2, "format_minor": 7}, "format version 2.7", "pip install --upgrade"),
        ({"format_version": 0}, "0.1, which no release wrote", "again"),
        ({"format_version": -1}, "-1", "again"),
        ({"format_version": True}, "True", "again"),
        ({"format_version": "1"}, "'1'", "again"),
        ({"format_version": 1, "format_minor": "x"}, "which no release wrote", "again"),
    ],
)
def test_what_is_not_read_is_refused(saved: Path, version: dict[str, Any], said: str, fix: str) -> None:
    edit(saved, **version)
    with pytest.raises(CheckpointError) as caught:
        load(saved)
    assert said in caught.value.what and compat.readable() in caught.value.what
    assert fix in str(caught.value.fix) and str(saved) in str(caught.value.where)


def test_a_newer_minor_is_read(saved: Path) -> None:
    before = load(saved)
    edit(saved, format_minor=VERSION[1] + 5, tsprout_version="9.9")
    loaded = load(saved)
    assert loaded.version == (VERSION[0], VERSION[1] + 5) and loaded.notes == ()
    assert same_weights(loaded.model, snapshot(before.model))


def test_what_may_be_ignored_is_ignored_with_a_note(saved: Path, tmp_path: Path) -> None:
    before = load(saved)
    config = json.loads((saved / CONFIG).read_text())
    config["model"]["kernel"] = "fused"
    edit(saved, model=config["model"], thumbnail="x", ignorable=["model.kernel", "thumbnail", "model.absent"])
    loaded = load(saved)
    assert loaded.model.config == before.model.config
    assert len(loaded.notes) == 2 and "thumbnail" in loaded.notes[0] and "model.kernel" in loaded.notes[1]
    # It is said wherever the model is used, and lost when it is saved anew.
    sprout = Sprout.from_pretrained(saved)
    fitted = sprout.fit(np.sin(np.arange(64.0)).reshape(4, 1, 16), "prompt", axes="ncl")
    assert fitted.notes == sprout.notes == loaded.notes
    assert set(loaded.notes) <= set(job.fit_report(fitted)["notes"])
    sprout.save_pretrained(tmp_path / "anew")
    assert load(tmp_path / "anew").notes == ()


@pytest.mark.parametrize("ignorable", [None, [], ["model.other", "kernel"]])
def test_what_may_matter_is_refused(saved: Path, ignorable: list[str] | None, capsys: pytest.CaptureFixture) -> None:
    config = json.loads((saved / CONFIG).read_text())
    config["model"]["kernel"] = "wider"
    edit(saved, model=config["model"], tsprout_version="9.9", ignorable=ignorable)
    with pytest.raises(CheckpointError, match="unknown model setting: kernel") as caught:
        load(saved)
    assert "written by 9.9" in str(caught.value.fix)
    assert cli.main(["run", "none.csv", "-o", "out", "--model", str(saved)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("part", ["", "adapter", "fitted"])
def test_unknown_settings_are_refused_everywhere(tmp_path: Path, part: str) -> None:
    shutil.copytree(OLD / "fitted", tmp_path / "model")
    config = json.loads((tmp_path / "model" / CONFIG).read_text())
    (config[part] if part else config)["twist"] = 1
    (tmp_path / "model" / CONFIG).write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="unknown setting: .*twist"):
        load(tmp_path / "model")


NESTED = [part for part in KNOWN if part.startswith("fitted.")]
# Levels, first values, gaps and what goes round have no spike, so no curve beside it.
ABSENT = {f"fitted.scaler.channels.{part}.transform.curve" for part in ("whole", "start", "apart", "unwound")}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint fitted on every kind of channel, two of them zero together, with labels far apart and a schema."""
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(6, 24))
    apart = plain + 90 * (np.arange(6) % 2)[:, None]
    wet = np.where(rng.random((6, 24)) < 0.5, 0, np.exp(plain))
    kinds = [
        apart,
        np.cumsum(wet, axis=1) + 100 * np.arange(6)[:, None],
        np.where(rng.random((6, 24)) < 0.5, 0, np.exp(plain)),
        np.ones((6, 24)),
        (plain > 0).astype(float),
        apart + np.where(rng.random((6, 24)) < 0.5, 0, np.exp(plain)),
        np.mod(10 * np.arange(6)[:, None] + 15 * np.arange(24) + 20 * plain, 360),
    ]
    kinds.append(np.where(kinds[2] == 0, 0, np.exp(rng.normal(size=(6, 24)))))
    rows = [
        {"id": f"s{i}", "t": t, "kind": "ab"[i % 2]} | {f"c{j}": float(k[i, t]) for j, k in enumerate(kinds)}
        for i in range(6)
        for t in range(24)
    ]
    frame = pd.DataFrame(rows)
    sprout = Sprout(woken(TRANSFORMER)).fit(frame, "prompt", id_column="id", time_column="t", label_column="kind")
    sprout.save_pretrained(folder := tmp_path_factory.mktemp("made") / "rich")
    return folder


@pytest.fixture
def rich(fitted: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(fitted, tmp_path / "rich"))


def test_nested_keys_that_are_written_are_known_and_others_refused(rich: Path) -> None:
    config = json.loads((rich / CONFIG).read_text())
    for part in NESTED:
        inner = compat._parts(config, part)
        if part in ABSENT:
            continue
        assert inner, f"the test has no {part}"
        assert {key for each in inner for key in each} <= KNOWN[part]
        twisted = json.loads(json.dumps(config))
        compat._parts(twisted, part)[-1]["twist"] = 1
        (rich / CONFIG).write_text(json.dumps(twisted))
        with pytest.raises(CheckpointError, match=rf"unknown setting: {re.escape(part)}\.twist;") as caught:
            load(rich)
        assert "Upgrade" in str(caught.value.fix)
        # Where its writer says that it does not matter, it does not.
        (rich / CONFIG).write_text(json.dumps(twisted | {"ignorable": [f"{part}.twist"]}))
        assert [f"{part}.twist" in note for note in load(rich).notes] == [True]
    assert Sprout.from_pretrained(rich).sample(2).shape[0] == 48


def test_an_unknown_nested_key_is_an_error_to_act_on(rich: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = json.loads((rich / CONFIG).read_text())
    for channel in config["fitted"]["scaler"]["channels"]:
        channel["wrap"] = 360
    (rich / CONFIG).write_text(json.dumps(config))
    assert cli.main(["sample", str(rich), "-n", "2", "-o", str(tmp_path / "out.csv")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("fitted.scaler.channels.wrap") == 1 and "Traceback" not in said


def test_a_newer_report_is_read(tmp_path: Path) -> None:
    shutil.copytree(OLD / "fitted", tmp_path / "model")
    config = json.loads((tmp_path / "model" / CONFIG).read_text())
    config["fitted"]["report"]["colour"] = "red"
    (tmp_path / "model" / CONFIG).write_text(json.dumps(config))
    assert Sprout.from_pretrained(tmp_path / "model").fit_report.mode == "lora"


def test_reading_does_not_change_what_was_read() -> None:
    config = json.loads((OLD / "pretrained" / CONFIG).read_text())
    copy = json.loads(json.dumps(config))
    modern(config, "here")
    assert config == copy and version_of(config, "here") == (1, 0)


def test_weights_are_read_without_tsprout_as_the_page_says(saved: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    code = page.split("alone\n\n```python\n")[1].split("```")[0]
    assert "tsprout" not in code
    done = subprocess.run([sys.executable, "-c", code], cwd=saved.parent, capture_output=True, text=True, check=True)
    count = sum(tensor.numel() for tensor in load(saved).model.state_dict().values())
    assert done.stdout.split() == ["1", "transformer", str(count)]


def test_the_page_knows_todays_format() -> None:
    page = (Path(__file__).parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")
    assert f"\n| {compat.text(VERSION)} | " in page
    for key in KNOWN[""]:
        assert f"`{key}`" in page
