"""Parameters of an operator tuned for one picture by a metric: by gradient where there is one, else by simplex."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any, Literal
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.scorer import Scorer
from hdrq.tonemapping.solvers.wls import Unsettled
from hdrq.tonemapping.tonemap import Plan, code_of, scene_of, shown

_SIDE = 512  # pixels of the longer side that the search looks at
_RATE = 0.15  # of Adam, in units of the search range's logistic coordinate


@dataclass(frozen=True)
class Step:
    """One value seen on the way."""

    restart: int
    iteration: int
    value: float
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Tuned:
    """The end: values of the whole picture before and after, and the parameters to keep.

    Where the search found nothing better on the whole picture, the parameters are the ones it began with.
    """

    operator: str
    metric: str
    before: float
    after: float
    parameters: Mapping[str, Any]
    method: str
    evaluations: int


def tune(
    image: Image,
    plan: Plan,
    scorer: Scorer,
    *,
    iterations: int = 60,
    restarts: int = 3,
    method: Literal["auto", "adam", "simplex"] = "auto",
    seed: int = 0,
    photometry: Photometry | None = None,
) -> Iterator[Step | Tuned]:
    """Steps as they happen, then one Tuned. Every parameter of the card's `tunes` is searched within its range."""
    tunes = plan.operator.card.tunes
    if not tunes:
        raise UsageError(f"{plan.operator.name} has no parameter to tune")
    ranges = [_Range(name, *span) for name, span in tunes.items()]
    scene = scene_of(image, photometry)
    small = _smaller(scene)
    sign = 1.0 if scorer.metric.card.better == "higher" else -1.0
    start = [r.place(plan.settings.get(r.name, plan.operator.options[r.name].default)) for r in ranges]
    before = float(_judge(scene, plan, scorer, {}))
    counter = [0]

    def value(u: Tensor) -> Tensor:
        counter[0] += 1
        return sign * _judge(small, plan, scorer, {r.name: r.value(x) for r, x in zip(ranges, u)})

    gradient = method != "simplex" and _has_gradient(value, torch.tensor(start, dtype=scene.dtype))
    if method == "adam" and not gradient:
        raise UsageError(f"{scorer} of {plan.operator.name} has no gradient; use the simplex")
    search = _adam if gradient else _simplex
    chance = np.random.default_rng(seed)
    best, found = -np.inf, start
    for restart in range(restarts):
        begin = start if restart == 0 else list(np.array(start) + chance.normal(0, 1.2, len(start)))
        for iteration, u, score in search(value, begin, iterations, scene.dtype):
            if score > best:
                best, found = score, list(u)
            parameters = {r.name: float(r.value(torch.tensor(x))) for r, x in zip(ranges, u)}
            yield Step(restart, iteration, sign * score, parameters)
    parameters = {r.name: float(r.value(torch.tensor(x, dtype=torch.float64))) for r, x in zip(ranges, found)}
    after = float(_judge(scene, plan, scorer, parameters))
    if not sign * after > sign * before:
        parameters, after = {}, before
    how = "adam" if gradient else "simplex"
    yield Tuned(
        plan.operator.name, str(scorer), before, after, {**plan.settings, **parameters}, how, counter[0]
    )


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
        share = min(max(share, 0.02), 0.98)
        return log(share / (1 - share))


def _judge(scene: Tensor, plan: Plan, scorer: Scorer, parameters: Mapping[str, Any]) -> Tensor:
    """The metric of a scene and its development."""
    now = replace(plan, settings={**plan.settings, **parameters}, dither=False)
    with catch_warnings():
        simplefilter("ignore", Unsettled)  # developing the picture says so
        code = code_of(shown(scene, now), now)
    reference = Image(scene, "nits")
    value = scorer(reference, code) if scorer.full_reference else scorer(code)
    return value.mean()


def _has_gradient(value: Callable[[Tensor], Tensor], u: Tensor) -> bool:
    """Whether the value depends on every coordinate by a finite gradient."""
    u = u.clone().requires_grad_(True)
    try:
        result = value(u)
        if not result.requires_grad:
            return False
        (slope,) = torch.autograd.grad(result, u)
    except (TypeError, RuntimeError):
        return False
    return bool(torch.isfinite(slope).all() and (slope != 0).all())


Found = Iterator[tuple[int, list[float], float]]


def _adam(
    value: Callable[[Tensor], Tensor], begin: list[float], iterations: int, dtype: torch.dtype
) -> Found:
    u = torch.tensor(begin, dtype=dtype, requires_grad=True)
    rule = torch.optim.Adam([u], lr=_RATE)
    for i in range(iterations):
        rule.zero_grad()
        score = value(u)
        here = u.detach().tolist()
        yield i, here, float(score.detach())
        (-score).backward()
        if u.grad is None or not torch.isfinite(u.grad).all():
            return
        rule.param_groups[0]["lr"] = _RATE * exp(-2 * i / iterations)
        rule.step()


def _simplex(
    value: Callable[[Tensor], Tensor], begin: list[float], iterations: int, dtype: torch.dtype
) -> Found:
    seen: list[tuple[list[float], float]] = []

    def loss(x: np.ndarray) -> float:
        with torch.no_grad():
            score = float(value(torch.tensor(x, dtype=dtype)))
        seen.append((list(x), score))
        return -score if np.isfinite(score) else 1e9

    corners = np.vstack([begin, *(np.array(begin) + 0.8 * e for e in np.eye(len(begin)))])
    minimize(loss, begin, method="Nelder-Mead", options={"maxfev": iterations, "initial_simplex": corners})
    for i, (x, score) in enumerate(seen):
        yield i, x, score


def _smaller(scene: Tensor) -> Tensor:
    """Averaged so that the longer side is near what the search looks at."""
    factor = max(1, round(max(scene.shape[-2:]) / _SIDE))
    return F.avg_pool2d(scene, factor) if factor > 1 else scene
