"""Options without effect in a call are refused, also with the value that they have by default."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import torch

import hdrq
from hdrq.cli._idle import Dependent
from hdrq.cli.app import command_line
from hdrq.records import Image


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two exposures, an HDR image, a table of scores and one of images with scores, as the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    x = torch.linspace(0.01, 1, 100 * 100).reshape(1, 1, 100, 100).repeat(1, 3, 1, 1)
    hdrq.write("a.png", Image(x / 2, "srgb", bits=8))
    hdrq.write("b.png", Image(x, "srgb", bits=8))
    hdrq.write("x.exr", Image(x * 100, "nits"))
    lines = [f"i{i}.png,s{i % 4},{i},{20 + i * i % 7},{i * 3 % 5}" for i in range(12)]
    Path("t.csv").write_text("\n".join(["dist,scene,mos,one,two", *lines]) + "\n")
    Path("images.csv").write_text("dist,mos\na.png,1\nb.png,2\n")


MERGE = "merge a.png b.png --times 1,2 --align none --deghost none -o m.exr"
SCORES = "evaluate --scores t.csv --draws 0"
MOS = "distill --teacher mos --images images.csv -o r"
SET = "distill --teacher pu-psnr --images x.exr --distortions noise -n 2 --crop 64 -o r --make-set recipes"


@pytest.mark.parametrize(
    ("call", "option", "when"),
    [
        ("score a.png b.png -m psnr", "--map-colours trichromatic", "without --map"),
        ("score a.png -m niqe", "--ref-domain pq", "with metrics that read no reference"),
        ("score a.png -m niqe", "--ref-display sdr", "with metrics that read no reference"),
        ("score a.png -m niqe", "--ref-part 2", "with metrics that read no reference"),
        ("score a.png -m niqe", "--match-response", "with metrics that read no reference"),
        ("evaluate --dataset csv --data images.csv -m niqe", "--ref-scale 3", "with metrics that read no"),
        (SCORES, "--folds 5", "without --protocol folds"),
        (SCORES, "--splits 100", "without --protocol splits"),
        (SCORES, "--anchor t", "without --merge-mos"),
        (SCORES, "--average-weights t=1", "on one dataset"),
        *((SCORES, f"--{o}", "without --dataset") for o in ("display sdr", "ppd 40", "ref-layer a", "scale 3")),
        *(("evaluate --scores t.csv --correlations", f"--{o}", "with --correlations") for o in ("lower", "fit line", "by split")),
        ("evaluate --scores t.csv --correlations", "--report r.html", "with --correlations"),
        ("evaluate --dataset csv --codes qdnet --plots p", "--report r.html", "with --codes"),
        ("evaluate --dataset csv --dataset livec", "--plots p", "with several datasets"),
        ("train --dataset csv --data images.csv -m norvdpnet++", "--folds 5", "without --protocol folds or --resume"),
        (MERGE, "--suffix .png", "on m.exr"),
        (MERGE, "--fusion-weights 1,1,1", "without --fuse"),
        (MERGE, "--neighbours both", "without --pattern alternating"),
        (MERGE, "--filters auto", "without --pattern bayer-me"),
        (MERGE, "--resume", "without --pattern alternating or bayer-me"),
        (MERGE + " --fuse", "--scale auto", "with --fuse"),
        *((MOS, f"--{o}", "with --teacher mos") for o in ("displays sdr", "ppd 45", "batch 8", "cache c", "central")),
        *((MOS, o, "with --teacher mos") for o in ("-n 20000", "--make-set recipes", "--distortions noise")),
        *((SET, f"--{o}", "with --make-set") for o in ("dry-run", "resume", "float32", "set epochs=3")),
        (SET, "--cluster local:1", "with --make-set recipes"),
        (SET + " --crop whole", "--central", "with --crop whole"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_one_line(call: str, option: str, when: str, run) -> None:
    """Before: these ended with exit code 0, as if the option had been followed."""
    code, _, err = run(*call.split(), *option.split())
    assert code == 2, err
    said = err.splitlines()[-1]
    assert said.startswith(f"hdrq: {option.split()[0]} has no effect {when}")
    assert said.endswith("leave it out")
    assert not Path("r").exists()


@pytest.mark.parametrize(
    "call",
    [
        MERGE + " --suffix .exr --reference auto --crop common --balance camera",
        MERGE + " --fuse --deghost none",
        SCORES + " --device cpu",
        "score a.png -m niqe --domain srgb --device cpu",
    ],
)
def test_what_is_followed_anyway_may_be_given(call: str, run) -> None:
    code, _, err = run(*call.split())
    assert code == 0, err


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (MERGE + " --balance daylight", "a.png is not a raw file; --balance is for raw files"),
        ("tonemap x.exr x.jpg --bits 16", "x.jpg holds 8 bits a value"),
    ],
)
def test_what_a_file_cannot_follow_is_refused(call: str, says: str, run) -> None:
    code, _, err = run(*call.split())
    assert code in (2, 3)
    assert says in err


def test_significance_of_one_metric_is_said_not_to_be_written(run) -> None:
    code, _, err = run(*SCORES.split(), "-m", "one", "--significance", "s.csv")
    assert code == 0, err
    assert "s.csv is not written: there are no two metrics to compare" in err
    code, _, err = run(*SCORES.split(), "--significance", "s.csv")
    assert code == 0, err
    assert Path("s.csv").exists()


def _dependent() -> list[tuple[str, Dependent]]:
    context = click.Context(command_line)
    found = [(name, command_line.get_command(context, name)) for name in command_line.list_commands(context)]
    return [(name, p) for name, c in found if c is not None for p in c.params if isinstance(p, Dependent)]


@pytest.mark.parametrize(("command", "option"), _dependent(), ids=lambda value: getattr(value, "name", value))
def test_what_an_option_depends_on_is_an_option_of_its_command(command: str, option: Dependent) -> None:
    found = command_line.get_command(click.Context(command_line), command)
    assert found is not None
    params = {p.name: p for p in found.params}
    for name, values in option.needs.items():
        assert name in params
        if isinstance(params[name].type, click.Choice):
            assert {*values} <= {*params[name].type.choices}
