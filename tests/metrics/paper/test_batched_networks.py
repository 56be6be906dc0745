"""Networks run as one are the networks run one by one: PyTorch's own modules, with the same numbers, say so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tsprout.metrics.paper.adam import Adam, Stack
from tsprout.metrics.paper.discriminative import Classifier, EarlyStop
from tsprout.metrics.paper.gru import GRU, bounds, shapes
from tsprout.metrics.paper.predictive import Forecaster
from tsprout.metrics.paper.repeats import Batches, generators, random_split
from tsprout.metrics.paper.series import stretch_split, take

R, STEPS, BATCH = 3, 7, 5


def rolled(rows: Tensor) -> Tensor:
    """Rows in the order n, r, z as PyTorch has them: r, z, n."""
    return torch.cat([rows[len(rows) // 3 :], rows[: len(rows) // 3]])


def load(module: torch.nn.GRU, views: dict[str, Tensor], r: int, prefix: str = "", suffix: str = "") -> None:
    with torch.no_grad():
        getattr(module, f"weight_ih_l0{suffix}").copy_(views[f"{prefix}input"][r])
        getattr(module, f"weight_hh_l0{suffix}").copy_(rolled(views[f"{prefix}state"][r]))
        getattr(module, f"bias_ih_l0{suffix}").copy_(views[f"{prefix}input_bias"][r])
        getattr(module, f"bias_hh_l0{suffix}").copy_(rolled(views[f"{prefix}state_bias"][r]))


def assert_slopes(module: torch.nn.GRU, slopes: dict[str, Tensor], r: int, prefix: str = "", suffix: str = "") -> None:
    pairs = {
        "weight_ih": slopes[f"{prefix}input"][r],
        "weight_hh": rolled(slopes[f"{prefix}state"][r]),
        "bias_ih": slopes[f"{prefix}input_bias"][r],
        "bias_hh": rolled(slopes[f"{prefix}state_bias"][r]),
    }
    for name, found in pairs.items():
        torch.testing.assert_close(found, getattr(module, f"{name}_l0{suffix}").grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (7, 3), (4, 8)])
@pytest.mark.parametrize("every", [False, True], ids=["last", "every"])
def test_each_network_is_a_gru_of_pytorch(inputs: int, hidden: int, every: bool) -> None:
    stack = Stack(shapes(inputs, hidden), bounds(inputs, hidden), generators(0, R, 1))
    network = GRU(stack.views, stack.slopes, STEPS, BATCH)
    torch.manual_seed(0)
    for _ in range(2):  # the second pass must not remember the first
        x = torch.randn(STEPS, R, inputs, BATCH)
        slope = torch.randn(STEPS, R, hidden, BATCH)
        with torch.no_grad():
            states = network.forward(x).clone()
            network.backward(**({"every": slope} if every else {"last": slope[-1]}))
    for r in range(R):
        module = torch.nn.GRU(inputs, hidden)
        load(module, stack.views, r)
        expected = module(x[:, r].transpose(1, 2))[0].transpose(1, 2)
        torch.testing.assert_close(states[:, r], expected, atol=1e-5, rtol=0)
        (expected * slope[:, r] if every else expected[-1] * slope[-1, r]).sum().backward()
        assert_slopes(module, stack.slopes, r)


def test_a_gru_without_input_runs_on_its_biases() -> None:
    stack = Stack(shapes(0, 2), bounds(0, 2), generators(0, R, 1))
    network = GRU(stack.views, stack.slopes, STEPS, BATCH)
    with torch.no_grad():
        states = network.forward(torch.zeros(STEPS, R, 0, BATCH)).clone()
        network.backward(last=torch.ones(R, 2, BATCH))
    # The same for every series of the batch; processors may round the ends of a vector otherwise than its middle.
    torch.testing.assert_close(states, states[..., :1].expand_as(states), atol=1e-6, rtol=0)
    module = torch.nn.GRU(1, 2)
    stack.views["input"] = torch.zeros(R, 6, 1)
    load(module, stack.views, 1)
    torch.testing.assert_close(states[:, 1, :, 0], module(torch.zeros(STEPS, 1))[0], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="gradient"):
        network.backward()


def test_start_is_pytorchs() -> None:
    stack = Stack(shapes(7, 16), bounds(7, 16), generators(0, 8, 1))
    assert float(stack.values.abs().max()) == pytest.approx(0.25, rel=0.01)
    assert float(stack.values.std()) == pytest.approx(0.25 / np.sqrt(3), rel=0.03)
    assert torch.equal(stack.values[:2], Stack(shapes(7, 16), bounds(7, 16), generators(0, 2, 1)).values)


def test_adam_is_pytorchs() -> None:
    stack = Stack({"a": (4, 3)}, {"a": 1.0}, generators(0, R, 1))
    plain = [stack.values[r].clone().requires_grad_() for r in range(R)]
    theirs, ours = [torch.optim.Adam([values], lr=1e-2) for values in plain], Adam(stack, 1e-2)
    for _ in range(20):
        for values, optimiser in zip(plain, theirs, strict=True):
            optimiser.zero_grad()
            (values**4 + values).sum().backward()
            optimiser.step()
        stack.gradients.copy_(4 * stack.values**3 + 1)
        ours.step()
    torch.testing.assert_close(stack.values, torch.stack([values.detach() for values in plain]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("both_ways", [False, True])
def test_classifier_learns_as_plain_modules_do(both_ways: bool) -> None:
    model = Classifier(4, 3, generators(0, R, 1), both_ways=both_ways)
    torch.manual_seed(1)
    x, target = torch.randn(STEPS, R, 4, BATCH), torch.tensor([0.0, 0, 1, 1, 1])
    with torch.no_grad():
        model.learn(x, target)
        logits = model.logits(x)
    for r in range(R):
        module, head = torch.nn.GRU(4, 3, bidirectional=both_ways), torch.nn.Linear(6 if both_ways else 3, 1)
        load(module, model.stack.views, r)
        if both_ways:
            load(module, model.stack.views, r, "back_", "_reverse")
        with torch.no_grad():
            head.weight.copy_(model.stack.views["weight"][r])
            head.bias.copy_(model.stack.views["bias"][r])
        answer = head(torch.cat(list(module(x[:, r].transpose(1, 2))[1]), 1))[:, 0]
        torch.testing.assert_close(logits[r], answer, atol=1e-5, rtol=0)
        torch.nn.functional.binary_cross_entropy_with_logits(answer, target).backward()
        assert_slopes(module, model.stack.slopes, r)
        if both_ways:
            assert_slopes(module, model.stack.slopes, r, "back_", "_reverse")
        torch.testing.assert_close(model.stack.slopes["weight"][r], head.weight.grad, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.stack.slopes["bias"][r], head.bias.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("squash", [False, True])
def test_forecaster_learns_as_plain_modules_do(squash: bool) -> None:
    outputs = 1 if squash else 4
    model = Forecaster(4, 3, outputs, generators(0, R, 1), squash=squash)
    torch.manual_seed(1)
    x, target = torch.randn(STEPS, R, 4, BATCH), torch.rand(STEPS, R, outputs, BATCH)
    with torch.no_grad():
        model.learn(x, target)
    for r in range(R):
        module, head = torch.nn.GRU(4, 3), torch.nn.Linear(3, outputs)
        load(module, model.stack.views, r)
        with torch.no_grad():
            head.weight.copy_(model.stack.views["weight"][r])
            head.bias.copy_(model.stack.views["bias"][r])
        own = x[:, r].transpose(1, 2)
        answer = head(module(own)[0])
        answer = torch.sigmoid(answer) if squash else answer + own
        (answer - target[:, r].transpose(1, 2)).abs().mean().backward()
        assert_slopes(module, model.stack.slopes, r)
        torch.testing.assert_close(model.stack.slopes["weight"][r], head.weight.grad, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model.stack.slopes["bias"][r], head.bias.grad, atol=1e-5, rtol=1e-4)


def test_batches_see_every_series_equally_often_and_each_repeat_its_own_pool() -> None:
    pools = np.stack([np.arange(10), np.arange(10, 20)])
    batches = Batches(pools, 4, generators(0, 2, 1))
    drawn = np.concatenate([batches.draw() for _ in range(500)], axis=1)
    assert (np.bincount(drawn[0]) == 200).all()
    assert drawn[1].min() == 10
    assert (np.sort(drawn[0, :10]) == np.arange(10)).all()
    assert (drawn[0] != drawn[1] - 10).any()


@pytest.mark.parametrize("n", [2, 3, 11])
def test_random_split_leaves_nobody_out(n: int) -> None:
    kept, held = random_split(n, generators(0, 4, 1))
    assert (np.sort(np.concatenate([kept, held], axis=1)) == np.arange(n)).all()
    assert held.shape[1] == max(1, round(0.2 * n))


@pytest.mark.parametrize("sizes", [(3, 3), (7, 50), (400, 400), (19, 1003)])
def test_stretches_of_neighbours_stay_together(sizes: tuple[int, int]) -> None:
    found = stretch_split(sizes, generators(0, 4, 1), (0.2, 0.2))
    for size, parts in zip(sizes, found, strict=True):
        for r in range(4):
            together = np.concatenate([part[r] for part in parts])
            assert len(set(together.tolist())) == len(together) >= size * 0.7
            assert all(part.shape[1] >= 1 for part in parts)
    if sizes[0] == sizes[1] == 400:
        assert (np.sort(found[0][2][0]) == np.sort(found[1][2][0])).all()
        label = np.zeros(400)
        for number, part in enumerate(found[0]):
            label[part[0]] = number
        assert (np.diff(label) != 0).sum() <= 16


def test_take_puts_the_batch_last() -> None:
    data = torch.arange(24.0).view(4, 3, 2)
    found = take(data, np.array([[1, 3], [0, 0]]))
    assert found.shape == (3, 2, 2, 2)
    assert torch.equal(found[:, 0, :, 1], data[3])


def test_early_stop_keeps_the_best_of_each_network() -> None:
    stack = Stack({"a": (1,)}, {"a": 1.0}, generators(0, 2, 1))
    stop = EarlyStop(stack, patience=2)
    answers = []
    for step, loss in enumerate([[3.0, 1.0], [2.0, 2.0], [4.0, 3.0], [5.0, 3.0]]):
        stack.values.fill_(step)
        answers.append(stop.look(torch.tensor(loss)))
    stop.restore()
    assert answers == [False, False, False, True]
    assert stack.values[:, 0].tolist() == [1, 0]
