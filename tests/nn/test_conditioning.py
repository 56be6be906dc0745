"""What the denoiser is told: order of the shots, missing cells, padding and absent conditions."""

from __future__ import annotations

import pytest
import torch
from tiny_models import TRANSFORMER, UNET, woken

from tsprout.errors import InputError
from tsprout.nn.conditioning import Conditioner, DatasetToken, FourierFeatures, Memory
from tsprout.nn.dyconv import DyPatchEmbed

WIDTH = 16


@pytest.fixture
def conditioner() -> Conditioner:
    torch.manual_seed(0)
    made = Conditioner(WIDTH, rows=3, prompt_depth=2, heads=2, dimension=4, period=4.0).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.requires_grad_(False)


@pytest.fixture
def patch() -> DyPatchEmbed:
    torch.manual_seed(1)
    return DyPatchEmbed(WIDTH, 8, 4).requires_grad_(False)


def shots(length: int = 12, count: int = 5, groups: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(groups, count, 3, length, generator=generator)
    observed = torch.rand(values.shape, generator=generator) > 0.2
    return values, observed, torch.ones(groups, dtype=torch.bool)


def read(memory: Memory, which: int = 0) -> torch.Tensor:
    """What one query at any place reads from a group's memory: a function of the set of its valid tokens."""
    tokens, positions = memory.tokens[which], memory.positions[which]
    query = torch.randn(tokens.shape[-1], generator=torch.Generator().manual_seed(3))
    weight = (tokens @ query + 0.1 * positions).masked_fill(~memory.valid[which], float("-inf")).softmax(0)
    return weight @ tokens


def test_fourier_features() -> None:
    layer = FourierFeatures(5, features=8)
    assert layer(torch.zeros(3)).shape == (3, 5)
    assert not torch.equal(layer(torch.tensor([0.1])), layer(torch.tensor([0.2])))
    assert "frequencies" not in layer.state_dict()


def test_token_minus_one_is_the_null_token() -> None:
    token = DatasetToken(3, 4)
    torch.nn.init.normal_(token.null)
    out = token(torch.tensor([-1, 2, 0]))
    assert torch.equal(out, torch.stack([token.null, token.table[2], token.table[0]]))
    torch.testing.assert_close(token.mean(), token.table.mean(0))


def test_order_of_the_shots_does_not_matter(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots()
    order = torch.tensor([3, 1, 4, 0, 2])
    one = conditioner.encode(patch, values, observed, present)
    other = conditioner.encode(patch, values[:, order], observed[:, order], present)
    torch.testing.assert_close(one.vector, other.vector, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(read(one), read(other), rtol=1e-4, atol=1e-5)


def test_the_shots_do_matter(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots()
    one = conditioner.encode(patch, values, observed, present)
    other = conditioner.encode(patch, values.flip(-1), observed, present)
    assert float((one.vector - other.vector).abs().max()) > 1e-3
    assert float((one.vector[0] - one.vector[1]).abs().max()) > 1e-3


@pytest.mark.parametrize("garbage", [1e6, float("nan"), float("inf")])
def test_unobserved_cells_do_not_matter(conditioner: Conditioner, patch: DyPatchEmbed, garbage: float) -> None:
    values, observed, present = shots()
    one = conditioner.encode(patch, values, observed, present)
    other = conditioner.encode(patch, torch.where(observed, values, garbage), observed, present)
    assert torch.equal(one.vector, other.vector)
    assert torch.equal(one.tokens, other.tokens)


def test_shots_of_which_nothing_is_observed_do_not_matter(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots()
    one = conditioner.encode(patch, values, observed, present)
    more = torch.cat([values, torch.full_like(values[:, :2], 7.0)], dim=1)
    seen = torch.cat([observed, torch.zeros_like(observed[:, :2])], dim=1)
    other = conditioner.encode(patch, more, seen, present)
    torch.testing.assert_close(one.vector, other.vector)
    torch.testing.assert_close(read(one), read(other))
    assert int(other.valid.sum()) == int(one.valid.sum())


def test_padding_of_a_shorter_shot_does_not_matter(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots(length=8)
    one = conditioner.encode(patch, values, observed, present)
    padded = torch.nn.functional.pad(values, (0, 4), value=9.0)
    other = conditioner.encode(patch, padded, torch.nn.functional.pad(observed, (0, 4)), present)
    torch.testing.assert_close(one.vector, other.vector)
    torch.testing.assert_close(read(one), read(other))


def test_groups_do_not_see_each_other(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots()
    both = conditioner.encode(patch, values, observed, present)
    alone = conditioner.encode(patch, values[1:], observed[1:], present[1:])
    torch.testing.assert_close(both.vector[1:], alone.vector)
    torch.testing.assert_close(both.tokens[1:], alone.tokens)


def test_a_dropped_prompt_is_the_null_memory(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, _ = shots()
    memory = conditioner.encode(patch, values, observed, torch.tensor([True, False]))
    assert conditioner.prompt is not None
    nothing = conditioner.prompt.nothing(1)
    assert torch.equal(memory.vector[1:], nothing.vector)
    torch.testing.assert_close(read(memory, 1), read(nothing))
    assert not torch.equal(memory.vector[0], memory.vector[1])
    assert nothing.present.tolist() == [False]


def test_a_set_with_nothing_observed_at_all_is_finite(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots()
    memory = conditioner.encode(patch, values, torch.zeros_like(observed), present)
    assert bool(memory.tokens.isfinite().all())
    assert bool(memory.vector.isfinite().all())
    assert bool(memory.valid.any(dim=1).all())


@pytest.mark.parametrize("length", [1, 3, 4, 5, 11])
def test_prompts_of_any_length(conditioner: Conditioner, patch: DyPatchEmbed, length: int) -> None:
    values, observed, present = shots(length=length)
    memory = conditioner.encode(patch, values, observed, present)
    columns = -(-length // 4)
    assert memory.tokens.shape == (2, 5 * columns, WIDTH)
    assert memory.positions.shape == memory.valid.shape == (2, 5 * columns)


def test_the_vector_tells_noise_size_token_and_prompt(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    values, observed, present = shots(groups=1)
    memory = conditioner.encode(patch, values, observed, present)
    noise = torch.tensor([0.1])
    base = conditioner(noise, 3, 12, None, None)
    assert base.shape == (1, WIDTH)
    told = [
        conditioner(noise + 1, 3, 12, None, None),
        conditioner(noise, 4, 12, None, None),
        conditioner(noise, 3, 13, None, None),
        conditioner(noise, 3, 12, torch.tensor([1]), None),
        conditioner(noise, 3, 12, None, memory),
    ]
    for other in told:
        assert float((other - base).abs().max()) > 1e-4
    assert torch.equal(conditioner(noise, 3, 12, torch.tensor([-1]), None), base)


def test_every_series_of_a_group_gets_its_own_groups_prompt(conditioner: Conditioner, patch: DyPatchEmbed) -> None:
    memory = conditioner.encode(patch, *shots())
    vector = conditioner(torch.zeros(6), 3, 12, None, memory)
    torch.testing.assert_close(vector[0], vector[2])
    torch.testing.assert_close(vector[3], vector[5])
    assert float((vector[0] - vector[3]).abs().max()) > 1e-3


def test_parts_can_be_left_out(patch: DyPatchEmbed) -> None:
    bare = Conditioner(WIDTH, rows=0, prompt_depth=0, heads=2, dimension=4, period=4.0)
    assert bare.token is None and bare.prompt is None
    assert bare(torch.zeros(2), 1, 8, None, None).shape == (2, WIDTH)
    with pytest.raises(InputError, match="no prompt encoder"):
        bare.encode(patch, *shots())


@pytest.mark.parametrize("config", [TRANSFORMER, UNET], ids=["transformer", "unet"])
def test_what_is_sampled_does_not_depend_on_the_order_of_the_shots(config) -> None:
    model = woken(config)
    values, observed, _ = shots(groups=1)
    order = torch.tensor([3, 1, 4, 0, 2])
    drawn = [
        model.sample((4, 3, 12), torch.Generator().manual_seed(5), memory=model.encode(v, o))
        for v, o in ((values, observed), (values[:, order], observed[:, order]), (values.flip(-1), observed))
    ]
    torch.testing.assert_close(drawn[0], drawn[1], rtol=1e-3, atol=1e-3)
    assert float((drawn[0] - drawn[2]).abs().max()) > 1e-2
