"""Files that hdrq tonemap and merge write beside PNG: AVIF, JPEG XL, Ultra HDR, and what PQ in a PNG states."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.image.color import convert
from hdrq.image.statistics import luminance
from hdrq.image.transfer import pq_to_nits, srgb_to_linear
from hdrq.io.png import mastering
from hdrq.records import BT709, Image
from hdrq.tonemapping.plan import plan
from hdrq.tonemapping.tonemap import tonemap
from hdrq.tonemapping.ultra_hdr import hdr_light
from shooting import save, shoot
from shooting import scene as rendered


def scene(h: int = 48, w: int = 64) -> Image:
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    light = 10 ** (-1 + 4 * x) * (1 + 0.5 * torch.sin(8 * y))
    return Image(torch.stack([light, 0.9 * light, 0.7 * light])[None], "nits")


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in argv])
    return int(stop.value.code or 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    io.write(tmp_path / "s.exr", scene())
    return tmp_path / "s.exr"


@pytest.mark.parametrize("suffix", ["avif", "jxl"])
@pytest.mark.parametrize(
    ("display", "domain", "primaries"),
    [("sdr", "srgb", "bt709"), ("hdr-pq-1000", "pq", "bt2020"), ("hdr-hlg-1000", "hlg", "bt2020")],
)
def test_avif_and_jpeg_xl_are_tagged_and_hold_the_code_of_the_png(
    file, tmp_path, suffix, display, domain, primaries
):
    for name in ("a.png", f"a.{suffix}"):
        assert run("tonemap", file, tmp_path / name, "--display", display) == 0
    png, other = io.read(tmp_path / "a.png"), io.read(tmp_path / f"a.{suffix}")
    assert (other.domain, other.primaries.name) == (domain, primaries)
    steps = 255 if domain == "srgb" else 4095 if suffix == "avif" else 65535
    assert float((png.pixels - other.pixels).abs().max()) <= 0.5 / steps + 0.5 / 65535 + 1e-6


@pytest.mark.parametrize(("display", "word"), [("hdr-pq-1000", "PQ"), ("hdr-hlg-1000", "HLG")])
def test_eight_bits_of_jpeg_are_refused_for_pq_and_hlg(file, tmp_path, capsys, display, word):
    assert run("tonemap", file, tmp_path / "a.jpg", "--display", display) == 3
    assert f"the 8 bits of JPEG are too few for {word}" in capsys.readouterr().err
    assert not (tmp_path / "a.jpg").exists()


def test_pq_in_a_png_states_its_mastering_display_and_light_level(file, tmp_path):
    assert run("tonemap", file, tmp_path / "a.png", "--display", "hdr-pq-1000", "--display-peak", "800") == 0
    said = mastering(tmp_path / "a.png")
    assert said["peak_nits"] == 800
    assert said["black_nits"] == pytest.approx(0.001, abs=1e-4)
    assert 0 < said["max_fall"] < said["max_cll"] <= 801


def test_the_rendition_above_the_base_is_the_scene_at_its_median_ratio():
    base = torch.tensor([0.1, 0.2, 0.4, 0.6, 0.8]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    light = torch.tensor([0.05, 0.2, 0.4, 0.9, 9.0]).reshape(1, 1, 1, 5).expand(1, 3, 1, 5) * 7
    found = hdr_light(light, base, 2.0)[0, 0, 0]
    assert found.tolist() == pytest.approx([0.1, 0.2, 0.4, 0.9, 4.0])


def test_no_channel_of_the_rendition_exceeds_the_headroom():
    base = torch.full((1, 3, 2, 2), 0.5)
    light = torch.ones(1, 3, 2, 2)
    light[..., 0, 0] = torch.tensor([900.0, 90.0, 9.0])
    found = hdr_light(light, base, 3.0)
    assert float(found.max()) == pytest.approx(8)
    assert found[0, :, 0, 0].tolist() == pytest.approx([8, 0.8, 0.08])


def test_a_gain_map_lies_over_the_chosen_operator_and_is_read_back_as_stated(file, tmp_path, capsys):
    assert run("tonemap", file, tmp_path / "a.jpg", "--operator", "drago", "--gain-map", "3") == 0
    words = capsys.readouterr().err
    assert "gain map to light of 3.00 stops above SDR white" in words
    stated = float(words.split("decoded within ")[1].split()[0])
    base, hdr = io.read(tmp_path / "a.jpg", layer="base"), io.read(tmp_path / "a.jpg", layer="hdr")
    drago = tonemap(scene(), plan("drago"))
    assert float((base.pixels - drago.pixels).abs().mean()) < 0.01
    wanted = hdr_light(scene().pixels, srgb_to_linear(drago.pixels), 3.0)
    off = ((hdr.pixels + 1 / 64) / (wanted + 1 / 64)).log2().abs()
    assert float(off.flatten().quantile(0.98)) <= stated + 5e-4 < 0.3
    assert hdr.white_nits == 203
    assert float(luminance(hdr.pixels).max()) > 4


@pytest.mark.parametrize(
    ("target", "extra", "words"),
    [
        ("a.png", ("--gain-map", "3"), "use the suffix .jpg"),
        ("a.jpg", ("--gain-map", "3", "--display", "hdr-pq-1000"), "without --display"),
        ("a.jpg", ("--gain-map", "0"), "--gain-map must be positive and finite"),
        ("a.jpg", ("--gain-map", "nan"), "--gain-map must be positive and finite"),
    ],
)
def test_a_gain_map_that_cannot_be_written_is_refused(file, tmp_path, capsys, target, extra, words):
    assert run("tonemap", file, tmp_path / target, *extra) in (2, 3)
    assert words in capsys.readouterr().err
    assert not (tmp_path / target).exists()


@pytest.mark.parametrize("suffix", ["png", "avif", "jxl"])
def test_radiance_is_merged_to_pq(tmp_path, capsys, suffix):
    light = rendered(64, 96, stops=8)
    frames = save([shoot(light, t, i) for i, t in enumerate((1 / 8, 1 / 2, 2.0))], tmp_path)
    command = ("merge", *frames, "--times", "1/8,1/2,2", "--align", "none", "-o")
    assert run(*command, tmp_path / "m.exr") == 0
    assert run(*command, tmp_path / f"m.{suffix}") == 0
    assert "geometric mean luminance was set to 36.5 cd/m²" in capsys.readouterr().err
    code, light = io.read(tmp_path / f"m.{suffix}"), io.read(tmp_path / "m.exr")
    assert (code.domain, code.primaries) == ("pq", light.primaries)
    back = convert(pq_to_nits(code.pixels.double()), code.primaries, BT709)
    y = luminance(light.pixels.double())
    factor = 0.18 * 203 / float(y[y > 0].log().mean().exp())
    assert torch.allclose(luminance(back), y * factor, rtol=0.01, atol=1e-3)


def test_radiance_is_not_merged_to_jpeg(tmp_path, capsys):
    frames = save([shoot(rendered(64, 96, stops=8), t, i) for i, t in enumerate((1 / 8, 1.0))], tmp_path)
    assert run("merge", *frames, "--times", "1/8,1", "-o", tmp_path / "m.jpg") == 2
    assert "8 bits of JPEG cannot hold radiance" in capsys.readouterr().err
