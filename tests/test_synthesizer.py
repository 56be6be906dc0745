"""The contract of Sprout: shapes, units, seeds, gaps, one series, ragged lengths, save and load, in every mode."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from tiny_models import CONFIGS, PADDED, TRANSFORMER, UNET, same_weights, snapshot, waves, woken

from tsprout import checkpoint, drawing, synthesizer
from tsprout.baselines import get
from tsprout.errors import CheckpointError, InputError, TsproutError
from tsprout.fitting import MODES
from tsprout.model import Denoiser, ModelConfig
from tsprout.series import SeriesSet, concatenate
from tsprout.synthesizer import Sprout
from tsprout.train.calibration import Calibration
from tsprout.train.finetune import FinetuneConfig

QUICK = FinetuneConfig(steps=2, batch=4, episodes=2, evaluate_every=2, warmup=1, blind_steps=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FinetuneConfig, "for_shots", lambda _: QUICK)
    monkeypatch.setattr("tsprout.train.judge._SAMPLES", 16)
    monkeypatch.setattr("tsprout.train.judge._MOST_STEPS", 2)


def sprout(config: ModelConfig = TRANSFORMER) -> Sprout:
    # As a trained model is: not a stranger's weights, or samples would have no scale.
    model = Denoiser(config, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return Sprout(model, info={"name": "tiny"})


def shots(n: int = 6, channels: int = 2, length: int = 16, **rest: Any) -> SeriesSet:
    return SeriesSet.from_arrays(100 + 5 * waves(n, channels, length), **rest)


def ragged() -> SeriesSet:
    return shots(6, lengths=[16, 12, 12, 9, 16, 5], ids=list("abcdef"))


def same(a: SeriesSet, b: SeriesSet) -> bool:
    return a.equals(b)


def fit(data: Any, mode: str = "prompt", config: ModelConfig = TRANSFORMER, **rest: Any) -> Sprout:
    return sprout(config).fit(data, mode, **rest)


# Every mode, every shape


# Of the paper's network, which is the unet without a prompt, what the product does by default.
@pytest.mark.parametrize(("name", "mode"), [(n, m) for n in CONFIGS for m in MODES if n != "padded" or m == "auto"])
def test_every_mode_of_every_backbone_with_gaps(name: str, mode: str) -> None:
    values = shots().values.copy()
    values[np.random.default_rng(0).random(values.shape) < 0.2] = np.nan
    given = SeriesSet.from_arrays(values, lengths=np.full(6, 16))
    base = sprout(CONFIGS[name])
    before = snapshot(base.model)
    fitted = base.fit(given, mode)
    assert fitted is not base and base.shots is None and base.fit_report is None
    assert same_weights(base.model, before)
    drawn = fitted.sample(7)
    assert drawn.values.shape == (7, 2, 16)
    assert drawn.values.dtype == np.float32
    # Nothing is missing in what comes out, and it is in the units of what went in.
    assert drawn.observed.all() and np.isfinite(drawn.values).all()
    assert 60 < drawn.values.mean() < 140
    assert drawn.channels == given.channels
    assert same(drawn, base.fit(given, mode).sample(7))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("data", [shots(1), shots(2), ragged()], ids=["one series", "two", "ragged"])
def test_one_series_and_ragged_ones_in_every_mode(mode: str, data: SeriesSet) -> None:
    drawn = fit(data, mode).sample(12)
    assert len(drawn) == 12
    assert sorted(set(drawn.lengths)) == sorted(set(data.lengths))
    inside = np.arange(drawn.length) < drawn.lengths[:, None, None]
    assert np.array_equal(drawn.observed, np.broadcast_to(inside, drawn.observed.shape))
    # Lengths keep their shares: twelve series are two rounds of six shots.
    if len(data) == 6:
        assert sorted(drawn.lengths) == sorted([*data.lengths, *data.lengths])


@pytest.mark.parametrize(
    ("channels", "length"),
    [(1, 8), (1, 24), (2, 9), (3, 31), (7, 24), (16, 96), (33, 12), (64, 8), (64, 64), (1, 256), (5, 255)]
    + [(256, 8), (1, 4), (3, 5), (1, 1024)],
)
@pytest.mark.parametrize("config", [TRANSFORMER, UNET], ids=["transformer", "unet"])
def test_every_size(config: ModelConfig, channels: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsprout.train.calibration._SAMPLES", 4)
    drawn = fit(shots(3, channels, length), config=config).sample(2)
    assert drawn.values.shape == (2, channels, length)
    assert np.isfinite(drawn.values).all()


@pytest.mark.parametrize(("channels", "length"), [(1, 8), (64, 8), (3, 256)])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_training_at_the_ends_of_the_range(config: ModelConfig, channels: int, length: int) -> None:
    if config is PADDED and length == 256:
        config = replace(config, attention_sides=(4,))
    fitted = fit(shots(5, channels, length), "full", config)
    assert fitted.fit_report is not None and fitted.fit_report.mode == "full"
    assert fitted.sample(2).values.shape == (2, channels, length)


@pytest.mark.parametrize("length", [4, 8, 15, 40, 256])
def test_another_length_can_be_asked_for(length: int) -> None:
    times = np.datetime64("2024-01-01", "ns") + np.arange(16) * np.timedelta64(1, "h")
    drawn = fit(shots(times=times, frequency="h")).sample(3, length=length)
    assert drawn.values.shape == (3, 2, length)
    assert drawn.times is not None and drawn.times.shape == (3, length)
    assert (np.diff(drawn.times) == np.timedelta64(1, "h")).all()
    assert drawn.observed.all()


# Seeds


@pytest.mark.parametrize("mode", ["prompt", "full", "lora"])
def test_seeds_decide(mode: str) -> None:
    one, again, other = (fit(shots(), mode, seed=s) for s in (1, 1, 2))
    assert same(one.sample(5, seed=3), again.sample(5, seed=3))
    assert not same(one.sample(5, seed=3), one.sample(5, seed=4))
    if mode != "prompt":
        assert not same(one.sample(5, seed=3), other.sample(5, seed=3))


def test_the_global_generators_are_neither_read_nor_moved() -> None:
    fitted = fit(shots(), "full")
    first = fitted.sample(4)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    state = torch.get_rng_state()
    assert same(fit(shots(), "full").sample(4), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_series_differ_from_each_other() -> None:
    fitted = fit(ragged())
    for drawn in (fitted.sample(60), concatenate(list(fitted.sample_batches(60, batch_size=6)))):
        assert len({row[np.isfinite(row)].tobytes() for row in drawn.values}) == 60
        # Nor do they begin alike, whichever batch and length they come from.
        assert len({row[:, :5].tobytes() for row in drawn.values}) == 60


# Streaming


def test_batches_are_what_sample_gives() -> None:
    fitted = fit(ragged())
    told: list[tuple[str, int, int]] = []
    batches = list(fitted.sample_batches(23, batch_size=10, progress=lambda *what: told.append(what)))
    assert [len(b) for b in batches] == [10, 10, 3]
    assert told == [("sample", 10, 23), ("sample", 20, 23), ("sample", 23, 23)]
    joined = concatenate(batches)
    assert len(set(joined.ids)) == 23
    assert not set(joined.ids) & set("abcdef")
    assert same(joined, concatenate(list(fitted.sample_batches(23, batch_size=10))))
    # An earlier batch does not depend on how many are asked for.
    assert same(batches[0], next(iter(fitted.sample_batches(500, batch_size=10))))
    assert same(fitted.sample(23), concatenate(list(fitted.sample_batches(23))))


def test_batches_come_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    plain = Denoiser.sample
    monkeypatch.setattr(
        Denoiser, "sample", lambda self, shape, *a, **k: drawn.append(shape[0]) or plain(self, shape, *a, **k)
    )
    fitted = fit(shots())
    drawn.clear()
    stream = fitted.sample_batches(10**6, batch_size=5)
    assert drawn == []
    next(stream)
    assert drawn == [5]


# What it is faithful to


def test_kinds_of_channels_stay() -> None:
    rng = np.random.default_rng(0)
    values = np.stack(
        [
            rng.integers(0, 50, (8, 24)),  # counts
            rng.random((8, 24)) < 0.3,  # yes or no
            np.full((8, 24), 7.25),  # constant
            np.maximum(rng.normal(0, 1, (8, 24)), 0),  # never negative
            rng.normal(1e6, 1e4, (8, 24)),
        ],
        axis=1,
    ).astype(np.float32)
    fitted = fit(SeriesSet.from_arrays(values, channels=["count", "flag", "fixed", "rain", "large"]))
    drawn = fitted.sample(40).values
    assert np.array_equal(drawn[:, 0], np.round(drawn[:, 0]))
    assert set(np.unique(drawn[:, 1])) <= {0.0, 1.0}
    assert (drawn[:, 2] == 7.25).all()
    assert drawn[:, 3].min() >= 0
    assert 9e5 < drawn[:, 4].mean() < 1.1e6


def test_bounds_and_transforms_are_passed_on() -> None:
    given = replace(shots(), channels=("a", "b"))
    drawn = fit(given, bounds={"a": (92.0, 108.0)}, transforms={"b": "identity"}).sample(60).values
    assert drawn[:, 0].max() <= 108 and drawn[:, 0].min() >= 92
    assert drawn[:, 1].max() > 108
    for options in ({"bounds": {"c": (0, 1)}}, {"transforms": {"a": "magic"}}):
        with pytest.raises(InputError):
            fit(given, **options)


def test_labels_static_columns_and_stamps_are_the_templates() -> None:
    labels = np.array(["x", "x", "x", "y", "y", "y"], dtype=object)
    given = shots(labels=labels, static={"age": np.arange(6)}, times=np.arange(16) + 100 * np.arange(6)[:, None])
    drawn = fit(given).sample(12)
    assert drawn.labels is not None and drawn.times is not None
    assert sorted(drawn.labels) == sorted([*labels, *labels])
    assert np.array_equal(drawn.times[:, 0] // 100, drawn.static["age"])
    assert all(labels[age] == label for age, label in zip(drawn.static["age"], drawn.labels, strict=True))


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_a_label_of_one_series_is_shown_as_it_was_learnt_and_corrected(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Beside all others: what is found of samples that were shown so is no correction of others.
    given = shots(labels=np.array(["x", "x", "x", "x", "x", "y"], dtype=object))
    fitted = fit(given, mode)
    shown: list[int] = []
    plain = Denoiser.encode

    def spy(self: Denoiser, prompt: torch.Tensor, *rest: torch.Tensor):
        shown.append(prompt.shape[1])
        return plain(self, prompt, *rest)

    monkeypatch.setattr(Denoiser, "encode", spy)
    fitted.sample({"y": 3})
    fitted.sample({"x": 3})
    assert shown == [6, 5]


def test_so_many_of_each_label() -> None:
    labels = np.array(["x", "x", "x", "y", "y", "y"], dtype=object)
    fitted = fit(shots(labels=labels, static={"age": np.arange(6)}))
    drawn = fitted.sample({"y": 5, "x": 2})
    assert drawn.labels.tolist() == ["y"] * 5 + ["x"] * 2
    assert all(labels[age] == label for age, label in zip(drawn.static["age"], drawn.labels, strict=True))
    assert len(set(drawn.ids.tolist())) == 7
    parts = list(fitted.sample_batches({"y": 5, "x": 2}, batch_size=3))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert fitted.sample({"y": 5, "x": 2}).equals(drawn)
    with pytest.raises(InputError, match="no series has the label 'z'"):
        fitted.sample({"z": 5})


def test_a_label_is_prompted_by_its_own_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.concatenate([100 + 5 * waves(6, 1), np.zeros((6, 1, 16), np.float32)], axis=1)
    values[3:, 1] = 1
    given = SeriesSet.from_arrays(values, labels=np.array([0, 0, 0, 1, 1, 1]))
    fitted = fit(given)
    prompts: list[float] = []
    plain = Denoiser.encode

    def spy(self: Denoiser, shown: torch.Tensor, *rest: torch.Tensor):
        assert shown.shape[1] == 3
        prompts.append(float(shown[..., 1, :].mean()))
        return plain(self, shown, *rest)

    monkeypatch.setattr(Denoiser, "encode", spy)
    fitted.sample(6)
    assert len(prompts) == 2
    assert min(prompts) < -0.5 and max(prompts) > 0.5


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_series_of_a_label_have_its_level(mode: str, tmp_path: Path) -> None:
    values = 100 + 5 * waves(10, 1)
    values[5:] += 1000
    given = SeriesSet.from_arrays(values, labels=np.array(["low"] * 5 + ["high"] * 5, dtype=object))
    fitted = fit(given, mode)
    fitted.save_pretrained(tmp_path / "model")
    for each in (fitted, Sprout.from_pretrained(tmp_path / "model")):
        drawn = each.sample(40, seed=1)
        level = {label: drawn.values[drawn.labels == label].mean() for label in ("low", "high")}
        assert level["low"] < 300 < 900 < level["high"] or mode == "full"
        assert level["high"] - level["low"] > 500


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_however_far_labels_lie_apart_their_series_vary_as_the_shots_do(mode: str, tmp_path: Path) -> None:
    values = 100 + 5 * waves(10, 1)
    values[5:] = 1e5 + 20 * waves(5, 1)
    values[0, :, 9:] = np.nan
    fitted = fit(SeriesSet.from_arrays(values, labels=np.array(["low"] * 5 + ["high"] * 5, dtype=object)), mode)
    fitted.save_pretrained(tmp_path / "model")
    drawn = fitted.sample(60, seed=1)
    for label, own in (("low", values[:5]), ("high", values[5:])):
        some = drawn.values[drawn.labels == label]
        assert abs(np.nanmean(own) - np.nanmean(some)) < 2 * np.nanstd(own)
        assert 0.3 < np.nanstd(some) / np.nanstd(own) < 3
    again = Sprout.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(60, seed=1).values, drawn.values)


def test_series_are_corrected_beside_others_of_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, corrected = fit(ragged()), list[int]()
    plain = Calibration.apply

    def spy(self: Calibration, latent: np.ndarray) -> np.ndarray:
        assert (latent != 0).all(), "padding is corrected, too"
        corrected.append(latent.shape[-1])
        return plain(self, latent)

    monkeypatch.setattr(Calibration, "apply", spy)
    drawn = fitted.sample(12)
    assert sorted(corrected) == sorted(np.unique(drawn.lengths)) == [5, 9, 12, 16]


def test_order_of_the_shots_does_not_matter_to_the_prompt() -> None:
    given = shots()
    mixed = given[np.array([3, 1, 5, 0, 2, 4])]
    base = Sprout(woken(TRANSFORMER))
    one, other = (base.fit(data, "prompt").sample(8).values for data in (given, mixed))
    np.testing.assert_allclose(one, other, rtol=0, atol=5e-3)
    # Other shots of the same mean and variance do matter.
    different = base.fit(replace(given, values=given.values[..., ::-1].copy()), "prompt").sample(8).values
    assert np.abs(one - different).max() > 0.1


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_what_lies_in_unobserved_cells_has_no_influence(mode: str) -> None:
    given = ragged()
    values, observed = given.values.copy(), given.observed.copy()
    observed[0, 1, 3:6] = False
    values[~observed] = np.nan
    garbage = np.where(observed, values, 1e6).astype(np.float32)
    clean, dirty = replace(given, values=values, observed=observed), replace(given, values=garbage, observed=observed)
    assert same(fit(clean, mode).sample(6), fit(dirty, mode).sample(6))


def test_the_shots_shown_are_the_users() -> None:
    one, other = fit(shots()).sample(4), fit(SeriesSet.from_arrays(shots().values[..., ::-1] * 2)).sample(4)
    assert np.abs(one.values * 2 - other.values).max() > 1e-3


# Kinds of objects


def test_an_array_gives_an_array() -> None:
    array = np.moveaxis(shots().values, 1, 2)
    drawn = sprout().fit(array, "prompt", axes="nlc").sample(5)
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == (5, 16, 2)
    with pytest.raises(InputError, match="axes"):
        sprout().fit(array, "prompt")


def frame() -> pd.DataFrame:
    values = shots(4).values
    return pd.DataFrame(
        {
            "patient": np.repeat(["p1", "p2", "p3", "p4"], 16),
            "time": np.tile(pd.date_range("2024-01-01", periods=16, freq="h"), 4),
            "pulse": np.round(values[:, 0]).ravel().astype(int),
            "temperature": values[:, 1].ravel().astype(float),
        }
    )


def test_a_pandas_frame_gives_a_pandas_frame() -> None:
    given = frame()
    drawn = sprout().fit(given, "prompt", id_column="patient").sample(3)
    assert isinstance(drawn, pd.DataFrame)
    assert list(drawn.columns) == list(given.columns)
    assert dict(drawn.dtypes) == dict(given.dtypes)
    assert len(drawn) == 3 * 16
    assert not set(drawn["patient"]) & set(given["patient"])


def test_a_polars_frame_gives_a_polars_frame() -> None:
    given = pl.from_pandas(frame())
    drawn = sprout().fit(given, "prompt", id_column="patient").sample(3)
    assert isinstance(drawn, pl.DataFrame)
    assert drawn.schema == given.schema


def test_a_file_gives_a_series_set(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "patients.csv", index=False)
    drawn = sprout().fit(tmp_path / "patients.csv", "prompt", id_column="patient").sample(3)
    assert isinstance(drawn, SeriesSet)
    assert drawn.channels == ("pulse", "temperature")
    assert drawn.schema is not None and drawn.schema.format == "csv-long"


# Save and load


@pytest.mark.parametrize("mode", MODES)
def test_saved_and_loaded_gives_the_same_bits(tmp_path: Path, mode: str) -> None:
    fitted = fit(ragged(), mode)
    fitted.save_pretrained(tmp_path / "model")
    loaded = Sprout.from_pretrained(tmp_path / "model")
    assert same_weights(loaded.model, snapshot(fitted.model))
    assert same(loaded.sample(9, seed=4), fitted.sample(9, seed=4))
    assert loaded.fit_report == fitted.fit_report
    assert loaded.info == {"name": "tiny"}
    assert loaded.shots is not None and loaded.shots.equals(fitted.shots)
    # And saved once more it is the same again.
    loaded.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "model" / "model.safetensors"
    ).read_bytes()


def test_a_frame_comes_back_as_a_frame_after_saving(tmp_path: Path) -> None:
    fitted = sprout().fit(frame(), "prompt", id_column="patient")
    fitted.save_pretrained(tmp_path / "model")
    pd.testing.assert_frame_equal(Sprout.from_pretrained(tmp_path / "model").sample(3), fitted.sample(3))


_OTHER_PROCESS = """
import hashlib, sys, torch
torch.set_num_threads(1)
from tsprout import Sprout
print(hashlib.sha256(Sprout.from_pretrained(sys.argv[1]).sample(6, seed=2).values.tobytes()).hexdigest())
"""


def test_another_process_draws_the_same_bits(tmp_path: Path) -> None:
    fitted = fit(shots(), "full")
    fitted.save_pretrained(tmp_path / "model")
    here = hashlib.sha256(fitted.sample(6, seed=2).values.tobytes()).hexdigest()
    run = subprocess.run(
        [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(synthesizer.__file__).parents[1]), "PYTHONHASHSEED": "7"},
        check=True,
    )
    assert run.stdout.strip() == here


def test_a_pretrained_one_can_be_saved_too(tmp_path: Path) -> None:
    sprout().save_pretrained(tmp_path / "model")
    loaded = Sprout.from_pretrained(tmp_path / "model")
    assert loaded.shots is None and loaded.config == TRANSFORMER
    with pytest.raises(InputError, match="exists"):
        sprout().save_pretrained(tmp_path / "model")
    sprout(UNET).save_pretrained(tmp_path / "model", force=True)
    assert Sprout.from_pretrained(tmp_path / "model").config == UNET


@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f.pop("scaler"),
        lambda f: f.pop("row"),
        lambda f: f.update(report={"mode": "full"}),
        lambda f: f.update(report=[]),
        lambda f: f.update(scaler={"version": 99}),
    ],
)
def test_a_fitted_one_that_is_not_described_completely_is_refused(tmp_path: Path, edit) -> None:
    fit(shots()).save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / checkpoint.CONFIG
    config = json.loads(path.read_text())
    edit(config["fitted"])
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError) as caught:
        Sprout.from_pretrained(tmp_path / "model")
    assert caught.value.where and caught.value.fix


# Refusals


def test_a_model_that_is_not_fitted_says_so() -> None:
    with pytest.raises(InputError, match="not been fitted"):
        sprout().sample(3)
    assert "not fitted" in repr(sprout())
    assert "6 series" in repr(fit(shots()))


@pytest.mark.parametrize(
    "options",
    [{"n": 0}, {"n": -5}, {"steps": 0}, {"batch_size": 0}, {"solver": "euler"}, {"seed": -1}]
    + [{"n": 3.0}, {"n": None}, {"seed": None}, {"seed": 2**63}, {"length": 8.5}, {"steps": 2.5}, {"batch_size": "2"}]
    + [{"length": 3}, {"length": 1025}, {"length": 0}, {"guidance": -0.5}, {"guidance": float("nan")}, {"guidance": 9}],
)
def test_samples_that_cannot_be_are_refused_before_anything_is_drawn(options: dict) -> None:
    fitted = fit(shots())
    with pytest.raises(InputError) as caught:
        fitted.sample_batches(**({"n": 3} | options))
    assert caught.value.fix


@pytest.mark.parametrize("drawn", [fit(shots()), get("copies")().fit(shots(), seed=0)], ids=["sprout", "baseline"])
def test_more_than_memory_holds_is_refused(drawn: Any) -> None:
    with pytest.raises(InputError, match=r"1,000,000,000,000 series need about .* are available") as caught:
        drawn.sample(10**12, seed=0)
    assert "sample_batches" in (caught.value.fix or "")


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_whole_numbers_of_numpy_and_the_largest_seed_will_do(mode: str) -> None:
    fitted = fit(shots(), mode, seed=np.uint64(2**63 - 1))
    drawn = fitted.sample(np.int64(2), length=np.int32(8), steps=np.int8(2), seed=np.uint64(2**63 - 1))
    assert drawn.values.shape == (2, 2, 8)
    assert same(drawn, fitted.sample(2, length=8, steps=2, seed=2**63 - 1))


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_here_is_refused(device: str) -> None:
    with pytest.raises(InputError, match=f"no device {device!r}"):
        Sprout.from_pretrained(device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("mode", MODES)
def test_a_gpu_fits_and_draws_what_the_processor_draws(mode: str, tmp_path: Path) -> None:
    sprout().save_pretrained(tmp_path / "base")
    fitted = Sprout.from_pretrained(tmp_path / "base", device="cuda").fit(shots(), mode)
    assert {p.device.type for p in fitted.model.parameters()} == {"cuda"}
    fitted.save_pretrained(tmp_path / "fitted")
    there, here = (Sprout.from_pretrained(tmp_path / "fitted", device=device) for device in ("cuda", "cpu"))
    assert same(there.sample(5), fitted.sample(5))
    drawn = fitted.sample(5).values
    np.testing.assert_allclose(here.sample(5).values, drawn, atol=1e-2 * drawn.std())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "half"}, "no mode 'half'"),
        ({"budget": "1s"}, "too small"),
        ({"budget": "soon"}, "cannot be read"),
        ({"seed": -1}, "negative"),
        ({"seed": 2**63}, "too large"),
        ({"seed": 1.0}, "1.0 is not a whole number"),
        ({"window": 12.5}, "12.5 is not a whole number"),
        ({"id_colum": "x"}, "no option 'id_colum'\nDid you mean 'id_column'"),
        ({"wibble": "x"}, "Options of reading are format, id_column"),
    ],
)
def test_fits_that_cannot_be_are_refused(options: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sprout().fit(shots(), **options)


@pytest.mark.parametrize(
    "data",
    [
        SeriesSet.from_arrays(waves(3, 2, 3)),
        SeriesSet.from_arrays(waves(1, 1, 1025)),
        SeriesSet.from_arrays(waves(1, 257, 8)),
        SeriesSet.from_arrays(np.full((2, 1, 8), np.nan)),
    ],
    ids=["too short", "too long", "too many channels", "nothing observed"],
)
def test_shots_that_cannot_be_are_refused(data: SeriesSet) -> None:
    with pytest.raises(InputError):
        sprout().fit(data, "prompt")


@pytest.mark.parametrize("config", [TRANSFORMER, replace(TRANSFORMER, rows=0)], ids=["with token", "without"])
@pytest.mark.parametrize("mode", ["full", "lora"])
def test_a_trained_model_is_not_trained_on_other_series(config: ModelConfig, mode: str) -> None:
    fitted = fit(shots(), mode, config)
    with pytest.raises(InputError, match="trained on other series"):
        fitted.fit(shots(3))


def test_a_model_that_was_only_shown_series_can_be_shown_others() -> None:
    first = fit(shots())
    second = first.fit(shots(3, 5, 12), "prompt")
    assert first.shots is not None and len(first.shots) == 6
    assert second.sample(2).values.shape == (2, 5, 12)


def test_a_model_trained_on_one_series_draws_without_a_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    plain = Denoiser.encode
    monkeypatch.setattr(
        Denoiser,
        "encode",
        lambda self, v, o=None, p=None: told.append(p is None or bool(p.all())) or plain(self, v, o, p),
    )
    for config in (TRANSFORMER, replace(TRANSFORMER, rows=0)):
        for mode, shown in (("full", False), ("prompt", True)):
            fitted = fit(shots(1), mode, config)
            told.clear()
            fitted.sample(2)
            assert told == [shown]


def test_samples_that_are_not_finite_are_an_error() -> None:
    fitted = fit(shots())
    with torch.no_grad():
        fitted.model.backbone.patch.out_bias.fill_(float("nan"))
    with pytest.raises(TsproutError, match="not finite"):
        fitted.sample(2)


def test_other_steps_and_solvers() -> None:
    fitted = fit(shots())
    base = fitted.sample(3)
    for options in ({"steps": 5}, {"solver": "heun"}, {"guidance": 2}):
        assert not same(fitted.sample(3, **options), base)
    assert same(fitted.sample(3, guidance=1), base)
    assert same(fitted.sample(3, steps=3, solver="dpmpp-2m"), base)


def test_drawn_otherwise_than_by_default_levels_are_put_right_for_that() -> None:
    fitted = fit(shots(12))
    fitted.model.config = replace(fitted.model.config, sigma_max=20.0)

    def level(**options: Any) -> np.ndarray:
        return np.nanmean(fitted.sample(300, **options).values, axis=(0, 2))

    wanted = np.nanmean(shots(12).values, axis=(0, 2))
    width = np.nanstd(shots(12).values, axis=(0, 2))
    for options in ({"guidance": 3.0}, {"steps": 9}, {"solver": "heun"}):
        assert (np.abs(level(**options) - wanted) < 0.3 * width).all(), options


@pytest.mark.parametrize("mode", ["prompt", "full"])
def test_what_is_drawn_otherwise_is_corrected_anew_and_only_that(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, told = fit(shots(6), mode), []
    plain = drawing.calibrate

    def spy(*what, trained: bool, **rest):
        told.append(trained)
        return plain(*what, trained=trained, **rest)

    monkeypatch.setattr(drawing, "calibrate", spy)
    usual = fitted.model.config
    assert same(fitted.sample(3), fitted.sample(3, steps=usual.steps, solver=usual.solver, guidance=usual.guidance))
    assert told == []
    fitted.sample(3, guidance=3.0)
    assert told == [mode == "full"]


def test_a_model_that_is_shown_nothing_is_not_guided() -> None:
    # Trained on a single series it draws without the prompt, so there is no difference that the prompt could make.
    alone = fit(shots(1), "full")
    assert same(alone.sample(2), alone.sample(2, guidance=3))


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(ragged(), "auto").sample(6)
        fit(shots(1), "full").sample(2)
