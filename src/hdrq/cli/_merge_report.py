"""A merge's report for people: a table at the prompt, JSON, HTML; the response drawn; the ghosts as a picture."""

from __future__ import annotations

import html
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hdrq.cli._tables import plain, show_table, write_text
from hdrq.errors import UsageError

COLUMNS = (
    "frame",
    "exposure",
    "used",
    "off",
    "white",
    "black",
    "shift y, x",
    "placed by",
    "overlap",
    "moved",
)


def progress(step: str) -> None:
    """The step under way, on one line of a terminal's stderr; empty text wipes it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{step + ' ...' if step else ''}")
        sys.stderr.flush()


def _rows(report: Any) -> list[tuple[str, ...]]:
    return [
        (
            f.file,
            f.exposure,
            f"{f.used:.5g}",
            "" if f.off_stops is None else f"{f.off_stops:+.3f} EV",
            f"{100 * f.clipped:.2f} %",
            f"{100 * f.black:.2f} %",
            f"{f.shift[0]:+.1f}, {f.shift[1]:+.1f}",
            f.how + (f" ({f.why})" if f.why else ""),
            f"{100 * f.overlap:.1f} %",
            f"{100 * f.ghosts:.2f} %",
        )
        for f in report.frames
    ]


def _facts(report: Any) -> list[tuple[str, str]]:
    top, bottom, left, right = report.crop
    facts = [
        ("size", f"{report.size[1]} x {report.size[0]}, rows {top} to {bottom}, columns {left} to {right}"),
        ("reference", report.reference),
        ("rule", report.rule),
        ("scale", f"{report.scale}, factor {report.factor:.6g}"),
        ("dynamic range", f"{report.stops:.1f} stops"),
    ]
    if report.rule != "mertens":
        facts[2:2] = [
            ("response", report.response),
            ("consistency", f"bias {report.bias:.3f}, rms {report.rms:.3f} stops between neighbours"),
            ("noise", f"photon {report.noise[0]:.3g}, read {report.noise[1]:.3g} (variances, white = 1)"),
        ]
        facts += [
            ("movement", f"{100 * report.ghosts:.2f} % of the picture"),
            ("clipped in every frame", f"{100 * report.clipped_everywhere:.3f} %"),
            ("black in every frame", f"{100 * report.black_everywhere:.3f} %"),
        ]
    if report.raw:
        facts.insert(1, ("raw files", report.raw))
    return facts


def show(report: Any, output: str) -> None:
    """The table of frames and what was found, on stdout."""
    caption = "\n".join(f"{k}: {v}" for k, v in _facts(report))
    show_table(
        COLUMNS,
        _rows(report),
        f"{len(report.frames)} frames to {output}",
        right=COLUMNS[2:6],
        caption=caption,
    )


def write(report: Any, path: str) -> None:
    """The whole report as .json or .html."""
    if Path(path).suffix.lower() == ".json":
        write_text(json.dumps(plain(asdict(report)), indent=1, ensure_ascii=False) + "\n", path)
        return
    head = "".join(f"<th>{html.escape(c)}</th>" for c in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in _rows(report)
    )
    facts = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in _facts(report))
    pairs = "".join(
        f"<tr><td>{html.escape(report.frames[p['frames'][0]].file)}</td><td>{html.escape(report.frames[p['frames'][1]].file)}"
        f"</td><td>{p['bias']:+.3f}</td><td>{p['rms']:.3f}</td><td>{p['samples']}</td></tr>"
        for p in report.pairs
    )
    notes = "".join(f"<li>{html.escape(n)}</li>" for n in report.notes)
    write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>hdrq merge</title><style>body{font:15px/1.5 sans-serif;"
        "max-width:70em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;"
        "padding:.2em .7em;text-align:left}dt{font-weight:bold}</style>"
        f"<h1>{len(report.frames)} exposures merged</h1><dl>{facts}</dl><table><tr>{head}</tr>{body}</table>"
        f"<h2>Neighbouring exposures, stops</h2><table><tr><th>shorter<th>longer<th>bias<th>rms<th>samples</tr>{pairs}"
        f"</table><ul>{notes}</ul><p>hdrq {html.escape(report.version)}</p></html>\n",
        path,
    )


def plot(response: Any, path: str) -> None:
    """Exposure against code, logarithmic, one line per channel."""
    from matplotlib.figure import Figure

    from hdrq.io import atomic

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="code", ylabel="exposure, white = 1", yscale="log", title=response.how)
    colours = ("tab:red", "tab:green", "tab:blue") if response.curve.shape[1] == 3 else ("black",)
    for curve, colour in zip(response.curve.T, colours):
        axes.plot(
            [k / (len(curve) - 1) for k in range(len(curve))], curve / response.curve[-1].max(), color=colour
        )
    axes.grid(alpha=0.3)
    with atomic(path) as part:
        figure.savefig(part, dpi=120)


def write_mask(merged: Any, path: str) -> None:
    """Movement as a grey picture, white where frames were left out."""
    if merged.ghosts is None:
        raise UsageError("--ghost-mask needs --deghost auto, reference or bitmap")
    from hdrq import io
    from hdrq.types import Image

    io.write(path, Image(merged.ghosts[None, None].float() / 255, "srgb"), depth="uint8")
