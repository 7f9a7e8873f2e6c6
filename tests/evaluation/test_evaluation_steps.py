"""Steps of an evaluation: derivatives of curves, thresholds by hand, figures of statistics, the words of tables."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

from hdrq.errors import UsageError
from hdrq.evaluation.correlations import correlations
from hdrq.evaluation.evaluate import (
    Plan,
    _breakdown,
    _tested,
    averages,
    by_distortion,
    by_level,
    evaluate,
)
from hdrq.evaluation.preferences import preferences
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.report import tables
from hdrq.evaluation.report.figures import breakdown, histogram, residuals, scatter
from hdrq.evaluation.report.paper_tables import latex, markdown, of_datasets, of_metrics
from hdrq.evaluation.significance import PairedTest, paired_tests, resolving
from hdrq.evaluation.statistics.agreement import Agreement, agreement, direction_sign
from hdrq.evaluation.statistics.bootstrap import bootstrap, draw, interval, two_sided
from hdrq.evaluation.statistics.correlation import agreements, krocc, plcc, ranks, srocc
from hdrq.evaluation.statistics.curves import _FORMS, FITS, Curve, _sigmoid_fit, _thinned, fit
from hdrq.evaluation.statistics.resolving_power import (
    _area_error,
    bootstrap_areas,
    compare,
    delong,
    fisher,
    hanley_mcneil,
    image_pairs,
    power,
)
from hdrq.records import Pair
from pinned import pinned

PLAN = Plan(draws=40, folds=3, splits=6)


def rated(images: int = 120, scenes: int = 12, seed: int = 0) -> Ratings:
    """Two metrics, of which one falls as quality rises, on images of a few scenes with ties among their scores."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 10, images)
    scores = np.round(true + 0.4 * rng.standard_normal(images), 1)
    values = np.stack(
        [
            np.tanh(true / 4) + 0.05 * rng.standard_normal(images),
            40 - true**1.5 + 3 * rng.standard_normal(images),
        ]
    )
    pairs = [
        Pair(
            f"d{i}.png",
            "r.png",
            f"scene {i % scenes}",
            float(scores[i]),
            0.3,
            ("jpeg", "blur", "noise")[i % 3],
            float(i % 4),
        )
        for i in range(images)
    ]
    return Ratings(
        "rated",
        tuple(pairs),
        ("up", "down"),
        values,
        ("higher", "lower"),
        "higher",
        np.full(images, 0.3),
        "standard error",
        (),
    )


def numbers(rows) -> list[float]:
    """All numbers of records, in order."""
    found: list[float] = []
    for row in rows:
        for value in asdict(row).values():
            if isinstance(value, dict):
                found += [float(v) for pair in value.values() for v in np.atleast_1d(pair)]
            elif isinstance(value, int | float):
                found.append(float(value))
    return found


# --- curves and correlations --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", sorted(_FORMS))
def test_derivatives_of_curves_are_their_differences(form) -> None:
    p = {
        "logistic5": (0.8, 7.0, 0.4, 0.3, 0.1),
        "logistic4": (0.9, 0.1, 0.5, 0.2),
        "cubic": (0.1, 0.9, -0.4, 0.3),
    }
    parameters = p.get(form, (0.2, 0.7))
    curve = Curve(form, parameters, (3.0, -2.0), (10.0, 5.0))
    x = np.linspace(0.5, 3.5, 9)
    slopes = curve.jacobian(x)
    for k in range(len(parameters)):
        ahead, behind = (
            replace(curve, parameters=tuple(v + s * (i == k) for i, v in enumerate(parameters)))(x)
            for s in (1e-6, -1e-6)
        )
        assert slopes[:, k] == pytest.approx((ahead - behind) / 2e-6 / 5.0, abs=1e-7)
    u = (x - 3.0) / -2.0
    wanted = {
        "logistic5": lambda: 0.8 * (0.5 - 1 / (1 + np.exp(7 * (u - 0.4)))) + 0.3 * u + 0.1,
        "logistic4": lambda: 0.1 + 0.8 / (1 + np.exp(-(u - 0.5) / 0.2)),
        "cubic": lambda: 0.1 + 0.9 * u - 0.4 * u**2 + 0.3 * u**3,
        "line": lambda: 0.2 + 0.7 * u,
    }[form]()
    assert curve(x) == pytest.approx(10 + 5 * wanted, rel=1e-12)
    assert curve(x.reshape(3, 3)).shape == (3, 3)


