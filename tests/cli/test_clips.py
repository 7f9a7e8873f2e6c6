"""Clips in hdrq score: streamed to metrics of sequences, the mean over the frames for metrics of images."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import pytest
import torch

import hdrq
from filmed import film, light
from hdrq.cli.app import main
from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.records import Pair, Selection
from hdrq.scoring.batch import Settings
from hdrq.scoring.metrics.hdrvqm import _tubes

pytest.importorskip("av")
PINNED = Photometry(primaries="bt2020")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    names = folder / "ref.mkv", folder / "dist.mkv"
    return names, film(names[0], light()), film(names[1], light(noise=0.1))


def test_a_metric_of_images_gives_the_mean_over_the_frames(clips):
    names, refs, dists = clips
    bound = hdrq.metric("pu-psnr", photometry=PINNED)
    each = [bound(a, b).item() for a, b in zip(refs, dists)]
    (row,) = hdrq.score([names], ["pu-psnr"], device="cpu")
    assert row.status == "ok", row.error
    assert row.value == pytest.approx(sum(each) / 6, abs=1e-5)
    assert [row.extra[f"frame {n}"] for n in range(6)] == pytest.approx(each, abs=1e-5)
    assert "mean of 6 frames" in row.how
    assert "working primaries bt2020" in row.how
    assert "first frame" not in row.how


def test_identical_frames_that_make_the_mean_infinite_are_stated(clips, tmp_path):
    names, refs, _ = clips
    nits = light(noise=0.1)
    nits[:2] = light()[:2]
    dists = film(tmp_path / "some.mkv", nits)
    bound = hdrq.metric("pu-psnr", photometry=PINNED)
    each = [bound(a, b).item() for a, b in zip(refs, dists)]
    (row,) = hdrq.score([(names[0], tmp_path / "some.mkv")], ["pu-psnr"])
    assert row.value == float("inf")
    wanted = f"infinite because of 2 identical frames; the mean of the other 4 is {sum(each[2:]) / 4:.5g}"
    assert wanted.replace("; ", ", ") in row.how
    (row,) = hdrq.score([(names[0], names[0])], ["pu-psnr"])
    assert "infinite" not in row.how


@pytest.mark.parametrize(("select", "numbers"), [("1:6:2", [1, 3, 5]), (":2", [0, 1]), ("4:", [4, 5])])
def test_frames_are_chosen_and_numbered_as_in_the_clip(clips, select, numbers):
    names, refs, dists = clips
    bound = hdrq.metric("pu-psnr", photometry=PINNED)
    each = {f"frame {n}": bound(refs[n], dists[n]).item() for n in numbers}
    (row,) = hdrq.score([names], ["pu-psnr"], settings=Settings(select=Selection(frames=select)))
    assert row.extra == pytest.approx(each, abs=1e-5)


def test_a_frame_chosen_by_number_is_an_image(clips):
    names, refs, dists = clips
    (row,) = hdrq.score([names], ["pu-psnr"], settings=Settings(select=Selection(frames="3")))
    assert row.value == pytest.approx(hdrq.metric("pu-psnr")(refs[3], dists[3]).item(), abs=1e-5)
    assert "mean of" not in row.how


def test_either_side_has_its_own_frames(clips):
    names, refs, dists = clips
    settings = Settings(select_ref=Selection(frames="2"), select_dist=Selection(frames="4"))
    (row,) = hdrq.score([names], ["pu-psnr"], settings=settings)
    assert row.value == pytest.approx(hdrq.metric("pu-psnr")(refs[2], dists[4]).item(), abs=1e-5)
    pair = Pair(dist=names[1], ref=names[0], carried={"ref_frames": "2", "frames": "4"})
    (named,) = hdrq.score([pair], ["pu-psnr"])
    assert named.value == row.value


def test_the_frame_rate_is_that_of_the_file_and_of_the_frames_chosen(clips):
    names, *_ = clips
    (row,) = hdrq.score([names], ["cvvdp,mode=video"], device="cpu")
    (said,) = hdrq.score([names], ["cvvdp,mode=video,frame_rate=25"], device="cpu")
    (other,) = hdrq.score([names], ["cvvdp,mode=video,frame_rate=50"], device="cpu")
    assert row.value == said.value != other.value
    assert "25 frames per second by the file" in row.how
    assert "by the file" not in said.how
    every_second = Settings(select=Selection(frames="::2"), device="cpu")
    (row,) = hdrq.score([names], ["cvvdp,mode=video"], settings=every_second)
    (said,) = hdrq.score([names], ["cvvdp,mode=video,frame_rate=12.5"], settings=every_second)
    assert row.value == said.value
    assert "12.5 frames per second" in row.how


@pytest.mark.parametrize("asked", ["cvvdp,mode=video", "hdrvqm,mode=video,frame_rate=2,adapt=linear"])
def test_a_clip_is_streamed_to_the_value_of_the_whole(clips, asked):
    names, *sides = clips
    (row,) = hdrq.score([names], [asked], settings=Settings(device="cpu", select=Selection(frames=":3")))
    whole = [
        replace(frames[0], pixels=torch.cat([f.pixels for f in frames[:3]]), frame_rate=25.0)
        for frames in sides
    ]
    assert row.status == "ok", row.error
    assert row.value == pytest.approx(hdrq.metric(asked, photometry=PINNED)(*whole).item(), abs=1e-5)


def test_hdrvqm_counts_a_fixation_only_where_a_frame_follows():
    totals = torch.rand(5, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for count, fixations in ((3, 1), (4, 1), (5, 2)):
        tubes = list(_tubes(iter(totals[:count]), 2, 4))
        assert len(tubes) == fixations
        for n, found in enumerate(tubes):
            blocks = totals[2 * n : 2 * n + 2].unfold(1, 4, 4).unfold(2, 4, 4)  # (2, 2, 3, 4, 4)
            assert torch.allclose(found, blocks.movedim(0, 2).flatten(2).std(2).flatten())
    with pytest.raises(UsageError, match=r"fixations of 2 frames, .* got 2 frames; give at least 3"):
        list(_tubes(iter(totals[:2]), 2, 4))


def test_metrics_of_clips_and_of_images_share_a_call(clips, tmp_path):
    names, *_ = clips
    metrics = ["pu-psnr", "cvvdp,mode=video", "y:pu21:psnr"]
    rows = list(hdrq.score([names], metrics, device="cpu"))
    assert [r.status for r in rows] == ["ok"] * 3
    alone = [next(hdrq.score([names], [m], device="cpu")).value for m in metrics]
    assert [r.value for r in rows] == alone


def test_a_metric_without_reference_scores_a_clip(clips):
    names, refs, _ = clips
    (row,) = hdrq.score([names[0]], ["pu-piqe"], device="cpu")
    each = [hdrq.metric("pu-piqe", photometry=PINNED)(f).item() for f in refs]
    assert row.value == pytest.approx(sum(each) / 6, rel=1e-5)


def test_clips_of_two_lengths_or_rates_are_refused(clips, tmp_path):
    names, *_ = clips
    film(tmp_path / "short.mkv", light(4))
    film(tmp_path / "fast.mkv", light(6), rate=50)
    for metric in ("pu-psnr", "cvvdp,mode=video"):
        (row,) = hdrq.score([(names[0], tmp_path / "short.mkv")], [metric], device="cpu")
        assert "the test clip ends after 4 frames" in row.error
    (row,) = hdrq.score([(names[0], tmp_path / "fast.mkv")], ["cvvdp,mode=video"], device="cpu")
    assert "25 frames per second" in row.error
    assert "50" in row.error
    (row,) = hdrq.score([names], ["pu-psnr"], settings=Settings(select=Selection(frames="9:12")))
    assert "has no frames in 9:12" in row.error


def test_what_would_follow_each_frame_is_refused(clips):
    names, *_ = clips
    (row,) = hdrq.score([names], ["pu-psnr"], photometry=Photometry(peak=500.0))
    assert "--scale" in row.error


def test_an_error_names_its_frame(clips, tmp_path):
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
        for n, frame in enumerate(light(3)):
            pixels = frame[None].float().clone()
            if n == 1 and folder.name == "b":
                pixels[0, 0, 4, 7] = float("nan")
            hdrq.write(folder / f"{n}.exr", hdrq.Image(pixels), depth="float")
    (row,) = hdrq.score([folders], ["pu-psnr"])
    assert row.error.startswith("frame 1: ")
    assert "row 4, column 7" in row.error


def test_the_response_of_every_frame_is_matched(clips, tmp_path):
    names, *_ = clips
    film(tmp_path / "dim.mkv", 0.7 * light())
    plain, matched = (
        next(hdrq.score([(names[0], tmp_path / "dim.mkv")], ["pu-psnr"], settings=Settings(match_response=m)))
        for m in (False, True)
    )
    assert plain.value < 35 < 50 < matched.value
    assert "response matched" in matched.how


@pytest.fixture
def run(capsys):
    """run("score", ...) is (exit code, rows of stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, list[dict], str]:
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--format", "json"])
        said = capsys.readouterr()
        return int(left.value.code or 0), json.loads(said.out or "[]"), said.err

    return call


