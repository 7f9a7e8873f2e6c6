"""Distilling from the prompt: a run folder resumes by itself, and subjective scores teach with any kind of image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.records import Image

FEW = ("--crop", "64", "--device", "cpu", "--set", "options.widths=[4,4,8,8,8]")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("HDRQ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """18 images of six scenes as code and as light, each with a table of scores."""
    folder = tmp_path_factory.mktemp("scored")
    lines = ["dist,mos,scene"]
    for i in range(18):
        x = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(i // 3))
        x = torch.nn.functional.interpolate(x, size=(70, 74), mode="bicubic").clamp(0, 1)
        x = (x + 0.1 * (i % 3) * torch.randn(x.shape, generator=torch.Generator().manual_seed(i))).clamp(0, 1)
        hdrq.write(folder / f"{i}.png", Image(x, "srgb"), depth="uint8")
        hdrq.write(folder / f"{i}.exr", Image(x**2.2 * 400 + 0.1, "nits"))
        lines.append(f"{i}.png,{90 - 30 * (i % 3) - i},s{i // 3}")
    text = "\n".join(lines) + "\n"
    (folder / "code.csv").write_text(text)
    (folder / "light.csv").write_text(text.replace(".png", ".exr"))
    return folder


def asked(table: Path, *more: object) -> tuple[object, ...]:
    return ("distill", "--teacher", "mos", "--images", table, *FEW, "--hold-out", "s0", *more)


def test_a_run_folder_resumes_and_is_extended_without_its_options(run, images, tmp_path) -> None:
    """Before: --teacher and --images were required, and every --set had to be repeated."""
    table = images / "code.csv"
    code, _, err = run(*asked(table, "--set", "epochs=1", "--set", "batch=4", "-o", "r"))
    assert code == 0, err
    held = json.loads(Path("r/settings.json").read_text())
    assert held["task"]["settings"]["batch"] == "4"
    assert held["task"]["images"] == [str(table)]
    code, _, err = run("distill", "--resume", "-o", "r", "--device", "cpu")
    assert code == 0, err
    assert "epoch 1" not in err
    code, _, err = run("distill", "--resume", "-o", "r", "--device", "cpu", "--set", "epochs=2")
    assert code == 0, err
    assert "epoch 2" in err
    for more, says in (
        (("--seed", 4), "seed was 0 and is 4"),
        (("--student", "pu-vtamiq"), "student was norvdpnet++ and is pu-vtamiq"),
        (("--set", "batch=2"), "batch was 4 and is 2"),
        (("--set", "epochs=1"), "has trained 2 epochs already, more than epochs=1"),
    ):
        code, _, err = run("distill", "--resume", "-o", "r", "--device", "cpu", *more)
        assert code == 2
        assert says in err


def test_a_resumed_distillation_finds_its_teachers_scores_in_the_file_that_it_was_begun_with(
    images, tmp_path
) -> None:
    """Before: without --cache again, every teacher was asked for every row a second time."""
    from hdrq.distillation.api import Scored

    folder, scores = tmp_path / "r", tmp_path / "scores.sqlite"
    options = {"student": "norvdpnet++", "distortions": "noise,blur", "n": 30, "crop": 64, "hold_out": "0,1"}
    settings = {"options.widths": "[4,4,8,8,8]", "batch": "4", "epochs": "1"}
    begun = hdrq.distill(
        "pu21:psnr", images, output=folder, cache=scores, device="cpu", settings=settings, **options
    )
    assert sum(r.new for r in begun if isinstance(r, Scored) and r.teacher == "pu21:psnr") == 30
    more = [*hdrq.distill(output=folder, resume=True, device="cpu", settings={"epochs": "2"})]
    assert sum(r.new for r in more if isinstance(r, Scored)) == 0
    assert not (folder / "scores.sqlite").exists()
    scores.unlink()
    again = [*hdrq.distill(output=folder, resume=True, device="cpu", settings={"epochs": "3"})]
    assert sum(r.new for r in again if isinstance(r, Scored)) > 0
    assert not scores.exists()


def test_what_is_not_there_cannot_be_resumed_or_begun(run, images) -> None:
    for arguments, says in (
        (("--resume", "-o", "gone"), "gone holds no distillation to resume"),
        (("--teacher", "mos"), "name --images"),
        (("--images", images / "code.csv"), "name a --teacher"),
    ):
        code, _, err = run("distill", *arguments)
        assert code == 2
        assert says in err


@pytest.mark.parametrize(
    ("table", "student", "code", "says"),
    [
        ("code.csv", "norvdpnet++", 0, "parameters"),
        ("light.csv", "norvdpnet++", 0, "parameters"),
        ("light.csv", "srgb:norvdpnet++", 2, "holds light, but the student reads srgb code"),
    ],
)
def test_subjective_scores_teach_with_code_and_with_light(run, images, table, student, code, says) -> None:
    """Before: every table was taken for one of code, so that a student of PU21 code refused light."""
    found, _, err = run(*asked(images / table, "--student", student, "--dry-run", "-o", "r"))
    assert found == code, err
    assert says in err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--hold-out", "s9"), "there is no scene 's9'"),
        (("--hold-out", "s*"), "no scene is left to train on"),
        (("--images", "other.csv"), "--images names 2; join the tables"),
        (("--crop", "96"), "is 74x70, smaller than the crop of 96"),
    ],
)
def test_what_subjective_scores_cannot_teach_is_one_line_before_the_training(run, images, more, says) -> None:
    code, _, err = run(*asked(images / "code.csv", "--dry-run", "-o", "r", *more))
    assert code == 2
    assert says in err
    assert len(err.splitlines()) == 1


def test_scenes_are_held_out_by_patterns(run, images) -> None:
    code, _, err = run(*asked(images / "code.csv", "--dry-run", "-o", "r", "--hold-out", "s[01]"))
    assert code == 0, err
    assert "9 for training, 3 for choosing the best epoch, 6 held out" in err


@pytest.mark.parametrize("folder", ["r/of/mine", ""])
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("-n", "4"), "too few to choose the best epoch"),
        (("--crop", "999"), "no image is at least 999 pixels"),
        (("--crop", "999", "--make-set", "recipes"), "no image is at least 999 pixels"),
        (("--crop", "999", "--dry-run"), "no image is at least 999 pixels"),
        (("--student", "srgb:norvdpnet++"), "a student of sRGB code cannot read the light"),
        (("--teacher", "ms-ssim"), "ms-ssim needs images of at least 176 pixels a side; use --crop 176"),
    ],
)
def test_a_distillation_that_is_refused_leaves_no_folder(run, images, more, says, folder) -> None:
    """Before: an empty run folder stayed, with the file of scores in it."""
    given = ("--teacher", "pu-psnr", "--distortions", "noise", "-n", "16")
    few = () if "--make-set" in more else FEW
    place = ("-o", folder) if folder else ()
    code, _, err = run("distill", "--images", images, *given, *few, *more, *place)
    assert code in (2, 3), err
    assert says in err
    assert not list(Path().iterdir())


def test_a_dry_run_on_subjective_scores_leaves_no_folder(run, images) -> None:
    assert run(*asked(images / "code.csv", "--dry-run", "-o", "r"))[0] == 0
    assert not Path("r").exists()
