"""One step of training: only the optimiser's parameters move, in two halves too, and recorded as well as not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tsprout.baselines import get
from tsprout.baselines._deep import DeepBaseline
from tsprout.baselines._steps import Step, _unchanged, set_rate

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Two(nn.Module):
    """A linear layer and a normalisation with buffers, and a layer that no optimiser here has."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.other = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)

    def loss(self, x: Tensor, at: Tensor) -> Tensor:
        y: Tensor = self.other(self.norm(self.linear(x[at])).sigmoid())
        return (y**2).mean()


def setting(device: torch.device) -> tuple[Two, Callable[[Tensor], Tensor], torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = Two().to(device)
    x = torch.randn(8, 3).to(device)
    optimiser = torch.optim.Adam([*network.linear.parameters(), *network.norm.parameters()], lr=0.1)
    return network, partial(network.loss, x), optimiser


def test_only_the_parameters_of_the_optimiser_get_gradients_and_move() -> None:
    network, loss, optimiser = setting(CPU)
    other, linear = network.other.weight.clone(), network.linear.weight.clone()
    first = Step(network, loss, optimiser)(torch.arange(8))
    assert network.other.weight.grad is None
    assert torch.equal(network.other.weight, other)
    assert not torch.equal(network.linear.weight, linear)
    assert not first.requires_grad
    assert loss(torch.arange(8)) < first


def test_without_the_second_half_nothing_moves() -> None:
    network, loss, optimiser = setting(CPU)
    before = network.linear.weight.clone()
    step = Step(network, loss, optimiser)
    step.gradients(torch.arange(8))
    assert torch.equal(network.linear.weight, before)
    step.descend()
    assert not torch.equal(network.linear.weight, before)


def test_the_gradient_is_clipped() -> None:
    network, loss, _ = setting(CPU)
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    before = nn.utils.parameters_to_vector(network.parameters()).detach()
    Step(network, lambda at: 1e6 * loss(at), optimiser, clip=0.5)(torch.arange(8))
    after = nn.utils.parameters_to_vector(network.parameters()).detach()
    assert float((after - before).norm()) == pytest.approx(0.5, rel=1e-4)


def test_the_rate_is_set_where_it_is_a_tensor_too() -> None:
    weight = nn.Parameter(torch.zeros(1))
    for rate in (0.1, torch.tensor(0.1)):
        optimiser = torch.optim.Adam([weight], lr=rate)
        set_rate(optimiser, 0.25)
        assert float(optimiser.param_groups[0]["lr"]) == 0.25
        assert type(optimiser.param_groups[0]["lr"]) is type(rate)


def test_a_warm_up_leaves_no_trace() -> None:
    network, loss, optimiser = setting(CPU)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with _unchanged(network, optimiser):
        for _ in range(3):
            Step(network, loss, optimiser)(torch.arange(8))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    after = Step(network, loss, optimiser)(torch.arange(8))
    fresh_network, fresh_loss, fresh = setting(CPU)
    assert torch.equal(after, Step(fresh_network, fresh_loss, fresh)(torch.arange(8)))
    assert torch.equal(network.linear.weight, fresh_network.linear.weight)


@gpu
def test_recorded_steps_are_those_that_were_not() -> None:
    ends = []
    for device in (CPU, CUDA):
        network, loss, optimiser = setting(device)
        step = Step(network, loss, optimiser, clip=1.0)
        losses = []
        for number in range(20):
            set_rate(optimiser, 0.1 / (1 + number))
            losses.append(float(step(torch.tensor([number % 8, (3 * number) % 8, 5, 6]))))
        ends.append((losses, network.linear.weight.detach().cpu(), network.norm.running_var.cpu()))
    assert np.allclose(ends[0][0], ends[1][0], rtol=1e-3)
    for one, other in zip(ends[0][1:], ends[1][1:], strict=True):
        assert torch.allclose(one, other, atol=1e-3)


@gpu
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("timegan", {"iterations": 20}),
        ("timevae", {"epochs": 20}),
        ("kovae", {"epochs": 20}),
        ("kovae-irregular", {"epochs": 20}),
        ("diffusion-ts", {"steps": 20}),
        ("imagentime", {"epochs": 20}),
        ("imagentime-stft", {"epochs": 20}),
    ],
)
def test_every_baseline_is_trained_by_recorded_steps(name: str, options: dict[str, int]) -> None:
    series = np.random.default_rng(0).random((12, 2, 24)).astype(np.float32)
    made = [get(name)(device="cuda", **options) for _ in range(2)]
    for baseline in made:
        assert isinstance(baseline, DeepBaseline)
        baseline._fit(series, np.full(12, 24), 0, None)
    drawn = [baseline._sample(5, 0) for baseline in made]
    assert drawn[0].shape == (5, 2, 24)
    assert np.isfinite(drawn[0]).all()
    # Kernels may add in another order.
    assert np.allclose(drawn[0], drawn[1], atol=0.05)
