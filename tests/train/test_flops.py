"""Counted operations are those of the products there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import PADDED, TRANSFORMER

from tsprout.data.corpus.episodes import Batch
from tsprout.model import Denoiser
from tsprout.train.flops import count_flops, training_flops


def test_a_linear_layer() -> None:
    layer, x = torch.nn.Linear(5, 7), torch.randn(3, 5)
    # Forward, and the gradient of the weight; the input needs none.
    assert count_flops(lambda: layer(x).sum()) == 2 * (2 * 3 * 5 * 7)
    two = torch.nn.Sequential(layer, torch.nn.Linear(7, 2))
    assert count_flops(lambda: two(x).sum()) == 2 * (2 * 3 * 5 * 7) + 3 * (2 * 3 * 7 * 2)


def batch(series: int, shots: int = 0) -> Batch:
    own, seen = np.zeros((1, shots, 2, 24), np.float32), np.ones((1, shots, 2, 24), bool)
    targets = np.zeros((1, series, 2, 24), np.float32)
    return Batch(own, seen, targets, np.ones_like(targets, bool), np.array([0]))


def test_a_step_is_the_sum_of_its_pieces_and_leaves_the_model_alone() -> None:
    model = Denoiser(PADDED)
    one = training_flops(model, [batch(4)])
    assert training_flops(model, [batch(4)] * 3) == 3 * one
    assert all(parameter.grad is None for parameter in model.parameters())
    # All but the conditioning grows with the series, and that is a small part.
    assert training_flops(model, [batch(8)]) == pytest.approx(2 * one, rel=0.05)


def test_the_feed_forward_layers_are_as_many_as_calculated() -> None:
    # What one layer more costs: 6 columns a series, all products of a layer, and their two gradients.
    model, deeper = (Denoiser(replace(TRANSFORMER, prompt_depth=0, rows=0, depth=d)) for d in (1, 2))
    width, tokens, heads = 16, 4 * 6, 2
    layer = tokens * width * (3 * width + width + 8 * width) + 2 * 4 * heads * 6 * 6 * (width // heads)
    modulation = 4 * width * 6 * width
    found = training_flops(deeper, [batch(4)]) - training_flops(model, [batch(4)])
    assert found == 3 * 2 * (layer + modulation)


def test_a_prompt_costs() -> None:
    model = Denoiser(TRANSFORMER)
    assert training_flops(model, [batch(4, shots=3)]) > training_flops(model, [batch(4)])
