"""Muon: what its iteration makes of a matrix, and that it is the published optimiser."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tsprout.train.muon import Muon, orthogonalise

SHAPES = [(24, 24), (24, 24), (48, 24), (24, 60)]


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 16), (2, 16, 40)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = orthogonalise(matrices)
    assert made.shape == matrices.shape
    values = torch.linalg.svdvals(made)
    # The smallest ones need more iterations than five; the rest lies in the band that the polynomial settles in.
    assert bool((values < 1.25).all())
    assert bool((values[:, : shape[0] * 4] > 0.65).float().mean() > 0.9)
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    inside = u.mT @ made @ v.mT
    away = inside - torch.diag_embed(inside.diagonal(dim1=1, dim2=2))
    assert float(away.abs().max()) < 1e-9


def test_scale_of_the_gradient_does_not_matter() -> None:
    matrix = torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalise(matrix), orthogonalise(1000 * matrix), rtol=1e-4, atol=1e-5)


def test_zero_gradients_give_no_step() -> None:
    parameter = nn.Parameter(torch.ones(4, 4))
    parameter.grad = torch.zeros(4, 4)
    Muon([parameter], lr=0.1).step()
    assert bool((parameter == 1).all())


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon to compare with")
def test_agrees_with_torch_up_to_its_bfloat16() -> None:
    def parameters() -> list[nn.Parameter]:
        generator = torch.Generator().manual_seed(2)
        return [nn.Parameter(0.1 * torch.randn(shape, generator=generator)) for shape in SHAPES]

    ours, theirs = parameters(), parameters()
    optimizers = (
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    generator = torch.Generator().manual_seed(3)
    begun = [p.detach().clone() for p in ours]
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b, start in zip(ours, theirs, begun, strict=True):
        moved = float((a - start).detach().norm())
        assert float((a - b).detach().norm()) < 0.02 * moved


def test_a_parameter_without_gradient_stays_and_vectors_are_refused() -> None:
    matrix = nn.Parameter(torch.ones(3, 3))
    Muon([matrix], lr=0.1, weight_decay=0.5).step()
    assert bool((matrix == 1).all())
    with pytest.raises(ValueError, match="matrices"):
        Muon([nn.Parameter(torch.ones(3))], lr=0.1)


def test_the_iteration_may_have_an_arithmetic_of_its_own() -> None:
    made = []
    for dtype in (None, torch.bfloat16):
        parameter = nn.Parameter(torch.zeros(16, 16))
        parameter.grad = torch.randn(16, 16, generator=torch.Generator().manual_seed(4))
        Muon([parameter], lr=1.0, dtype=dtype).step()
        made.append(parameter.detach())
        assert parameter.dtype == torch.float32
    assert not torch.equal(*made)
    torch.testing.assert_close(*made, rtol=0.1, atol=0.1)
