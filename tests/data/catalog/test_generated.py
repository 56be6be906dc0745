"""Sets that are recipes: the same bits as the recipe written out, everywhere; the simulation without the simulator."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tsprout.data.catalog import generated, sets
from tsprout.data.catalog.entry import Entry, Size, Source, catalogue
from tsprout.errors import InputError, MissingExtraError


def test_sine_is_the_recipe_of_timegan_written_out() -> None:
    made = generated.sine(5, 24, 3)["train_X"]
    assert made.shape == (5, 24, 3) and made.dtype == np.float32
    random = np.random.RandomState(0)
    for series in made:
        channels = []
        for _ in range(3):
            frequency = random.uniform(0, 0.1)
            phase = random.uniform(0, 0.1)
            channels.append([np.sin(frequency * j + phase) for j in range(24)])
        literal = (np.transpose(np.asarray(channels)) + 1) * 0.5
        assert np.allclose(series, literal, rtol=0, atol=1e-7)


def test_the_digest_of_sine_is_the_catalogues() -> None:
    entry = catalogue()["Sine"]
    arrays = generated.generate(entry)
    assert arrays["train_X"].shape == (10_000, 24, 6)
    assert sets.digest(arrays) == entry.content.digest
    values = arrays["train_X"].astype(np.float64)
    assert tuple(values.mean((0, 1))) == pytest.approx(entry.content.mean, rel=1e-5)
    assert tuple(values.std((0, 1))) == pytest.approx(entry.content.deviation, rel=1e-5)


def test_longer_sines_continue_shorter_ones() -> None:
    short, long = generated.sine(4, 24, 2)["train_X"], generated.sine(4, 96, 2)["train_X"]
    assert np.array_equal(long[:, :24], short)
    assert generated.generate(catalogue()["Sine"], length=36)["train_X"].shape == (10_000, 36, 6)


def test_portable_sine_is_the_sine() -> None:
    x = np.concatenate([np.linspace(-30, 30, 20_001), np.random.default_rng(0).uniform(-1e6, 1e6, 20_000)])
    assert np.abs(generated.portable_sine(x) - np.sin(x)).max() < 5e-16
    assert generated.portable_sine(np.zeros(1)) == 0


def test_sine_is_there_without_a_file(tmp_path: Path) -> None:
    found = sets.load_set("sine", folders=(tmp_path,))
    assert found.path is None and found.complete
    assert found.train is not None and found.train.shape == (10_000, 6, 24)
    assert found.digest == found.entry.content.digest
    assert sets.presence(found.entry, (tmp_path,)) == ("made", None)
    assert list(tmp_path.iterdir()) == []


class FakePhysics:
    """Seven positions and seven speeds; a step adds a hundredth of the speeds to the positions."""

    def __init__(self) -> None:
        self.data = SimpleNamespace(qpos=np.zeros(7), qvel=np.zeros(7))
        self.within = False

    @contextmanager
    def reset_context(self) -> Any:
        self.data.qpos[:] = self.data.qvel[:] = 99
        self.within = True
        yield
        self.within = False

    def step(self) -> None:
        assert not self.within
        self.data.qpos += 0.01 * self.data.qvel


def test_mujoco_throws_the_hopper_and_records_before_each_step() -> None:
    made = generated.mujoco(6, 5, 14, physics=FakePhysics())["train_X"]
    assert made.shape == (6, 5, 14) and made.dtype == np.float32
    random = np.random.RandomState(123)
    for trajectory in made:
        position = np.concatenate([random.uniform(0, 0.5, size=2), random.uniform(-2, 2, size=5)])
        speed = random.uniform(-5, 5, size=7)
        for t, state in enumerate(trajectory):
            assert np.allclose(state, np.concatenate([position + 0.01 * t * speed, speed]), atol=1e-6)


def test_mujoco_has_as_many_channels_as_the_hopper() -> None:
    with pytest.raises(InputError, match="14|7 positions"):
        generated.mujoco(1, 2, 3, physics=FakePhysics())


def test_without_the_simulator_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dm_control", None)
    monkeypatch.setitem(__import__("sys").modules, "dm_control.suite", None)
    with pytest.raises(MissingExtraError, match=r"tsprout\[mujoco\]"):
        generated.generate(catalogue()["MuJoCo"])


def test_the_simulator_is_asked_for_the_hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(*names: str) -> Any:
        asked.append(names)
        return SimpleNamespace(physics=FakePhysics())

    monkeypatch.setattr(generated, "import_module", lambda name: SimpleNamespace(load=load))
    entry = catalogue()["MuJoCo"]
    small = Entry("M", "eval", "simulation", Size("instances", 14, train=2, length=3), "", "", source=entry.source)
    assert generated.generate(small)["train_X"].shape == (2, 3, 14)
    assert asked == [("hopper", "stand")]


@pytest.mark.parametrize(
    ("source", "size", "words"),
    [
        (Source(generator="cosine"), Size("instances", 1, train=2, length=3), "cosine"),
        (Source(generator="sine"), Size("instances", 1, train=2), "length"),
        (Source(generator="sine"), Size("recording", 1, steps=2), "train"),
    ],
)
def test_entries_that_cannot_be_generated(source: Source, size: Size, words: str) -> None:
    with pytest.raises(InputError, match=words):
        generated.generate(Entry("G", "extra", "simulation", size, "", "", source=source))


def test_names_of_channels_are_kept() -> None:
    source, size = Source(generator="sine"), Size("instances", 2, train=3, length=4)
    entry = Entry("G", "extra", "simulation", size, "", "", channel_names=("a", "b"), source=source)
    assert generated.generate(entry)["channels"].tolist() == ["a", "b"]
