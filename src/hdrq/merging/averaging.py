"""Weighted averaging of frames to radiance: every frame is added to running sums, strip by strip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip, strips
from hdrq.merging.cards import Terms, quotient
from hdrq.merging.exposure_stack import ExposureStack, Survey
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.curve import look_up
from hdrq.merging.weights import Edge, keep_ends, weight_table
from hdrq.registry import find, names

Weigh = Literal["channel", "mean", "code"]
# weight of the least trusted codes, which matter only where no frame has more
FAINT = 1e-9


@dataclass(frozen=True)
class Weighting:
    """How frames are weighted.

    rule        an averaging rule (merging/rules);  weight: a function of the code (merging/weights.py)
    weigh       "channel": every channel by its own code; "mean": by the mean of the channels' weights;
                "code": by the weight of the channels' mean code
    edge        weights of the shortest and the longest frame for codes that only they expose
    fill_holes  "toolbox": pixels with Σ w of at most 1e-4 are taken from an outer frame, as in HDR Toolbox
    offset      added to exposures before the logarithm, by logarithmic rules
    """

    rule: str = "photon-count"
    weight: str = "sigmoid"
    weigh: Weigh = "channel"
    edge: Edge = "hold"
    fill_holes: Literal["", "toolbox"] = ""
    offset: float = 0.0


def rules() -> tuple[str, ...]:
    """Names of the averaging rules."""
    return names("merger")


@dataclass
class Tables:
    """Tables of a stack: light of every code (C or 1, levels), the step to the next code of the files, and
    weights (levels,) per frame."""

    light: Tensor
    step: Tensor
    weights: list[Tensor]
    shortest: int
    longest: int
    coarse: bool

    @classmethod
    def of(
        cls,
        levels: int,
        native: int,
        calibration: Calibration,
        weighting: Weighting,
        survey: Survey,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> Tables:
        x = np.linspace(0, 1, levels)
        curve = calibration.response.table(levels)
        code = np.minimum(x / survey.ceiling, 1.0)
        plain = weight_table(weighting.weight, code)
        faint = FAINT * (np.minimum(code, 1 - code) + 1e-4)
        shortest, longest = int(np.argmin(calibration.seconds)), int(np.argmax(calibration.seconds))
        ends = {shortest: (True, False), longest: (False, True)}
        # only where a frame has such codes
        if weighting.edge == "toolbox":
            ends = {
                shortest: (survey.high[shortest] > 0.9, False),
                longest: (False, survey.low[longest] < 0.1),
            }
        tables = [
            keep_ends(plain, code, *ends.get(k, (False, False)), weighting.edge)
            + faint * (weighting.edge == "hold")
            for k in range(len(calibration.seconds))
        ]

        def tensor(a: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(a), dtype=dtype, device=device)

        step = np.gradient(curve, axis=0) * (levels - 1) / (native - 1)
        return cls(
            tensor(curve.T), tensor(step.T), [tensor(t) for t in tables], shortest, longest, native == 256
        )


def light_of(strip: Strip, tables: Tables) -> Tensor:
    """Exposure of every pixel of a strip, (C, h, W)."""
    return strip.light.to(tables.light) if strip.light is not None else look_up(strip.codes, tables.light)


def weight_of(strip: Strip, tables: Tables, k: int, weigh: Weigh) -> Tensor:
    """Weight of every pixel of a strip, (C, h, W); 0 outside the frame."""
    table = tables.weights[k]
    if weigh == "code":
        at = strip.codes.to(table.dtype).mean(0)
        low = at.floor().long().clamp(max=len(table) - 2)
        w = (table[low] + (at - low) * (table[low + 1] - table[low]))[None].expand(strip.codes.shape)
    else:
        w = look_up(strip.codes, table)
        w = w.mean(0, keepdim=True).expand(w.shape) if weigh == "mean" else w
    usable = usable_of(strip, tables, k)
    return w if usable is None else w * usable


def usable_of(strip: Strip, tables: Tables, k: int) -> Tensor | None:
    """1 where a strip of frame k may be used, else 0, (1, h, W); None for 1 everywhere.

    Not outside the frame, nor beside black except in the longest frame, nor beside white except in the shortest.
    """
    usable = None if strip.inside.numel() == 1 else strip.inside
    if strip.near_clipped is not None:
        for beside, end in zip(strip.near_clipped, (tables.longest, tables.shortest)):
            if k != end:
                usable = (1 - beside)[None] if usable is None else usable * (1 - beside)
    return usable


class Sums:
    """Σ numerator, Σ denominator and, if requested, Σ of squared noise contributions; (C, H, W) each."""

    def __init__(
        self, shape: tuple[int, int, int], dtype: torch.dtype, device: torch.device | str, uncertain: bool
    ) -> None:
        self.numerator = torch.empty(shape, dtype=dtype, device=device)
        self.denominator = torch.empty(shape, dtype=dtype, device=device)
        self.noise = torch.zeros(shape, dtype=torch.float32, device=device) if uncertain else None

    def add(self, rows: slice, terms: Sequence[Tensor], first: bool) -> None:
        """Numerator and denominator of some rows of a frame; those of the first frame are written."""
        for total, part in zip((self.numerator, self.denominator), terms):
            into = total[:, rows]
            into.copy_(part) if first else into.add_(part)


# a strip of a frame, and its tables
Piece = tuple[Strip, Tables]


class Ghosts(Protocol):
    """Factors on the weights of frames where something moved, for frames in a given order."""

    def factors(self, k: int, pieces: Iterable[Piece]) -> Iterator[tuple[*Piece, Tensor | None]]:
        """The strips of frame k, each with factors 0..1, (1, h, W) or (C, h, W), or None for all 1."""


def combine(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    weighting: Weighting,
    *,
    ghosts: Ghosts | None = None,
    frames: list[int] | None = None,
    uncertain: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[Tensor, Tensor | None]:
    """(radiance, standard error or None), (C, H, W) of the common area, in units of the response per relative second.

    ghosts  factors on the weights, asked for frame by frame in the order of `frames`
    """
    if weighting.rule not in rules():
        raise UsageError(f"unknown rule '{weighting.rule}'; choose one of {', '.join(rules())}")
    rule = find("merger", weighting.rule)
    top, bottom, left, right = alignment.area
    shape = (stack.channels, bottom - top, right - left)
    dtype = torch.float64 if shape[1] * shape[2] <= 1_000_000 else torch.float32
    order = list(range(len(stack))) if frames is None else frames
    first = None
    if rule.card.first_pass:
        plain = replace(weighting, rule=rule.card.first_pass, fill_holes="", offset=0.0)
        first, _ = combine(stack, alignment, calibration, plain, ghosts=ghosts, frames=frames, device=device)
    sums = Sums(shape, dtype, device, uncertain)
    logarithmic = rule.card.logarithmic
    options: dict[str, Any] = {"offset": weighting.offset} if logarithmic else {}
    terms: dict[tuple[int, int], Terms] = {}
    for k, strip, tables, factor in _weighed(
        stack, alignment, calibration, weighting, order, ghosts, dtype, device
    ):
        t = float(calibration.seconds[k])
        rows = slice(strip.top, strip.bottom)
        if strip.light is None and weighting.weigh == "channel" and first is None and not uncertain:
            # both are functions of the code
            if (k, strip.levels) not in terms:
                terms[k, strip.levels] = rule(tables.light, tables.weights[k], t, **options)
            usable = usable_of(strip, tables, k)
            factor = usable if factor is None else factor if usable is None else factor * usable
            parts = [look_up(strip.codes, table) for table in terms[k, strip.levels]]
            sums.add(rows, parts if factor is None else [p.mul_(factor) for p in parts], k == order[0])
            continue
        light, weight = light_of(strip, tables), weight_of(strip, tables, k, weighting.weigh)
        weight = weight if factor is None else weight * factor
        if first is not None:
            options["variance"] = _variance(first[:, rows].to(light) * t, calibration, tables).clamp(
                min=1e-12
            )
        numerator, denominator = rule(light, weight, t, **options)
        sums.add(rows, (numerator, denominator), k == order[0])
        if sums.noise is not None:
            # the contribution of one unit of exposure to the numerator
            share = weight / light.clamp(min=1e-9) if logarithmic else numerator / light.clamp(min=1e-12)
            sums.noise[:, rows] += (share.square() * _variance(light, calibration, tables)).float()
    radiance = quotient(sums.numerator, sums.denominator, logarithmic)
    if weighting.offset and logarithmic:
        radiance = radiance.clamp(min=0)
    if weighting.fill_holes:
        _fill_holes(radiance, sums.denominator, stack, alignment, calibration, weighting, device)
    error = None
    if sums.noise is not None:
        error = (
            sums.noise.to(dtype).sqrt()
            / sums.denominator.clamp(min=1e-300)
            * (radiance if logarithmic else 1)
        ).float()
        error = torch.minimum(error, radiance.float())
    return radiance.float(), error


def _variance(light: Tensor, calibration: Calibration, tables: Tables) -> Tensor:
    """Variance of exposures in the response's units."""
    white = float(calibration.response.curve[-1].max())
    result: Tensor = calibration.noise.variance((light / white).clamp(min=0)) * white**2
    return result


