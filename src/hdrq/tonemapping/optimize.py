"""Optimisation of an operator's parameters for one image by a metric, by gradient or without one.

The search runs on a reduced image. What it finds is judged on the code that is written, at full size and rounded to
its bits, beside the parameters it began with, so that the result is never worse than those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any, Literal
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
import torch.nn.functional as F
from cmaes import CMA
from scipy.optimize import minimize_scalar
from torch import Tensor

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.scorer import Scorer
from hdrq.tonemapping.solvers.wls import Unsettled
from hdrq.tonemapping.tonemap import Plan, code_of, scene_of, shown

_SIDE = 512  # pixels of the longer side of the image that is searched on
_RATE = 0.15  # of Adam, in the logistic coordinate of a range
_ENDS = 0.02  # share of a range that its ends lie beyond a start
Method = Literal["auto", "gradient", "derivative-free"]


@dataclass(frozen=True)
class Step:
    """One value of the metric during the search, on the reduced image."""

    restart: int
    iteration: int
    value: float
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Tuned:
    """The result: values of the code that is written, before and after, and the settings to keep.

    better      direction of the metric, "higher" or "lower"
    parameters  settings of the operator; those of the start where the search found nothing better
    fixed       parameters of colour that were left alone, as the metric sees luminance alone
    """

    operator: str
    metric: str
    better: str
    before: float
    after: float
    parameters: Mapping[str, Any]
    method: str
    evaluations: int
    fixed: tuple[str, ...] = ()

    @property
    def improvement(self) -> float:
        """after - before, positive where the image got better."""
        return (self.after - self.before) * (1 if self.better == "higher" else -1)


def tune(
    image: Image,
    plan: Plan,
    scorer: Scorer,
    *,
    iterations: int = 60,
    restarts: int = 3,
    method: Method = "auto",
    seed: int = 0,
    photometry: Photometry | None = None,
) -> Iterator[Step | Tuned]:
    """Steps as they happen, then one Tuned. The parameters of the card's `tunes` are searched within their ranges.

    iterations  of each start; the first start is at the plan's settings, the others are spread by `seed`
    method      auto is the gradient, but where the card says that the result depends on a parameter in steps, or where
                the metric has no gradient
    raises      UsageError if nothing can be tuned, or if the metric judges the image alone by natural statistics
    """
    refuse_unreferenced(scorer)
    scene, _ = scene_of(image, photometry, plan.operator)
    small = _reduced(scene, scorer.metric.card.side)
    fixed = tuple(n for n in plan.operator.card.colour if _sees_luminance_alone(small, plan, scorer))
    ranges = [_Range(n, *span) for n, span in plan.operator.card.tunes.items() if n not in fixed]
    if not ranges:
        raise UsageError(f"{plan.operator.name} has no parameter to tune by {scorer}")
    sign = 1.0 if scorer.better == "higher" else -1.0
    start = [r.place(plan.settings.get(r.name, plan.operator.options[r.name].default)) for r in ranges]
    evaluations = 0

    def value(u: Tensor) -> Tensor:
        nonlocal evaluations
        evaluations += 1
        return sign * _judge(small, plan, scorer, {r.name: r.value(x) for r, x in zip(ranges, u)})

    how = _method(method, plan, scorer, ranges, value, start)
    searches = {"gradient": _by_gradient, "derivative-free": _by_evolution if len(ranges) > 1 else _along}
    finalists: list[dict[str, float]] = []
    for restart, begin in enumerate(_starts(start, restarts, seed)):
        best, found = -np.inf, begin
        for iteration, u, score in searches[how](value, begin, iterations, seed + restart):
            if score > best:
                best, found = score, list(u)
            yield Step(restart, iteration, sign * score, _named(ranges, u))
        finalists.append(_named(ranges, found))
    before = value_of_file(scene, plan, scorer)
    parameters: Mapping[str, Any] = plan.settings
    after = before
    for candidate in finalists:
        settings = {**plan.settings, **candidate}
        now = value_of_file(scene, replace(plan, settings=settings), scorer)
        if sign * now > sign * after:
            after, parameters = now, settings
    yield Tuned(
        plan.operator.name,
        str(scorer),
        scorer.better,
        before,
        after,
        dict(parameters),
        how,
        evaluations,
        fixed,
    )


def refuse_unreferenced(scorer: Scorer) -> None:
    """Raise UsageError for a metric of natural statistics alone: its optimum is overexposed and noisy."""
    if not scorer.full_reference and scorer.net is None:
        raise UsageError(
            f"{scorer} judges an image by its statistics alone, and prefers overexposed ones; "
            "optimise by a metric that compares with the scene, such as tmqi"
        )


def value_of_file(scene: Tensor, plan: Plan, scorer: Scorer) -> float:
    """The metric of a scene and its code as it is written: at full size, dithered if asked, rounded to its bits."""
    with torch.no_grad(), catch_warnings():
        simplefilter("ignore", Unsettled)
        return value_of_code(scene, code_of(shown(scene, plan), plan), scorer)


def value_of_code(scene: Tensor, code: Image, scorer: Scorer) -> float:
    """The metric of a scene and its code, rounded to the code's bits."""
    if code.bits:
        steps = 2**code.bits - 1
        code = replace(code, pixels=(code.pixels * steps).round() / steps)
    return float(_compare(scene, code, scorer).mean())


def _compare(scene: Tensor, code: Image, scorer: Scorer) -> Tensor:
    return scorer(Image(scene, "nits"), code) if scorer.full_reference else scorer(code)


