"""One set of input options for every command that reads, and the same as columns of a manifest."""

from __future__ import annotations

import csv
import io
import json

import click
import pytest
import torch

import hdrq
from hdrq.cli.app import command_line, main
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, PRIMARIES, Image, Pair
from hdrq.scoring.run import score

READ = {"--layer", "--view", "--part", "--frames", "--domain", "--file-primaries", "--nonfinite"}
SCALE = {"--scale", "--peak", "--white"}
SIDE = {"domain", "scale", "primaries", "display", "layer", "view", "part", "frames"}


def options_of(command: str) -> set[str]:
    found = command_line.get_command(click.Context(command_line), command)
    assert found is not None
    return {name for p in found.params for name in p.opts}


@pytest.mark.parametrize("command", ["score", "encode", "tonemap", "merge", "info", "evaluate"])
def test_every_command_that_reads_has_the_same_options(command):
    assert options_of(command) >= (READ if command == "merge" else READ | SCALE)
    if command in ("score", "evaluate"):
        assert options_of(command) >= {f"--{side}-{name}" for side in ("ref", "dist") for name in SIDE}
    if command in ("score", "evaluate", "encode", "merge"):
        assert "--primaries" in options_of(command)


@pytest.fixture
def run(capsys):
    """run("score", ...) is (exit code, rows of stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, list[dict], str]:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        said = capsys.readouterr()
        return int(left.value.code or 0), list(csv.DictReader(io.StringIO(said.out))), said.err

    return call


@pytest.fixture
def light() -> torch.Tensor:
    random = torch.Generator().manual_seed(2)
    return 1 + 300 * torch.rand(1, 3, 24, 32, generator=random) ** 2


def layered(path, light: torch.Tensor) -> None:
    """An EXR with the image at a third of the light, and the light as the layer `beauty`."""
    plain = Image(light / 3)
    hdrq.write(path, plain, depth="float", extra={"beauty": light[0].numpy()})


def test_a_layer_is_read_by_every_command(tmp_path, run, light):
    layered(tmp_path / "x.exr", light)
    hdrq.write(tmp_path / "y.exr", Image(light), depth="float")
    x, y = tmp_path / "x.exr", tmp_path / "y.exr"
    assert run("score", y, x, "-m", "pu-psnr", "--dist-layer", "beauty")[1][0]["value"] == "inf"
    assert run("score", x, y, "-m", "pu-psnr", "--ref-layer", "beauty")[1][0]["value"] == "inf"
    assert run("score", x, x, "-m", "pu-psnr", "--ref-layer", "beauty")[1][0]["value"] != "inf"
    for name, source, options in (("a", x, ("--layer", "beauty")), ("b", y, ())):
        assert run("encode", source, tmp_path / f"{name}.png", "--to", "pq", *options)[0] == 0
        assert run("tonemap", source, tmp_path / f"{name}-tm.png", *options)[0] == 0
    for end in (".png", "-tm.png"):
        a, b = (hdrq.read(tmp_path / f"{n}{end}").pixels for n in "ab")
        assert torch.equal(a, b)
    described = run("info", x, "--layer", "beauty", "--format", "csv")[1][0]
    assert float(described["high"]) == pytest.approx(float(run("info", y, "--format", "csv")[1][0]["high"]))
    (tmp_path / "list.csv").write_text("ref,dist,opinion,dist_layer\ny.exr,x.exr,1,beauty\ny.exr,x.exr,2,\n")
    rows = run("score", "--pairs", tmp_path / "list.csv", "-m", "pu-psnr", "--format", "csv")[1]
    assert [r["value"] == "inf" for r in rows] == [True, False]


def test_a_layer_that_is_not_there_is_one_line(tmp_path, run, light):
    hdrq.write(tmp_path / "x.exr", Image(light))
    for command in (
        ("score", "x.exr", "x.exr", "-m", "pu-psnr"),
        ("encode", "x.exr", "o.png", "--to", "pq"),
        ("info", "x.exr"),
    ):
        paths = [tmp_path / a if "." in a else a for a in command]
        code, _, err = run(*paths, "--layer", "nothing")
        assert code == 3
        assert "nothing" in err


def test_primaries_of_untagged_files_are_said_by_the_user(tmp_path, run, light):
    """A PFM holds no primaries; light of BT.2020 in it equals the same light in an EXR only where that is said."""
    wide = Image(light, "nits", BT2020)
    hdrq.write(tmp_path / "wide.exr", wide, depth="float")
    hdrq.write(tmp_path / "wide.pfm", Image(light, "nits", BT709))
    exr, pfm = tmp_path / "wide.exr", tmp_path / "wide.pfm"
    asked = ("-m", "y:pu21:psnr")
    assert float(run("score", exr, pfm, *asked)[1][0]["value"]) < 50
    assert float(run("score", exr, pfm, *asked, "--dist-primaries", "bt2020")[1][0]["value"]) > 120
    assert float(run("score", exr, pfm, *asked, "--file-primaries", "bt2020")[1][0]["value"]) > 120
    assert float(run("score", pfm, exr, *asked, "--ref-primaries", "bt2020")[1][0]["value"]) > 120
    assert run("encode", pfm, tmp_path / "x.png", "--to", "pq", "--file-primaries", "bt2020")[0] == 0
    assert hdrq.read(tmp_path / "x.png").primaries == BT2020
    assert run("info", pfm, "--file-primaries", "bt2020", "--format", "csv")[1][0]["primaries"] == "bt2020"
    code, _, err = run("score", exr, pfm, *asked, "--dist-primaries", "rec2020")
    assert code == 2
    assert "bt2020" in err


def test_a_manifest_says_of_each_row_what_the_options_say_of_all(tmp_path, light):
    """domain, scale, display, ppd, primaries and their forms for one side."""
    hdrq.write(tmp_path / "light.exr", Image(light), depth="float")
    hdrq.write(tmp_path / "half.exr", Image(light / 2), depth="float")
    code = hdrq.encode(Image(light), "pq")
    hdrq.write(tmp_path / "untagged.tif", Image(code.pixels, "srgb", BT709), depth="uint16")
    wide = convert(light, BT709, BT2020)
    hdrq.write(tmp_path / "wide.pfm", Image(wide))

    def value(dist: str, metric: str = "pu-psnr", **carried: str) -> float:
        pair = Pair(dist=tmp_path / dist, ref=tmp_path / "light.exr", carried=carried)
        (row,) = score([pair], [metric])
        assert row.status == "ok", row.error
        return float(row.value or 0)

    assert value("half.exr", dist_scale="2") == float("inf") != value("half.exr")
    assert value("half.exr", scale="2") == pytest.approx(value("half.exr", scale="2.0"))
    assert value("half.exr", scale="2") != value("half.exr")
    assert value("untagged.tif", dist_domain="pq") > 65 > value("untagged.tif")
    assert value("untagged.tif", domain="pq") > 65
    assert value("wide.pfm", dist_primaries="bt2020") > 100 > value("wide.pfm")
    assert value("half.exr", display="hdr-pq-1000") != value("half.exr", dist_display="sdr")
    assert value("half.exr", "hdrvdp3", ppd="20") != value("half.exr", "hdrvdp3", ppd="60")
    (row,) = score(
        [Pair(dist=tmp_path / "half.exr", ref=tmp_path / "light.exr", carried={"primaries": "bt2020"})],
        ["pu-psnr"],
    )
    assert "working primaries bt2020" in row.how
    for column, cell in (
        ("scale", "-1"),
        ("primaries", "rec709"),
        ("dist_primaries", "x"),
        ("display", "x"),
        ("domain", "x"),
    ):
        pair = Pair(dist=tmp_path / "half.exr", ref=tmp_path / "light.exr", carried={column: cell})
        (row,) = score([pair], ["pu-psnr"])
        assert row.status == "failed", column


def test_merge_reads_and_writes_what_is_asked_for(tmp_path, run, light):
    for n, share in enumerate((0.2, 0.8)):
        x = (light / 301 * share).clamp(0, 1)
        x[0, 0, 3, 4] = float("nan")
        hdrq.write(tmp_path / f"{n}.exr", Image(x / 2), depth="float", extra={"beauty": x[0].numpy()})
    frames = [tmp_path / f"{n}.exr" for n in (0, 1)]
    asked = ("--times", "1,4", "--align", "none", "--deghost", "none", "--response", "linear", "-q")
    code, _, err = run("merge", *frames, "-o", tmp_path / "m.exr", *asked)
    assert code == 3
    assert "--nonfinite clamp" in err
    more = ("--nonfinite", "clamp", "--file-primaries", "bt2020")
    results = {}
    for name, options in {
        "plain": (),
        "layer": ("--layer", "beauty"),
        "narrow": ("--primaries", "bt709"),
    }.items():
        code, _, err = run("merge", *frames, "-o", tmp_path / f"{name}.exr", *asked, *more, *options)
        assert code == 0, err
        results[name] = hdrq.read(tmp_path / f"{name}.exr")
    assert results["plain"].primaries == BT2020
    assert torch.allclose(results["layer"].pixels, 2 * results["plain"].pixels, rtol=1e-2)
    assert results["narrow"].primaries == BT709
    expected = convert(results["plain"].pixels, BT2020, BT709)
    assert torch.allclose(results["narrow"].pixels, expected, rtol=1e-3, atol=1e-4)
    code, _, err = run(
        "merge", *frames, "-o", tmp_path / "f.png", "--fuse", "--times", "1,4", "--primaries", "p3"
    )
    assert code == 2
    assert "--primaries" in err


def test_info_takes_the_user_at_their_word(tmp_path, run, light):
    hdrq.write(tmp_path / "x.exr", Image(light / 100), depth="float")
    plain, scaled = (
        run("info", tmp_path / "x.exr", "--format", "csv", *o)[1][0] for o in ((), ("--scale", "100"))
    )
    assert float(scaled["high"]) == pytest.approx(100 * float(plain["high"]), rel=1e-6)
    assert (plain["relative"], scaled["relative"]) == ("True", "False")
    code = hdrq.encode(Image(light), "pq").pixels
    hdrq.write(tmp_path / "x.png", Image(code, "srgb"), depth="uint16")
    told = run("info", tmp_path / "x.png", "--domain", "pq", "--format", "csv")[1][0]
    assert told["domain"] == "pq"
    assert float(told["high"]) > 150


def test_evaluate_reads_layers_of_a_manifest(tmp_path, run, light):
    layered(tmp_path / "x.exr", light)
    lines = ["ref,dist,opinion"]
    for n in range(6):
        hdrq.write(tmp_path / f"{n}.exr", Image(light * (1 + 0.1 * n)), depth="float")
        lines.append(f"x.exr,{n}.exr,{10 - n}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    scores = tmp_path / "scores.csv"
    asked = (
        "--dataset",
        "csv",
        "--data",
        tmp_path / "list.csv",
        "-m",
        "pu-psnr",
        "--scores",
        scores,
        "--draws",
        0,
    )
    code, _, err = run("evaluate", *asked, "--ref-layer", "beauty", "--higher", "-o", tmp_path / "t.json")
    assert code == 0, err
    with scores.open() as file:
        assert next(csv.DictReader(file))["value"] == "inf"
    assert json.loads((tmp_path / "t.json").read_text())


@pytest.mark.parametrize("primaries", ["bt709", "p3", "bt2020"])
def test_merge_writes_pq_in_the_primaries_of_the_frames_or_those_asked_for(tmp_path, run, light, primaries):
    """The geometric mean luminance, by those primaries, is that at which relative radiance is anchored."""
    from hdrq.image.color import luminance
    from hdrq.tonemapping.tonemap import ANCHOR_NITS

    held = PRIMARIES[primaries]
    for n, share in enumerate((0.2, 0.8)):
        hdrq.write(
            tmp_path / f"{n}.exr", Image((light / 301 * share).clamp(0, 1), "nits", held), depth="float"
        )
    frames = [tmp_path / f"{n}.exr" for n in (0, 1)]
    asked = ("--times", "1,4", "--align", "none", "--deghost", "none", "--response", "linear", "-q")
    for name, options in (("own.png", ()), ("wide.jxl", ("--primaries", "bt2020"))):
        code, _, err = run("merge", *frames, "-o", tmp_path / name, *asked, *options)
        assert code == 0, err
    own, wide = hdrq.read(tmp_path / "own.png"), hdrq.read(tmp_path / "wide.jxl")
    assert (own.domain, own.primaries, wide.domain, wide.primaries) == ("pq", held, "pq", BT2020)
    means = [luminance(hdrq.decode(i).pixels, i.primaries).log().mean().exp().item() for i in (own, wide)]
    assert means == pytest.approx([ANCHOR_NITS] * 2, rel=1e-3)


def test_fused_code_keeps_its_encoding(tmp_path, run, light):
    for n, share in enumerate((0.2, 0.8)):
        hdrq.write(tmp_path / f"{n}.png", Image((light / 301 * share), "pq", BT2020), depth="uint16")
    frames = [tmp_path / f"{n}.png" for n in (0, 1)]
    code, _, err = run("merge", *frames, "-o", tmp_path / "f.png", "--fuse", "--times", "1,4", "-q")
    assert code == 0, err
    assert (hdrq.read(tmp_path / "f.png").domain, hdrq.read(tmp_path / "f.png").primaries) == ("pq", BT2020)
