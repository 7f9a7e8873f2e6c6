"""What the figures of an evaluation show: places and lengths, in the units of their axes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hdrq.evaluation.report.figures import _cut, breakdown, histogram, residuals, scatter, wrapped

VALUES = np.linspace(0, 10, 401)


def shown(kinds: list[str], noise: float = 0.0) -> tuple[Any, Any]:
    """Metric x of 401 images whose subjective score is 2 x, less an even error from -noise to noise."""
    error = np.random.default_rng(0).permutation(np.linspace(-noise, noise, 401))
    pairs = [SimpleNamespace(distortion=kinds[i % len(kinds)]) for i in range(401)]
    sheet = SimpleNamespace(
        metrics=["other", "m"],
        values=np.stack([np.zeros(401), VALUES]),
        mos=2 * VALUES - error,
        mos_better="higher",
        pairs=pairs,
    )
    return sheet, SimpleNamespace(metric="m", curve=lambda x: 2 * x)


def test_the_band_of_a_scatter_plot_holds_95_per_cent_of_the_residuals() -> None:
    sheet, agreement = shown(["a"], noise=1.0)
    (axes,) = scatter(sheet, agreement).axes
    curve, points = axes.get_lines()
    assert curve.get_ydata() == pytest.approx(2 * np.linspace(0, 10, 200))
    assert sorted(points.get_xdata()) == pytest.approx(VALUES)
    corners = axes.collections[0].get_paths()[0].vertices
    off = corners[:, 1] - 2 * corners[:, 0]
    assert (off.min(), off.max()) == pytest.approx((-0.95, 0.95), abs=1e-6)


def test_more_points_than_1500_are_sampled() -> None:
    n = 1501
    sheet = SimpleNamespace(metrics=["m"], values=np.arange(float(n))[None], mos=np.arange(n), mos_better="")
    (axes,) = scatter(sheet, SimpleNamespace(metric="m", curve=None)).axes  # type: ignore[arg-type]
    assert len(set(axes.get_lines()[0].get_xdata())) == 1500


def test_boxes_of_residuals_hold_the_central_half_and_whiskers_95_per_cent() -> None:
    sheet, agreement = shown(["jpeg", "blur"], noise=1.0)
    figure = residuals(sheet, agreement)
    assert figure is not None
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["blur", "jpeg"]  # the first at the top
    left = agreement.curve(VALUES) - sheet.mos
    for place, own in enumerate((left[1::2], left[0::2])):
        bar = axes.patches[place]
        box = (bar.get_x(), bar.get_x() + bar.get_width())
        assert box == pytest.approx(tuple(np.quantile(own, [0.25, 0.75])))
        assert bar.get_y() + bar.get_height() / 2 == pytest.approx(place)
        whisker, middle = axes.get_lines()[2 * place : 2 * place + 2]
        assert list(whisker.get_xdata()) == pytest.approx(list(np.quantile(own, [0.025, 0.975])))
        assert list(whisker.get_ydata()) == [place, place]
        assert list(middle.get_xdata()) == pytest.approx([np.median(own)] * 2)
        assert list(middle.get_ydata()) == pytest.approx([bar.get_y(), bar.get_y() + bar.get_height()])
    assert residuals(shown(["jpeg"])[0], agreement) is None


def test_a_histogram_counts_images_by_score() -> None:
    sheet, _ = shown(["a"])
    (axes,) = histogram(sheet, bins=4).axes
    assert [b.get_height() for b in axes.patches] == [100, 100, 100, 101]
    assert [b.get_x() for b in axes.patches] == pytest.approx([0, 5, 10, 15])
    assert [b.get_width() for b in axes.patches] == pytest.approx([5, 5, 5, 5])
    assert len(histogram(sheet).axes[0].patches) == 20


def test_groups_are_rows_from_the_top_and_metrics_lie_side_by_side_in_them() -> None:
    rows = [
        SimpleNamespace(group=g, metric=m, srocc=s)
        for g, both in (("first", (0.9, 0.8)), ("second", (0.7, 0.6)))
        for m, s in zip("ab", both)
    ]
    figure = breakdown(rows, ["a", "b"])  # type: ignore[arg-type]
    assert figure is not None
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["second", "first"]
    a, b = axes.get_lines()
    assert list(a.get_xdata()) == [0.9, 0.7]
    assert list(b.get_xdata()) == [0.8, 0.6]
    assert np.rint(a.get_ydata()).tolist() == np.rint(b.get_ydata()).tolist() == [1, 0]
    assert (np.asarray(a.get_ydata()) < np.asarray(b.get_ydata())).all()
    assert breakdown([], ["a"]) is None


def test_labels_are_lines_of_at_most_46_characters() -> None:
    name = "pu21:ssim,variant=wang," * 8
    lines = wrapped(name).splitlines()
    assert "".join(lines) == name
    assert max(map(len, lines)) == 46  # two of its three parts
    assert all(line.endswith(",") for line in lines)
    assert wrapped("x" * 100).splitlines() == ["x" * 46, "x" * 46, "x" * 8]
    assert wrapped("y" * 46) == "y" * 46
    assert _cut("abcde", 2) == ["ab", "cd", "e"]
