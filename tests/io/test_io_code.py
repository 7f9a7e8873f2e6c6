"""Files of code, and float files besides EXR: depth kept, domain and primaries told by tags."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Pillow
from PIL import ImageCms

from hdrq.errors import FileError, UsageError
from hdrq.image.transfer import srgb_to_linear
from hdrq.io import read, write
from hdrq.records import BT709, BT2020, P3, Image, Primaries

CHANCE = np.random.default_rng(0)
U8 = CHANCE.integers(0, 256, (31, 45, 3)).astype(np.uint8)
U16 = CHANCE.integers(0, 65536, (31, 45, 3)).astype(np.uint16)
FLOATS = (np.exp(CHANCE.normal(size=(31, 45, 3))) * 90).astype(np.float32)
SMOOTH = np.add.outer(np.linspace(0, 0.5, 64), np.linspace(0, 0.5, 80))[..., None] * np.array([1.0, 0.8, 0.5])


def planar(rows: np.ndarray, most: float = 1) -> np.ndarray:
    return np.atleast_3d(rows).transpose(2, 0, 1).astype(np.float32) / np.float32(most)


def put(path, data: bytes):
    path.write_bytes(data)
    return path


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Chunks after the header of a PNG."""
    made = b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
    )
    return png[:33] + made + png[33:]


def pillow(rows, format, **options) -> bytes:
    out = io.BytesIO()
    (rows if isinstance(rows, Pillow.Image) else Pillow.fromarray(rows)).save(out, format, **options)
    return out.getvalue()


# PFM


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pfm_begins_with_the_bottom_row(tmp_path, order, channels):
    rows = FLOATS[..., :channels]
    head = f"{'PF' if channels == 3 else 'Pf'}\n45 31\n{'-' if order == '<' else ''}1.0\n".encode()
    image = read(put(tmp_path / "x.pfm", head + rows[::-1].astype(order + "f4").tobytes()))
    assert np.array_equal(image.pixels[0].numpy(), planar(rows))
    assert image.domain == "nits"
    assert image.bits is None
    line = read(put(tmp_path / "y.pfm", b"Pf\n3 1\n-1\n" + FLOATS[0, :3, 0].tobytes()))
    assert line.pixels.add_(0).shape == (1, 1, 1, 3)


def test_pfm_comes_back_with_nan_and_inf(tmp_path):
    odd = FLOATS.copy()
    odd[0, 0] = np.nan, np.inf, -1
    write(tmp_path / "x.pfm", Image(torch.from_numpy(planar(odd))[None]))
    assert np.array_equal(read(tmp_path / "x.pfm").pixels[0].numpy(), planar(odd), equal_nan=True)


# PNG


def test_png_of_8_and_16_bits_keeps_every_code(tmp_path):
    for rows, most, bits in ((U8, 255, 8), (U16, 65535, 16), (U16[..., 0].copy(), 65535, 16)):
        image = read(put(tmp_path / "x.png", imagecodecs.png_encode(rows)))
        assert np.array_equal(image.pixels[0].numpy(), planar(rows, most))
        assert (image.bits, image.domain, image.primaries) == (bits, "srgb", BT709)
        write(tmp_path / "y.png", image)
        assert np.array_equal(imagecodecs.png_decode((tmp_path / "y.png").read_bytes()), rows)


def test_png_palettes_and_few_bits_are_unfolded(tmp_path):
    palette = Pillow.fromarray(U8).convert("P")
    image = read(put(tmp_path / "x.png", pillow(palette, "PNG")))
    assert np.array_equal(image.pixels[0].numpy(), planar(np.asarray(palette.convert("RGB")), 255))
    image = read(put(tmp_path / "y.png", pillow(U8[..., 0] > 99, "PNG")))
    assert image.bits == 1
    assert np.array_equal(image.pixels[0, 0].numpy(), (U8[..., 0] > 99).astype(np.float32))


