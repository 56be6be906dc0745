"""Fine-tuning: what it trains, what it leaves alone, what it shows, and when it stops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import CONFIGS, PADDED, TRANSFORMER, same_weights, snapshot, waves, woken

from tsprout.errors import InputError, TrainingError
from tsprout.model import Denoiser
from tsprout.nn.adapters import MODES, AdapterConfig
from tsprout.train.finetune import (
    LEAST_STEPS,
    UNGUIDED_STEPS,
    FinetuneConfig,
    _Episodes,
    best_step,
    finetune,
    with_new_token,
)
from tsprout.train.judge import Judge, Judgement
from tsprout.train.shots import Shots

QUICK = FinetuneConfig(steps=6, batch=8, episodes=2, evaluate_every=2, warmup=2, blind_steps=3)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that looks at few samples."""
    monkeypatch.setattr("tsprout.train.judge._SAMPLES", 16)
    monkeypatch.setattr("tsprout.train.judge._MOST_STEPS", 2)


def shots(n: int = 6, channels: int = 2, length: int = 16, seed: int = 0) -> Shots:
    return Shots.from_latent(waves(n, channels, length, seed), np.full(n, length))


def held_back(own: Shots, seed: int = 0) -> Judge:
    return Judge(own, shots(2, seed=9), seed=seed)


def scripted(*scores: float, copying: tuple[float, ...] = ()):
    """A judge who says these scores one after the other, and keeps the weights it has seen."""
    said = iter(scores)
    ratios = iter([*copying, *[1.0] * len(scores)])
    seen: list[dict[str, torch.Tensor]] = []

    def judge(model: Denoiser, row: int | None) -> Judgement:
        seen.append({n: p.detach().clone() for n, p in model.named_parameters()})
        return Judgement(next(said), next(ratios))

    return judge, seen


def ragged() -> Shots:
    values = waves(6)
    lengths = np.array([16, 12, 12, 9, 16, 12])
    for row, own in zip(values, lengths, strict=True):
        row[:, own:] = np.nan
    return Shots.from_latent(values, lengths)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("mode", MODES)
def test_trains_what_the_mode_says_and_leaves_the_base_untouched(name: str, mode: str) -> None:
    base = woken(CONFIGS[name])
    before = snapshot(base)
    tuned = finetune(base, shots(), mode, replace(QUICK, patience=99), judge=held_back(shots()))
    assert same_weights(base, before)
    assert not any(p.requires_grad for p in tuned.model.parameters())
    assert not tuned.model.training
    assert tuned.row == 3 and tuned.model.config.rows == 4
    assert (tuned.adapter is not None) == (mode == "lora")
    assert sorted(tuned.judged) == [0, 2, 4, 6]
    assert tuned.steps == best_step(tuned.judged)


@pytest.mark.parametrize("mode", MODES)
def test_weights_a_mode_does_not_train_stay_bit_equal(mode: str) -> None:
    base = woken(TRANSFORMER)
    # No judge: the last weights are kept, whatever they are worth.
    tuned = finetune(base, shots(3), mode, QUICK)
    assert tuned.steps == QUICK.blind_steps
    assert tuned.judged == {}
    start = with_new_token(base)[0].state_dict()
    now = {n.replace(".base.", "."): t for n, t in tuned.model.state_dict().items()}
    changed = {n for n, t in start.items() if not torch.equal(t, now[n])}
    adapters = {n for n in now if n not in start}
    assert bool(adapters) == (mode == "lora")
    table = "backbone.conditioner.token.table"
    if mode == "lora":
        assert changed == set()
        assert all(bool(now[n].any()) for n in adapters)
    elif mode == "token":
        assert changed == {table}
        assert torch.equal(now[table][:3], start[table][:3])
        assert not torch.equal(now[table][3], start[table][3])
    elif mode == "bias":
        assert changed and all(start[n].ndim == 1 or n == table for n in changed - {"backbone.patch.out_bias"})
    else:
        assert len(changed) > len(start) / 2


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_bits(mode: str) -> None:
    base = woken(TRANSFORMER)
    one, same, other = (finetune(base, shots(), mode, QUICK, judge=held_back(shots(), s), seed=s) for s in (1, 1, 2))
    assert same_weights(one.model, snapshot(same.model))
    assert one.judged == same.judged
    assert one.judged != other.judged
    assert not same_weights(other.model, snapshot(same.model))


def test_the_best_weights_are_kept_and_not_the_last() -> None:
    judge, seen = scripted(1.0, 0.5, 0.4, 0.9, 0.8, 0.7)
    tuned = finetune(woken(TRANSFORMER), shots(), "full", replace(QUICK, steps=100, patience=3), judge=judge)
    assert {s: v.score for s, v in tuned.judged.items()} == {0: 1.0, 2: 0.5, 4: 0.4, 6: 0.9, 8: 0.8, 10: 0.7}
    assert tuned.steps == 4
    assert all(torch.equal(p, seen[2][n]) for n, p in tuned.model.named_parameters())
    assert not tuned.stopped_by_clock


