"""Tables as papers print them, several datasets and subsets in one, and correlations between metrics."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from hdrq.errors import UsageError
from hdrq.evaluation.correlations import correlations
from hdrq.evaluation.evaluate import averages
from hdrq.evaluation.report.paper_tables import Cell, PaperTable, latex, markdown, of_datasets, of_metrics
from hdrq.evaluation.statistics.agreement import Agreement


def row(
    metric: str, srocc: float, plcc: float = 0.5, rmse: float = 1.0, group: str = "all", images: int = 9
) -> Agreement:
    return Agreement(metric, group, images, 3, srocc, srocc - 0.1, plcc, rmse)


def test_the_best_of_each_column_is_bold_and_the_lowest_rmse_is_the_best() -> None:
    table = of_metrics([row("a_b", 0.9, 0.4, 3.0), row("c", 0.8, 0.7, 2.0)], "live & csiq")
    text = latex(table)
    assert text.startswith("% live & csiq\n")
    assert r"a\_b & 9 & \textbf{0.9000} & \textbf{0.8000} & 0.4000 & 3.0000 \\" in text
    assert r"c & 9 & 0.8000 & 0.7000 & \textbf{0.7000} & \textbf{2.0000} \\" in text
    assert r"\begin{tabular}{lrrrrr}" in text
    shown = markdown(table)
    assert "| a_b | 9 | **0.9000** | **0.8000** | 0.4000 | 3.0000 |" in shown
    assert "|---|---:|---:|---:|---:|---:|" in shown


def test_groups_have_a_column_and_a_best_value_each() -> None:
    rows = [row("a", 0.9), row("b", 0.8), row("a", 0.1, group="jpeg"), row("b", 0.2, group="jpeg")]
    table = of_metrics(rows)
    assert table.heads[:3] == ("group", "metric", "images")
    assert [[c.bold for c in r][3] for r in table.rows] == [True, False, False, True]
    assert of_metrics([row("a", 0.9)]).rows[0][2] == Cell("0.9000", False)


def test_datasets_are_columns_under_a_title_of_two() -> None:
    table = of_datasets({"kadid": [row("a", 0.9), row("b", 0.8)], "upiq:hdr": [row("a", 0.3)]})
    text = latex(table)
    assert r"\multicolumn{2}{c}{kadid} & \multicolumn{2}{c}{upiq:hdr}" in text
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}" in text
    assert [c.text for c in table.rows[1]] == ["b", "0.8000", "0.5000", "", ""]
    assert markdown(table).splitlines()[0] == (
        "| metric | kadid SROCC | kadid PLCC | upiq:hdr SROCC | upiq:hdr PLCC |"
    )


def test_latex_and_markdown_escape_what_would_break_them() -> None:
    table = PaperTable(("a|b", "n"), ((Cell("50% of #1 {x}^~\\"), Cell("1")),))
    assert r"50\% of \#1 \{x\}\textasciicircum{}\textasciitilde{}\textbackslash{}" in latex(table)
    assert markdown(table).startswith("| a\\|b | n |")
    assert "*a* <b>" not in markdown(PaperTable(("m",), ((Cell("*a* <b>"),),)))


def test_averages_take_weights_of_datasets() -> None:
    """IMQNet's paper chooses teachers by .25 KonIQ + .15 FLIVE + ...; datasets without a weight do not count."""
    each = {
        "one": [row("a", 0.9, 0.8, images=10)],
        "two": [row("a", 0.5, 0.4, images=30)],
        "three": [row("a", 0.1, 0.2, images=60)],
    }
    found = {a.group: a for a in averages(each, {"one": 3.0, "two": 1.0})}
    assert found["average"].srocc == pytest.approx(0.5)
    assert found["weighted average"].srocc == pytest.approx(0.9 * 0.1 + 0.5 * 0.3 + 0.1 * 0.6)
    own = found["average by the given weights"]
    assert (own.srocc, own.plcc, own.images) == (pytest.approx(0.8), pytest.approx(0.7), 40)
    assert len(list(averages(each))) == 2
    for weights, says in (
        ({"four": 1.0}, "no dataset 'four'"),
        ({"one": -1.0}, "at least 0"),
        ({"one": 0.0}, "positive"),
    ):
        with pytest.raises(UsageError, match=says):
            list(averages(each, weights))


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Two manifests over the same scenes, and a table of scores of both."""
    folder = tmp_path_factory.mktemp("tables")
    scores = ["dist,metric,value,better"]
    for name, step in (("one", 1.0), ("two", -1.0)):
        lines = ["dist,mos,scene"]
        for i in range(12):
            lines.append(f"{name}{i}.png,{i + 0.3 * (i % 3)},s{i // 2}")
            (folder / f"{name}{i}.png").touch()
            scores += [f"{name}{i}.png,{m},{v},higher" for m, v in (("up", i), ("mixed", step * i + i % 2))]
            scores.append(f"{name}{i}.png,down,{-i},lower")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (folder / "scores.csv").write_text("\n".join(scores) + "\n")
    return folder


def test_several_datasets_make_one_table_with_averages(run, tables, tmp_path) -> None:
    two = ("--dataset", "csv", "--data", tables / "one.csv", "--dataset", "csv", "--data", tables / "two.csv")
    out = tmp_path / "t.tex"
    code, _, err = run("evaluate", *two, "--scores", tables / "scores.csv", "--draws", 0, "-o", out)
    assert code == 0, err
    text = out.read_text()
    assert r"\multicolumn{2}{c}{average}" in text
    assert r"\multicolumn{2}{c}{weighted average}" in text
    line = next(part for part in text.splitlines() if part.startswith("down"))
    assert line.startswith(r"down & \textbf{1.0000}")
    code, _, err = run(
        "evaluate", *two, "--scores", tables / "scores.csv", "--average-weights", "one", "--draws", 0
    )
    assert code == 2
    assert "NAME=WEIGHT" in err
    code, shown, err = run(
        "evaluate", *two, "--scores", tables / "scores.csv", "--draws", 0, "--format", "markdown", "-m", "up"
    )
    assert code == 0, err
    assert shown.splitlines()[2].startswith("| up | ")


def test_correlations_need_no_subjective_scores(run, tables, tmp_path) -> None:
    values = {"a": {str(i): float(i) for i in range(5)}, "b": {str(i): -(float(i) ** 3) for i in range(1, 6)}}
    found = correlations(values, {"a": "higher", "b": "lower"})[0]
    assert (found.a, found.b, found.images) == ("a", "b", 4)
    assert found.srocc == pytest.approx(1)
    assert found.krocc == pytest.approx(1)
    assert 0.9 < found.plcc < 1
    assert correlations(values, {"a": "higher", "b": "higher"})[0].srocc == pytest.approx(-1)
    code, out, err = run("evaluate", "--scores", tables / "scores.csv", "--correlations", "--format", "csv")
    assert code == 0, err
    rows = {(r["a"], r["b"]): r for r in csv.DictReader(out.splitlines())}
    assert len(rows) == 3
    assert float(rows["up", "down"]["srocc"]) == pytest.approx(1)
    code, out, err = run("evaluate", "--scores", tables / "scores.csv", "--correlations", "--format", "latex")
    assert code == 0, err
    assert r"up & 1.000 &" in out
    code, out, err = run("evaluate", "--scores", tables / "scores.csv", "--correlations", "-m", "up")
    assert code == 2
    assert "name two at least" in err
    code, _, err = run("evaluate", "--scores", tables / "scores.csv", "--correlations", "--by", "split")
    assert code == 2
    assert "--by has no effect with --correlations" in err


def test_datasets_that_share_a_table_of_scores_keep_their_rows(run, tmp_path) -> None:
    """Scores computed on one dataset stay in the table when another one is evaluated with it."""
    import torch

    import hdrq
    from hdrq.records import Image

    for name in ("one", "two"):
        lines = ["dist,ref,mos,scene"]
        for i in range(4):
            x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(i))
            hdrq.write(tmp_path / f"{name}{i}r.png", Image(x, "srgb"), depth="uint8")
            hdrq.write(
                tmp_path / f"{name}{i}.png", Image((x + 0.05 * (i + 1)).clamp(0, 1), "srgb"), depth="uint8"
            )
            lines.append(f"{name}{i}.png,{name}{i}r.png,{9 - i},s{i}")
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    two = (
        "--dataset",
        "csv",
        "--data",
        tmp_path / "one.csv",
        "--dataset",
        "csv",
        "--data",
        tmp_path / "two.csv",
    )
    path = tmp_path / "scores.csv"
    code, out, err = run("evaluate", *two, "-m", "psnr", "--scores", path, "--draws", 0, "--format", "json")
    assert code == 0, err
    assert [r["images"] for r in json.loads(out) if r["metric"] == "psnr"] == [4, 4, 8, 8]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert len({r["dist"] for r in rows}) == 8


def test_a_subset_is_named_after_a_colon(run, tables) -> None:
    code, _, err = run("evaluate", "--dataset", "upiq:hdrr", "--data", tables, "-m", "psnr")
    assert code in (2, 3)
    assert len(err.splitlines()) == 1
    code, _, err = run("evaluate", "--dataset", "upiq:hdr", "--subset", "sdr", "--data", tables, "-m", "psnr")
    assert code == 2
    assert "both name a subset" in err


def test_plots_are_png_and_pdf_and_count_every_image(run, tables, tmp_path) -> None:
    from hdrq.evaluation.report.figures import histogram
    from hdrq.evaluation.request import EvaluationRequest, ratings_of

    asked = (
        "--dataset",
        "csv",
        "--data",
        tables / "one.csv",
        "--scores",
        tables / "scores.csv",
        "--draws",
        0,
    )
    code, _, err = run("evaluate", *asked, "-m", "up", "--plots", tmp_path / "p", "--format", "csv")
    assert code == 0, err
    names = {p.name for p in (tmp_path / "p").iterdir()}
    assert {f"histogram-of-subjective-scores.{s}" for s in ("png", "pdf")} <= names
    found = ratings_of(
        EvaluationRequest("csv", tables / "one.csv", metrics=("up",), scores=tables / "scores.csv")
    )
    bars = histogram(found, 3).axes[0].patches
    assert [b.get_height() for b in bars] == [4, 4, 4]
