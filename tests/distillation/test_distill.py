"""Distilling: sets that are the same for everybody, scores that survive a kill, students that say what they were taught."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hdrq import io
from hdrq.cli.app import command_line
from hdrq.distillation import teacher_scores as teaching
from hdrq.distillation.checks import Check, check
from hdrq.distillation.distill import records as distil
from hdrq.distillation.image_files import write_images
from hdrq.distillation.outcome import Distilled, Note
from hdrq.distillation.rendering import render
from hdrq.distillation.report import agreement
from hdrq.distillation.rows import Row, Rows, read_rows, write_rows
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Source, Sources, find_sources
from hdrq.distillation.split import split
from hdrq.distillation.student import RenderedRows
from hdrq.distillation.task import Task, build_set, settings_for
from hdrq.distillation.teacher_scores import Cache, Scored, quality_scale, score_rows, stored_scores
from hdrq.errors import FileError, UnknownName, UsageError
from hdrq.evaluation.statistics.correlation import srocc
from hdrq.image.render import room
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import Image
from hdrq.registry import names
from hdrq.scoring.binding import metric
from hdrq.training.api import Step

USUAL = ("jpegxt", "jpeg-pq", "noise", "blur", "contrast", "reinhard", "kuo")
SMALL = {"epochs": 2, "batch": 8, "options": {"widths": [4, 4, 8, 8, 8]}}


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Four pictures of light and four of sRGB code."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(4):
        io.write(folder / f"room{i}.exr", Image(room(150 + 10 * i, 130, seed=i)))
        cells = torch.rand(1, 3, 13, 16, generator=torch.Generator().manual_seed(i))
        code = torch.nn.functional.interpolate(cells, size=(130, 160), mode="bicubic").clamp(0, 1)
        io.write(folder / f"sdr{i}.png", Image(code, "srgb", bits=8))
    return folder


@pytest.fixture(scope="module")
def sources(images):
    return find_sources(images, lambda path, reads: None, lambda source, reads: None)[0]


@pytest.fixture(scope="module")
def rows(sources):
    return make_set(sources, USUAL, 40, side=64)


def files_of(sources) -> dict[str, str]:
    return {str(s.path): s.sha256 for s in sources}


def test_a_set_depends_on_its_seed_alone_and_can_grow(sources, rows) -> None:
    assert make_set(sources, USUAL, 40, side=64) == rows
    assert make_set(sources, USUAL, 90, side=64)[:40] == rows
    assert [r.number for r in rows] == list(range(40))
    assert make_set(sources, USUAL, 40, side=64, seed=1) != rows
    assert {r.display for r in rows} == {"light", "sdr", "bright"}


def test_rows_in_columns_are_the_rows_that_were_put_in(rows) -> None:
    listed = list(rows)
    assert all(type(getattr(r, f.name)).__name__ == f.type for r in listed for f in fields(Row))
    assert Rows(listed) == rows == listed
    assert rows[3:7] == listed[3:7]
    assert rows[-1] == listed[-1]
    assert rows != listed[:-1]
    assert rows != [replace(listed[0], level=5.0), *listed[1:]]
    more = Rows(listed[:5])
    more.extend([replace(listed[5], reads="pq", wide=96), *listed[6:]])
    assert more[5].reads == "pq"
    assert more[6].reads == ""
    assert hashlib.sha256((repr(listed) + "").encode()).hexdigest()[:12] == rows.digest()
    said = repr(list(more)) + "pq" + "".join(f" {r.wide}" for r in more)
    assert hashlib.sha256(said.encode()).hexdigest()[:12] == more.digest()


def test_a_turn_through_many_images_is_drawn_once(monkeypatch) -> None:
    """Before: for every crop anew, a time that grows with the square of their number."""
    many = [Source(Path(f"{i}.png"), f"s{i}", (64, 64), False, str(i)) for i in range(50)]
    drawn, real = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda key: drawn.append(tuple(key)) or real(key))
    made = make_set(many, ["noise"], 120, side=64)
    assert [k for k in drawn if k[1] == 0] == [(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 2)]
    assert len({r.source for r in made[:50]}) == len({r.source for r in made[50:100]}) == 50


def test_peaks_of_displays_are_log_uniform_over_their_ranges(sources) -> None:
    """docs/distilling.md states the ranges, cd/m²."""
    found = make_set(sources, ["noise"], 1500, side=64)
    for display, low, high in (("light", 300, 8000), ("sdr", 80, 250), ("bright", 500, 5000)):
        peaks = np.array([r.peak for r in found if r.display == display])
        assert len(peaks) > 200
        assert low <= peaks.min() < 1.05 * low
        assert 0.95 * high < peaks.max() <= high
        assert np.median(peaks) == pytest.approx((low * high) ** 0.5, rel=0.2)


def test_a_set_survives_its_manifest(rows, tmp_path) -> None:
    assert read_rows(write_rows(rows, tmp_path / "set.csv")) == rows


def test_a_row_is_rendered_the_same_way_again(rows) -> None:
    for row in rows[:12]:
        (a, b), (c, d) = render(row, Sources()), render(row, Sources())
        assert torch.equal(a, c)
        assert torch.equal(b, d)
        assert a.shape == b.shape == (1, 3, 64, 64)
        assert torch.isfinite(b).all()
        assert b.min() > 0
        assert b.max() <= 10_000


def test_a_screen_shows_no_more_than_its_peak(rows) -> None:
    shown = [r for r in rows if r.display != "light" and r.distortion not in names("tonemapper")]
    assert shown
    for row in shown:
        assert max(float(x.max()) for x in render(row, Sources())) <= row.peak * 1.00001


def test_every_distortion_tone_mapper_and_expander_makes_a_pair(sources, rows) -> None:
    light = next(r for r in rows if r.display == "light")
    held = Sources()
    for name in (*names("distortion"), "reinhard", "drago", "kuo"):
        a, b = render(replace(light, distortion=name, level=3.0), held)
        assert torch.isfinite(b).all(), name
        assert not torch.equal(a, b), name


def test_level_0_is_the_reference(rows) -> None:
    a, b = render(replace(rows[0], distortion="blur", level=0.0), Sources())
    assert torch.equal(a, b)


def test_a_set_without_distortion_has_a_crop_of_its_own_in_each_row(sources) -> None:
    plain = make_set(sources, ("none",), 12, side=64)
    assert {(r.distortion, r.level) for r in plain} == {("none", 0.0)}
    assert len({(r.source, r.view) for r in plain}) == 12
    a, b = render(plain[0], Sources())
    assert torch.equal(a, b)
    mixed = make_set(sources, ("none", "noise"), 12, side=64)
    assert {r.distortion for r in mixed} == {"none", "noise"}
    assert all(r.level == 0 for r in mixed if r.distortion == "none")
    assert any(r.level > 0 for r in mixed if r.distortion == "noise")


def test_no_reference_teachers_teach_on_undistorted_images(images, tmp_path) -> None:
    """Two of them, whose qualities are averaged; simple metrics without a reference are compared with them."""
    import json

    task = Task(
        ("pu21:brisque", "pu21:piqe"), "norvdpnet++", (images,), ("none",), n=30, crop=96, settings=SMALL
    )
    records = list(distil(task, tmp_path / "run"))
    card = json.loads(records[-1].card.read_text())
    assert card["results"]["teacher"] == ["pu21:brisque", "pu21:piqe"]
    assert "not distorted" in card["data"]
    assert card["results"]["distortions"] == ["none"]
    said = "\n".join(r.text for r in records if isinstance(r, Note))
    assert "quality by the teacher" in said
    for teachers, student in ((("pu21:gmsd",), "norvdpnet++"), (("pu21:brisque",), "pu-vtamiq")):
        with pytest.raises(UsageError, match="compares with a reference"):
            list(distil(replace(task, teachers=teachers, student=student), tmp_path / "other"))


def test_no_scene_is_on_two_sides(sources, rows) -> None:
    parts = split(rows, sources, (), 0)
    scenes = [{r.scene for r in p} for p in (parts.train, parts.validation, parts.held_out)]
    assert not scenes[0] & scenes[1] | scenes[0] & scenes[2] | scenes[1] & scenes[2]
    assert all(scenes)
    assert any(s.startswith("room") for s in scenes[2])
    assert any(s.startswith("sdr") for s in scenes[2])
    named = split(rows, sources, ("room2",), 0)
    assert split(rows, sources, ("*oom2",), 0).scenes == named.scenes == ["room2"]
    assert {r.scene for r in named.held_out} == {"room2"}
    with pytest.raises(UsageError, match="no scene"):
        split(rows, sources, ("attic",), 0)


class Counting:
    """A scorer that counts the pairs it is asked about."""

    def __init__(self, text: str) -> None:
        self.scorer, self.pairs = metric(text), 0
        self.net, self.photometry, self.metric = None, self.scorer.photometry, self.scorer.metric
        self.full_reference = True

    def __str__(self) -> str:
        return str(self.scorer)

    def __call__(self, ref, dist):
        self.pairs += len(ref)
        return self.scorer(ref, dist)


def test_a_killed_teacher_goes_on_where_it_was_and_repeats_nothing(sources, rows, tmp_path) -> None:
    files = files_of(sources)
    whole = Cache(tmp_path / "whole.sqlite")
    once = Counting("pu21:ssim")
    list(score_rows(rows, once, files, whole, Sources(), 4))
    path = tmp_path / "parts.sqlite"
    counted = Counting("pu21:ssim")
    for stop in (3, 2, 1000):  # records until the kill
        cache = Cache(path)
        for number, record in enumerate(score_rows(rows, counted, files, cache, Sources(), 4)):
            assert isinstance(record, Scored)
            if number + 1 == stop:
                break
        cache.close()
    assert counted.pairs == once.pairs == len(rows)
    assert np.array_equal(
        stored_scores(rows, once, files, whole), stored_scores(rows, counted, files, Cache(path))
    )


def test_scores_are_looked_for_in_parts(sources, rows, tmp_path, monkeypatch) -> None:
    """Parts hold whole batches, so that their ends do not change what a batch is."""
    files = files_of(sources)
    expected = [float(i) for i in range(len(rows))]
    keys = [teaching.key(r, metric("pu21:ssim"), files[r.source]) for r in rows]
    lacking = (9, 11, 12)
    cache = Cache(tmp_path / "scores.sqlite")
    cache.keep({k: v for i, (k, v) in enumerate(zip(keys, expected)) if i not in lacking})
    monkeypatch.setattr(teaching, "_AT_ONCE", 10)
    told = list(score_rows(rows, Counting("pu21:ssim"), files, cache, Sources(), 4))
    assert [(r.done, r.new) for r in told] == [(len(rows) - 3, 0), (len(rows) - 1, 2), (len(rows), 1)]
    found = stored_scores(rows, metric("pu21:ssim"), files, cache)
    assert [v for i, v in enumerate(found) if i not in lacking] == [
        v for i, v in enumerate(expected) if i not in lacking
    ]
    cache.keep({"other": 1.0})
    with pytest.raises(UsageError, match="has not scored the whole set"):
        stored_scores(rows, metric("pu21:psnr"), files, cache)


def test_another_level_file_or_option_is_another_score(sources, rows) -> None:
    s = metric("pu21:psnr")
    known = teaching.key(rows[0], s, "a")
    assert teaching.key(rows[0], s, "a") == known
    assert teaching.key(replace(rows[0], number=9, source="moved", scene="renamed"), s, "a") == known
    others = [
        teaching.key(replace(rows[0], level=4.999), s, "a"),
        teaching.key(replace(rows[0], peak=1.0), s, "a"),
        teaching.key(rows[0], s, "b"),
        teaching.key(rows[0], metric("pu21:ssim"), "a"),
        teaching.key(rows[0], metric("pu21:psnr", ppd=30), "a"),
    ]
    assert len({known, *others}) == 6


def test_a_damaged_cache_is_named(tmp_path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database at all, just text that is long enough" * 30)
    with pytest.raises(FileError, match=r"x\.sqlite"):
        Cache(tmp_path / "x.sqlite")


def test_quality_runs_from_worst_to_best_whatever_the_unit() -> None:
    jod = quality_scale(metric("hdrvdp3"), np.array([2.0, 9.0, 10.0]))
    assert jod.quality(np.array([10.0, 5.0, -1.0])).tolist() == [1.0, 0.5, 0.0]
    lower = quality_scale(metric("pu21:gmsd"), np.linspace(0, 0.3, 1000))
    quality = lower.quality(np.array([0.0, 0.1, 0.3]))
    assert quality[0] == 1
    assert (np.diff(quality) < 0).all()
    with pytest.raises(UsageError, match="same score"):
        quality_scale(metric("hdrvdp3"), np.full(5, 10.0))


def test_the_checks_say_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    easy = check(np.linspace(0.85, 1, 100), {"pu21:psnr": np.linspace(20, 50, 100)})
    assert easy.simple["pu21:psnr"] == pytest.approx(1)
    assert any("rows cover" in line for line in easy.lines())
    assert any("above 0.8" in line for line in easy.lines())
    half = Check((0.5, 0.3, 0.18, 0.02, 0.0, *5 * [0.0]), {"psnr": 0.25}, 3)
    assert half.lines() == [
        "quality by the teacher, worst to best, % of the rows in each tenth of the scale: 50 30 18 2 0 0 0 0 0 0",
        "the rows cover only 40 % of the quality scale; add levels, or other distortions",
        "|SROCC| of psnr with the teacher: 0.250",
        "3 rows have no teacher score and are skipped",
    ]
    good = check(rng.random(1000), {"pu21:psnr": rng.random(1000)})
    assert good.covered == 1
    assert not any("above" in line or "rows cover" in line for line in good.lines())


def test_agreement_is_told_for_every_distortion_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.random(120)
    said = wanted + 0.1 * rng.standard_normal(120)
    scenes, kinds = [f"s{i % 10}" for i in range(120)], ["noise" if i % 3 else "blur" for i in range(120)]
    found = agreement(said, wanted, scenes, kinds)
    assert set(found) == {"all", "noise", "blur"}
    assert found["all"]["srocc"] == round(srocc(said, wanted), 4)
    low, high = found["noise"]["srocc_interval"]
    assert low < found["noise"]["srocc"] < high
    assert found["all"]["scenes"] == 10


@pytest.fixture(scope="module")
def distilled(images, tmp_path_factory):
    """(task, folder, records) of a tiny student, uninterrupted."""
    folder = tmp_path_factory.mktemp("distilled") / "run"
    task = Task(
        ("pu21:gmsd",), "norvdpnet++", (images,), ("jpegxt", "noise", "blur"), n=48, crop=64, settings=SMALL
    )
    return task, folder, list(distil(task, folder))


def test_a_student_is_kept_with_the_account_of_what_it_learnt(distilled) -> None:
    import json

    _, folder, records = distilled
    assert isinstance(records[-1], Distilled)
    card = json.loads(records[-1].card.read_text())
    assert card["net"] == "norvdpnetpp"
    assert card["encoding"] == "pu21"
    assert card["results"]["teacher"] == ["pu21:gmsd"]
    assert set(card["results"]["agreement"]) == {"all", "jpegxt", "noise", "blur"}
    learnt = {r.scene for r in read_rows(folder / "set.csv")}
    assert set(card["results"]["held_out_scenes"]) < learnt
    said = "\n".join(r.text for r in records if isinstance(r, Note))
    assert "remaining" in said
    assert "s a step" in said
    assert (folder / "curves.png").exists()


def test_scoring_says_what_training_saw(distilled, monkeypatch) -> None:
    """The metric, given the light of held-out rows, repeats the student's answers of the account."""
    _, folder, _ = distilled
    monkeypatch.setenv("HDRQ_MODELS", str(folder))
    student = metric("pu21:norvdpnetpp@norvdpnetpp-from-gmsd")
    rows = {r.number: r for r in read_rows(folder / "set.csv")}
    lines = (folder / "held_out.csv").read_text().splitlines()[1:]
    assert lines
    for line in lines[:6]:
        picture, *_, said = line.split(",")
        _, dist = render(rows[int(picture.partition(":")[2])], Sources())
        assert float(student(dist)) == pytest.approx(
            float(said), abs=2e-3
        )  # weights and pictures in half precision


