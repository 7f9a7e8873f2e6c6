"""Numbers of light and code, by hand: anchors, thresholds of what is counted, thumbnails, a display's white."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hdrq.encoding.code_images import clipped_line, pq_image
from hdrq.encoding.display_model import lowest, raised, with_white
from hdrq.encoding.displays import display
from hdrq.encoding.emission import anchored, encode, gamut_note, geometric_mean, outside, range_notes
from hdrq.encoding.photometry import (
    InputSpec,
    Photometry,
    Terms,
    as_image,
    emit,
    emit_for,
    factor_of,
    metric_input,
)
from hdrq.encoding.reading import Reading
from hdrq.encoding.thumbnails import _exposure, _mapped, _small, thumbnail
from hdrq.errors import PixelError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, BT2020, P3, Image
from hdrq.registry import find

PU08 = [
    -68.99630839323578,
    -59.73194881381879,
    7.2078639125747435,
    269.52156934244874,
    524.463015665124,
    1470.1666921823796,
]


def image(values, domain: str = "nits", **more) -> Image:
    """Grey pixels of given values, one row."""
    row = torch.tensor(values, dtype=torch.float64)
    return Image(row.expand(1, 3, 1, -1).clone(), domain, **more)


def test_the_geometric_mean_of_what_is_lit_becomes_18_percent_of_203_nits() -> None:
    light = torch.stack([image([0.0, 1.0, 4.0, 16.0]).pixels[0], image([2.0, 2.0, 0.0, 0.0]).pixels[0]])
    assert geometric_mean(light).flatten().tolist() == pytest.approx([4, 2], rel=1e-5)
    assert anchored(light)[:, 0, 0, 1].tolist() == pytest.approx([36.54 / 4, 36.54], rel=1e-5)


@pytest.mark.parametrize("name", ["linear", "srgb", "gamma", "pu21", "pq", "hlg", "mu"])
def test_one_is_100_nits_where_no_white_is_given(name: str) -> None:
    found = find("encoding", name)
    white = 1000.0 if name == "hlg" else 100.0
    light = image([0.5, 20.0, 90.0]).pixels
    assert torch.equal(found.encode(light), found.encode(light, white))
    code = found.encode(light, white)
    assert torch.equal(found.decode(code), found.decode(code, white))


def test_integers_with_a_linear_curve_are_shown_as_their_srgb_code_is() -> None:
    linear = image([0.0, 0.25, 1.0], "linear", bits=16)
    code = image(linear_to_srgb(linear.pixels[0, 0, 0]).tolist(), "srgb", bits=16)
    dim = replace(display("sdr"), name="dim", eotf="2.2", peak_nits=80.0, ambient_lux=100.0)
    shown = replace(code, pixels=linear.pixels ** (1 / 2.2))
    for photometry, same in (
        (Photometry(), code),
        (Photometry(white=250.0), code),
        (Photometry(display=dim), shown),
    ):
        light, wanted = (emit_for(i, photometry, factor_of(i, photometry)).pixels for i in (linear, same))
        assert light.flatten().tolist() == pytest.approx(wanted.flatten().tolist(), rel=1e-9)
    expected = {
        Photometry(scale=3.0): 3,
        Photometry(peak=50.0): 50,
        Photometry(display=display("absolute")): 100,
    }
    expected[Photometry(display=display("hdr-pq-1000"))] = 100.0
    for photometry, peak in expected.items():
        light = emit_for(linear, photometry, factor_of(linear, photometry))
        assert light.pixels.max() == pytest.approx(peak, rel=1e-3)
    green = Image(torch.tensor([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1).double(), "linear", BT2020, 8)
    assert emit(green, primaries=BT709).pixels.flatten().tolist() == pytest.approx([0, 113.29, 0], abs=0.2)
    assert emit_for(replace(linear, white_nits=255.0), Photometry(), 1.0).pixels.max() == 255


def test_pu08_codes_are_those_of_its_table() -> None:
    """Codes of Aydin et al. 2008 as pu2_encode gives them; test_codes_are_the_authors compares more of them with ../shared."""
    found = find("encoding", "pu08")
    light = torch.tensor([1e-5, 0.01, 1.0, 100.0, 5000.0, 1e10], dtype=torch.float64).reshape(1, 1, 1, -1)
    codes = (255 * found.encode(light)).flatten()
    assert codes.tolist() == pytest.approx(PU08, rel=1e-9)
    assert found.decode(codes.reshape(1, 1, 1, -1) / 255).flatten().tolist() == pytest.approx(
        light.flatten().tolist(), rel=1e-6
    )


def test_only_negatives_beyond_rounding_are_outside_a_gamut() -> None:
    """A thousandth of the pixel's largest channel, and 1e-4 cd/m²."""
    pixels = torch.tensor([[10.0, -0.0099, -0.0102], [0.0, -0.9e-4, -1.1e-4], [-5.0, -6e-5, -2e-4]])
    found = outside(pixels.T[None, :, None])[0, :, 0].T
    assert found.tolist() == [[False, False, True], [False, False, True], [True, False, True]]
    assert gamut_note(found, BT709) == ("4 values (44 %) outside the bt709 gamut, clipped",)


def test_shares_of_what_is_clipped_are_stated() -> None:
    screen = display("sdr")
    code = image([0.5, 1 + 9e-7, 1 + 2e-6, -9e-7, -2e-6, 0.0, 1.0, 0.2], "srgb")
    assert "6 values (25 %) of code outside 0..1, clipped" in emit(code, screen).notes
    assert not any("outside 0..1" in n for n in emit(image([1 + 9e-7, -9e-7], "srgb"), screen).notes)
    dark = image([-1.0, 2.0, 3.0, 4.0])
    assert any(n.startswith("3 negative values (25 %, ") for n in emit(dark).notes)


