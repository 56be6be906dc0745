from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from real_sets import instances, ramp, recordings

from tsprout.data.catalog import generated
from tsprout.data.catalog.entry import Source, catalogue
from tsprout.data.catalog.sets import RealSet, load_set
from tsprout.data.protocols import PROTOCOLS, SEEDS, SHARES, SHOTS, parse_shots, protocol, strict
from tsprout.data.protocols.split import check_shots, count_shots
from tsprout.errors import InputError


@pytest.mark.parametrize(("text", "shots"), [("10", 10), (" 1 ", 1), ("5%", 0.05), ("100 %", 1.0), ("2.5%", 0.025)])
def test_parse_shots(text: str, shots: float) -> None:
    found = parse_shots(text)
    assert found == pytest.approx(shots) and type(found) is type(shots)


@pytest.mark.parametrize("text", ["", "ten", "0.05", "1.0", "0", "-3", "0%", "101%", "%", "nan%", "inf%"])
def test_parse_shots_refuses(text: str) -> None:
    with pytest.raises(InputError):
        parse_shots(text)


@pytest.mark.parametrize("shots", [0, -1, True, 1.5, 0.0, float("nan"), "10", None])
def test_check_shots_refuses(shots: object) -> None:
    with pytest.raises(InputError, match="share"):
        check_shots(shots)  # type: ignore[arg-type]


def test_counts() -> None:
    assert [count_shots(s, 100) for s in (7, 0.05, 0.29, 1.0, 0.001)] == [7, 5, 29, 100, 1]
    assert count_shots(check_shots(np.int64(3)), 2) == 3
    assert count_shots(0.15, 39) == 5


def test_names_and_constants() -> None:
    assert set(PROTOCOLS) == {"strict", "paper"} and protocol("strict") is strict
    assert SEEDS == (0, 1, 2, 3, 4) and SHOTS == (5, 10, 25, 50, 100) and SHARES == (0.05, 0.1, 0.15, 1.0)
    with pytest.raises(InputError, match="strict, paper"):
        protocol("loose")


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_bad_numbers(name: str) -> None:
    made = recordings(ramp(500))
    for bad in ({"length": 1}, {"seed": -1}, {"shots": 0}):
        with pytest.raises(InputError):
            protocol(name)(made, **({"shots": 2} | bad))
    assert "2 shots" in repr(protocol(name)(made, shots=2))


@pytest.fixture
def sine() -> RealSet:
    """The set, made in memory, whatever lies on disk."""
    return load_set("Sine", folders=(), known=catalogue())


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_sines_as_long_as_asked_for(name: str, sine: RealSet) -> None:
    split = protocol(name)(sine, shots=3, length=64)
    assert sine.train is not None and split.shots.values.shape == (3, 6, 64)
    values = split.scaler.inverse(split.shots.values) if split.scaled else split.shots.values
    np.testing.assert_allclose(values[:, :, :24], sine.train[split.origin["shots"][:, 0]], atol=1e-5)
    assert any("made with 64 steps" in note for note in split.notes)
    assert not any("made with" in note for note in protocol(name)(sine, shots=3).notes)


def test_sines_have_an_end(sine: RealSet) -> None:
    small = replace(sine, entry=replace(sine.entry, size=replace(sine.entry.size, train=200)))
    assert strict(small, shots=3, length=512).length == 512
    with pytest.raises(InputError, match="longest length that works is 512"):
        strict(small, shots=3, length=513)


def test_longer_trajectories_only_where_they_can_be_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    made = instances(np.random.default_rng(0).normal(size=(60, 2, 48)))
    made = replace(made, entry=replace(made.entry, source=Source(generator="mujoco")))
    monkeypatch.setattr(generated, "import_module", _missing)
    with pytest.raises(InputError, match="longest length that works is 48"):
        strict(made, shots=3, length=64)
    walk = {"train_X": np.random.default_rng(1).normal(size=(60, 600, 2))}
    monkeypatch.setattr(
        generated, "GENERATORS", {"mujoco": lambda n, steps, c: {"train_X": walk["train_X"][:n, :steps, :c]}}
    )
    assert strict(made, shots=3, length=64).length == 64


def _missing(name: str) -> None:
    raise ImportError(name)
