r"""Hierarchical contrastive loss of TS2Vec (Yue et al. 2022, arXiv 2106.10466, section 3.3 and algorithm 1).

Two views of the same time steps give the rows :math:`r` and :math:`r'`. Of series i at step t, with the dot product as
likeness,

.. math:: \ell_{temp} = -\log \frac{e^{r_{it} \cdot r'_{it}}}
          {\sum_{t'} e^{r_{it} \cdot r'_{it'}} + \sum_{t' \neq t} e^{r_{it} \cdot r_{it'}}}, \quad
          \ell_{inst} = -\log \frac{e^{r_{it} \cdot r'_{it}}}
          {\sum_{j} e^{r_{it} \cdot r'_{jt}} + \sum_{j \neq i} e^{r_{it} \cdot r_{jt}}}

so that other steps of the series, and other series at the step, are what a row must differ from. Both views are in turn
the first. The mean of both losses is averaged over a hierarchy: max-pooling by two along time until one step is left,
where only the second loss is defined.
"""

from __future__ import annotations

import torch
from torch import Tensor


def hierarchical_loss(first: Tensor, second: Tensor) -> Tensor:
    """Loss ``(E,)`` of E networks for two views ``(E, B, T, D)`` of the same B series and T steps."""
    total, levels = torch.zeros(len(first)), 0
    while True:
        steps = first.shape[2]
        likeness = (first * second).sum(-1).mean((1, 2))
        across = _partition(first.transpose(1, 2), second.transpose(1, 2)) - likeness
        if steps > 1:
            total = total + 0.5 * (across + _partition(first, second) - likeness)
        else:
            total = total + 0.5 * across
        levels += 1
        if steps == 1:
            return total / levels
        first, second = _halved(first), _halved(second)


def _halved(view: Tensor) -> Tensor:
    even = view.shape[2] // 2 * 2
    return torch.maximum(view[:, :, 0:even:2], view[:, :, 1:even:2])


def _partition(first: Tensor, second: Tensor) -> Tensor:
    """``(E,)`` mean logarithm of the denominators among the rows ``(E, G, N, D)`` of each group G and both views."""
    rows = torch.cat([first, second], 2)
    products = rows @ rows.transpose(2, 3)
    own = torch.eye(rows.shape[2], dtype=torch.bool)
    return products.masked_fill(own, float("-inf")).logsumexp(-1).mean((1, 2))