@pytest.mark.parametrize("centre", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("width", [0.8, 3.0, 8.0])
def test_the_search_of_a_sigmoid_starts_from_nine_places(width: float, centre: float, monkeypatch) -> None:
    """Nine steepnesses and centres; where the sigmoid is one of them, the search begins there."""
    u, begun = np.linspace(0, 1, 41), []

    def recorded(function, start, **options):
        begun.append(tuple(start))
        return minimize(function, start, **options)

    monkeypatch.setattr("hdrq.evaluation.statistics.curves.minimize", recorded)
    steepness = width / u.std()
    found = _sigmoid_fit(u, 1 / (1 + np.exp(-steepness * (u - centre))), line=False)
    assert begun[0] == pytest.approx((np.log(steepness), centre))
    assert found[:2] == pytest.approx((steepness, centre), rel=1e-6)


@pytest.mark.parametrize("form", sorted(FITS))
def test_fitted_curves_are_what_they_were(form) -> None:
    ratings = rated()
    for name, row in zip(ratings.metrics, ratings.values):
        curve = fit(form, row, ratings.mos)
        pinned(f"curve {form} of {name}", curve(row), curve.x, curve.y, tolerance=1e-3)
        assert curve.converged
    many = np.random.default_rng(1).uniform(0, 1, 4500)
    curve = fit(form, many, np.sin(many) + 0.01 * np.random.default_rng(2).standard_normal(4500))
    pinned(f"curve {form} of many", curve(np.linspace(0, 1, 50)), tolerance=1e-3)


@pytest.mark.parametrize(("form", "needed"), [("logistic5", 6), ("logistic4", 5), ("cubic", 5)])
def test_forms_need_different_values(form, needed) -> None:
    x = np.arange(float(needed))
    y = x + 0.1 * np.sin(5 * x)
    assert fit(form, x, y).form == form
    assert f"needs {needed} different values" in fit(form, x[1:], y[1:]).note
    assert fit(form, np.r_[x[1:], x[1]], y).form == "line"


def test_many_points_are_thinned_to_means_of_a_thousand() -> None:
    x = np.random.default_rng(0).permutation(4004).astype(float)
    u, v = _thinned(x, 2 * x)
    assert len(u) == 1000
    assert v == pytest.approx(2 * u)
    assert u[0] == pytest.approx(1.5)
    assert u[-1] > 4000
    assert len(_thinned(x[:4000], x[:4000])[0]) == 4000


def test_correlations_of_ties_by_hand() -> None:
    x, y = [1, 2, 2, 3, 5], [2, 1, 4, 4, 9]
    assert ranks(x).tolist() == [1, 2.5, 2.5, 4, 5]
    assert agreements(x, y).tolist() == [2, 1, 2, 3, 4]
    assert krocc(x, y) == pytest.approx(6 / 9)
    assert srocc(x, y) == pytest.approx(plcc([1, 2.5, 2.5, 4, 5], [2, 1, 3.5, 3.5, 5]))


def test_metrics_are_correlated_with_the_sign_of_their_directions() -> None:
    scores = {
        "a": {"x": 1.0, "y": 2.0, "z": 4.0, "w": float("nan")},
        "b": {"x": 9.0, "y": 5.0, "z": 4.0, "w": 1.0},
    }
    (found,) = correlations(scores, {"a": "higher", "b": "lower"})
    assert (found.images, found.srocc, found.krocc) == (3, pytest.approx(1), pytest.approx(1))
    with pytest.raises(UsageError, match="name two at least"):
        correlations({"a": scores["a"]}, {})
    with pytest.raises(UsageError, match="of 2 images in common; at least 3"):
        correlations({"a": {"x": 1.0, "y": 2.0}, "b": scores["b"]}, {})


# --- bootstrap ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize(
    "limits", [(3000, 1000), (50, 1000), (3000, 5)], ids=["exact", "many rows", "many scenes"]
)
def test_samples_of_scenes_are_what_they_were(monkeypatch, refit, limits) -> None:
    from hdrq.evaluation.statistics import bootstrap as module

    monkeypatch.setattr(module, "_EXACT_ROWS", limits[0])
    monkeypatch.setattr(module, "_EXACT_SCENES", limits[1])
    ratings = rated()
    turned = ratings.values * np.array([[1], [-1]])
    curves = [fit("logistic5", row, ratings.mos) for row in turned]
    scenes = [p.scene for p in ratings.pairs]
    found = bootstrap(ratings.mos, turned, curves, scenes, draws=25, seed=3, refit=refit)
    pinned(f"bootstrap {refit} {limits}", *(found[name] for name in sorted(found)), tolerance=1e-3)
    few = slice(0, 60)
    found = bootstrap(ratings.mos[few], turned[:, few], curves, scenes[few], draws=9, refit=refit)
    pinned(f"bootstrap of few {refit} {limits}", *(found[name] for name in sorted(found)), tolerance=1e-3)