@pytest.mark.parametrize("scores", [(1.0, 1.1, 1.2, 1.3), (0.5, 0.6, 0.7, 0.8)])
def test_training_that_never_helps_keeps_the_weights_it_began_with(scores: tuple[float, ...]) -> None:
    base = woken(TRANSFORMER)
    tuned = finetune(base, shots(), "full", QUICK, judge=scripted(*scores)[0])
    assert tuned.steps == 0
    assert same_weights(tuned.model, with_new_token(base)[0].state_dict())


def test_training_ends_where_it_copies_and_keeps_what_does_not() -> None:
    judge, seen = scripted(1.0, 0.8, 0.2, copying=(1.0, 0.9, 0.1))
    tuned = finetune(woken(TRANSFORMER), shots(), "full", replace(QUICK, steps=100), judge=judge)
    assert sorted(tuned.judged) == [0, 2, 4]
    assert tuned.steps == 2
    assert all(torch.equal(p, seen[1][n]) for n, p in tuned.model.named_parameters())


def test_best_step() -> None:
    good, better, copied = Judgement(0.8, 1.0), Judgement(0.5, 0.9), Judgement(0.1, 0.1)
    assert best_step({0: good, 20: better, 40: copied}) == 20
    # Within 8 % of the lowest longer training is better, for it teaches what the score hardly sees.
    assert best_step({0: good, 20: good}) == 20
    assert best_step({0: good, 20: Judgement(0.85, 1.0), 40: Judgement(0.88, 1.0)}) == 20
    assert best_step({0: Judgement(-1.0, 1.0), 20: Judgement(-0.95, 1.0), 40: Judgement(-0.9, 1.0)}) == 20
    # Before training nothing is copied; where all copy, the score decides.
    assert best_step({0: copied, 20: good}) == 0
    assert best_step({0: good, 20: copied}) == 0
    assert best_step({20: copied, 40: Judgement(0.05, 0.2)}) == 40


def test_nearer_to_the_shots_than_unseen_series_is_second_best() -> None:
    good, near = Judgement(0.8, 1.0), Judgement(0.7, 0.6)
    assert best_step({0: good, 20: good, 40: near}) == 20
    assert best_step({0: good, 20: near, 40: Judgement(0.71, 0.55)}) == 20
    assert best_step({0: good, 20: Judgement(0.81, 0.55)}) == 0
    assert best_step({0: near, 20: Judgement(2.0, 1.0)}) == 0


def test_a_few_steps_must_be_better_to_be_kept() -> None:
    good = Judgement(0.8, 1.0)
    assert best_step({0: good, LEAST_STEPS - 1: Judgement(0.81, 1.0)}) == 0
    assert best_step({0: good, LEAST_STEPS - 1: Judgement(0.79, 1.0)}) == LEAST_STEPS - 1
    assert best_step({5: good}) == 5


def test_a_further_step_never_brings_an_earlier_one_back() -> None:
    # So the weights of the best step so far are the only ones to keep.
    rng = np.random.default_rng(0)
    for _ in range(300):
        judged: dict[int, Judgement] = {}
        best = -1
        for step in range(0, 90, 10):
            judged[step] = Judgement(1 + 0.1 * rng.standard_normal(), rng.uniform(0.4, 1.2))
            before, best = best, best_step(judged)
            assert best in (before, step)


def test_judging_does_not_change_training() -> None:
    base = woken(TRANSFORMER)
    often = finetune(base, shots(), "full", replace(QUICK, evaluate_every=1, patience=99), judge=held_back(shots()))
    seldom = finetune(base, shots(), "full", replace(QUICK, evaluate_every=6), judge=held_back(shots()))
    assert often.judged[6] == seldom.judged[6]


def test_more_series_bear_longer_training() -> None:
    few, fifty, many = (FinetuneConfig.for_shots(count) for count in (3, 50, 150))
    assert few == FinetuneConfig() and many == FinetuneConfig.for_shots(5000)
    assert fifty.steps == 3 * few.steps and fifty.evaluate_every == 3 * few.evaluate_every
    assert many.steps == 4 * fifty.steps and many.evaluate_every == 4 * fifty.evaluate_every
    steps = [FinetuneConfig.for_shots(count).steps for count in (3, 25, 40, 50, 100, 150, 400)]
    assert steps == sorted(steps) and len(set(steps)) == 5


