"""hdrq tonemap --enhance: a picture comes back at the quality asked for, as far as its network can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from hdrq import io
from hdrq.cli.app import command_line
from hdrq.errors import HdrqError
from hdrq.nn.network_input import CONVENTIONS, scaled_input
from hdrq.nn.weights import load, save
from hdrq.records import Image
from hdrq.registry import find
from hdrq.tonemapping.enhance import quality_sheet


@pytest.fixture
def picture(tmp_path):
    cells = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    code = torch.nn.functional.interpolate(cells, size=(64, 72), mode="bicubic").clamp(0, 1)
    io.write(tmp_path / "in.png", Image(code, "srgb", bits=8))
    return tmp_path / "in.png"


@pytest.mark.parametrize("asked", ["qdnet", "qdnet@mine"])
def test_a_picture_comes_back_in_its_size_with_both_qualities_told(
    picture, tmp_path, monkeypatch, asked
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    torch.manual_seed(0)
    module = find("net", "qdnet").build(latent=8)
    save(module, name="mine", net="qdnet", options={"latent": 8}, encoding="srgb", recipe="a test")
    target = tmp_path / "out.png"
    done = CliRunner().invoke(
        command_line, ["tonemap", str(picture), str(target), "--enhance", asked, "--quality", "0.05"]
    )
    assert done.exit_code == 0, done.output
    assert "requested 0.05" in done.output
    made = io.read(target)
    assert made.size == (64, 72)
    net = load("qdnet", "mine", "srgb")
    entered = scaled_input(io.read(picture).pixels.float(), net)
    assert f"quality {float(net(entered)[0]):.3f} before, 0.050 after" in done.output
    rebuilt, _ = net.towards(entered, 0.05)
    mean, deviation = (torch.tensor(v).reshape(3, 1, 1) for v in CONVENTIONS["imagenet"])
    assert (made.pixels - (rebuilt * deviation + mean).clamp(0, 1)).abs().max() < 0.51 / 255


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--enhance", "qdnet"], "--quality"),
        (["--enhance", "unet", "--quality", "1"], "cannot enhance images"),
        (["--enhance", "nosuchnet", "--quality", "1"], "networks that can are qdnet"),
        (["--enhance", "qdnet@nobody", "--quality", "1"], "hdrq models"),
        (["--enhance", "qdnet@", "--quality", "1"], "qdnet@ names no weights after @; see: hdrq models list"),
        (
            ["--enhance", "qdnet@pu-vtamiq-small", "--quality", "1"],
            "pu-vtamiq-small holds weights of vtamiq, not of qdnet",
        ),
        (
            ["--enhance", "qdnet", "--quality", "1"],
            "no weights of qdnet for srgb code are installed; get some: hdrq train --recipe qdnet --data DIR",
        ),
    ],
)
def test_what_is_missing_is_said(picture, tmp_path, more, says) -> None:
    done = CliRunner().invoke(command_line, ["tonemap", str(picture), str(tmp_path / "out.png"), *more])
    assert done.exit_code != 0
    assert says in str(done.exception) + done.output
    assert not (tmp_path / "out.png").exists()


def test_several_qualities_make_a_sheet_of_the_image_at_each(picture, tmp_path, monkeypatch) -> None:
    """Tiles rise in quality, the image as it is among them; one that the weights cannot reach is left out with its reason."""

    def apply(
        net: object, code: torch.Tensor, quality: float, seed: int
    ) -> tuple[torch.Tensor, float, float]:
        if quality > 1:
            raise HdrqError("these weights reach a quality of 1 for this image, not 2; request a lower one")
        return code * 0 + quality, 0.5, quality

    use = replace(find("net", "qdnet").use, apply=apply)
    code = torch.full((1, 3, 64, 96), 0.5)
    sheet, lost = quality_sheet(use, torch.nn.Identity(), code, [0.9, 0.25, 2.0])
    assert lost == ["these weights reach a quality of 1 for this image, not 2; request a lower one"]
    tiles = [round(float(sheet.pixels[0, 0, y, x]), 2) for y, x in ((40, 60), (40, 160), (150, 60))]
    assert tiles == [0.25, 0.5, 0.9]  # two to a row
    with pytest.raises(HdrqError, match="reach a quality of 1"):
        quality_sheet(use, torch.nn.Identity(), code, [2.0])


def test_the_command_writes_the_sheet(picture, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    torch.manual_seed(0)
    module = find("net", "qdnet").build(latent=8)
    save(module, name="mine", net="qdnet", options={"latent": 8}, encoding="srgb", recipe="a test")
    given = [
        "tonemap",
        str(picture),
        str(tmp_path / "out.png"),
        "--enhance",
        "qdnet@mine",
        "--quality",
        "0.05,0.06",
    ]
    done = CliRunner().invoke(command_line, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert io.read(tmp_path / "out.png").size[1] > 2 * 72
    bad = CliRunner().invoke(command_line, [*given[:-1], "0.1,high"])
    assert "--quality must be a finite number, not high" in f"{bad.output}{bad.exception}"
