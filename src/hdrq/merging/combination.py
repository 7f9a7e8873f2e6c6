"""Frames to radiance: every frame is added to running sums, strip by strip, and then forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.calibration import Calibration
from hdrq.merging.exposure_stack import Bracket, Survey
from hdrq.merging.response.curve import look_up
from hdrq.merging.rule import quotient
from hdrq.merging.view import View, views
from hdrq.merging.weights import Edge, keep_ends, weight_table
from hdrq.registry import find, names

Weigh = Literal["channel", "mean", "code"]
FAINT = 1e-9  # weight of the least trusted code: decides only where nothing else does


@dataclass(frozen=True)
class Recipe:
    """How frames are weighed.

    rule    a rule of the shelf of mergers;  weight: a name of ops/exposure_weights, of the code
    weigh   "channel": every channel by its own code; "mean": by the mean of the channels' weights;
            "code": by the weight of the channels' mean code
    edge    what the outer frames do with the codes that only they hold
    hollow  "toolbox": pixels whose Σ w is 1e-4 or less are taken from an outer frame, as HDR Toolbox does
    """

    rule: str = "photon-count"
    weight: str = "sigmoid"
    weigh: Weigh = "channel"
    edge: Edge = "hold"
    hollow: Literal["", "toolbox"] = ""
    black: float = 0.0


def rules() -> tuple[str, ...]:
    return tuple(n for n in names("merger") if find("merger", n).card.kind == "rule")


@dataclass
class Tables:
    """What codes stand for in one stack: light (C or 1, levels), its step from one code of the files to the next, and
    weights (levels,) per frame."""

    light: Tensor
    step: Tensor
    weights: list[Tensor]
    shortest: int
    longest: int
    coarse: bool

    @classmethod
    def of(
        cls, levels: int, native: int, calibration: Calibration, recipe: Recipe, survey: Survey, device, dtype
    ) -> Tables:
        x = np.linspace(0, 1, levels)
        curve = calibration.response.table(levels)
        code = np.minimum(x / survey.ceiling, 1.0)
        plain = weight_table(recipe.weight, code)
        faint = FAINT * (np.minimum(code, 1 - code) + 1e-4)
        shortest, longest = int(np.argmin(calibration.seconds)), int(np.argmax(calibration.seconds))
        ends = {shortest: (True, False), longest: (False, True)}
        if recipe.edge == "toolbox":  # which does so only where a frame has such codes at all
            ends = {
                shortest: (survey.high[shortest] > 0.9, False),
                longest: (False, survey.low[longest] < 0.1),
            }
        tables = [
            keep_ends(plain, code, *ends.get(k, (False, False)), recipe.edge)
            + faint * (recipe.edge == "hold")
            for k in range(len(calibration.seconds))
        ]

        def tensor(a: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(a), dtype=dtype, device=device)

        step = np.gradient(curve, axis=0) * (levels - 1) / (native - 1)
        return cls(
            tensor(curve.T), tensor(step.T), [tensor(t) for t in tables], shortest, longest, native == 256
        )


def light_of(view: View, tables: Tables) -> Tensor:
    """Exposure of every pixel of a view, (C, h, W)."""
    return view.light.to(tables.light) if view.light is not None else look_up(view.codes, tables.light)


def weight_of(view: View, tables: Tables, k: int, weigh: Weigh) -> Tensor:
    """Weight of every pixel of a view, (C, h, W); 0 outside the frame."""
    table = tables.weights[k]
    if weigh == "code":
        at = view.codes.to(table.dtype).mean(0)
        low = at.floor().long().clamp(max=len(table) - 2)
        w = (table[low] + (at - low) * (table[low + 1] - table[low]))[None].expand(view.codes.shape)
    else:
        w = table.take(view.codes.long())
        w = w.mean(0, keepdim=True).expand(w.shape) if weigh == "mean" else w
    if view.mixed is not None:
        w = w * ~(view.mixed[0] & (k != tables.longest) | view.mixed[1] & (k != tables.shortest))
    return w * view.inside


class Sums:
    """Σ above, Σ below and, where asked for, Σ of squared shares of noise; (C, H, W) each."""

    def __init__(self, shape: tuple[int, int, int], dtype: torch.dtype, device, uncertain: bool) -> None:
        self.above = torch.zeros(shape, dtype=dtype, device=device)
        self.below = torch.zeros(shape, dtype=dtype, device=device)
        self.noise = torch.zeros(shape, dtype=torch.float32, device=device) if uncertain else None


def combine(
    bracket: Bracket,
    alignment: Alignment,
    calibration: Calibration,
    recipe: Recipe,
    *,
    trust: Callable[[int, View, Tensor, Tables], Tensor | None] | None = None,
    frames: list[int] | None = None,
    uncertain: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor | None]:
    """(radiance, standard error or None), (C, H, W) of the common area, in response's units over relative seconds.

    trust  called with (frame, view, light, tables) for every strip, in the order of `frames`; returns (1, h, W) or
           (C, h, W) factors 0..1 on the weights, or None for all 1
    """
    if recipe.rule not in rules():
        raise UsageError(f"no rule is called '{recipe.rule}'; there are {', '.join(rules())}")
    rule = find("merger", recipe.rule)
    top, bottom, left, right = alignment.area
    shape = (bracket.channels, bottom - top, right - left)
    dtype = torch.float64 if shape[1] * shape[2] <= 1_000_000 else torch.float32
    order = list(range(len(bracket))) if frames is None else frames
    first = None
    if recipe.rule == "least-noise":
        first, _ = combine(
            bracket,
            alignment,
            calibration,
            Recipe("photon-count", recipe.weight, recipe.weigh, recipe.edge),
            trust=trust,
            frames=frames,
            device=device,
        )
    sums = Sums(shape, dtype, device, uncertain)
    logarithmic = recipe.rule == "log-mean"
    for k, view, light, weight, tables in _weighed(
        bracket, alignment, calibration, recipe, order, trust, dtype, device
    ):
        t = float(calibration.seconds[k])
        rows = slice(view.top, view.bottom)
        options: dict[str, Any] = {}
        if first is not None:
            options["variance"] = _variance(first[:, rows].to(light) * t, calibration, tables).clamp(
                min=1e-12
            )
        elif logarithmic:
            options["black"] = recipe.black
        above, below = rule(light, weight, t, **options)
        sums.above[:, rows] += above
        sums.below[:, rows] += below
        if sums.noise is not None:
            share = weight / light.clamp(min=1e-9) if logarithmic else _share(above, light)
            sums.noise[:, rows] += (share.square() * _variance(light, calibration, tables)).float()
    radiance = quotient(sums.above, sums.below, logarithmic)
    if recipe.black:
        radiance = radiance.clamp(min=0)
    if recipe.hollow:
        _fill_hollow(radiance, sums.below, bracket, alignment, calibration, recipe, device)
    error = None
    if sums.noise is not None:
        error = (
            sums.noise.to(dtype).sqrt() / sums.below.clamp(min=1e-300) * (radiance if logarithmic else 1)
        ).float()
        error = torch.minimum(error, radiance.float())
    return radiance.float(), error


def _share(above: Tensor, light: Tensor) -> Tensor:
    """What one unit of light adds to the upper sum."""
    return above / light.clamp(min=1e-12)


def _variance(light: Tensor, calibration: Calibration, tables: Tables) -> Tensor:
    """Of exposures in the response's units."""
    white = float(calibration.response.curve[-1].max())
    return calibration.noise.variance((light / white).clamp(min=0)) * white**2


