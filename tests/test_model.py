"""Configuration, loss and sampling of the denoiser."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tiny_models import CONFIGS, PADDED, TRANSFORMER, woken

from tsprout.diffusion.denoiser import loss_weight
from tsprout.errors import InputError
from tsprout.model import CONFIGS as NAMED
from tsprout.model import Denoiser, ModelConfig, Noised


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("config", [*NAMED.values(), *CONFIGS.values()])
def test_configurations_survive_json(config: ModelConfig) -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_settings_left_out_have_their_defaults() -> None:
    assert ModelConfig.from_dict({}) == ModelConfig()
    assert ModelConfig.from_dict({"sigma_data": 1}).sigma_data == 1


@pytest.mark.parametrize(
    "values",
    [{"colour": 1}, {"width": "8"}, {"width": 8.5}, {"width": True}, {"multipliers": 3}, {"multipliers": [1, "2"]}]
    + [{"width": [1]}, {"backbone": 1}, {"sigma_data": None}],
)
def test_unknown_settings_and_wrong_types_are_refused(values: dict) -> None:
    with pytest.raises(InputError, match="setting"):
        ModelConfig.from_dict(values)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="no backbone called 'rnn'"):
        Denoiser(replace(TRANSFORMER, backbone="rnn"))


def test_fresh_weights_are_seeded_and_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = (Denoiser(TRANSFORMER, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


def test_loss_is_the_weighted_error_of_the_denoiser() -> None:
    model = woken(TRANSFORMER)
    clean, noise = torch.randn(3, 2, 16, generator=seeded()), torch.randn(3, 2, 16, generator=seeded(1))
    sigma = torch.tensor([0.1, 1.0, 5.0])
    with torch.no_grad():
        losses = model.losses(clean, None, sigma, noise)
        estimate = model(clean + sigma[:, None, None] * noise, sigma)
    weight = (sigma**2 + 1.5**2) / (sigma * 1.5) ** 2
    torch.testing.assert_close(losses, weight * ((estimate - clean) ** 2).mean((1, 2)))
    assert torch.equal(model.losses(clean, torch.ones_like(clean, dtype=torch.bool), sigma, noise) > 0, losses > 0)


@pytest.mark.parametrize("name", CONFIGS)
def test_groups_of_unlike_channels_have_the_losses_each_has_alone(name: str) -> None:
    model = woken(CONFIGS[name]).train()
    groups = []
    for seed, (count, channels) in enumerate([(3, 1), (2, 5), (1, 11)]):
        draw = seeded(seed)
        clean, noise = (
            torch.randn(count, channels, 16, generator=draw),
            torch.randn(count, channels, 16, generator=draw),
        )
        observed = torch.rand(count, channels, 16, generator=draw) > 0.3 if seed else None
        sigma, rows = torch.rand(count, generator=draw) + 0.1, torch.randint(-1, 3, (count,), generator=draw)
        groups.append(Noised(clean, observed, sigma, noise, rows))
    together = torch.cat(model.losses_of_groups(groups))
    alone = torch.cat([model.losses(*group) for group in groups])
    torch.testing.assert_close(together, alone)
    gradients = [torch.autograd.grad(x.sum(), list(model.parameters()), allow_unused=True) for x in (together, alone)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_what_is_not_counted_is_seen_and_not_learnt() -> None:
    model = woken(CONFIGS["transformer"])
    clean, noise = torch.randn(3, 2, 16, generator=seeded()), torch.randn(3, 2, 16, generator=seeded(1))
    counted, everything = torch.rand(3, 2, 16, generator=seeded(2)) > 0.3, torch.ones(3, 2, 16, dtype=torch.bool)
    sigma = torch.tensor([0.1, 1.0, 5.0])
    error = (model(clean + sigma[:, None, None] * noise, sigma) - clean) ** 2 * counted
    expected = error.sum((1, 2)) / counted.sum((1, 2)) * loss_weight(sigma, model.config.sigma_data)
    torch.testing.assert_close(model.losses(clean, everything, sigma, noise, counted=counted), expected)


@pytest.mark.parametrize("garbage", [1e4, float("nan"), float("inf")])
@pytest.mark.parametrize("name", CONFIGS)
def test_unobserved_cells_do_not_matter_to_the_loss(name: str, garbage: float) -> None:
    model = woken(CONFIGS[name])
    clean, noise = torch.randn(3, 2, 16, generator=seeded()), torch.randn(3, 2, 16, generator=seeded(1))
    observed = torch.rand(3, 2, 16, generator=seeded(2)) > 0.3
    observed[2] = False
    sigma = torch.tensor([0.1, 1.0, 5.0])
    one = model.losses(torch.where(observed, clean, 0), observed, sigma, noise)
    other = model.losses(torch.where(observed, clean, garbage), observed, sigma, noise)
    assert torch.equal(one, other)
    assert float(one[2].detach()) == 0
    other.sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_loss_of_a_fresh_model_is_about_one_at_every_level() -> None:
    model = Denoiser(TRANSFORMER)
    clean = model.config.sigma_data * torch.randn(512, 1, 16, generator=seeded())
    for level in (0.02, 1.0, 50.0):
        losses = model.losses(clean, None, torch.full((512,), level), torch.randn(512, 1, 16, generator=seeded(1)))
        assert float(losses.detach().mean()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", CONFIGS)
def test_sampling_is_seeded(name: str) -> None:
    model = woken(CONFIGS[name])
    drawn = [model.sample((2, 3, 12), seeded(s)) for s in (1, 1, 2)]
    assert drawn[0].shape == (2, 3, 12)
    assert not drawn[0].requires_grad
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(("solver", "steps", "calls"), [("heun", 5, 9), ("dpmpp-2m", 5, 5), (None, None, 3)])
def test_network_calls(solver: str | None, steps: int | None, calls: int) -> None:
    counted: list[int] = []
    model = woken(TRANSFORMER)
    model.sample((1, 1, 8), seeded(), solver=solver, steps=steps, on_step=lambda: counted.append(1))
    assert len(counted) == calls


def test_what_sampling_cannot_do_is_refused() -> None:
    model = woken(TRANSFORMER)
    with pytest.raises(InputError, match="no solver"):
        model.sample((1, 1, 8), seeded(), solver="euler")
    with pytest.raises(InputError, match="at least one step"):
        model.sample((1, 1, 8), seeded(), steps=0)


def test_token_and_prompt_change_what_is_sampled() -> None:
    model = woken(TRANSFORMER)
    plain = model.sample((2, 2, 12), seeded())
    with_token = model.sample((2, 2, 12), seeded(), rows=torch.tensor([1]))
    memory = model.encode(torch.randn(1, 4, 2, 12, generator=seeded(3)))
    with_prompt = model.sample((2, 2, 12), seeded(), memory=memory)
    assert float((plain - with_token).abs().max()) > 1e-3
    assert float((plain - with_prompt).abs().max()) > 1e-3


def test_guidance_goes_from_untold_through_told_and_beyond() -> None:
    model = woken(TRANSFORMER)
    shots = torch.randn(1, 4, 2, 16, generator=seeded(5))
    memory = model.encode(shots)
    rows = torch.tensor([1])

    def one_step(guidance: float | None, **told: object) -> torch.Tensor:
        return model.sample((3, 2, 16), seeded(1), steps=1, guidance=guidance, **told)

    plain = one_step(None, rows=rows, memory=memory)
    assert torch.equal(plain, one_step(1.0, rows=rows, memory=memory))
    untold = one_step(1.0)
    assert not torch.allclose(plain, untold)
    # One step returns the denoiser itself, so guidance is a straight line through both.
    for weight in (0.0, 0.5, 1.7):
        guided = one_step(weight, rows=rows, memory=memory)
        torch.testing.assert_close(guided, untold + weight * (plain - untold), rtol=1e-4, atol=1e-4)
    assert torch.equal(one_step(1.7, rows=rows), one_step(1.0, rows=rows))


def test_guidance_of_the_configuration_is_the_default_and_costs_a_second_call() -> None:
    guided = Denoiser(replace(TRANSFORMER, guidance=1.5))
    guided.load_state_dict(woken(TRANSFORMER).state_dict())
    memory = guided.encode(torch.randn(1, 4, 2, 16, generator=seeded(5)))
    calls: list[None] = []
    by_default = guided.sample((2, 2, 16), seeded(), memory=memory, steps=3, on_step=lambda: calls.append(None))
    assert len(calls) == 6
    assert torch.equal(by_default, guided.sample((2, 2, 16), seeded(), memory=memory, steps=3, guidance=1.5))
    calls.clear()
    guided.config = replace(guided.config, guidance_low=0.1, guidance_high=20.0)  # of 80, 5.3 and 0.01 only the second
    guided.sample((2, 2, 16), seeded(), memory=memory, steps=3, on_step=lambda: calls.append(None))
    assert len(calls) == 4


def test_facts() -> None:
    model = Denoiser(TRANSFORMER)
    assert model.parameter_count == sum(p.numel() for p in model.parameters())
    assert model.has_prompt and not Denoiser(PADDED).has_prompt
    assert model.device == torch.device("cpu")
    assert model.training_sigma(5, seeded()).shape == (5,)


def test_a_trained_model_learns_a_simple_set() -> None:
    # The one thing all parts are for: after a few steps samples look more like the data than before.
    model = Denoiser(replace(TRANSFORMER, prompt_depth=0, rows=0, sigma_data=1.0, steps=12), seed=1)
    generator = seeded()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        clean = torch.ones(64, 1, 8) * torch.randint(0, 2, (64, 1, 1), generator=generator) * 2 - 1
        sigma = model.training_sigma(64, generator)
        loss = model.losses(clean, None, sigma, torch.randn(64, 1, 8, generator=generator)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    drawn = model.eval().sample((200, 1, 8), seeded(1))
    # Series that are -1 or +1 throughout, about as many of each.
    assert float((drawn.abs() - 1).abs().mean()) < 0.3
    assert 0.25 < float((drawn.mean((1, 2)) > 0).float().mean()) < 0.75
    assert float(drawn.std(dim=-1).mean()) < 0.25


def test_weighting_acts_in_training_only_so_that_held_out_losses_compare() -> None:
    clean, noise = torch.randn(3, 2, 16, generator=seeded()), torch.randn(3, 2, 16, generator=seeded(1))
    sigma = torch.tensor([0.1, 1.5, 5.0])
    plain = woken(TRANSFORMER).losses(clean, None, sigma, noise).detach()
    for kind in ("velocity", "min-snr", "learned"):
        model = Denoiser(replace(TRANSFORMER, weighting=kind)).eval()
        model.backbone.load_state_dict(woken(TRANSFORMER).backbone.state_dict())
        assert torch.equal(model.losses(clean, None, sigma, noise).detach(), plain)
        trained = model.train().losses(clean, None, sigma, noise)
        # The learned weighting has the same value and a gradient of its own.
        assert torch.allclose(trained.detach(), plain) == (kind == "learned")


def test_learned_weighting_normalises_the_loss_and_gets_a_gradient() -> None:
    model = woken(replace(TRANSFORMER, weighting="learned")).train()
    assert model.uncertainty is not None
    clean, noise = torch.randn(3, 2, 16, generator=seeded()), torch.randn(3, 2, 16, generator=seeded(1))
    sigma, observed = torch.tensor([0.1, 1.5, 5.0]), torch.ones(3, 2, 16, dtype=torch.bool)
    observed[2] = False
    torch.nn.init.constant_(model.uncertainty.weight, 0.2)
    losses = model.losses(clean, observed, sigma, noise)
    plain = model.eval().losses(clean, observed, sigma, noise)
    torch.testing.assert_close(losses, plain)
    level, weights = model.uncertainty(sigma).detach(), [p for p in model.backbone.parameters() if p.requires_grad]
    for one in (0, 1):
        ours, theirs = (
            torch.autograd.grad(x[one], weights, retain_graph=True, allow_unused=True) for x in (losses, plain)
        )
        for a, b in zip(ours, theirs, strict=True):
            if a is not None:
                torch.testing.assert_close(a, b * (-level[one]).exp(), rtol=1e-3, atol=1e-5)
    slope = torch.autograd.grad(losses[0], model.uncertainty.weight, retain_graph=True)[0]
    # Of L exp(-u) + u by the weight of the constant feature.
    assert float(slope[-1]) == pytest.approx(1 - float(plain[0].detach() * (-level[0]).exp()), rel=1e-3)
    # A series that shows nothing teaches nothing.
    assert float(losses[2].detach()) == 0
    losses.sum().backward()
    assert model.uncertainty.weight.grad is not None and bool(model.uncertainty.weight.grad.any())


def test_what_only_training_needs_is_left_out_of_what_is_kept() -> None:
    config, weights = woken(replace(TRANSFORMER, weighting="learned")).settled()
    assert config == TRANSFORMER
    kept = Denoiser(config)
    kept.load_state_dict(weights)
    model = woken(TRANSFORMER)
    assert model.settled()[0] is model.config and set(model.settled()[1]) == set(weights)


def test_uniform_training_noise() -> None:
    model = Denoiser(replace(TRANSFORMER, noise="uniform", noise_low=0.1, noise_high=3.0))
    drawn = model.training_sigma(500, seeded())
    assert 0.1 <= float(drawn.min()) < 0.11 and 2.9 < float(drawn.max()) <= 3.0


@pytest.mark.parametrize(
    "setting",
    [{"guidance": float("nan")}, {"guidance": -1.0}, {"rho": 0.0}, {"canonical": 0}, {"prompt_depth": -1}]
    + [{"sigma_min": 2.0, "sigma_max": 1.0}, {"sigma_data": float("inf")}, {"steps": 0}],
)
def test_settings_that_make_no_model_are_refused(setting: dict) -> None:
    with pytest.raises(InputError) as caught:
        Denoiser(replace(TRANSFORMER, **setting))
    assert caught.value.fix
