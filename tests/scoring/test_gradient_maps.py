"""Maps of the gradient magnitude of networks without a reference."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq import io
from hdrq.cli.app import command_line
from hdrq.image.render import room
from hdrq.records import Image
from hdrq.scoring.gradient_maps import gradient_map


@pytest.fixture(autouse=True)
def only_ours(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "nothing"))


def photograph(side: int = 96) -> torch.Tensor:
    return (room(side, side) / 200).clamp(0, 1)


def test_a_gradient_map_is_what_small_changes_of_a_pixel_change() -> None:
    """By differences of the score in double precision, over the three channels of a pixel."""
    metric = hdrq.metric("norvdpnet++@norvdpnetpp-small-sdr").double()  # reads sRGB code
    code = photograph().double()
    found = gradient_map(metric.scorer, Image(code, "srgb"))
    assert found.shape == (1, 1, 96, 96)
    step = 1e-6
    strongest = np.unravel_index(int(found.argmax()), (96, 96))
    for y, x in (strongest, (40, 50)):
        slopes = []
        for channel in range(3):
            change = torch.zeros_like(code)
            change[0, channel, y, x] = step
            up, down = (metric(Image(code + sign * change, "srgb")) for sign in (1, -1))
            slopes.append(float(up - down) / (2 * step))
        assert float(found[0, 0, y, x]) == pytest.approx(np.linalg.norm(slopes), rel=1e-3)


def test_a_gradient_map_of_light_is_that_of_the_tone_mapped_code() -> None:
    """nr takes light through a tone curve; another exposure of one scene is the same code."""
    metric = hdrq.metric("nr")
    light = room(80, 80)
    found = gradient_map(metric.scorer, Image(light, "linear"))
    assert found.shape == (1, 1, 80, 80)
    assert float(found.max()) > 0
    brighter = gradient_map(metric.scorer, Image(4 * light, "linear"))
    torch.testing.assert_close(found, brighter, rtol=1e-2, atol=1e-6)


def test_score_writes_gradient_maps_of_networks_and_the_same_values(tmp_path: Path) -> None:
    io.write(tmp_path / "photo.png", Image(photograph(), "srgb"))
    command = ["score", str(tmp_path / "photo.png"), "-m", "norvdpnet++", "-m", "brisque", "--format", "csv"]
    plain = CliRunner().invoke(command_line, command, catch_exceptions=False)
    mapped = CliRunner().invoke(
        command_line, [*command, "--map", str(tmp_path / "maps")], catch_exceptions=False
    )
    assert plain.exit_code == mapped.exit_code == 0
    rows, again = (list(csv.DictReader(StringIO(done.stdout))) for done in (plain, mapped))
    assert [row.pop("how") for row in again] == [rows[0]["how"], "brisque has no map"]
    assert [{k: v for k, v in row.items() if k != "how"} for row in rows] == again
    assert sorted(p.name for p in (tmp_path / "maps").iterdir()) == [
        "photo.norvdpnetpp.exr",
        "photo.norvdpnetpp.png",
    ]
    values = io.read(tmp_path / "maps" / "photo.norvdpnetpp.exr").pixels
    assert values.shape[-2:] == (96, 96)
    assert float(values.min()) >= 0
    assert float(values.max()) > 10 * float(values.median())  # few pixels decide
    wanted = gradient_map(hdrq.metric("norvdpnet++").scorer, io.read(tmp_path / "photo.png"))
    torch.testing.assert_close(values[:, :1], wanted, rtol=1e-4, atol=1e-9)


def test_a_gradient_map_that_would_not_fit_is_refused_where_the_score_alone_fits(tmp_path: Path) -> None:
    io.write(tmp_path / "photo.png", Image(photograph(), "srgb"))
    room_for_one = 1.5 * 120 * 96 * 96 * 4 / 2**30
    command = ["score", str(tmp_path / "photo.png"), "-m", "norvdpnet++", "--max-memory", f"{room_for_one}"]
    assert CliRunner().invoke(command_line, command).exit_code == 0
    refused = CliRunner().invoke(command_line, [*command, "--map", str(tmp_path / "maps")])
    assert refused.exit_code != 0
    assert "would take" in refused.output