def test_as_many_samples_are_drawn_as_asked_for() -> None:
    rows = 1 << 15  # chunks of eight
    parts = list(draw(7, 21, 0, rows))
    assert [len(p) for p in parts] == [8, 8, 5]
    assert all((p.sum(1) == 7).all() for p in parts)
    assert len(np.concatenate(parts)) == 21


def test_intervals_and_p_values_by_hand() -> None:
    values = np.arange(201.0)[:, None] * [1, -1]
    low, high = interval(values)
    assert low.tolist() == pytest.approx([5, -195])
    assert high.tolist() == pytest.approx([195, -5])
    low, high = interval(values, 0.5)
    assert (low[0], high[0]) == pytest.approx((50, 150))
    assert np.isnan(interval(np.full((9, 1), np.nan))[0]).all()
    assert float(two_sided(np.zeros(40))) == 1.0
    assert float(two_sided(np.ones(40))) == 1 / 40
    assert float(two_sided(np.r_[np.ones(30), -np.ones(10)])) == pytest.approx(0.5)


def test_a_curve_faces_the_way_of_its_metric_or_none() -> None:
    x = np.array([-1.0, 0.0, 1.0])
    assert [direction_sign(lambda v: v, x, s) for s in (1, -1)] == [1, -1]  # type: ignore[arg-type]
    assert direction_sign(lambda v: v**2, x, 1) == 0  # type: ignore[arg-type]


# --- protocols and tests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["whole", "folds", "splits", "leave-one-out"])
def test_protocols_are_what_they_were(protocol) -> None:
    rows = list(evaluate(rated(), protocol, PLAN))
    pinned(
        f"protocol {protocol}",
        *([n] for n in numbers([replace(r, curve=None) for r in rows])),
        tolerance=2e-3,
    )


def test_breakdowns_and_tests_are_what_they_were() -> None:
    ratings = rated()
    rows = [replace(r, curve=None) for f in (by_distortion, by_level) for r in f(ratings, PLAN)]
    pinned("breakdowns", numbers(rows), tolerance=2e-3)
    pinned("paired tests", *([n] for n in numbers(paired_tests(ratings, PLAN))), tolerance=2e-3)
    pinned("resolving power", *([n] for n in numbers(resolving(ratings, PLAN))), tolerance=2e-3)


@pytest.mark.parametrize(("count", "shown"), [(7, 0), (8, 2)])
def test_groups_of_eight_images_are_shown(count: int, shown: int) -> None:
    ratings = rated(60)
    labels = ["a"] * count + ["b"] * (60 - count)
    found = list(_breakdown(ratings, labels, Plan(draws=5)))
    assert len({a.group for a in found}) == shown


def test_four_images_can_be_tested_and_four_fitted() -> None:
    ratings = rated(40)
    four, rest = np.arange(40) < 4, np.arange(40) >= 4
    assert _tested(ratings, four, rest, "g", PLAN, 5)[0].images == 4
    assert _tested(ratings, rest, four, "g", PLAN, 5)[0].images == 36
    for test, train in ((np.arange(40) < 3, rest), (rest, np.arange(40) < 3)):
        with pytest.raises(UsageError, match="are too few"):
            _tested(ratings, test, train, "g", PLAN, 5)


def row(metric: str, value: float, images: int = 10, group: str = "all", **more) -> Agreement:
    figures = {"srocc": value, "krocc": value / 2, "plcc": value - 0.1, "rmse": 1 - value} | more
    return Agreement(
        metric=metric, group=group, images=images, scenes=3, outliers=None, curve=None, note="", **figures
    )


def test_means_over_datasets_by_images_and_by_weights() -> None:
    data = {"a": [row("m", 0.8, 10)], "b": [row("m", 0.2, 30)]}
    found = {r.group: r.srocc for r in averages(data)}
    assert found == {"average": pytest.approx(0.5), "weighted average": pytest.approx(0.35)}
    given = {r.group: r.srocc for r in averages(data, {"a": 3.0, "b": 1.0})}
    assert given["average by the given weights"] == pytest.approx(0.65)
    assert {r.group: r.srocc for r in averages(data, {"a": 2.0})}[
        "average by the given weights"
    ] == pytest.approx(0.8)
    for wrong in ({"a": -1.0, "b": 2.0}, {"a": 0.0}, {"a": float("inf")}):
        with pytest.raises(UsageError, match="at least 0, and one of them positive"):
            list(averages(data, wrong))


