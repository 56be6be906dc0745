"""The doctor finds what is wrong, and the list of models reads headers only."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_sprout import FakeSprout

from tsprout import doctor
from tsprout.errors import CheckpointError, InputError


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with one bundled model, ``small``, and a fake Sprout."""
    import torch

    from tsprout import checkpoint
    from tsprout.model import Denoiser, ModelConfig

    monkeypatch.setattr("tsprout.synthesizer.Sprout", FakeSprout)
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path)
    torch.manual_seed(0)
    model = Denoiser(ModelConfig(width=16, depth=1, heads=2))
    checkpoint.save(checkpoint.Checkpoint(model, {"licence": "CC0"}), tmp_path / "small")
    (tmp_path / "not a model").mkdir()
    return tmp_path


def test_all_is_well(weights: Path) -> None:
    (weights / "small" / doctor.GOLDEN).write_text(json.dumps(doctor.golden_record("small")), encoding="utf-8")
    found = doctor.doctor()
    assert found["ok"], found
    names = [item["check"] for item in found["checks"]]
    assert names == [
        "python",
        "torch",
        "threads",
        "devices",
        "memory",
        "cache folder",
        "checkpoint format",
        "model small",
    ]
    assert found["checks"][-1]["found"] == "loads and gives the golden bits"
    assert set(found["extras"]) == {
        "ts",
        "hub",
        "polars",
        "rda",
        "train",
        "tensorboard",
        "xlsx",
        "mujoco",
        "ray",
        "slurm",
    }
    assert all(item["fix"] is None for item in found["checks"])


@pytest.mark.parametrize(("shift", "ok", "words"), [(1e-5, True, "within rounding"), (1.0, False, "differ")])
def test_other_series_than_the_golden_ones(weights: Path, shift: float, ok: bool, words: str) -> None:
    record = doctor.golden_record("small")
    record["bits"] = "other"
    record["values"][3] += shift
    (weights / "small" / doctor.GOLDEN).write_text(json.dumps(record), encoding="utf-8")
    found = doctor.check_checkpoint("small")
    assert found["ok"] is ok
    assert words in found["found"]
    assert (found["fix"] is None) is ok


def test_golden_of_another_shape(weights: Path) -> None:
    record = {**doctor.golden_record("small"), "shape": [1, 2, 24]}
    (weights / "small" / doctor.GOLDEN).write_text(json.dumps(record), encoding="utf-8")
    assert "expected [1, 2, 24]" in doctor.check_checkpoint("small")["found"]


def test_no_golden(weights: Path) -> None:
    found = doctor.check_checkpoint("small")
    assert found["ok"]
    assert "no golden series" in found["found"]


def test_a_model_that_does_not_load(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise CheckpointError("truncated")

    monkeypatch.setattr(FakeSprout, "from_pretrained", staticmethod(fail))
    found = doctor.check_checkpoint("small")
    assert not found["ok"]
    assert "truncated" in found["found"]


def test_no_model_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsprout import checkpoint

    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "none")
    assert not doctor.check_checkpoints()[0]["ok"]
    assert doctor.models()["models"] == []


def test_models(weights: Path) -> None:
    (card,) = doctor.models()["models"]
    assert card["name"] == "small"
    assert card["parameters"] > 1000
    assert card["bytes"] > 4 * card["parameters"]
    assert card["info"] == {"licence": "CC0"}
    assert card["lengths"] == [4, 1024]


def test_models_that_cannot_be_read(weights: Path) -> None:
    path = weights / "small" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="truncated"):
        doctor.models()


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (found,) = doctor.check_torch()
    assert not found["ok"]
    assert "Install torch" in found["fix"]


def test_devices_and_an_old_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    found = {item["check"]: item for item in doctor.check_torch()}
    assert found["devices"]["found"] == "cpu, card 0, card 1, mps"
    assert not found["torch"]["ok"]


@pytest.mark.parametrize(("free", "ok"), [(None, True), (2 * 10**9, True), (10**8, False)])
def test_memory(monkeypatch: pytest.MonkeyPatch, free: int | None, ok: bool) -> None:
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    assert doctor.check_memory()["ok"] is ok


def test_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(text: str | None) -> Any:
        def read_text(self: Path, encoding: str) -> str:
            if text is None:
                raise FileNotFoundError
            return text

        monkeypatch.setattr(Path, "read_text", read_text)
        return doctor.free_memory()

    assert read("MemTotal: 9 kB\nMemAvailable:   3 kB\n") == 3072
    assert read("MemTotal: 9 kB\n") is None
    assert read(None) is None


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert f"{tmp_path} (exists" in doctor.check_cache()["found"]
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    assert "not made yet" in doctor.check_cache()["found"]


def test_the_doctor_runs_on_input_errors_only(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise InputError("no", fix="Do.")

    monkeypatch.setattr(doctor, "golden_sample", fail)
    assert not doctor.doctor()["ok"]