def test_fewer_steps_are_looked_at_as_often_but_not_at_once() -> None:
    fifty = FinetuneConfig.for_shots(50)
    assert fifty.with_steps(480) == fifty
    assert (fifty.with_steps(240).steps, fifty.with_steps(240).evaluate_every) == (240, 30)
    assert (fifty.with_steps(24).evaluate_every, fifty.with_steps(24).blind_steps) == (20, 24)
    assert replace(fifty, evaluate_every=2).with_steps(3).evaluate_every == 2


def test_stops_by_the_clock_with_a_last_look() -> None:
    ticks = iter([0.0, 1.0, 2.0, 5.0])
    told: list[tuple[str, int, int]] = []
    tuned = finetune(
        woken(TRANSFORMER),
        shots(),
        "full",
        replace(QUICK, steps=50),
        judge=scripted(3.0, 2.0, 1.0)[0],
        seconds=3.0,
        clock=lambda: next(ticks),
        progress=lambda *what: told.append(what),
    )
    assert tuned.stopped_by_clock
    assert sorted(tuned.judged) == [0, 2, 3]
    assert told == [("fit", s, 50) for s in (0, 1, 2, 3, 50)]
    ticks = iter([0.0, 1.0, 9.0])
    blind = finetune(
        woken(TRANSFORMER),
        shots(3),
        "full",
        QUICK,
        seconds=3.0,
        clock=lambda: next(ticks),
        stage="train",
        progress=lambda *what: told.append(what),
    )
    assert blind.stopped_by_clock and blind.steps == 2
    assert told[-1] == ("train", 3, 3)


def test_fine_tuning_learns() -> None:
    base = Denoiser(TRANSFORMER, seed=1)
    config = FinetuneConfig(blind_steps=60, batch=32, episodes=2, learning_rate=5e-3)
    tuned = finetune(base, shots(12), "full", config)
    unseen = shots(32, seed=9).values
    noise, sigma = torch.randn(unseen.shape, generator=torch.Generator().manual_seed(0)), torch.full((32,), 0.5)
    with torch.no_grad():
        before, after = (model.eval().losses(unseen, None, sigma, noise).mean() for model in (base, tuned.model))
    assert after < 0.6 * before


@pytest.mark.parametrize("some", [shots(1), shots(2), ragged()], ids=["one", "two", "ragged"])
@pytest.mark.parametrize("name", CONFIGS)
def test_few_and_ragged_shots(name: str, some: Shots) -> None:
    base = woken(CONFIGS[name])
    tuned = finetune(base, some, "full", QUICK, judge=Judge(some, ragged(), seed=0))
    assert all(bool(p.isfinite().all()) for p in tuned.model.parameters())
    assert all(np.isfinite(v.score) for v in tuned.judged.values())


@pytest.mark.parametrize("some", [shots(2), shots(3), shots(9), ragged()], ids=["two", "three", "nine", "ragged"])
def test_no_series_is_shown_and_denoised_in_the_same_episode(some: Shots) -> None:
    if len(some) == 3:  # every one of its own length: the hardest case
        some = Shots(some.values, some.observed, np.array([16, 12, 9]))
    episodes = _Episodes(woken(TRANSFORMER), some, None, QUICK, seed=0)
    sizes = set()
    for _ in range(200):
        for group, alike in episodes.groups:
            shown, targets = episodes._split(group, alike)
            assert len(shown) and len(targets)
            assert not set(shown) & set(targets)
            assert set(targets) <= set(group)
            sizes.add(len(shown))
    assert max(sizes) <= len(some) - 1


def test_an_episode_is_of_one_label() -> None:
    labels = np.array(["a", "b", "a", "b", "a", "alone"])
    some = replace(shots(6), labels=labels, lengths=np.array([16, 16, 12, 16, 16, 16]))
    episodes = _Episodes(woken(TRANSFORMER), some, None, QUICK, seed=0)
    assert [group.tolist() for group, _ in episodes.groups] == [[2], [0, 4], [5], [1, 3]]
    assert episodes.shares.tolist() == pytest.approx([1 / 6, 2 / 6, 1 / 6, 2 / 6])
    for _ in range(50):
        for group, alike in episodes.groups:
            shown, targets = episodes._split(group, alike)
            assert not set(shown) & set(targets) and set(targets) <= set(group)
            # One that has no like is learnt beside all the others.
            assert set(labels[shown]) == set(labels[targets]) or "alone" in labels[targets]


def test_without_labels_episodes_are_what_they_were() -> None:
    some, one = shots(9), replace(shots(9), labels=np.array(["same"] * 9))
    drawn = [_Episodes(woken(TRANSFORMER), each, None, QUICK, seed=3) for each in (some, one)]
    first, second = ([e._split(*e.groups[0]) for _ in range(20)] for e in drawn)
    for one_split, other in zip(first, second, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one_split, other, strict=True))
    order = np.random.default_rng(3).permutation(9)
    assert set(first[0][0]) <= set(order)


