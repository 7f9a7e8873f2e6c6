"""Optimisation of an operator's parameters for one image by a metric, with or without gradients.

The search uses a reduced image. Its result is evaluated on the written code, at full size and rounded to
its bits, and compared with the initial parameters, so that it is never worse than those. Besides the operator's own
parameters it changes the levels of the finished image (exposure and contrast), unless the plan states them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.scorer import Scorer
from hdrq.tonemapping.parameter_search import (
    LEVELS,
    Range,
    along,
    by_evolution,
    by_gradient,
    named,
    score_of,
    starts,
)
from hdrq.tonemapping.plan import Plan
from hdrq.tonemapping.solvers.wls import Unsettled
from hdrq.tonemapping.tonemap import code_of, scene_of, shown

# pixels of the longer side of the image that is searched on
_SIDE = 512
STARTS = 3
Method = Literal["auto", "gradient", "derivative-free"]


@dataclass(frozen=True)
class Step:
    """One value of the metric during the search, on the reduced image; restart -1 while starts are compared."""

    restart: int
    iteration: int
    value: float
    parameters: Mapping[str, float]


@dataclass(frozen=True)
class Tuned:
    """The result: values for the written code, before and after, and the settings to keep.

    better      direction of the metric, "higher" or "lower"
    parameters  settings of the operator; the initial ones where the search found nothing better
    levels      (stops, exponent) of the finished image, None where they were not changed
    fixed       parameters of colour that were not changed, because the metric uses only luminance
    """

    operator: str
    metric: str
    better: str
    before: float
    after: float
    parameters: Mapping[str, Any]
    levels: tuple[float, float] | None
    method: str
    evaluations: int
    fixed: tuple[str, ...] = ()

    @property
    def improvement(self) -> float:
        """after - before, positive where the image improved."""
        return (self.after - self.before) * (1 if self.better == "higher" else -1)


def tune(
    image: Image,
    plan: Plan,
    scorer: Scorer,
    *,
    iterations: int = 60,
    restarts: int = STARTS,
    method: Method = "auto",
    seed: int = 0,
    photometry: Photometry | None = None,
) -> Iterator[Step | Tuned]:
    """Steps as they occur, then one Tuned. The parameters of the card's `tunes` are searched within their ranges.

    iterations  per start. The first start is at the plan's settings and keeps the levels and what the settings leave
                to the operator (None). The second starts at the result of the first and changes everything, as do the others,
                which start at the best of `iterations` points spread by `seed`
    method      auto is the gradient, except where the card states that the result depends on a parameter in steps, or where
                the metric has no gradient
    raises      UsageError if nothing can be optimised, or if the metric uses only natural statistics of the image
    """
    refuse_unreferenced(scorer)
    plan = plan.for_image(image, photometry)
    scene, _ = scene_of(image, photometry, plan)
    small = _reduced(scene, scorer.metric.card.side)
    fixed = tuple(n for n in plan.operator.card.colour if _sees_luminance_alone(small, plan, scorer))
    used = {n: s for n, s in plan.operator.card.tunes.items() if plan.operator.uses(n, plan.settings)}
    ranges = [Range(n, *span) for n, span in used.items() if n not in fixed]
    if not ranges:
        raise UsageError(f"{plan.operator.name} has no parameter to tune by {scorer}")
    present = {r.name: plan.settings.get(r.name, plan.operator.options[r.name].default) for r in ranges}
    if plan.levels is None:
        ranges += LEVELS
        present |= dict(zip((r.name for r in LEVELS), (0.0, 1.0)))
    sign = 1.0 if scorer.better == "higher" else -1.0
    evaluations = 0

    def value_by(searched: Sequence[Range]) -> Callable[[Tensor], Tensor]:
        def value(u: Tensor) -> Tensor:
            nonlocal evaluations
            evaluations += 1
            return sign * _value_of_light(
                small, _planned(plan, {r.name: r.value(x) for r, x in zip(searched, u)}), scorer
            )

        return value

    first = [r.place(present[r.name]) for r in ranges]
    how = _method(method, plan, scorer, ranges, value_by(ranges), first)
    stated = [r for r in ranges if r not in LEVELS and present[r.name] is not None] or ranges
    begins = [(stated, [r.place(present[r.name]) for r in stated])]
    ranked = []
    for i, u in enumerate(starts(first, iterations + 1, seed)[1:] if restarts > 1 else []):
        ranked.append((score_of(value_by(ranges), u), u))
        yield Step(-1, i, sign * ranked[-1][0], named(ranges, u))
    ranked.sort(key=lambda pair: -pair[0])
    begins += [(ranges, first)][: restarts - 1] + [(ranges, u) for _, u in ranked[: max(restarts - 2, 0)]]
    finalists: list[dict[str, float]] = []
    for restart, (searched, begin) in enumerate(begins):
        if restart == 1:
            begin = [r.place(finalists[0].get(r.name, present[r.name])) for r in ranges]
        best, found = -np.inf, begin
        search = by_gradient if how == "gradient" else by_evolution if len(searched) > 1 else along
        for iteration, u, score in search(value_by(searched), begin, iterations, seed + restart):
            if score > best:
                best, found = score, list(u)
            yield Step(restart, iteration, sign * score, named(searched, u))
        finalists.append(named(searched, found))
    before = after = value_of_file(scene, plan, scorer)
    chosen = plan
    for candidate in finalists:
        planned = _planned(plan, candidate)
        now = value_of_file(scene, planned, scorer)
        if sign * now > sign * after:
            after, chosen = now, planned
    yield Tuned(
        plan.operator.name,
        str(scorer),
        scorer.better,
        before,
        after,
        dict(chosen.settings),
        None if chosen.levels is None else (float(chosen.levels[0]), float(chosen.levels[1])),
        how,
        evaluations,
        fixed,
    )


def steps_of(iterations: int, restarts: int = STARTS) -> int:
    """Approximate number of records that `tune` yields."""
    return iterations * restarts + (iterations if restarts > 1 else 0) + 1


def _planned(plan: Plan, values: Mapping[str, Any]) -> Plan:
    """The plan with these values of parameters and levels."""
    ours = {n: v for n, v in values.items() if n in plan.operator.options}
    named: list[Any] = [values.get(r.name) for r in LEVELS]
    levels = plan.levels if named[0] is None else (named[0], named[1])
    return replace(plan, settings={**plan.settings, **ours}, levels=levels)


def refuse_unreferenced(scorer: Scorer) -> None:
    """Raise UsageError for a metric of natural statistics only: its optimum is overexposed and noisy."""
    if not scorer.full_reference and scorer.net is None:
        raise UsageError(
            f"{scorer} uses only statistics of the image and prefers overexposed ones; "
            "use a metric that compares with the scene, such as tmqi"
        )


def value_of_file(scene: Tensor, plan: Plan, scorer: Scorer) -> float:
    """The metric of a scene and its code as it is written: full size, dithered if requested, rounded to its bits."""
    with torch.no_grad(), catch_warnings():
        simplefilter("ignore", Unsettled)
        return value_of_code(Image(scene, "nits", plan.working), code_of(shown(scene, plan), plan), scorer)


def value_of_code(scene: Image, code: Image, scorer: Scorer) -> float:
    """The metric of a scene's light and its code, rounded to the code's bits."""
    if code.bits:
        steps = 2**code.bits - 1
        code = replace(code, pixels=(code.pixels * steps).round() / steps)
    return float(_compare(scene, code, scorer).mean())


def _compare(scene: Image, code: Image, scorer: Scorer) -> Tensor:
    return scorer(scene, code) if scorer.full_reference else scorer(code)


def _value_of_light(scene: Tensor, plan: Plan, scorer: Scorer) -> Tensor:
    """The metric of a scene and its code, not rounded, so that there is a gradient."""
    with catch_warnings():
        # the note is given when the file is tone-mapped
        simplefilter("ignore", Unsettled)
        code = code_of(shown(scene, plan), replace(plan, dither=False))
        return _compare(Image(scene, "nits", plan.working), code, scorer).mean()


def _sees_luminance_alone(scene: Tensor, plan: Plan, scorer: Scorer) -> bool:
    """Whether the metric reads one weighted sum of the channels: its gradient has the same direction everywhere."""
    if scorer.dist.grey or scorer.dist.channel:
        return True
    with torch.no_grad():
        code = code_of(shown(scene, plan), replace(plan, dither=False))
    pixels = code.pixels.detach().clone().requires_grad_(True)
    result = _compare(Image(scene, "nits", plan.working), replace(code, pixels=pixels), scorer)
    if not result.requires_grad:
        return False
    (slope,) = torch.autograd.grad(result.sum(), pixels)
    channels = slope.transpose(0, 1).flatten(1).double()
    powers = torch.linalg.eigvalsh(channels @ channels.T)
    return bool(powers[-2] <= 1e-6 * powers[-1])


def _method(
    wanted: Method,
    plan: Plan,
    scorer: Scorer,
    ranges: list[Range],
    value: Callable[[Tensor], Tensor],
    start: list[float],
) -> str:
    """gradient or derivative-free."""
    if wanted == "derivative-free":
        return wanted
    stepped = [r.name for r in ranges if r.name in plan.operator.card.stepped]
    smooth = not stepped and _has_gradient(value, start)
    if wanted == "gradient" and not smooth:
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


def _reduced(scene: Tensor, least: int) -> Tensor:
    """Averaged so that the longer side is about 512 pixels, and the shorter one at least `least`."""
    factor = max(1, round(max(scene.shape[-2:]) / _SIDE))
    factor = max(1, min(factor, min(scene.shape[-2:]) // max(least, 1)))
    return F.avg_pool2d(scene, factor) if factor > 1 else scene
