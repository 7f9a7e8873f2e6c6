"""A bracket of exposures to radiance, or to a fused picture, with a report of everything found on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.image.color import luminance
from hdrq.io import identify
from hdrq.io.exposures import Exposure, exposures_of
from hdrq.io.raw import SUFFIXES, Factors, reader
from hdrq.merging.alignment.chain import Alignment, Method, align
from hdrq.merging.calibration import Calibration, Samples, calibrate, check_response, take_samples
from hdrq.merging.combination import Recipe, combine, rules
from hdrq.merging.deghosting.patching import patched
from hdrq.merging.deghosting.trust import BitmapTrust, ReferenceTrust
from hdrq.merging.exposure_stack import Bracket
from hdrq.merging.fusion import fuse
from hdrq.merging.raw_render import develop, develop_error
from hdrq.merging.report import MergeReport, report_of
from hdrq.merging.response.curve import Response
from hdrq.merging.weights import WEIGHTS
from hdrq.records import BT709, Image

Scale = Literal["auto", "absolute", "relative", "median"]
Deghost = Literal["auto", "reference", "bitmap", "patch", "none"]
# Luminance at which a sensor of speed S clips is 78 N²/(0.65 S t) cd/m² (ISO 12232, saturation-based speed, with
# q = 0.65), which is 78 / (0.65 K) times the luminance a meter calls mid-grey.
CLIP_OVER_GREY = 78 / (0.65 * 12.5)


@dataclass(frozen=True)
class Settings:
    """What a merge is asked to do; every field has the meaning of the option of the same name at the prompt."""

    times: Sequence[float] | None = None
    ev: Sequence[float] | None = None
    table: str | None = None
    allow_equal: bool = False
    estimate_exposures: bool = False
    response: str = "auto"
    recipe: Recipe = field(default_factory=Recipe)
    align: Method = "auto"
    crop: Literal["common", "reference"] = "common"
    deghost: Deghost = "auto"
    reference: int | None = None
    scale: Scale = "auto"
    fuse: bool = False
    fusion_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    uncertainty: bool = False
    white: float | None = None
    black: float | None = None
    balance: str | Factors = "camera"
    demosaic: Literal["before", "after"] = "before"
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class Merged:
    """The picture, what belongs beside it, and the report."""

    image: Image
    report: MergeReport
    response: Response | None
    uncertainty: Tensor | None = None
    ghosts: Tensor | None = None


def merge(paths: Sequence[str | Path], settings: Settings | None = None) -> Merged:
    """Everything at once; see `steps` for a generator that tells where it is."""
    for step in steps(paths, settings or Settings()):
        if isinstance(step, Merged):
            return step
    raise PixelError("the merge ended without a picture")


def steps(paths: Sequence[str | Path], settings: Settings) -> Iterator[str | Merged]:
    """The name of every step before it is done; at last the Merged."""
    if len(paths) < 2:
        raise UsageError("a stack of one frame cannot be merged; give at least two exposures")
    _check(settings)
    for path in paths:
        if Path(path).suffix.lower() in SUFFIXES:
            reader()
        else:
            identify(path)
    device = settings.device
    exposures = _exposures(paths, settings)
    bracket = Bracket(
        paths,
        exposures,
        white=settings.white,
        black=settings.black,
        balance=settings.balance,
        mosaic=settings.demosaic == "after",
        equal=settings.allow_equal or settings.fuse,
    )
    yield "aligning"
    told = not settings.estimate_exposures and not settings.fuse
    method = "none" if bracket.as_mosaic else settings.align
    alignment = align(bracket, method, settings.reference, settings.crop, told, device)
    if settings.fuse:
        yield "fusing"
        picture = fuse(bracket, alignment, settings.fusion_weights, device)
        image = Image(picture.clamp(0, 1)[None], "srgb", bracket.primaries or BT709)
        yield Merged(
            image, report_of(bracket, alignment, None, "mertens", image.pixels, None, 1.0, "code 0..1"), None
        )
        return
    yield "calibrating"
    calibration = calibrate(bracket, alignment, settings.response, settings.estimate_exposures, settings.seed)
    trust: ReferenceTrust | BitmapTrust | None = None
    stack, places = bracket, alignment
    if settings.deghost != "none":
        yield "looking for movement"
        samples = take_samples(bracket, alignment, seed=settings.seed)
        if settings.deghost == "patch":
            stack, places, trust = patched(bracket, alignment, calibration, samples, settings.seed, device)
        else:
            trust = _trust(settings.deghost, bracket, alignment, calibration, samples, device)
    yield "merging"
    radiance, error = combine(
        stack,
        places,
        calibration,
        settings.recipe,
        trust=trust if stack is bracket else None,
        frames=trust.order if trust else None,
        uncertain=settings.uncertainty,
        device=device,
    )
    _check_finite(radiance)
    if bracket.sensor:
        most = float(calibration.response.curve[-1].max()) / float(calibration.seconds.min())
        radiance = develop(radiance, bracket.sensor, most)
        error = None if error is None else develop_error(error, bracket.sensor)
    factor, words = _scale(settings.scale, radiance, exposures, calibration)
    radiance *= factor
    domain = "nits" if words.startswith("absolute") else "linear"
    image = Image(radiance[None].cpu(), domain, bracket.primaries or BT709)
    report = report_of(
        bracket, alignment, calibration, settings.recipe.rule, image.pixels, trust, factor, words
    )
    yield Merged(
        image,
        report,
        calibration.response,
        None if error is None else (error * factor).cpu(),
        None if trust is None else _upright(trust.mask, bracket),
    )


def _upright(mask: Tensor | None, bracket: Bracket) -> Tensor | None:
    return torch.rot90(mask, bracket.sensor.turns, (-2, -1)) if bracket.sensor and mask is not None else mask


def _check(settings: Settings) -> None:
    """Names that are wrong are wrong before the first file is read."""
    if settings.recipe.rule not in rules():
        raise UsageError(f"no rule is called '{settings.recipe.rule}'; there are {', '.join(rules())}")
    if settings.recipe.weight not in WEIGHTS:
        raise UsageError(f"no weight is called '{settings.recipe.weight}'; there are {', '.join(WEIGHTS)}")
    check_response(settings.response)
    if settings.demosaic == "after":
        moved = settings.align not in ("auto", "none") or settings.deghost in ("bitmap", "patch")
        if moved or settings.fuse or settings.uncertainty:
            raise UsageError(
                "a mosaic merges as it stands: with --demosaic after only --align none, --deghost reference or none, "
                "and neither --fuse nor --uncertainty; use --demosaic before"
            )


def _exposures(paths: Sequence[str | Path], settings: Settings) -> list[Exposure]:
    """Exposures as stated; fusion does without, and takes the frames' order for them."""
    try:
        return exposures_of(paths, settings.times, settings.ev, settings.table)
    except UsageError:
        if not settings.fuse or any(x is not None for x in (settings.times, settings.ev, settings.table)):
            raise
        return [Exposure(ev=float(i), source="unknown") for i in range(len(paths))]


