"""Figures of an evaluation: as PNG and PDF for papers, and as SVG in the colours of the HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.statistics.agreement import Agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours by role; files use the second of a pair, the HTML report uses the page's CSS variable.
_INK, _SOFT, _POINT, _CURVE, _BAND = "#010203", "#010204", "#010205", "#010206", "#010207"
_PAPER = {_INK: "#1a1a1a", _SOFT: "#9a9a9a", _POINT: "#3b6fb6", _CURVE: "#c2410c", _BAND: "#f3b08a"}
_PAGE = {
    _INK: "var(--ink)",
    _SOFT: "var(--soft)",
    _POINT: "var(--point)",
    _CURVE: "var(--curve)",
    _BAND: "var(--band)",
}
# points drawn per metric, to limit the size of the page
_MOST = 1500


def literal(text: str) -> str:
    """A name as a label that matplotlib shows as it is: not as a formula between $ signs, and with a leading _."""
    return (" " if text.startswith("_") else "") + text.encode(errors="replace").decode().replace("$", r"\$")


def wrapped(label: str, width: int = 46) -> str:
    """A label of an axis in lines that fit into a figure, divided behind commas and spaces where there are some."""
    parts = [line for part in re.split(r"(?<=[, ])", literal(label)) for line in _cut(part, width)]
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _cut(text: str, width: int) -> list[str]:
    return [text[i : i + width] for i in range(0, len(text), width)]


def scatter(ratings: Ratings, agreement: Agreement, seed: int = 0) -> Figure:
    """Subjective scores against one metric, with the fitted curve and the band that holds 95 % of the residuals."""
    figure, axes = _axes(3.6, 3.0)
    row = ratings.metrics.index(agreement.metric)
    x, y = ratings.values[row], ratings.mos
    curve = agreement.curve
    if curve is not None:
        at = np.linspace(x.min(), x.max(), 200)
        fitted = curve(at)
        low, high = np.quantile(y - curve(x), [0.025, 0.975])
        axes.fill_between(at, fitted + low, fitted + high, color=_BAND, alpha=0.35, linewidth=0, zorder=1)
        axes.plot(at, fitted, color=_CURVE, linewidth=1.8, zorder=3)
    some = np.random.default_rng(seed).permutation(x.size)[:_MOST]
    axes.plot(
        x[some],
        y[some],
        "o",
        markersize=4.0 if x.size < 150 else 2.6,
        color=_POINT,
        alpha=0.55,
        markeredgewidth=0,
        zorder=2,
    )
    axes.set_xlabel(wrapped(agreement.metric))
    axes.set_ylabel(f"subjective score ({ratings.mos_better} is better)")
    return figure


def residuals(ratings: Ratings, agreement: Agreement) -> Figure | None:
    """Residuals of the curve by distortion: box for the central half, whiskers for 95 %. None without distortions."""
    kinds = np.array([p.distortion for p in ratings.pairs])
    names = [k for k in dict.fromkeys(kinds) if k]
    if len(names) < 2 or agreement.curve is None:
        return None
    row = ratings.metrics.index(agreement.metric)
    left = agreement.curve(ratings.values[row]) - ratings.mos
    figure, axes = _axes(3.6, 0.9 + 0.2 * len(names))
    for place, name in enumerate(reversed(names)):
        a, q1, middle, q3, b = np.quantile(left[kinds == name], [0.025, 0.25, 0.5, 0.75, 0.975])
        axes.plot([a, b], [place, place], color=_SOFT, linewidth=1, solid_capstyle="butt")
        axes.barh(place, q3 - q1, left=q1, height=0.56, color=_POINT, alpha=0.75, linewidth=0)
        axes.plot([middle, middle], [place - 0.28, place + 0.28], color=_CURVE, linewidth=1.8)
    axes.axvline(0, color=_INK, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), [literal(n) for n in reversed(names)])
    # of the figure, for long names of distortions leave little of it to the axes
    figure.supxlabel(
        wrapped(f"predicted minus subjective score, {agreement.metric}"), fontsize=axes.xaxis.label.get_size()
    )
    return figure


def histogram(ratings: Ratings, bins: int = 20) -> Figure:
    """Number of images by subjective score."""
    figure, axes = _axes(3.6, 2.4)
    counts, edges = np.histogram(ratings.mos, bins)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=_POINT, alpha=0.75, linewidth=0)
    axes.set_xlabel(f"subjective score ({ratings.mos_better} is better)")
    axes.set_ylabel("images")
    return figure


def breakdown(rows: Sequence[Agreement], metrics: Sequence[str]) -> Figure | None:
    """SROCC of each metric by group, as dots with intervals; one group per row."""
    groups = list(dict.fromkeys(a.group for a in rows))
    if not groups:
        return None
    marks = "osD^vP*Xhd"
    named = 0.17 * min(len(metrics), len(marks)) if len(metrics) > 1 else 0.0
    figure, axes = _axes(3.6, 0.9 + 0.26 * len(groups) + named)
    for i, metric in enumerate(metrics[: len(marks)]):
        own = {a.group: a for a in rows if a.metric == metric}
        place = [len(groups) - 1 - groups.index(g) + 0.08 * ((i % 3) - 1) for g in own]
        axes.plot(
            [a.srocc for a in own.values()],
            place,
            marks[i],
            markersize=4,
            color=_CURVE if i == 0 else _POINT,
            alpha=0.9 if i == 0 else max(0.25, 0.8 - 0.08 * i),
            markeredgewidth=0,
            label=wrapped(metric),
        )
    axes.set_yticks(range(len(groups)), [literal(g) for g in reversed(groups)])
    axes.set_xlabel("srocc")
    if len(metrics) > 1:
        figure.legend(loc="outside lower center", fontsize=7, frameon=False, labelcolor=_INK)
    return figure


def as_svg(figure: Figure, name: str) -> str:
    """Inline SVG with the colours of the page; `name` makes its ids unique."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    svg = re.sub(
        r' id="(?:figure|axes|patch|line2d|text|matplotlib|xtick|ytick|PolyCollection|FillBetween\w*)[^"]*"',
        "",
        svg,
    )
    for colour, variable in _PAGE.items():
        svg = svg.replace(colour, variable)
    # "font" up to matplotlib 3.9, "font-family" since; the list of names ends the style of black text
    return re.sub(r"(font(?:-family)?: [^;\"']*)'[^;\"]*", r"\1sans-serif", svg.strip())


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Each figure as PNG (200 dpi) and PDF; names that differ only in other characters or case get a number."""
    folder.mkdir(parents=True, exist_ok=True)
    written, taken = [], set()
    for name, figure in figures.items():
        _painted(figure)
        plain = stem = re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-")
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem.casefold())
        for suffix in ("png", "pdf"):
            path = folder / f"{stem}.{suffix}"
            figure.savefig(path, dpi=200, metadata={"CreationDate": None} if suffix == "pdf" else None)
            written.append(path)
    return written


def _painted(figure: Figure) -> None:
    """Replace roles by the colours for paper."""
    for artist in figure.findobj():
        for get, put in (
            ("get_color", "set_color"),
            ("get_facecolor", "set_facecolor"),
            ("get_edgecolor", "set_edgecolor"),
        ):
            if not (hasattr(artist, get) and hasattr(artist, put)):
                continue
            getattr(artist, put)(_on_paper(getattr(artist, get)()))


def _on_paper(colour: Any) -> Any:
    from matplotlib.colors import to_hex, to_rgba, to_rgba_array

    if isinstance(colour, str):
        return _PAPER.get(to_hex(colour), colour) if colour not in ("none", "auto") else colour
    rows = to_rgba_array(colour)
    painted = [(*to_rgba(_PAPER.get(to_hex(row), to_hex(row)))[:3], row[3]) for row in rows]
    return painted[0] if np.ndim(colour) == 1 else painted


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    """One pair of axes, without pyplot, so that no global state is changed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_SOFT)
    axes.tick_params(colors=_INK, labelsize=8, color=_SOFT)
    axes.xaxis.label.set(color=_INK, size=9)
    axes.yaxis.label.set(color=_INK, size=9)
    axes.grid(True, color=_SOFT, linewidth=0.4, alpha=0.4)
    axes.set_axisbelow(True)
    return figure, axes
