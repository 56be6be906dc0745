"""Shots as tensors, and how several prompts are encoded at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import TRANSFORMER, waves, woken

from tsprout.train.shots import Shots, encode_prompts


def shots(n: int) -> Shots:
    return Shots.from_latent(waves(n), np.full(n, 16))


def test_missing_cells_lie_between_their_neighbours_and_are_not_observed() -> None:
    latent = waves(3)
    latent[1, 0, 3] = latent[2, 1, 12:] = np.nan
    some = Shots.from_latent(latent, np.array([16, 16, 12]))
    assert not bool(some.observed[1, 0, 3]) and bool(some.within[1, 0, 3])
    torch.testing.assert_close(some.values[1, 0, 3], (some.values[1, 0, 2] + some.values[1, 0, 4]) / 2)
    assert int((~some.observed).sum()) == 1 + 4
    # Beyond the end of a series there is nothing.
    assert not some.within[2, :, 12:].any() and (some.values[2, :, 12:] == 0).all()
    assert torch.equal(some.within[:2], torch.ones(2, 2, 16, dtype=torch.bool))
    assert some.values.dtype == torch.float32


def test_picking_and_cutting() -> None:
    some = Shots.from_latent(waves(3), np.array([16, 16, 12]))
    picked = some[np.array([2, 0])]
    assert len(picked) == 2 and picked.lengths.tolist() == [12, 16]
    assert torch.equal(picked.values[1], some.values[0])
    cut = some.cut(13)
    assert cut.values.shape == cut.observed.shape == (3, 2, 13)
    assert cut.lengths.tolist() == [13, 13, 12]
    assert len(some[np.array([], dtype=int)]) == 0
    assert torch.equal(some.to(torch.device("cpu")).values, some.values)


def test_a_part_fits_in_a_prompt() -> None:
    many = shots(20)
    assert many.part() is many
    first = many.part(limit=5 * 16)
    assert torch.equal(first.values, many.values[::4])
    drawn = many.part(np.random.default_rng(0), limit=5 * 16)
    assert len(drawn) == 5
    assert not torch.equal(drawn.values, first.values)
    assert len(many.part(limit=3)) == 1


def test_prompts_of_different_sizes_are_encoded_as_if_alone() -> None:
    model = woken(TRANSFORMER)
    with torch.no_grad():
        both = encode_prompts(model, [shots(5), shots(3)])
        alone = encode_prompts(model, [shots(3)])
    torch.testing.assert_close(both.vector[1:], alone.vector)
    assert int(both.valid[1].sum()) == int(alone.valid.sum())
    dropped = encode_prompts(model, [shots(5), shots(3)], torch.tensor([False, True]))
    assert dropped.present.tolist() == [False, True]


def test_shots_that_do_not_fit_a_prompt_have_their_turns() -> None:
    latent = np.arange(300, dtype=np.float32)[:, None, None].repeat(24, axis=2)
    shots = Shots.from_latent(latent, np.full(300, 24))
    turns = list(shots.in_turn(300, np.random.default_rng(0)))
    assert [count for count, _ in turns] == [64, 64, 64, 64, 44]
    seen = np.concatenate([shown.values[:, 0, 0].numpy() for _, shown in turns])
    assert len(seen) == 5 * 85 and set(seen) == set(range(300)), "every one is shown, whatever their order"
    assert np.bincount(seen.astype(int)).max() == 2
    few = shots[np.arange(20)]
    ((count, shown),) = few.in_turn(300, np.random.default_rng(0))
    assert count == 300 and shown is few
    assert np.diff(shots.part().values[:, 0, 0].numpy()).max() <= 4, "evenly spread, not the first ones"


def test_a_drift_does_not_shift_what_is_drawn() -> None:
    from tsprout import Sprout

    rng = np.random.default_rng(0)
    level = np.linspace(0, 10, 300)[:, None]
    values = (100 + level + np.sin(np.arange(24) / 24 * 6.283) + rng.normal(0, 0.3, (300, 24)))[:, None]
    drawn = np.asarray(Sprout.from_pretrained().fit(values, "prompt", axes="ncl").sample(128))
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.75), "it was 1.9 off"