def test_preferences_are_what_they_were() -> None:
    rng = np.random.default_rng(0)
    true = {f"{i}": float(v) for i, v in enumerate(rng.uniform(0, 1, 30))}
    compared = []
    for k in range(80):
        a, b = (str(v) for v in rng.choice(30, 2, replace=False))
        share = float(np.clip(np.round((0.5 + true[a] - true[b]) * 10) / 10, 0, 1))
        compared.append(SimpleNamespace(a=a, b=b, preferred=share, scene=f"s{k % 6}"))
    scores = {
        "m": {k: round(v, 1) for k, v in true.items()},
        "n": {k: -v + 0.3 * rng.random() for k, v in true.items()},
    }
    found = list(preferences(compared, scores, {"m": "higher", "n": "lower"}, draws=50))
    pinned("preferences", *([n] for n in numbers(found)), tolerance=1e-6)


# --- resolving power ----------------------------------------------------------------------------------------


def test_resolving_power_and_its_tests_are_what_they_were() -> None:
    ratings = rated(50)
    asked = image_pairs(ratings.mos, np.full(50, 0.3))
    powers = [power(v, asked) for v in ratings.values * np.array([[1], [-1]])]
    pinned("powers", *([p.different, p.better, p.correct, p.pairs, p.differing] for p in powers))
    p = compare(*powers, asked)
    pinned("compared powers", *([p[name]] for name in sorted(p)))
    scene = np.arange(50) % 5
    times = np.concatenate(list(draw(5, 6, 0, 50)))
    found = bootstrap_areas(powers, asked, scene, times)
    pinned("drawn areas", *(found[name] for name in sorted(found)))
    some = image_pairs(ratings.mos, np.full(50, 0.3), most=200, seed=2)
    assert some.sampled
    assert bool((some.first != some.second).all())
    pinned("sampled pairs", some.first, some.second, some.visible, some.sign)
    split = [(v.scores[0][asked.visible], v.scores[0][~asked.visible]) for v in powers]
    pinned("delong", [delong(*split)], [hanley_mcneil(*split)], [fisher(0.8, 0.6, 50)])


def test_the_error_of_an_area_is_hanley_and_mcneils() -> None:
    """Their paper of 1982: an area of 0.893 with 51 and 58 cases has a standard error of 0.032, here with a digit more."""
    assert _area_error(0.893, 51, 58) == pytest.approx(0.0325, abs=1e-4)
    assert _area_error(1.0, 10, 10) == 0


# --- tables and figures ---------------------------------------------------------------------------------------


ROWS = [
    row("a", 0.91, intervals={"srocc": (0.83, 0.95), "rmse": (0.05, 0.2)}),
    row("b<", 0.62, rmse=250.0, intervals={"srocc": (0.41, 0.7)}),
    row("c", float("nan"), krocc=0.9, intervals={"srocc": (float("nan"), float("nan"))}),
]
TESTS = [
    PairedTest("a", "b<", 0.29, 0.1, 0.4, 0.01, 0.02, 0.03, 0.04),
    PairedTest("b<", "c", -0.1, -0.2, 0.1, 0.3, 0.6, 0.03, 0.04),
]


def test_tables_of_a_report_show_their_numbers() -> None:
    text = tables.table(ROWS, TESTS)
    assert "<b>0.9100</b><small>0.830 … 0.950</small>" in text
    assert "<b>0.0900</b><small>0.050 … 0.200</small>" in text
    assert "<td>250</td>" in text
    # from 0.4 to 1 over 110 units from 5: (v - 0.4) / 0.6 * 110 + 5
    assert 'd="M83.8 7H105.8"' in text
    assert 'cx="98.5"' in text
    assert 'd="M6.8 7H60.0"' in text
    assert text.count("<path") == 4
    assert text.count('class="best"') == 1
    assert tables.not_significantly_worse(ROWS, [replace(TESTS[0], p_holm=0.06)]) == {"a", "b<"}
    assert tables._lowest([row("a", -0.97, intervals={"srocc": (-0.99, 0.2)})]) == -1
    assert tables._lowest([row("a", 1.0, intervals={"srocc": (0.99, 1.0)})]) == 0.9
    assert "99.99" in tables._figure(row("a", 99.99), "srocc", False)
    assert tables._figure(row("a", 99.99), "srocc", False) == "<td>99.9900</td>"
    assert tables._figure(row("a", -120.54), "srocc", False) == "<td>-120.5</td>"