def _judge(scene: Tensor, plan: Plan, scorer: Scorer, parameters: Mapping[str, Any]) -> Tensor:
    """The metric of a scene and its code, not rounded, so that there is a gradient."""
    now = replace(plan, settings={**plan.settings, **parameters}, dither=False)
    with catch_warnings():
        simplefilter("ignore", Unsettled)  # tone mapping the file says so
        return _compare(scene, code_of(shown(scene, now), now), scorer).mean()


def _sees_luminance_alone(scene: Tensor, plan: Plan, scorer: Scorer) -> bool:
    """Whether the metric reads one mixture of the channels: its gradient by them has one direction everywhere."""
    if scorer.dist.grey or scorer.dist.channel:
        return True
    with torch.no_grad():
        code = code_of(shown(scene, plan), replace(plan, dither=False))
    pixels = code.pixels.detach().clone().requires_grad_(True)
    result = _compare(scene, replace(code, pixels=pixels), scorer)
    if not result.requires_grad:
        return False
    (slope,) = torch.autograd.grad(result.sum(), pixels)
    channels = slope.transpose(0, 1).flatten(1).double()
    powers = torch.linalg.eigvalsh(channels @ channels.T)
    return bool(powers[-2] <= 1e-6 * powers[-1])


@dataclass(frozen=True)
class _Range:
    """A parameter within (low, high), searched on a logistic coordinate; on its logarithm where it spans decades."""

    name: str
    low: float
    high: float

    @property
    def decades(self) -> bool:
        return self.low > 0 and self.high / self.low >= 8

    def value(self, u: Tensor) -> Tensor:
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


def _named(ranges: list[_Range], u: list[float]) -> dict[str, float]:
    return {r.name: float(r.value(torch.tensor(x, dtype=torch.float64))) for r, x in zip(ranges, u)}


def _starts(first: list[float], count: int, seed: int) -> Iterator[list[float]]:
    """The first, then points of a Latin hypercube over the ranges."""
    yield first
    chance = np.random.default_rng(seed)
    rest = count - 1
    if rest > 0:
        cells = np.stack([chance.permutation(rest) for _ in first], 1)
        shares = np.clip((cells + chance.random(cells.shape)) / rest, _ENDS, 1 - _ENDS)
        yield from np.log(shares / (1 - shares)).tolist()


def _method(
    asked: Method,
    plan: Plan,
    scorer: Scorer,
    ranges: list[_Range],
    value: Callable[[Tensor], Tensor],
    start: list[float],
) -> str:
    """gradient or derivative-free."""
    if asked == "derivative-free":
        return asked
    stepped = [r.name for r in ranges if r.name in plan.operator.card.stepped]
    smooth = not stepped and _has_gradient(value, start)
    if asked == "gradient" and not smooth:
        reason = f"depends on {', '.join(stepped)} in steps" if stepped else f"has no gradient by {scorer}"
        raise UsageError(f"{plan.operator.name} {reason}; optimise it without derivatives")
    return "gradient" if smooth else "derivative-free"


def _has_gradient(value: Callable[[Tensor], Tensor], start: list[float]) -> bool:
    u = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    result = value(u)
    if not result.requires_grad:
        return False
    (slope,) = torch.autograd.grad(result, u, allow_unused=True)
    return slope is not None and bool(torch.isfinite(slope).all())


Found = Iterator[tuple[int, list[float], float]]


def _by_gradient(value: Callable[[Tensor], Tensor], begin: list[float], iterations: int, seed: int) -> Found:
    """Adam, with a rate that falls to an eighth. Source: Kingma & Ba 2015."""
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


def _score(value: Callable[[Tensor], Tensor], x: list[float]) -> float:
    with torch.no_grad():
        score = float(value(torch.tensor(x, dtype=torch.float64)))
    return score if np.isfinite(score) else -1e9


def _by_evolution(value: Callable[[Tensor], Tensor], begin: list[float], iterations: int, seed: int) -> Found:
    """CMA-ES, `iterations` evaluations. Source: Hansen 2016, arXiv:1604.00772."""
    yield 0, begin, _score(value, begin)
    search = CMA(mean=np.array(begin), sigma=1.0, seed=seed)
    done = 1
    while done < iterations:
        tried = []
        for _ in range(search.population_size):
            x = search.ask()
            score = _score(value, list(x))
            tried.append((x, -score))
            yield done, list(x), score
            done += 1
        search.tell(tried)


def _along(value: Callable[[Tensor], Tensor], begin: list[float], iterations: int, seed: int) -> Found:
    """One parameter: even shares of its range, then golden sections around the best of them."""
    grid = max(iterations // 2, 3)
    shift = np.random.default_rng(seed).random()
    shares = (np.arange(grid) + shift) / grid * (1 - 2 * _ENDS) + _ENDS
    places = [begin[0], *np.log(shares / (1 - shares))]
    scores = [_score(value, [x]) for x in places]
    yield from ((i, [x], s) for i, (x, s) in enumerate(zip(places, scores)))
    ordered = sorted(places)
    i = ordered.index(places[int(np.argmax(scores))])
    bounds = ordered[max(i - 1, 0)], ordered[min(i + 1, len(ordered) - 1)]
    seen: list[tuple[float, float]] = []

    def loss(x: float) -> float:
        score = _score(value, [x])
        seen.append((x, score))
        return -score

    minimize_scalar(loss, bounds=bounds, method="bounded", options={"maxiter": max(iterations - grid, 1)})
    yield from ((grid + 1 + k, [x], s) for k, (x, s) in enumerate(seen))


def _reduced(scene: Tensor, least: int) -> Tensor:
    """Averaged so that the longer side is near 512 pixels, and the shorter one not below `least`."""
    factor = max(1, round(max(scene.shape[-2:]) / _SIDE))
    factor = max(1, min(factor, min(scene.shape[-2:]) // max(least, 1)))
    return F.avg_pool2d(scene, factor) if factor > 1 else scene
