"""Batches of episodes: scaled by the shots alone, finite, and the same wherever and by whomever they are drawn."""

from __future__ import annotations

import gc
import json
import multiprocessing
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpus import HELD, TRAINED, corpus_of, small_corpus

from tsprout.data.corpus import episodes
from tsprout.data.corpus.draw import Drawn, SetReader
from tsprout.data.corpus.episodes import Batch, EpisodeStream, StreamConfig, cumulative_odds, scale_by_shots, soften
from tsprout.data.corpus.store import Corpus
from tsprout.errors import InputError

SMALL = StreamConfig(
    cells=512, targets=4, lengths=(8, 24), length_shares=(1, 1), channels=(1, 3), channel_shares=(1, 1)
)
SYNTHETIC = replace(SMALL, synthetic_share=1.0)
# Real sets only, as they are.
PLAIN = replace(SMALL, synthetic_share=0.0, flip=0.0, reverse=0.0, gain=0.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


def parts(batch: Batch) -> list[np.ndarray]:
    return [batch.shots, batch.shots_observed, batch.targets, batch.targets_observed, batch.rows]


def same(a: Batch, b: Batch) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(parts(a), parts(b), strict=True))


def all_same(a: Iterator[Batch] | list[Batch], b: Iterator[Batch] | list[Batch], count: int) -> bool:
    pairs = list(zip(islice(a, count), islice(b, count), strict=True))
    return len(pairs) == count and all(same(x, y) for x, y in pairs)


# Batches


def test_batches(corpus: Corpus) -> None:
    stream = EpisodeStream(corpus, SMALL, seed=1)
    assert stream.sets == TRAINED
    rows = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for batch in islice(stream, 40):
            e, k, c, length = batch.shots.shape
            assert (c, length) in [(1, 8), (1, 24), (3, 8), (3, 24)]
            assert e >= 2 and 1 <= k <= 33
            assert batch.targets.shape == (e, 4, c, length)
            assert batch.shots.dtype == batch.targets.dtype == np.float32
            assert batch.shots_observed.dtype == batch.targets_observed.dtype == bool
            for values, observed in ((batch.shots, batch.shots_observed), (batch.targets, batch.targets_observed)):
                assert values.shape == observed.shape
                assert np.isfinite(values).all()
                assert not values[~observed].any()
            assert batch.shots_observed.any(axis=(1, 2, 3)).all()
            assert batch.targets_observed.any(axis=(1, 2, 3)).all()
            assert batch.rows.shape == (e,)
            rows |= set(batch.rows.tolist())
    assert rows == {-1, 0, 1, 2, 3}


def test_default_sizes() -> None:
    stream = EpisodeStream(None, StreamConfig(synthetic_share=1.0), seed=0)
    assert iter(stream) is stream and stream.sets == []
    for batch in islice(stream, 12):
        assert batch.shots.shape[1] * batch.shots.shape[-1] <= 2048
        assert batch.targets.shape[1] >= 4
        assert set(batch.rows) == {-1}


def test_a_row_is_the_place_of_its_set(tmp_path: Path) -> None:
    # Instances of three sets, each of a shape of its own, which neither scaling nor a cut can hide.
    time = np.arange(24)
    shapes = {"B": time % 2, "C": time % 3, "A": time % 4}
    pieces: dict[str, Any] = {n: {"pieces": [shape[None] + 0.0] * 20, "instances": True} for n, shape in shapes.items()}
    config = replace(PLAIN, channels=(1,), channel_shares=(1,), lengths=(24,), length_shares=(1,))
    stream = EpisodeStream(corpus_of(tmp_path, **pieces), config)
    assert stream.sets == ["A", "B", "C"]
    seen = set()
    for batch in islice(stream, 10):
        for row, targets in zip(batch.rows, batch.targets, strict=True):
            assert len(np.unique(targets.round(3))) == len(set(shapes[stream.sets[row]]))
            seen.add(int(row))
    assert seen == {0, 1, 2}


