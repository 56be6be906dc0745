"""One suite over every baseline that is registered, ours and any that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from baselines.cases import mixed, waves
from baselines.fake_library import register
from small_baselines import SMALL, tiny_checkpoint

from tsprout.baselines import Baseline, get, load, names
from tsprout.baselines._library import LibraryBaseline
from tsprout.baselines.store import FACTS, STATE
from tsprout.errors import CheckpointError, InputError
from tsprout.series import SeriesSet

# What makes a method quick enough for here; the hyper-parameters are the published ones everywhere else.
QUICK: dict[str, dict[str, object]] = {
    **SMALL,
    "par": {"epochs": 2},
    "dgan": {"epochs": 2},
    "tsgm-vae": {"epochs": 2},
    "ydata-timegan": {"steps": 2, "hidden": 4},
}
ALTERS_NOTHING = ("copies",)

# With a stand-in for the libraries that are not installed, which goes the same way through another process.
every = pytest.mark.parametrize("name", [*names(), "fake-peer"])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def make(name: str) -> Baseline:
    """A small one that can be fitted here."""
    made = describe(name)
    if isinstance(made, LibraryBaseline) and made.lacks() is not None:
        pytest.skip(str(made.lacks()))
    return made


def describe(name: str) -> Baseline:
    if name == "imagenfew":  # there is none without a checkpoint
        return get(name)(checkpoint=tiny_checkpoint(), steps=3)
    return get(name)(**QUICK.get(name, {}))


@pytest.fixture(scope="module")
def fitted() -> dict[str, Baseline]:
    """Each method fitted once to the mixed set, when it is first asked for."""

    class Fitted(dict[str, Baseline]):
        def __missing__(self, name: str) -> Baseline:
            self[name] = make(name).fit(mixed(), seed=3)
            return self[name]

    return Fitted()


@every
def test_says_what_it_is(name: str) -> None:
    kind = get(name)
    assert kind.name == name
    assert 10 < len(kind.summary) < 100
    assert any(character.isdigit() for character in kind.source), "the year of a paper"
    assert describe(name).shots is None


@every
def test_units_types_and_names_are_those_of_the_input(name: str, fitted: dict[str, Baseline]) -> None:
    real = mixed()
    drawn = fitted[name].sample(28, seed=1)
    assert isinstance(drawn, SeriesSet)
    assert len(drawn) == 28
    assert drawn.channels == real.channels
    assert drawn.values.dtype == np.float32
    assert sorted(drawn.lengths) == sorted(np.tile(real.lengths, 4))
    within = np.broadcast_to(np.arange(drawn.length) < drawn.lengths[:, None, None], drawn.values.shape)
    assert drawn.observed[within].all(), "nothing is missing"
    assert not drawn.observed[~within].any()
    values = np.where(within, drawn.values, 0)
    assert (values[:, 1] == np.round(values[:, 1])).all()
    assert set(np.unique(drawn.values[:, 2][within[:, 2]])) == {3.5}
    assert set(np.unique(values[:, 3])) <= {0.0, 1.0}
    for channel in (0, 1):
        seen = real.values[:, channel][real.observed[:, channel]]
        spread = seen.max() - seen.min()
        cells = drawn.values[:, channel][within[:, channel]]
        assert seen.min() - 2 * spread < np.median(cells) < seen.max() + 2 * spread
    assert drawn.labels is not None
    assert sorted(drawn.labels) == sorted(np.tile(real.labels, 4))
    assert set(drawn.static["age"]) == set(range(7))
    assert len(set(drawn.ids)) == 28
    assert not set(drawn.ids) & set(real.ids)
    assert drawn.times is not None
    assert drawn.times.dtype == real.times.dtype  # type: ignore[union-attr]


@every
def test_so_many_of_each_label(name: str, fitted: dict[str, Baseline]) -> None:
    first, second = np.unique(fitted[name].shots.labels)[:2]  # type: ignore[union-attr]
    wanted = {str(second): 3, str(first): 1}
    (drawn,) = fitted[name].sample_batches(wanted, seed=1)
    assert drawn.labels is not None and drawn.labels.tolist() == [second] * 3 + [first]
    assert np.isfinite(drawn.values[drawn.observed]).all()
    with pytest.raises(InputError, match="no series has the label 'nobody'"):
        next(fitted[name].sample_batches({"nobody": 3}, seed=1))


@every
def test_the_same_seed_gives_the_same_bits(name: str, fitted: dict[str, Baseline]) -> None:
    again = make(name).fit(mixed(), seed=3)
    assert again.sample(9, seed=1).equals(fitted[name].sample(9, seed=1))
    assert not again.sample(9, seed=2).equals(again.sample(9, seed=1))
    assert again.sample(9, seed=1).equals(fitted[name].sample(9, seed=1)), "drawing changes nothing"


@every
def test_saved_and_loaded_it_draws_the_same_bits(name: str, fitted: dict[str, Baseline], tmp_path: Path) -> None:
    folder = tmp_path / "fitted"
    fitted[name].save(folder)
    back = load(folder)
    assert type(back) is get(name)
    assert back.settings == fitted[name].settings
    assert back.notes == fitted[name].notes
    assert back.sample(9, seed=1).equals(fitted[name].sample(9, seed=1))
    with pytest.raises(InputError, match="exists"):
        back.save(folder)
    back.save(folder, force=True)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}


@every
@pytest.mark.parametrize("shape", [(1, 1, 8), (1, 2, 24), (2, 1, 9), (5, 9, 12)], ids=str)
def test_few_series_and_few_or_many_channels(name: str, shape: tuple[int, int, int]) -> None:
    drawn = make(name).fit(SeriesSet.from_arrays(waves(*shape)), seed=0).sample(3, seed=0)
    assert drawn.values.shape == (3, *shape[1:])
    assert np.isfinite(drawn.values).all()


@every
def test_what_cannot_be_is_refused_in_words(name: str, fitted: dict[str, Baseline]) -> None:
    with pytest.raises(InputError, match="asked for 0"):
        fitted[name].sample(0, seed=0)
    with pytest.raises(InputError, match="seed"):
        fitted[name].sample(1, seed=-1)
    with pytest.raises(InputError, match="not been fitted"):
        make(name).sample(1, seed=0)
    with pytest.raises(InputError, match="seed"):
        make(name).fit(mixed(), seed=-1)
    with pytest.raises(InputError, match="at least"):
        make(name).fit(SeriesSet.from_arrays(waves(2, 1, 3)), seed=0)
    with pytest.raises(InputError, match="at least one"):
        make(name).fit(mixed()[np.array([], dtype=int)], seed=0)
    with pytest.raises(InputError, match="SeriesSet"):
        make(name).fit(waves(2, 1, 8), seed=0)  # type: ignore[arg-type]


@every
def test_an_unfitted_one_is_not_saved(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not been fitted"):
        describe(name).save(tmp_path / "x")
    assert not (tmp_path / "x").exists()


@every
def test_a_folder_without_what_was_learnt_is_refused(name: str, fitted: dict[str, Baseline], tmp_path: Path) -> None:
    folder = tmp_path / "fitted"
    fitted[name].save(folder)
    (folder / STATE).write_bytes((folder / STATE).read_bytes()[:-1] or b"x")
    with pytest.raises(CheckpointError, match="damaged"):
        load(folder)
    fitted[name].save(folder, force=True)
    facts = json.loads((folder / FACTS).read_text())
    (folder / FACTS).write_text(json.dumps({**facts, "settings": {"unheard": 1}}))
    with pytest.raises(CheckpointError, match="do not fit together"):
        load(folder)


@every
def test_it_draws_series_rather_than_one(name: str) -> None:
    real = SeriesSet.from_arrays(waves(6, 2, 12))
    drawn = make(name).fit(real, seed=0).sample(12, seed=0).values
    assert len(np.unique(drawn.reshape(12, -1), axis=0)) >= 6
    if name not in ALTERS_NOTHING:
        nearest = np.abs(drawn[:, None] - real.values[None]).max(axis=(2, 3)).min(axis=1)
        assert np.median(nearest) > 1e-3