def test_light_is_outside_an_encoding_by_more_than_a_ten_thousandth() -> None:
    pq, pu = find("encoding", "pq"), find("encoding", "pu21")
    light = torch.tensor([10_000.9, 10_001.1, 5.0, 7.0]).reshape(1, 1, 1, -1)
    assert range_notes(light, pq, 100) == ("1 values (25 %) above 10000 cd/m², the maximum of pq, clamped",)
    light = torch.tensor([0.0, 0.00499955, 0.00499945, 5.0]).reshape(1, 1, 1, -1)
    assert range_notes(light, pu, 100) == (
        "1 values (25 %) between 0 and 0.005 cd/m², the minimum of pu21, clamped",
    )
    assert range_notes(light * 1e6, find("encoding", "hlg"), 1000)[0].startswith(
        "3 values (75 %) above 1000 "
    )


def test_a_line_on_clipped_files_names_five() -> None:
    found = {f"refs/{i}.exr": f"{i} values (1 %)" for i in range(8)}
    line = clipped_line(found)
    assert line.endswith("4.exr 4 values (1 %) and 3 more files")
    assert "more" not in clipped_line({k: found[k] for k in list(found)[:5]})
    assert clipped_line({}) == ""


def test_the_same_signal_on_a_display_of_another_white() -> None:
    screen = replace(display("sdr"), ambient_lux=300.0, reflectance=0.02)
    black, gain = raised(screen)
    light = torch.tensor([20.0, 60.0])
    wanted = [(v - black) * 250 / gain for v in (20.0, 60.0)]
    assert with_white(light, screen, 250.0).tolist() == pytest.approx(wanted)
    assert with_white(light, screen, None) is light


def test_stored_grey_of_8_bits_is_a_whole_code() -> None:
    code = Image(torch.tensor([0.1, 0.5, 0.9]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4), "srgb", bits=8)
    spec = InputSpec(reads="code", grey=True)
    luma = 0.2989 * 0.1 + 0.587 * 0.5 + 0.114 * 0.9
    exact = metric_input(code, spec, Photometry(), 1.0, Terms(stored=True))
    whole = metric_input(code, spec, Photometry(), 1.0, Terms(stored=True, eight_bit=True))
    assert exact.mean().item() == pytest.approx(luma, abs=1e-4)
    assert whole.mean().item() == pytest.approx(round(luma * 255) / 255, abs=1e-7)


def test_images_have_four_dimensions_and_one_or_three_channels() -> None:
    assert as_image(torch.zeros(3, 2, 2)).pixels.shape == (1, 3, 2, 2)
    for shape in ((1, 2, 4, 4), (1, 4, 4, 4), (4, 4), (1, 1, 3, 4, 4)):
        with pytest.raises(PixelError, match="1 or 3 channels"):
            as_image(torch.zeros(shape))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_is_a_positive_number(scale: float) -> None:
    with pytest.raises(UsageError, match="positive number of cd/m²"):
        Reading(scale=scale)


def test_pq_code_for_files_has_16_bits() -> None:
    code, notes = pq_image(image([100.0, 1000.0], primaries=P3))
    assert (code.bits, code.primaries, code.pixels.shape[1]) == (16, P3, 3)
    assert code.pixels[0, 0, 0].tolist() == pytest.approx([0.5080784, 0.7518271], abs=1e-6)
    assert notes == ("radiance as PQ code in p3 primaries",)
    assert torch.equal(encode(image([100.0, 1000.0]), "pq").pixels, code.pixels)


def test_thumbnails_are_reinhards_operator_with_the_geometric_mean_at_18_percent() -> None:
    light = image([1.0, 4.0, 16.0]).pixels[0].float()
    exposure = _exposure(light)
    assert exposure == pytest.approx(0.18 / 4, rel=1e-5)
    y = light * exposure
    wanted = linear_to_srgb(y * (1 + y / 16) / (1 + y))
    assert torch.allclose(_mapped(light, exposure), wanted, atol=1e-5)


def test_thumbnails_have_at_most_240_pixels_a_side() -> None:
    large = Image(torch.rand(1, 3, 300, 480), "nits")
    small = _small(large, 240)
    assert small.size == (150, 240)
    assert torch.allclose(small.pixels[0, :, 3, 5], large.pixels[0, :, 6:8, 10:12].mean((1, 2)), atol=1e-6)
    data = thumbnail(large)
    shown = Picture.open(io.BytesIO(base64.b64decode(data.partition(",")[2])))
    assert shown.size == (240, 150)
    assert np.asarray(shown).mean() > 20
    assert _small(large, 480).size == (300, 480)


def test_light_outside_a_displays_range_is_counted_at_both_ends() -> None:
    screen = replace(display("hdr-pq-1000"), black_nits=0.01, floor_nits=0.0, ambient_lux=0.0, lift="cut")
    low, top = lowest(screen), screen.peak_nits
    shown = emit(
        image([low * (1 - 5e-7), low * 0.9, 50.0, top * (1 + 5e-7), top * 1.1, 2 * top, 1.0, 2.0]), screen
    )
    assert any(n.startswith("9 values (38 %) outside the range of ") for n in shown.notes)
    assert not any("outside the range" in n for n in emit(image([low, 50.0, top]), screen).notes)
