"""hdrq tonemap --enhance: a picture comes back at the quality asked for, as far as its network can tell."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from hdrq import io
from hdrq.cli.app import command_line
from hdrq.nn.input_scaling import CONVENTIONS, enter
from hdrq.nn.weights import load, save
from hdrq.records import Image
from hdrq.registry import find


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
    entered = enter(io.read(picture).pixels.float(), net)
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
