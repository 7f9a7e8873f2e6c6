"""hdrq encode: light to code and back, with displays, primaries and what a format cannot say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import hdrq
from hdrq.cli.app import main
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry, Side
from hdrq.records import BT2020, P3, Image
from hdrq.scoring.run import score


@pytest.fixture
def run(capsys):
    """run("encode", ...) is (exit code, stderr)."""

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        return int(left.value.code or 0), capsys.readouterr().err

    return call


def ramp(primaries, bits: int = 16) -> Image:
    """Code of every channel from 0 to 1, each in another order."""
    random = np.random.default_rng(1)
    most = 2**bits - 1
    code = np.stack([random.permutation(np.linspace(0, most, 48 * 64).round()) for _ in range(3)])
    return Image(torch.from_numpy(code.reshape(1, 3, 48, 64) / most).float(), "pq", primaries, bits)


@pytest.mark.parametrize("primaries", [BT2020, P3], ids=lambda p: p.name)
def test_pq_to_light_and_back_is_the_identity_to_half_a_code(tmp_path, run, primaries):
    hdrq.write(tmp_path / "a.png", ramp(primaries))
    assert run("encode", tmp_path / "a.png", tmp_path / "l.exr", "--decode", "--depth", "float")[0] == 0
    light = hdrq.read(tmp_path / "l.exr")
    assert (light.domain, light.primaries) == ("nits", primaries)
    assert light.pixels.max() == pytest.approx(10_000, rel=1e-5)
    assert run("encode", tmp_path / "l.exr", tmp_path / "b.png", "--to", "pq")[0] == 0
    back = hdrq.read(tmp_path / "b.png")
    assert (back.domain, back.primaries, back.bits) == ("pq", primaries, 16)
    assert ((back.pixels - ramp(primaries).pixels).abs() * 65535).max() <= 0.5


@pytest.mark.parametrize(
    ("primaries", "row"),
    [
        (BT2020, (0.26270021, 0.67799807, 0.05930172)),  # Y of ITU-R BT.2020-2's chromaticities and D65
        (P3, (0.22897456, 0.69173852, 0.07928691)),  # Y of SMPTE RP 431-2's primaries and D65
    ],
)
def test_luminance_is_that_of_the_files_own_primaries_to_a_millionth(tmp_path, primaries, row):
    """psnr of PU21 of Y of HDR10-like files against float64 from published weights."""
    a = ramp(primaries)
    b = replace(a, pixels=(a.pixels * 0.98).mul(65535).round() / 65535)
    ys = []
    for name, image in (("a", a), ("b", b)):
        hdrq.write(tmp_path / f"{name}.png", image)
        code = image.pixels.double()
        x = code ** (1 / 78.84375)
        nits = 10_000 * ((x - 0.8359375).clamp(min=0) / (18.8515625 - 18.6875 * x)) ** (1 / 0.1593017578125)
        ys.append(
            Image((nits * torch.tensor(row, dtype=torch.float64)[None, :, None, None]).sum(1, keepdim=True))
        )
    expected = hdrq.metric("pu21:psnr")(*ys).item()
    (found,) = score([(tmp_path / "a.png", tmp_path / "b.png")], ["y:pu21:psnr"])
    assert found.value == pytest.approx(expected, rel=1e-6)


def test_decoding_on_a_display_has_its_black_and_its_room(tmp_path, run):
    hdrq.write(
        tmp_path / "a.png", Image(torch.tensor([0.0, 1.0]).expand(1, 3, 8, 2).contiguous(), "srgb", bits=8)
    )
    asked = ("--display", "sdr", "--black", "0.5", "--ambient", "100", "--reflectance", "0.01")
    assert (
        run("encode", tmp_path / "a.png", tmp_path / "l.exr", "--decode", "--depth", "float", *asked)[0] == 0
    )
    light = hdrq.read(tmp_path / "l.exr").pixels
    reflected = 100 * 0.01 / np.pi
    assert light.min().item() == pytest.approx(0.5 + reflected, rel=1e-5)
    assert light.max().item() == pytest.approx(100 + reflected, rel=1e-5)
    assert run("encode", tmp_path / "a.png", tmp_path / "p.exr", "--decode", "--depth", "float")[0] == 0
    assert hdrq.read(tmp_path / "p.exr").pixels.min() == 0


@pytest.mark.parametrize("encoding", ["pq", "hlg", "srgb"])
def test_room_light_is_no_part_of_a_signal(tmp_path, run, encoding):
    hdrq.write(tmp_path / "a.exr", Image(torch.linspace(1, 90, 96).reshape(1, 1, 8, 12).expand(1, 3, 8, 12)))
    codes = []
    for lux in ("0", "500"):
        name = tmp_path / f"{lux}.png"
        asked = ("--display", "hdr-pq-1000", "--ambient", lux)
        code, said = run("encode", tmp_path / "a.exr", name, "--to", encoding, *asked)
        assert code == 0
        assert ("not included" in said) == (lux == "500")
        codes.append(hdrq.read(name).pixels)
    assert torch.equal(*codes)


@pytest.mark.parametrize("suffix", [".pfm", ".hdr"])
def test_code_is_not_written_where_it_would_be_read_as_light(tmp_path, run, suffix):
    hdrq.write(tmp_path / "a.exr", Image(torch.full((1, 3, 8, 8), 50.0)))
    code, said = run("encode", tmp_path / "a.exr", tmp_path / f"x{suffix}", "--to", "pq")
    assert code == 3
    assert "pq code" in said
    assert ".png" in said
    assert not (tmp_path / f"x{suffix}").exists()


def test_either_side_has_its_own_display(tmp_path):
    """White of the same code: 100 cd/m² on one screen, 400 on the other, against light of 400."""
    ones = torch.ones(1, 3, 16, 16)
    hdrq.write(tmp_path / "code.png", Image(ones, "srgb", bits=8))
    hdrq.write(tmp_path / "light.exr", Image(400 * ones), depth="float")
    pair = (tmp_path / "light.exr", tmp_path / "code.png")
    bright = replace(display("sdr"), name="bright", peak_nits=400.0)
    values = []
    for photometry in (
        Photometry(dist=Side(display=bright)),
        Photometry(ref=Side(display=bright)),
        Photometry(display=display("sdr"), ref=Side(display=display("absolute"))),
    ):
        (row,) = score([pair], ["log-rmse"], photometry=photometry)
        values.append((row.value, row.display))
    assert values[0][0] == pytest.approx(0, abs=1e-6)
    assert values[1][0] > 0.5
    assert values[2][0] == pytest.approx(values[1][0], rel=1e-5)
    assert values[0][1] != values[1][1]
    (row,) = score([pair[::-1]], ["log-rmse"], photometry=Photometry(ref=Side(display=bright)))
    assert row.value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("suffix", ["png", "jxl", "exr"])
@pytest.mark.parametrize("asked", [(), ("--display", "phone"), ("--display", "sdr", "--black", "0.7")])
def test_srgb_code_encoded_as_srgb_stays_what_it_is(tmp_path, run, suffix, asked):
    """What the display adds to a signal, its black and the room's light, does not enter the code."""
    code = torch.linspace(0, 255, 96).round().reshape(1, 1, 8, 12).expand(1, 3, 8, 12) / 255
    hdrq.write(tmp_path / "a.png", Image(code.contiguous(), "srgb", P3, 8))
    assert run("encode", tmp_path / "a.png", tmp_path / f"b.{suffix}", "--to", "srgb", *asked)[0] == 0
    back = hdrq.read(tmp_path / f"b.{suffix}")
    assert (back.domain, back.primaries) == ("srgb", P3)
    assert ((back.pixels - code).abs() * 255).max() < 0.01