def _trust(
    method: Deghost,
    bracket: Bracket,
    alignment: Alignment,
    calibration: Calibration,
    samples: Samples,
    device,
):
    if method == "bitmap":
        return BitmapTrust(bracket, alignment, device)
    return ReferenceTrust(bracket, alignment, calibration, samples)


def _check_finite(radiance: Tensor) -> None:
    bad = int((~torch.isfinite(radiance)).sum())
    if bad:
        raise PixelError(f"{bad} merged values are NaN or Inf; check the response and the exposures")


def _scale(
    wish: Scale, radiance: Tensor, exposures: list[Exposure], calibration: Calibration
) -> tuple[float, str]:
    """(factor on the merged values, what they then mean)."""
    absolute = all(e.absolute is not None for e in exposures)
    if wish == "absolute" and not absolute:
        raise UsageError(
            "absolute scale needs time, aperture and ISO of every frame; use --scale relative or median"
        )
    if wish in ("auto", "absolute") and absolute:
        # radiance is response / relative exposure; white / exposure is the luminance that just clips
        ratio = exposures[0].relative / exposures[0].absolute  # type: ignore[operator]
        white = float(calibration.response.curve[-1].max())
        factor = ratio * CLIP_OVER_GREY / white
        return factor, "absolute: cd/m², from time, aperture and ISO (nominal, within a stop)"
    if wish == "median":
        middle = float(luminance(radiance[None]).flatten().double().median())
        if middle <= 0:
            raise PixelError("the median of the merge is 0; use --scale relative")
        return 1 / middle, "median: the median luminance is 1"
    known = "ratios only: time, aperture or ISO unknown" if wish == "auto" else "as asked"
    return 1.0, f"relative: response over exposure ({known})"
