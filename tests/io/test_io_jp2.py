"""JPEG 2000: the colours are those that the boxes state."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pytest
import torch

from hdrq.errors import FileError
from hdrq.image.transfer import srgb_to_linear
from hdrq.io import icc, read
from hdrq.records import BT2020, P3

ROWS = np.random.default_rng(7).integers(0, 256, (24, 32, 3)).astype(np.uint8)
X = ROWS.transpose(2, 0, 1) / 255


def encoded(rows):
    return bytes(imagecodecs.jpeg2k_encode(rows, level=0, reversible=True, codecformat="j2k", mct=False))


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def jp2(path, rows, *inner):
    """A JP2 of these components whose header has these boxes."""
    height, width = rows.shape[:2]
    count = rows.shape[2] if rows.ndim == 3 else 1
    head = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, 7, 7, 0, 0))
    path.write_bytes(
        box(b"jP  ", b"\r\n\x87\n")
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", head + b"".join(inner))
        + box(b"jp2c", encoded(rows))
    )
    return path


def colour(space):
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, space))


def channels(*found):
    return box(
        b"cdef", struct.pack(">H", len(found)) + b"".join(struct.pack(">3H", *channel) for channel in found)
    )


def seen(path):
    return read(path).pixels[0].numpy()


def sycc(rgb):
    """Y'CbCr of full range, rounded."""
    r, g, b = rgb.astype(np.float64).transpose(2, 0, 1)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return (
        np.stack([y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128], -1).round().clip(0, 255).astype(np.uint8)
    )


def test_code_of_every_depth_is_exact(tmp_path):
    for rows, most in ((ROWS, 255), (ROWS[..., 0], 255), (ROWS.astype(np.uint16) * 257, 65535)):
        (tmp_path / "x.j2k").write_bytes(encoded(rows))
        planes = rows.transpose(2, 0, 1) if rows.ndim == 3 else rows[None]
        assert np.abs(seen(tmp_path / "x.j2k") - planes / most).max() < 1e-6


def test_sycc_is_converted_whatever_the_order_of_its_channels(tmp_path):
    coded = sycc(ROWS // 2 + 64)
    expected = (ROWS // 2 + 64).transpose(2, 0, 1) / 255
    plain = jp2(tmp_path / "a.jp2", coded, colour(18))
    turned = jp2(
        tmp_path / "b.jp2",
        np.ascontiguousarray(coded[..., ::-1]),
        colour(18),
        channels((0, 0, 3), (1, 0, 2), (2, 0, 1)),
    )
    assert np.abs(seen(plain) - expected).max() < 1.6 / 255
    assert np.array_equal(seen(plain), seen(turned))


def test_channels_are_ordered_and_alpha_found_by_their_definition(tmp_path):
    four = np.concatenate([np.full((24, 32, 1), 128, np.uint8), ROWS[..., ::-1]], -1)
    where = channels((0, 1, 0), (1, 0, 3), (2, 0, 2), (3, 0, 1))
    path = jp2(tmp_path / "a.jp2", np.ascontiguousarray(four), colour(16), where)
    image = read(path)
    assert np.abs(image.pixels[0].numpy() - X).max() < 1e-6
    assert "alpha ignored" in image.notes[0]
    assert read(path, alpha=True).pixels.shape[1] == 4


def test_a_palette_is_looked_up(tmp_path):
    table = np.array([[255, 0, 10], [0, 128, 20], [7, 8, 9]], np.uint8)
    index = np.random.default_rng(3).integers(0, 3, (16, 16)).astype(np.uint8)
    palette = box(b"pclr", struct.pack(">HB", 3, 3) + b"\7\7\7" + table.tobytes())
    mapped = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, c) for c in (2, 1, 0)))
    image = read(jp2(tmp_path / "a.jp2", index, palette, mapped, colour(16)))
    assert np.abs(image.pixels[0].numpy() - table[index][..., ::-1].transpose(2, 0, 1) / 255).max() < 1e-6


def test_profiles_and_code_points_are_heeded(tmp_path):
    profile = box(b"colr", b"\2\0\0" + icc.profile(P3))
    image = read(jp2(tmp_path / "a.jp2", ROWS, profile, colour(16)))
    assert (image.domain, image.primaries) == ("srgb", P3)
    points = box(b"colr", b"\5\0\0" + struct.pack(">HHHB", 9, 16, 0, 0x80))
    image = read(jp2(tmp_path / "b.jp2", ROWS, points))
    assert (image.domain, image.primaries) == ("pq", BT2020)


def test_a_curve_of_a_profile_is_applied(tmp_path):
    profile = icc.profile(P3)
    at = profile.index(b"para")
    gamma = b"para\0\0\0\0" + struct.pack(">HxxI", 0, round(1.8 * 65536))
    profile = profile.replace(profile[at : at + 16], gamma)
    image = read(jp2(tmp_path / "a.jp2", ROWS, box(b"colr", b"\2\0\0" + profile)))
    assert image.primaries == P3
    light = srgb_to_linear(image.pixels[0].double())
    assert torch.allclose(light, torch.from_numpy(X) ** 1.8, atol=2e-4)


def test_components_of_another_size_than_the_image_are_expanded(tmp_path):
    """All samples lie two pixels apart: the header of a codestream with its sizes doubled."""
    data = bytearray(encoded(ROWS))
    for at in (8, 12, 24, 28):  # width and height of the image and of its tiles
        struct.pack_into(">I", data, at, 2 * struct.unpack_from(">I", data, at)[0])
    for component in range(3):
        data[43 + 3 * component : 45 + 3 * component] = b"\2\2"
    (tmp_path / "x.j2k").write_bytes(data)
    assert seen(tmp_path / "x.j2k").shape == (3, 48, 64)


def test_what_has_no_meaning_here_is_refused_by_its_kind(tmp_path):
    four = np.concatenate([ROWS, ROWS[..., :1]], -1)
    for rows, space, kind in (
        (four, 12, "CMYK without a colour profile"),
        (ROWS, 14, "CIELab"),
        (ROWS, 24, "e-sYCC"),
    ):
        with pytest.raises(FileError, match=f"{kind} is not supported; convert it to RGB"):
            read(jp2(tmp_path / "x.jp2", rows, colour(space)))
    data = bytearray(encoded(ROWS))
    data[42] |= 0x80
    (tmp_path / "x.j2k").write_bytes(data)
    with pytest.raises(FileError, match="signed JPEG 2000 is not supported"):
        read(tmp_path / "x.j2k")
    (tmp_path / "x.j2k").write_bytes(encoded(ROWS)[:60])
    with pytest.raises(FileError, match="is damaged"):
        read(tmp_path / "x.j2k")
