"""Few-shot validation: its fixed tasks, what it draws, and how it sums up."""

from __future__ import annotations

import math

import numpy as np
import pytest
import real_sets
import torch
from tiny_models import PADDED, TRANSFORMER, same_weights, snapshot, woken

from tsprout.data.catalog.entry import catalogue
from tsprout.data.protocols import strict
from tsprout.errors import InputError, TrainingError
from tsprout.train.calibration import moments
from tsprout.train.fewshot import (
    FewShotValidation,
    Task,
    TaskName,
    draw,
    entry,
    left_out_sets,
    plan,
    prepare,
    prepare_task,
    ratio,
    score,
    summarise,
)


def made_task(shots: int = 8, size: int = 30, **options: object) -> Task:
    """A task cut from an invented recording of two channels."""
    rng = np.random.default_rng(0)
    steps = np.arange(6000)
    series = np.stack([np.sin(steps / 3) * 4 + 20, np.cos(steps / 5)]) + 0.2 * rng.standard_normal((2, 6000))
    split = strict(real_sets.recordings(series), shots=shots, length=16, seed=0)
    return prepare_task(TaskName("made", shots, 16), split=split, size=size, **options)


@pytest.fixture(scope="module")
def task() -> Task:
    return made_task()


def test_tasks_are_of_held_out_domains_and_never_of_the_evaluation() -> None:
    listed, known = plan(), catalogue()
    held = set(left_out_sets())
    assert {known[name].domain for name in held} <= set(listed.domains)
    assert not any(known[name].role == "eval" for name in held)
    for name, found in known.items():
        assert (name in held) == (found.domain in listed.domains and found.role != "eval")
    assert set(listed.sets) | set(listed.fresh) <= held
    assert not set(listed.sets) & set(listed.fresh)
    assert {task.set for group in listed.groups.values() for task in group} <= set(listed.sets)
    assert {known[name].domain for name in listed.sets} == set(listed.domains)


def test_groups_and_names_of_tasks() -> None:
    listed = plan()
    assert [task.set for task in listed.tasks("quick")] == list(listed.sets)
    full = listed.tasks("full")
    assert len(full) == len(listed.sets) * len(listed.shots) * len(listed.seeds) + len(listed.groups["long"])
    assert set(listed.tasks("quick")) <= set(full)
    assert listed.tasks("quick", "quick") == listed.tasks("quick")
    assert listed.tasks("SteamGen/5") == (TaskName("SteamGen", 5, 24, 0),)
    name = TaskName("SteamGen", 25, 64, 2)
    assert TaskName.parse(str(name)) == name


@pytest.mark.parametrize("text", ["SteamGen", "SteamGen/ten", "/10", "a/1/2/3/4", ""])
def test_what_names_no_task_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="few-shot task"):
        plan().tasks(text)


def test_evaluation_sets_are_refused() -> None:
    with pytest.raises(InputError, match="evaluation set"):
        prepare(["ETTm1/10/24/0"])


@pytest.mark.data
def test_the_quick_tasks_can_be_cut() -> None:
    for name in plan().sets:
        real_sets.real(name)
    tasks = prepare()
    assert [str(t.name) for t in tasks] == [str(n) for n in plan().tasks("quick")]
    assert all(len(t.yardstick.real) >= 290 for t in tasks)
    assert all(t.latent.shape == (t.name.shots, t.split.shots.n_channels, t.name.length) for t in tasks)


def test_a_task_is_scaled_by_its_shots_alone(task: Task) -> None:
    assert task.latent.mean((0, 2)) == pytest.approx([0, 0], abs=1e-5)
    assert task.latent.std((0, 2)) == pytest.approx([1, 1], abs=1e-4)
    assert task.scaler.inverse(task.latent) == pytest.approx(task.split.shots.values, abs=1e-4)


def test_drawing_is_deterministic_and_leaves_the_model_as_it_was(task: Task) -> None:
    model = woken(TRANSFORMER).train()
    before = snapshot(model)
    state = torch.random.get_rng_state()
    one, same = (draw(model, task.shots, 20, seed=1) for _ in range(2))
    assert one.shape == (20, 2, 16) and one.dtype == np.float32
    assert np.array_equal(one, same)
    assert not np.array_equal(one, draw(model, task.shots, 20, seed=2))
    assert model.training and same_weights(model, before)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_model_sees_the_shots_and_calibration_puts_level_and_spread_right(task: Task) -> None:
    model = woken(TRANSFORMER)
    raw = draw(model, task.shots, 400, calibrated=False, steps=10)
    assert not np.array_equal(raw, draw(model, made_task(shots=9).shots, 400, calibrated=False, steps=10))
    put_right = draw(model, task.shots, 400, steps=10)
    found = moments(put_right, np.isfinite(put_right))
    assert found.mean == pytest.approx([0, 0], abs=0.15) and found.spread == pytest.approx([1, 1], abs=0.15)
    assert not np.allclose(moments(raw, np.isfinite(raw)).spread, found.spread, atol=0.05)


