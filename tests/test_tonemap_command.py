"""hdrq tonemap: files, folders, sheets, tuning, expansion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.scorer import metric
from hdrq.tonemapping.optimize import Tuned, tune
from hdrq.tonemapping.tonemap import code_of, develop, expand_files, plan


def scene(h: int = 48, w: int = 64, gain: float = 1.0) -> Image:
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    light = 10 ** (-1 + 3 * x) * (1 + 0.5 * torch.sin(20 * y))
    return Image(gain * torch.stack([light, 0.9 * light, 0.7 * light])[None], "nits")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scene.exr"
    io.write(path, scene())
    return path


def run(*argv: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["tonemap", *map(str, argv)])
    return int(stop.value.code or 0)


def test_a_file_becomes_an_srgb_picture(file, tmp_path):
    assert run(file, tmp_path / "a.png", "--set", "key=0.3") == 0
    made = io.read(tmp_path / "a.png")
    assert made.domain == "srgb"
    assert made.bits == 8
    assert made.pixels.std() > 0.1


def test_pq_output_is_tagged_and_has_sixteen_bits(file, tmp_path):
    assert run(file, tmp_path / "a.png", "--display", "hdr-pq-1000", "--operator", "bt2390") == 0
    made = io.read(tmp_path / "a.png")
    assert made.domain == "pq"
    assert made.bits == 16
    assert made.primaries.name == "bt2020"


def test_the_white_of_a_pq_picture_is_the_displays_peak():
    d = display("hdr-pq-1000")
    code = code_of(torch.ones(1, 3, 2, 2), plan("reinhard", display=d))
    assert torch.allclose(find("encoding", "pq").decode(code.pixels), torch.tensor(1000.0), rtol=1e-3)


def test_a_folder_becomes_a_folder_and_a_bad_file_fails_alone(tmp_path, capsys):
    for i in range(2):
        (tmp_path / "in").mkdir(exist_ok=True)
        io.write(tmp_path / "in" / f"{i}.exr", scene())
    (tmp_path / "in" / "2.exr").write_bytes(b"v/1\x01 no picture")
    assert run(tmp_path / "in", tmp_path / "out") == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]
    assert "2.exr" in capsys.readouterr().err


def test_dither_moves_codes_by_a_step_at_most():
    plain, noisy = (develop(scene(), plan("reinhard", dither=d)).pixels for d in (False, True))
    moved = (noisy - plain).abs()
    assert 0 < moved.max() <= 1 / 255 + 1e-6


def test_a_sheet_shows_the_operators_asked_for(file, tmp_path):
    sheet = tmp_path / "sheet.png"
    assert run(file, "--compare", "reinhard,drago,hable", "-o", sheet, "--score", "none") == 0
    assert io.read(sheet).size[0] > 48


def test_tuning_writes_parameters_that_can_be_used_again(file, tmp_path, capsys):
    kept = tmp_path / "p.json"
    command = (
        file,
        "--optimize",
        "pu21:psnr",
        "--operator",
        "exponential",
        "--iterations",
        "6",
        "--params",
        kept,
    )
    assert run(*command) == 0
    data = json.loads(kept.read_text())
    assert data["operator"] == "exponential"
    assert data["after"] >= data["before"]
    assert "before" in capsys.readouterr().out
    assert run(file, tmp_path / "b.png", "--params", kept) == 0
    assert run(file, tmp_path / "b.png", "--params", kept, "--operator", "drago") == 2


def test_optimising_by_gradient_and_without_one_both_improve():
    picture, scorer = scene(170, 180), metric("tmqi")
    for method in ("gradient", "derivative-free"):
        *_, last = tune(
            picture, plan("sigmoid", {"alpha": "10"}), scorer, iterations=12, restarts=1, method=method
        )
        assert isinstance(last, Tuned)
        assert last.after > last.before


def test_film_frames_do_not_flicker(tmp_path):
    """One frame with a flash: its surroundings stay nearer to the frames beside it than without --temporal."""
    frames = tmp_path / "in"
    frames.mkdir()
    for i in range(4):
        light = scene()
        if i == 2:
            light.pixels[..., :24, :] *= 6
        io.write(frames / f"{i}.exr", light)
    dark = {}
    for name, extra in (("plain", ()), ("calm", ("--temporal", "8"))):
        assert run(frames, tmp_path / name, *extra) == 0
        levels = [io.read(tmp_path / name / f"{i}.png").pixels[..., 30:, :].mean().item() for i in range(4)]
        dark[name] = abs(levels[2] - levels[1])
    assert dark["calm"] < 0.5 * dark["plain"]


def test_expansion_writes_light_and_a_mask(file, tmp_path):
    run(file, tmp_path / "a.png", "--set", "key=2")
    assert run(tmp_path / "a.png", tmp_path / "e.exr", "--expand", "rempel", "--mask") == 0
    light = io.read(tmp_path / "e.exr")
    assert light.pixels.max() > 500
    assert (tmp_path / "e-clipped.png").exists()
    (done,) = expand_files([(file, tmp_path / "x.exr")], find("expander", "rempel"), {}, Photometry())
    assert "holds light already" in done.error


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (("--operator", "rein"), "did you mean reinhard"),
        (("--set", "kee=3"), "no option 'kee'"),
        (("--set", "key"), "not NAME=VALUE"),
        (("--colour", "vivid"), "no colour correction"),
        (("--expand", "rempl"), "did you mean rempel"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(file, tmp_path, capsys, extra, reason):
    assert run(file, tmp_path / "a.png", *extra) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
