"""Protocols of training: what each split leaves out, rows that resume, predictions that evaluate reads."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.evaluation.datasets.cid2013 import cid2013
from hdrq.evaluation.statistics.correlation import srocc
from hdrq.nn.weight_files import read_card
from hdrq.records import Image, Pair
from hdrq.training.choice import settings_for
from hdrq.training.data import data_of, items_to_test, label_direction
from hdrq.training.experiment import SplitTested, experiment_of
from hdrq.training.experiment_file import Experiment, read_csv, write_experiment
from hdrq.training.image_checks import Checked
from hdrq.training.overrides import adjust
from hdrq.training.request import TrainingRequest
from hdrq.training.settings import Settings
from hdrq.training.splits import CrossDataset, Part, parts_of

BASE = Settings("norvdpnetpp", source="csv", labels="unit", source_display="code", input="crops")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Thirty images of ten scenes in three distortions, with a CSV."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["dist,mos,scene,distortion"]
    for i in range(30):
        g = torch.Generator().manual_seed(i // 3)
        x = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=g), size=(64, 64))
        x = x + 0.05 * (i % 3 + 1) * (i % 5) * torch.randn(x.shape, generator=g)
        hdrq.write(folder / f"{i}.png", Image(x.clamp(0, 1), "srgb"), depth="uint8")
        lines.append(f"{i}.png,{80 - 9 * (i % 5) - i % 3},s{i // 3},{('blur', 'noise', 'jpeg')[i % 3]}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return folder


def asked(images: Path, folder: Path, *more: object) -> list[object]:
    short = ("--set", "steps=1", "--set", "batch=2", "--device", "cpu")
    return [
        "train",
        "--dataset",
        "csv",
        "--data",
        images / "mine.csv",
        "-m",
        "norvdpnet++",
        *short,
        "-o",
        folder,
        *more,
    ]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_folds_train_on_three_fifths_choose_on_one_and_judge_on_one(images) -> None:
    parts = parts_of(BASE, images / "mine.csv", "higher", "folds", 2, 5)
    assert [p.name for p in parts[:2]] == ["repeat 1 fold 1", "repeat 1 fold 2"]
    assert len(parts) == 10
    for first in (parts[:5], parts[5:]):
        assert sorted(s for p in first for s in p.settings["test_scenes"]) == sorted(
            f"s{i}" for i in range(10)
        )
    settings = adjust(BASE, parts[0].settings)
    source, held, _ = data_of(settings, images / "mine.csv")
    judged = items_to_test(settings, images / "mine.csv", "")
    scenes = [{i.scene for i in part} for part in (source, held, judged)]
    assert [len(s) for s in scenes] == [6, 2, 2]
    assert not (scenes[0] & scenes[1])
    assert not (scenes[0] & scenes[2])
    assert not (scenes[1] & scenes[2])
    assert parts[0].settings["test_scenes"] != parts[5].settings["test_scenes"]
    assert (parts[0].settings["seed"], parts[5].settings["seed"]) == (0, 1)


def test_random_splits_judge_on_a_fifth_of_the_scenes(images) -> None:
    parts = parts_of(BASE, images / "mine.csv", "higher", "splits", 4, 5)
    assert [len(p.settings["test_scenes"]) for p in parts] == [2, 2, 2, 2]
    assert len({p.settings["test_scenes"] for p in parts}) > 1
    more = parts_of(BASE, images / "mine.csv", "higher", "splits", 6, 5)
    assert [p.settings for p in more[:4]] == [p.settings for p in parts]


def test_cid2013_is_split_by_its_sets(images, monkeypatch) -> None:
    """Four of six sets train and two test, as the papers do; a set is never on both sides."""
    pairs = [
        Pair(f"{s}-{c}.jpg", scene=f"IS{s}-C{c}", mos=10.0 * s + c, carried={"set": f"IS{s}"})
        for s in range(1, 7)
        for c in range(1, 4)
    ]
    listed = replace(cid2013, lists=lambda folder, subset: iter(pairs))
    monkeypatch.setattr("hdrq.training.splits.find", lambda kind, name: listed)
    monkeypatch.setattr("hdrq.training.data.find", lambda kind, name: listed)
    monkeypatch.setattr("hdrq.training.splits.locate", lambda card, data: images)
    monkeypatch.setattr("hdrq.training.data.locate", lambda card, data: images)
    for part in parts_of(replace(BASE, source="cid2013"), images, "", "splits", 5, 5):
        sets = {scene.split("-")[0] for scene in part.settings["test_scenes"]}
        assert len(sets) == 2
        assert len(part.settings["test_scenes"]) == 6


def test_each_distortion_is_left_out_once(images) -> None:
    parts = parts_of(BASE, images / "mine.csv", "higher", "lodo", 1, 5)
    assert [p.settings["test_distortions"] for p in parts] == [("blur",), ("noise",), ("jpeg",)]
    source, held, _ = data_of(adjust(BASE, parts[1].settings), images / "mine.csv")
    assert {i.distortion for i in (*source, *held)} == {"blur", "jpeg"}
    one = images / "one.csv"
    one.write_text("dist,mos\n" + "\n".join(f"{i}.png,{i}" for i in range(5)) + "\n")
    with pytest.raises(UsageError, match="leaving one out needs two"):
        parts_of(BASE, one, "higher", "lodo", 1, 5)


@pytest.mark.shared
def test_the_folds_of_upiq_are_the_papers(shared, tmp_path) -> None:
    """parity/upiq_folds_seed0.json: 39 references train, 13 validate, 13 test, of 35 SDR and 30 HDR ones."""
    expected = json.loads((shared / "parity" / "upiq_folds_seed0.json").read_text())
    live = [2, 5, 6, 7, 8, 9, 10, 14, 15, 27]
    names = {
        "sdr": [f"l-i{i:02d}" for i in live] + [f"t-i{i:02d}" for i in range(1, 26)],
        "hdr": [f"k-{i:02d}" for i in range(20)] + [f"n-{i:02d}" for i in range(10)],
    }
    upiq_like(tmp_path / "UPIQ", names["sdr"] + names["hdr"])
    settings = Settings("vtamiq", source="upiq", labels="jod", source_display="nits")
    parts = parts_of(settings, tmp_path, "", "folds", 1, 5)
    for k, part in enumerate(parts):
        for key, fold in (("test_scenes", k), ("held_scenes", (k + 1) % 5)):
            wanted = {n for kind, all_ in names.items() for n, f in zip(all_, expected[kind]) if f == fold}
            assert set(part.settings[key]) == wanted
            assert len(wanted) == 13
    only = parts_of(replace(settings, source_subset="hdr"), tmp_path, "", "folds", 1, 5)
    assert [set(p.settings["test_scenes"]) for p in only] == [
        set(p.settings["test_scenes"]) & set(names["hdr"]) for p in parts
    ]


def test_an_experiment_writes_a_row_a_split_and_predictions_that_evaluate_reads(
    run, images, tmp_path, home
) -> None:
    folder = tmp_path / "x"
    code, out, err = run(*asked(images, folder, "--protocol", "folds", "--folds", "3"))
    assert code == 0, err
    assert out.strip().endswith("rows.csv")
    rows, predictions = table(folder / "rows.csv"), table(folder / "predictions.csv")
    assert [r["split"] for r in rows] == [f"fold {k}" for k in range(1, 4)]
    parts = [(r["trained"], r["validated"], r["images"], r["scenes"]) for r in rows]
    assert parts == [("9", "9", "12", "4"), ("12", "9", "9", "3"), ("9", "12", "9", "3")]
    assert sorted(p["dist"] for p in predictions) == sorted(str(images / f"{i}.png") for i in range(30))
    assert {(p["better"], p["mos_better"]) for p in predictions} == {("higher", "higher")}
    own = [p for p in predictions if p["split"] == "fold 2"]
    expected = srocc([float(p["value"]) for p in own], [float(p["mos"]) for p in own])
    assert float(rows[1]["srocc"]) == pytest.approx(expected)
    whole = table(folder / "summary.csv")[0]
    values = [float(r["srocc"]) for r in rows]
    assert float(whole["srocc_mean"]) == pytest.approx(np.mean(values))
    assert float(whole["srocc_median"]) == pytest.approx(np.median(values))
    assert float(whole["srocc_sd"]) == pytest.approx(np.std(values, ddof=1))
    card = read_card(next((folder / "fold-2").glob("norvdpnetpp*.json")))
    assert {p["scene"] for p in own} == set(card.training["tested"]["scenes"])
    assert not list(home.glob("*.json"))
    assert not list(folder.rglob("*.pt"))
    code, out, err = run(
        "evaluate", "--scores", folder / "predictions.csv", "--by", "split", "--format", "csv", "--draws", 0
    )
    assert code == 0, err
    found = {r["group"]: r for r in csv.DictReader(out.splitlines())}
    assert float(found["fold 2"]["srocc"]) == pytest.approx(float(rows[1]["srocc"]))
    assert float(found["mean of 3 splits"]["srocc"]) == pytest.approx(np.mean(values))
    assert float(found["standard deviation of 3 splits"]["srocc"]) == pytest.approx(np.std(values, ddof=1))
    code, _, err = run(*asked(images, folder, "--protocol", "folds"))
    assert code == 2
    assert "--resume" in err


def test_a_killed_experiment_resumes_to_the_same_rows(run, images, tmp_path) -> None:
    def wanted(folder: Path) -> list[str]:
        more = ("--protocol", "splits", "--repeats", "2", "--set", "holdout=0.25")
        return [str(a) for a in asked(images, folder, *more)]

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    code, _, err = run(*wanted(whole))
    assert code == 0, err
    alike = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # the order of sums depends on it
    process = subprocess.Popen(
        [sys.executable, "-m", "hdrq", *wanted(cut)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=alike,
    )
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and not (cut / "split-2" / "settings.json").exists():
        time.sleep(0.005)
    process.kill()
    process.wait()
    first = (cut / "split-1" / "predictions.csv").stat().st_mtime_ns
    assert len(table(cut / "rows.csv")) == 1
    code, _, err = run("train", "--resume", "-o", cut, "--device", "cpu")
    assert code == 0, err
    assert (cut / "split-1" / "predictions.csv").stat().st_mtime_ns == first
    for name in ("rows.csv", "summary.csv"):
        assert (cut / name).read_text() == (whole / name).read_text()
    values = [[p["value"] for p in table(folder / "predictions.csv")] for folder in (cut, whole)]
    assert values[0] == values[1]


def test_cross_judges_all_images_of_other_datasets(images, tmp_path) -> None:
    other = images / "other.csv"
    other.write_text("dist,dmos\n" + "\n".join(f"{i}.png,{i}" for i in range(0, 30, 2)) + "\n")
    records = list(
        hdrq.train(
            dataset="csv", data=images / "mine.csv", metric="norvdpnet++", device="cpu", output=tmp_path / "x",
            settings={"steps": 1, "batch": 2}, protocol="cross", test=[f"csv={other}", f"csv={images / 'mine.csv'}"],
        )
    )  # fmt: skip
    records = [r for r in records if not isinstance(r, Checked)]
    assert isinstance(records[0], Part)
    found = records[-1]
    assert isinstance(found, Experiment)
    assert [(r.test_set, r.images, r.trained, r.validated) for r in found.rows] == [
        ("other", 15, 24, 6),
        ("mine", 30, 24, 6),
    ]
    assert [len(r.rows) for r in records if isinstance(r, SplitTested)] == [2]
    rows = read_csv(found.predictions)
    assert [float(p["mos"]) for p in rows[:3]] == [0.0, 2.0, 4.0]
    assert CrossDataset.parse("upiq:hdr").subset == "hdr"


def test_an_image_judged_in_several_splits_is_evaluated_in_each(run, tmp_path) -> None:
    lines = ["dist,metric,value,better,mos,mos_better,scene,split"]
    random = np.random.RandomState(0)
    for split in ("split 1", "split 2"):
        for i in range(8):
            lines += [
                f"{i}.png,{m},{i + random.randn() * s:.4f},higher,{-i},lower,s{i},{split}"
                for m, s in (("a", 1), ("b", 5))
            ]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(lines) + "\n")
    code, out, err = run("evaluate", "--scores", path, "--by", "split", "--format", "csv", "--draws", 0)
    assert code == 0, err
    found = {(r["metric"], r["group"]): r for r in csv.DictReader(out.splitlines())}
    assert found["a", "all"]["images"] == "16"
    assert found["a", "all"]["scenes"] == "8"
    assert float(found["a", "split 1"]["srocc"]) > 0.8
    mean = np.mean([float(found["a", f"split {k}"]["srocc"]) for k in (1, 2)])
    assert float(found["a", "mean of 2 splits"]["srocc"]) == pytest.approx(mean)


def upiq_like(root: Path, names: list[str]) -> Path:
    """Empty files in UPIQ's layout, two images a scene: what listing reads."""
    sources = {"l": "live", "t": "tid2013", "k": "korshunov", "n": "narwaria"}
    lines = [
        "condition_id,dataset,content_id,dist_id,dist_level,is_hdr,test_file,reference_file,pix_per_deg,"
        "distortion_name,repeating_content_id,JOD"
    ]
    (root / "images").mkdir(parents=True)
    for i, name in enumerate(names):
        suffix = "exr" if name[0] in "kn" else "png"
        for level in (1, 2):
            file = f"{name}-{level}.{suffix}"
            (root / "images" / file).touch()
            lines.append(
                f"{i},{sources[name[0]]},{name},1,{level},{int(suffix == 'exr')},{file},{file},45,jpeg,0,{-i / 10 - level}"
            )
    (root / "upiq_subjective_scores.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.filterwarnings("ignore:Number of calls")
def test_folds_of_a_labelled_target_hold_out_its_scenes(tmp_path, monkeypatch) -> None:
    """S_HL: all of the source trains; validation and test are scenes of the target, shown as the target is."""
    upiq_like(tmp_path / "UPIQ", [f"k-{i:02d}" for i in range(20)] + [f"n-{i:02d}" for i in range(10)])
    (tmp_path / "kadid10k" / "images").mkdir(parents=True)
    lines = ["dist_img,ref_img,dmos,var"]
    for scene in (1, 2):
        for file in (f"I{scene:02d}.png", *(f"I{scene:02d}_01_0{k}.png" for k in range(1, 6))):
            (tmp_path / "kadid10k" / "images" / file).touch()
        lines += [
            f"I{scene:02d}_01_0{k}.png,I{scene:02d}.png,{5 - 0.7 * k - scene / 9},0.2" for k in range(1, 6)
        ]
    (tmp_path / "kadid10k" / "dmos.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("HDRQ_DATA", str(tmp_path))
    _, base, _ = settings_for(TrainingRequest(recipe="vtamiq-hl", settings={"start": ""}))
    part = parts_of(base, None, "", "folds", 1, 5)[0]
    settings = adjust(base, part.settings)
    source, held, target = data_of(settings, None)
    judged = items_to_test(settings, None, "")
    assert len(source) == 10
    assert [len({i.scene for i in some}) for some in (target, held, judged)] == [18, 6, 6]
    assert len({i.scene for some in (target, held, judged) for i in some}) == 30
    assert settings.held_display == "nits"
    assert (settings.held_dataset, settings.held_dataset_subset, settings.held_dataset_labels) == (
        "upiq",
        "hdr",
        "jod",
    )
    assert label_direction(settings, "higher") == "lower"
    unlabelled = settings_for(TrainingRequest(recipe="vtamiq-hl", target="sihdr", settings={"start": ""}))[1]
    assert unlabelled.held_from == "source"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--repeats", "3"), "has no effect without --protocol"),
        (("--protocol", "cross"), "--test NAME"),
        (("--protocol", "folds", "--test", "livec"), "is for --protocol cross"),
        (("--protocol", "folds", "--folds", "11"), "divided into 11 folds"),
        (("--protocol", "splits", "--resume"), "no experiment to resume"),
    ],
)
def test_an_impossible_experiment_is_one_line(
    run, images, tmp_path, more: tuple[str, ...], says: str
) -> None:
    code, _, err = run(*asked(images, tmp_path / "x", *more))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert says in err
    assert not (tmp_path / "x").exists()