def test_the_command_takes_clips_their_frames_and_maps(clips, run, tmp_path):
    names, *_ = clips
    code, rows, err = run("score", *names, "-m", "pu-ssim", "--frames", "1:5:3", "--map", tmp_path / "maps")
    assert code == 0, err
    assert set(rows[0]["extra"]) == {"frame 1", "frame 4"}
    assert sorted(p.name for p in (tmp_path / "maps").glob("*.exr")) == [
        f"dist.pu21_ssim.{n:05d}.exr" for n in (1, 4)
    ]
    code, (row,), err = run("score", *names, "-m", "pu-ssim", "--ref-frames", "2", "--dist-frames", "2")
    assert code == 0, err
    assert "mean of" not in row["how"]


def test_folders_of_clips_are_paired_and_folders_of_frames_are_clips(clips, run, tmp_path):
    _, refs, dists = clips
    for name, noise in (("a", 0.0), ("b", 0.1)):
        (tmp_path / name).mkdir()
        for clip in ("one", "two"):
            film(tmp_path / name / f"{clip}.mkv", light(3, noise=noise))
    code, rows, err = run("score", tmp_path / "a", tmp_path / "b", "-m", "cvvdp,mode=video", "-m", "pu-psnr")
    assert code == 0, err
    assert len(rows) == 4
    for name, frames in (("c", refs), ("d", dists)):
        (tmp_path / name).mkdir()
        for n, frame in enumerate(frames):
            hdrq.write(tmp_path / name / f"f{n:03d}.png", frame)
    asked = ("-m", "cvvdp,mode=video,frame_rate=25", "-m", "pu-psnr")
    code, rows, err = run("score", tmp_path / "c", tmp_path / "d", *asked, "--frames", ":4")
    assert code == 0, err
    names, *_ = clips
    expected = run("score", *names, *asked, "--frames", ":4")[1]
    assert [r["value"] for r in rows] == pytest.approx([r["value"] for r in expected], rel=1e-4)


