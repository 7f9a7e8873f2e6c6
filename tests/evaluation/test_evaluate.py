"""hdrq evaluate: figures, protocols and the command, on small made archives and on real judgements."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.io import savemat

import hdrq
from hdrq.errors import UsageError
from hdrq.evaluation.archive import Comparison
from hdrq.evaluation.evaluate import Plan, across, by_distortion, by_level, evaluate, splits_of
from hdrq.evaluation.preferences import preferences
from hdrq.evaluation.ratings import Ratings, join, ratings
from hdrq.evaluation.score_table import read_scores
from hdrq.evaluation.significance import paired_tests, resolving
from hdrq.evaluation.statistics.agreement import agreement
from hdrq.evaluation.statistics.correlation import plcc, srocc, steiger, williams
from hdrq.evaluation.statistics.curves import Curve, fit
from hdrq.records import Image, Pair
from hdrq.scoring.scorer import Scorer

Run = Callable[..., tuple[int, str, str]]


def made(scenes: int = 12, each: int = 10, noise: tuple[float, ...] = (0.2, 0.6), seed: int = 0) -> Ratings:
    """Ratings with metrics of known worth: the subjective score and so much noise."""
    rng = np.random.default_rng(seed)
    pairs, scored = [], rng.normal(size=scenes * each)
    for i, mos in enumerate(scored):
        kind = ("jpeg", "blur")[i % 2]
        pairs.append(
            Pair(f"d{i}.png", f"r{i // each}.png", f"s{i // each}", float(mos), 0.2, kind, float(i % 5))
        )
    values = {f"m{n:g}": scored + n * rng.normal(size=scored.size) for n in noise}
    scores = {m: {f"d{i}.png": float(v) for i, v in enumerate(row)} for m, row in values.items()}
    return ratings(pairs, scores, dict.fromkeys(scores, "higher"), name="made", mos_better="higher")


QUICK = Plan(draws=100, splits=6)


def test_better_metrics_come_first_and_their_intervals_hold_them():
    rows = list(evaluate(made(), plan=QUICK))
    assert [r.metric for r in rows] == ["m0.2", "m0.6"]
    for row in rows:
        assert row.intervals["srocc"][0] < row.srocc < row.intervals["srocc"][1]
        assert (row.images, row.scenes) == (120, 12)
        assert row.outliers is not None


def test_an_image_without_a_score_is_left_out_of_every_metric_and_told():
    pairs = [Pair(f"{i}.png", mos=float(i)) for i in range(8)]
    scores = {"a": {f"{i}.png": float(i) for i in range(8)}, "b": {f"{i}.png": float(-i) for i in range(7)}}
    found = ratings(pairs, scores, {"a": "higher", "b": "lower"}, mos_better="higher")
    assert found.values.shape == (2, 7)
    assert "1 of 8 images" in found.notes[0]
    assert [a.srocc for a in evaluate(found, plan=QUICK)] == [1, 1]
    with pytest.raises(UsageError, match="has no subjective scores"):
        ratings([Pair("a.png")], {}, {})


def test_a_direction_nobody_states_is_taken_from_the_data_and_told():
    pairs = [Pair(f"{i}.png", mos=float(i)) for i in range(8)]
    found = ratings(pairs, {"a": {f"{i}.png": -float(i) for i in range(8)}}, {}, mos_better="higher")
    assert found.better == ("lower",)
    assert any("direction of a" in note for note in found.notes)


def test_names_are_joined_by_the_end_of_their_path():
    pairs = [Pair("/data/kadid/images/I01_01_01.png"), Pair("/data/x/a.png"), Pair("/data/y/a.png")]
    found = join(pairs, ["I01_01_01.png", "images\\I01_01_01.PNG", "y/a.png", "a.png", "none.png"])
    assert found == {
        "I01_01_01.png": "/data/kadid/images/I01_01_01.png",
        "images\\I01_01_01.PNG": "/data/kadid/images/I01_01_01.png",
        "y/a.png": "/data/y/a.png",
    }


def test_folds_test_every_scene_once_and_end_in_their_mean():
    rows = list(evaluate(made(), "folds", QUICK))
    own = [r for r in rows if r.metric == "m0.2"]
    assert [r.group for r in own] == [*(f"fold {k}" for k in range(1, 6)), "mean of folds"]
    assert sum(r.images for r in own[:-1]) == 120
    assert own[-1].srocc == pytest.approx(np.mean([r.srocc for r in own[:-1]]))
    for split in splits_of(made(), QUICK):
        assert not split.test & split.train


def test_random_splits_end_in_their_median():
    rows = list(evaluate(made(), "splits", QUICK))
    assert [r.group for r in rows] == ["median of 6 splits"] * 2
    assert rows[0].intervals["srocc"][0] <= rows[0].srocc <= rows[0].intervals["srocc"][1]


def test_leaving_a_distortion_out_fits_the_curve_without_it():
    base = made(noise=(0.1,))
    turned = base.values.copy()
    jpeg = np.array([p.distortion == "jpeg" for p in base.pairs])
    turned[0, jpeg] += 5  # the metric is biased for one distortion: ranks within it stay, predictions do not
    rows = {r.group: r for r in evaluate(Ratings(base.name, base.pairs, base.metrics, turned, base.better, "higher"),
                                         "leave-one-out", QUICK)}  # fmt: skip
    assert set(rows) == {"without jpeg", "without blur"}
    assert rows["without jpeg"].srocc > 0.95
    assert rows["without jpeg"].rmse > 3 * next(iter(evaluate(base, plan=QUICK))).rmse


def test_breakdowns_cover_every_group():
    assert {r.group for r in by_distortion(made(), QUICK)} == {"jpeg", "blur"}
    assert {r.group for r in by_level(made(), QUICK)} == {f"level {i}" for i in range(5)}


def test_a_curve_of_another_dataset_is_used_as_it_is():
    one, two = made(noise=(0.2,)), made(noise=(0.2,), seed=1)
    (row,) = across(one, two, QUICK)
    assert row.group == "made > made"
    assert row.curve == next(iter(evaluate(one, plan=QUICK))).curve
    with pytest.raises(UsageError, match=r"m0\.3 has no scores on made"):
        list(across(one, made(noise=(0.3,)), QUICK))


def test_a_contest_tells_apart_what_differs_and_only_that():
    found = paired_tests(made(scenes=30, noise=(0.2, 0.9)), QUICK)[0]
    assert (found.a, found.b) == ("m0.2", "m0.9")
    assert found.gap > 0
    assert found.low > 0
    assert max(found.p_scenes, found.p_steiger, found.p_williams) < 0.02
    same = paired_tests(made(scenes=30, noise=(0.5, 0.500001)), QUICK)[0]
    assert min(same.p_scenes, same.p_steiger, same.p_williams) > 0.05
    assert found.p_different is None  # deviations without the number of observers say nothing of the mean


def test_resolving_power_needs_the_error_of_the_mean():
    base = made(noise=(0.2, 0.9))
    assert resolving(base, QUICK) == []
    sure = Ratings(
        base.name,
        base.pairs,
        base.metrics,
        base.values,
        base.better,
        "higher",
        np.full(120, 0.2),
        "standard error",
    )
    rows = resolving(sure, QUICK)
    assert [r.metric for r in rows] == ["m0.2", "m0.9"]
    assert rows[0].intervals["better"][0] <= rows[0].better <= rows[0].intervals["better"][1]
    assert paired_tests(sure, QUICK)[0].p_better < 0.01


def test_preferences_count_how_often_a_metric_sides_with_people():
    compared = [Comparison(Path("a"), Path("b"), None, 0.9, f"s{i}") for i in range(4)]
    scores = {"good": {"a": 2.0, "b": 1.0}, "bad": {"a": 1.0, "b": 2.0}}
    good, bad = preferences(compared, scores, dict.fromkeys(scores, "higher"), draws=20)
    assert (good.accuracy, bad.accuracy) == (1, 0)
    assert good.share == pytest.approx(good.ceiling) == pytest.approx(0.9)
    assert next(preferences(compared, {"good": scores["good"]}, {"good": "lower"})).accuracy == 0


def wide(path: Path, rows: int = 60) -> Path:
    rng = np.random.default_rng(0)
    y = rng.normal(size=rows)
    with path.open("w") as out:
        out.write("image,content,mos,codec,dlevel,good,poor\n")
        for i, v in enumerate(y):
            out.write(
                f"i{i}.png,c{i // 6},{v},{'ab'[i % 2]},{i % 3},{v + 0.2 * rng.normal()},{-v + rng.normal()}\n"
            )
    return path


def test_a_table_of_others_is_evaluated_without_images(run, tmp_path):
    path = wide(tmp_path / "values.csv")
    code, out, err = run("evaluate", "--scores", path, "--higher", "--by", "distortion", "--draws", 50)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["metric"], r["group"]) for r in rows[:2]] == [("good", "all"), ("poor", "all")]
    table = list(csv.DictReader(path.open()))
    y, x = ([float(r[c]) for r in table] for c in ("mos", "poor"))
    assert float(rows[1]["srocc"]) == pytest.approx(-stats.spearmanr(x, y).statistic)
    assert float(rows[1]["krocc"]) == pytest.approx(-stats.kendalltau(x, y).statistic)
    assert {r["group"] for r in rows} == {"all", "a", "b"}
    assert "direction of good, poor" in err


def test_columns_and_metrics_are_chosen_by_name_and_pattern(run, tmp_path):
    path = wide(tmp_path / "values.csv")
    code, out, _ = run(
        "evaluate", "--scores", path, "--column", "mos=good", "-m", "po*", "--lower", "--draws", 0
    )
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["metric"], row["srocc_low"]) == ("poor", "")
    code, _, err = run("evaluate", "--scores", path, "-m", "best")
    assert (code, err.count("\n")) == (2, 1)
    assert "has no scores of 'best'; it has good, poor" in err
    code, _, err = run("evaluate", "--scores", path, "--column", "mos=nothing")
    assert code == 2
    assert "no such column" in err
    assert run("evaluate")[0] == 2


@pytest.mark.parametrize("format", ["json", "table"])
def test_the_result_is_written_in_the_format_asked_for(run, tmp_path, format):
    path, output = wide(tmp_path / "values.csv"), tmp_path / "out.txt"
    contests_to = tmp_path / "paired_tests.csv"
    code, _, _ = run(
        "evaluate",
        "--scores",
        path,
        "--higher",
        "--format",
        format,
        "-o",
        output,
        "--significance",
        contests_to,
    )
    assert code == 0
    if format == "json":
        rows = json.loads(output.read_text())
        assert rows[0]["metric"] == "good"
        assert rows[0]["plcc_low"] < rows[0]["plcc"]
    else:
        assert "good" in output.read_text()
        assert "SROCC" in output.read_text()
    (tested,) = csv.DictReader(contests_to.open())
    assert {tested["a"], tested["b"]} == {"good", "poor"}


@pytest.fixture
def kadid(tmp_path: Path) -> Path:
    """A tiny KADID-10k whose images can be scored: more noise is judged worse."""
    root = tmp_path / "kadid10k"
    (root / "images").mkdir(parents=True)
    lines = ["dist_img,ref_img,dmos,var"]
    for i in (1, 2, 3):
        g = torch.Generator().manual_seed(i)
        ref = torch.nn.functional.interpolate(
            torch.rand(1, 3, 6, 6, generator=g), (48, 48), mode="bicubic"
        ).clamp(0, 1)
        hdrq.write(root / f"images/I{i:02d}.png", Image(ref, "srgb", bits=8))
        for level in range(1, 6):
            dist = (ref + 0.03 * level * torch.randn(ref.shape, generator=g)).clamp(0, 1)
            hdrq.write(root / f"images/I{i:02d}_11_{level:02d}.png", Image(dist, "srgb", bits=8))
            lines.append(f"I{i:02d}_11_{level:02d}.png,I{i:02d}.png,{5 - 0.7 * level + 0.01 * i},0.4")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_dataset_is_scored_evaluated_and_resumed(run, tmp_path, kadid, monkeypatch):
    scores = tmp_path / "scores.csv"
    ask = (
        "evaluate",
        "--dataset",
        "kadid",
        "--data",
        tmp_path,
        "-m",
        "psnr",
        "--scores",
        scores,
        "--draws",
        50,
    )
    code, out, _ = run(*ask)
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert float(row["srocc"]) > 0.95
    assert (row["images"], row["scenes"]) == ("15", "3")
    kept = list(csv.DictReader(scores.open()))
    assert len(kept) == 15
    with monkeypatch.context() as once:
        once.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("was scored again"))
        assert run(*ask)[:2] == (0, out)
    code, out, _ = run(*ask, "-m", "mae")
    assert code == 0
    assert {r["metric"] for r in csv.DictReader(io.StringIO(out))} == {"psnr", "mae"}
    assert len(list(csv.DictReader(scores.open()))) == 30


def test_a_table_of_scores_follows_images_that_changed_and_loses_no_row(run, tmp_path, kadid):
    """Scores of images that had been replaced stayed; rows of other metrics with other settings were dropped."""
    scores = tmp_path / "scores.csv"
    ask = ("evaluate", "--dataset", "kadid", "--data", tmp_path, "--scores", scores, "--draws", 0)

    def table() -> dict[tuple[str, str], dict[str, str]]:
        return {(Path(r["dist"]).name, r["metric"]): r for r in csv.DictReader(scores.open())}

    run(*ask, "-m", "pu-psnr", "--display", "sdr")
    with scores.open("a") as f:
        f.write("r.png,elsewhere.png,psnr,3,dB,higher" + "," * 9 + "ok,\n")
        f.write("I01.png,I01_11_01.png,hdrvdp3,9,JOD,higher" + "," * 9 + "failed,no memory\n")
    before = table()
    shutil.copy(kadid / "images/I01_11_03.png", kadid / "images/I01_11_01.png")
    _, _, err = run(*ask, "-m", "pu-psnr", "--display", "sdr")
    assert "1 rows of" in err
    assert "images that have changed since" in err
    assert table().keys() == before.keys()
    changed = {key for key, row in table().items() if row["value"] != before[key]["value"]}
    assert changed == {("I01_11_01.png", "pu21:psnr")}
    before = table()
    _, _, err = run(*ask, "-m", "psnr", "--display", "sdr", "--display-peak", 500)
    assert "computed again" not in err
    assert table().keys() > before.keys()
    assert all(table()[key]["value"] == row["value"] for key, row in before.items())


def test_an_interrupted_run_goes_on_where_it_stopped(run, tmp_path, kadid, monkeypatch):
    scores = tmp_path / "scores.csv"
    ask = (
        "evaluate",
        "--dataset",
        "kadid",
        "--data",
        tmp_path,
        "-m",
        "psnr",
        "--scores",
        scores,
        "--draws",
        0,
    )
    _, out, _ = run(*ask)
    rows = list(csv.DictReader(scores.open()))
    scores.unlink()
    journal = tmp_path / "scores.csv.part"
    told = [{**r, "value": float(r["value"]), "extra": {}} for r in rows[:7]]
    journal.write_text("".join(json.dumps(r) + "\n" for r in told) + '{"torn')
    read, seen = Scorer.read, []
    stopped: list[int] = []

    def stop(self, *a, **k):
        stopped.append(1)
        if len(stopped) > 4:
            raise KeyboardInterrupt
        return read(self, *a, **k)

    with monkeypatch.context() as once:
        once.setattr(Scorer, "read", stop)
        code, _, err = run(*ask)
    assert code == 130
    assert f"are in {journal}; the same command goes on" in err
    monkeypatch.setattr(Scorer, "read", lambda self, *a, **k: seen.append(a) or read(self, *a, **k))
    assert run(*ask)[:2] == (0, out)
    assert (
        0 < len(seen) <= 8
    )  # the seven of the journal, and those of the run that was stopped, are not scored again
    assert not journal.exists()
    assert len(list(csv.DictReader(scores.open()))) == 15


def test_scores_of_other_settings_are_not_mixed_in(run, tmp_path, kadid):
    scores = tmp_path / "scores.csv"
    ask = (
        "evaluate",
        "--dataset",
        "kadid",
        "--data",
        tmp_path,
        "-m",
        "pu-psnr",
        "--scores",
        scores,
        "--draws",
        0,
    )
    first = run(*ask)[1]
    code, out, err = run(*ask, "--display", "sdr", "--display-peak", 500)
    assert code == 0
    assert "have other settings or another version" in err
    assert out != first


def test_an_absent_dataset_and_a_missing_file_end_in_one_line(run, tmp_path, kadid):
    code, out, err = run("evaluate", "--dataset", "tid2013", "--data", tmp_path, "-m", "psnr")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "3,000 images" in err
    (kadid / "images/I03.png").unlink()
    code, out, err = run("evaluate", "--dataset", "kadid", "--data", tmp_path, "-m", "psnr")
    assert (code, err.count("\n")) == (3, 1)
    assert "I03.png" in err
    code, _, err = run("evaluate", "--dataset", "sihdr", "--data", tmp_path, "-m", "psnr")
    assert code == 2


def test_datasets_are_listed_with_what_is_here(run, kadid, monkeypatch):
    monkeypatch.setenv("HDRQ_DATA", str(kadid.parent))
    code, out, _ = run("list", "datasets")
    assert code == 0
    rows = {r["dataset"]: r for r in csv.DictReader(io.StringIO(out))}
    assert rows["kadid"]["here"] == "complete"
    assert rows["upiq"]["here"] == "absent"
    assert rows["upiq"]["references"] == "65"


def test_pairs_with_a_resolution_of_their_own_are_seen_at_it(run, tmp_path):
    g = torch.Generator().manual_seed(0)
    head = "dist,ref,mos,scene,ppd"
    lines = []
    for i in range(6):
        ref = 200 * torch.rand(1, 3, 32, 32, generator=g) + 1
        hdrq.write(tmp_path / f"r{i}.exr", Image(ref, "nits"))
        hdrq.write(tmp_path / f"d{i}.exr", Image(ref * (1 + 0.05 * i), "nits"))
        lines.append(f"d{i}.exr,r{i}.exr,{5 - i},s{i},{(30, 60)[i % 2]}")
    (tmp_path / "manifest.csv").write_text("\n".join([head, *lines]) + "\n")
    scores = tmp_path / "s.csv"
    code, _, _ = run("evaluate", "--dataset", "csv", "--data", tmp_path / "manifest.csv", "-m", "hdrvdp3", "--higher",
                     "--scores", scores, "--draws", 0)  # fmt: skip
    assert code == 0
    assert [r["viewing"] for r in csv.DictReader(scores.open())] == ["30 ppd", "60 ppd"] * 3


def test_pairwise_data_have_a_table_of_their_own(run, tmp_path):
    """PieAPP's training part: people prefer A in one pair and the reference itself in the other."""
    g = torch.Generator().manual_seed(0)
    ref = torch.rand(1, 3, 32, 32, generator=g)
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "train_reference_list.txt").write_text("ref_1.png\n")
    for name, amount in (("reference_images/train/ref_1", 0), ("distorted_images/train/ref_1/a", 0.1),
                         ("distorted_images/train/ref_1/b", 0.3)):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        noisy = (ref + amount * torch.randn(ref.shape, generator=g)).clamp(0, 1)
        hdrq.write(tmp_path / f"{name}.png", Image(noisy, "srgb", bits=8))
    rows = ["ref,A,B,raw,processed", "ref_1.png,a.png,b.png,,0.8", "ref_1.png,ref_1.png,b.png,0.9,0.95"]
    (tmp_path / "labels/train/ref_1_pairwise_labels.csv").write_text("\n".join(rows) + "\n")
    code, out, _ = run(
        "evaluate", "--dataset", "pieapp", "--data", tmp_path, "--subset", "train", "-m", "mae"
    )
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["comparisons"], row["accuracy"]) == ("2", "1.0")
    assert float(row["share"]) == pytest.approx(float(row["ceiling"])) == pytest.approx(0.875)