def _weighed(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    weighting: Weighting,
    order: Sequence[int],
    ghosts: Ghosts | None,
    dtype: torch.dtype,
    device: torch.device | str,
) -> Iterator[tuple[int, Strip, Tables, Tensor | None]]:
    """(frame, strip, tables, factor of the ghosts) of every strip of every frame."""
    cache: dict[int, Tables] = {}

    def pieces(k: int) -> Iterator[Piece]:
        for strip in strips(stack, alignment, k, device):
            if strip.levels not in cache:
                cache[strip.levels] = Tables.of(
                    strip.levels, stack.levels, calibration, weighting, alignment.survey, device, dtype
                )
            yield strip, cache[strip.levels]

    for k in order:
        found = ghosts.factors(k, pieces(k)) if ghosts else ((*piece, None) for piece in pieces(k))
        for strip, tables, factor in found:
            yield k, strip, tables, factor


def _fill_holes(
    radiance: Tensor,
    denominator: Tensor,
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    weighting: Weighting,
    device: torch.device | str,
) -> None:
    """Holes as in HDR Toolbox: whole pixels from the shortest frame where the middle one is bright, else the longest."""
    order = stack.order
    middle, ends = order[(len(order) - 1) // 2], (order[0], order[-1])
    for strip in strips(stack, alignment, middle, device):
        rows = slice(strip.top, strip.bottom)
        empty = (denominator[:, rows] <= 1e-4).any(0)
        bright = strip.codes.double().mean(0) / (strip.levels - 1) > 0.5
        for k, wanted in ((ends[0], empty & bright), (ends[1], empty & ~bright)):
            for other in strips(stack, alignment, k, device, (strip.top, strip.bottom)):
                tables = Tables.of(
                    other.levels,
                    stack.levels,
                    calibration,
                    weighting,
                    alignment.survey,
                    device,
                    radiance.dtype,
                )
                light = light_of(other, tables) / float(calibration.seconds[k])
                radiance[:, rows] = torch.where(wanted, light, radiance[:, rows])