def test_a_remote_clip_is_a_clip(clips, tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    monkeypatch.setenv("HDRQ_CACHE", str(tmp_path / "cache"))
    names, *_ = clips
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as box:
        box.write(names[1], "dist.mkv")
    (row,) = hdrq.score([(names[0], f"zip://dist.mkv::{tmp_path / 'clips.zip'}")], ["pu-psnr"], device="cpu")
    (expected,) = hdrq.score([names], ["pu-psnr"], device="cpu")
    assert row.status == "ok", row.error
    assert row.value == expected.value


def test_a_missing_frame_is_named_whether_the_clip_is_scored_or_too_short(tmp_path, run) -> None:
    """Pairing by order gave identical frames 1.02; and the error of a clip of 15 frames did not say which one lacks."""
    x = 50 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for name, frames in (("ref", range(7)), ("dist", [n for n in range(7) if n != 4])):
        (tmp_path / name).mkdir()
        for n in frames:
            hdrq.write(tmp_path / name / f"f{n:03d}.exr", hdrq.Image(x.roll(n, 3)))
    asked = ("score", tmp_path / "ref", tmp_path / "dist", "-m")
    code, rows, err = run(*asked, "hdrvqm,mode=video,frame_rate=4")
    assert (code, rows[0]["value"]) == (0, 0.0)
    assert "dist: frames without a matching frame skipped: ref/f004.exr" in err.replace(f"{tmp_path}/", "")
    (tmp_path / "dist" / "f006.exr").unlink()
    code, _, err = run(*asked, "hdrvqm,mode=video")
    assert code == 3
    assert "got 5 frames; give at least 16" in err
    assert "skipped: ref/f004.exr, ref/f006.exr" in err.replace(f"{tmp_path}/", "")