def test_the_matrix_of_tests_marks_what_is_significant() -> None:
    text = tables.matrix(["a", "b<", "c"], TESTS)
    assert "<td class='win' title='p = 0.02'>▲<small>+0.290</small></td>" in text
    assert "<td class='loss' title='p = 0.02'>▼<small>-0.290</small></td>" in text
    assert "<td class='' title='p = 0.6'>·<small>-0.100</small></td>" in text
    assert "<td class='' title='p = 0.6'>·<small>+0.100</small></td>" in text
    assert text.count("title='p = 1'") == 5
    assert re.findall(r"<small>(\d)</small>", text) == ["1", "2", "3"]


def test_shades_of_a_heat_map_grow_with_the_cube() -> None:
    rows = [
        row("a", 0.8, group="x"),
        row("b", 0.5, group="x"),
        row("a", -0.5, group="y"),
        row("b", float("nan"), group="y"),
    ]
    text = tables.heat_map(rows)
    assert re.findall(r"(\d+)%,", text) == [str(round(45 * v)) for v in (0.512, 0.125, 0, 0)]
    assert "<b>0.800</b>" in text
    assert "<b>-0.500</b>" in text


def test_paper_tables_are_written_word_by_word() -> None:
    table = of_metrics([row("a_b", 0.9), row("c", 0.8)], "two & more")
    assert latex(table).splitlines() == [
        "% two & more",
        "% \\usepackage{booktabs}",
        "\\begin{tabular}{lrrrrr}",
        "\\toprule",
        "metric & images & SROCC & KROCC & PLCC & RMSE \\\\",
        "\\midrule",
        "a\\_b & 10 & \\textbf{0.9000} & \\textbf{0.4500} & \\textbf{0.8000} & \\textbf{0.1000} \\\\",
        "c & 10 & 0.8000 & 0.4000 & 0.7000 & 0.2000 \\\\",
        "\\bottomrule",
        "\\end{tabular}",
    ]
    grouped = of_metrics([row("a", 0.9, group="x"), row("a", 0.8, group="y")])
    assert markdown(grouped).splitlines() == [
        "| group | metric | images | SROCC | KROCC | PLCC | RMSE |",
        "|---|---|---:|---:|---:|---:|---:|",
        "| x | a | 10 | 0.9000 | 0.4500 | 0.8000 | 0.1000 |",
        "| y | a | 10 | 0.8000 | 0.4000 | 0.7000 | 0.2000 |",
    ]
    both = of_datasets({"one": [row("a", 0.9), row("b", 0.7)], "two": [row("a", 0.5)]})
    lines = latex(both).splitlines()
    assert lines[3] == "& \\multicolumn{2}{c}{one} & \\multicolumn{2}{c}{two} \\\\"
    assert lines[4] == "\\cmidrule(lr){2-3}\\cmidrule(lr){4-5}"
    assert lines[8] == "b & 0.7000 & 0.6000 &  &  \\\\"
    assert markdown(both).splitlines()[0] == "| metric | one SROCC | one PLCC | two SROCC | two PLCC |"
    assert "**0.9000**" in markdown(both)
    assert "**0.5000**" not in markdown(both)


def test_figures_are_as_large_as_their_contents_need() -> None:
    ratings = rated()
    found = agreement("up", ratings.values[0], ratings.mos, sign=1, form="line")
    shown = residuals(ratings, found)
    assert shown is not None
    assert shown.get_size_inches().tolist() == pytest.approx([3.6, 0.9 + 0.2 * 3])
    assert scatter(ratings, found).get_size_inches().tolist() == pytest.approx([3.6, 3.0])
    assert histogram(ratings).get_size_inches().tolist() == pytest.approx([3.6, 2.4])
    rows = [row(m, 0.5, group=g) for g in "xyz" for m in "abcdefgh"]
    one, many = breakdown(rows, ["a"]), breakdown(rows, list("abcdefgh"))
    assert one is not None
    assert many is not None
    assert one.get_size_inches().tolist() == pytest.approx([3.6, 0.9 + 0.26 * 3])
    assert many.get_size_inches().tolist() == pytest.approx([3.6, 0.9 + 0.26 * 3 + 0.17 * 8])
    assert not one.legends
    assert [t.get_fontsize() for t in many.legends[0].get_texts()] == [7.0] * 8
    lines = many.axes[0].get_lines()
    assert [line.get_alpha() for line in lines] == pytest.approx(
        [0.9, 0.72, 0.64, 0.56, 0.48, 0.4, 0.32, 0.25]
    )
    places = [line.get_ydata()[0] - 2 for line in lines]
    assert places == pytest.approx([-0.08, 0, 0.08, -0.08, 0, 0.08, -0.08, 0])
