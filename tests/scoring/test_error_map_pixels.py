"""What is drawn in the PNG of an error map, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq import io
from hdrq.image.color import LUMINANCE
from hdrq.records import Image, Score
from hdrq.scoring.error_maps import _backdrop, _detail, _plain, _with_legend, overlay

ROW = Score("a", "b", "flip", 0.25)
GREY = np.repeat(np.arange(256)[:, None] / 255, 3, 1)


@pytest.mark.parametrize(("width", "times"), [(419, 2), (420, 1), (140, 3), (500, 1)])
def test_a_narrow_map_is_repeated_to_420_pixels_above_its_legend(width: int, times: int) -> None:
    body = np.random.default_rng(0).integers(0, 256, (7, width, 3), dtype=np.uint8)
    drawn = _with_legend(body, GREY, "0", "1", ROW, "meaning")
    assert drawn.shape == (7 * times + 56, width * times, 3)
    assert np.array_equal(drawn[: 7 * times : times, ::times], body)
    legend = drawn[7 * times :]
    bar = legend[8:20, 12:-12].astype(int)  # dark to bright over 12 rows, 12 pixels from every side
    assert (bar == bar[:1]).all()
    assert (bar[0, 0] == 0).all()
    assert (bar[0, -1] == 255).all()
    assert (np.diff(bar[0, :, 0]) >= 0).all()
    assert bar[0, bar.shape[1] // 2, 0] == pytest.approx(127, abs=2)
    assert (legend[:8] == 24).all()
    assert (legend[8:20, :12] == 24).all()
    assert (legend[8:20, -12:] == 24).all()
    assert legend[20:40].max() == 255  # the numbers and the score in white
    assert 100 < legend[42:].max() <= 170  # and the meaning in grey


def test_a_map_of_a_whole_span_has_256_colours_from_0_to_1() -> None:
    from matplotlib import colormaps

    values = torch.linspace(-0.1, 1.1, 600)[None]
    drawn = _plain(values, "error", ROW)[0]
    nearest = np.floor(values.clamp(0, 1).numpy()[0] * 255 + 0.5).astype(int)
    assert np.array_equal(drawn, np.rint(colormaps["magma"](nearest)[:, :3] * 255))
    assert len(np.unique(drawn, axis=0)) == 256


def test_the_scene_behind_a_map_is_logarithmic_between_its_percentiles() -> None:
    """Even in log from 1 to 1e4: code 0 at 1 %, 1 at 99.5 %, and even between."""
    light = torch.logspace(0, 4, 1001)
    code = _backdrop(light[None, None, None])[0]
    expected = ((torch.linspace(0, 1, 1001) - 0.01) / 0.985).clamp(0, 1)
    assert torch.allclose(code, expected, atol=2e-4)


@pytest.mark.parametrize("scale", ["trichromatic", "dichromatic"])
def test_colours_of_probability_have_the_brightness_of_the_scene(scale: str) -> None:
    """On an even grey of 0.5, wherever no channel is clipped; colours are even in probability between those named."""
    code = overlay(torch.linspace(0, 1, 201).view(1, 1, 1, 201), None, scale)[0, :, 0]  # type: ignore[arg-type]
    luma = (code * torch.tensor(LUMINANCE)[:, None]).sum(0)
    inside = code.amax(0) < 1
    assert inside.sum() > 50
    assert torch.allclose(luma[inside], torch.tensor(0.5), atol=1e-5)
    assert code[2, 0] >= code[0, 0]  # cold where nothing is seen
    assert code[0, -1] >= code[2, -1]


def test_without_a_scene_grey_is_probability_between_a_tenth_and_nine_tenths() -> None:
    steps = torch.linspace(0, 1, 11).view(1, 1, 1, 11)
    code = overlay(steps, None, "monochromatic")[0, :, 0]
    assert torch.allclose(code, (0.1 + 0.8 * steps[0, 0]).expand(3, -1), atol=1e-6)


def test_detail_is_what_a_blur_of_two_pixels_takes_away() -> None:
    """A bright line on a ramp of light: only the line is detail, in code around 0 within a tenth."""
    light = torch.logspace(0, 2, 64).expand(1, 1, 32, 64).clone()
    light[..., 32] *= 3
    code = _detail(light)[0, 0]
    assert float(code.abs().max()) <= 0.1 + 1e-6
    assert int(code[16].argmax()) == 32
    assert torch.allclose(_detail(7 * light), _detail(light), atol=0.01)


def test_a_metric_without_a_map_says_so(tmp_path, run) -> None:
    """Before: an empty folder and exit code 0."""
    for name, seed in (("ref", 0), ("dist", 1)):
        pixels = torch.rand(1, 3, 64, 72, generator=torch.Generator().manual_seed(seed))
        io.write(tmp_path / f"{name}.png", Image(pixels, "srgb", bits=8))
    maps = tmp_path / "maps"
    files = (tmp_path / "ref.png", tmp_path / "dist.png")
    exit_code, out, err = run("score", *files, "-m", "psnr", "-m", "ssim", "--map", maps, "--format", "csv")
    assert exit_code == 0, err
    assert "psnr has no map" in err
    assert out.count("has no map") == 1
    assert {p.name for p in maps.iterdir()} == {"dist.ssim.exr", "dist.ssim.png"}
    assert "has no map" not in run("score", *files, "-m", "psnr")[2]
