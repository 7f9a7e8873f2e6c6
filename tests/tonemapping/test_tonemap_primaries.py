"""Tone mapping and expansion keep the primaries of a file, or write those asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.image.color import convert, rgb_to_xyz, weigh, working_in
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear
from hdrq.records import BT709, BT2020, P3, PRIMARIES, XYZ, Image, Primaries
from hdrq.registry import find
from hdrq.scoring.binding import metric
from hdrq.tonemapping.api import expand
from hdrq.tonemapping.api import tonemap as tonemap_by_name
from hdrq.tonemapping.color_correction import CORRECTIONS
from hdrq.tonemapping.plan import parameters_of, plan, read_parameters
from hdrq.tonemapping.tonemap import tonemap

# Operators that change luminance and keep the ratios of the channels, or that compute in a space of their own.
OF_LUMINANCE = (
    "agx",
    "ashikhmin",
    "bt2446a",
    "bt2446c",
    "chiu",
    "drago",
    "durand",
    "exponential",
    "ferwerda",
    "kim-kautz",
    "krawczyk",
    "linear",
    "lischinski",
    "logarithmic",
    "reinhard",
    "reinhard-bilateral",
    "reinhard-local",
    "schlick",
    "sigmoid",
    "tumblin-rushmeier",
    "van-hateren",
    "vinker",
    "ward-1994",
    "ward-1997",
    "yee-pattanaik",
)
EXPANDERS = ("akyuz", "banterle-2006", "huo-2013", "huo-2014", "kuo", "meylan", "rempel")


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in argv])
    return int(stop.value.code or 0)


def light(within: Primaries = BT709) -> torch.Tensor:
    """Coloured light of five stops inside the gamut of BT.709."""
    random = torch.Generator().manual_seed(0)
    level = 2 ** (5 * torch.rand(1, 1, 24, 32, generator=random, dtype=torch.float64))
    colour = 0.4 + 0.6 * torch.rand(1, 3, 24, 32, generator=random, dtype=torch.float64)
    return convert(20 * level * colour, BT709, within)


def saturated(path: Path, primaries: Primaries = BT2020) -> Path:
    """A file with the pure primaries of a gamut, and a ramp of grey."""
    pixels = torch.zeros(1, 3, 32, 32)
    for channel in range(3):
        pixels[:, channel, 8 * channel : 8 * channel + 8] = 100.0
    pixels[..., 24:, :] = torch.logspace(0, 3, 32)
    io.write(path, Image(pixels, "nits", primaries))
    return path


@pytest.mark.parametrize("name", OF_LUMINANCE)
def test_operators_of_luminance_give_the_same_light_in_every_working_space(name):
    operator = find("tonemapper", name)
    narrow = operator.render(light())
    with working_in(BT2020):
        wide = operator.render(light(BT2020))
    assert torch.allclose(convert(wide, BT2020, BT709), narrow, atol=3e-4)
    wrong = convert(operator.render(light(BT2020)), BT2020, BT709)
    if name not in ("ferwerda", "linear", "ward-1994"):  # these use one average of luminance
        assert float((wrong - narrow).abs().max()) > 1e-3


@pytest.mark.parametrize("name", EXPANDERS)
def test_expanders_of_luminance_give_the_same_light_in_every_working_space(name):
    code = linear_to_srgb(light() / 700)
    wide_code = linear_to_srgb(light(P3) / 700)
    narrow = find("expander", name)(code)
    wide = expand(Image(wide_code, "srgb", P3), name)
    assert wide.primaries == P3
    assert torch.allclose(
        convert(wide.pixels, P3, BT709), narrow, rtol=2e-3, atol=1e-3 * float(narrow.mean())
    )


@pytest.mark.parametrize("name", ["linear", "mantiuk-linear", "pouli", "luminance"])
def test_colour_corrections_give_the_same_light_in_every_working_space(name):
    picture = find("tonemapper", "reinhard").render(light())
    narrow = CORRECTIONS[name](light(), picture)
    with working_in(BT2020):
        wide = CORRECTIONS[name](light(BT2020), convert(picture, BT709, BT2020))
    assert torch.allclose(convert(wide, BT2020, BT709), narrow, atol=2e-3)


@pytest.mark.parametrize("primaries", [P3, BT2020], ids=lambda p: p.name)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "avif", "jxl"])
def test_a_wide_file_is_written_in_its_own_primaries_and_tagged(tmp_path, capsys, suffix, primaries):
    source = saturated(tmp_path / "s.exr", primaries)
    assert run("tonemap", source, tmp_path / f"a.{suffix}") == 0
    assert "clipped" not in capsys.readouterr().err
    made = io.read(tmp_path / f"a.{suffix}")
    assert (made.domain, made.primaries) == ("srgb", primaries)
    share = srgb_to_linear(made.pixels)
    for channel in range(3):
        flat = share[0, :, 8 * channel + 4, 16]
        assert float(flat[channel]) > 0.2
        assert float(flat.sum() - flat[channel]) < 0.02  # JPEG: a code or two


def test_the_luminance_of_a_wide_file_is_that_of_its_own_primaries():
    pixels = torch.full((1, 3, 16, 16), 1.0)
    pixels[:, 0] = pixels[:, 2] = 0.0
    made = tonemap(Image(100 * pixels, "nits", BT2020), plan("linear", {"auto": "off", "ev": -8.0}))
    y = weigh(srgb_to_linear(made.pixels.double()), tuple(rgb_to_xyz(made.primaries)[1]))
    assert float(y.mean()) == pytest.approx(0.677998 * 100 / 256, rel=2e-3)


def test_other_primaries_are_written_and_colours_outside_them_counted(tmp_path, capsys):
    source = saturated(tmp_path / "s.exr")
    assert run("tonemap", source, tmp_path / "a.png", "--primaries", "bt709") == 0
    said = capsys.readouterr().err
    assert "outside the bt709 gamut, clipped" in said
    assert io.read(tmp_path / "a.png").primaries == BT709
    assert run("tonemap", source, tmp_path / "b.png", "--primaries", "bt709", "--gamut", "desaturate") == 0
    assert "outside the bt709 gamut, mapped by desaturate" in capsys.readouterr().err
    assert run("tonemap", source, tmp_path / "c.png", "--primaries", "xyz") == 2
    assert "no display has primaries 'xyz'" in capsys.readouterr().err


def test_a_stated_display_has_primaries_of_its_own(tmp_path):
    source = saturated(tmp_path / "s.exr", P3)
    assert run("tonemap", source, tmp_path / "a.png", "--display", "hdr-pq-1000") == 0
    made = io.read(tmp_path / "a.png")
    assert (made.domain, made.primaries) == ("pq", BT2020)
    assert run("tonemap", source, tmp_path / "b.png", "--display", "sdr", "--primaries", "p3") == 0
    assert io.read(tmp_path / "b.png").primaries == P3


def test_primaries_of_no_display_are_replaced_by_the_smallest_that_hold_the_image():
    for within, expected in ((BT709, BT709), (BT2020, BT2020)):
        colours = torch.eye(3, dtype=torch.float64).repeat(1, 6).reshape(1, 3, 1, 18) * 100 + 1
        made = tonemap(Image(convert(colours, within, XYZ), "nits", XYZ), plan("reinhard"))
        assert made.primaries == expected
        assert any(f"tone-mapped in {expected.name}" in note for note in made.notes)


def test_the_gain_map_of_a_wide_file_gives_its_own_light(tmp_path):
    source = saturated(tmp_path / "s.exr", P3)
    assert run("tonemap", source, tmp_path / "a.jpg", "--gain-map", 3) == 0
    for layer in ("base", "hdr"):
        made = io.read(tmp_path / "a.jpg", layer=layer)
        assert made.primaries == P3
        flat = made.pixels[0, :, 12, 16]  # pure green
        assert float(flat[0]) < 0.15 * float(flat[1])


def test_expanded_light_keeps_its_primaries_or_gets_those_asked_for(tmp_path, capsys):
    code = torch.zeros(1, 3, 32, 32)
    code[:, 1] = torch.linspace(0.1, 1.0, 32)
    io.write(tmp_path / "p3.png", Image(code, "srgb", P3, bits=8))
    assert run("tonemap", tmp_path / "p3.png", tmp_path / "a.exr", "--expand", "rempel") == 0
    own = io.read(tmp_path / "a.exr")
    assert own.primaries == P3
    assert float(own.pixels[:, 0].max()) < 0.01 * float(own.pixels[:, 1].max())  # the green of P3
    capsys.readouterr()
    asked = ("--expand", "rempel", "--primaries")
    assert run("tonemap", tmp_path / "p3.png", tmp_path / "b.exr", *asked, "bt2020") == 0
    other = io.read(tmp_path / "b.exr")
    assert torch.allclose(other.pixels, convert(own.pixels, P3, BT2020).clamp(min=0), rtol=1e-4, atol=1e-3)
    assert run("tonemap", tmp_path / "p3.png", tmp_path / "c.exr", *asked, "bt709") == 0
    assert "outside the bt709 gamut, clipped" in capsys.readouterr().err
    assert run("tonemap", tmp_path / "p3.png", tmp_path / "d.exr", *asked, "bt") == 2


def test_parameter_files_keep_the_primaries(tmp_path):
    (tmp_path / "p.json").write_text(parameters_of(plan("reinhard", primaries="p3")))
    assert read_parameters(tmp_path / "p.json")[2]["primaries"] == "p3"


def test_the_api_takes_primaries_too():
    picture = Image(light(BT2020), "nits", BT2020)
    assert tonemap_by_name(picture, "reinhard").primaries == BT2020
    assert tonemap_by_name(picture, "reinhard", primaries="bt709").primaries == BT709


@pytest.mark.parametrize("primaries", ["p3", "bt2020"])
def test_a_tone_mapping_stage_before_a_metric_uses_the_luminance_of_the_primaries(primaries):
    """One light in two spaces has one score: the operator in front of the metric sees the same luminance."""
    space = PRIMARIES[primaries]
    blurred = torch.nn.functional.avg_pool2d(light(), 3, 1, 1)
    scores = []
    for target in (BT709, space):
        ref, dist = (Image(convert(p, BT709, target), "nits", target) for p in (light(), blurred))
        scores.append(float(metric("reinhard:psnr")(ref, dist)))
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)
