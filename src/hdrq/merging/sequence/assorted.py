"""Mosaics whose pixels have different exposures ("assorted pixels"), each merged to radiance.

Source: Nayar & Mitsunaga, CVPR 2000, doi:10.1109/CVPR.2000.855857; with colour filters: Nayar & Narasimhan, ECCV 2002,
doi:10.1007/3-540-47979-1_43.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import UsageError
from hdrq.image.color import convert, luminance
from hdrq.image.devices import device_of
from hdrq.io.exposures import Exposure, exif_exposure
from hdrq.io.raw import Factors, Sensor
from hdrq.merging.exposure_stack import Frame
from hdrq.merging.merged import Merged
from hdrq.merging.network import AVERAGE
from hdrq.merging.raw_render import develop
from hdrq.merging.report import FrameReport, MergeReport, stops_of
from hdrq.merging.response.calibration import estimators, given_response
from hdrq.merging.response.curve import Response
from hdrq.merging.scale import CLIP_OVER_GREY, check_finite, stated_scale
from hdrq.merging.sequence.interpolation import Exposures, binned, interpolated
from hdrq.merging.sequence.layout import Layout, Pattern, colours, layout_of, pattern_of, refuse_one_exposure
from hdrq.merging.sequence.shots import Entry, FrameSequence, Reader
from hdrq.merging.settings import Settings
from hdrq.records import BT709, PRIMARIES, Image

# electrons that saturate a pixel, and read noise, of a camera of today, about
USUAL_NOISE = (15_000.0, 4.0)
_SAME = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
# shorter side of a mosaic, pixels
SMALLEST = 8


def assorted(
    sequence: FrameSequence, settings: Settings, skip: Callable[[str], bool] = lambda name: False
) -> Iterator[Merged]:
    """One merge for each mosaic, in order; skip: frames that are not merged, by name."""
    refuse_idle(settings)
    layout = layout_of(settings.capture.layout, len(exposures_stated(settings)))
    reader = Reader(settings, mosaic=True)
    for entry in sequence.entries():
        if not skip(entry.name):
            yield merged_mosaic(entry, reader(entry.source), layout, settings)


def refuse_idle(settings: Settings) -> None:
    """Raise UsageError for what the merge of a mosaic does not use, and where layout or exposures are missing."""
    plain = Settings()
    idle = {
        "--fuse": settings.fuse,
        "--method": settings.method != AVERAGE,
        "--align": settings.align not in ("auto", "none"),
        "--deghost": settings.deghost not in ("auto", "none"),
        "--reference": settings.reference is not None,
        "--rule, --weight, --weigh, --edge": settings.weighting != plain.weighting,
        "--exposures": settings.table is not None,
        "--estimate-exposures": settings.estimate_exposures,
        "--uncertainty": settings.uncertainty,
        "--scale median": settings.scale == "median",
    }
    if given := [name for name, used in idle.items() if used]:
        raise UsageError(
            f"--pattern bayer-me merges the pixels of one frame and does not use {given[0]}; leave it out"
        )
    if settings.response in estimators():
        raise UsageError(f"--response {settings.response} needs several frames; give linear, srgb or a file")
    if not settings.capture.layout:
        raise UsageError(
            "--pattern bayer-me needs --layout, such as rows, checker, quad or 0011/0011/1100/1100"
        )
    exposures_stated(settings)


def exposures_stated(settings: Settings) -> list[tuple[float, float]]:
    """(light, gain) of every number of the layout: --times or --ev, and --gains."""
    lists = [x for x in (settings.times, settings.ev) if x is not None]
    if len(lists) > 1:
        raise UsageError("give only one of --times and --ev")
    gains = settings.capture.gains
    if not lists and gains is None:
        raise UsageError(
            "state the exposures of the layout, from number 0, with --ev 0,-4, --times or --gains 1,16"
        )
    light: Sequence[float] = [1.0] * len(gains or ())
    if settings.times is not None:
        if min(settings.times) <= 0:
            raise UsageError("--times must all be positive")
        light = settings.times
    elif settings.ev is not None:
        light = [2.0**e for e in settings.ev]
    if gains is not None and len(gains) != len(light):
        raise UsageError(f"--gains has {len(gains)} values for {len(light)} exposures; give one for each")
    total = [t * g for t, g in zip(light, gains or [1.0] * len(light))]
    if max(total) < 1.02 * min(total):
        raise UsageError("the pixels of the layout all have the same exposure; state different ones")
    return list(zip(light, gains or [1.0] * len(light)))


def merged_mosaic(entry: Entry, frame: Frame, layout: Layout, settings: Settings) -> Merged:
    """The radiance of one mosaic."""
    stated = exposures_stated(settings)
    pattern = _pattern(entry, frame, settings)
    refuse_one_exposure(layout, pattern, settings.capture.layout)
    height, width = frame.size
    if min(height, width) < SMALLEST * (1 + layout.binned):
        raise UsageError(
            f"{entry.name} is {width} x {height}; a mosaic has at least {SMALLEST * (1 + layout.binned)} pixels a side"
        )
    device = device_of(settings.device)
    response = (
        given_response("linear", frame.levels, 1)
        if settings.response == "auto"
        else given_response(settings.response, frame.levels, 1)
    )
    values = _values(frame, response).to(device)
    number = torch.from_numpy(layout.exposures(frame.size)).to(device)
    full, read = settings.capture.noise or USUAL_NOISE
    light, gain = (torch.tensor(x, dtype=torch.float32, device=device) for x in zip(*stated))
    step = 0.0 if frame.light is not None else 1 / (frame.levels - 1)
    exposures = Exposures(light, gain, full, read, step)
    if layout.binned:
        radiance = binned(values, number, exposures)[None]
    else:
        colour = torch.from_numpy(colours(pattern, frame.size)).to(device)
        radiance = interpolated(values, number, colour, exposures)[None]
    check_finite(radiance)
    sensor = frame.sensor or (None if pattern is None else Sensor(_factors(settings.balance), _SAME, pattern))
    if sensor is not None:
        radiance = develop(radiance, sensor, float(1 / exposures.total.min()))
    base = _base(entry, settings)
    nits = None if base.absolute is None else CLIP_OVER_GREY / base.absolute
    factor, scale = stated_scale(settings.scale, nits, "the file")
    target = PRIMARIES[settings.primaries] if settings.primaries else frame.primaries
    pixels = (
        convert((radiance * factor)[None].cpu(), frame.primaries, target)
        if sensor
        else (radiance * factor)[None].cpu()
    )
    domain = "nits" if scale.startswith("absolute") else "linear"
    image = Image(pixels, domain, target if sensor else BT709)
    report = _report(entry, frame, settings, values.cpu(), number.cpu(), image, response, base, factor, scale)
    return Merged(image, report, response)


def _pattern(entry: Entry, frame: Frame, settings: Settings) -> Pattern | None:
    """Channels of the colour filters: those of the raw file, or as stated."""
    filters = settings.capture.filters
    if frame.sensor is not None:
        if filters != "auto":
            raise UsageError(
                f"{entry.name} is a raw file, which states its colour filters; leave out --filters"
            )
        return frame.sensor.pattern
    if len(frame.codes) != 1:
        raise UsageError(
            f"{entry.name} has {len(frame.codes)} channels; a mosaic has one value for each pixel: give raw files, or grey images"
        )
    if filters == "auto":
        raise UsageError(
            f"{entry.name} does not state its colour filters; add --filters rggb, or none for a monochrome sensor"
        )
    return pattern_of(filters)


def _values(frame: Frame, response: Response) -> torch.Tensor:
    """(H, W) light on each pixel, of white."""
    if frame.light is not None:
        return torch.from_numpy(frame.light[0]).float()
    table = response.table(frame.levels)[:, 0]
    return torch.from_numpy((table / table[-1])[frame.codes[0]]).float()


def _factors(balance: str | Factors) -> Factors:
    return (1.0, 1.0, 1.0) if isinstance(balance, str) else balance


def _base(entry: Entry, settings: Settings) -> Exposure:
    """The exposure of the file, or with --times of one second."""
    stated = exif_exposure(entry.source) if isinstance(entry.source, (str, Path)) else Exposure()
    return stated if settings.times is None else replace(stated, seconds=1.0, source="--times")


def _report(
    entry: Entry,
    frame: Frame,
    settings: Settings,
    values: torch.Tensor,
    number: torch.Tensor,
    image: Image,
    response: Response,
    base: Exposure,
    factor: float,
    scale: str,
) -> MergeReport:
    stated = exposures_stated(settings)
    total = [t * g for t, g in stated]
    full, read = settings.capture.noise or USUAL_NOISE
    frames = []
    for k, (light, gain) in enumerate(stated):
        own = values[number == k]
        words = f"{light:g} s" if settings.times is not None else f"{np.log2(light):+g} EV"
        frames.append(
            FrameReport(
                file=f"{entry.name} {k}",
                exposure=words if gain == 1 else f"{words} gain {gain:g}",
                relative=total[k],
                used=total[k],
                off_stops=None,
                clipped=float((own >= 1).float().mean()),
                black=float((own <= 0).float().mean()),
                shift=(0.0, 0.0),
                how="none",
                overlap=1.0,
                ghosts=0.0,
            )
        )
    notes = list(frame.notes)
    if settings.capture.noise is None:
        notes.append(
            f"noise is assumed, not measured: {full:,.0f} electrons saturate a pixel, {read:g} are read noise; state --noise"
        )
    if settings.scale == "auto" and base.absolute is None:
        notes.append("aperture, ISO or time unknown: only ratios of exposures are used")
    least = factor / (max(total) * (frame.levels - 1))
    height, width = image.size
    return MergeReport(
        frames=tuple(frames),
        reference=entry.name,
        size=(height, width),
        crop=(0, height, 0, width),
        response=response.how,
        bias=0.0,
        rms=0.0,
        pairs=(),
        noise=(1 / full, (read / full) ** 2),
        ghosts=0.0,
        clipped_everywhere=frames[int(np.argmin(total))].clipped,
        black_everywhere=frames[int(np.argmax(total))].black,
        stops=stops_of(luminance(image.pixels, image.primaries), least),
        scale=scale,
        factor=factor,
        rule=f"bayer-me, layout {settings.capture.layout}",
        notes=tuple(notes),
        mosaic=True,
        raw=frame.raw.replace("after merging", "after merging its exposures"),
    )
