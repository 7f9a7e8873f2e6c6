"""Subjective scores of several datasets on one scale: by metrics, and by common images."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Picture

from hdrq.cli.app import command_line
from hdrq.errors import UsageError
from hdrq.evaluation.merged_ratings import merge_ratings
from hdrq.evaluation.ratings import Ratings, ratings
from hdrq.records import Pair


def judged(
    name: str, truth: np.ndarray, scores: np.ndarray, better: str = "higher", noise: float = 0.0
) -> Ratings:
    """Images of a true quality, their scores, and two metrics that see the quality with noise."""
    rng = np.random.default_rng(len(name))
    pairs = [Pair(f"{name}{i}.png", scene=f"s{i}", mos=float(s)) for i, s in enumerate(scores)]
    seen = {
        "up": truth + noise * rng.standard_normal(truth.size),
        "down": -truth + noise * rng.standard_normal(truth.size),
    }
    values = {m: {f"{name}{i}.png": float(v) for i, v in enumerate(row)} for m, row in seen.items()}
    return ratings(pairs, values, {"up": "higher", "down": "lower"}, name=name, mos_better=better)


def by_dataset(rows: tuple[dict[str, object], ...]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(r["dataset"] for r in rows)
    return {n: np.array([r["mos"] for r in rows if r["dataset"] == n]) for n in names}


def test_scores_of_other_scales_come_to_that_of_the_first_by_the_metrics() -> None:
    """One judged 1 to 5 on better images, another as DMOS of 100 on worse ones: equal quality gets an equal score."""
    good, bad = np.linspace(0.4, 1.0, 40), np.linspace(0.0, 0.7, 50)
    first = judged("first", good, 1 + 4 * good)
    other = judged("other", bad, 100 - 90 * bad, better="lower")
    found = merge_ratings({"first": first, "other": other})
    merged = by_dataset(found.rows)
    np.testing.assert_allclose(merged["first"], 1 + 4 * good)
    np.testing.assert_allclose(merged["other"], 1 + 4 * bad, atol=1e-9)
    line = found.lines[1]
    assert (line.by, line.images, line.agreement) == ("metrics", 50, pytest.approx(1))
    assert found.rows[-1]["mos_own"] == pytest.approx(100 - 90 * 0.7)
    again = by_dataset(merge_ratings({"first": first, "other": other}, "other").rows)
    np.testing.assert_allclose(
        again["first"], -(100 - 90 * good), atol=1e-9
    )  # higher is better, also of DMOS


def test_noise_of_the_metrics_does_not_shrink_a_dataset() -> None:
    """The slope of a regression would: by the square of the correlation, about 0.6 here."""
    rng = np.random.default_rng(0)
    one, two = rng.uniform(0, 1, 3000), rng.uniform(0, 1, 3000)
    found = merge_ratings(
        {"a": judged("a", one, one, noise=0.25), "bb": judged("bb", two, 10 * two, noise=0.25)}
    )
    merged = by_dataset(found.rows)["bb"]
    assert merged.std() == pytest.approx(two.std(), rel=0.03)
    np.testing.assert_allclose(merged, two, atol=0.03)


def test_common_images_decide_before_the_metrics(tmp_path: Path) -> None:
    """Twelve files are in both; the metrics, which would say otherwise, are not asked, and no image is twice."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for i in range(20):
            Picture.new("L", (8, 8), i + (100 if folder == "b" and i >= 12 else 0)).save(
                tmp_path / folder / f"{i}.png"
            )
    all_ratings = {}
    for folder, scores in (("a", np.arange(20.0)), ("b", 5 + 0.5 * np.arange(20.0))):
        plain = judged(folder, np.arange(20.0) ** (3 if folder == "b" else 1), scores)
        pairs = tuple(replace(p, dist=tmp_path / folder / f"{i}.png") for i, p in enumerate(plain.pairs))
        all_ratings[folder] = replace(plain, pairs=pairs)
    found = merge_ratings(all_ratings)
    assert (found.lines[1].by, found.lines[1].images) == ("common images", 12)
    assert found.lines[1].gain == pytest.approx(2)
    assert found.lines[1].offset == pytest.approx(-10)
    assert len(found.rows) == 28
    assert any("12 images that several datasets have" in note for note in found.notes)


def test_metrics_that_do_not_see_a_dataset_are_refused_or_noted() -> None:
    truth = np.linspace(0, 1, 30)
    good = judged("good", truth, truth)
    with pytest.raises(UsageError, match="do not agree with the scores of odd"):
        merge_ratings({"good": good, "odd": judged("odd", truth, -truth)})
    vague = judged("vague", np.random.default_rng(1).permutation(truth) + 0.2 * truth, truth)
    found = merge_ratings({"good": good, "vague": vague})
    assert any("agree with the scores of vague by an SROCC of 0." in note for note in found.notes)
    with pytest.raises(UsageError, match="at least two datasets"):
        merge_ratings({"good": good})
    with pytest.raises(UsageError, match="no dataset 'x'"):
        merge_ratings({"good": good, "vague": vague}, "x")
    with pytest.raises(UsageError, match="share no metric"):
        merge_ratings({"good": good, "vague": replace(vague, metrics=("p", "q"))})


def test_the_command_writes_a_table_that_train_reads(tmp_path: Path) -> None:
    lines = ["dist,metric,value,better"]
    for folder, gain in (("a", 1), ("b", 20)):
        (tmp_path / folder).mkdir()
        rows = ["dist,mos,scene"]
        for i in range(12):
            place = tmp_path / folder / f"{i}.png"
            Picture.effect_noise((64, 64), 5 + 9 * i + (folder == "b")).convert("RGB").save(place)
            rows.append(f"{i}.png,{gain * (12 - i)},s{i}")
            lines.append(f"{place},mine,{12 - i},higher")
        (tmp_path / folder / f"{folder}.csv").write_text("\n".join(rows))
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    merged = tmp_path / "merged.csv"
    command = [
        "evaluate",
        "--scores",
        str(tmp_path / "scores.csv"),
        "-m",
        "mine",
        "--draws",
        "0",
        "--merge-mos",
        str(merged),
    ]
    for folder in ("a", "b"):
        command += ["--dataset", "csv", "--data", str(tmp_path / folder / f"{folder}.csv")]
    done = CliRunner().invoke(command_line, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    table = list(csv.DictReader(merged.open()))
    assert len(table) == 24
    assert [float(r["mos"]) for r in table[:12]] == pytest.approx([float(r["mos"]) for r in table[12:]])
    assert len({r["scene"] for r in table}) == 24
    check = ["train", "--dataset", "csv", "--data", str(merged), "-m", "norvdpnet++", "--small", "--dry-run",
             "--device", "cpu", "-o", str(tmp_path / "run")]  # fmt: skip
    tried = CliRunner().invoke(command_line, check, catch_exceptions=False)
    assert tried.exit_code == 0, tried.output
    alone = CliRunner().invoke(command_line, [*command[:-4]], catch_exceptions=True)
    assert alone.exit_code != 0
