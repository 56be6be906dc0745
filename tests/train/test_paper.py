"""Fine-tuning as published: the settings of the paper, to the letter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import PADDED, TRANSFORMER, same_weights, snapshot, waves, woken

from tsprout.errors import InputError
from tsprout.model import Denoiser
from tsprout.train import paper
from tsprout.train.fewshot import draw
from tsprout.train.loop import Loop, LoopConfig
from tsprout.train.paper import finetune_as_published
from tsprout.train.shots import Shots

SHOTS = Shots.from_latent(waves(6), np.full(6, 16))


def test_it_learns_the_shots_and_leaves_the_model_as_it_was() -> None:
    model = Denoiser(PADDED)
    before = snapshot(model)
    tuned = finetune_as_published(model, SHOTS, steps=120)
    assert same_weights(model, before)
    assert tuned.row == PADDED.rows and not tuned.model.training

    def error(some: Denoiser, row: int | None) -> float:
        sigma, noise = torch.full((6,), 0.7), torch.randn(6, 2, 16, generator=torch.Generator().manual_seed(3))
        rows = None if row is None else torch.full((6,), row)
        with torch.no_grad():
            return float(some.losses(SHOTS.values, None, sigma, noise, rows).mean())

    assert error(tuned.model, tuned.row) < 0.9 * error(model, None)
    assert draw(tuned.model, SHOTS, 5, row=tuned.row).shape == (5, 2, 16)


def test_the_new_row_starts_from_the_mean_of_all() -> None:
    model = woken(PADDED)
    table = model.state_dict()["backbone.conditioner.token.table"]
    fresh = finetune_as_published(model, SHOTS, steps=1).model.state_dict()["backbone.conditioner.token.table"]
    assert len(fresh) == len(table) + 1
    # One step of AdamW at 1e-4 moves no weight further than that.
    assert fresh[-1] == pytest.approx(table.mean(0), abs=1.2e-4)
    assert not torch.equal(fresh[-1], table.mean(0))


def test_the_settings_are_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LoopConfig] = []

    class Watched(Loop):
        def __init__(self, model: Denoiser, loss: object, config: LoopConfig) -> None:
            seen.append(config)
            super().__init__(model, loss, config)  # type: ignore[arg-type]
            assert all(p.requires_grad for p in model.parameters())

    monkeypatch.setattr(paper, "Loop", Watched)
    finetune_as_published(Denoiser(PADDED), SHOTS, steps=2)
    (config,) = seen
    assert (config.optimizer, config.learning_rate, config.weight_decay, config.clip) == ("adamw", 1e-4, 1e-5, 1.0)
    assert (config.ema, config.warmup, config.cooldown) == (0.9999, 0, 0.0)
    assert {config.rate(step) for step in range(2)} == {1e-4}
    assert (paper.STEPS, paper.BATCH) == (1000, 2048)


def test_every_step_sees_all_shots_up_to_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = Denoiser.losses

    def watched(self: Denoiser, clean: torch.Tensor, *rest: object) -> torch.Tensor:
        sizes.append(len(clean))
        return plain(self, clean, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Denoiser, "losses", watched)
    finetune_as_published(Denoiser(PADDED), SHOTS, steps=2)
    finetune_as_published(Denoiser(PADDED), SHOTS, steps=1, batch=4)
    assert sizes == [6, 6, 4]


def test_the_same_seed_gives_the_same_bits_and_gaps_are_left_out() -> None:
    model = Denoiser(PADDED)
    one, same, other = (finetune_as_published(model, SHOTS, steps=3, seed=seed).model for seed in (0, 0, 1))
    assert same_weights(one, snapshot(same)) and not same_weights(one, snapshot(other))
    holes = waves(6)
    holes[:, 1, 4:9] = np.nan
    far = Shots.from_latent(holes, np.full(6, 16))
    filled = Shots(torch.where(far.observed, far.values, 1e3), far.observed, far.lengths)
    first, second = (finetune_as_published(model, some, steps=3).model for some in (far, filled))
    assert same_weights(first, snapshot(second))


def test_what_the_paper_does_not_do_is_refused() -> None:
    with pytest.raises(InputError, match="no prompt encoder"):
        finetune_as_published(Denoiser(TRANSFORMER), SHOTS, steps=1)
    mixed = Shots(SHOTS.values, SHOTS.observed, np.array([16, 16, 16, 16, 16, 12]))
    for shots in (mixed, SHOTS[np.zeros(0, np.int64)]):
        with pytest.raises(InputError, match="one length"):
            finetune_as_published(Denoiser(PADDED), shots, steps=1)


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    finetune_as_published(Denoiser(PADDED), SHOTS, steps=2, progress=lambda *what: told.append(what))
    assert told == [("fine-tune", 1, 2), ("fine-tune", 2, 2)]
