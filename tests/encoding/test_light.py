"""Light: displays, primaries, scale; what is refused, what is counted and said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import hdrq
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import (
    Photometry,
    decode,
    emit,
    emit_for,
    encode,
    factor_of,
    looks_relative,
)
from hdrq.errors import DomainError, FileError, PixelError, UnknownName, UsageError
from hdrq.image.color import convert, luminance, rgb_to_rgb, rgb_to_xyz
from hdrq.records import BT709, BT2020, P3, XYZ, Display, Image, Viewing
from hdrq.registry import names


def grey(value: float, domain: str = "nits", **more) -> Image:
    return Image(torch.full((1, 3, 4, 4), value, dtype=torch.float64), domain, **more)


@pytest.mark.parametrize("name", names("display"))
def test_white_and_black_are_the_displays(name: str) -> None:
    d = display(name)
    if d.eotf == "absolute":
        return
    domain = {"pq": "pq", "hlg": "hlg", "linear": "nits", "light": "nits"}.get(d.eotf, "srgb")
    brightest = 1e5 if d.eotf == "light" else 1.0
    white, black = (emit(grey(v, domain), d).pixels.mean().item() for v in (brightest, 0.0))
    top = d.peak_nits if d.reflection == "within" else d.peak_nits + d.reflected_nits
    bottom = max(d.black_nits, d.floor_nits) + d.reflected_nits
    if d.lift == "added":
        top, bottom = top + d.black_nits, d.floor_nits + d.black_nits + d.reflected_nits
    assert white == pytest.approx(top, rel=1e-6)
    assert black == pytest.approx(bottom, rel=1e-6)


def test_ambient_light_within_the_range_keeps_white() -> None:
    """pu21_display_model_gog: black = E/π·k + peak/contrast, light = (peak - black)·V^γ + black."""
    d = Display("t", 500, 0.5, "2.2", ambient_lux=1000, reflectance=0.01, reflection="within")
    black = 1000 / np.pi * 0.01 + 0.5
    v = 0.37
    assert emit(grey(v, "srgb"), d).pixels[0, 0, 0, 0].item() == pytest.approx(
        (500 - black) * v**2.2 + black, rel=1e-12
    )
    assert emit(grey(1.0, "srgb"), d).pixels.mean().item() == pytest.approx(500)


@pytest.mark.shared
@pytest.mark.parametrize("curve", ["srgb", "gamma22", "linear"])
@pytest.mark.parametrize("screen", ["sdr", "hdr", "default"])
def test_display_models_equal_the_domain_adaptation_program(shared, curve: str, screen: str) -> None:
    p = np.load(shared / "parity" / "pu_pq_display.npz")
    peak, lux = {"sdr": (100, 100), "hdr": (5000, 100), "default": (100, 0)}[screen]
    eotf = {"srgb": "srgb", "gamma22": "2.2", "linear": "linear"}[curve]
    d = Display("t", peak, 0.1, eotf, ambient_lux=lux)
    code = torch.from_numpy(p["V"]).reshape(1, 1, 1, -1)
    ours = emit(Image(code, "nits" if eotf == "linear" else "srgb"), d).pixels.flatten()
    theirs = torch.from_numpy(p[f"dm_{curve}_{screen}"]).double()
    assert ((ours - theirs).abs() / theirs).max() < 1e-6


def test_absolute_light_stays_as_it_is() -> None:
    x = torch.rand(1, 3, 5, 7) * 1e5
    assert torch.equal(emit(Image(x, "nits")).pixels, x)


def test_a_real_screen_cuts_what_it_cannot_show() -> None:
    d = display("hdr-pq-1000", ambient_lux=0.0)
    light = emit(Image(torch.tensor([[[[0.0, 500.0, 9000.0]]]]), "nits"), d).pixels.flatten()
    assert light.tolist() == pytest.approx([0.001, 500, 1000])
    x = torch.full((1, 3, 4, 4), 500.0)
    assert (
        "48 values (100 %) outside the range of sdr, 0.1..100 cd/m², clipped"
        in emit(Image(x), display("sdr")).notes[0]
    )


def test_primaries_are_converted_and_white_stays_white() -> None:
    for p in (BT2020, P3):
        assert np.allclose(rgb_to_rgb(p, BT709).sum(1), 1, atol=1e-9)
    assert np.allclose(rgb_to_xyz(BT709)[1], (0.2126390, 0.7151687, 0.0721923), atol=1e-7)  # RP 177 on BT.709
    assert np.allclose(rgb_to_xyz(XYZ), np.eye(3))
    x = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert torch.allclose(convert(convert(x, P3, BT2020), BT2020, P3), x)
    assert torch.allclose(luminance(convert(x, BT709, XYZ))[:, :1], luminance(convert(x, BT709, XYZ)))


def test_a_wide_gamut_file_is_not_its_narrow_twin() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 200
    ref = Image(x, "nits", BT2020)
    twin = Image(x, "nits", BT709)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    s = hdrq.metric("y:pu21:psnr")
    wide = s(ref, replace(ref, pixels=x + noise))
    assert abs(wide - s(twin, replace(twin, pixels=x + noise))) > 0.1


def test_negatives_become_black_and_are_counted() -> None:
    x = torch.tensor([[[[5.0, -2.0]], [[5.0, 1.0]], [[5.0, 1.0]]]])
    light = emit(Image(x, "nits"))
    assert light.pixels.min() == 0
    assert "1 negative" in light.notes[0]


def test_nan_is_refused_with_its_place_and_clamped_on_demand() -> None:
    x = torch.ones(1, 3, 4, 5)
    x[0, 1, 2, 3] = float("nan")
    x[0, 0, 3, 4] = float("inf")
    x[0, 0, 0, 0] = 7.0
    with pytest.raises(
        PixelError, match=r"1 NaN and 1 Inf values, the first at row 2, column 3.*--nonfinite clamp"
    ):
        emit(Image(x))
    light = emit(Image(x), nonfinite="clamp")
    assert light.pixels[0, 1, 2, 3] == 0
    assert light.pixels[0, 0, 3, 4] == 7
    assert "1 NaN and 1 Inf" in light.notes[0]


def test_huge_finite_sums_are_not_mistaken_for_inf() -> None:
    x = torch.full((1, 1, 2, 2), 3e38)
    assert torch.equal(emit(Image(x)).pixels, x)


def test_relative_files_are_told_by_their_look() -> None:
    dim = grey(0.4)
    assert "seems to be relative" in looks_relative(dim, Photometry())
    assert looks_relative(dim, Photometry(scale=100)) is None
    assert looks_relative(grey(150.0), Photometry()) is None
    assert looks_relative(grey(0.4, "srgb"), Photometry()) is None


def test_peak_puts_the_references_brightest_value_there() -> None:
    ref = Image(torch.tensor([[[[0.1, 2.0]]]]))
    assert factor_of(ref, Photometry(peak=1000)) == pytest.approx(500)
    with pytest.raises(PixelError, match="black"):
        factor_of(grey(0.0), Photometry(peak=1000))


def test_code_on_the_wrong_screen_is_refused() -> None:
    with pytest.raises(DomainError, match="--domain pq"):
        emit(grey(0.5, "srgb"), display("hdr-pq-1000"))
    with pytest.raises(DomainError, match="hdr-pq-1000"):
        emit(grey(0.5, "pq"), display("sdr"))


def test_code_and_light_are_told_apart() -> None:
    code = encode(grey(100.0), "pu21")
    assert code.domain == "pu21"
    assert decode(code).pixels.mean().item() == pytest.approx(100)
    with pytest.raises(DomainError, match="only light"):
        encode(code, "pq")
    with pytest.raises(DomainError, match="light"):
        decode(grey(1.0))


def test_viewing_from_the_screen() -> None:
    """A square screen of 1000 pixels that fills exactly 90 degrees."""
    metres_high = 2.0
    inches = metres_high * np.sqrt(2) / 0.0254
    assert Viewing.from_screen(1000, 1000, inches, 1.0).ppd == pytest.approx(1000 / 90)
    with pytest.raises(UsageError):
        Viewing.from_screen(0, 2160, 30, 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"black_nits": 200.0}, "black"),
        ({"peak_nits": -1.0}, "positive"),
        ({"contrast": 0.0}, "contrast"),
        ({"ambient_lux": -5.0}, "ambient"),
    ],
)
def test_impossible_displays_are_refused(changes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        display("sdr", **changes)


def test_a_display_may_be_a_file(tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('peak_nits = 300\ncontrast = 1000\neotf = "2.4"\n')
    d = display(mine)
    assert (d.name, d.black_nits, d.eotf) == ("mine", pytest.approx(0.3), "2.4")
    mine.write_text('peak_nits = 300\ncolour = "red"\n')
    with pytest.raises(FileError, match="unknown key 'colour'"):
        display(mine)
    mine.write_text("peak_nits = [")
    with pytest.raises(FileError, match="not TOML"):
        display(mine)
    with pytest.raises(UnknownName, match="did you mean sdr"):
        display("sdrr")
    with pytest.raises(FileError, match="cannot be read"):
        display(tmp_path / "none.toml")


def test_changes_show_in_the_name() -> None:
    assert display("sdr", peak_nits=300.0).name == "sdr+peak_nits=300"


def test_a_files_white_luminance_counts_until_the_user_speaks() -> None:
    image = grey(0.5, white_nits=80.0)
    assert looks_relative(image, Photometry()) is None
    ref = emit_for(image, Photometry(), 1.0)
    assert ref.pixels.mean().item() == pytest.approx(40)
    assert "whiteLuminance" in ref.notes[0]
    assert emit_for(image, Photometry(scale=10), 10).pixels.mean().item() == pytest.approx(5)
