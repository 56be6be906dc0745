"""What holds for every deep baseline; quality is tested model by model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_baselines import SMALL, set_of, small, waves

from tsprout.baselines import load
from tsprout.baselines._deep import Average, DeepBaseline, Range, batches, gaussian_kl, seeded, train
from tsprout.errors import InputError, TrainingError

NAMES = sorted(SMALL)
CPU = torch.device("cpu")


@pytest.mark.parametrize("name", NAMES)
def test_draws_in_units(name: str) -> None:
    series = set_of(50 + 10 * waves(6), channels=("a", "b"))
    made = small(name).fit(series, seed=1).sample(5, seed=2)
    assert made.values.shape == (5, 2, 12) and made.channels == ("a", "b")
    assert np.isfinite(made.values).all()
    assert 20 < made.values.mean() < 80 and 1 < made.values.std() < 60


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "channels", "length"), [(1, 1, 12), (3, 5, 7), (4, 2, 33)])
def test_other_shapes(name: str, n: int, channels: int, length: int) -> None:
    made = small(name).fit(set_of(waves(n, length, channels)), seed=0).sample(3, seed=0)
    assert made.values.shape == (3, channels, length) and np.isfinite(made.values).all()


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bits_and_files(name: str, tmp_path: Path) -> None:
    series = set_of(waves(6))
    first, again = (small(name).fit(series, seed=3) for _ in range(2))
    made = first.sample(4, seed=5).values
    assert np.array_equal(made, again.sample(4, seed=5).values)
    assert not np.array_equal(made, first.sample(4, seed=6).values)
    assert not np.array_equal(made, small(name).fit(series, seed=4).sample(4, seed=5).values)
    first.save(tmp_path / "fitted")
    read = load(tmp_path / "fitted")
    assert type(read) is type(first) and read.settings == first.settings
    assert np.array_equal(made, read.sample(4, seed=5).values)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_trained(name: str) -> None:
    baseline, latent = small(name), waves(8)
    assert isinstance(baseline, DeepBaseline)
    with seeded(7, CPU):
        fresh = baseline._build(2, 12)
    told: list[tuple[str, int, int]] = []
    baseline._fit(latent, np.full(8, 12), 7, lambda *told_now: told.append(told_now))
    assert baseline.network is not None
    trained = dict(baseline.network.named_parameters())
    still = [name for name, value in fresh.named_parameters() if torch.equal(value, trained[name])]
    assert not still
    assert told[-1][1] == told[-1][2]
    assert len(baseline.losses) and np.isfinite(baseline.losses).all()


@pytest.mark.parametrize("name", NAMES)
def test_gaps_and_lengths(name: str) -> None:
    values = waves(5)
    values[1, :, 9:] = np.nan
    values[2, 0, 3:5] = np.nan
    made = small(name).fit(set_of(values, lengths=[12, 9, 12, 12, 12]), seed=0).sample(10, seed=0)
    assert set(made.lengths.tolist()) <= {9, 12}
    assert np.isfinite(made.values[made.observed]).all()


def test_global_randomness_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    small("timevae").fit(set_of(waves(3)), seed=0).sample(2, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(InputError, match="device"):
        small("timevae", device="nonsense").fit(set_of(waves(3)), seed=0)


def test_range_goes_there_and_back() -> None:
    latent = np.random.default_rng(0).normal(size=(5, 3, 7)).astype(np.float32)
    latent[:, 1] = 2.5
    latent[0, 2, 3] = np.nan
    found = Range.of(latent, -1.0, 1.0)
    there = found.to(latent)
    for channel in (0, 2):
        assert np.nanmin(there[:, channel]) == pytest.approx(-1) and np.nanmax(there[:, channel]) == pytest.approx(1)
    assert np.allclose(found.back(there), latent, atol=1e-6, equal_nan=True)
    assert np.array_equal(found.back(np.full_like(latent, 0.3))[:, 1], latent[:, 1])


def test_kl_is_torchs() -> None:
    torch.manual_seed(0)
    mean, log_variance, other, other_log = torch.randn(4, 3, 5)
    normal = torch.distributions.Normal

    def scale(value: torch.Tensor) -> torch.Tensor:
        return (value / 2).exp()

    one, two = normal(mean, scale(log_variance)), normal(other, scale(other_log))
    expected = torch.distributions.kl_divergence(one, two)
    assert torch.allclose(gaussian_kl(mean, log_variance, other, other_log), expected, atol=1e-5)
    standard = torch.distributions.kl_divergence(one, normal(torch.zeros(3, 5), torch.ones(3, 5)))
    assert torch.allclose(gaussian_kl(mean, log_variance), standard, atol=1e-5)


def test_batches_see_all_alike() -> None:
    with seeded(0, CPU):
        stream = batches(7, 3)
        seen = torch.cat([next(stream) for _ in range(7)])
    assert torch.equal(seen.bincount(), torch.full((7,), 3))
    assert len(next(batches(2, 5))) == 2


def test_average_follows_its_formula() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    average = Average(layer, 0.3)
    expected = 0.0
    for k in range(20):
        torch.nn.init.constant_(layer.weight, float(k))
        average.update(k + 1)
        decay = min(0.3, (1 + k) / (10 + k))
        expected = decay * expected + (1 - decay) * k
    average.write()
    assert layer.weight.item() == pytest.approx(expected, rel=1e-5)


def test_training_that_diverges_is_said() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    network = torch.nn.ParameterList([weight])
    with pytest.raises(TrainingError, match="diverged"):
        train(network, lambda _: (weight / 0).sum(), 1, torch.optim.SGD([weight], lr=1.0), steps=9, batch=1)


def test_training_ends_early_and_follows_the_rate() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    losses = train(
        torch.nn.ParameterList([weight]),
        lambda _: weight.sum(),
        1,
        optimiser,
        steps=9,
        batch=1,
        rate=lambda k: 0.5**k,
        after=lambda done, _: done == 3,
    )
    assert weight.item() == pytest.approx(-1.75)
    assert np.allclose(losses, [0, -1, -1.5])
