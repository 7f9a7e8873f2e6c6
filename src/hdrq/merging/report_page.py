"""The report of a merge: its table of frames and its facts as text, an HTML page, and a plot of the response."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from math import log2
from pathlib import Path
from typing import Any

from hdrq.encoding.thumbnails import thumbnail
from hdrq.io import atomic
from hdrq.io.rows import plain
from hdrq.merging.merged import Merged
from hdrq.merging.report import FrameReport, MergeReport
from hdrq.merging.response.curve import Response
from hdrq.records import Image

Column = tuple[str, Callable[[FrameReport], str]]


def _fused(report: MergeReport) -> bool:
    return bool(report.fused)


def columns_of(report: MergeReport) -> list[Column]:
    """Titles and cells of the table of frames; columns without information are left out."""
    frames = report.frames
    base = next((f.used for f in frames if f.file == report.reference), frames[0].used)
    columns: list[Column] = [("frame", lambda f: f.file), ("exposure", lambda f: f.exposure)]
    if not _fused(report):
        columns.append(("stops", lambda f: f"{log2(f.used / base):+.2f}"))
    if any(f.off_stops is not None for f in frames):
        columns.append(("stated off by", lambda f: f"{f.off_stops:+.3f} stops"))
    columns += [
        ("white %", lambda f: f"{100 * f.clipped:.2f}"),
        ("black %", lambda f: f"{100 * f.black:.2f}"),
    ]
    if any(f.how not in ("none", "reference") for f in frames):
        if any(f.shift != (0, 0) for f in frames):
            columns.append(("shift y,x", lambda f: f"{f.shift[0]:+.1f},{f.shift[1]:+.1f}"))
        columns.append(("placed by", lambda f: f.how + (f" ({f.why})" if f.why else "")))
        if any(f.overlap < 1 for f in frames):
            columns.append(("seen %", lambda f: f"{100 * f.overlap:.1f}"))
    if any(f.ghosts for f in frames):
        columns.append(("moved %", lambda f: f"{100 * f.ghosts:.2f}"))
    return columns


def facts_of(report: MergeReport) -> list[tuple[str, str]]:
    """(name, text) of what was found and done: size, reference, response, consistency, noise, rule, scale, motion."""
    top, bottom, left, right = report.crop
    whole = all(f.overlap == 1 for f in report.frames)
    cut = "whole frames" if whole else f"rows {top} to {bottom}, columns {left} to {right} of the reference"
    facts = [
        ("size", f"{report.size[1]} x {report.size[0]}, {cut}"),
        ("reference", f"{report.reference}, the origin of stops and shifts"),
    ]
    if report.mosaic:
        facts = [("size", f"{report.size[1]} x {report.size[0]}"), ("mosaic", report.reference)]
    if report.raw:
        facts.append(("raw files", report.raw))
    if _fused(report):
        return [*facts, ("fusion", f"{report.rule}; code of a displayable image, without radiance")]
    bright, dark = ((sum(v)) ** 0.5 for v in (report.noise, report.noise[1:]))
    noise = f"{100 * bright:.2g} % of white at white, {100 * dark:.2g} % at black"
    if bright < 4e-4:
        noise = "below the quantisation of the code"
    found = [
        *facts,
        ("response", report.response),
        ("consistency", _consistency(report)),
        ("noise", noise),
        ("rule", report.rule),
        ("scale", f"{report.scale}; factor {report.factor:.6g}"),
        ("dynamic range", f"{report.stops:.1f} stops (0.01 % to 99.99 % of the pixels)"),
        ("motion", f"{100 * report.ghosts:.2f} % of the image"),
        ("lost", f"{100 * report.clipped_everywhere:.3f} % clipped in every frame, {100 * report.black_everywhere:.3f} % black"),
    ]  # fmt: skip
    return [fact for fact in found if not (report.mosaic and fact[0] in ("consistency", "motion"))]


def _consistency(report: MergeReport) -> str:
    if report.bias != report.bias:
        return "unknown: too few pixels are well exposed in two neighbouring exposures"
    return f"bias {report.bias:.3f}, rms {report.rms:.3f} stops between neighbouring exposures"


def write_report(merged: Merged, path: str | Path) -> None:
    """Write the report as .json or .html; a page also shows the image, the ghost mask and the response."""
    if Path(path).suffix.lower() == ".json":
        text = json.dumps(plain(asdict(merged.report)), indent=1, ensure_ascii=False) + "\n"
    else:
        text = page(merged)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")


def page(merged: Merged) -> str:
    """The report as HTML."""
    report = merged.report
    columns = columns_of(report)
    frames = _table([t for t, _ in columns], [[cell(f) for _, cell in columns] for f in report.frames])
    facts = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts_of(report))
    pairs = ""
    if report.pairs:
        pairs = "<h2>Neighbouring exposures, in stops</h2>" + _table(
            ["shorter", "longer", "bias", "rms", "samples"],
            [
                [
                    *(report.frames[k].file for k in p["frames"]),
                    f"{p['bias']:+.3f}",
                    f"{p['rms']:.3f}",
                    str(p["samples"]),
                ]
                for p in report.pairs
            ],
        )
    notes = "".join(f"<li>{html.escape(n)}</li>" for n in report.notes)
    images = "".join(
        f"<figure><img src='{data}' alt=''><figcaption>{words}</figcaption></figure>"
        for words, data in _images(merged)
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>hdrq merge</title><style>body{font:15px/1.5 sans-serif;"
        "max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;"
        "padding:.2em .7em;text-align:left}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em}"
        "dt{font-weight:bold}dd{margin:0}figure{display:inline-block;margin:0 1em 1em 0;vertical-align:top}"
        "figure img{max-height:230px;max-width:100%}figcaption{color:#555}</style>"
        f"<h1>{len(report.frames)} exposures merged</h1>{images}<dl>{facts}</dl><h2>Frames</h2>{frames}{pairs}"
        f"{f'<h2>Notes</h2><ul>{notes}</ul>' if notes else ''}<p>hdrq {html.escape(report.version)}</p></html>\n"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return "<table>" + row(head, "th") + "".join(row(r, "td") for r in rows) + "</table>"


def _images(merged: Merged) -> list[tuple[str, str]]:
    """(caption, data URI) of the images of a page."""
    shown = [("the image" if _fused(merged.report) else "tone-mapped", thumbnail(merged.image, 480))]
    if merged.ghosts is not None and merged.report.ghosts:
        mask = Image(merged.ghosts[None, None].float() / 255, "srgb")
        shown.append(("excluded from some frames (white)", thumbnail(mask, 480)))
    if merged.response is not None:
        buffer = BytesIO()
        _drawn(merged.response).savefig(buffer, dpi=80, format="png")
        shown.append(("response", "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()))
    return shown


def plot_response(response: Response, path: str | Path) -> None:
    """Plot exposure against code, logarithmic, one line per channel, to a file."""
    with atomic(path) as part:
        _drawn(response).savefig(part, dpi=120)


def _drawn(response: Response) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="code / largest code", ylabel="exposure / white", yscale="log", title=response.how
    )
    colours = ("tab:red", "tab:green", "tab:blue") if response.curve.shape[1] == 3 else ("black",)
    names = ("red", "green", "blue") if len(colours) == 3 else ("all channels",)
    top = response.curve[-1].max()
    for k, (curve, colour, name) in enumerate(zip(response.curve.T, colours, names)):
        codes = [i / (len(curve) - 1) for i in range(len(curve))]
        axes.plot(codes, curve / top, color=colour, label=name, linewidth=3.5 - k)
    axes.legend()
    axes.grid(alpha=0.3)
    return figure