def _weighed(bracket, alignment, calibration, recipe, order, trust, dtype, device) -> Iterator[tuple]:
    """(frame, view, light, weight, tables) of every strip of every frame."""
    cache: dict[int, Tables] = {}
    for k in order:
        for view in views(bracket, alignment, k, device):
            if view.levels not in cache:
                cache[view.levels] = Tables.of(
                    view.levels, bracket.levels, calibration, recipe, alignment.survey, device, dtype
                )
            tables = cache[view.levels]
            light = light_of(view, tables)
            weight = weight_of(view, tables, k, recipe.weigh)
            believed = trust(k, view, light, tables) if trust else None
            yield k, view, light, weight if believed is None else weight * believed, tables


def _fill_hollow(radiance: Tensor, below: Tensor, bracket, alignment, calibration, recipe, device) -> None:
    """HDR Toolbox's holes: whole pixels from the shortest frame where the middle one is bright, else the longest."""
    order = bracket.order
    middle, ends = order[(len(order) - 1) // 2], (order[0], order[-1])
    for view in views(bracket, alignment, middle, device):
        rows = slice(view.top, view.bottom)
        empty = (below[:, rows] <= 1e-4).any(0)
        bright = view.codes.double().mean(0) / (view.levels - 1) > 0.5
        for k, wanted in ((ends[0], empty & bright), (ends[1], empty & ~bright)):
            for other in views(bracket, alignment, k, device, (view.top, view.bottom)):
                tables = Tables.of(
                    other.levels,
                    bracket.levels,
                    calibration,
                    recipe,
                    alignment.survey,
                    device,
                    radiance.dtype,
                )
                light = light_of(other, tables) / float(calibration.seconds[k])
                radiance[:, rows] = torch.where(wanted, light, radiance[:, rows])
