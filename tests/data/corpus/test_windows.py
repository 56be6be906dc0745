"""All windows of all sets, each as likely; the same ones for a number; scaled by the whole set."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_corpus import HELD, TRAINED, corpus_of, small_corpus
from tiny_models import PADDED

from tsprout.data.corpus.episodes import Batch
from tsprout.data.corpus.store import Corpus
from tsprout.data.corpus.windows import WindowConfig, WindowStream, whole_set
from tsprout.data.protocols.scaler import Standardizer
from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.train.validation import batch_loss

FEW = WindowConfig(length=24, windows=32)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return small_corpus(tmp_path)


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        all(np.array_equal(a, b) for a, b in zip(vars(x).values(), vars(y).values(), strict=True))
        for x, y in zip(one, other, strict=True)
    )


def test_groups_of_one_channel_count(corpus: Corpus) -> None:
    stream = WindowStream(corpus, FEW)
    assert stream.sets == TRAINED
    for groups in islice(stream, 5):
        assert sum(len(group.targets) for group in groups) == 32
        counts = [group.targets.shape[2] for group in groups]
        assert counts == sorted(set(counts))
        for group, channels in zip(groups, counts, strict=True):
            n = len(group.rows)
            assert {corpus.sets[corpus.number[stream.sets[row]]].channels for row in group.rows} == {channels}
            assert group.shots.shape == group.shots_observed.shape == (n, 0, channels, 24)
            assert group.targets.shape == group.targets_observed.shape == (n, 1, channels, 24)
            assert group.targets.dtype == np.float32 and group.targets_observed.dtype == bool
            assert np.isfinite(group.targets).all() and not group.targets[~group.targets_observed].any()


def test_every_window_is_as_likely_as_any_other(tmp_path: Path) -> None:
    ramps = [np.arange(30.0)[None], 100 + np.arange(26.0)[None], 200 + np.arange(10.0)[None]]
    found = corpus_of(
        tmp_path,
        Long={"pieces": ramps},
        # Only the first steps of an instance count.
        Short={"pieces": [1000 + 100 * k + np.arange(40.0)[None] for k in range(3)], "instances": True},
        Tiny={"pieces": [np.zeros((1, 23))]},
    )
    stream = WindowStream(found, WindowConfig(length=24, windows=100))
    assert stream.sets == ["Long", "Short"] and stream.available == 7 + 3 + 3
    seen: Counter[int] = Counter()
    for groups in islice(stream, 60):
        for group in groups:
            for row, target in zip(group.rows, group.targets, strict=True):
                windows = stream.scaler(stream.sets[row]).inverse(target)
                np.testing.assert_allclose(np.diff(windows, axis=-1), 1, atol=1e-3)
                seen.update(np.rint(windows[:, 0, 0]).astype(int).tolist())
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 6, 100, 101, 102, 1000, 1100, 1200]
    assert min(seen.values()) > 0.7 * 6000 / 13 and max(seen.values()) < 1.3 * 6000 / 13


@pytest.mark.parametrize("kind", ["z-score", "min-max"])
def test_the_scaling_is_that_of_the_whole_set(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.normal(1e4, k + 1.0, (5, 50 + 10 * k)) for k in range(4)]
    for piece in pieces:
        piece[1, ::3] = np.nan
        piece[2] = 0.1
        piece[3] = np.nan
    pieces[0][4] = np.nan
    found = corpus_of(tmp_path, A={"pieces": pieces})
    scaler = whole_set(found, "A", kind)  # type: ignore[arg-type]
    expected = Standardizer.fit(np.concatenate(pieces, axis=1).astype(np.float32), kind)  # type: ignore[arg-type]
    np.testing.assert_allclose(scaler.offset, expected.offset, rtol=1e-9)
    np.testing.assert_allclose(scaler.scale, expected.scale, rtol=1e-6)
    assert scaler.kind == kind


def test_sets_that_the_paper_scales_to_the_unit_interval_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(7, 3, (2, 300))
    stream = WindowStream(corpus_of(tmp_path, Energy={"pieces": [values]}, Other={"pieces": [values]}), FEW)
    assert (stream.scaler("Energy").kind, stream.scaler("Other").kind) == ("min-max", "z-score")
    (group,) = next(stream)
    assert set(group.rows) == {0, 1}
    for row, inside in ((0, True), (1, False)):
        own = group.targets[group.rows == row]
        assert (own.min() >= 0 and own.max() <= 1) == inside


def test_missing_cells_stay_masked_and_cost_nothing(corpus: Corpus) -> None:
    stream = WindowStream(corpus, replace(FEW, sets=("Walk",), windows=400))
    (group,) = next(stream)
    assert 0 < (~group.targets_observed).sum() == (~group.targets_observed[:, 0, 1]).sum()
    model = Denoiser(replace(PADDED, rows=4))
    losses = batch_loss(model, group, torch.Generator().manual_seed(0), drop_prompt=0.0, drop_token=0.0)
    assert losses.shape == (400,)
    losses.mean().backward()
    changed = replace(group, targets=np.where(group.targets_observed, group.targets, 9).astype(np.float32))
    again = batch_loss(model, changed, torch.Generator().manual_seed(0), drop_prompt=0.0, drop_token=0.0)
    assert torch.equal(losses, again)


def test_an_item_is_a_function_of_its_number(corpus: Corpus) -> None:
    ahead = list(islice(WindowStream(corpus, FEW, seed=1), 6))
    again = WindowStream(Corpus(corpus.path), FEW, seed=1)
    assert all(same(again.batch(i), ahead[i]) for i in (5, 0, 3, 3))
    assert again.position == 0
    assert not same(ahead[0], ahead[1])
    assert not same(ahead[0], WindowStream(corpus, FEW, seed=2).batch(0))


def test_position_ranks_and_workers(corpus: Corpus) -> None:
    expected = list(islice(WindowStream(corpus, FEW, seed=1), 6))
    shares = [WindowStream(corpus, FEW, seed=1, rank=rank, world=2) for rank in (0, 1)]
    assert all(same(next(shares[i % 2]), expected[i]) for i in range(4))
    position = json.loads(json.dumps(shares[0].state_dict()))
    resumed = WindowStream(corpus, FEW, seed=1, workers=1)
    resumed.load_state_dict(position)
    assert same(next(resumed), expected[4]) and same(next(resumed), expected[5])
    resumed._drawn = None
    for other in (
        WindowStream(corpus, FEW, seed=2),
        WindowStream(corpus, replace(FEW, length=23), seed=1),
        WindowStream(corpus, FEW, seed=1, exclude=["Walk"]),
    ):
        with pytest.raises(InputError, match="another corpus"):
            other.load_state_dict(position)


def test_which_sets(corpus: Corpus) -> None:
    assert WindowStream(corpus, FEW, exclude=["Walk"]).sets == ["Many", "Pieces", "Shapes"]
    assert WindowStream(corpus, replace(FEW, sets=("Walk", HELD))).sets == [HELD, "Walk"]
    # A set without a window of that length has no row.
    assert WindowStream(corpus, replace(FEW, length=120)).sets == ["Pieces", "Shapes", "Walk"]
    with pytest.raises(InputError, match="no set 'Nowhere'"):
        WindowStream(corpus, replace(FEW, sets=("Nowhere",)))
    with pytest.raises(InputError, match="no set has a window of 5000 steps"):
        WindowStream(corpus, replace(FEW, length=5000))
    with pytest.raises(InputError, match="no corpus"):
        WindowStream(None)
    for wrong in ({"length": 0}, {"windows": 0}):
        with pytest.raises(InputError, match="at least 1"):
            WindowConfig(**wrong)
