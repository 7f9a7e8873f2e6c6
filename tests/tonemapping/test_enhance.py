"""hdrq tonemap --enhance: a picture comes back at the quality asked for, as far as its network can tell."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from hdrq import io
from hdrq.cli.app import command_line
from hdrq.records import Image
from hdrq.registry import find


@pytest.fixture
def picture(tmp_path):
    cells = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    code = torch.nn.functional.interpolate(cells, size=(64, 72), mode="bicubic").clamp(0, 1)
    io.write(tmp_path / "in.png", Image(code, "srgb", bits=8))
    return tmp_path / "in.png"


def test_a_picture_comes_back_in_its_size_with_both_qualities_told(picture, tmp_path, monkeypatch) -> None:
    torch.manual_seed(0)
    net = find("net", "qdnet").build(latent=8).eval().requires_grad_(False)
    net.span = (0.0, 1.0)
    monkeypatch.setattr("hdrq.tonemapping.enhance.load", lambda name, weights, encoding: net)
    asked = ["tonemap", str(picture), str(tmp_path / "out.png"), "--enhance", "qdnet", "--quality", "0.05"]
    done = CliRunner().invoke(command_line, asked)
    assert done.exit_code == 0, done.output
    assert "requested 0.05" in done.output
    assert io.read(tmp_path / "out.png").size == (64, 72)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--enhance", "qdnet"], "--quality"),
        (["--enhance", "unet", "--quality", "1"], "cannot enhance images"),
        (["--enhance", "qdnet@nobody", "--quality", "1"], "hdrq models"),
    ],
)
def test_what_is_missing_is_said(picture, tmp_path, more, says) -> None:
    done = CliRunner().invoke(command_line, ["tonemap", str(picture), str(tmp_path / "out.png"), *more])
    assert done.exit_code != 0
    assert says in str(done.exception) + done.output
