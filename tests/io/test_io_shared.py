"""Real files of other programs: ../shared/data reads right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from hdrq.image.color import convert
from hdrq.io import read
from hdrq.records import BT2020, XYZ

pytestmark = pytest.mark.shared


def mean_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


def test_every_hdr_file_is_read(shared):
    files = [
        f for folder in ("hdr", "variants", "pairs") for f in sorted((shared / "data" / folder).iterdir())
    ]
    assert len(files) == 45
    for file in files:
        image = read(file)
        assert image.pixels.dtype == torch.float32
        assert image.pixels.shape[1] in (1, 3)
        assert min(image.size) >= 50
        assert image.domain == "nits"


def test_exr_and_hdr_of_one_picture_agree_once_exposure_is_undone(shared):
    exr, hdr = (read(shared / "data/variants" / f"mpi_atrium_1.{s}").pixels for s in ("exr", "hdr"))
    error = (exr - hdr).abs() / exr.amax(1, keepdim=True).clamp(min=1e-6)
    assert error.max() < 5e-4  # half against a mantissa of eight bits, from the same file
    assert hdr.max() > 1


def test_other_primaries_converted_are_the_same_picture(shared):
    plain = read(shared / "data/variants/Chromaticities_Rec709.exr")
    xyz = read(shared / "data/variants/Chromaticities_XYZ.exr")
    chroma = read(shared / "data/variants/Chromaticities_XYZ_YC.exr")
    assert xyz.primaries is XYZ
    assert mean_difference(convert(xyz.pixels, XYZ), plain.pixels) < 2e-4
    assert mean_difference(xyz.pixels, plain.pixels) > 0.01  # what ignoring the primaries would do
    assert mean_difference(chroma.pixels, xyz.pixels) < 0.003


def test_luminance_and_chroma_are_in_colour(shared):
    flowers = read(shared / "data/variants/LuminanceChroma_Flowers.exr").pixels
    red, green, blue = flowers.mean((0, 2, 3)).tolist()
    assert blue > 1.5 * green
    assert blue > 1.5 * red


def test_wide_gamut_and_missing_values_are_kept(shared):
    assert read(shared / "data/variants/TestImages_WideColorGamut.exr").pixels.min() < -0.1  # out of gamut
    odd = read(shared / "data/variants/TestImages_BrightRingsNanInf.exr").pixels
    even = read(shared / "data/variants/TestImages_BrightRings.exr").pixels
    assert odd.isnan().any()
    assert odd.isinf().any()
    assert torch.equal(odd[odd.isfinite()], even[odd.isfinite()])
    half = read(shared / "data/variants/TestImages_AllHalfValues.exr").pixels[0, 0].flatten().numpy()
    every = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    assert np.array_equal(np.unique(half[np.isfinite(half)]), np.unique(every[np.isfinite(every)]))


def test_windows_views_and_depth(shared):
    folder = shared / "data/variants"
    assert read(folder / "grid-overscan.exr").size == (1000, 1000)
    right = read(folder / "MultiView_Fog.exr", view="right")
    assert not torch.equal(right.pixels, read(folder / "MultiView_Fog.exr").pixels)
    trunks = read(folder / "v2_LowResLeftView_Trunks.exr")
    scene = read(folder / "v2_LowResLeftView_composited.exr")
    assert trunks.size == scene.size
    seen = (trunks.pixels > 0.02).all(1)[0]
    assert 0.01 < seen.float().mean() < 0.2
    near = (trunks.pixels - scene.pixels).abs().amax(1)[0][
        seen
    ] < 0.01  # trunks that nothing hides in the whole scene
    assert near.float().mean() > 0.2


def test_columns_of_grovec_are_columns(shared):
    image = read(shared / "data/hdr/groveC.hdr")
    assert image.size == (720, 480)


def test_pfm_is_the_right_way_up(shared):
    file = shared / "data/variants/test-2.pfm"
    data = np.frombuffer(file.read_bytes()[-240 * 240 * 12 :], "<f4").reshape(240, 240, 3)
    assert np.array_equal(read(file).pixels[0, :, 0].numpy(), data[-1].T)


def test_primaries_of_a_radiance_file_are_heard_and_zeros_are_not(shared):
    assert read(shared / "data/pairs/Desk_ref.hdr").primaries.white == (0.3101, 0.3162)
    assert read(shared / "data/hdr/forest.hdr").primaries.name == "bt709"
    assert read(shared / "data/hdr/forest.hdr").primaries != BT2020


def test_sdr_files_read_as_pillow_reads_them(shared):
    files = sorted((shared / "data/livec/Images").glob("*.JPG"))[:3]
    files += sorted((shared / "data/natural").rglob("*.png"))[:2]
    for file in files:
        codes = np.asarray(Pillow.open(file).convert("RGB")).transpose(2, 0, 1)
        assert np.array_equal(read(file).pixels[0].numpy(), codes.astype(np.float32) / 255)