def test_a_model_without_prompt_is_drawn_from_as_it_is(task: Task) -> None:
    model = woken(PADDED)
    plain = draw(model, task.shots, 12)
    assert np.array_equal(plain, draw(model, task.shots, 12, calibrated=False))
    assert not np.array_equal(plain, draw(model, task.shots, 12, row=1))


def test_a_broken_model_is_said_to_be_one(task: Task) -> None:
    model = woken(TRANSFORMER)
    with torch.no_grad():
        next(model.parameters()).fill_(math.nan)
    with pytest.raises(TrainingError, match="not finite"):
        draw(model, task.shots, 10)


def test_the_ratio_to_copies_stops_at_the_floor() -> None:
    beside = {"floor": {"x": 0.1}, "copies": {"x": 0.4}, "noise": {"x": 2.0}}
    assert ratio("x", 0.2, beside) == pytest.approx(0.5)
    assert ratio("x", 0.01, beside) == ratio("x", 0.1, beside) == pytest.approx(0.25)
    free = {"floor": {"x": 0.0}, "copies": {"x": 0.4}, "noise": {"x": 2.0}}
    assert ratio("x", 0.0, free) == pytest.approx(0.05)
    assert ratio("x", 0.3, {"floor": {"x": 0.2}, "copies": {"x": 0.1}, "noise": {"x": 1.0}}) == pytest.approx(1.5)
    assert math.isnan(ratio("x", math.nan, beside))


def test_summing_up() -> None:
    beside = {
        kind: {"frechet": v, "copying": c} for kind, v, c in (("floor", 0.1, 1), ("copies", 1, 0), ("noise", 5, 3))
    }
    rows = [entry({"frechet": v, "copying": 0.9}, beside) for v in (0.25, 1.0, 4.0, math.nan)]
    found = summarise(rows)
    assert rows[0]["ratio"] == {"frechet": pytest.approx(0.25)}
    assert found["ratio"]["frechet"] == found["few-shot"] == pytest.approx(1.0)
    assert found["mean"]["frechet"] == pytest.approx(1.75) and found["mean"]["copying"] == pytest.approx(0.9)
    assert found["wins"]["frechet"] == pytest.approx(1 / 3)
    assert found["copies"]["frechet"] == 1
    with pytest.raises(InputError, match="no few-shot tasks"):
        summarise([])


def test_scores_of_a_model(task: Task) -> None:
    model = woken(TRANSFORMER)
    found = score(model, [task], n=40, steps=2)
    assert set(found["tasks"]) == {"made/8/16/0"}
    own = found["tasks"]["made/8/16/0"]
    expected = task.yardstick.score(task.scaler.inverse(draw(model, task.shots, 40, steps=2)))
    assert own["value"] == expected
    assert own["floor"]["frechet"] < own["noise"]["frechet"]
    assert own["ratio"].keys() == expected.keys() - {"copying", "near_copies"}
    assert found["mean"] == pytest.approx(expected)
    raw = score(model, [task], n=40, steps=2, calibrated=False)
    assert raw["mean"]["marginal"] != found["mean"]["marginal"]


def test_the_paper_suite_of_a_model() -> None:
    task = made_task(repeats=1, iterations=4)
    found = score(woken(TRANSFORMER), [task], n=40, steps=2, suite="paper")
    assert found["ratio"].keys() == {"cfid", "disc"}
    assert found["few-shot"] == pytest.approx(math.sqrt(found["ratio"]["cfid"] * found["ratio"]["disc"]))


def test_the_hook_tells_flat_numbers(task: Task) -> None:
    hook = FewShotValidation([task], n=40, steps=2)
    model = woken(TRANSFORMER)
    told = hook(model)
    found = score(model, [task], n=40, steps=2)
    assert told["few-shot"] == found["few-shot"] and told["frechet / copies"] == found["ratio"]["frechet"]
    assert told["copying"] == found["mean"]["copying"]
    assert all(isinstance(v, float) for v in told.values())
    assert hook(model) == told
