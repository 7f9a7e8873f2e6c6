"""Inputs that were read wrongly once: each gives the right number or one clear line."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from hdrq.encoding.photometry import emit
from hdrq.errors import FileError, UsageError
from hdrq.image.color import rgb_to_xyz, weigh
from hdrq.image.transfer import pq_to_nits
from hdrq.io import read
from hdrq.io.jxl import profile_of
from hdrq.records import BT709, BT2020, P3, XYZ

pytestmark = pytest.mark.shared


@pytest.fixture
def case(shared):
    return lambda name, **options: read(shared / "cases" / name, **options)


def test_avif_takes_the_colours_of_its_primary_item(case):
    image = case("colors_hdr_p3.avif")
    assert (image.domain, image.primaries, image.bits) == ("pq", P3, 10)
    # 236.71 by H.273 in float64 from the planes (matrix 6, full range), 236.67 after libavif's rounding to 10 bits; its
    # siblings in BT.709 and BT.2020, which are the same image, have the same mean luminance: 261.8 and 261.5 cd/m²
    assert float(pq_to_nits(image.pixels.double()).mean()) == pytest.approx(236.67, abs=0.01)
    y = weigh(pq_to_nits(image.pixels.double()), tuple(rgb_to_xyz(P3)[1]))
    assert float(y.mean()) == pytest.approx(261.78, abs=0.01)


def test_pq_by_the_curve_of_a_profile_is_pq_by_code_points(case):
    by_curve, by_points = case("pq_icc_curve.png"), case("pq_cicp.png")
    assert (by_curve.domain, by_curve.primaries) == (by_points.domain, by_points.primaries) == ("pq", BT2020)
    assert torch.equal(by_curve.pixels, by_points.pixels)


def test_the_curve_of_a_profile_is_evaluated(case, shared):
    from PIL import Image as Pillow

    image = case("icc_srgb_g18.png")
    stored = np.asarray(Pillow.open(shared / "cases" / "icc_srgb_g18.png"))
    light = emit(image).pixels[0].permute(1, 2, 0).numpy()[stored == 160]
    assert light.size
    assert np.allclose(light, 43.3, atol=0.1)  # 100 cd/m² · (160/255)^1.8, and the display's black
    assert "profile applied" in image.notes[0]


def test_lossy_jpeg_xl_with_a_profile_equals_its_reference(case):
    image, reference = case("conformance_grayscale.jxl"), case("conformance_grayscale_ref.png")
    assert (image.pixels - reference.pixels).abs().max() < 0.003


def test_the_profile_of_a_jpeg_xl_is_the_one_that_was_put_in(shared):
    data = (shared / "cases" / "conformance_grayscale.jxl").read_bytes()
    found = profile_of(data)
    if not found:
        pytest.skip("imagecodecs brings no libjxl that can be asked here")
    stated = (
        "3f62598dfd40d6642ca5fd962559bb6615af15448a57a3972a4089c109e62fbd"  # libjxl/conformance, original.icc
    )
    assert hashlib.sha256(found).hexdigest() == stated


def test_gain_maps_give_hdr_and_the_base_on_request(case):
    for name, primaries, peak, source in (
        ("apple_gainmap_old.jpg", P3, 4.40, "Apple"),
        ("seine_sdr_gainmap_srgb.jpg", BT709, 2.435, "Ultra HDR"),
    ):
        image, base = case(name), case(name, layer="base")
        assert (image.domain, image.primaries, image.white_nits) == ("linear", primaries, 203)
        assert float(image.pixels.max()) == pytest.approx(peak, abs=0.01)
        assert source in image.notes[0]
        assert "layer base" in image.notes[0]
        assert (base.domain, base.bits) == ("srgb", 8)
        assert float(base.pixels.max()) <= 1
        assert "gain map not applied" in base.notes[0]
        assert image.size == base.size


def test_a_thumbnail_is_not_the_image(case):
    image = case("thumb_first.tif")
    assert image.size == (128, 160)
    assert "thumbnails" in image.notes[0]
    small = case("thumb_first.tif", part="0")
    assert small.size < image.size


def test_logluv_is_light_in_xyz(case):
    image = case("cv_logluv.tiff")
    assert (image.domain, image.primaries) == ("nits", XYZ)
    assert image.pixels[0, :, 0, 0].tolist() == pytest.approx(
        [47.672478, 49.685936, 40.485985], rel=1e-6
    )  # libtiff 4.7.1


def test_exr_header_fields_that_the_library_refuses_do_not_matter(case):
    plain = case("plain.exr")
    for name in ("attr_latin1.exr", "attr_deepstate.exr"):
        assert torch.equal(case(name).pixels, plain.pixels)


def test_exr_channels_by_long_names_and_blenders_layers(case):
    image = case("RedGreenBlue.exr")
    assert image.pixels.shape == (1, 3, 48, 64)
    combined = case("blender.exr")
    assert torch.equal(combined.pixels, image.pixels)
    assert "Main.Combined" in combined.notes[0]
    assert torch.equal(case("blender.exr", layer="Main.Combined").pixels, combined.pixels)


def test_a_position_pass_is_no_image(case):
    with pytest.raises(UsageError, match="position or normal pass"):
        case("xyz_lower.exr")


def test_a_tiff_without_pages_is_said_to_have_none(case):
    with pytest.raises(FileError, match="has no pages"):
        case("empty.tif")


@pytest.mark.parametrize("start", [(2, 2, 0, 40), (1, 1, 1, 129)])
def test_flat_radiance_whose_first_pixel_looks_like_a_marker(tmp_path, start):
    width, height = 40, 5
    rgbe = np.random.default_rng(0).integers(1, 255, (height, width, 4)).astype(np.uint8)
    rgbe[..., 3] = 130
    rgbe[0, 0] = start
    path = tmp_path / "x.hdr"
    path.write_bytes(
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + f"-Y {height} +X {width}\n".encode() + rgbe.tobytes()
    )
    expected = rgbe[..., :3] * np.ldexp(1.0, rgbe[..., 3:].astype(int) - 136)
    assert np.allclose(read(path).pixels[0].permute(1, 2, 0).numpy(), expected)
