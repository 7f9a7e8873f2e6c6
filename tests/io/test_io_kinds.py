"""Bitmaps of all kinds, and what is refused by its kind."""

from __future__ import annotations

import re
import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from hdrq.errors import FileError, TooLarge
from hdrq.io import icc, read
from hdrq.io.formats import sniff
from hdrq.records import P3


def test_a_bitmap_of_four_bits_a_channel(tmp_path):
    words = np.array([[0x0F00, 0x00F0], [0x000F, 0x0777]], "<u2")
    masks = struct.pack("<4I", 0x0F00, 0x00F0, 0x000F, 0)
    head = struct.pack("<IiiHHIIiiII", 40, 2, -2, 1, 16, 3, 8, 0, 0, 0, 0) + masks
    data = b"BM" + struct.pack("<IHHI", 14 + len(head) + 8, 0, 0, 14 + len(head)) + head + words.tobytes()
    path = tmp_path / "x.bmp"
    path.write_bytes(data)
    seen = (read(path).pixels[0] * 15).round().permute(1, 2, 0).tolist()
    assert seen == [[[15, 0, 0], [0, 15, 0]], [[0, 0, 15], [7, 7, 7]]]


@pytest.mark.parametrize(("header", "used"), [(40, 300), (40, 70_000), (16, 0)])
def test_a_bitmap_with_a_palette_of_any_stated_size(tmp_path, header, used):
    palette = np.random.default_rng(2).integers(0, 256, (300, 4)).astype(np.uint8)
    index = np.arange(256, dtype=np.uint8).reshape(16, 16)
    head = struct.pack("<IiiHHIIiiII", header, 16, 16, 1, 8, 0, 256, 0, 0, used, 0)[:header]
    start = 14 + header + palette.nbytes
    data = b"BM" + struct.pack("<IHHI", start + 256, 0, 0, start) + head + palette.tobytes() + index.tobytes()
    (tmp_path / "x.bmp").write_bytes(data)
    expected = palette[index[::-1]][..., 2::-1].transpose(2, 0, 1) / 255
    assert np.abs(read(tmp_path / "x.bmp").pixels[0].numpy() - expected).max() < 1e-6


def test_a_bitmap_with_a_header_of_a_size_that_does_not_exist_is_refused(tmp_path):
    head = struct.pack("<IiiHHIIiiII", 66, 4, 4, 1, 8, 0, 16, 0, 0, 0, 0)
    start = 14 + 40 + 1024
    data = b"BM" + struct.pack("<IHHI", start + 16, 0, 0, start) + head + bytes(1024 + 16)
    (tmp_path / "x.bmp").write_bytes(data)
    with pytest.raises(FileError):
        read(tmp_path / "x.bmp")


def test_the_profile_of_a_bitmap_is_heeded(tmp_path):
    profile = icc.profile(P3)
    rows = np.random.default_rng(2).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    head = struct.pack("<IiiHHIIiiII", 124, 4, -4, 1, 24, 0, 48, 0, 0, 0, 0)
    head += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + 48, len(profile), 0)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + head + rows.tobytes() + profile
    (tmp_path / "x.bmp").write_bytes(data)
    image = read(tmp_path / "x.bmp")
    assert image.primaries == P3
    assert np.abs(image.pixels[0].numpy() - rows[..., ::-1].transpose(2, 0, 1) / 255).max() < 1e-6


def brand(*names):
    return struct.pack(">I", 8 + 4 * (len(names) + 1)) + b"ftyp" + names[0] + bytes(4) + b"".join(names[1:])


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"SDPX", "DPX"),
        (b"P6\n8 8\n255\n", "Netpbm (PPM)"),
        (b"\0\0\1\0\1\0", "Windows icon"),
        (b"FLV\1", "Flash video"),
        (b"G" + bytes(187) + b"G" + bytes(187) + b"G", "MPEG transport stream"),
        (b"\xff\xd8\xff\xf7", "JPEG-LS"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"<?xml version='1.0'?>\n<svg xmlns=''>", "SVG"),
        (brand(b"heic"), "HEIC"),
        (brand(b"mif1", b"mif1", b"heic"), "HEIC"),
        (brand(b"mif1", b"miaf"), "HEIF"),
        (brand(b"mif3", b"avif"), "HEIF with minimised headers"),
        (brand(b"abcd", b"abcd"), "the ISO media format 'abcd'"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_kind(tmp_path, start, kind):
    path = tmp_path / "x.png"
    path.write_bytes(start + bytes(64))
    with pytest.raises(FileError, match=re.escape(f"{kind} is not supported; convert it")):
        read(path)


def test_kinds_without_a_signature_are_named_by_their_suffix(tmp_path):
    (tmp_path / "x.tga").write_bytes(b"\0\0\2" + bytes(60))
    with pytest.raises(FileError, match="Targa is not supported"):
        read(tmp_path / "x.tga")
    (tmp_path / "x.icc").write_bytes(bytes(36) + b"acsp" + bytes(60))
    with pytest.raises(FileError, match=r"is no image \(ICC profile\)"):
        read(tmp_path / "x.icc")


def test_brands_are_read_to_the_end_of_their_list(tmp_path):
    assert sniff(brand(b"mif1", *[b"miaf"] * 8, b"avif")).name == "avif"
    assert sniff(brand(b"XAVC", b"XAVC", b"mp42")).name == "clip"
    assert sniff(brand(b"crx ", b"crx ", b"isom")) is None


def test_jpegs_of_other_kinds_are_not_called_damaged(tmp_path):
    rows = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    (tmp_path / "x.jpg").write_bytes(imagecodecs.ljpeg_encode(rows))
    with pytest.raises(FileError, match="JPEG of 16 bits and 1 components is not supported; convert it"):
        read(tmp_path / "x.jpg")
    coded = imagecodecs.jpegls_encode(rows)
    (tmp_path / "x.jpg").write_bytes(coded[:2] + b"\xff\xe0\0\x04ab" + coded[2:])
    with pytest.raises(FileError, match="JPEG-LS is not supported; convert it"):
        read(tmp_path / "x.jpg")


def test_the_orientation_of_a_png_is_noted_and_not_applied(tmp_path):
    exif = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, 6, 0, 0)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    png = imagecodecs.png_encode(np.zeros((4, 6, 3), np.uint8))
    (tmp_path / "x.png").write_bytes(png[:33] + chunk + png[33:])
    image = read(tmp_path / "x.png")
    assert image.size == (4, 6)
    assert image.notes == ("EXIF orientation 6 not applied: pixels in the order of the file",)


def test_an_animation_too_large_for_pillow_is_not_called_damaged(tmp_path):
    palette = b"\0\0\0\xff\xff\xff"
    data = b"GIF89a" + struct.pack("<HHBBB", 40_000, 40_000, 0x80, 0, 0) + palette
    data += b"," + struct.pack("<HHHHB", 0, 0, 40_000, 40_000, 0) + b"\x02\x02\x44\x01\0;"
    (tmp_path / "x.gif").write_bytes(data)
    with pytest.raises(TooLarge, match="more pixels than Pillow decodes"):
        read(tmp_path / "x.gif")
