"""hdrq merge at the prompt: what it reads, what it refuses and how it says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hdrq import io
from hdrq.cli import main
from hdrq.errors import FileError, UsageError
from hdrq.io.exposures import exif_exposure, exposures_of, name_exposure
from hdrq.merging.merge import merge
from hdrq.merging.response.files import read_response
from hdrq.merging.settings import Settings
from hdrq.records import Image
from shooting import save, scene, shoot

TIMES = (1 / 8, 1 / 2, 2.0)


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return scene(96, 128, stops=8)


@pytest.fixture(scope="module")
def frames(light, tmp_path_factory) -> list[str]:
    return save([shoot(light, t, i) for i, t in enumerate(TIMES)], tmp_path_factory.mktemp("frames"))


def at_prompt(capsys, *arguments: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of hdrq merge."""
    with pytest.raises(SystemExit) as left:
        main(["merge", *map(str, arguments)])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def jpeg(
    path: Path, pixels: np.ndarray, seconds: float, iso: int | None = 100, fnumber: float | None = 8.0
) -> str:
    exif = Picture.Exif()
    inner = exif.get_ifd(0x8769)
    inner[33434] = seconds
    if iso:
        inner[34855] = iso
    if fnumber:
        inner[33437] = fnumber
    Picture.fromarray(pixels).save(path, exif=exif, quality=95)
    return str(path)


def test_everything_is_written_and_told(frames, tmp_path, capsys) -> None:
    target, report, curve = tmp_path / "s.exr", tmp_path / "r.json", tmp_path / "c.json"
    code, out, _ = at_prompt(
        capsys, *frames, "-o", target, "--times", "1/8,1/2,2", "--report", report, "--save-response", curve,
        "--plot-response", tmp_path / "c.png", "--ghost-mask", tmp_path / "g.png", "--uncertainty",
    )  # fmt: skip
    assert code == 0
    assert "f0.png" in out
    told = json.loads(report.read_text())
    assert [f["used"] for f in told["frames"]] == pytest.approx(TIMES)
    assert told["scale"].startswith("relative")
    assert read_response(curve).curve.shape == (256, 3)
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert io.read(tmp_path / "g.png").size == io.read(target).size == tuple(told["size"])
    assert io.read(target, layer="error").pixels.min() >= 0
    code, _, _ = at_prompt(
        capsys, *frames, "-o", target, "--times", "1/8,1/2,2", "--report", tmp_path / "r.html", "-q"
    )
    assert code == 0
    page = (tmp_path / "r.html").read_text()
    assert page.rstrip().endswith("</html>")
    assert page.count("<img src='data:image/") >= 2  # the picture and the response


def test_the_table_says_only_what_there_is_to_say(frames, tmp_path, capsys) -> None:
    """Stops from the reference; no column of shifts, ghosts or misstatements where none were looked for."""
    odd = [str(tmp_path / f"shot[{i}].png") for i in range(3)]
    for path, other in zip(frames, odd):
        Path(other).write_bytes(Path(path).read_bytes())
    stated = ("-o", tmp_path / "s.exr", "--times", "1/8,1/2,2")
    _, out, _ = at_prompt(capsys, *odd, *stated, "--align", "none", "--deghost", "none", "--reference", "2")
    assert all(f"shot[{i}].png" in out for i in range(3))  # no markup of the table's
    assert "-2.00" in out
    assert "+2.00" in out
    assert not any(word in out for word in ("placed by", "moved %", "stated off by"))
    _, out, _ = at_prompt(capsys, *frames, *stated, "--estimate-exposures")
    assert "stated off by" in out
    assert "placed by" in out
    _, out, _ = at_prompt(capsys, *frames, "-o", tmp_path / "f.png", "--fuse", "--align", "none")
    assert "unknown" in out
    assert not any(word in out for word in ("dynamic range", "cd/m²", "response"))


def test_neighbours_that_disagree_are_doubted(frames, tmp_path, capsys) -> None:
    wrong = (
        "-o",
        tmp_path / "s.exr",
        "--times",
        "1/8,1/2,2",
        "--response",
        "gamma2.2",
        "--align",
        "none",
    )
    _, _, err = at_prompt(capsys, *frames, *wrong)
    assert "disagree by" in err
    assert "--estimate-exposures" in err


