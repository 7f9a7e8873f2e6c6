"""The numbers of a merge's report: shares in per cent, exposures in stops of the reference, noise at both ends."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from hdrq.merging.report import FrameReport, MergeReport
from hdrq.merging.report_page import _drawn, columns_of, facts_of
from hdrq.merging.response.curve import Response

FRAME = FrameReport(
    "b.png",
    "1/4 s",
    1.0,
    0.5,
    None,
    clipped=0.125,
    black=0.0625,
    shift=(0, 0),
    how="reference",
    overlap=1,
    ghosts=0,
)
REPORT = MergeReport(
    frames=(
        replace(FRAME, file="a.png", used=0.0625, how="mtb", shift=(2.0, -3.0), off_stops=0.04, overlap=0.875, ghosts=0.03),
        FRAME,
        replace(FRAME, file="c.png", used=1.0, how="mtb", why="few stars", off_stops=-0.5),
    ),
    reference="b.png",
    size=(30, 40),
    crop=(2, 32, 0, 40),
    response="fixed: srgb",
    bias=0.0124,
    rms=0.0456,
    pairs=(),
    noise=(16e-4, 9e-4),
    ghosts=0.015,
    clipped_everywhere=0.00125,
    black_everywhere=0.0025,
    stops=11.04,
    scale="relative",
    factor=2.5,
    rule="mean",
    notes=(),
)  # fmt: skip


def test_the_table_of_frames_is_in_stops_of_the_reference_and_in_per_cent() -> None:
    rows = {
        title: [cell(f) for f in REPORT.frames if f.off_stops is not None]
        for title, cell in columns_of(REPORT)
    }
    assert rows == {
        "frame": ["a.png", "c.png"],
        "exposure": ["1/4 s", "1/4 s"],
        "stops": ["-3.00", "+1.00"],
        "stated off by": ["+0.040 stops", "-0.500 stops"],
        "white %": ["12.50", "12.50"],
        "black %": ["6.25", "6.25"],
        "shift y,x": ["+2.0,-3.0", "+0.0,+0.0"],
        "placed by": ["mtb", "mtb (few stars)"],
        "seen %": ["87.5", "100.0"],
        "moved %": ["3.00", "0.00"],
    }


def test_columns_without_information_are_left_out() -> None:
    alone = replace(REPORT, frames=(FRAME, replace(FRAME, file="c.png", how="none")))
    assert [title for title, _ in columns_of(alone)] == ["frame", "exposure", "stops", "white %", "black %"]


def test_facts_state_size_noise_and_shares() -> None:
    """White has the noise of photons and of reading, black that of reading: sqrt(0.0025) and sqrt(0.0009)."""
    facts = dict(facts_of(REPORT))
    assert facts["size"] == "40 x 30, rows 2 to 32, columns 0 to 40 of the reference"
    assert facts["noise"] == "5 % of white at white, 3 % at black"
    assert facts["consistency"] == "bias 0.012, rms 0.046 stops between neighbouring exposures"
    assert facts["motion"] == "1.50 % of the image"
    assert facts["lost"] == "0.125 % clipped in every frame, 0.250 % black"
    assert re.match(r"11\.0 stops", facts["dynamic range"])
    whole = replace(REPORT, frames=(FRAME,), bias=float("nan"))
    assert dict(facts_of(whole))["size"] == "40 x 30, whole frames"
    assert dict(facts_of(whole))["consistency"].startswith("unknown")


@pytest.mark.parametrize(("read", "told"), [(1.5e-7, "below the quantisation"), (1.7e-7, "0.041 % of white")])
def test_noise_below_a_tenth_of_a_code_is_not_stated(read: float, told: str) -> None:
    """4e-4 of white is 0.1 code of 8 bits."""
    assert dict(facts_of(replace(REPORT, noise=(0.0, read))))["noise"].startswith(told)


def test_a_response_is_drawn_against_code_with_white_at_1() -> None:
    curve = np.linspace(0, 1, 5)[:, None] ** [1, 2, 3] * 4
    (axes,) = _drawn(Response(curve, "fixed: test")).axes
    lines = axes.get_lines()
    assert [str(line.get_label()) for line in lines] == ["red", "green", "blue"]
    for k, line in enumerate(lines):
        assert line.get_xdata() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
        assert line.get_ydata() == pytest.approx(np.array([0, 0.25, 0.5, 0.75, 1]) ** (k + 1))
    assert lines[0].get_linewidth() > lines[1].get_linewidth() > lines[2].get_linewidth()
    (axes,) = _drawn(Response(curve[:, :1], "fixed: test")).axes
    assert [str(line.get_label()) for line in axes.get_lines()] == ["all channels"]
