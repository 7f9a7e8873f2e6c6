"""hdrq info says what a file holds and what it is taken for."""

from __future__ import annotations

import json
import math

import pytest
import torch
from click.testing import CliRunner

from hdrq.cli.app import command_line
from hdrq.encoding.file_info import describe
from hdrq.image.transfer import nits_to_pq
from hdrq.io import write
from hdrq.records import BT2020, Image


@pytest.fixture
def run():
    runner = CliRunner()

    def invoke(*arguments: str):
        return runner.invoke(command_line, ["info", *map(str, arguments)], standalone_mode=False)

    return invoke


def test_luminance_is_that_of_the_files_own_primaries(tmp_path):
    light = torch.tensor([0.0, 100.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 4, 5)  # pure BT.2020 green
    write(tmp_path / "x.exr", Image(light, "nits", BT2020))
    found = describe(tmp_path / "x.exr")
    assert found.high == pytest.approx(67.80, abs=0.01)
    assert (found.format, found.width, found.height, found.channels, found.kind) == (
        "OpenEXR",
        5,
        4,
        3,
        "float light",
    )
    assert (found.domain, found.primaries, found.relative, found.zeros) == ("nits", "bt2020", True, 40)


def test_range_stops_and_counts(tmp_path):
    light = torch.full((1, 3, 4, 4), 2.0)
    light[..., 0, 0] = 1024.0
    light[..., 1, 1] = float("nan")
    light[0, 0, 2, 2] = -1.0
    write(tmp_path / "x.exr", Image(light))
    found = describe(tmp_path / "x.exr")
    assert (found.nonfinite, found.negative) == (3, 1)
    assert found.high == pytest.approx(1024, rel=1e-5)
    assert found.stops == pytest.approx(math.log2(found.high / found.low))


def test_pq_code_and_its_light_level(tmp_path):
    write(
        tmp_path / "x.png",
        Image(nits_to_pq(torch.full((1, 3, 4, 4), 500.0)), "pq", BT2020),
        display=(1000, 0.01),
    )
    found = describe(tmp_path / "x.png")
    assert (found.domain, found.primaries, found.kind) == ("pq", "bt2020", "16-bit code")
    assert found.mean == pytest.approx(500, rel=1e-3)
    assert found.mastering["max_cll"] == pytest.approx(500, rel=1e-3)


def test_table_json_and_exit_codes(tmp_path, run):
    write(tmp_path / "x.exr", Image(torch.ones(1, 3, 4, 4)))
    good, bad = tmp_path / "x.exr", tmp_path / "none.exr"
    table = run(good, "--format", "table")
    assert table.return_value == 0
    assert "OpenEXR" in table.output
    assert "light, cd/m²" in table.output
    both = run(good, bad, "--format", "json")
    assert both.return_value == 1
    rows = json.loads(both.stdout)
    assert [r["error"] == "" for r in rows] == [True, False]
    assert "does not exist" in rows[1]["error"]
    assert run(bad, "--format", "csv").return_value == 3


@pytest.mark.shared
def test_what_the_cases_hold(shared):
    cases = shared / "cases"
    gain = describe(cases / "apple_gainmap_old.jpg")
    assert (gain.gain_map, gain.renditions, gain.exposure) == (True, ("hdr", "base"), "1/1018 s f/1.6 ISO 50")
    assert describe(cases / "apple_gainmap_old.jpg", layer="base").domain == "srgb"
    assert describe(cases / "blender.exr").layers == ("Main.AOV", "Main.Combined")
    assert describe(cases / "thumb_first.tif").pages == ("0", "0.0")
    assert "position" in describe(cases / "xyz_lower.exr").error
