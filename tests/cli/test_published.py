"""Published figures beside measured ones, and tables with metrics in columns."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import hdrq
from hdrq.cli.app import command_line
from hdrq.errors import FileError, UsageError
from hdrq.evaluation.published import read_published


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Two metrics on two distortions: `good` ranks all images, `half` those of blur only."""
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("dist", "scene", "distortion", "mos", "good", "half"))
        for i in range(24):
            kind = "blur" if i % 2 else "noise"
            shuffled = i if kind == "blur" else (7 * i) % 24
            writer.writerow((f"{i}.png", f"s{i % 6}", kind, i, 2 * i + 1, shuffled))
    return path


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    path = tmp_path / "peers.csv"
    path.write_text(
        "metric,citation,dataset,group,srocc,plcc\n"
        'BRISQUE,"Zhu et al. 2020, table 2",scores,blur,0.85,\n'
        'BRISQUE,"Zhu et al. 2020, table 2",scores,noise,0.75,\n'
        'BRISQUE,"Zhu et al. 2020, table 3",scores,,0.999,0.5\n'
        "WaDIQaM,Bosse 2018,elsewhere,,0.9,0.9\n"
        "WaDIQaM,Bosse 2018,scores,rain,0.9,0.9\n"
    )
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(command_line, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_transposed_table_has_metrics_in_columns_and_published_ones_are_marked(scores, peers) -> None:
    """Document 004's table of distortions: rows are distortions and their average, the best measured value is bold."""
    text = run("--scores", scores, "--draws", 0, "--by", "distortion", "--transpose", "srocc",
               "--published", peers, "--format", "markdown")  # fmt: skip
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0] == "| group | good | half | BRISQUE [1] | BRISQUE [2] |"
    rows = {
        line.split(" | ")[0].strip("| "): [c.strip(" |") for c in line.split(" | ")[1:]] for line in table[2:]
    }
    assert list(rows) == ["all", "noise", "blur", "average"]
    assert rows["all"][0] == "**1.0000**"  # 0.999 is published: it is never bold
    assert rows["all"][2:] == ["0.999", ""]
    assert rows["blur"][:2] == ["**1.0000**", "**1.0000**"]
    assert rows["blur"][2:] == ["", "0.85"]
    assert rows["average"][3] == "0.8"
    assert float(rows["average"][1]) == pytest.approx((float(rows["noise"][1]) + 1) / 2, abs=1e-4)
    assert "[1] published, not measured here: Zhu et al. 2020, table 3" in text
    assert "[2] published, not measured here: Zhu et al. 2020, table 2" in text
    assert "Bosse" not in text


def test_published_rows_stand_below_the_measured_ones_and_say_so_in_files(scores, peers, tmp_path) -> None:
    rows = json.loads(run("--scores", scores, "--draws", 0, "--published", peers, "--format", "json"))
    assert [(r["metric"], r["published"]) for r in rows] == [
        ("good", ""),
        ("half", ""),
        ("BRISQUE", "Zhu et al. 2020, table 3"),
    ]
    assert rows[2]["srocc"] == 0.999
    latex = run("--scores", scores, "--draws", 0, "--published", peers, "--format", "latex")
    assert r"BRISQUE [1] &  & 0.999 &  & 0.5 &  \\" in latex
    assert (
        r"\multicolumn{6}{l}{\footnotesize [1] published, not measured here: Zhu et al. 2020, table 3} \\"
        in latex
    )
    shown = run(
        "--scores", scores, "--draws", 0, "--published", peers, "--by", "distortion", "--format", "table"
    )
    assert "BRISQUE [1]" in shown
    assert "published, not measured here" in " ".join(shown.split())
    page = tmp_path / "report.html"
    run("--scores", scores, "--draws", 10, "--published", peers, "--report", page, "--format", "csv")
    assert "BRISQUE [1]</th>" in page.read_text()
    assert "published, not measured here: Zhu et al. 2020, table 3" in page.read_text()


def test_published_groups_without_a_row_are_named(scores, peers) -> None:
    found = hdrq.evaluate(scores, draws=0, published=peers)
    assert "published figures of rain have no row beside them" in found.notes
    assert [a.metric for a in found.rows] == ["good", "half"]  # and significance is tested among these only
    assert {(t.a, t.b) for t in found.significance} == {("good", "half")}


def archive(folder: Path, seed: int) -> Path:
    """A manifest of grey squares, the better the brighter."""
    from PIL import Image

    folder.mkdir()
    lines = ["dist,mos,scene"]
    for i in range(10):
        Image.new("L", (64, 64), 20 * i + seed).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{i},s{i}")
    (folder / "mine.csv").write_text("\n".join(lines))
    return folder / "mine.csv"


def test_several_datasets_take_published_columns_and_are_transposed(tmp_path, scores) -> None:
    one, two = archive(tmp_path / "a", 1), archive(tmp_path / "b", 2)
    table = tmp_path / "values.csv"
    lines = ["dist,metric,value,better"]
    lines += [f"{p.parent / f'{i}.png'},mine,{i},higher" for p in (one, two) for i in range(10)]
    table.write_text("\n".join(lines))
    peers = tmp_path / "peers.csv"
    peers.write_text("metric,citation,dataset,srocc\nPEER,X 2020,mine,0.5\nPEER,X 2020,average,0.4\n")
    given = ("--dataset", "csv", "--data", one, "--dataset", "csv", "--data", two, "--scores", table, "-m", "mine",
             "--draws", 0, "--published", peers)  # fmt: skip
    names = [line.split(",")[0] for line in run(*given, "--format", "csv").splitlines()[1:]]
    assert len(set(names)) >= 3
    text = run(*given, "--transpose", "srocc", "--format", "markdown")
    rows = {r.split("|")[1].strip(): r for r in text.splitlines() if r.startswith("|")}
    assert rows["dataset"] == "| dataset | mine | PEER [1] |"
    assert rows["average"].endswith("| 0.4 |")
    shown = run(*given, "--format", "table")
    assert "PEER [1]" in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metric,srocc\nA,0.5\n", "citation"),
        ("metric,citation,srocc\nA,,0.5\n", "line 2 lacks the metric or its citation"),
        ("metric,citation,srocc\nA,B 2020,\n", "line 2 has no figure"),
        ("metric,citation,srocc\nA,B 2020,x\n", "line 2, srocc"),
    ],
)
def test_a_published_table_without_its_parts_is_refused(tmp_path, text: str, says: str) -> None:
    path = tmp_path / "peers.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=says):
        read_published(path)


def test_a_published_table_of_other_datasets_is_refused(scores, tmp_path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text("metric,citation,dataset,srocc\nA,B 2020,koniq,0.5\n")
    with pytest.raises(UsageError, match="no published figures of scores"):
        hdrq.evaluate(scores, draws=0, published=path)