def test_fusion_gives_a_picture(frames, tmp_path, capsys) -> None:
    assert at_prompt(capsys, *frames, "-o", tmp_path / "f.png", "--fuse", "-q")[0] == 0
    fused = io.read(tmp_path / "f.png")
    assert fused.domain == "srgb"
    assert 0.2 < float(fused.pixels.mean()) < 0.8


def test_exif_gives_exposures_and_absolute_light(light, tmp_path) -> None:
    paths = [jpeg(tmp_path / f"{i}.jpg", shoot(light, t, i), t) for i, t in enumerate(TIMES)]
    found = [exif_exposure(p) for p in paths]
    assert [e.seconds for e in found] == pytest.approx(TIMES)
    assert found[1].absolute == pytest.approx(0.5 * 100 / (12.5 * 64))
    merged = merge(paths, Settings())
    assert merged.image.domain == "nits"
    # white over t ISO / (100 N²), times 78/0.65/100: the luminance at which a sensor of this speed clips (ISO 12232)
    assert merged.report.factor == pytest.approx(78 / 0.65 / 100, rel=1e-3)


def test_an_exr_header_gives_the_exposure(tmp_path) -> None:
    import OpenEXR

    header = {"expTime": 0.25, "isoSpeed": 200.0, "aperture": 4.0, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Y": np.ones((8, 8), np.float32)}).write(str(tmp_path / "a.exr"))
    found = exif_exposure(tmp_path / "a.exr")
    assert (found.seconds, found.iso, found.fnumber) == (0.25, 200, 4)


def test_without_aperture_only_ratios_are_used_and_said_so(light, tmp_path) -> None:
    paths = [jpeg(tmp_path / f"{i}.jpg", shoot(light, t, i), t, fnumber=None) for i, t in enumerate(TIMES)]
    report = merge(paths, Settings()).report
    assert report.scale.startswith("relative")
    assert any("only ratios" in n for n in report.notes)
    with pytest.raises(UsageError, match="absolute scale needs"):
        merge(paths, Settings(scale="absolute"))


@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("room_1-30s", 1 / 30),
        ("room_0.25s", 0.25),
        ("a_ev-2", 0.25),
        ("a_+1.5EV", 2**1.5),
        ("IMG_0961", None),
    ],
)
def test_names_may_say_the_exposure(name, relative) -> None:
    assert name_exposure(name + ".jpg").relative == (
        relative if relative is None else pytest.approx(relative)
    )