def test_a_single_series_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[bool]] = []
    plain = Denoiser.encode
    monkeypatch.setattr(
        Denoiser, "encode", lambda self, v, o=None, p=None: told.append(p.tolist()) or plain(self, v, o, p)
    )
    finetune(woken(TRANSFORMER), shots(1), "full", QUICK)
    assert told == [[False, False]] * 3


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_has_no_influence(name: str) -> None:
    # Shots as the rest of the code makes them hold zeros there; garbage must do no harm either.
    some = ragged()
    dirty = Shots(torch.where(some.within, some.values, 1e5), some.observed, some.lengths)
    base = woken(CONFIGS[name])
    one, other = (finetune(base, s, "full", QUICK) for s in (some, dirty))
    assert same_weights(one.model, snapshot(other.model))


@pytest.mark.parametrize("name", CONFIGS)
def test_gaps_are_learnt_beside_and_never_learnt(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    latent = waves(4, 2, 16)
    latent[0, 1, 2:5] = np.nan
    some = Shots.from_latent(latent, np.full(4, 16))
    assert torch.equal(some.observed, torch.from_numpy(np.isfinite(latent)))
    expected = np.interp([2, 3, 4], [1, 5], latent[0, 1, [1, 5]])
    np.testing.assert_allclose(some.values[0, 1, 2:5], expected, rtol=1e-6)
    shown, noised, plain, losses = [], [], Denoiser.encode, Denoiser.losses

    def encode(self, values, observed=None, present=None):
        shots = observed.flatten(2)  # prompts of fewer shots are filled up with ones that are not there
        shown.append(bool((shots.all(2) == shots.any(2)).all()))
        return plain(self, values, observed, present)

    def loss(self, clean, observed, *rest, counted=None):
        noised.append((bool(observed.all()), bool(counted.all())))
        return losses(self, clean, observed, *rest, counted=counted)

    monkeypatch.setattr(Denoiser, "encode", encode)
    monkeypatch.setattr(Denoiser, "losses", loss)
    finetune(woken(CONFIGS[name]), some, "full", QUICK)
    # All that is within a series is shown and noised; what is a gap is not counted in steps that have one.
    assert all(shown) and all(whole for whole, _ in noised)
    assert not all(counted for _, counted in noised)


def test_a_new_token_starts_from_the_null_token_or_from_the_mean() -> None:
    base = woken(TRANSFORMER)
    twin, row = with_new_token(base)
    token = twin.backbone.conditioner.token
    assert row == 3 and twin.config == replace(base.config, rows=4)
    assert torch.equal(token.table[3], base.backbone.conditioner.token.null)
    # So before training nothing has changed.
    x = torch.randn(2, 2, 16)
    with torch.no_grad():
        torch.testing.assert_close(twin(x, torch.ones(2), torch.tensor([3, 3])), base(x, torch.ones(2)))
    padded = woken(PADDED)
    twin, _ = with_new_token(padded)
    torch.testing.assert_close(twin.backbone.conditioner.token.table[3], padded.backbone.conditioner.token.mean())


def test_what_is_trained_is_drawn_without_guidance_in_more_steps() -> None:
    for steps, expected in ((6, UNGUIDED_STEPS), (24, 24)):
        guided = woken(replace(TRANSFORMER, guidance=1.5, steps=steps))
        for twin in (with_new_token(guided)[0], finetune(guided, shots(), "bias", QUICK).model):
            assert (twin.config.guidance, twin.config.steps) == (1.0, expected)
        assert guided.config.guidance == 1.5
    plain = replace(TRANSFORMER, guidance=1.0, steps=4)
    assert with_new_token(woken(plain))[0].config.steps == 4


def test_a_model_without_tokens_gets_none() -> None:
    base = woken(replace(TRANSFORMER, rows=0))
    tuned = finetune(base, shots(), "lora", QUICK)
    assert tuned.row is None
    assert tuned.adapter == AdapterConfig()
    twin, row = with_new_token(base)
    assert row is None and same_weights(twin, snapshot(base))
    assert all(a.data_ptr() != b.data_ptr() for a, b in zip(twin.parameters(), base.parameters(), strict=True))


def test_what_cannot_be_is_refused() -> None:
    base = woken(TRANSFORMER)
    with pytest.raises(InputError, match="at least one series"):
        finetune(base, shots(0), "full", QUICK)
    with pytest.raises(InputError, match="no fine-tuning mode"):
        finetune(base, shots(), "half", QUICK)
    with pytest.raises(InputError, match="no dataset token"):
        finetune(woken(replace(TRANSFORMER, rows=0)), shots(), "token", QUICK)


def test_training_that_blows_up_says_so() -> None:
    base = woken(TRANSFORMER)
    with torch.no_grad():
        base.backbone.patch.into.fill_(float("nan"))
    with pytest.raises(TrainingError):
        finetune(base, shots(3), "full", QUICK)
