"""One image in every format, encoding and set of primaries that can hold it is the same light within the format's step."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from hdrq.errors import DomainError, UsageError
from hdrq.image.color import convert
from hdrq.image.transfer import nits_to_pq, pq_to_nits, srgb_to_linear
from hdrq.io import read, write
from hdrq.io.png import light_level, mastering
from hdrq.records import BT709, BT2020, P3, Image

GENERATOR = torch.Generator().manual_seed(7)
RAMP = torch.linspace(0, 1, 47).repeat(33, 1)
LIGHT = torch.stack([RAMP, RAMP.flip(1), torch.rand(33, 47, generator=GENERATOR)])[None] ** 3 * 900 + 0.05
PRIMARIES = {"bt709": BT709, "p3": P3, "bt2020": BT2020}
# format -> the steps of its integers
INTEGERS = {".png": 65535, ".tif": 65535, ".avif": 4095, ".jxl": 65535}
LIGHTS = {".exr": 0.0, ".tif": 0.0, ".pfm": 0.0, ".hdr": 1 / 128}  # relative step


def code_of(domain: str, primaries) -> Image:
    """The same light as code of a named encoding."""
    if domain == "srgb":
        return Image((LIGHT / 1000) ** (1 / 2.2), "srgb", primaries)
    if domain == "linear":
        return Image(LIGHT / 1000, "linear", primaries)
    if domain == "pq":
        return Image(nits_to_pq(LIGHT), "pq", primaries)
    return Image((LIGHT / 1000) ** 0.5, domain, primaries)


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("domain", ["srgb", "pq", "hlg", "linear"])
@pytest.mark.parametrize("suffix", INTEGERS)
def test_code_keeps_its_values_domain_and_primaries(tmp_path, suffix, domain, primaries):
    image = code_of(domain, PRIMARIES[primaries])
    for pixels in (image.pixels, image.pixels[:, :1]):
        path = tmp_path / f"x{suffix}"
        options = {"depth": "uint16"} if suffix == ".tif" else {}
        write(path, image.with_pixels(pixels), **options)
        back = read(path)
        assert back.domain == domain
        if pixels.shape[1] == 3 or suffix in (".png", ".tif"):
            assert back.primaries == image.primaries
        assert back.pixels.shape == pixels.shape
        assert (back.pixels - pixels).abs().max() <= 0.501 / INTEGERS[suffix]


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("suffix", LIGHTS)
def test_light_keeps_its_values_and_colours(tmp_path, suffix, primaries):
    own = PRIMARIES[primaries]
    path = tmp_path / f"x{suffix}"
    notes = write(path, Image(LIGHT, "nits", own))
    back = read(path)
    assert back.domain == "nits"
    expected = convert(LIGHT.double(), own, back.primaries)  # PFM has no primaries and holds BT.709
    assert (back.primaries == own) or (suffix == ".pfm" and "converted to BT.709" in notes[0])
    brightest = expected.abs().amax(1, keepdim=True)
    assert ((back.pixels - expected).abs() <= (LIGHTS[suffix] / 2 + 1e-6) * brightest + 1e-6).all()


def test_eight_bits_of_srgb_are_exact_in_every_lossless_format(tmp_path):
    values = torch.randint(0, 256, (1, 3, 20, 30), generator=GENERATOR)
    image = Image(values / 255, "srgb", bits=8)
    for suffix in (".png", ".tif", ".avif", ".jxl"):
        write(tmp_path / f"x{suffix}", image)
        back = read(tmp_path / f"x{suffix}")
        assert back.bits == 8
        assert torch.equal((back.pixels * 255).round(), values.float())


@pytest.mark.parametrize("bits", [8, None])
@pytest.mark.parametrize("primaries", ["bt709", "p3", "bt2020"])
@pytest.mark.parametrize("domain", ["srgb", "pq", "hlg", "linear"])
def test_lossy_jpeg_xl_is_near_and_nearer_with_quality(tmp_path, domain, primaries, bits):
    smooth = torch.nn.functional.interpolate(LIGHT[..., :12, :12], (96, 96), mode="bicubic")
    own = PRIMARIES[primaries]
    image = Image((smooth / smooth.max()).clamp(0.1, 1) ** (1 / 2.2), domain, own, bits)
    errors = {}
    for quality in (10, 50, 95):
        write(tmp_path / "x.jxl", image, quality=quality)
        back = read(tmp_path / "x.jxl")
        plain = (domain, primaries) == ("srgb", "bt709")
        assert (back.domain, back.primaries, back.bits) == (domain, own, 8 if plain else bits or 16)
        errors[quality] = (back.pixels - image.pixels).abs().mean().item()
    assert 0 < errors[95] < errors[50] < errors[10] < 0.1
    assert errors[95] < 0.025
    with pytest.raises(UsageError, match="quality 1 to 100"):
        write(tmp_path / "y.jxl", image, quality=0)


@pytest.mark.parametrize("domain", ["srgb", "pq", "hlg", "linear"])
def test_flat_colours_of_a_lossy_jpeg_xl_keep_their_code(tmp_path, domain):
    """Primaries, curve and intensity target as the encoder was told are those that the header states."""
    colour = torch.tensor([0.6, 0.45, 0.3]).reshape(1, 3, 1, 1).expand(1, 3, 64, 64).contiguous()
    write(tmp_path / "x.jxl", Image(colour, domain, BT2020), quality=99, bits=12)
    assert (read(tmp_path / "x.jxl").pixels - colour).abs().max() < 0.004


def test_pq_of_light_and_back_is_the_identity_to_half_a_code(tmp_path):
    code = torch.arange(0, 65536, 7).float().reshape(1, 1, 1, -1) / 65535
    write(
        tmp_path / "x.png",
        Image(nits_to_pq(pq_to_nits(code.double())).float().expand(1, 3, -1, -1), "pq", BT2020),
    )
    assert ((read(tmp_path / "x.png").pixels - code).abs() * 65535).max() <= 0.5


def test_formats_that_cannot_say_what_code_means_refuse_it(tmp_path):
    for domain in ("pq", "pu21"):
        with pytest.raises(DomainError, match=f"values are {domain} code; write"):
            write(tmp_path / "x.pfm", Image(torch.ones(1, 3, 4, 4), domain))
    with pytest.raises(DomainError, match="too few for PQ"):
        write(tmp_path / "x.jpg", code_of("pq", BT2020))
    for suffix in (".avif", ".jxl"):
        with pytest.raises(DomainError, match="no code points for pu21 code"):
            write(tmp_path / f"x{suffix}", Image(torch.ones(1, 3, 4, 4), "pu21"))
        with pytest.raises(DomainError, match="encode the image first"):
            write(tmp_path / f"x{suffix}", Image(LIGHT))


@pytest.mark.parametrize("primaries", ["bt709", "p3"])
def test_ultra_hdr_reads_back_as_the_light_that_was_written(tmp_path, primaries):
    own = PRIMARIES[primaries]
    smooth = torch.nn.functional.interpolate(LIGHT[..., :16, :16], (96, 128), mode="bicubic").clamp(0.05, 900)
    shown = (smooth / 203 / (1 + smooth / 203)).clamp(0, 1)
    base = Image(shown ** (1 / 2.2), "srgb", own, bits=8)
    path = tmp_path / "x.jpg"
    write(path, Image(smooth, "nits", own), base=base, quality=100)
    back = read(path)
    assert (back.domain, back.primaries, back.white_nits) == ("linear", own, 203)
    stops = torch.log2((back.pixels * 203 + 3.2) / (smooth + 3.2)).abs()
    assert stops.max() < 0.15
    assert stops.mean() < 0.02
    sdr = read(path, layer="base")
    assert sdr.primaries == own
    assert (sdr.pixels - base.pixels).abs().max() < 0.03


def test_ultra_hdr_is_read_alike_by_libultrahdr(tmp_path):
    import imagecodecs

    smooth = torch.nn.functional.interpolate(LIGHT[..., :16, :16], (96, 128), mode="bicubic").clamp(0.05, 900)
    base = Image((smooth / 203 / (1 + smooth / 203)).clamp(0, 1) ** (1 / 2.2), "srgb", bits=8)
    path = tmp_path / "x.jpg"
    write(path, Image(smooth), base=base, quality=100)
    theirs = imagecodecs.ultrahdr_decode(path.read_bytes())[..., :3].astype(np.float64)  # libultrahdr 1.4.0
    ours = read(path).pixels[0].permute(1, 2, 0).numpy()
    assert np.abs(np.log2((theirs + 1 / 64) / (ours + 1 / 64))).max() < 0.05


def test_png_states_light_level_and_mastering_display(tmp_path):
    image = code_of("pq", BT2020)
    write(tmp_path / "x.png", image, display=(1000, 0.005))
    said = mastering(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    chromaticities = struct.unpack_from(">8H", data, data.index(b"mDCV") + 4)
    assert chromaticities == (
        35400,
        14600,
        8500,
        39850,
        6550,
        2300,
        15635,
        16450,
    )  # BT.2020 in steps of 0.00002
    most, mean = light_level(image)
    assert most == pytest.approx(float(LIGHT.max()), rel=1e-4)
    assert mean == pytest.approx(float(LIGHT.amax(1).mean()), rel=1e-4)
    assert said == pytest.approx(
        {"peak_nits": 1000, "black_nits": 0.005, "max_cll": most, "max_fall": mean}, abs=1e-4
    )


def test_other_programs_see_wide_gamut_through_a_profile(tmp_path):
    from PIL import Image as Pillow
    from PIL import ImageCms

    image = Image(torch.full((1, 3, 8, 8), 0.5), "srgb", P3, bits=8)
    image.pixels[:, 0] = 1.0
    write(tmp_path / "x.jpg", image, quality=100)
    picture = Pillow.open(tmp_path / "x.jpg")
    profile = ImageCms.ImageCmsProfile(__import__("io").BytesIO(picture.info["icc_profile"]))
    srgb = ImageCms.createProfile("sRGB")
    shown = np.asarray(ImageCms.profileToProfile(picture, profile, srgb, outputMode="RGB"))[4, 4] / 255
    expected = convert(srgb_to_linear(torch.tensor([1.0, 0.5, 0.5]).double().reshape(1, 3, 1, 1)), P3)
    seen = srgb_to_linear(torch.tensor(shown))
    assert seen[1:].tolist() == pytest.approx(expected[0, 1:, 0, 0].tolist(), abs=0.01)
