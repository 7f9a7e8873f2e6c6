"""Parameter ranges, and searches within them: by gradient, by evolution, along a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch
from torch import Tensor

# learning rate of Adam, in the logistic coordinate of a range
_RATE = 0.15
# share of a range that its ends lie beyond a start
_ENDS = 0.02
Value = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Range:
    """A parameter within (low, high), searched on a logistic coordinate; on its logarithm where it spans decades."""

    name: str
    low: float
    high: float

    @property
    def decades(self) -> bool:
        """Whether the range is searched on a logarithmic scale."""
        return self.low > 0 and self.high / self.low >= 8

    def value(self, u: Tensor) -> Tensor:
        """The parameter of an unbounded number u: a sigmoid over the range, or over its logarithm."""
        share = torch.sigmoid(u)
        if self.decades:
            return torch.exp(log(self.low) + share * (log(self.high) - log(self.low)))
        return self.low + share * (self.high - self.low)

    def place(self, value: float | None) -> float:
        """The coordinate of a value; the middle for an automatic one."""
        if value is None:
            return 0.0
        if self.decades:
            share = (log(max(float(value), 1e-30)) - log(self.low)) / (log(self.high) - log(self.low))
        else:
            share = (float(value) - self.low) / (self.high - self.low)
        share = min(max(share, _ENDS), 1 - _ENDS)
        return log(share / (1 - share))


# Levels of the finished image, after the operator: stops of exposure and exponent of luminance.
LEVELS = (Range("levels ev", -3.0, 3.0), Range("levels power", 0.5, 2.0))


def named(ranges: list[Range], u: list[float]) -> dict[str, float]:
    """{parameter: value} of unbounded numbers u."""
    return {r.name: float(r.value(torch.tensor(x, dtype=torch.float64))) for r, x in zip(ranges, u)}


def starts(first: list[float], count: int, seed: int) -> list[list[float]]:
    """The first, then points of a Latin hypercube over the ranges."""
    chance = np.random.default_rng(seed)
    rest = count - 1
    if rest < 1:
        return [first]
    cells = np.stack([chance.permutation(rest) for _ in first], 1)
    shares = np.clip((cells + chance.random(cells.shape)) / rest, _ENDS, 1 - _ENDS)
    found: list[list[float]] = np.log(shares / (1 - shares)).tolist()
    return [first, *found]


Found = Iterator[tuple[int, list[float], float]]


def by_gradient(value: Value, begin: list[float], iterations: int, seed: int) -> Found:
    """Adam with a learning rate that decreases to an eighth. Source: Kingma & Ba 2015."""
    u = torch.tensor(begin, dtype=torch.float64, requires_grad=True)
    rule = torch.optim.Adam([u], lr=_RATE)
    for i in range(iterations):
        rule.zero_grad()
        score = value(u)
        yield i, u.detach().tolist(), float(score.detach())
        (-score).backward()
        if u.grad is None or not torch.isfinite(u.grad).all():
            return
        rule.param_groups[0]["lr"] = _RATE * exp(-2 * i / iterations)
        rule.step()


def score_of(value: Value, x: list[float]) -> float:
    """The score at x; -1e9 where it is not finite."""
    with torch.no_grad():
        score = float(value(torch.tensor(x, dtype=torch.float64)))
    return score if np.isfinite(score) else -1e9


def by_evolution(value: Value, begin: list[float], iterations: int, seed: int) -> Found:
    """CMA-ES, `iterations` evaluations. Source: Hansen 2016, arXiv:1604.00772."""
    yield 0, begin, score_of(value, begin)
    # here, because it imports scipy.stats, which takes longer than most tone mapping
    from cmaes import CMA

    search = CMA(mean=np.array(begin), sigma=1.0, seed=seed)
    done = 1
    while done < iterations:
        tried = []
        for _ in range(search.population_size):
            x = search.ask()
            score = score_of(value, list(x))
            tried.append((x, -score))
            yield done, list(x), score
            done += 1
        search.tell(tried)


def along(value: Value, begin: list[float], iterations: int, seed: int) -> Found:
    """Search of one parameter: equally spaced values of its range, then golden sections around the best of them."""
    grid = max(iterations // 2, 3)
    shift = np.random.default_rng(seed).random()
    shares = (np.arange(grid) + shift) / grid * (1 - 2 * _ENDS) + _ENDS
    places = [begin[0], *np.log(shares / (1 - shares))]
    scores = [score_of(value, [x]) for x in places]
    yield from ((i, [x], s) for i, (x, s) in enumerate(zip(places, scores)))
    from scipy.optimize import minimize_scalar

    ordered = sorted(places)
    i = ordered.index(places[int(np.argmax(scores))])
    bounds = ordered[max(i - 1, 0)], ordered[min(i + 1, len(ordered) - 1)]
    seen: list[tuple[float, float]] = []

    def loss(x: float) -> float:
        score = score_of(value, [x])
        seen.append((x, score))
        return -score

    minimize_scalar(loss, bounds=bounds, method="bounded", options={"maxiter": max(iterations - grid, 1)})
    yield from ((grid + 1 + k, [x], s) for k, (x, s) in enumerate(seen))