@pytest.mark.parametrize(
    ("codes", "domain", "primaries"),
    [
        ((9, 16, 0, 1), "pq", BT2020),
        ((9, 18, 0, 1), "hlg", BT2020),
        ((12, 13, 0, 1), "srgb", P3),
        ((1, 8, 0, 1), "linear", BT709),
    ],
)
def test_cicp_ranks_highest_and_comes_back(tmp_path, codes, domain, primaries):
    png = with_chunks(
        imagecodecs.png_encode(U16), (b"cICP", bytes(codes)), (b"gAMA", struct.pack(">I", 45455))
    )
    image = read(put(tmp_path / "x.png", png))
    assert (image.domain, image.primaries) == (domain, primaries)
    write(tmp_path / "y.png", image)
    assert b"cICP" + bytes(codes) in (tmp_path / "y.png").read_bytes()
    assert torch.equal(read(tmp_path / "y.png").pixels, image.pixels)


def test_cicp_narrow_range_is_widened(tmp_path):
    rows = np.array([[[16, 16, 16], [235, 235, 235]]], np.uint8)
    image = read(
        put(tmp_path / "x.png", with_chunks(imagecodecs.png_encode(rows), (b"cICP", bytes((9, 16, 0, 0)))))
    )
    assert image.pixels[0, :, 0, 0].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert image.pixels[0, :, 0, 1].tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    assert "narrow range" in image.notes[0]


def test_gama_and_chrm_are_heard(tmp_path):
    png = imagecodecs.png_encode(U8)
    assert (
        read(put(tmp_path / "x.png", with_chunks(png, (b"gAMA", struct.pack(">I", 100000))))).domain
        == "linear"
    )
    plain = read(put(tmp_path / "x.png", with_chunks(png, (b"gAMA", struct.pack(">I", 45455)))))
    assert (plain.domain, plain.notes) == ("srgb", ())
    odd = read(put(tmp_path / "x.png", with_chunks(png, (b"gAMA", struct.pack(">I", 55556)))))
    assert "gAMA 0.55556 applied" in odd.notes[0]
    assert torch.allclose(
        srgb_to_linear(odd.pixels.double()), plain.pixels.double() ** (1 / 0.55556), atol=1e-5
    )
    wide = struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600)
    assert read(put(tmp_path / "x.png", with_chunks(png, (b"cHRM", wide)))).primaries is BT2020
    srgb = with_chunks(png, (b"sRGB", b"\0"), (b"cHRM", wide))
    assert read(put(tmp_path / "x.png", srgb)).primaries is BT709