@pytest.mark.parametrize("stop", [7, 20])
def test_a_killed_distillation_ends_as_an_uninterrupted_one(distilled, tmp_path, stop: int) -> None:
    task, whole, _ = distilled
    for number, _ in enumerate(distil(task, tmp_path / "run")):
        if number == stop:
            break
    records = list(distil(task, tmp_path / "run", resume=True))
    name = "norvdpnetpp-from-gmsd.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    asked = sum(r.new for r in records if isinstance(r, Scored) and r.teacher == "pu21:gmsd")
    assert asked < 48


def test_a_finished_run_has_nothing_left_to_do(distilled) -> None:
    task, folder, _ = distilled
    with pytest.raises(UsageError, match="--resume"):
        distil(task, folder)
    again = list(distil(task, folder, resume=True))
    assert not any(isinstance(r, Step) or (isinstance(r, Scored) and r.new) for r in again)
    with pytest.raises(UsageError, match="another set"):
        list(distil(replace(task, seed=5), folder, resume=True))


def test_a_student_of_sdr_code_is_shown_the_code(images, tmp_path, monkeypatch) -> None:
    task = Task(
        ("pu21:gmsd",),
        "srgb:norvdpnet++",
        tuple(sorted(images.glob("*.png"))),
        ("jpeg", "noise"),
        n=40,
        crop=64,
        displays=("sdr-100",),
        settings=SMALL,
    )
    records = list(distil(task, tmp_path / "run"))
    assert isinstance(records[-1], Distilled)
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "run"))
    student = metric("norvdpnetpp@norvdpnetpp-from-gmsd")
    rows = {r.number: r for r in read_rows(tmp_path / "run" / "set.csv")}
    line = (tmp_path / "run" / "held_out.csv").read_text().splitlines()[1]
    picture, *_, said = line.split(",")
    _, dist = render(rows[int(picture.partition(":")[2])], Sources())
    code = linear_to_srgb((dist - 0.1) / 99.9)
    assert float(student(Image(code, "srgb"))) == pytest.approx(float(said), abs=2e-3)
    with pytest.raises(UsageError, match="light"):
        list(distil(replace(task, images=(images / "room0.exr",)), tmp_path / "other"))