def test_an_experiment_names_its_images_alike_wherever_it_is_resumed(images, monkeypatch) -> None:
    monkeypatch.chdir(images)
    asked = TrainingRequest(dataset="csv", data=Path("mine.csv"), metric="norvdpnet++", like="")
    found = experiment_of(asked, "folds", 0, 5, ())
    assert found is not None
    assert found.request.data == images / "mine.csv"
    assert found.folder == Path("runs/norvdpnetpp-mine-folds")


def test_a_dry_run_lists_the_splits(run, images, tmp_path) -> None:
    code, out, err = run(*asked(images, tmp_path / "x", "--protocol", "lodo", "--dry-run"))
    assert code == 0, err
    assert out.count("split    without") == 3
    assert not (tmp_path / "x").exists()


def test_an_experiment_that_names_its_request_as_before_can_be_resumed(images, tmp_path) -> None:
    """The entry `request` was called `asked`."""
    request = TrainingRequest(dataset="csv", data=images / "mine.csv", metric="norvdpnet++", output=tmp_path)
    made = experiment_of(request, "folds", 0, 5, ())
    assert made is not None
    write_experiment(made)
    stored = tmp_path / "experiment.json"
    assert "asked" not in stored.read_text()
    stored.write_text(stored.read_text().replace('"request":', '"asked":'))
    again = experiment_of(TrainingRequest(output=tmp_path, resume=True), "", 0, 0, ())
    assert again is not None
    assert again.request == replace(made.request, output=tmp_path, settings={})