def test_sets_with_fewer_series_are_filled_up_with_unobserved_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    few = corpus_of(tmp_path, Few={"pieces": [rng.standard_normal((1, 24)) for _ in range(6)], "instances": True})
    config = replace(PLAIN, channels=(1,), channel_shares=(1,))
    filled = 0
    for batch in islice(EpisodeStream(few, config), 20):
        there = batch.shots_observed.any(axis=(2, 3))
        assert (there.sum(axis=1) == min(3, there.shape[1])).all()
        # The present ones come first.
        assert (np.diff(there.astype(int), axis=1) <= 0).all()
        filled += not there.all()
        assert set(batch.rows) == {0}
    assert filled > 10


# Scaling


def test_shots_are_standardised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "_SOFT_LIMIT", 1e9)
    batch = EpisodeStream(None, replace(SYNTHETIC, gain=0.0), seed=3).batch(0)
    for shots in batch.shots:
        std = shots.std(axis=(0, 2))
        assert np.abs(shots.mean(axis=(0, 2))).max() < 1e-5
        assert ((np.abs(std - 1) < 1e-5) | (std == 0)).all()


def test_targets_have_no_say_in_the_scaling() -> None:
    rng = np.random.default_rng(0)
    shots, targets = rng.normal(5, 3, (6, 2, 24)), rng.normal(5, 3, (4, 2, 24))
    one, other = (scale_by_shots(np.concatenate([shots, t]), 6) for t in (targets, 50 * targets - 7))
    assert np.array_equal(one[:6], other[:6])
    # Each target by itself: what stands beside it does not matter either.
    alone = scale_by_shots(np.concatenate([shots, targets[1:2]]), 6)
    assert np.array_equal(alone[6], one[7])
    mean, std = shots.mean(axis=(0, 2), keepdims=True), shots.std(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(one[6:], (targets - mean) / std)


def test_many_episodes_are_scaled_each_by_its_own_shots() -> None:
    series = np.random.default_rng(0).normal(5, 3, (7, 10, 2, 24)) * np.arange(1, 8)[:, None, None, None]
    series[3, 2, 1, 4] = np.nan
    together = scale_by_shots(series, 6)
    assert all(np.array_equal(scale_by_shots(s, 6), t, equal_nan=True) for s, t in zip(series, together, strict=True))


def test_shots_are_drawn_without_a_look_at_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same episode with other targets: the shots come out the same.
    def drawn(offset: float) -> np.ndarray:
        def made(rng: np.random.Generator, count: int, channels: int, length: int) -> np.ndarray:
            out = np.random.default_rng(5).standard_normal((count, channels, length)).astype(np.float32)
            out[-4:] = offset
            return out

        monkeypatch.setattr(episodes, "draw_synthetic", made)
        return next(EpisodeStream(None, SYNTHETIC, seed=2)).shots

    assert np.array_equal(drawn(0.0), drawn(1e5))


def test_gaps_and_dead_channels_are_scaled_without_warnings() -> None:
    shots, targets = np.ones((3, 3, 8)), np.full((2, 3, 8), 5.0)
    shots[:, 0] = np.arange(24).reshape(3, 8)
    shots[:, 2] = np.nan
    shots[0, 0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own, other = np.split(scale_by_shots(np.concatenate([shots, targets]), 3), [3])
    assert np.isnan(own[0, 0, 0]) and np.isfinite(own[1:, 0]).all()
    # Constant in the shots: 0 everywhere. Not in the shots at all: unobserved everywhere.
    assert not own[:, 1].any() and not other[:, 1].any()
    assert np.isnan(own[:, 2]).all() and np.isnan(other[:, 2]).all()


def test_softening() -> None:
    x = np.array([-1e6, -5.0, -1.0, 0.0, 4.9, 5.0, 6.0, np.nan])
    out = soften(x)
    assert np.array_equal(out[1:6], x[1:6])
    assert out[6] == pytest.approx(5 + np.log(2))
    assert -20 < out[0] < -5
    assert np.isnan(out[7])
    line = np.linspace(-50, 50, 1001)
    assert (np.diff(soften(line)) > 0).all()


# The same batches again


def test_a_batch_is_a_function_of_its_number(corpus: Corpus) -> None:
    stream = EpisodeStream(corpus, SMALL, seed=1)
    ahead = list(islice(stream, 6))
    again = EpisodeStream(Corpus(corpus.path), SMALL, seed=1)
    assert all(same(again.batch(i), ahead[i]) for i in (5, 0, 3, 3))
    assert again.position == 0 and stream.position == 6
    assert not same(ahead[0], ahead[1])


def test_the_position_is_resumed_exactly(corpus: Corpus) -> None:
    stream = EpisodeStream(corpus, SMALL, seed=1)
    for _ in range(3):
        next(stream)
    position = json.loads(json.dumps(stream.state_dict()))
    ahead = list(islice(stream, 5))
    resumed = EpisodeStream(corpus, SMALL, seed=1)
    next(resumed)
    resumed.load_state_dict(position)
    assert all_same(resumed, ahead, 5)
    assert resumed.state_dict() == stream.state_dict()


def test_seeds_decide(corpus: Corpus) -> None:
    one, again, other = (next(EpisodeStream(corpus, SMALL, seed=s)) for s in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


def test_workers_give_the_same_batches_and_resume_with_any_number_of_them(corpus: Corpus) -> None:
    expected = list(islice(EpisodeStream(corpus, SMALL, seed=1), 9))
    before = torch.get_rng_state()
    for workers in (1, 2):
        stream = EpisodeStream(corpus, SMALL, seed=1, workers=workers)
        assert all_same(stream, expected, 5)
        assert stream.state_dict()["position"] == 5
        # What the workers had drawn ahead is not lost, whoever goes on.
        resumed = EpisodeStream(corpus, SMALL, seed=1, workers=2 - workers)
        resumed.load_state_dict(stream.state_dict())
        assert all_same(resumed, expected[5:], 4)
        stream.load_state_dict(stream.state_dict() | {"position": 2})
        assert all_same(stream, expected[2:], 2)
        stream._drawn = resumed._drawn = None
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_batches_out(corpus: Corpus, world: int) -> None:
    whole = EpisodeStream(corpus, SMALL, seed=1)
    expected = list(islice(whole, 4 * world))
    for rank in range(world):
        share = EpisodeStream(corpus, SMALL, seed=1, rank=rank, world=world)
        assert all_same(share, expected[rank::world], 2)
        resumed = EpisodeStream(corpus, SMALL, seed=1, rank=rank, world=world)
        resumed.load_state_dict(share.state_dict())
        assert all_same(resumed, expected[rank::world][2:], 2)


def test_workers_end_with_their_stream(corpus: Corpus) -> None:
    before = set(multiprocessing.active_children())
    stream = EpisodeStream(corpus, SMALL, seed=1, workers=2)
    next(stream)
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    gc.disable()  # without the help of the collector, which comes when it likes
    try:
        del stream
        for worker in workers:
            worker.join(4)
        assert not workers & set(multiprocessing.active_children())
    finally:
        gc.enable()


def test_a_worker_and_a_rank_together(corpus: Corpus) -> None:
    expected = list(islice(EpisodeStream(corpus, SMALL, seed=1), 1, 6, 2))
    assert all_same(EpisodeStream(corpus, SMALL, seed=1, rank=1, world=2, workers=1), expected, 3)


# Which sets


def test_only_exclude_and_held_out(corpus: Corpus) -> None:
    def sets(**choice: list[str]) -> list[str]:
        return EpisodeStream(corpus, SMALL, **choice).sets  # type: ignore[arg-type]

    assert sets() == TRAINED
    assert sets(only=[HELD, "Walk", "Many"]) == [HELD, "Many", "Walk"]
    assert sets(exclude=["Walk"]) == ["Many", "Pieces", "Shapes"]
    assert sets(only=["Walk", "Many"], exclude=["Walk"]) == ["Many"]
    with pytest.raises(InputError, match="no set 'Nowhere'"):
        sets(only=["Nowhere"])
    with pytest.raises(InputError, match="no real sets"):
        sets(only=["Walk"], exclude=["Walk"])
    with pytest.raises(InputError, match="no real sets"):
        EpisodeStream(None)


def test_nothing_but_the_chosen_sets_is_read(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    plain = SetReader.draw

    def spy(self: SetReader, *args: object) -> Drawn | None:
        read.add(self.entry.name)
        return plain(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(SetReader, "draw", spy)
    for _ in islice(EpisodeStream(corpus, PLAIN), 20):
        pass
    assert read == set(TRAINED)
    read.clear()
    for _ in islice(EpisodeStream(corpus, PLAIN, only=[HELD], exclude=["Walk"]), 3):
        pass
    assert read == {HELD}


@pytest.fixture
def unequal(tmp_path: Path) -> list[SetReader]:
    """Sets of 8000, 1000 and 1000 cells in two domains, and one of four channels; the second is too short for 500."""
    found = corpus_of(
        tmp_path,
        A={"pieces": [np.zeros((1, 8000))], "domain": "web"},
        B={"pieces": [np.zeros((1, 100))] * 10, "domain": "web"},
        C={"pieces": [np.zeros((1, 1000))], "domain": "energy"},
        D={"pieces": [np.zeros((4, 1000))], "domain": "motion"},
    )
    return [SetReader(found, name) for name in "ABCD"]


def shares(readers: list[SetReader], channels: int, length: int, temperature: float) -> np.ndarray:
    odds = cumulative_odds(readers, channels, length, temperature)
    assert odds is not None and odds[-1] == 1
    return np.diff(odds, prepend=0)


def test_odds_by_size_tempered_and_even(unequal: list[SetReader]) -> None:
    abc = unequal[:3]
    # By size: 8, 1 and 1 of 10.
    assert shares(abc, 1, 24, 1.0) == pytest.approx([0.8, 0.1, 0.1])
    # Fifth roots: domains 9000**0.2 = 6.17801 and 1000**0.2 = 3.98107; in the first 8000**0.2 = 6.03418 and 3.98107.
    web = 6.178009 / (6.178009 + 3.981072)
    first = 6.034176 / (6.034176 + 3.981072)
    assert shares(abc, 1, 24, 5.0) == pytest.approx([web * first, web * (1 - first), 1 - web], rel=1e-5)
    # All alike: domains, and the sets of each.
    for temperature in (1e9, float("inf")):
        assert shares(abc, 1, 24, temperature) == pytest.approx([0.25, 0.25, 0.5], rel=1e-6)
    assert shares(unequal, 1, 24, 1.0) == pytest.approx(np.array([8, 1, 1, 4]) / 14)


def test_odds_are_of_the_sets_that_fit(unequal: list[SetReader]) -> None:
    assert shares(unequal, 1, 500, 1.0) == pytest.approx(np.array([8, 0, 1, 4]) / 13)
    assert shares(unequal, 1, 1001, 5.0) == pytest.approx([1, 0, 0, 0])
    assert shares(unequal, 2, 24, float("inf")) == pytest.approx([0, 0, 0, 1])
    assert cumulative_odds(unequal, 5, 24, 5.0) is None
    assert cumulative_odds(unequal, 1, 8001, 5.0) is None


def test_more_channels_count_up_to_four_times(tmp_path: Path) -> None:
    made: dict[str, Any] = {f"S{c}": {"pieces": [np.zeros((c, 1200 // c))], "domain": "web"} for c in (2, 4, 6, 20)}
    found = corpus_of(tmp_path, **made)
    readers = [SetReader(found, entry.name) for entry in found.sets]
    assert shares(readers, 1, 24, 1.0) == pytest.approx([0.25] * 4)
    assert shares(readers, 2, 24, 1.0) == pytest.approx(np.array([1, 2, 3, 4]) / 10)


def test_sets_are_drawn_by_their_odds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {}
    for name, size in (("A", 900), ("B", 100)):
        made[name] = {"pieces": [rng.standard_normal((1, size))], "domain": "web"}
    config = replace(PLAIN, temperature=1.0, channels=(1,), channel_shares=(1,), lengths=(8,), length_shares=(1,))
    rows = np.concatenate([b.rows for b in islice(EpisodeStream(corpus_of(tmp_path, **made), config), 40)])
    assert len(rows) > 500
    assert (rows == 0).mean() == pytest.approx(0.9, abs=0.04)


# Episodes turned into others


def varied(corpus: Corpus, **share: Any) -> tuple[list[Batch], list[Batch]]:
    """The same batches as they are and varied; only what is varied may differ."""
    plain, other = (EpisodeStream(corpus, c, seed=1) for c in (PLAIN, replace(PLAIN, **share)))
    return list(islice(plain, 10)), list(islice(other, 10))


@pytest.mark.parametrize("kind", ["flip", "reverse", "gain"])
def test_varied_episodes_lose_their_token_row_and_others_keep_it(corpus: Corpus, kind: str) -> None:
    changed_in = 0
    for before, after in zip(*varied(corpus, **{kind: 0.5}), strict=True):
        for episode in range(len(before.rows)):
            own = np.concatenate([before.shots[episode], before.targets[episode]])
            new = np.concatenate([after.shots[episode], after.targets[episode]])
            if after.rows[episode] >= 0:
                assert after.rows[episode] == before.rows[episode]
                assert np.array_equal(own, new)
                continue
            changed_in += not np.array_equal(own, new)
            if kind == "flip":
                signs = np.where((own == new).all(axis=(0, 2)), 1, -1)
                assert np.array_equal(own * signs[:, None], new)
            elif kind == "reverse":
                assert np.array_equal(own[..., ::-1], new)
            else:
                seen = np.abs(own) > 0.1
                factor = np.where(seen, new / np.where(seen, own, 1), np.nan)
                for series in factor:
                    sizes = series[np.isfinite(series)]
                    assert (sizes > 0).all() and np.allclose(sizes, sizes[:1], rtol=1e-4)
    assert changed_in > 20


def test_everything_varied_and_nothing(corpus: Corpus) -> None:
    before, after = varied(corpus, flip=1.0, reverse=1.0, gain=1.0)
    assert all((batch.rows == -1).all() for batch in after)
    assert all((batch.rows >= 0).all() for batch in before)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.shots_observed[..., ::-1], other.shots_observed)


# Where real sets are of no use


def test_real_sets_alone(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "draw_synthetic", None)  # would fail if it were called
    for batch in islice(EpisodeStream(corpus, PLAIN, seed=1), 10):
        assert (batch.rows >= 0).all()


def test_the_share_of_synthetic_episodes(corpus: Corpus) -> None:
    batches = islice(EpisodeStream(corpus, replace(PLAIN, synthetic_share=0.4), seed=1), 60)
    rows = np.concatenate([batch.rows for batch in batches])
    assert (rows == -1).mean() == pytest.approx(0.4, abs=0.06)


def test_where_no_set_fits_the_episode_is_synthetic(corpus: Corpus) -> None:
    wide = EpisodeStream(corpus, replace(PLAIN, channels=(40,), channel_shares=(1,)))
    assert set(next(wide).rows) == {-1}
    long = EpisodeStream(corpus, replace(PLAIN, lengths=(1500,), length_shares=(1,)))
    assert set(next(long).rows) == {-1}


@pytest.mark.parametrize("instances", [False, True])
@pytest.mark.parametrize("value", [np.nan, 1.0, 0.0])
def test_sets_of_gaps_and_of_constants_give_way_to_synthetic_ones(
    tmp_path: Path, value: float, instances: bool
) -> None:
    dull = corpus_of(tmp_path, Dull={"pieces": [np.full((1, 500), value)] * 12, "instances": instances})
    stream = EpisodeStream(dull, replace(SMALL, synthetic_share=0.0, channels=(1,), channel_shares=(1,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = next(stream)
    assert set(batch.rows) == {-1}
    assert batch.shots.std() > 0


def test_a_position_of_another_stream_is_refused(corpus: Corpus) -> None:
    state = EpisodeStream(corpus, SMALL, seed=1).state_dict()
    for other in (
        EpisodeStream(corpus, SMALL, seed=2),
        EpisodeStream(corpus, SMALL, seed=1, exclude=["Walk"]),
        EpisodeStream(corpus, replace(SMALL, temperature=1.0), seed=1),
        EpisodeStream(None, replace(SMALL, synthetic_share=1.0), seed=1),
    ):
        with pytest.raises(InputError, match="another corpus"):
            other.load_state_dict(state)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 0.0}, {"temperature": float("nan")}, {"synthetic_share": 1.5}, {"gain": -0.1}, {"cells": 0}],
)
def test_a_stream_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        StreamConfig(**wrong)


def test_a_small_temperature_draws_the_largest_and_does_not_overflow(corpus: Corpus) -> None:
    stream = EpisodeStream(corpus, SMALL)
    odds = np.diff(cumulative_odds(stream.readers, 1, 8, 0.1), prepend=0)
    assert np.isfinite(odds).all() and odds.sum() == pytest.approx(1)
