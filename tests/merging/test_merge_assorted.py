"""hdrq merge --pattern bayer-me: mosaics whose pixels have different exposures, from known light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq import io
from hdrq.cli import main
from hdrq.errors import UsageError
from hdrq.merging.sequence import interpolation
from hdrq.merging.sequence.interpolation import Exposures, binned, interpolated, trust_of, variance_of
from hdrq.merging.sequence.layout import colours, layout_of, pattern_of
from shooting import save, scene

EVS = (-3, 1)
LIGHT = scene(47, 62, stops=8)


def mosaic(light: np.ndarray, filters: str, layout: str, total, noise: bool = True) -> np.ndarray:
    """(H, W) uint16 code of a sensor: photon and read noise, clipping, rounding to 14 bits."""
    size = light.shape[:2]
    number, pattern = layout_of(layout, len(total)).exposures(size), pattern_of(filters)
    colour = colours(pattern, size)
    if layout == "quad":
        colour = colours(pattern, (size[0] // 2 + 1, size[1] // 2 + 1)).repeat(2, 0).repeat(2, 1)
    seen = (
        light.mean(2)
        if pattern is None
        else np.take_along_axis(light, colour[: size[0], : size[1], None], 2)[..., 0]
    )
    f = seen * np.array(total)[number]
    if noise:
        rng = np.random.default_rng(0)
        f = (rng.poisson(f * 15000) + 4 * rng.standard_normal(size)) / 15000
    return (np.rint(np.clip(f, 0, 1) * 16383) * 4).astype(np.uint16)


def merged(code, layout: str, filters: str, **options) -> Tensor:
    """(3 or 1, H, W) radiance."""
    options = options or {"ev": EVS}
    (found,) = hdrq.merge(
        [code], pattern="bayer-me", layout=layout, filters=filters, response="linear", **options
    )
    return found.image.pixels[0]


def stops(found: Tensor, light: np.ndarray) -> Tensor:
    """Absolute error, in stops, away from the border."""
    truth = torch.from_numpy(light).permute(2, 0, 1)
    return (found.double() / truth).log2().abs()[..., 4:-4, 4:-4]


@pytest.mark.parametrize(
    ("layout", "filters"), [("rows", "rggb"), ("columns", "bggr"), ("checker", "gbrg"), ("0011/1100", "none")]
)
def test_every_layout_gives_the_light_back(layout, filters) -> None:
    light = LIGHT if filters != "none" else LIGHT.mean(2, keepdims=True)
    found = merged(mosaic(LIGHT, filters, layout, [2.0**e for e in EVS]), layout, filters)
    error = stops(found, light)
    assert float(error.median()) < 0.04
    assert float(error.quantile(0.95)) < 0.2
    # what the brighter pixels alone do not show: a tenth of this scene is clipped there
    bright = torch.from_numpy(light).permute(2, 0, 1)[:, 4:-4, 4:-4] > 1.5 / 2
    assert float(bright.float().mean()) > 0.1
    assert float(error[bright].median()) < 0.06


def test_even_light_comes_back_to_rounding() -> None:
    light = np.ones((20, 22, 3)) * [0.9, 0.3, 0.02]
    for layout, filters in (("rows", "grbg"), ("checker", "rggb")):
        found = merged(mosaic(light, filters, layout, [2.0**e for e in EVS], noise=False), layout, filters)
        assert float(stops(found, light).max()) < 2e-3


def test_a_ramp_is_interpolated_as_a_plane() -> None:
    """Pixels clipped in the long exposure are the plane through their neighbours; a shift of a pixel would show."""
    y, x = np.mgrid[:40, :44]
    light = (1.2 + 0.05 * x + 0.02 * y)[..., None]
    code = mosaic(light.repeat(3, 2), "none", "01/10", (1 / 8, 0.7), noise=False)
    found = merged(code, "01/10", "none", ev=(-3, float(np.log2(0.7))), noise=(1e9, 0))
    assert float(stops(found, light).max()) < 5e-3


def test_noise_of_dark_pixels_is_less_than_in_the_short_exposure() -> None:
    light = np.full((64, 64, 3), 0.004)
    found = merged(mosaic(light, "none", "rows", [2.0**e for e in EVS]), "rows", "none")[0, 6:-6, 6:-6]
    long = float(np.sqrt(0.004 / 15000 / 2 + (4 / 15000 / 2) ** 2))
    assert abs(float(found.mean()) - 0.004) < 3 * long / 20
    assert float(found.std()) < 1.1 * long
    short = float(np.sqrt(0.004 / 15000 * 8 + (4 / 15000 * 8) ** 2))
    assert short > 5 * long


def test_detail_of_well_exposed_pixels_is_their_own() -> None:
    """Bright columns as wide as a pixel, which no neighbour of the other exposure shows."""
    light = np.where(np.arange(40) % 4 == 1, 0.3, 0.1)[None, :, None] * np.ones((40, 40, 3))
    code = mosaic(light, "none", "01/10", (1.0, 1.5), noise=False)
    found = merged(code, "01/10", "none", times=(1.0, 1.5))[0, 8:-8, 8:-8]
    assert float((found / torch.from_numpy(light[8:-8, 8:-8, 0])).log2().abs().max()) < 0.02


def test_a_clipped_pixel_among_dark_ones_is_at_least_white() -> None:
    light = np.full((24, 24, 3), 0.02)
    light[12, 13] = 5.0
    code = mosaic(light, "none", "01/10", (1 / 8, 2.0), noise=False)
    assert code[12, 13] == code.max() > 60_000
    found = merged(code, "01/10", "none", ev=(-3, 1), noise=(1e9, 0))[0]
    assert 0.44 < float(found[12, 13]) < 0.6


def test_beside_its_neighbours_the_fit_counts_less_than_in_their_middle(monkeypatch) -> None:
    """In a corner the plane is continued outward, so that the pixel's own value has more weight than without that."""
    values = torch.rand(16, 16, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.1
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    number = (x + y) % 2
    e = Exposures(torch.tensor([1.0, 1.5]), torch.ones(2), 1e3, 4.0, 0.0)
    own = values / e.total[number]
    found = interpolated(values, number, torch.zeros_like(number), e)
    plane = interpolation._plane
    monkeypatch.setattr(interpolation, "_plane", lambda *given: (*plane(*given)[:2], torch.ones(())))
    even = interpolated(values, number, torch.zeros_like(number), e)
    nearer = (even - own).abs() - (found - own).abs()
    assert float(nearer.min()) > -1e-6
    assert float(nearer[[0, 0, 15, 15], [0, 15, 0, 15]].min()) > 5 * float(nearer[6:10, 6:10].max())


def test_gains_and_times_multiply() -> None:
    code = mosaic(LIGHT, "rggb", "rows", (0.25, 4.0))
    one = merged(code, "rows", "rggb", times=(0.25, 4.0))
    two = merged(code, "rows", "rggb", times=(0.25, 0.25), gains=(1, 16))
    assert float((one / two).log2().abs()[..., 4:-4, 4:-4].median()) < 0.02
    assert not one.equal(two)  # photons of a pixel that is only amplified are those of the others


def test_squares_of_a_quad_sensor_become_one_pixel_each() -> None:
    total = (2.0, 0.5, 0.125)
    light = LIGHT[:40, :48].reshape(20, 2, 24, 2, 3).mean((1, 3)).repeat(2, 0).repeat(2, 1)
    found = merged(mosaic(light, "rggb", "quad", total), "quad", "rggb", times=total)
    assert found.shape == (3, 20, 24)
    error = stops(found, light[::2, ::2])
    assert float(error.median()) < 0.04


def test_binning_weights_by_noise_and_leaves_out_what_is_clipped() -> None:
    e = Exposures(torch.tensor([1.0, 0.25]), torch.ones(2), 10_000.0, 2.0, 0.0)
    number = torch.tensor([[0, 1], [1, 0]])
    flat = binned(torch.tensor([[0.4, 0.1], [0.1, 0.4]]), number, e)
    assert float(flat) == pytest.approx(0.4)
    clipped = binned(torch.tensor([[1.0, 0.5], [0.6, 1.0]]), number, e)
    assert float(clipped) == pytest.approx(2.2)
    uneven = binned(torch.tensor([[0.4, 0.12], [0.12, 0.4]]), number, e)
    v = variance_of(torch.tensor((0.8 + 0.24) / 2.5), torch.tensor([0, 1]), e)
    assert float(uneven) == pytest.approx(float((0.4 / v[0] + 0.48 / v[1]) / (1 / v).sum()))


def test_variance_is_of_photons_read_noise_and_rounding() -> None:
    e = Exposures(torch.tensor([2.0, 1.0]), torch.tensor([1.0, 8.0]), 10_000.0, 5.0, 1 / 1023)
    found = variance_of(torch.tensor([0.1, 0.1]), torch.tensor([0, 1]), e)
    other = (5 / 10_000) ** 2 + (1 / 1023) ** 2 / 12
    assert found.tolist() == pytest.approx([0.1 / 20_000 + other / 4, 0.1 / 10_000 + other / 64])


def test_only_the_least_exposure_is_trusted_at_white() -> None:
    e = Exposures(torch.tensor([2.0, 1.0]), torch.ones(2), 10_000.0, 5.0, 0.0)
    values = torch.tensor([0.5, 0.9, 0.94, 0.98, 1.0])
    assert trust_of(values, torch.zeros(5, dtype=torch.long), e).tolist() == pytest.approx(
        [1, 1, 0.5, 0, 0], abs=1e-4
    )
    assert trust_of(values, torch.ones(5, dtype=torch.long), e).tolist() == [1] * 5


def test_strips_do_not_show(monkeypatch) -> None:
    torch.manual_seed(0)
    values = torch.rand(90, 30)
    number = torch.from_numpy(layout_of("rows", 2).exposures((90, 30)))
    colour = torch.from_numpy(colours(pattern_of("rggb"), (90, 30)))
    e = Exposures(torch.tensor([1.0, 0.2]), torch.ones(2), 10_000.0, 4.0, 0.0)
    whole = interpolated(values, number, colour, e)
    monkeypatch.setattr(interpolation, "_ROWS", 30)
    assert torch.allclose(interpolated(values, number, colour, e), whole, rtol=1e-4)


def test_layouts_by_name_and_by_tile() -> None:
    assert layout_of("rows", 2).exposures((6, 2)).tolist() == [[0, 0], [0, 0], [1, 1], [1, 1], [0, 0], [0, 0]]
    assert layout_of("columns", 2).exposures((1, 5)).tolist() == [[0, 0, 1, 1, 0]]
    assert layout_of("012/120", 3).exposures((3, 4)).tolist() == [[0, 1, 2, 0], [1, 2, 0, 1], [0, 1, 2, 0]]
    assert layout_of("quad", 3).tile.tolist() == [[0, 1], [1, 2]]
    assert colours(pattern_of("grbg"), (3, 3)).tolist() == [[1, 0, 1], [2, 1, 2], [1, 0, 1]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"layout": ""}, "needs --layout"),
        ({"layout": "spiral"}, "--layout is rows, columns, checker, quad, or a tile"),
        ({"layout": "01/1"}, "--layout is rows"),
        ({"layout": "02/20"}, "has the exposures 0, 2, but 2 are stated"),
        ({"layout": "rows", "ev": (0, -2, -4)}, "has the exposures 0, 1, but 3 are stated"),
        ({"layout": "01/10"}, "every red pixel has the same exposure"),
        ({"ev": None}, "state the exposures of the layout"),
        ({"ev": (1, 1)}, "all have the same exposure"),
        ({"times": (1, 2)}, "give only one of --times and --ev"),
        ({"gains": (1, 2, 3)}, "--gains has 3 values for 2 exposures"),
        ({"gains": (1, 0)}, "--gains are positive"),
        ({"noise": (15000, -1)}, "--noise is the electrons"),
        ({"filters": "auto"}, "does not state its colour filters"),
        ({"deghost": "patch"}, "does not use --deghost"),
        ({"rule": "log-mean"}, "does not use --rule"),
        ({"response": "debevec"}, "needs several frames"),
        ({"scale": "absolute"}, "the absolute scale needs"),
        ({"cycle": 2}, "--cycle is for --pattern alternating"),
    ],
)
def test_what_a_mosaic_cannot_be_is_one_line(options, says) -> None:
    plain = {"pattern": "bayer-me", "layout": "rows", "filters": "rggb", "ev": EVS}
    code = np.zeros((16, 16), np.uint16)
    with pytest.raises(UsageError, match=says) as refused:
        list(hdrq.merge([code], **{**plain, **options}))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("shape", "says"), [((7, 20), "at least 8 pixels"), ((16, 16, 3), "has 3 channels")])
