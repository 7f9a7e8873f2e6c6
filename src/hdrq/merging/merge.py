"""Merge exposures of one scene to radiance, or fuse them to an image, with a report of all estimates and checks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast, overload

import torch
from torch import Tensor

from hdrq.arguments import checked
from hdrq.encoding.emission import LIGHT
from hdrq.errors import PixelError, UsageError
from hdrq.image.color import convert
from hdrq.image.devices import device_of
from hdrq.io import identify
from hdrq.io.exposures import Exposure, exposures_of
from hdrq.io.raw import SUFFIXES, reader
from hdrq.io.remote import address_of
from hdrq.io.remote_cache import local
from hdrq.merging.alignment.align import align_steps
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.averaging import combine
from hdrq.merging.deghosting.bitmap_ghosts import BitmapGhosts
from hdrq.merging.deghosting.ghost_weights import ReferenceGhosts
from hdrq.merging.deghosting.patch_reconstruction import reconstruct
from hdrq.merging.exposure_stack import ExposureStack, Source, drop_contradictions, name_of
from hdrq.merging.fusion import fuse
from hdrq.merging.merged import Merged
from hdrq.merging.network import Method, method_of
from hdrq.merging.raw_render import develop, develop_error
from hdrq.merging.report import report_of
from hdrq.merging.response.calibration import Calibration, calibrate, kept_for
from hdrq.merging.response.samples import Samples, take_samples
from hdrq.merging.scale import check_finite, scale_of
from hdrq.merging.sequence.alternating import alternating
from hdrq.merging.sequence.assorted import assorted
from hdrq.merging.sequence.shots import sequence_of
from hdrq.merging.settings import Deghost, Settings, refuse_contradictions, replaced
from hdrq.merging.stages import ALIGNED, CALIBRATED, DETECTED, Stage, aligning
from hdrq.records import BT709, PRIMARIES, Image


@overload
def merge(
    sources: Sequence[Source],
    settings: Settings | None = None,
    *,
    times: Sequence[float] | None = None,
    notify: Callable[[str], object] = ...,
    **options: Any,
) -> Merged: ...
@overload
def merge(
    sources: Source | Sequence[Source],
    settings: Settings | None = None,
    *,
    pattern: Literal["alternating", "bayer-me"],
    times: Sequence[float] | None = None,
    **options: Any,
) -> Iterator[Merged]: ...
@checked
def merge(
    sources: Source | Sequence[Source],
    settings: Settings | None = None,
    *,
    times: Sequence[float] | None = None,
    notify: Callable[[str], object] = lambda step: None,
    **options: Any,
) -> Merged | Iterator[Merged]:
    """Merge exposures of one scene.

    sources  paths, Images, arrays (H, W) or (H, W, 3) of uint8, uint16 or floats, or tensors (C, H, W), one per exposure
    times    exposure times in seconds; for files, None reads EXIF, then the file names
    notify   called with every Stage, a name and the share done, before it is done
    options  fields of Settings, of Weighting and of Capture: ev=, response=, align=, deghost=, rule=, fuse=True ...

    With pattern="alternating" or "bayer-me", sources are the frames of a sequence, or a folder or clip of them, and the
    result is an iterator of one Merged for each frame.

    See `steps` for a generator that reports progress.
    """
    chosen = replaced(settings or Settings(), times, options)
    if chosen.capture.pattern != "none":
        return merged_frames(sources, chosen)
    for step in steps(cast("Sequence[Source]", sources), chosen):
        if isinstance(step, Merged):
            return step
        notify(step)
    raise PixelError("the merge ended without an image")


def merged_frames(
    sources: Source | Sequence[Source],
    settings: Settings,
    skip: Callable[[str], bool] = lambda name: False,
) -> Iterator[Merged]:
    """A merge of every frame of a sequence captured by settings.capture; skip: frames to leave out, by name."""
    refuse_contradictions(settings)
    sequence = sequence_of(sources, settings)
    if settings.capture.pattern == "alternating":
        return alternating(sequence, settings, lambda stack, own, kept: merging(stack, own, None, kept), skip)
    return assorted(sequence, settings, skip)


def steps(
    sources: Sequence[Source], settings: Settings, network: Method | None = None
) -> Iterator[Stage | Merged]:
    """Every step before it is done; at last the Merged.

    network  that of settings.method where it is at hand, so that many merges load its weights once
    """
    if isinstance(sources, (str, Path, Image)):
        raise UsageError("one frame cannot be merged; give a list of at least two exposures")
    if len(sources) < 2:
        raise UsageError("one frame cannot be merged; give at least two exposures")
    refuse_contradictions(settings)
    network = network or method_of(settings.method, settings.fuse)
    if network is not None:
        network.refuse_count(len(sources))
    sources = [local(s) if address_of(s) is not None and isinstance(s, (str, Path)) else s for s in sources]
    for source in sources:
        if isinstance(source, (str, Path)):
            reader() if Path(source).suffix.lower() in SUFFIXES else identify(source)
    stack = ExposureStack(
        sources,
        _exposures(sources, settings),
        white=settings.white,
        black=settings.black,
        balance=settings.balance,
        mosaic=settings.demosaic == "after",
        equal=settings.allow_equal or settings.fuse or settings.estimate_exposures,
        files=settings.files,
    )
    if not stack.exposures_known and not settings.fuse:
        stack.rank_by_brightness()
    yield from merging(stack, settings, network)


def merging(
    stack: ExposureStack,
    settings: Settings,
    network: Method | None = None,
    kept: Calibration | None = None,
) -> Iterator[Stage | Merged]:
    """The steps of a merge of frames with known exposures.

    kept  response and noise of the camera, found before in other frames; None estimates them from these
    """
    device = device_of(settings.device)
    trust_times = not settings.estimate_exposures and not settings.fuse and kept is None
    method = "none" if stack.as_mosaic else settings.align
    reference = settings.reference
    if network is not None and not settings.fuse:
        method, reference = network.alignment(method), stack.order[len(stack) // 2]
    registering = align_steps(stack, method, reference, settings.crop, trust_times, device)
    alignment = yield from aligning(registering, len(stack))
    if stack.as_mosaic and settings.align != "none" and alignment.moved:
        raise UsageError(
            f"{alignment.moved[0]}; a mosaic cannot be aligned: use --demosaic before, or --align none"
        )
    if settings.fuse:
        yield Stage("fusing", ALIGNED)
        if network is None:
            fused, rule = fuse(stack, alignment, settings.fusion_weights, device), "Mertens"
        else:
            fused, rule = network.fused(stack, alignment, device).cpu(), network.name
        # light is fused as its sRGB code, code as it is
        held = stack.domain or "linear"
        image = Image(fused.clamp(0, 1)[None], "srgb" if held in LIGHT else held, stack.primaries or BT709)
        report = report_of(stack, alignment, None, rule, image.pixels, None, 1.0, "code 0..1")
        yield Merged(image, report, None)
        return
    if settings.estimate_exposures:
        drop_contradictions(stack, alignment.survey)
    yield Stage("calibrating", ALIGNED)
    samples = take_samples(stack, alignment, seed=settings.seed)
    if kept is None:
        calibration = calibrate(stack, samples, settings.response, settings.estimate_exposures, settings.seed)
    else:
        calibration = kept_for(kept, stack, samples)
    ghosts: ReferenceGhosts | BitmapGhosts | None = None
    error: Tensor | None = None
    if network is not None:
        yield Stage("merging by a network", CALIBRATED)
        radiance = network.merged(stack, alignment, calibration, device)
    else:
        radiance, error, ghosts = yield from _averaged(
            stack, alignment, calibration, samples, settings, device
        )
    check_finite(radiance)
    if stack.sensor and network is None:
        most = float(calibration.response.curve[-1].max()) / float(calibration.seconds.min())
        radiance = develop(radiance, stack.sensor, most)
        error = None if error is None else develop_error(error, stack.sensor)
    own = stack.primaries or BT709
    factor, words = scale_of(settings.scale, radiance, stack.exposures, calibration, own)
    radiance *= factor
    domain = "nits" if words.startswith("absolute") else "linear"
    target = PRIMARIES[settings.primaries] if settings.primaries else own
    image = Image(convert(radiance[None].cpu(), own, target), domain, target)
    report = report_of(
        stack,
        alignment,
        calibration,
        settings.weighting.rule if network is None else network.name,
        image.pixels,
        ghosts,
        factor,
        words,
        target,
    )
    yield Merged(
        image,
        report,
        calibration.response,
        None if error is None else (error * factor).cpu(),
        None if ghosts is None else _upright(ghosts.mask, stack),
    )


def _averaged(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    samples: Samples,
    settings: Settings,
    device: torch.device,
) -> Generator[Stage, None, tuple[Tensor, Tensor | None, ReferenceGhosts | BitmapGhosts | None]]:
    """The stages before they are done, then the weighted mean of the frames, its standard error, and what moved."""
    ghosts: ReferenceGhosts | BitmapGhosts | None = None
    aligned, placed = stack, alignment
    if settings.deghost != "none":
        yield Stage("detecting movement", CALIBRATED)
        if settings.deghost == "patch":
            aligned, placed, ghosts = reconstruct(
                stack, alignment, calibration, samples, settings.seed, device
            )
        else:
            ghosts = _ghosts(settings.deghost, stack, alignment, calibration, samples, device)
    yield Stage("merging", DETECTED)
    radiance, error = combine(
        aligned,
        placed,
        calibration,
        settings.weighting,
        ghosts=ghosts if aligned is stack else None,
        frames=ghosts.order if ghosts else None,
        uncertain=settings.uncertainty,
        device=device,
    )
    return radiance, error, ghosts


def _upright(mask: Tensor, stack: ExposureStack) -> Tensor:
    return torch.rot90(mask, stack.sensor.turns, (-2, -1)) if stack.sensor else mask


def _exposures(sources: Sequence[Source], settings: Settings) -> list[Exposure]:
    """The stated exposures; not needed for fusion and --estimate-exposures."""
    given = any(x is not None for x in (settings.times, settings.ev, settings.table))
    files = all(isinstance(s, (str, Path)) for s in sources)
    unknown = [Exposure(ev=float(i), source="unknown") for i in range(len(sources))]
    without = settings.fuse or settings.estimate_exposures
    if not files and not given:
        if without:
            return unknown
        raise UsageError("images in memory have no exposure; give times=, ev= or estimate_exposures=True")
    try:
        names = [s if isinstance(s, (str, Path)) else name_of(s, i) for i, s in enumerate(sources)]
        return exposures_of(names, settings.times, settings.ev, settings.table)
    except UsageError:
        if given or not without:
            raise
        return unknown


def _ghosts(
    method: Deghost,
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    samples: Samples,
    device: torch.device | str,
) -> ReferenceGhosts | BitmapGhosts:
    if method == "bitmap":
        return BitmapGhosts(stack, alignment, device)
    return ReferenceGhosts(stack, alignment, calibration, samples)