def test_a_table_says_the_exposures(frames, tmp_path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(
        "file,exposure_time_s,fnumber,iso\n" + "".join(f"f{i}.png,{t},8,100\n" for i, t in enumerate(TIMES))
    )
    assert [e.seconds for e in exposures_of(frames, table=table)] == pytest.approx(TIMES)
    with pytest.raises(FileError, match="has no exposure for f9"):
        exposures_of(["f9.png"], table=table)


def test_sixteen_bits_and_floats_merge_as_they_are(light, tmp_path) -> None:
    deep = save(
        [shoot(light, t, i, tone=lambda f: f, bits=16) for i, t in enumerate(TIMES)], tmp_path / "deep"
    )
    floats = []
    for i, t in enumerate(TIMES):
        floats.append(str(tmp_path / f"f{i}.exr"))
        io.write(
            floats[-1],
            Image(torch.from_numpy(np.clip(light * t, 0, 1)).permute(2, 0, 1)[None].float(), "linear"),
        )
    for paths in (deep, floats):
        ours = merge(
            paths, Settings(times=TIMES, response="linear", align="none", deghost="none", scale="relative")
        )
        ratio = ours.image.pixels[0].permute(1, 2, 0).numpy() / light
        assert np.median(np.abs(ratio[light < 0.4] - 1)) < 0.01


# --- one clear line -----------------------------------------------------------------------------------


def spoiled(frames: list[str], folder: Path) -> dict[str, str]:
    short = folder / "short.png"
    short.write_bytes(Path(frames[1]).read_bytes()[:2000])
    small = folder / "small.png"
    Picture.open(frames[1]).resize((64, 48)).save(small)
    text = folder / "text.png"
    text.write_text("hello")
    return {"short": str(short), "small": str(small), "text": str(text), "gone": str(folder / "gone.png")}


@pytest.mark.parametrize(
    ("second", "words"),
    [("", "one frame cannot be merged"), ("same", "same exposure"), ("short", "short.png"), ("small", "make them equal in size"),
     ("text", "text.png"), ("gone", "does not exist")],
)  # fmt: skip
def test_a_spoiled_stack_is_refused_in_one_line(frames, tmp_path, capsys, second, words) -> None:
    times = "1/8,1/8" if second == "same" else "1/8,1/2" if second else "1/8"
    others = [] if not second else [spoiled(frames, tmp_path).get(second, frames[1])]
    code, out, err = at_prompt(capsys, frames[0], *others, "-o", tmp_path / "o.exr", "--times", times, "-q")
    assert code in (2, 3)
    assert words in err
    assert err.strip().count("\n") == 0
    assert not out
    assert not (tmp_path / "o.exr").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--times", "2,1/2,1/8"], "contradict"), (["--times", "1,2"], "2 exposures for 3 frames"), ([], "is unknown"),
     (["--times", "1/8,1/2,2", "--rule", "x"], "unknown rule"), (["--times", "1/8,1/2,2", "--weight", "x"], "unknown weight"),
     (["--times", "1/8,1/2,2", "--response", "x"], "unknown response"), (["--times", "1/8,1/2,2", "--reference", "4"], "1 to 3"),
     (["--times", "1/8,1/2,2", "--ev", "0,1,2"], "give only one of"), (["--report", "r.txt"], ".html"),
     (["--report", "no/r.json"], "folder"),
     (["--deghost", "none", "--ghost-mask", "m.png"], "--deghost auto"), (["--fuse", "--uncertainty"], "without --fuse"),
     (["--fuse", "--save-response", "c.json"], "no response")],
)  # fmt: skip
def test_a_wrong_request_is_refused_in_one_line(frames, tmp_path, capsys, options, words) -> None:
    code, _, err = at_prompt(capsys, *frames, "-o", tmp_path / "o.exr", "-q", *options)
    assert code == 2
    assert words in err
    assert err.strip().count("\n") == 0


def test_no_frame_is_written_over(frames, tmp_path, capsys) -> None:
    own = tmp_path / "f0.png"
    own.write_bytes(Path(frames[0]).read_bytes())
    for options in (["-o", own, "--fuse"], ["-o", tmp_path / "s.exr", "--plot-response", own]):
        code, _, err = at_prompt(capsys, own, frames[1], *options, "--times", "1/8,1/2")
        assert code == 2
        assert "is an input and would be overwritten" in err
    assert own.read_bytes() == Path(frames[0]).read_bytes()


def test_a_folder_is_no_frame(frames, tmp_path, capsys) -> None:
    code, _, err = at_prompt(capsys, Path(frames[0]).parent, "-o", tmp_path / "o.exr")
    assert code == 2
    assert "is a folder; name its files" in err


def test_progress_tells_the_step_the_share_done_and_the_time_left() -> None:
    from hdrq.cli._merge_output import Progress
    from hdrq.merging.stages import Stage

    now = [100.0]
    shown = Progress(lambda: now[0])
    assert shown.line(Stage("aligning frame 1 of 3", 0.0)) == "aligning frame 1 of 3 ..."
    now[0] = 103.0
    assert shown.line(Stage("merging", 0.75)) == "merging, 75 %, 1 s left ..."


def test_a_merge_tells_every_frame_and_step_in_rising_order(frames) -> None:
    from hdrq.merging.merge import steps
    from hdrq.merging.merged import Merged
    from hdrq.merging.settings import Settings
    from hdrq.merging.stages import Stage

    told = list(steps(frames, Settings(times=TIMES)))
    assert isinstance(told[-1], Merged)
    stages = [s for s in told if isinstance(s, Stage)]
    assert [str(s) for s in stages] == [
        *(f"aligning frame {k} of 3" for k in (1, 2, 3)), "calibrating", "detecting movement", "merging",
    ]  # fmt: skip
    shares = [s.share for s in stages]
    assert shares[0] == 0
    assert shares == sorted(set(shares))
    assert shares[-1] < 1