def test_images_that_are_no_mosaic_are_one_line(shape, says) -> None:
    with pytest.raises(UsageError, match=says):
        merged(np.zeros(shape, np.uint16), "rows", "rggb")


def test_black_and_white_frames_are_merged() -> None:
    assert float(merged(np.zeros((9, 11), np.uint16), "rows", "rggb").abs().max()) == 0
    white = merged(np.full((9, 11), 65535, np.uint16), "rows", "rggb")
    assert white.numpy() == pytest.approx(8, rel=1e-4)


# --- files --------------------------------------------------------------------------------------------


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["merge", *map(str, arguments)])
    return int(left.value.code or 0)


ARGUMENTS = ("--pattern", "bayer-me", "--layout", "rows", "--ev", "-3,1", "--filters", "rggb")


@pytest.fixture
def shots(tmp_path) -> list[str]:
    import imagecodecs

    code = mosaic(LIGHT, "rggb", "rows", [2.0**e for e in EVS])
    paths = [tmp_path / "in" / f"m{i}.png" for i in range(2)]
    paths[0].parent.mkdir()
    for i, path in enumerate(paths):
        path.write_bytes(imagecodecs.png_encode(code >> i))
    return [str(p) for p in paths]


def test_a_mosaic_is_written_to_a_file_and_several_to_a_folder(shots, tmp_path, capsys) -> None:
    assert run(shots[0], "-o", tmp_path / "one.exr", *ARGUMENTS) == 0
    told = capsys.readouterr().out
    assert "m0.png 1" in told
    assert "bayer-me, layout rows" in told
    one = io.read(tmp_path / "one.exr").pixels
    assert float(stops(one[0], LIGHT).median()) < 0.04
    assert run(Path(shots[0]).parent, "-o", tmp_path / "out", *ARGUMENTS, "-q") == 0
    assert io.read(tmp_path / "out" / "m0.exr").pixels.equal(one)
    assert (tmp_path / "out" / "m1.exr").exists()


def test_a_colour_file_is_no_mosaic(tmp_path, capsys) -> None:
    (path,) = save([np.zeros((16, 16, 3), np.uint8)], tmp_path)
    assert run(path, "-o", tmp_path / "one.exr", *ARGUMENTS) == 2
    assert "give raw files, or grey images" in capsys.readouterr().err