def test_a_tone_mapped_picture_is_code_too(sources, rows, tmp_path) -> None:
    row = replace(next(r for r in rows if r.display == "light"), distortion="reinhard", level=0.0)
    code = RenderedRows(tmp_path, [row], files_of(sources), encoding="srgb").get(f"dist:{row.number}")
    assert code.shape == (3, 64, 64)
    assert code.min() >= 0
    assert 0.3 < code.max() <= 1


def test_a_full_reference_student_learns_with_both_screens_brought_together(images, tmp_path) -> None:
    tiny = {
        "width": 24,
        "depth": 2,
        "heads": 2,
        "mlp": 48,
        "scales": 1,
        "reduction": 4,
        "groups": 1,
        "blocks": 1,
    }
    settings = {"epochs": 1, "batch": 4, "patches": 8, "test_patches": 8, "align": "coral", "options": tiny}
    task = Task(
        ("pu21:gmsd", "pu21:mdsi"),
        "pu-vtamiq",
        (images,),
        ("noise", "blur"),
        n=40,
        crop=64,
        settings=settings,
    )
    records = list(distil(task, tmp_path / "run"))
    assert any(isinstance(r, Step) and r.aligned > 0 for r in records)
    assert isinstance(records[-1], Distilled)


def test_a_student_of_jod_gives_jod(images, tmp_path, monkeypatch) -> None:
    task = Task(
        ("hdrvdp3",),
        "norvdpnet++",
        (images,),
        ("noise", "blur"),
        n=40,
        crop=64,
        settings={**SMALL, "epochs": 1},
    )
    list(distil(task, tmp_path / "run"))
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "run"))
    said = metric("pu21:norvdpnetpp@norvdpnetpp-from-hdrvdp3").read(room(64, 64))
    assert float(said.value) == pytest.approx(10 * float(said.extra["score"]))