def test_profiles_name_the_colours(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = read(put(tmp_path / "x.png", pillow(U8, "PNG", icc_profile=srgb)))
    assert (image.primaries, image.domain, image.notes) == (BT709, "srgb", ())
    uhdr = imagecodecs.ultrahdr_encode(np.ones((16, 16, 4), np.float16))
    assert read(put(tmp_path / "p3.jpg", uhdr), layer="base").primaries is P3
    image = read(put(tmp_path / "y.jpg", pillow(U8, "JPEG", icc_profile=b"x" * 200)))
    assert "profile cannot be interpreted" in image.notes[0]


def test_alpha_is_left_out_and_noted(tmp_path):
    clear = np.dstack([U8, U8[..., :1]])
    path = put(tmp_path / "x.png", imagecodecs.png_encode(clear))
    image = read(path)
    assert np.array_equal(image.pixels[0].numpy(), planar(U8, 255))
    assert "alpha ignored" in image.notes[0]
    assert np.array_equal(read(path, alpha=True).pixels[0].numpy(), planar(clear, 255))
    clear[..., 3] = 255
    assert read(put(tmp_path / "y.png", imagecodecs.png_encode(clear))).notes == ()


def test_other_primaries_and_encodings_come_back_from_png_and_tiff(tmp_path):
    odd = Primaries("file", (0.7, 0.3), (0.2, 0.7), (0.14, 0.05), (0.31, 0.32))
    image = Image(torch.rand(1, 3, 9, 9) * 2, "pu21", odd)
    for name in ("x.png", "x.tif"):
        assert write(tmp_path / name, image, ceiling=2.5, depth="uint16") == ()
        back = read(tmp_path / name)
        assert back.domain == "pu21"
        assert back.primaries.red == pytest.approx(odd.red, abs=1e-5)
        assert (back.pixels - image.pixels).abs().max() <= 2.5 / 65535
        assert "values beyond [0, 1] clipped" in write(tmp_path / name, image, depth="uint16")[0]


def test_damaged_png_is_refused(tmp_path):
    whole = imagecodecs.png_encode(U8)
    for at, fault in ((20, "checksum"), (len(whole) // 2, "checksum")):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        with pytest.raises(FileError, match=fault):
            read(put(tmp_path / "x.png", bytes(flipped)))
    with pytest.raises(FileError, match="truncated"):
        read(put(tmp_path / "x.png", whole[:-12]))


# TIFF


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize(
    "rows", [U8, U16, FLOATS, FLOATS.astype(np.float16), U16[..., 0], FLOATS.astype(np.float64)]
)
def test_tiff_keeps_its_depth(tmp_path, rows, compression):
    kind = "rgb" if rows.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "x.tif", rows, compression=compression, photometric=kind)
    image = read(tmp_path / "x.tif")
    floats = rows.dtype.kind == "f"
    assert np.array_equal(image.pixels[0].numpy(), planar(rows, 1 if floats else np.iinfo(rows.dtype).max))
    assert image.domain == ("nits" if floats else "srgb")
    assert image.bits == (None if floats else rows.dtype.itemsize * 8)


def test_tiff_planes_tiles_bytes_pages_palettes_and_inverses(tmp_path):
    path = tmp_path / "x.tif"
    tifffile.imwrite(
        path, planar(U16).astype(np.uint16), photometric="rgb", planarconfig="separate", byteorder=">"
    )
    assert np.array_equal(read(path).pixels[0].numpy(), planar(U16, 65535))
    tifffile.imwrite(
        path, U16, photometric="rgb", tile=(16, 16), bigtiff=True, compression="zlib", predictor=True
    )
    assert np.array_equal(read(path).pixels[0].numpy(), planar(U16, 65535))
    with tifffile.TiffWriter(path) as many:
        many.write(U8)
        many.write(U8[::-1])
    assert np.array_equal(read(path, part=1).pixels[0].numpy(), planar(U8[::-1], 255))
    assert read(path).notes == ("page 0 of 2 read",)
    with pytest.raises(UsageError, match="the pages 0, 1"):
        read(path, part=5)
    put(path, pillow(Pillow.fromarray(U8).convert("P"), "TIFF"))
    palette = np.asarray(Pillow.fromarray(U8).convert("P").convert("RGB"))
    assert np.allclose(read(path).pixels[0].numpy(), planar(palette, 255), atol=1e-3)
    tifffile.imwrite(path, U8[..., 0], photometric="miniswhite")
    assert np.allclose(read(path).pixels[0].numpy(), 1 - planar(U8[..., 0], 255), atol=1e-6)


def test_what_tiff_cannot_mean_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", FLOATS.astype(np.int16), photometric="rgb")
    with pytest.raises(FileError, match="signed integers are not supported"):
        read(tmp_path / "x.tif")
    tifffile.imwrite(tmp_path / "x.tif", np.dstack([U8, U8[..., 0]]), photometric="separated")
    with pytest.raises(FileError, match="CMYK without a colour profile"):
        read(tmp_path / "x.tif")


@pytest.mark.parametrize("depth", ["half", "float"])
def test_light_comes_back_from_tiff(tmp_path, depth):
    values = FLOATS.astype(np.float16 if depth == "half" else np.float32)
    image = Image(torch.from_numpy(planar(values))[None], "nits", BT2020)
    write(tmp_path / "x.tif", image, depth=depth, provenance={"made by": "a test"})
    back = read(tmp_path / "x.tif")
    assert torch.equal(back.pixels, image.pixels)
    assert (back.domain, back.primaries) == ("nits", BT2020)
    assert tifffile.imread(tmp_path / "x.tif").dtype == values.dtype
