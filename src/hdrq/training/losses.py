"""Training losses: error, ranking and correlation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hdrq.errors import UsageError

_EPS = 1e-6


def mae(pred: Tensor, label: Tensor) -> Tensor:
    """Mean absolute error of (N,) scores."""
    return (pred - label).abs().mean()


def mse(pred: Tensor, label: Tensor) -> Tensor:
    """Mean squared error of (N,) scores."""
    return ((pred - label) ** 2).mean()


def rank(pred: Tensor, label: Tensor) -> Tensor:
    """Ranking loss over all pairs i < j of a batch; zero for pairs in the right order.

    relu(-(y_i - y_j)(p_i - p_j) / (|y_i - y_j| + 1e-6)) / max(|p_i|, |p_j|), averaged over pairs.
    Source: VTAMIQ, doi:10.48550/arXiv.2110.01655, as implemented in its program.
    """
    n = pred.numel()
    if n < 2:
        return pred.sum() * 0
    i, j = torch.triu_indices(n, n, 1, device=pred.device)
    apart = label[i] - label[j]
    wrong = torch.relu(-apart * (pred[i] - pred[j]) / (apart.abs() + _EPS))
    return (wrong / torch.maximum(pred[i].abs(), pred[j].abs())).mean()


def pearson(pred: Tensor, label: Tensor) -> Tensor:
    """1 - r, with Pearson's r clipped to [0, 1]: no gradient where the correlation is negative. Source as `rank`."""
    if pred.numel() < 2:
        return pred.sum() * 0
    p, y = pred - pred.mean(), label - label.mean()
    r = (p * y).sum() / ((p.norm() + _EPS) * (y.norm() + _EPS))
    result: Tensor = 1 - r.clamp(0, 1)
    return result


LOSSES = {"mae": mae, "mse": mse, "rank": rank, "pearson": pearson}


def mixed(weights: Mapping[str, float], pred: Tensor, label: Tensor) -> Tensor:
    """Weighted sum of named losses: {"mae": 1, "rank": 1, "pearson": 0.2}."""
    unknown = set(weights) - set(LOSSES)
    if unknown:
        raise UsageError(f"there is no loss '{min(unknown)}'; use one of {', '.join(LOSSES)}")
    return torch.stack([w * LOSSES[name](pred, label) for name, w in weights.items()]).sum()
