"""An evaluation as one HTML page without network access or scripts, in the light or dark scheme of the reader."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

import numpy as np

import hdrq
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.report import figures, tables
from hdrq.evaluation.significance import PairedTest, ResolvingPower
from hdrq.evaluation.statistics.agreement import Agreement


@dataclass(frozen=True)
class ReportContents:
    """The contents of a report.

    whole      every metric on the whole set, best first; the scatter plots show these
    published  figures of others, shown below those of the whole set or of the protocol
    protocol   rows of another protocol, if requested
    breakdowns rows by "distortion", "level" or "source"
    """

    ratings: Ratings
    title: str
    whole: Sequence[Agreement]
    protocol: Sequence[Agreement] = ()
    breakdowns: Sequence[tuple[str, Sequence[Agreement]]] = ()
    paired_tests: Sequence[PairedTest] = ()
    resolving: Sequence[ResolvingPower] = ()
    command: str = ""
    about: str = ""
    published: Sequence[Agreement] = ()


def page(contents: ReportContents, pictures: bool = True) -> str:
    """The report as HTML. pictures: show the images with the largest prediction errors."""
    ratings = contents.ratings
    sections = [
        _section(
            "Agreement with subjective scores",
            _agreement_note(contents),
            tables.table([*contents.whole, *contents.published], contents.paired_tests),
        ),
        *([_section("By protocol", "", tables.groups(contents.protocol))] if contents.protocol else []),
        _section("Subjective scores against metric values", _SCATTER, _scatters(contents)),
        *(
            [
                _section(
                    "Significance",
                    _MATRIX,
                    tables.matrix([a.metric for a in contents.whole], contents.paired_tests),
                )
            ]
            if _tested(contents)
            else []
        ),
        *(
            [_section("Resolving power", _RESOLVING, tables.resolving_table(contents.resolving))]
            if contents.resolving
            else []
        ),
        *(_section(f"By {kind}", _BY, tables.heat_map(rows)) for kind, rows in contents.breakdowns if rows),
        *_residuals(contents),
        *_disagreements(contents, pictures),
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*ratings.notes, *_fit_notes(contents.whole)))
    if notes:
        sections.append(f'<h2>Notes</h2><ul class="notes">{notes}</ul>')
    page = Template(files("hdrq.evaluation.report").joinpath("page.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(contents.title),
        subtitle=escape(contents.about),
        facts=_facts(contents),
        sections="\n".join(sections),
        command=escape(contents.command),
        versions=escape(_versions()),
    )


_SCATTER = (
    "Each dot is an image, the line is the fitted curve, and the band holds 95 % of the residuals. "
    "Of more than 1,500 images, a random sample of 1,500 is shown."
)
_MATRIX = (
    "▲: the metric of the row agrees significantly better with the subjective scores than that of the column; ▼: "
    "significantly worse; ·: no significant difference. Bootstrap over scenes, both metrics on the same samples; p "
    "corrected for the number of comparisons (Holm), level 0.05. The number is the difference in SROCC. "
    "Columns are numbered as the rows."
)
_RESOLVING = (
    "Krasula's analysis of image pairs: whether observers saw a difference (area under the ROC curve), and which image "
    "is better (area, and share of pairs classified correctly). Intervals are from a bootstrap over scenes."
)
_BY = "SROCC of each metric; the best of each row is bold."


def _facts(found: ReportContents) -> str:
    ratings = found.ratings
    kinds = {p.distortion for p in ratings.pairs} - {""}
    facts = [
        (f"{len(ratings.pairs):,}", "images"),
        (f"{len(set(ratings.scenes)):,}", "scenes"),
        *([(f"{len(kinds)}", "distortions")] if kinds else []),
        (f"{len(ratings.metrics)}", "metrics" if len(ratings.metrics) > 1 else "metric"),
        (
            f"{ratings.mos.min():.4g} … {ratings.mos.max():.4g}",
            f"subjective scores, {ratings.mos_better} is better",
        ),
    ]
    return "".join(f"<li><b>{escape(n)}</b> {escape(what)}</li>" for n, what in facts)


def _section(title: str, text: str, body: str) -> str:
    introduction = f"<p class='quiet'>{text}</p>" if text else ""
    return f"<h2>{escape(title)}</h2>{introduction}{body}"


def _agreement_note(found: ReportContents) -> str:
    form = found.whole[0].curve.form if found.whole and found.whole[0].curve else ""
    return f"{_intervals(found)}PLCC and RMSE are computed after a fitted {escape(form)} curve. " + (
        "The best metric, and those not significantly different from it, are marked."
        if _tested(found)
        else "The best metric is marked."
    )


def _tested(found: ReportContents) -> bool:
    """Whether differences were tested, which takes a bootstrap."""
    return any(not np.isnan(test.p_holm) for test in found.paired_tests)


def _intervals(found: ReportContents) -> str:
    drawn = any(a.intervals for a in found.whole)
    return (
        "95 % intervals (small print) are from a bootstrap over scenes. "
        if drawn
        else "No intervals were computed. "
    )


def _of(found: ReportContents, shown: Sequence[Agreement]) -> str:
    """Which metrics are illustrated, where not all are."""
    return (
        f", for the best {len(shown)} of {len(found.whole)} metrics" if len(shown) < len(found.whole) else ""
    )


def _scatters(found: ReportContents) -> str:
    plots = []
    for i, a in enumerate(found.whole):
        svg = figures.as_svg(figures.scatter(found.ratings, a), f"scatter{i}")
        plots.append(
            f"<figure><figcaption>{escape(a.metric)}, SROCC {a.srocc:.3f}, PLCC {a.plcc:.3f}</figcaption>{svg}</figure>"
        )
    return f"<div class='grid'>{''.join(plots)}</div>"


def _residuals(found: ReportContents) -> list[str]:
    drawn = [(a, figures.residuals(found.ratings, a)) for a in found.whole]
    plots = [
        f"<figure><figcaption>{escape(a.metric)}</figcaption>{figures.as_svg(f, f'residual{i}')}</figure>"
        for i, (a, f) in enumerate(drawn)
        if f is not None
    ]
    text = "Box: central half of the residuals; line: 95 %; mark: median. A median away from zero is a bias for that distortion."
    return [_section("Residuals", text, f"<div class='grid'>{''.join(plots)}</div>")] if plots else []


def largest_errors(ratings: Ratings, agreement: Agreement, count: int) -> list[tuple[int, float]]:
    """(index, predicted score) of the images furthest from the curve, first one of each scene."""
    if agreement.curve is None:
        return []
    predicted = agreement.curve(ratings.values[ratings.metrics.index(agreement.metric)])
    order = np.argsort(-np.abs(predicted - ratings.mos), kind="stable")
    firsts: list[tuple[int, float]] = []
    others: list[tuple[int, float]] = []
    seen: set[str] = set()
    for i in map(int, order[: 50 * count]):
        scene = ratings.scenes[i]
        (others if scene in seen else firsts).append((i, float(predicted[i])))
        seen.add(scene)
    return (firsts + others)[:count]


def _disagreements(found: ReportContents, pictures: bool) -> list[str]:
    shown = found.whole[:3]
    each = 4 if len(shown) > 1 else 8
    parts = []
    for a in shown:
        cards = [
            _card(found.ratings, a, i, predicted, pictures)
            for i, predicted in largest_errors(found.ratings, a, each)
        ]
        parts.append(f"<h3>{escape(a.metric)}</h3><div class='grid'>{''.join(cards)}</div>")
    text = f"The images furthest from the curve, first one of each scene{_of(found, shown)}. HDR images are tone-mapped."
    return [_section("Largest prediction errors", text, "".join(parts))] if parts else []


def _card(ratings: Ratings, a: Agreement, place: int, predicted: float, pictures: bool) -> str:
    pair = ratings.pairs[place]
    images = {}
    if pictures:
        from hdrq.encoding.thumbnails import thumbnails

        images = thumbnails(pair)
    words = {"ref": "reference", "dist": "test image"}
    shown = "".join(
        f'<div><img src="{uri}" alt="{words[n]}" loading="lazy">{words[n]}</div>' for n, uri in images.items()
    )
    twins = f"<div class='twins{' one' if len(images) == 1 else ''}'>{shown}</div>" if shown else ""
    value = ratings.values[ratings.metrics.index(a.metric), place]
    level = "" if pair.level is None else f" {pair.level:g}"
    facts = [
        ("subjective score", f"{pair.mos:.3g}"),
        ("predicted by the curve", f"{predicted:.3g}"),
        (a.metric, f"{value:.4g}"),
        *([("distortion", f"{pair.distortion}{level}")] if pair.distortion else []),
    ]
    listed = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts)
    name = str(pair.dist).replace("\\", "/").rsplit("/", 1)[-1]
    return f"<figure>{twins}<div class='name'>{escape(name)}</div><dl>{listed}</dl></figure>"


def _fit_notes(rows: Sequence[Agreement]) -> list[str]:
    return [f"{a.metric}: {a.note}" for a in rows if a.note]


def _versions() -> str:
    import matplotlib
    import scipy

    parts = (f"hdrq {hdrq.__version__}", f"Python {platform.python_version()}", f"numpy {np.__version__}")
    return ", ".join((*parts, f"scipy {scipy.__version__}", f"matplotlib {matplotlib.__version__}"))