@pytest.mark.parametrize("domain", ["pq", "hlg"])
@pytest.mark.parametrize("screen", ["", "standard_hdr_{}", "hdr-{}-1000"])
def test_hdr_code_encoded_as_itself_stays_what_it_is(tmp_path, run, domain, screen):
    code = torch.linspace(0.1, 0.7, 96).reshape(1, 1, 8, 12).expand(1, 3, 8, 12).contiguous()
    hdrq.write(tmp_path / "a.png", Image(code, domain, BT2020), depth="uint16")
    asked = ("--display", screen.format(domain)) if screen else ()
    assert run("encode", tmp_path / "a.png", tmp_path / "b.png", "--to", domain, *asked)[0] == 0
    assert (hdrq.read(tmp_path / "b.png").pixels - code).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("signal", "screen"),
    [("srgb", "sdr"), ("srgb", "phone"), ("gamma", "sdr"), ("gamma", "sdr-gog"),
     ("pq", "standard_hdr_pq"), ("pq", "hdr-pq-1000"), ("hlg", "standard_hdr_hlg"), ("hlg", "hdr-hlg-1000")],
)  # fmt: skip
def test_light_and_the_signal_encoded_for_a_display_look_alike_on_it(tmp_path, run, signal, screen):
    """Within the range of the display, without the room's light, which a display adds to a signal only."""
    random = torch.Generator().manual_seed(3)
    light = 1.5 + 60 * torch.rand(1, 3, 24, 24, generator=random) ** 2
    hdrq.write(tmp_path / "a.exr", Image(light), depth="float")
    shown = ("--display", screen, "--ambient", "5")
    code, _ = run("encode", tmp_path / "a.exr", tmp_path / "b.png", "--to", signal, *shown)
    assert code == 0
    dark = replace(display(screen, ambient_lux=5.0), reflectance=0.0)
    (row,) = score(
        [(tmp_path / "a.exr", tmp_path / "b.png")],
        ["pu-psnr"],
        photometry=Photometry(dist=Side(display=dark)),
    )
    assert row.value > 60, row


def test_code_of_a_power_is_shown_by_its_own_curve(tmp_path):
    """sRGB code and code of a power of 2.2 of the same light are the same picture on an sRGB display."""
    light = Image(torch.linspace(1, 99, 192).reshape(1, 3, 8, 8).contiguous())
    codes = [hdrq.encode(light, name) for name in ("srgb", "gamma")]
    for screen in (None, display("standard_4k")):
        shown = hdrq.metric("log-rmse", photometry=Photometry(display=screen))(*codes)
        assert shown.item() < 1e-6


@pytest.mark.parametrize("suffix", ["jxl", "avif"])
@pytest.mark.parametrize("primaries", [BT2020, P3], ids=lambda p: p.name)
def test_lossy_files_have_the_tags_of_lossless_ones(tmp_path, run, primaries, suffix):
    random = torch.Generator().manual_seed(2)
    clouds = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 6, generator=random), (64, 72), mode="bicubic"
    )
    hdrq.write(tmp_path / "a.exr", Image(5 + 400 * clouds.clamp(0, 1), "nits", primaries))
    errors = []
    for quality in ("40", "90"):
        target = tmp_path / f"{quality}.{suffix}"
        assert run("encode", tmp_path / "a.exr", target, "--to", "pq", "--quality", quality)[0] == 0
        image = hdrq.read(target)
        assert (image.domain, image.primaries) == ("pq", primaries)
        (row,) = score([(tmp_path / "a.exr", target)], ["pq:mse"])
        errors.append(row.value)
    assert 0 < errors[1] < errors[0] < 2e-3
    code, said = run("encode", tmp_path / "a.exr", tmp_path / "x.png", "--to", "pq", "--quality", "90")
    assert code == 3
    assert "no option quality" in said
