"""Sets of rectangular cuts, of cuts from the middle, and of whole images; the histogram of the teacher as a figure."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hdrq import io
from hdrq.cli.app import command_line
from hdrq.distillation.checks import check, draw_coverage
from hdrq.distillation.rendering import render
from hdrq.distillation.rows import read_rows, write_rows
from hdrq.distillation.samples import frame_of, make_set
from hdrq.distillation.sources import Sources, find_sources
from hdrq.distillation.student import RenderedRows
from hdrq.errors import UsageError
from hdrq.image.transfer import srgb_to_linear
from hdrq.records import Image

SIZES = [(90, 130), (100, 140), (90, 130), (130, 90), (90, 130), (100, 140), (130, 90), (100, 140)] * 4


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for i, (h, w) in enumerate(SIZES):
        g = torch.Generator().manual_seed(i)
        x = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 9, generator=g), size=(h, w), mode="bicubic")
        noise = 0.015 * i * torch.randn(1, 3, h, w, generator=g)
        io.write(folder / f"{i}.png", Image((x + noise).clamp(0, 1), "srgb", bits=8))
    return folder


@pytest.fixture(scope="module")
def sources(photographs):
    return find_sources(photographs, lambda path, reads: None, lambda source, reads: None)[0]


def test_rectangles_are_cut_as_wide_as_asked_and_survive_the_manifest(sources, tmp_path) -> None:
    rows = make_set(sources, ["noise"], 12, side=64, wide=96)
    assert {r.size for r in rows} == {(64, 96)}
    assert all(SIZES[int(Path(r.source).stem)] != (130, 90) for r in rows)
    assert read_rows(write_rows(rows, tmp_path / "set.csv")) == rows
    ref, dist = render(rows[0], Sources())
    assert ref.shape == dist.shape == (1, 3, 64, 96)
    square = make_set(sources, ["noise"], 12, side=64)
    assert {r.view[2:4] for r in square} == {(64, 1)}
    assert all(len(r.view) == 6 for r in square)  # keys of scores that older versions stored are the same
    assert rows[0].view != make_set(sources, ["noise"], 12, side=64, wide=97)[0].view


def test_central_cuts_are_the_middle_of_each_image_at_its_resolution(sources) -> None:
    rows = make_set(sources, ["none"], 100, side=80, wide=88, central=True, displays=["sdr-100"])
    assert len(rows) == len({r.source for r in rows}) == 32  # each image once: more would be the same again
    for row in rows:
        h, w = SIZES[int(Path(row.source).stem)]
        assert (row.y, row.x, row.shrink) == ((h - 80) // 2, (w - 88) // 2, 1)
    row = rows[0]
    code = io.read(row.source).pixels[..., row.y : row.y + 80, row.x : row.x + 88]
    light = render(row, Sources())[1]
    torch.testing.assert_close(light, (100 - 0.1) * srgb_to_linear(code) + 0.1, rtol=1e-4, atol=1e-3)


def test_whole_images_have_their_own_size(sources, tmp_path) -> None:
    rows = make_set(sources, ["none"], 100, side=0)
    assert {(Path(r.source).stem, r.size, r.shrink) for r in rows} == {
        (str(i), size, 1) for i, size in enumerate(SIZES)
    }
    files = {str(s.path): s.sha256 for s in sources}
    images = RenderedRows(tmp_path, rows, files, encoding="srgb")
    for row in rows:
        name = f"dist:{row.number}"
        assert images.get(name).shape[-2:] == images.size(name) == row.size


@pytest.mark.parametrize(
    ("crop", "wanted"), [(256, (256, 256)), ("64", (64, 64)), ("1024x768", (768, 1024)), ("whole", (0, 0))]
)
def test_a_crop_is_a_side_a_rectangle_or_whole(crop: int | str, wanted: tuple[int, int]) -> None:
    assert frame_of(crop) == wanted


@pytest.mark.parametrize("crop", ["", "x", "64x", "16x64", 8, "half"])
def test_another_crop_is_refused(crop: int | str) -> None:
    with pytest.raises(UsageError, match="crop"):
        frame_of(crop)


@pytest.mark.parametrize("crop", ["80x72", "whole"])
def test_a_student_learns_from_rectangles_and_from_whole_images(photographs, tmp_path, crop: str) -> None:
    """Also over an interruption: the second call goes on and reports on the same rows."""
    command = ["distill", "--teacher", "pu21:brisque", "--images", str(photographs), "--distortions", "none",
               "--crop", crop, "-n", "40", "--student", "norvdpnet++", "--set", "options.widths=[4,4,8,8,8]",
               "--set", "epochs=1", "--set", "batch=4", "--hold-out", "1,3", "--device", "cpu",
               "-o", str(tmp_path / "run")]  # fmt: skip
    done = CliRunner().invoke(command_line, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "run" / "set.csv").open()))
    wide = {(int(r["side"]), int(r["wide"]) or int(r["side"])) for r in rows}
    assert wide == ({(72, 80)} if crop != "whole" else set(SIZES))
    assert (tmp_path / "run" / "teacher_histogram.png").stat().st_size > 1000
    assert (tmp_path / "run" / "teacher_histogram.pdf").exists()
    held = (tmp_path / "run" / "held_out.csv").read_text()
    more = [*command, "--resume", "--set", "epochs=2"]
    assert CliRunner().invoke(command_line, more, catch_exceptions=False).exit_code == 0
    again = (tmp_path / "run" / "held_out.csv").read_text()
    assert [line.split(",")[:4] for line in held.splitlines()] == [
        line.split(",")[:4] for line in again.splitlines()
    ]


def test_the_histogram_shows_which_tenths_of_the_scale_are_covered(tmp_path, monkeypatch) -> None:
    from matplotlib.axes import Axes

    drawn: list[tuple[list[float], list[str]]] = []
    bar = Axes.bar

    def keep(self, x, height, *args, **options):  # type: ignore[no-untyped-def]
        drawn.append((list(height), list(options["color"])))
        return bar(self, x, height, *args, **options)

    monkeypatch.setattr(Axes, "bar", keep)
    found = check(np.array([0.05] * 60 + [0.95] * 39 + [0.55]), {})
    assert [p.suffix for p in draw_coverage(found, "a$b", tmp_path)] == [".png", ".pdf"]
    heights, colours = drawn[0]
    assert heights == pytest.approx([60, 0, 0, 0, 0, 1, 0, 0, 0, 39])
    assert [i for i, c in enumerate(colours) if c == colours[0]] == [0, 9]  # 1 % is too few
