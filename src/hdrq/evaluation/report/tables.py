"""Tables of a report as HTML strings: statistics with intervals, significance, breakdowns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from hdrq.evaluation.published import lines_of, marks_of, title_of
from hdrq.evaluation.significance import PairedTest, ResolvingPower
from hdrq.evaluation.statistics.agreement import Agreement

# significance level of the marks, for p values corrected by Holm's method
SURE = 0.05


def not_significantly_worse(rows: Sequence[Agreement], paired_tests: Sequence[PairedTest]) -> set[str]:
    """The metric of the highest SROCC and those that it does not significantly exceed at the 0.05 level."""
    if not rows:
        return set()
    first = max(rows, key=lambda a: a.srocc if math.isfinite(a.srocc) else -2).metric
    beaten = {c.b if c.a == first else c.a for c in paired_tests if first in (c.a, c.b) and c.p_holm < SURE}
    known = {
        c.b if c.a == first else c.a
        for c in paired_tests
        # NaN: without a bootstrap nothing is known
        if first in (c.a, c.b) and not math.isnan(c.p_holm)
    }
    return {first} | (known - beaten)


def best(rows: Sequence[Agreement], name: str) -> float:
    """The best value of a statistic: the lowest RMSE, else the highest; NaN (a constant metric) is never the best.

    Published figures do not count, since they are of other runs and perhaps of other images.
    """
    known = [value for a in rows if not a.published and math.isfinite(value := getattr(a, name))]
    return (min if name == "rmse" else max)(known, default=math.nan)


def table(rows: Sequence[Agreement], paired_tests: Sequence[PairedTest]) -> str:
    """HTML of the statistics with their intervals, one metric a row; the best of every column is marked."""
    far = any(a.outliers is not None for a in rows)
    heads = ["metric", "SROCC", "", "KROCC", "PLCC", "RMSE", *(["outliers"] if far else [])]
    marks = marks_of(rows)
    marked = not_significantly_worse([a for a in rows if not a.published], paired_tests)
    tops = {name: best(rows, name) for name in ("srocc", "krocc", "plcc", "rmse")}
    lowest, axis = _lowest(rows), " class='axis'"
    lines = []
    for a in rows:
        own = {n: not a.published and getattr(a, n) == tops[n] for n in tops}
        cells = [_figure(a, n, own[n]) for n in tops]
        cells.insert(1, f"<td class='axis'>{_whisker(a, lowest)}</td>")
        if far:
            cells.append(f"<td>{'' if a.outliers is None else f'{a.outliers:.1%}'}</td>")
        mark = ' class="best"' if a.metric in marked and not a.published else ""
        lines.append(f"<tr{mark}><th scope='row'>{escape(title_of(a, marks))}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th scope='col'{'' if h else axis}>{h}</th>" for h in heads)
    cited = "".join(f"<p class='quiet'>{escape(line)}</p>" for line in lines_of(marks))
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<div class='wide'>{body}</div>{cited}"


def _figure(a: Agreement, name: str, top: bool) -> str:
    value = getattr(a, name)
    if a.published and not math.isfinite(value):
        return "<td></td>"
    text = f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"
    ends = a.intervals.get(name)
    small = f"<small>{ends[0]:.3f} … {ends[1]:.3f}</small>" if ends and math.isfinite(ends[0]) else ""
    return f"<td>{f'<b>{text}</b>' if top else text}{small}</td>"


def _lowest(rows: Sequence[Agreement]) -> float:
    """Left end of the interval axis: 0.1 below the lowest interval, at least -1."""
    lows = [a.intervals.get("srocc", (a.srocc, a.srocc))[0] for a in rows]
    lowest = math.floor(10 * min((v for v in lows if math.isfinite(v)), default=0.0)) / 10
    # below 1 also where every metric is perfect
    return min(max(-1.0, lowest), 0.9)


def _whisker(a: Agreement, lowest: float) -> str:
    """The interval of SROCC on an axis from `lowest` to 1."""
    low, high = a.intervals.get("srocc", (a.srocc, a.srocc))
    if not math.isfinite(low + high + a.srocc):
        return ""
    x = [110 * (v - lowest) / (1 - lowest) + 5 for v in (low, high, a.srocc)]
    return (
        f'<svg class="span" viewBox="0 0 120 14" role="img" aria-label="{low:.3f} to {high:.3f}">'
        f'<path d="M5 7H115" stroke="var(--rule)"/>'
        f'<path d="M{x[0]:.1f} 7H{x[1]:.1f}" stroke="var(--point)" stroke-width="5" stroke-linecap="round"'
        f' opacity=".45"/><circle cx="{x[2]:.1f}" cy="7" r="3.4" fill="var(--curve)"/></svg>'
    )


def groups(rows: Sequence[Agreement]) -> str:
    """HTML of the statistics by group and metric, one row each."""
    names = list(dict.fromkeys(a.group for a in rows))
    heads = "".join(
        f"<th scope='col'>{h}</th>" for h in ("group", "metric", "images", "SROCC", "KROCC", "PLCC", "RMSE")
    )
    lines = []
    for group in names:
        own = [a for a in rows if a.group == group]
        for a in own:
            cells = "".join(
                _figure(a, n, getattr(a, n) == best(own, n)) for n in ("srocc", "krocc", "plcc", "rmse")
            )
            lines.append(
                f"<tr><td>{escape(group)}</td><td class='name'>{escape(a.metric)}</td><td>{a.images}</td>{cells}</tr>"
            )
    return f"<div class='wide'><table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def matrix(order: Sequence[str], paired_tests: Sequence[PairedTest]) -> str:
    """HTML of the differences of SROCC, row minus column, with their significance; `order` gives the metrics."""
    by_names = {(c.a, c.b): (c.gap, c.p_holm) for c in paired_tests}
    by_names |= {(c.b, c.a): (-c.gap, c.p_holm) for c in paired_tests}
    lines = []
    for number, row in enumerate(order, start=1):
        cells = []
        for column in order:
            gap, p = by_names.get((row, column), (0.0, 1.0))
            significant = p < SURE
            kind = ("win" if gap > 0 else "loss") if significant else ""
            sign = ("▲" if gap > 0 else "▼") if significant else "·"
            text = "" if row == column or math.isnan(gap) else f"{sign}<small>{gap:+.3f}</small>"
            title = "" if math.isnan(p) else f" title='p = {p:.3g}'"
            cells.append(f"<td class='{kind}'{title}>{text}</td>")
        lines.append(f"<tr><th scope='row'><small>{number}</small> {escape(row)}</th>{''.join(cells)}</tr>")
    head = "<th></th>" + "".join(
        f"<th scope='col' title='{escape(m)}'>{number}</th>" for number, m in enumerate(order, start=1)
    )
    return (
        f"<div class='wide'><table class='matrix'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def resolving_table(rows: Sequence[ResolvingPower]) -> str:
    """HTML of the areas under the curve of the two tasks and the share classified correctly, one metric a row."""
    names = (
        ("different", "different or similar"),
        ("better", "better or worse"),
        ("correct", "classified correctly"),
    )
    lines = []
    for r in rows:
        cells = ""
        for name, _ in names:
            value, ends = getattr(r, name), r.intervals.get(name)
            top = value == max(getattr(o, name) for o in rows)
            small = f"<small>{ends[0]:.3f} … {ends[1]:.3f}</small>" if ends else ""
            cells += f"<td>{f'<b>{value:.4f}</b>' if top else f'{value:.4f}'}{small}</td>"
        lines.append(f"<tr><th scope='row'>{escape(r.metric)}</th>{cells}</tr>")
    head = "<th>metric</th>" + "".join(f"<th scope='col'>{title}</th>" for _, title in names)
    counts = f"<p class='quiet'>{rows[0].pairs:,} pairs, {rows[0].differing:,} of them seen as different.</p>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"{counts}<div class='wide'>{table}</div>"


def heat_map(rows: Sequence[Agreement]) -> str:
    """HTML of SROCC, one group a row and one metric a column, coloured by value."""
    metrics, groups = (list(dict.fromkeys(getattr(a, n) for a in rows)) for n in ("metric", "group"))
    by_names = {(a.metric, a.group): a for a in rows}
    lines = []
    for group in groups:
        own = [by_names[m, group] for m in metrics if (m, group) in by_names]
        top = best(own, "srocc")
        cells = ""
        for a in own:
            share = 0 if not math.isfinite(a.srocc) else round(45 * max(0.0, a.srocc) ** 3)
            text = f"<b>{a.srocc:.3f}</b>" if a.srocc == top else f"{a.srocc:.3f}"
            cells += f"<td style='background:color-mix(in srgb,var(--good) {share}%,var(--card))'>{text}</td>"
        lines.append(f"<tr><th scope='row'>{escape(group)} <small>{own[0].images}</small></th>{cells}</tr>")
    head = "<th></th>" + "".join(f"<th scope='col'>{escape(m)}</th>" for m in metrics)
    return f"<div class='wide'><table class='heat'><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