@pytest.mark.shared
def test_nine_metrics_are_ranked_on_real_judgements(run, shared):
    path = shared / "data/labels/jpeg_aic4_metric_scores.csv"
    code, out, err = run("evaluate", "--scores", path, "--lower", "--exclude", "* mapped", "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (rows[0]["metric"], rows[-1]["metric"], len(rows)) == ("CVVDP", "PSNR-Y", 9)
    table = list(csv.DictReader(path.open()))
    for row in rows:
        x, y = ([float(r[c]) for r in table] for c in (row["metric"], "distortion"))
        assert float(row["srocc"]) == pytest.approx(-stats.spearmanr(x, y).statistic, abs=1e-9)
        assert float(row["srocc_low"]) < float(row["srocc"]) < float(row["srocc_high"])
    assert "only 5 scenes" in err


@pytest.mark.shared
def test_intervals_of_opinions_make_resolving_power_possible(shared):
    rated = read_scores(shared / "data/labels/jpeg_aic4_jnd.csv").pairs()
    table = read_scores(shared / "data/labels/jpeg_aic4_metric_scores.csv", ["CVVDP", "PSNR-Y"])
    found = ratings(rated, table.values, table.better, mos_better="lower")
    assert found.errors_are == "standard error"
    rows = resolving(found, QUICK)
    assert rows[0].metric == "CVVDP"
    assert rows[0].better > rows[1].better > 0.5


@pytest.mark.shared
def test_live_in_the_wild_is_the_same_in_its_own_layout(run, shared, tmp_path):
    """The database's .mat files, made from the shared scores, list what scores.csv lists."""
    from hdrq.registry import find

    source = shared / "data/livec"
    rows = list(csv.DictReader((source / "scores.csv").open()))[:40]
    (tmp_path / "Data").mkdir()
    (tmp_path / "Images/trainingImages").mkdir(parents=True)
    names = np.empty((7 + len(rows), 1), dtype=object)
    names[:7, 0] = [f"t{i}.bmp" for i in range(1, 8)]
    names[7:, 0] = [r["image"] for r in rows]
    for row in rows:
        (tmp_path / "Images" / row["image"]).symlink_to(source / "Images" / row["image"])
    mos, std = (np.array([[*[50.0] * 7, *(float(r[c]) for r in rows)]]) for c in ("mos", "std"))
    savemat(tmp_path / "Data/AllImages_release.mat", {"AllImages_release": names})
    savemat(tmp_path / "Data/AllMOS_release.mat", {"AllMOS_release": mos})
    savemat(tmp_path / "Data/AllStdDev_release.mat", {"AllStdDev_release": std})
    dataset = find("dataset", "livec")
    own, shared_form = (list(dataset.pairs(root)) for root in (tmp_path, source))
    assert [(Path(p.dist).name, p.mos, p.spread) for p in own] == [
        (Path(p.dist).name, p.mos, p.spread) for p in shared_form[:40]
    ]
    code, out, _ = run("evaluate", "--dataset", "livec", "--data", tmp_path, "-m", "niqe", "--draws", 50)
    assert code == 0
    (row,) = csv.DictReader(io.StringIO(out))
    assert float(row["srocc"]) > 0.1
    assert row["images"] == "40"


@pytest.mark.shared
def test_live_release_2_is_scored_end_to_end(run, shared, tmp_path):
    code, out, _ = run("evaluate", "--dataset", "csv", "--data", shared / "data/sdr_iqa/live_r2/dmos_dev.csv", "--lower",
                       "-m", "ms-ssim", "-m", "psnr", "--draws", 100)  # fmt: skip
    assert code == 0
    rows = {r["metric"]: r for r in csv.DictReader(io.StringIO(out))}
    assert float(rows["ms-ssim"]["srocc"]) > 0.9
    assert rows["psnr"]["images"] == "27"
    assert rows["psnr"]["scenes"] == "4"


def table_of(path, rows, header="dist,scene,MOS,A", delimiter=","):
    lines = [header.replace(",", delimiter)]
    lines += [delimiter.join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def figures(run, path, *more):
    code, out, err = run("evaluate", "--scores", path, "--draws", 50, "--format", "csv", *more)
    assert code == 0, err
    return {r["metric"]: r for r in csv.DictReader(io.StringIO(out))}, err


def test_the_direction_of_a_metric_of_hdrq_is_known_and_not_taken_from_the_data(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", 5 - i / 15, 20 + i / 3, i) for i in range(60)]
    found, err = figures(run, table_of(tmp_path / "anti.csv", rows, "dist,scene,MOS,PSNR,mse"))
    assert float(found["PSNR"]["srocc"]) == -1
    assert float(found["PSNR"]["plcc"]) == pytest.approx(-1, abs=1e-6)  # the same direction in every figure
    assert -1 <= float(found["PSNR"]["plcc_low"]) <= float(found["PSNR"]["plcc_high"]) < -0.99
    assert float(found["mse"]["srocc"]) == 1
    assert "taken from the data" not in err


def test_rows_that_contradict_each_other_are_refused(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", i, i) for i in range(12)]
    for changed in ((*rows[3][:2], 9, 3), (*rows[3][:3], 8)):
        code, _, err = run("evaluate", "--scores", table_of(tmp_path / "dup.csv", [*rows, changed]))
        assert code != 0
        assert "line 14 gives i3.png another" in err
        assert len(err.strip().splitlines()) == 1
    figures(run, table_of(tmp_path / "same.csv", [*rows, rows[3]]))
    long = [(r[0], r[1], r[2], "ssim", r[3] / 20) for r in rows] + [("i2.png", "s2", 2, "ssim", 0.9)]
    code, _, err = run(
        "evaluate", "--scores", table_of(tmp_path / "long.csv", long, "dist,scene,MOS,metric,value")
    )
    assert code != 0
    assert "another ssim" in err
    moved = [*rows, (rows[3][0], "s5", *rows[3][2:])]
    code, _, err = run("evaluate", "--scores", table_of(tmp_path / "moved.csv", moved))
    assert code != 0
    assert "gives i3.png another scene (s5) than an earlier row (s3)" in err


def test_a_dataset_whose_rows_contradict_each_other_is_refused(run, tmp_path):
    """The last reference won; scores of one image counted as two images."""
    for name in ("a", "b", "r", "q"):
        hdrq.write(tmp_path / f"{name}.png", Image(torch.rand(1, 3, 8, 8), "srgb"))
    rows = [("a.png", "r.png", 1), ("b.png", "r.png", 2), ("a.png", "q.png", 1), ("b.png", "q.png", 2)]
    evaluated = ("evaluate", "--dataset", "csv", "-m", "psnr", "--data")
    code, _, err = run(*evaluated, table_of(tmp_path / "refs.csv", rows, "dist,ref,mos"))
    assert code == 2
    assert "a.png is listed with two references" in err
    code, _, err = run(
        *evaluated, table_of(tmp_path / "mos.csv", [*rows[:2], (*rows[0][:2], 4)], "dist,ref,mos")
    )
    assert code == 3
    assert "line 4 gives a.png another mos (4) than an earlier row (1)" in err


def test_equal_subjective_scores_and_tables_without_values_end_with_one_line(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", 3, i) for i in range(12)]
    code, _, err = run("evaluate", "--scores", table_of(tmp_path / "same.csv", rows))
    assert (code, len(err.splitlines())) == (2, 1)
    assert "all 12 images of same have the subjective score 3" in err
    words = [(f"i{i}.png", f"s{i % 6}", i, "good") for i in range(12)]
    code, _, err = run("evaluate", "--scores", table_of(tmp_path / "words.csv", words))
    assert (code, len(err.splitlines())) == (2, 1)
    assert "no column of metric values" in err


def test_a_constant_metric_correlates_with_nothing_in_a_table(run, tmp_path, recwarn):
    rows = [(f"i{i}.png", f"s{i % 6}", 3.3 + (i * 7 % 11) / 10, 1.1, i * 7 % 11) for i in range(30)]
    found, _ = figures(run, table_of(tmp_path / "const.csv", rows, "dist,scene,MOS,A,B"))
    assert {found["A"][n] for n in ("srocc", "krocc", "plcc", "plcc_low")} == {"nan"}
    assert float(found["B"]["srocc"]) > 0.99
    assert not recwarn.list


def test_infinite_scores_are_named_apart_from_missing_ones(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", i, "inf" if i == 2 else "" if i == 4 else i) for i in range(20)]
    found, err = figures(run, table_of(tmp_path / "inf.csv", rows, "dist,scene,MOS,PSNR"))
    assert found["PSNR"]["images"] == "18"
    assert "1 of 20 images have an infinite score of PSNR" in err
    assert "1 of 20 images lack a score" in err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_decimal_commas_and_utf_16_are_read(run, tmp_path, encoding):
    path = table_of(tmp_path / "t.csv", [(f"i{i}.png", f"s{i % 6}", i + 0.5, i * i) for i in range(12)])
    german = path.read_text().replace(",", ";").replace(".5", ",5")
    path.write_bytes(german.encode(encoding))
    found, _ = figures(run, path)
    assert float(found["A"]["srocc"]) == 1
    assert float(found["A"]["rmse"]) < 3


def test_thousands_and_decimal_commas_are_not_confused(run, tmp_path):
    german = "dist;mos;mse\n" + "".join(f"i{i}.png;{i},5;{i + 1}.234,5\n" for i in range(12))
    (tmp_path / "t.csv").write_text(german)
    found, _ = figures(run, tmp_path / "t.csv")
    assert float(found["mse"]["srocc"]) == -1
    for where, row in (("MOS", '"2,5",1.5'), ("A", '2.5,"1,234"')):
        rows = "".join(f"i{i}.png,{row}\n" for i in range(12))
        (tmp_path / "q.csv").write_text("dist,MOS,A\n" + rows)
        code, _, err = run("evaluate", "--scores", tmp_path / "q.csv")
        assert (code, len(err.splitlines())) == (3, 1)
        assert f"line 2, {where}: " in err
        assert "decimal point" in err


def test_a_constant_metric_is_never_as_good_as_the_best(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", 3.3 + (i * 7 % 11) / 10, 1.1, i * 7 % 11, i % 5) for i in range(30)]
    path = table_of(tmp_path / "const.csv", rows, "dist,scene,MOS,A,B,C")
    _, out, _ = run("evaluate", "--scores", path, "--format", "table", "--report", tmp_path / "r.html")
    assert "A =" not in out
    assert "nan …" not in out.casefold()
    assert "nan" not in (tmp_path / "r.html").read_text().split("class='matrix'")[1].split("</table>")[0]


def test_dollar_signs_in_names_are_no_formula(run, tmp_path):
    """matplotlib took $\\frac$ for one, and ended the run."""
    rows = [(f"i{i}.png", f"s{i % 6}", f"d$${i % 2}", i, i * i, -i) for i in range(24)]
    path = table_of(tmp_path / "t.csv", rows, "dist,scene,distortion,MOS,$\\frac$,/frac_")
    plots = tmp_path / "plots"
    code, _, err = run(
        "evaluate", "--scores", path, "--draws", 0, "--report", tmp_path / "r.html", "--plots", plots
    )
    assert code == 0, err
    assert "$\\frac$" in (tmp_path / "r.html").read_text()


def test_figures_of_names_that_differ_in_signs_only_are_all_kept(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", i, i * i, -i, i) for i in range(12)]
    path = table_of(tmp_path / "t.csv", rows, "dist,scene,MOS,a(b),a[b],A-b")
    assert run("evaluate", "--scores", path, "--draws", 0, "--plots", tmp_path / "plots")[0] == 0
    assert len(list((tmp_path / "plots").glob("scatter*.png"))) == 3


def test_without_draws_no_intervals_are_spoken_of(run, tmp_path):
    path = table_of(tmp_path / "t.csv", [(f"i{i}.png", f"s{i % 6}", i, i * i) for i in range(12)])
    told = {n: run("evaluate", "--scores", path, "--draws", n, "--format", "table")[1] for n in (0, 50)}
    assert "interval" not in told[0]
    assert "95 % intervals" in told[50]


def test_square_brackets_in_names_are_shown_as_they_are(run, tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", i, i * i, i) for i in range(12)]
    path = table_of(tmp_path / "t.csv", rows, "dist,scene,MOS,SSIM [/1],[bold]B")
    code, out, _ = run("evaluate", "--scores", path, "--format", "table", "--report", tmp_path / "r.html")
    assert code == 0
    assert "SSIM [/1]" in out
    assert "[bold]B" in out
    assert "SSIM [/1]" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("protocol", ["leave-one-out", "folds"])
def test_intervals_of_curves_fitted_elsewhere_hold_their_own_estimate(protocol):
    base = made(noise=(0.1,))
    values = base.values.copy()
    values[0, [p.distortion == "jpeg" for p in base.pairs]] += (
        1  # so that the other distortion's curve is off
    )
    biased = Ratings(base.name, base.pairs, base.metrics, values, base.better, "higher")
    for row in evaluate(biased, protocol, QUICK):
        for figure in ("srocc", "plcc", "rmse"):
            low, high = row.intervals[figure]
            assert low <= getattr(row, figure) <= high, (row.group, figure)


def test_the_interval_of_folds_holds_95_percent_of_them():
    rows = [r for r in evaluate(made(), "folds", QUICK) if r.metric == "m0.6"]
    for figure in ("srocc", "rmse"):
        own = [getattr(r, figure) for r in rows[:-1]]
        assert rows[-1].intervals[figure] == pytest.approx(tuple(np.quantile(own, [0.025, 0.975])))


def test_an_outlier_is_further_than_two_errors_from_the_curve():
    x = np.arange(40.0)
    y = x.copy()
    y[::4] += np.where(np.arange(10) % 2, 1.9, -1.9)  # inside two errors of 1
    y[2::4] += np.where(np.arange(10) % 2, 2.1, -2.1)  # outside
    line = Curve("line", (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    assert agreement("m", x, y, sign=1, errors=np.ones(40), curve=line).outliers == 0.25
    assert agreement("m", x, y, sign=1, errors=np.full(40, 1.06), curve=line).outliers == 0


def test_williams_is_computed_on_plcc_after_the_curve():
    base = made(noise=(0.3, 0.5))
    bent = Ratings(base.name, base.pairs, base.metrics, np.exp(3 * base.values), base.better, "higher")
    (found,) = paired_tests(bent, QUICK)
    mapped = [fit("logistic5", row, bent.mos)(row) for row in bent.values]
    r = [plcc(m, bent.mos) for m in mapped]
    assert found.p_williams == pytest.approx(williams(r[0], r[1], plcc(*mapped), 120)[1])
    ranked = [srocc(row, bent.mos) for row in bent.values]
    assert found.p_steiger == pytest.approx(steiger(ranked[0], ranked[1], srocc(*bent.values), 120)[1])
    assert abs(found.p_williams - found.p_steiger) > 1e-4


def test_a_confidence_interval_becomes_a_standard_error(tmp_path):
    rows = [(f"i{i}.png", f"s{i % 6}", i, i - 1.959963984540054, i + 1.959963984540054, i) for i in range(8)]
    table = read_scores(table_of(tmp_path / "ci.csv", rows, "dist,scene,MOS,ci_low,ci_high,A"))
    found = ratings(table.pairs(), table.values, {"A": "higher"}, mos_better="higher")
    assert found.errors_are == "standard error"
    assert found.errors == pytest.approx(np.ones(8))


def test_several_datasets_are_one_table_with_averages(run, tmp_path):
    for name, turn, count in (("one", 1, 20), ("two", -1, 60)):
        (tmp_path / name).mkdir()
        rows = [(f"{name}{i}.png", f"s{i % 6}", i, turn * i) for i in range(count)]
        table_of(tmp_path / name / "scores.csv", rows, "dist,scene,MOS,psnr")
    folders = [x for n in ("one", "two") for x in ("--dataset", "csv", "--data", tmp_path / n / "scores.csv")]
    both = (tmp_path / "one/scores.csv").read_text() + (tmp_path / "two/scores.csv").read_text().split(
        "\n", 1
    )[1]
    (tmp_path / "all.csv").write_text(both)
    code, out, err = run(
        "evaluate", *folders, "--scores", tmp_path / "all.csv", "-m", "psn*", "--format", "csv"
    )
    assert code == 0, err
    found = {r["dataset"]: r for r in csv.DictReader(io.StringIO(out))}
    assert list(found)[-2:] == ["average", "weighted average"]
    assert float(found["average"]["srocc"]) == 0
    assert float(found["weighted average"]["srocc"]) == pytest.approx(-0.5)
    assert [r["images"] for r in found.values()] == ["20", "60", "80", "80"]
    code, _, err = run("evaluate", *folders, "--data", tmp_path)
    assert code == 2
    assert "3 --data for 2 --dataset" in err
    code, _, err = run("evaluate", *folders, "--report", tmp_path / "r.html")
    assert code == 2
    assert "--report has no effect with several datasets" in err


def test_a_dataset_that_states_its_folds_is_split_by_them():
    from hdrq.evaluation.datasets.upiq import upiq

    scenes = [f"t-i{i:02d}" for i in range(1, 26)]
    pairs = [Pair(f"{s}-{k}.png", scene=s, mos=float(i + k)) for i, s in enumerate(scenes) for k in range(2)]
    scores = {"m": {str(p.dist): p.mos for p in pairs}}
    found = ratings(pairs, scores, {"m": "higher"}, name="upiq", dataset=upiq)
    assert splits_of(found, QUICK) == upiq.folds(found.scenes, folds=5, seed=0)
    other = ratings(pairs, scores, {"m": "higher"}, name="other", mos_better="higher")
    assert splits_of(other, QUICK) != splits_of(found, QUICK)


def test_the_api_gives_a_table(tmp_path: Path) -> None:
    import hdrq

    lines = ["image,mos,good,bad"]
    lines += [f"{i},{i % 7 + i / 10},{i % 7 + (i * 37 % 11) / 20},{i * 37 % 23}" for i in range(40)]
    path = tmp_path / "values.csv"
    path.write_text("\n".join(lines) + "\n")
    found = hdrq.evaluate(path, lower=False, draws=50)
    assert [row["metric"] for row in found.table] == ["good", "bad"]
    assert found.table[0]["srocc"] == found.rows[0].srocc > 0.8
    assert found.table[0]["srocc_low"] < found.table[0]["srocc"]
    assert found.protocol == "whole"
    assert {frozenset((t.a, t.b)) for t in found.significance} == {frozenset(("good", "bad"))}
    assert found.by("distortion") == []
    with pytest.raises(UsageError, match="unknown breakdown 'colour'"):
        found.by("colour")
    with pytest.raises(UsageError, match="nothing to evaluate"):
        hdrq.evaluate()
    only = hdrq.evaluate(path, metrics="good", lower=False, draws=0)
    assert [row["metric"] for row in only.table] == ["good"]
    assert only.table[0]["srocc_low"] is None


def test_a_report_on_ones_own_images_has_the_name_of_their_file(tmp_path) -> None:
    """Also where the scores are recorded, of which the title was "csv"."""
    mos = tmp_path / "bracket study.csv"
    mos.write_text("dist,mos\n" + "".join(f"{i}.png,{i}\n" for i in range(9)))
    (tmp_path / "values.csv").write_text("dist,mine\n" + "".join(f"{i}.png,{i * i}\n" for i in range(9)))
    found = hdrq.evaluate(
        dataset="csv", data=mos, scores=tmp_path / "values.csv", metrics=["mine"], lower=False
    )
    assert found.ratings.name == "bracket study"
    assert "<h1>bracket study</h1>" in found.page()


def test_metrics_without_reference_are_asked_of_pairs(tmp_path) -> None:
    """Alone, when no reference is read, and beside one that reads it: an internal error where they were alone."""
    torch.manual_seed(0)
    base, lines = torch.rand(1, 3, 64, 64), ["dist,ref,mos"]
    hdrq.write(tmp_path / "ref.png", Image(base, "srgb"))
    for number in range(1, 9):
        worse = (base + 0.05 * number * torch.randn_like(base)).clamp(0, 1)
        hdrq.write(tmp_path / f"{number}.png", Image(worse, "srgb"))
        lines.append(f"{number}.png,ref.png,{-number}")
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")

    def figures(metrics: list[str], **more) -> dict[str, float]:
        found = hdrq.evaluate(
            dataset="csv", data=tmp_path / "mine.csv", metrics=metrics, lower=False, draws=0, **more
        )
        return {str(row["metric"]): row["plcc"] for row in found.table}

    beside = figures(["piqe", "psnr"])
    assert figures(["piqe"]) == {"piqe": beside["piqe"]}
    assert figures(["piqe"], scores=tmp_path / "values.csv") == {"piqe": beside["piqe"]}
    # what is kept is read again
    assert figures(["piqe"], scores=tmp_path / "values.csv") == {"piqe": beside["piqe"]}
