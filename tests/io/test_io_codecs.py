"""JPEG and its heirs: depth kept, what code means, which way up, which layer."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from PIL import features

from hdrq.errors import FileError, UsageError
from hdrq.image.color import convert
from hdrq.io import avif, read, write
from hdrq.io.arrange import ORIENTATION
from hdrq.io.isobmff import Items, items_of
from hdrq.records import BT709, BT2020, P3, Image

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


def pillow(rows, format, **options) -> bytes:
    out = io.BytesIO()
    (rows if isinstance(rows, Pillow.Image) else Pillow.fromarray(rows)).save(out, format, **options)
    return out.getvalue()


# JPEG


def test_jpeg_reads_as_pillow_does(tmp_path):
    data = pillow((SMOOTH * 255).astype(np.uint8), "JPEG", quality=90)
    image = read(put(tmp_path / "x.jpg", data))
    assert np.array_equal(image.pixels[0].numpy(), planar(np.asarray(Pillow.open(io.BytesIO(data))), 255))
    assert (image.bits, image.domain) == (8, "srgb")
    grey = pillow(U8[..., 0], "JPEG", progressive=True)
    assert read(put(tmp_path / "y.jpg", grey)).pixels.shape == (1, 1, 31, 45)


@pytest.mark.parametrize("turn", range(1, 9))
def test_jpeg_is_turned_as_it_is_to_be_seen(tmp_path, turn):
    from PIL import ImageOps

    exif = Pillow.Exif()
    exif[274] = turn
    data = pillow((SMOOTH * 255).astype(np.uint8), "JPEG", quality=100, exif=exif)
    seen = ImageOps.exif_transpose(Pillow.open(io.BytesIO(data)))
    image = read(put(tmp_path / "x.jpg", data))
    assert np.array_equal(image.pixels[0].numpy(), planar(np.asarray(seen), 255))
    assert bool(image.notes) == (turn > 1)


def test_jpeg_xt_is_named_and_content_credentials_are_not(tmp_path):
    data = pillow(U8, "JPEG")

    def with_box(kind):
        body = b"JP" + struct.pack(">HI", 1, 1) + struct.pack(">I", 16) + kind + bytes(8)
        return data[:2] + b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body + data[2:]

    assert "JPEG XT layer not read" in read(put(tmp_path / "x.jpg", with_box(b"RESI"))).notes[0]
    assert read(put(tmp_path / "y.jpg", with_box(b"jumb"))).notes == ()


def test_jpeg_is_written_with_its_meaning(tmp_path):
    image = Image(torch.from_numpy(planar(SMOOTH))[None], "srgb", P3)
    write(tmp_path / "x.jpg", image, quality=98)
    back = read(tmp_path / "x.jpg")
    assert (back.pixels - image.pixels).abs().max() < 0.02
    assert back.primaries is P3
    with pytest.raises(UsageError, match="1 to 100"):
        write(tmp_path / "y.jpg", image, quality=0)


def test_cmyk_is_refused(tmp_path):
    with pytest.raises(FileError, match="CMYK"):
        read(put(tmp_path / "x.jpg", pillow(Pillow.fromarray(U8).convert("CMYK"), "JPEG")))


def test_ultra_hdr_gives_light_above_white(tmp_path):
    light = (SMOOTH * 4).astype(np.float16)
    path = put(
        tmp_path / "x.jpg", imagecodecs.ultrahdr_encode(np.dstack([light, np.ones((64, 80, 1), np.float16)]))
    )
    image = read(path)
    assert (image.domain, image.white_nits) == ("linear", 203)
    assert image.primaries is P3  # libultrahdr writes its base in P3
    shown = convert(image.pixels.double(), P3)[0].permute(1, 2, 0).numpy()
    theirs = imagecodecs.ultrahdr_decode(path.read_bytes())[..., :3].astype(float)  # in BT.709
    assert np.abs(shown - theirs).max() < 0.02
    assert np.abs(shown - light).mean() < 0.02
    assert image.pixels.max() > 2
    base = read(path, layer="base")
    assert (base.domain, base.bits) == ("srgb", 8)
    with pytest.raises(UsageError, match="no gain map"):
        read(put(tmp_path / "y.jpg", pillow(U8, "JPEG")), layer="hdr")


# BMP, AVIF, JPEG XL, JPEG XR


def test_bmp_is_exact(tmp_path):
    assert np.array_equal(read(put(tmp_path / "x.bmp", pillow(U8, "BMP"))).pixels[0].numpy(), planar(U8, 255))
    grey = read(put(tmp_path / "y.bmp", pillow(U8[..., 0], "BMP"))).pixels[0]
    assert np.array_equal(grey.numpy(), planar(U8[..., 0], 255))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_without_loss_is_exact(tmp_path, bits):
    most = 2**bits - 1
    rows = (U16 >> (16 - bits)).astype(np.uint8 if bits == 8 else np.uint16)
    options = {"level": 100, "bitspersample": bits, "primaries": 9, "transfer": 16, "matrix": 0, "speed": 9}
    image = read(put(tmp_path / "x.avif", imagecodecs.avif_encode(rows, **options)))
    assert np.array_equal(image.pixels[0].numpy(), planar(rows, most))
    assert (image.domain, image.primaries, image.bits) == ("pq", BT2020, bits)


@pytest.mark.parametrize(
    ("rows", "bits"),
    [(U8, 8), (U16 >> 6, 10), (U16, 16), (FLOATS / 999, None), (FLOATS.astype(np.float16), None)],
)
def test_jpeg_xl_without_loss_is_exact(tmp_path, rows, bits):
    data = imagecodecs.jpegxl_encode(rows, lossless=True, bitspersample=10 if bits == 10 else None)
    image = read(put(tmp_path / "x.jxl", data))
    assert np.array_equal(image.pixels[0].numpy(), planar(rows, 2**bits - 1 if bits else 1))
    assert image.bits == bits
    assert image.domain == ("srgb" if bits == 8 else "linear")  # what the encoder tags these with


@pytest.mark.skipif(not features.check("avif"), reason="needs a Pillow that writes AVIF")
@pytest.mark.parametrize("turn", range(1, 9))
def test_avif_is_turned_as_it_is_to_be_seen(tmp_path, turn):
    exif = Pillow.Exif()
    exif[274] = turn
    rows = (SMOOTH * 255).astype(np.uint8)
    data = pillow(rows, "AVIF", quality=100, subsampling="4:4:4", exif=exif, speed=9)
    transpose, down, across = ORIENTATION[turn]
    seen = rows.transpose(1, 0, 2) if transpose else rows
    seen = seen[:: -1 if down else 1, :: -1 if across else 1]
    assert np.abs(read(put(tmp_path / "x.avif", data)).pixels[0].numpy() - planar(seen, 255)).max() < 0.02


def tagged_jpeg_xl(white: int, colours: int, transfer: int, intensity: float, turn: int) -> bytes:
    """A 16-bit picture under a header of our own; the decoder takes it only if every bit is in its place."""
    coded = imagecodecs.jpegxl_encode(U16, lossless=True)
    frames = coded[coded.index(b"jxlc") + 4 + 10 :]  # ten bytes of signature and header
    number, length = 0, 0

    def u(value: int, count: int) -> None:
        nonlocal number, length
        number, length = number | value << length, length + count

    def enum(value: int) -> None:
        u(
            *(
                (value, 2)
                if value < 2
                else (2 | (value - 2) << 2, 6)
                if value < 18
                else (3 | (value - 18) << 2, 8)
            )
        )

    for value, count in ((0, 1), (1, 2), (30, 13), (0, 3), (1, 2), (44, 13)):  # 31 rows, 45 columns
        u(value, count)
    for value, count in ((0, 1), (1, 1), (turn - 1, 3), (0, 3)):  # not all default; more fields; orientation
        u(value, count)
    for value, count in (
        (0, 1),
        (3, 2),
        (15, 6),
        (0, 1),
        (0, 2),
        (0, 1),
    ):  # 16 bits, no extra channels, no XYB
        u(value, count)
    u(0, 2)  # a colour encoding without profile
    for code in (0, white, colours):
        enum(code)
    u(0, 1)  # no gamma
    for code in (transfer, 1):
        enum(code)
    u(0, 1)  # tone mapping
    u(int(np.float16(intensity).view(np.uint16)), 16)
    for value, count in ((0, 16), (0, 17), (0, 2), (1, 1)):
        u(value, count)
    stream = b"\xff\x0a" + number.to_bytes((length + 7) // 8, "little") + frames
    head = coded[: coded.index(b"jxlc") - 4]
    return head + struct.pack(">I", len(stream) + 8) + b"jxlc" + stream


@pytest.mark.parametrize(
    ("codes", "domain", "primaries", "white_nits"),
    [
        ((1, 9, 16), "pq", BT2020, None),
        ((1, 9, 18), "hlg", BT2020, None),
        ((1, 11, 13), "srgb", P3, None),
        ((1, 1, 8), "linear", BT709, 4000.0),
    ],
)
def test_jpeg_xl_says_what_its_code_means(tmp_path, codes, domain, primaries, white_nits):
    image = read(put(tmp_path / "x.jxl", tagged_jpeg_xl(*codes, 4000, 1)))
    assert np.array_equal(image.pixels[0].numpy(), planar(U16, 65535))
    assert (image.domain, image.primaries, image.white_nits) == (domain, primaries, white_nits)
    turned = read(put(tmp_path / "y.jxl", tagged_jpeg_xl(*codes, 4000, 6)))
    assert np.array_equal(turned.pixels[0].numpy(), planar(U16, 65535)[:, ::-1].transpose(0, 2, 1))


def test_jpeg_xl_bare_grey_and_alpha(tmp_path):
    data = imagecodecs.jpegxl_encode(U8[..., 0], lossless=True, usecontainer=False)
    assert data[:2] == b"\xff\x0a"
    assert np.array_equal(read(put(tmp_path / "x.jxl", data)).pixels[0].numpy(), planar(U8[..., 0], 255))
    clear = imagecodecs.jpegxl_encode(np.dstack([U8, U8[..., :1]]), lossless=True)
    image = read(put(tmp_path / "y.jxl", clear))
    assert image.pixels.shape[1] == 3
    assert "alpha ignored" in image.notes[0]


@pytest.mark.parametrize("rows", [U8, U16, FLOATS.astype(np.float16), U8[..., 0]])
def test_jpeg_xr_without_loss_is_exact(tmp_path, rows):
    image = read(put(tmp_path / "x.jxr", imagecodecs.jpegxr_encode(rows, level=1.0)))
    floats = rows.dtype.kind == "f"
    assert np.array_equal(image.pixels[0].numpy(), planar(rows, 1 if floats else np.iinfo(rows.dtype).max))
    assert (image.domain, image.white_nits) == (("linear", 80.0) if floats else ("srgb", None))


def test_jpeg_xr_of_32_bit_floats_is_close(tmp_path):
    image = read(put(tmp_path / "x.jxr", imagecodecs.jpegxr_encode(FLOATS, level=1.0)))
    assert np.allclose(image.pixels[0].numpy(), planar(FLOATS), rtol=1e-3)


def with_pyramid_group(data: bytes) -> bytes:
    """An AVIF of one item with an entity group `pymd` that has fields of its own, as heif-enc 1.21 writes it."""
    layers = struct.pack(">HHHHHH", 512, 512, 0, 0, 0, 0)
    group = struct.pack(">IIII", 0, 1, 1, 1) + layers
    group = struct.pack(">I4s", 8 + len(group), b"pymd") + group
    listed = struct.pack(">I4s", 8 + len(group), b"grpl") + group
    at = data.index(b"meta") - 4
    (size,) = struct.unpack_from(">I", data, at)
    offset = next(iter(items_of(Path("a.avif"), data).extents.values()))[0][0]
    meta = struct.pack(">I", size + len(listed)) + data[at + 4 : at + size] + listed
    assert meta.count(struct.pack(">I", offset)) == 1
    meta = meta.replace(struct.pack(">I", offset), struct.pack(">I", offset + len(listed)))
    return data[:at] + meta + data[at + size :]


def test_an_image_pyramid_in_avif_is_read_as_its_primary_image_with_a_note(tmp_path):
    write(tmp_path / "a.avif", Image(torch.rand(1, 3, 16, 24), "srgb", bits=8))
    plain = read(tmp_path / "a.avif")
    (tmp_path / "b.avif").write_bytes(with_pyramid_group((tmp_path / "a.avif").read_bytes()))
    found = read(tmp_path / "b.avif")
    assert torch.equal(found.pixels, plain.pixels)
    assert found.notes == ("image pyramid: its primary image of 24x16 pixels read, its other layers not",)
    assert plain.notes == ()


@pytest.mark.parametrize(
    ("tiles", "said", "expected"),
    [
        (
            [1, 1],
            "'Invalid image grid'",
            "whose grids use a tile more than once is not supported; convert it",
        ),
        ([1, 2], "'Not implemented'", "this variant of AVIF is not supported by libavif"),
        ([1, 2], "'Truncated data'", "is truncated"),
        ([1, 2], "'BMFF parsing failed'", "is damaged or no valid AVIF"),
    ],
)
def test_what_libavif_refuses_is_refused_by_its_kind(tiles, said, expected):
    items = Items(kinds={1: b"av01", 2: b"av01", 3: b"grid"}, references=[(b"dimg", 3, tiles)])
    assert expected in avif._refused(f"avifDecoderParse returned {said}", items)


def test_a_derived_primary_item_that_libavif_does_not_know_is_named():
    said = avif._refused("x returned Missing item", Items(primary=2, kinds={1: b"av01", 2: b"iden"}))
    assert said == ": an AVIF whose primary item is of the type 'iden' is not supported; convert it to PNG"


def test_a_gain_map_that_libavif_refuses_leaves_the_base(tmp_path):
    """An item `tmap` whose metadata are no gain map, which libavif calls an invalid file."""
    write(tmp_path / "a.avif", Image(torch.rand(1, 3, 64, 64), "srgb", bits=8))
    data = (tmp_path / "a.avif").read_bytes()
    at = data.index(b"iinf") - 4
    (old,) = struct.unpack_from(">I", data, at)
    entry = struct.pack(">I4sBxxxHH4sx", 21, b"infe", 2, 2, 0, b"tmap")
    body = bytearray(data[at : at + old] + entry)
    struct.pack_into(">I", body, 0, len(body))
    struct.pack_into(">H", body, 12, 2)
    meta = data.index(b"meta") - 4
    (size,) = struct.unpack_from(">I", data, meta)
    offset, _ = items_of(Path("a.avif"), data).extents[1][0]
    inner = data[meta:at] + bytes(body) + data[at + old : meta + size]
    inner = inner.replace(struct.pack(">I", offset), struct.pack(">I", offset + len(entry)))
    inner = struct.pack(">I", len(inner)) + inner[4:]
    (tmp_path / "b.avif").write_bytes(data[:meta] + inner + data[meta + size :])
    image = read(tmp_path / "b.avif")
    assert torch.equal(image.pixels, read(tmp_path / "a.avif").pixels)
    assert image.notes == ("gain map of an unknown version not applied: base image read",)
