"""The files of a merge: radiance with its provenance, PQ code where the format holds code, and the mask of movement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from hdrq import io
from hdrq.encoding.code_images import pq_image
from hdrq.encoding.emission import ANCHOR_NITS, anchored
from hdrq.errors import UsageError
from hdrq.image.color import working_in
from hdrq.io.formats import by_suffix
from hdrq.io.outputs import identity
from hdrq.merging.merged import Merged
from hdrq.merging.settings import Settings
from hdrq.records import Image

# formats that hold code
_OF_CODE = ("png", "avif", "jxl")


def refuse_outputs(
    output: str | Path,
    settings: Settings,
    frames: Sequence[str | Path] = (),
    *,
    report: str | None = None,
    save_response: str | None = None,
    plot_response: str | None = None,
    ghost_mask: str | None = None,
) -> None:
    """Refuse, before the first frame is read, files that could not be written, and contents that a merge does not have.

    frames  that no output may overwrite
    """
    format, fused = by_suffix(output), settings.fuse
    if format is None or not format.writes:
        raise UsageError(
            f"hdrq cannot write {Path(output).name}; end it in .exr, .hdr, .pfm, .tif, .avif, .jxl or .png"
        )
    if not fused and format.name == "jpeg":
        raise UsageError(
            f"{Path(output).name}: 8 bits of JPEG cannot hold radiance; end it in .exr or .hdr, in .avif, .jxl or .png for PQ, "
            "or add --fuse"
        )
    if settings.uncertainty and (fused or format.name != "exr"):
        raise UsageError(
            "--uncertainty needs a merge to an EXR, to hold its layer; end -o in .exr, without --fuse"
        )
    if ghost_mask and (fused or settings.deghost == "none"):
        raise UsageError("--ghost-mask needs a merge with --deghost auto, reference, bitmap or patch")
    if fused and (save_response or plot_response):
        raise UsageError("--fuse finds no response; leave out --save-response and --plot-response")
    if report and Path(report).suffix.lower() not in (".json", ".html"):
        raise UsageError(f"--report writes .json or .html, not {report}")
    if plot_response and Path(plot_response).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"--plot-response writes .png, .pdf or .svg, not {plot_response}")
    taken = {identity(frame) for frame in frames}
    beside = (report, save_response, plot_response, ghost_mask)
    for target in (output, *(path for path in beside if path)):
        if not Path(target).absolute().parent.is_dir():
            raise UsageError(f"{target} cannot be written: its folder does not exist; make it first")
        if identity(target) in taken:
            raise UsageError(f"{target} is one of the frames; write to another file")
    for frame in frames:
        if Path(frame).is_dir():
            raise UsageError(f"{frame} is a folder; name its files, such as {frame}/*.jpg")


def write_merged(merged: Merged, path: str | Path, depth: str | None = None) -> tuple[str, ...]:
    """Write the image of a merge with its provenance in the header; returns notes on what could not be stored."""
    report = merged.report
    made = {
        "from": " ".join(f.file for f in report.frames),
        "exposures": " ".join(f"{f.used:g}" for f in report.frames),
        "scale": report.scale,
        "factor": f"{report.factor:g}",
        "response": report.response,
        "rule": report.rule,
        "reference": report.reference,
        "version": report.version,
    }
    if report.raw:
        made["raw"] = report.raw
    extra: dict[str, Any] = {"depth": depth, "provenance": made}
    if merged.uncertainty is not None:
        extra["extra"] = {"error": merged.uncertainty.numpy()}
    format = by_suffix(path)
    known = signature(import_module(f"hdrq.io.{format.name}").write).parameters if format else {}
    image: Image = merged.image
    lines: tuple[str, ...] = ()
    if format is not None and not report.fused and format.name in _OF_CODE:
        image, lines = _as_pq(image)
    return (*lines, *io.write(path, image, **{k: v for k, v in extra.items() if k in known}))


def _as_pq(image: Image) -> tuple[Image, tuple[str, ...]]:
    """Radiance as PQ code, and notes; relative radiance is anchored as tone mapping anchors it."""
    lines: tuple[str, ...] = ()
    if image.domain != "nits":
        lines = (f"relative radiance: the geometric mean luminance was set to {ANCHOR_NITS:.3g} cd/m²",)
        with working_in(image.primaries):
            image = replace(image, pixels=anchored(image.pixels), domain="nits")
    code, notes = pq_image(image)
    return code, (*lines, *notes)


def write_ghost_mask(merged: Merged, path: str | Path) -> None:
    """Write movement as a grey image, white where frames were left out; UsageError where it was not searched for."""
    if merged.ghosts is None:
        raise UsageError("the merge did not search for movement; choose another deghosting than none")
    io.write(path, Image(merged.ghosts[None, None].float() / 255, "srgb"), depth="uint8")