def test_people_can_be_the_teacher(images, tmp_path) -> None:
    first = sorted(images.glob("*.png"))
    files = [shutil.copy(p, tmp_path / f"{i}-{p.name}") for i in range(10) for p in first]
    lines = ["dist,scene,mos", *(f"{p.name},scene{i},{i % 7}" for i, p in enumerate(files))]
    table = tmp_path / "opinions.csv"
    table.write_text("\n".join(lines) + "\n")
    settings = {**SMALL, "batch": 2}
    task = Task(("mos",), "norvdpnet++", (table,), (), crop=64, settings=settings)
    records = list(distil(task, tmp_path / "run"))
    assert isinstance(records[-1], Distilled)


def test_pictures_of_a_set_are_pairs_that_score(rows, tmp_path) -> None:
    paths = list(write_images(rows[:4], tmp_path))
    table = paths[-1].read_text().splitlines()
    assert len(table) == 5
    ref, dist = table[1].split(",")[:2]
    a, b = (io.read(tmp_path / f).pixels for f in (ref, dist))
    c, d = render(rows[0], Sources())
    for written, made in ((a, c), (b, d)):
        assert ((written - made).abs() / made).max() < 2e-3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--teacher", "hdrvdp33"], "did you mean"),
        (["--teacher", "hdrvdp3", "--distortions", "noize"], "no distortion"),
        (["--teacher", "hdrvdp3", "-n", "0"], "an integer from 1"),
        (["--teacher", "hdrvdp3", "--set", "colour=red"], "no setting"),
        (["--teacher", "hdrvdp3", "--crop", "4000"], "smaller --crop"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(images, tmp_path, arguments, says) -> None:
    done = CliRunner().invoke(
        command_line, ["distill", "--images", str(images), "-o", str(tmp_path / "r"), *arguments]
    )
    text = str(done.exception) + done.output
    assert done.exit_code != 0
    assert says in text


def test_the_set_alone_and_the_costs_alone(images, tmp_path) -> None:
    say = ["distill", "--teacher", "pu21:gmsd", "--images", str(images), "-n", "48", "--crop", "64"]
    done = CliRunner().invoke(command_line, [*say, "-o", str(tmp_path / "a"), "--make-set", "recipes"])
    assert done.exit_code == 0, done.output
    assert len(read_rows(tmp_path / "a" / "set.csv")) == 48
    say[say.index("--images") + 1] = str(tmp_path / "a" / "set.csv")
    say += ["--set", "options.widths=[4,4,8,8,8]"]
    done = CliRunner().invoke(command_line, [*say, "-o", str(tmp_path / "b"), "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "s a step" in done.output
    assert not (tmp_path / "b" / "last.pt").exists()


def test_the_leftovers_of_a_dry_run_do_not_block_the_distillation(images, tmp_path) -> None:
    task = Task(("pu21:gmsd",), "norvdpnet++", (images,), ("noise",), n=40, crop=64, settings=SMALL)
    list(distil(task, tmp_path / "run", dry_run=True))
    assert (tmp_path / "run" / "set.csv").exists()
    records = distil(replace(task, distortions=("noise", "blur")), tmp_path / "run")
    assert any(isinstance(r, Step) for r in records)
    records.close()


def test_what_can_be_known_is_refused_before_the_teacher_scores_a_row(images, tmp_path) -> None:
    """Too few rows to validate on, no second domain, a crop below the network's, start weights that do not fit."""
    task = Task(("pu21:gmsd",), "norvdpnet++", (images,), ("noise",), n=4, crop=64, settings=SMALL)
    sdr_only = tuple(sorted(images.glob("*.png")))
    for changed, says in (
        ({}, "too few to choose"),
        ({"n": 40, "student": "pu-vtamiq", "images": sdr_only, "displays": ("bright",),
          "settings": {"align": "coral", "batch": 2}}, "on SDR and on brighter displays"),
        ({"crop": 48}, "at least 64 pixels"),
        ({"student": "srgb:norvdpnet++@norvdpnetpp-small-sdr", "settings": {"options.kind": "layer"}}, "start weights"),
        ({"student": "ssim"}, "is not a network"),
        ({"distortions": ()}, "at least one distortion"),
    ):  # fmt: skip
        seen: list = []
        with pytest.raises(UsageError, match=says):
            seen.extend(distil(replace(task, **changed), tmp_path / "run"))
        assert not any(isinstance(r, Scored) for r in seen), says


def test_start_weights_bring_the_options_of_their_network() -> None:
    task = Task(("mos",), "srgb:norvdpnet++@norvdpnetpp-small-sdr", (), (), crop=64)
    assert settings_for(task).options["widths"] == [16, 32, 64, 64, 64]


def test_images_smaller_than_the_crop_are_named(images, tmp_path) -> None:
    io.write(tmp_path / "tiny.png", Image(torch.rand(1, 3, 40, 80), "srgb", bits=8))
    task = Task(("pu21:gmsd",), "norvdpnet++", (images, tmp_path / "tiny.png"), ("noise",), n=8, crop=64)
    rows, _, left = build_set(task, Cache(tmp_path / "scores.sqlite"))
    assert rows
    assert any("tiny.png is 80x40, smaller than --crop 64" in line for line in left)


def test_an_output_that_turns_the_direction_turns_the_quality(rows) -> None:
    """hdrvdp2's probability of detection is worse the higher it is, though its quality is better."""
    scale = quality_scale(metric("hdrvdp2,output=p-det"), np.linspace(0, 1, 11))
    assert scale.quality(np.array([0.0, 1.0])).tolist() == [1.0, 0.0]


def test_an_unknown_distortion_is_refused_before_any_picture_is_read(tmp_path) -> None:
    with pytest.raises(UnknownName):
        distil(Task(("hdrvdp3",), "norvdpnet++", (tmp_path / "none",), ("noize",)), tmp_path)


def test_the_api_takes_keywords_and_refuses_what_the_command_refuses(images, tmp_path) -> None:
    import hdrq

    made = hdrq.distill(
        "pu21:gmsd",
        images,
        student="norvdpnet++",
        distortions="noise, blur",
        n=40,
        crop=64,
        settings=SMALL,
        output=tmp_path / "run",
        dry_run=True,
        device="cpu",
    )
    assert any(isinstance(r, Note) for r in made)
    assert {row.distortion for row in read_rows(tmp_path / "run" / "set.csv")} == {"noise", "blur"}
    with pytest.raises(UsageError, match="n must be at least 1, not 0"):
        hdrq.distill("pu21:gmsd", images, n=0)
    with pytest.raises(UsageError, match="ppd must be a finite number, not nan"):
        hdrq.distill("pu21:gmsd", images, ppd=float("nan"))
    with pytest.raises(UsageError, match="no distortion"):
        hdrq.distill("pu21:gmsd", images, distortions=["noize"], output=tmp_path / "x")
