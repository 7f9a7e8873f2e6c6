"""What files say of their colours is heard: profiles, code points, gain maps, pages and names of channels."""

from __future__ import annotations

import io
import re
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Pillow

from hdrq.errors import FileError, UsageError
from hdrq.image.transfer import pq_to_nits, srgb_to_linear
from hdrq.io import gain_map, icc, jxl, jxl_header, read, write
from hdrq.io.color import code_points
from hdrq.records import BT709, BT2020, P3, Image

RANDOM = np.random.default_rng(5)
U8 = RANDOM.integers(0, 256, (24, 32, 3)).astype(np.uint8)


def put(path, data: bytes):
    path.write_bytes(data)
    return path


def profile(curve: bytes, name: str = "test", primaries=BT709) -> bytes:
    """hdrq's own profile of these primaries with another curve and name."""
    made = icc.profile(primaries)
    tags = icc._tags(made)
    words = name.encode("utf-16-be")
    tags["desc"] = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    tags |= dict.fromkeys(("rTRC", "gTRC", "bTRC"), curve)
    at, table, body = 132 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        table += tag.encode() + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return struct.pack(">I", at + len(body)) + made[4:128] + struct.pack(">I", len(tags)) + table + body


def curv(values) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def para(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(f">Hxx{len(numbers)}i", kind, *(round(v * 65536) for v in numbers))


def with_profile(path, made: bytes, rows=U8, **options):
    Pillow.fromarray(rows).save(path, icc_profile=made, **options)
    return read(path)


STEPS = np.linspace(0, 1, 1024)
PQ_TABLE = np.rint(pq_to_nits(torch.from_numpy(STEPS)).numpy() / 10_000 * 65535).astype(int)
HLG_TABLE = np.rint(
    np.where(STEPS <= 0.5, STEPS**2 / 3, (np.exp((STEPS - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    * 65535
).astype(int)
X = U8.transpose(2, 0, 1) / 255


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize(
    ("curve", "light"),
    [
        (curv([round(1.8 * 256)]), X ** (round(1.8 * 256) / 256)),
        (para(0, 2.2), X**2.2),
        (para(1, 2.0, 0.8, 0.2), (0.8 * X + 0.2) ** 2),
        (para(2, 2.0, 0.8, 0.1, 0.05), (0.8 * X + 0.1) ** 2 + 0.05),
        (para(3, 2.0, 0.9, 0.1, 0.2, 0.5), np.where(X >= 0.5, (0.9 * X + 0.1) ** 2, 0.2 * X)),
        (
            para(4, 2.0, 0.9, 0.1, 0.2, 0.5, 0.01, 0.02),
            np.where(X >= 0.5, (0.9 * X + 0.1) ** 2 + 0.01, 0.2 * X + 0.02),
        ),
        (curv([0, 30000, 65535]), np.interp(X, [0, 0.5, 1], [0, 30000 / 65535, 1])),
    ],
)
def test_any_curve_of_a_profile_is_evaluated(tmp_path, curve, light, suffix):
    image = with_profile(
        tmp_path / f"x.{suffix}",
        profile(curve, primaries=P3),
        **({"lossless": True} if suffix == "webp" else {}),
    )
    assert (image.domain, image.primaries) == ("srgb", P3)
    assert np.abs(srgb_to_linear(image.pixels[0].double()).numpy() - light).max() < 2e-4
    assert any("profile applied" in note for note in image.notes)


def test_curves_that_have_a_name_get_it(tmp_path):
    known = {"linear": curv([]), "pq": curv(PQ_TABLE), "hlg": curv(HLG_TABLE)}
    known["srgb"] = para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    for domain, curve in known.items():
        image = with_profile(tmp_path / "x.png", profile(curve, primaries=BT2020))
        assert (image.domain, image.primaries) == (domain, BT2020)
        assert np.allclose(image.pixels[0].numpy(), X)  # as stored


@pytest.mark.parametrize("name", ["ITUR_2100_PQ_FULL", "Rec. ITU-R BT.2100 PQ", "SMPTE ST 2084 BT.2020"])
def test_pq_is_known_by_the_name_of_the_profile(tmp_path, name):
    image = with_profile(tmp_path / "x.jpg", profile(curv([256]), name, BT2020))
    assert (image.domain, image.primaries) == ("pq", BT2020)
    assert "by the name" in image.notes[0]


def test_a_profile_written_is_the_profile_read():
    for primaries in (BT709, P3, BT2020):
        notes: list[str] = []
        meaning = icc.understand(icc.profile(primaries), notes)
        assert (meaning.domain, meaning.primaries, meaning.curve, notes) == ("srgb", primaries, None, [])


def test_code_points_with_other_curves_are_evaluated():
    x = torch.tensor([[0.25, 0.5, 1.0]]).reshape(1, 1, 1, 3)
    for transfer, light in (
        (4, x.double() ** 2.2),
        (5, x.double() ** 2.8),
        (9, 10 ** (2 * (x.double() - 1))),
    ):
        seen = code_points(1, transfer, []).apply(x)
        assert torch.allclose(srgb_to_linear(seen.double()), light, atol=1e-6)


# AVIF


def with_colours_of_the_alpha(data: bytes) -> bytes:
    """An AVIF with alpha whose alpha item gets code points of its own (BT.709, sRGB, as the last in the file)."""
    box = struct.pack(">I4s4sHHHB", 19, b"colr", b"nclx", 1, 13, 0, 0x80)
    at = data.index(b"ipco") - 4
    (size,) = struct.unpack_from(">I", data, at)
    index, inner = 1, at + 8
    while inner < at + size:
        inner += struct.unpack_from(">I", data, inner)[0]
        index += 1
    data = data[:at] + struct.pack(">I", size + 19) + data[at + 4 : at + size] + box + data[at + size :]
    ipma = data.index(b"ipma") - 4
    entry = ipma + 16
    for _ in range(struct.unpack_from(">I", data, ipma + 12)[0] - 1):  # to the last item, the alpha
        entry += 3 + data[entry + 2]
    count = data[entry + 2]
    data = (
        data[: entry + 2]
        + bytes((count + 1,))
        + data[entry + 3 : entry + 3 + count]
        + bytes((index,))
        + data[entry + 3 + count :]
    )
    for name, grown in ((b"ipma", 1), (b"iprp", 20), (b"meta", 20)):
        where = data.index(name) - 4
        data = (
            data[:where]
            + struct.pack(">I", struct.unpack_from(">I", data, where)[0] + grown)
            + data[where + 4 :]
        )
    where = data.index(b"iloc") + 4
    out = bytearray(data)
    entry = where + 8
    for _ in range(struct.unpack_from(">H", data, where + 6)[0]):
        (extents,) = struct.unpack_from(">H", data, entry + 4)
        for k in range(extents):
            at = entry + 6 + 8 * k
            struct.pack_into(">I", out, at, struct.unpack_from(">I", out, at)[0] + 20)
        entry += 6 + 8 * extents
    return bytes(out)


def test_avif_takes_the_properties_of_its_primary_item(tmp_path):
    rows = RANDOM.integers(0, 1024, (16, 24, 4)).astype(np.uint16)
    plain = imagecodecs.avif_encode(
        rows, 100, bitspersample=10, pixelformat="444", primaries=9, transfer=16, matrix=0
    )
    changed = with_colours_of_the_alpha(plain)
    assert np.array_equal(imagecodecs.avif_decode(changed), rows)
    for data in (plain, changed):
        image = read(put(tmp_path / "x.avif", data))
        assert (image.domain, image.primaries, image.bits) == ("pq", BT2020, 10)
        assert np.allclose(image.pixels[0].numpy(), rows[..., :3].transpose(2, 0, 1) / 1023)


def test_the_profile_of_a_lossless_jpeg_xl_is_evaluated_or_said_not_to_be(tmp_path, monkeypatch):
    def parsed(stream):
        head = jxl_header.parse(stream)
        head.profile = True
        return head

    write(tmp_path / "x.jxl", Image(torch.from_numpy(X).float()[None], "srgb", bits=8))
    monkeypatch.setattr(jxl, "parse", parsed)
    monkeypatch.setattr(jxl, "profile_of", lambda data: profile(para(0, 1.8), primaries=P3))
    image = read(tmp_path / "x.jxl")
    assert image.primaries == P3
    assert np.abs(srgb_to_linear(image.pixels[0].double()).numpy() - X**1.8).max() < 2e-4
    monkeypatch.setattr(jxl, "profile_of", lambda data: b"")
    image = read(tmp_path / "x.jxl")
    assert np.allclose(image.pixels[0].numpy(), X)
    assert "cannot be read on this system" in image.notes[0]


def test_avif_without_code_points_takes_those_of_its_stream(tmp_path):
    rows = RANDOM.integers(0, 1024, (16, 24, 3)).astype(np.uint16)
    data = imagecodecs.avif_encode(
        rows, 100, bitspersample=10, pixelformat="444", primaries=9, transfer=16, matrix=0
    )
    image = read(put(tmp_path / "x.avif", data.replace(b"colrnclx", b"freenclx")))
    assert (image.domain, image.primaries) == ("pq", BT2020)
    assert np.allclose(image.pixels[0].numpy(), rows.transpose(2, 0, 1) / 1023)


# gain maps


@pytest.mark.parametrize(
    (
        "code",
        "base",
        "expected",
    ),  # libavif's avifRGBImageApplyGainMap, its test of May 2025: map 0..2, offsets 1/64
    [
        (0.25, 0.5, 0.71357888),
        (0.5, 0.18, 0.375625014),
        (0.75, 1.0, 2.8569963),
        (1.0, 0.75, 3.046875),
        (0.0, 0.1, 0.1),
    ],
)
def test_gain_maps_by_the_standard(code, base, expected):
    gain = gain_map.GainMap(high=(2.0, 2.0, 2.0), alternate_headroom=2.0)
    light = gain.apply(torch.full((1, 3, 2, 2), base), torch.full((1, 1, 1, 1), code))
    assert torch.allclose(light, torch.tensor(expected), atol=1e-6)


def test_gain_map_numbers_survive_both_ways_of_writing():
    gain = gain_map.GainMap(
        (-0.5, 0.0, 0.25),
        (1.5, 2.0, 2.25),
        (1.25, 1.0, 0.5),
        (0.25, 0.125, 0.5),
        (0.0625, 0.5, 0.25),
        0.0,
        3.5,
    )
    assert gain_map.from_iso(gain_map.to_iso(gain), "x") == gain
    by_xmp = gain_map.from_xmp(gain_map.to_xmp(gain), "x")
    assert by_xmp == gain_map.GainMap(**{**gain.__dict__, "source": "Ultra HDR"})
    common = (
        struct.pack(">HHB", 0, 0, 0x48) + struct.pack(">III", 4, 0, 8) + struct.pack(">iiIii", -4, 8, 4, 1, 1)
    )
    assert gain_map.from_iso(common, "x") == gain_map.GainMap(
        (-1.0,) * 3, (2.0,) * 3, (1.0,) * 3, (0.25,) * 3, (0.25,) * 3, 0.0, 2.0
    )
    with pytest.raises(FileError, match="cannot be decoded"):
        gain_map.from_iso(common[:-4], "x")
    with pytest.raises(FileError, match="version 1 is not supported"):
        gain_map.from_iso(b"\0\1" + common[2:], "x")


def jxl_with_gain_map(path, gain, colour=b"", start=b""):
    """A grey JPEG XL of code 128 with a gain map of 1.0; start: other first bytes of the metadata."""
    rows = np.full((8, 8, 3), 128, np.uint8)
    base = imagecodecs.jpegxl_encode(rows, lossless=True, usecontainer=False)
    map_ = imagecodecs.jpegxl_encode(np.full((4, 4), 255, np.uint8), lossless=True, usecontainer=False)
    numbers = gain_map.to_iso(gain)
    numbers = start + numbers[len(start) :]
    bundle = b"\0" + struct.pack(">H", len(numbers)) + numbers + bytes((len(colour),)) + colour
    bundle += struct.pack(">I", 0) + map_

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body) + 8, kind) + body

    head = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return put(path, head + box(b"jxlc", base) + box(b"jhgm", bundle))


def test_a_gain_map_in_jpeg_xl(tmp_path):
    gain = gain_map.GainMap(high=(2.0,) * 3, alternate_headroom=2.0)
    path = jxl_with_gain_map(tmp_path / "x.jxl", gain)
    image = read(path)
    light = float(srgb_to_linear(torch.tensor(128 / 255, dtype=torch.float64)))
    assert torch.allclose(image.pixels, torch.tensor((light + 1 / 64) * 4 - 1 / 64, dtype=torch.float32))
    assert (image.domain, image.white_nits) == ("linear", 203)
    assert torch.allclose(read(path, layer="base").pixels, torch.tensor(128 / 255))
    later = read(jxl_with_gain_map(tmp_path / "y.jxl", gain, start=b"\0\1"))
    assert later.domain == "srgb"
    assert later.notes == ("gain map of an unknown version not applied: base image read",)


def test_a_gain_map_in_jpeg_xl_is_applied_in_the_primaries_that_it_states(tmp_path):
    fields = "00" + "".join(jxl_header._enum(v) for v in (0, 1, 11)) + "0"  # RGB, D65, P3
    fields += jxl_header._enum(13) + jxl_header._enum(1)
    gain = gain_map.GainMap(high=(2.0, 0.0, 0.0), alternate_headroom=2.0, base_primaries=False)
    image = read(jxl_with_gain_map(tmp_path / "x.jxl", gain, jxl_header._packed(fields)))
    light = float(srgb_to_linear(torch.tensor(128 / 255, dtype=torch.float64)))
    assert image.primaries == P3
    expected = torch.tensor([(light + 1 / 64) * 4 - 1 / 64, light, light], dtype=torch.float32)
    assert torch.allclose(image.pixels[0, :, 0, 0], expected, atol=1e-5)
    assert read(tmp_path / "x.jxl", layer="base").primaries == BT709


def test_a_gain_map_between_equal_headrooms_changes_nothing():
    gain = gain_map.GainMap(high=(2.0,) * 3, base_headroom=1.0, alternate_headroom=1.0)
    base = Image(torch.full((1, 3, 2, 2), 0.5), "srgb")
    image = gain_map.rendition(base, torch.ones(1, 1, 1, 1), gain, "hdr")
    assert torch.equal(image.pixels, base.pixels)
    assert "same headroom" in image.notes[-1]


def test_the_properties_of_a_gain_map_may_have_any_prefix():
    gain = gain_map.GainMap(high=(2.0,) * 3, alternate_headroom=2.0)
    packet = gain_map.to_xmp(gain).replace(b"hdrgm:", b"g.m:").replace(b"xmlns:hdrgm", b"xmlns:g.m")
    assert gain_map.from_xmp(packet, "x").high == gain.high


def test_an_hdr_base_leads_to_sdr_with_the_signs_turned():
    xmp = gain_map.to_xmp(gain_map.GainMap(high=(2.0,) * 3, alternate_headroom=2.0)).replace(
        b'IsHDR="False"', b'IsHDR="True"'
    )
    gain = gain_map.from_xmp(xmp, "x")
    assert gain.base_is_hdr
    hdr = torch.full((1, 3, 1, 1), 2.0156250)
    assert torch.allclose(gain.apply(hdr, torch.full((1, 1, 1, 1), 0.5)), torch.tensor(1.0))
    assert (
        gain_map.rendition(Image(hdr, "linear", white_nits=203.0), hdr, gain, "hdr")
        .notes[-1]
        .endswith("base image (HDR) read")
    )


@pytest.mark.parametrize(
    ("maker33", "maker48", "stops"),  # Apple, "Applying Apple HDR effect to your photos"
    [(0.5, 0.005, 1.7), (0.5, 1.0, 1.5), (1.0, 0.005, 2.65), (1.0, 1.0, 2.0), (0.5, 100.0, 0.0)],
)
def test_apples_headroom(maker33, maker48, stops):
    assert gain_map.apple(maker33, maker48).headroom == pytest.approx(2**stops)


def test_apples_map_in_a_jpeg(tmp_path):
    def rational(value: float) -> bytes:
        return struct.pack(">ii", round(value * 1000), 1000)

    note = b"Apple iOS\0\0\1MM" + struct.pack(">H", 2)
    note += struct.pack(">HHII", 33, 10, 1, 44) + struct.pack(">HHII", 48, 10, 1, 52) + struct.pack(">I", 0)
    note += bytes(44 - len(note)) + rational(1.0) + rational(1.0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIII", 1, 0x8769, 4, 1, 26, 0)
    exif += struct.pack(">HHHIII", 1, 0x927C, 7, len(note), 44, 0) + note
    rows = np.full((16, 16, 3), 100, np.uint8)
    first = imagecodecs.jpeg8_encode(rows, level=100, subsampling="444")
    first = first[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + first[2:]
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x>urn:com:apple:photo:2020:aux:hdrgainmap</x>"
    second = imagecodecs.jpeg8_encode(np.full((8, 8), 128, np.uint8), level=100)
    second = second[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + second[2:]
    image = read(put(tmp_path / "x.jpg", first + second))
    share = ((128 / 255 + 0.099) / 1.099) ** (1 / 0.45)
    expected = float(srgb_to_linear(torch.tensor(100 / 255, dtype=torch.float64))) * (
        1 + 3 * share
    )  # headroom 2^2
    assert torch.allclose(image.pixels, torch.tensor(expected, dtype=torch.float32), rtol=1e-5)
    assert "gain map not applied" in read(tmp_path / "x.jpg", layer="base").notes[0]
    bare = read(put(tmp_path / "y.jpg", first.replace(b"Apple iOS", b"Other iOS") + second))
    assert bare.domain == "srgb"  # no headroom, no HDR
    assert re.match("Apple gain map not applied, .* headroom", bare.notes[0])


@pytest.mark.parametrize("order", [1, -1])
def test_a_gain_map_whose_numbers_are_in_the_second_packet_of_xmp_is_applied(tmp_path, order):
    """Adobe's extension for packets above 64 kB, in two parts, which may stand in any order."""
    packet = gain_map.to_xmp(gain_map.GainMap(high=(2.0,) * 3, alternate_headroom=2.0))

    def segment(body: bytes) -> bytes:
        return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body

    cut = packet.index(b"GainMapMax") + 4
    parts = (packet[:cut], packet[cut:])
    segments = segment(b"http://ns.adobe.com/xap/1.0/\0<x/>")
    for part, at in [*zip(parts, (0, cut))][::order]:
        start = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", len(packet), at)
        segments += segment(start + part)
    coded = imagecodecs.jpeg8_encode(np.full((16, 16, 3), 255, np.uint8), level=100)
    image = read(put(tmp_path / "x.jpg", coded + coded[:2] + segments + coded[2:]))
    assert torch.allclose(image.pixels, torch.tensor(4 * (1 + 1 / 64) - 1 / 64), rtol=1e-5)


# TIFF, EXR and the formats of imageio


def test_the_first_page_that_is_no_thumbnail_is_the_image(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(U8[::4, ::4], photometric="rgb", subfiletype=1, subifds=1)
        file.write(U8, photometric="rgb", subfiletype=0)
    image = read(tmp_path / "x.tif")
    assert np.allclose(image.pixels[0].numpy(), X)
    assert read(tmp_path / "x.tif", part="0").size == (6, 8)
    assert "page 0.0 of 2 read, 1 of them thumbnails or masks" in image.notes
    with pytest.raises(UsageError, match=r"pages 0, 0\.0, not '3'"):
        read(tmp_path / "x.tif", part=3)


def test_ycbcr_without_jpeg_is_converted(tmp_path):
    flat = Pillow.new("RGB", (16, 16), (200, 80, 40))
    flat.convert("YCbCr").save(tmp_path / "x.tif", compression="tiff_lzw")
    seen = read(tmp_path / "x.tif").pixels[0, :, 8, 8] * 255
    assert seen.tolist() == pytest.approx([200, 80, 40], abs=2)


def test_logl_is_luminance(tmp_path):
    luminances = np.array([[0.01, 1.0, 100.0, 5000.0]] * 3)
    codes = np.floor(256 * (np.log2(luminances) + 64)).astype(
        ">u2"
    )  # Ward Larson 1998: Le = 256 (log2 Y + 64)
    packed = b""
    for row in codes:
        for shift in (8, 0):  # byte planes, each a run of literals
            packed += bytes((4,)) + bytes((row >> shift & 255).astype(np.uint8))
    tags = [
        (256, 4, 4),
        (257, 4, 3),
        (258, 3, 16),
        (259, 3, 34676),
        (262, 3, 32844),
        (273, 4, 0),
        (277, 3, 1),
    ]
    tags += [(278, 4, 3), (279, 4, len(packed)), (339, 3, 2)]
    start = 8 + 2 + 12 * (len(tags) + 1) + 4
    tags = [(c, k, start + 8 if c == 273 else v) for c, k, v in tags] + [(37439, 12, None)]
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    for code, kind, value in tags:
        packed_value = struct.pack("<I", start) if kind == 12 else struct.pack("<I", value)
        body += struct.pack("<HHI", code, kind, 1) + packed_value
    body += struct.pack("<I", 0) + struct.pack("<d", 179.0) + packed
    image = read(put(tmp_path / "x.tif", body))
    assert (image.domain, image.white_nits, image.pixels.shape) == ("nits", 179, (1, 1, 3, 4))
    assert np.allclose(image.pixels[0, 0].numpy(), luminances, rtol=0.003)


def test_associated_alpha_is_divided_out(tmp_path):
    share = np.full((8, 8), 128, np.uint8)
    stored = np.dstack([np.full((8, 8, 3), 64, np.uint8), share])
    for name, kind, value in (("assocalpha", 1, 64 / 128), ("unassalpha", 2, 64 / 255)):
        tifffile.imwrite(tmp_path / "x.tif", stored, photometric="rgb", extrasamples=[name])
        image = read(tmp_path / "x.tif")
        assert torch.allclose(image.pixels, torch.tensor(value)), kind
        assert ("divided by alpha" in image.notes[0]) == (kind == 1)


def test_exr_header_fields_of_any_kind_are_no_obstacle(tmp_path):
    image = Image(torch.rand(1, 3, 20, 30))
    write(tmp_path / "x.exr", image)
    data = (tmp_path / "x.exr").read_bytes()
    text = "café".encode("latin-1")
    extra = (
        b"s\0string\0"
        + struct.pack("<i", len(text))
        + text
        + b"state\0deepImageState\0"
        + struct.pack("<i", 1)
        + b"\1"
    )
    from hdrq.io.exr.parse import parts_of

    (part,) = parts_of(tmp_path / "x.exr", data)
    at = part.spans[""][0]
    offsets = np.frombuffer(data, "<u8", part.chunks(), at) + np.uint64(len(extra))
    moved = data[:8] + extra + data[8:at] + offsets.tobytes() + data[at + 8 * part.chunks() :]
    assert torch.equal(read(put(tmp_path / "y.exr", moved)).pixels, image.pixels)


def test_webp_gif_and_jpeg_2000_through_imageio(tmp_path):
    Pillow.fromarray(U8).save(tmp_path / "x.webp", lossless=True)
    assert np.allclose(read(tmp_path / "x.webp").pixels[0].numpy(), X)
    grey = Pillow.fromarray(U8[..., 0])
    grey.save(tmp_path / "x.gif", save_all=True, append_images=[grey.rotate(90, expand=False)])
    image = read(tmp_path / "x.gif")
    assert np.allclose(image.pixels[0, 0].numpy(), X[0], atol=1e-6)
    assert "first of 2 frames" in image.notes[0]
    Pillow.fromarray(U8).save(tmp_path / "x.jp2")
    assert np.allclose(read(tmp_path / "x.jp2").pixels[0].numpy(), X)
    deep = RANDOM.integers(0, 65536, (24, 32, 3)).astype(np.uint16)
    image = read(put(tmp_path / "y.jp2", imagecodecs.jpeg2k_encode(deep, level=0, reversible=True)))
    assert image.bits == 16
    assert np.allclose(image.pixels[0].numpy(), deep.transpose(2, 0, 1) / 65535)
    with pytest.raises(FileError, match="is damaged"):
        read(put(tmp_path / "z.webp", b"RIFF\0\0\0\0WEBPVP8 " + bytes(30)))


def test_cmyk_goes_through_its_profile_or_is_refused(tmp_path):
    out = io.BytesIO()
    Pillow.fromarray(U8).convert("CMYK").save(out, "JPEG")
    with pytest.raises(FileError, match="CMYK without a colour profile is not supported; convert it to RGB"):
        read(put(tmp_path / "x.jpg", out.getvalue()))
