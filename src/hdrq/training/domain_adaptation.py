"""Domain adaptation losses: the distance between two domains in feature space by CORAL, MMD or an adversary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hdrq.nn.net import Net
from hdrq.registry import find
from hdrq.training.settings import Settings


def deep_coral(source: Tensor, target: Tensor) -> Tensor:
    """||Cs - Ct||² / (4 d²) with sample covariances. Source: Sun & Saenko, ECCV 2016 W, doi:10.1007/978-3-319-49409-8_35."""
    d = source.shape[1]
    return ((_covariance(source) - _covariance(target)) ** 2).sum() / (4 * d * d)


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / max(1, x.shape[0] - 1)


def scatter(x: Tensor) -> Tensor:
    """Centred scatter matrix (d, d) of rows scaled jointly to [0, 1]; not divided by the number of rows."""
    x = x - x.min()
    x = x / (x.max() + 1e-9)
    centred = x.mean(0) - x
    return centred.T @ centred


class Coral:
    """CORAL as computed by the HDR domain-adaptation program: ||Ss - St|| / d of `scatter`, optionally smoothed.

    ema  weight of the new scatter matrix in a running average; 1 for no average. The program divides a smoothed
         difference by the number of rows (`divisor="rows"`), which is an error; "features" is the d of the paper.
    Source: Chubarau et al. 2024, HDR-IQA-dom-adapt abbf42b.
    """

    def __init__(self, ema: float = 1.0, divisor: str = "features") -> None:
        self.ema, self.divisor = ema, divisor
        self._kept: tuple[Tensor, Tensor] | None = None

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        now = scatter(source), scatter(target)
        if self.ema < 1:
            if self._kept is not None:
                a, b = (self.ema * n + (1 - self.ema) * k for n, k in zip(now, self._kept))
                now = (a, b)
            self._kept = (now[0].detach(), now[1].detach())
        below = source.shape[0] if self.divisor == "rows" and self.ema < 1 else source.shape[1]
        result: Tensor = (now[0] - now[1]).norm() / below
        return result

    def state(self) -> dict[str, Any]:
        return {"kept": self._kept}

    def restore(self, state: dict[str, Any]) -> None:
        self._kept = state["kept"]


def mmd(source: Tensor, target: Tensor, bandwidths: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)) -> Tensor:
    """Maximum mean discrepancy with Gaussian kernels whose bandwidths are multiples of the median distance.

    Source: Gretton et al., JMLR 2012; multi-kernel form of Long et al., ICML 2015.
    """
    both = torch.cat([source, target])
    apart = (both[:, None] - both[None]).square().sum(-1)
    n = source.shape[0]
    scale = (
        apart.detach()[~torch.eye(len(both), dtype=torch.bool, device=both.device)].median().clamp(min=1e-12)
    )
    kernel = torch.stack([torch.exp(-apart / (b * scale)) for b in bandwidths]).mean(0)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


class _Reverse(torch.autograd.Function):
    """Identity forward, the negative gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return -grad


class Adversary(nn.Module):
    """A small classifier of the domains behind a gradient reversal layer.

    Source: Ganin & Lempitsky, ICML 2015.
    """

    def __init__(self, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.guess = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Binary cross-entropy, minimised by the classifier and maximised by the features."""
        rows = _Reverse.apply(torch.cat([source, target]))
        truth = torch.cat([torch.zeros(len(source)), torch.ones(len(target))]).to(rows)
        return nn.functional.binary_cross_entropy_with_logits(self.guess(rows).squeeze(1), truth)


class Alignment(nn.Module):
    """Distance between two domains, with its running averages or parameters."""

    def __init__(self, kind: str, ema: float, features: int) -> None:
        super().__init__()
        self.kind = kind
        self.coral = Coral(ema)
        self.adversary = Adversary(features) if kind == "adversary" else None

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        if self.adversary is not None:
            result: Tensor = self.adversary(source, target)
            return result
        if self.kind == "deep-coral":
            return deep_coral(source, target)
        return mmd(source, target) if self.kind == "mmd" else self.coral(source, target)

    @classmethod
    def of(cls, settings: Settings, features: int = 0) -> Alignment:
        """The loss that the settings choose; features: their number, where they are not those of the paper's layer."""
        shelf: Net = find("net", settings.net)
        return cls(settings.align, settings.align_ema, features or shelf.features(settings.options))

    def group(self, rate: float) -> list[dict[str, Any]]:
        """Its parameters, as a group for the optimiser."""
        parameters = list(self.parameters())
        return [{"params": parameters, "lr": rate}] if parameters else []

    def memory(self) -> dict[str, Any]:
        """Running statistics of CORAL, for the checkpoint."""
        return self.coral.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.coral.restore(state)
