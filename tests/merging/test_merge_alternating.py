"""hdrq merge --pattern alternating: frames of a video whose exposure alternates, on rendered light."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from filmed import film
from hdrq import io
from hdrq.cli import main
from hdrq.errors import UsageError
from hdrq.io.exposures import Exposure
from hdrq.merging.file_settings import FileSettings
from hdrq.merging.sequence.alternating import windows
from hdrq.merging.sequence.shots import Reader, Shot, levels_of
from hdrq.merging.settings import Settings, replaced
from hdrq.records import Selection
from shooting import save, scene, shoot

TWO, THREE = (1 / 4, 2.0), (1 / 8, 1 / 2, 2.0)
STILL = {"pattern": "alternating", "response": "linear", "align": "none"}
LIGHT = scene(45, 61, stops=7)


def tensor(light: np.ndarray) -> Tensor:
    return torch.from_numpy(light).permute(2, 0, 1)[None].float()


def filmed(times, count: int, light=lambda i: LIGHT) -> list[np.ndarray]:
    """Frames of linear code."""
    return [shoot(light(i), times[i % len(times)], i, tone=lambda e: e) for i in range(count)]


def at_prompt(capsys, *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["merge", *map(str, arguments)])
    return int(left.value.code or 0), capsys.readouterr().err


@pytest.mark.parametrize(("times", "count"), [(TWO, 4), (THREE, 5)])
def test_frames_of_a_still_scene_give_its_light_one_for_each(times, count) -> None:
    found = list(hdrq.merge(filmed(times, count), times=times, **STILL))
    assert [m.report.reference for m in found] == [f"frame-{i:06d}" for i in range(count)]
    for merged in found:
        assert merged.image.pixels.shape == (1, 3, 45, 61)
        error = (merged.image.pixels / tensor(LIGHT)).log2().abs()
        assert float(error.median()) < 0.02
        assert float(error.quantile(0.98)) < 0.12


def test_a_frame_is_merged_as_the_bracket_of_its_neighbours() -> None:
    frames = filmed(TWO, 3)
    middle = list(hdrq.merge(frames, times=TWO, **STILL))[1]
    bracket = hdrq.merge(
        frames, times=(TWO[0], TWO[1], TWO[0]), response="linear", align="none", allow_equal=True, reference=1
    )
    assert middle.image.pixels.equal(bracket.image.pixels)


def test_a_moving_patch_is_where_its_frame_has_it() -> None:
    """Without deghosting it is smeared over the frames; an index that is off by one shows it elsewhere."""

    still = np.linspace(0.1, 0.45, 61)[None, :, None] * np.ones((45, 61, 3))
    times = (1 / 2, 2.0)

    def light(i: int) -> np.ndarray:
        moved = still.copy()
        moved[12:30, 4 + 10 * i : 16 + 10 * i] = (0.4, 0.15, 0.3)
        return moved

    def error(merged, i: int) -> float:
        return float((merged.image.pixels / tensor(light(i))).log2().abs().max())

    frames = filmed(times, 5, light)
    found = list(hdrq.merge(frames, times=times, **STILL))
    for i, merged in enumerate(found):
        assert error(merged, i) < 0.12
        for other in {0, 1, 2, 3, 4} - {i}:
            assert error(merged, other) > 0.5
    smeared = list(hdrq.merge(frames, times=times, deghost="none", **STILL))
    assert min(error(merged, i) for i, merged in enumerate(smeared)) > 0.3


def test_a_moving_camera_leaves_every_frame_its_size() -> None:
    wide = scene(60, 80, stops=5)
    frames = filmed(TWO, 4, lambda i: wide[4 * (i % 3) : 45 + 4 * (i % 3), 3 * i : 61 + 3 * i])
    found = list(hdrq.merge(frames, times=TWO, **{**STILL, "align": "mtb"}))
    assert [m.image.pixels.shape[-2:] for m in found] == [(45, 61)] * 4


def shots(levels: str) -> list[Shot]:
    return [
        Shot(i, f"{i}", np.zeros(1), Exposure(ev=float(k)), int(k), Reader(Settings()))
        for i, k in enumerate(levels)
    ]


@pytest.mark.parametrize(
    ("levels", "neighbours", "expected"),
    [
        ("01010", "both", ["1", "02", "13", "24", "3"]),
        ("01010", "nearest", ["1", "0", "1", "2", "3"]),
        ("01010", "previous", ["", "0", "1", "2", "3"]),
        ("012012", "both", ["12", "023", "0134", "1245", "235", "34"]),
        ("012012", "nearest", ["12", "02", "13", "24", "35", "34"]),
        ("012012", "previous", ["", "0", "01", "12", "23", "34"]),
        ("01101", "both", ["1", "03", "03", "24", "3"]),
        ("0", "both", [""]),
    ],
)
def test_neighbours_are_the_nearest_of_every_other_exposure(levels, neighbours, expected) -> None:
    found = list(windows(shots(levels), neighbours))
    assert [w.shot.number for w in found] == list(range(len(levels)))
    assert ["".join(s.name for s in w.others) for w in found] == expected


@pytest.mark.parametrize("neighbours", ["both", "previous"])
def test_frames_are_read_as_they_are_needed_and_then_forgotten(neighbours) -> None:
    """A sequence of any length: no more than seven frames are ahead of, or behind, the one that is merged."""
    import weakref

    alive: list[weakref.ref] = []

    def stream():
        for i in range(40):
            shot = Shot(i, f"{i}", np.zeros(1), Exposure(ev=i % 2), i % 2, Reader(Settings()))
            alive.append(weakref.ref(shot))
            yield shot
            del shot

    most = 0
    for number, window in enumerate(windows(stream(), neighbours)):
        assert len(alive) <= number + (4 if neighbours == "both" else 1)
        most = max(most, sum(ref() is not None for ref in alive))
        del window
    assert most <= 8


def test_exposures_are_grouped_by_stops() -> None:
    def of(*evs: float) -> list[Exposure]:
        return [Exposure(ev=e) for e in evs]

    assert levels_of(of(0, -3, 0.05, -2.97, -6)) == [2, 1, 2, 1, 0]
    with pytest.raises(UsageError, match=r"the frames have one exposure \(\+0 EV\)"):
        levels_of(of(0, 0.05))
    with pytest.raises(UsageError, match="the frames have 4 exposures"):
        levels_of(of(0, 1, 2, 3))


def test_exposures_of_a_cycle_without_times_are_estimated() -> None:
    found = list(
        hdrq.merge(filmed(TWO, 4), **{**STILL, "estimate_exposures": True, "cycle": 2}),
    )
    ratios = {f.file: f.used for f in found[0].report.frames}
    assert ratios["frame-000001"] / ratios["frame-000000"] == pytest.approx(8, rel=0.02)


def test_a_cut_leaves_out_the_frames_that_contradict_it() -> None:
    frames = filmed(TWO, 5, lambda i: LIGHT if i < 3 else LIGHT / 60)
    found = list(hdrq.merge(frames, times=TWO, **STILL))
    said = [n for m in found for n in m.report.notes if "cut" in n]
    assert said == [
        "frame-000003 contradicts the exposures beside frame-000002, as at a cut, and is left out",
        "frame-000002 contradicts the exposures beside frame-000003, as at a cut, and is left out",
    ]
    assert float((found[2].image.pixels / tensor(LIGHT)).log2().abs().median()) < 0.02


def test_a_frame_whose_neighbours_are_all_left_out_is_merged_alone() -> None:
    frames = filmed(TWO, 3, lambda i: LIGHT if i < 2 else LIGHT * 300)
    last = list(hdrq.merge(frames, times=TWO, **STILL))[2]
    assert any("is merged alone" in n for n in last.report.notes)
    assert [f.file for f in last.report.frames] == ["frame-000002"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "images in memory have no exposure"),
        ({"times": (1, 2, 4, 8)}, "--times gives 4 exposures for 3 frames"),
        ({"times": (1, 1)}, "one exposure"),
        ({"times": TWO, "cycle": 3}, "--cycle 3 contradicts the 2 exposures"),
        ({"times": TWO, "cycle": 4}, "--cycle is 2 or 3"),
        ({"times": TWO[::-1]}, "is darker; the exposures contradict the frames"),
        ({"times": TWO, "fuse": True, "response": "auto"}, "does not take --fuse"),
        ({"times": TWO, "scale": "median"}, "changes from frame to frame"),
        ({"times": TWO, "deghost": "bitmap"}, "at the time of another frame"),
        ({"times": TWO, "reference": 1}, "is each frame in turn"),
        ({"times": TWO, "method": "ahdrnet"}, "merges to the frame of middle exposure"),
        ({"times": TWO, "estimate_exposures": True, "cycle": 2}, "leave out one of them"),
        ({"estimate_exposures": True}, "needs --cycle"),
        ({"times": TWO, "layout": "rows"}, "--layout is for --pattern bayer-me"),
        ({"times": TWO, "neighbours": "all"}, "neighbours: 'all' is not one of both"),
    ],
)
def test_what_a_sequence_cannot_be_is_one_line(options, says) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        list(hdrq.merge(filmed(TWO, 3), **{**STILL, **options}))
    assert "\n" not in str(refused.value)


def test_one_frame_and_none_are_one_line() -> None:
    with pytest.raises(UsageError, match="the frames have one exposure"):
        list(hdrq.merge(filmed(TWO, 1), times=TWO, **STILL))
    with pytest.raises(UsageError, match="there are no frames"):
        hdrq.merge([], times=TWO, **STILL)


def test_a_cycle_without_a_pattern_is_refused() -> None:
    with pytest.raises(UsageError, match="--cycle is for --pattern alternating"):
        hdrq.merge(filmed(TWO, 2), times=TWO, cycle=2)


# --- files --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("frames")
    save(filmed(TWO, 4), home)
    return home


ARGUMENTS = ("--pattern", "alternating", "--times", "1/4,2", "--response", "linear", "--align", "none")


def test_every_frame_of_a_folder_is_written_under_its_name(folder, tmp_path, capsys) -> None:
    code, err = at_prompt(capsys, folder, "-o", tmp_path, *ARGUMENTS, "--save-response", tmp_path / "r.json")
    assert (code, len(err.splitlines())) == (0, 2)
    assert sorted(p.name for p in tmp_path.glob("*.exr")) == [f"f{i}.exr" for i in range(4)]
    for i, merged in enumerate(hdrq.merge(filmed(TWO, 4), times=TWO, **STILL)):
        assert io.read(tmp_path / f"f{i}.exr").pixels.equal(merged.image.pixels.float())
    assert json.loads((tmp_path / "merge.json").read_text())["times"] == list(TWO)
    assert (tmp_path / "r.json").exists()


def test_an_interrupted_sequence_goes_on_where_it_was(folder, tmp_path, capsys) -> None:
    at_prompt(capsys, folder, "-o", tmp_path, *ARGUMENTS)
    whole = (tmp_path / "f2.exr").read_bytes()
    kept = (tmp_path / "f1.exr").stat()
    (tmp_path / "f2.exr").unlink()
    code, _ = at_prompt(capsys, folder, "-o", tmp_path, *ARGUMENTS, "--resume")
    assert code == 0
    assert (tmp_path / "f2.exr").read_bytes() == whole
    assert (tmp_path / "f1.exr").stat().st_mtime_ns == kept.st_mtime_ns
    code, err = at_prompt(capsys, folder, "-o", tmp_path, *ARGUMENTS, "--resume", "--rule", "log-mean")
    assert code == 2
    assert "was merged with other settings: rule was photon-count and is log-mean; leave out --resume" in err
    # a frame that changes is merged again, and its neighbours with it
    mine = tmp_path / "frames"
    mine.mkdir()
    save(filmed(TWO, 9), mine)
    at_prompt(capsys, mine, "-o", tmp_path / "nine", *ARGUMENTS)
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "nine").glob("*.exr")}
    (mine / "f0.png").write_bytes((mine / "f2.png").read_bytes())
    at_prompt(capsys, mine, "-o", tmp_path / "nine", *ARGUMENTS, "--resume")
    again = {n for n, t in before.items() if (tmp_path / "nine" / n).stat().st_mtime_ns != t}
    assert again == {"f0.exr", "f1.exr", "f2.exr", "f3.exr"}


def test_images_of_an_unknown_merge_are_not_resumed(folder, tmp_path, capsys) -> None:
    (tmp_path / "f1.exr").write_bytes(b"")
    code, err = at_prompt(capsys, folder, "-o", tmp_path, *ARGUMENTS, "--resume")
    assert code == 2
    assert "has no merge.json, which says how f1.exr was merged" in err


def test_a_damaged_frame_ends_the_sequence_with_its_name(folder, tmp_path, capsys) -> None:
    for i in range(4):
        (tmp_path / f"f{i}.png").write_bytes((folder / f"f{i}.png").read_bytes()[: None if i < 3 else 60])
    code, err = at_prompt(capsys, tmp_path, "-o", tmp_path / "out", *ARGUMENTS, "-q")
    assert code == 1
    assert "f3.png" in err
    assert "--resume goes on" in err
    assert (tmp_path / "out" / "f1.exr").exists()


def test_frames_of_a_clip_are_numbered_and_counted_from_its_start(tmp_path) -> None:
    pytest.importorskip("av")
    light = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)) * 200 + 4
    # what a camera of linear code writes, shown as PQ: half and a quarter of the light
    clip = tmp_path / "shot.v2.mkv"
    film(clip, torch.cat([light / (4 if i % 2 else 1) for i in range(5)]).double())
    settings = Settings(ev=(0, -2), align="none", deghost="none")
    files = FileSettings(Selection(frames="1:4"))
    done = list(
        hdrq.merge_sequence(
            clip,
            tmp_path / "out",
            replaced(settings, None, {"pattern": "alternating", "files": files}),
        )
    )
    assert [d.target.name for d in done] == [f"shot.v2-00000{i}.exr" for i in (1, 2, 3)]
    assert all(not d.error for d in done)
    first = io.read(done[0].target).pixels
    for other in done[1:]:
        assert torch.allclose(io.read(other.target).pixels, first, rtol=0.03)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("-o", "x.exr"), "written to a folder, but x.exr has a suffix"),
        (("-o", "x", "--report", "r.json"), "does not take --report"),
        (("-o", "x", "--ghost-mask", "g.png"), "does not take --ghost-mask"),
        (("-o", "x", "--crop", "common"), "leave out --crop common"),
        (("-o", "x", "--suffix", ".jpg"), "cannot hold radiance"),
        (("-o", "x", "--frames", "0:4:2"), "leaves out exposures of the pattern"),
    ],
)
def test_options_without_use_for_a_sequence_are_refused(folder, capsys, more, says) -> None:
    code, err = at_prompt(capsys, folder, *ARGUMENTS, *more)
    assert (code, says in err) == (2, True), err


def test_frames_are_not_replaced_by_their_merges(folder, capsys) -> None:
    code, err = at_prompt(capsys, folder, "-o", folder, *ARGUMENTS, "--suffix", ".png")
    assert code == 2
    assert "is one of the frames" in err


def test_resume_needs_a_pattern(folder, capsys) -> None:
    code, err = at_prompt(capsys, *sorted(folder.glob("*.png")), "-o", "x.exr", "--resume")
    assert (code, "--resume has no effect without --pattern" in err) == (2, True)
