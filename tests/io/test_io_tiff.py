"""TIFF: what the tags leave open, and files that one of two decoders cannot decode."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from hdrq.errors import FileError
from hdrq.io import icc, read
from hdrq.records import P3

RANDOM = np.random.default_rng(0)


def tagged(path, tags, pixels):
    """A little-endian TIFF with one page of short and long tags and one strip."""
    entries = {**tags, 273: (4, 0), 279: (4, len(pixels))}
    start = 8 + 2 + 12 * len(entries) + 4
    arrays = b""
    directory = struct.pack("<H", len(entries))
    at = start + len(pixels)
    for code, (kind, value) in sorted(entries.items()):
        if code == 273:
            value = start
        if isinstance(value, tuple):
            directory += struct.pack("<HHII", code, kind, len(value), at + len(arrays))
            arrays += struct.pack(f"<{len(value)}H", *value)
        else:
            directory += struct.pack("<HHII", code, kind, 1, value)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + pixels + arrays)
    return path


def test_a_missing_photometric_interpretation_is_assumed_with_a_note(tmp_path):
    rows = RANDOM.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    sizes = {256: (3, 8), 257: (3, 6), 259: (3, 1), 278: (3, 6)}
    path = tagged(tmp_path / "x.tif", {**sizes, 258: (3, (8, 8, 8)), 277: (3, 3)}, rows.tobytes())
    image = read(path)
    assert np.allclose(image.pixels[0].numpy(), rows.transpose(2, 0, 1) / 255)
    assert image.notes == ("photometric interpretation not stated: assumed RGB",)
    image = read(tagged(path, {**sizes, 258: (3, 8), 277: (3, 1)}, rows[..., 0].tobytes()))
    assert np.allclose(image.pixels[0, 0].numpy(), rows[..., 0] / 255)
    assert image.notes == ("photometric interpretation not stated: assumed MINISBLACK",)


def test_samples_of_different_depths_are_refused_by_their_kind(tmp_path):
    tags = {256: (3, 8), 257: (3, 6), 258: (3, (5, 6, 5)), 259: (3, 1), 262: (3, 2), 277: (3, 3), 278: (3, 6)}
    with pytest.raises(FileError, match="TIFF with samples of 5, 6, 5 bits is not supported; convert it"):
        read(tagged(tmp_path / "x.tif", tags, bytes(96)))


def test_code_of_10_and_12_bits_is_exact(tmp_path):
    for bits in (10, 12, 14):
        rows = RANDOM.integers(0, 2**bits, (16, 16)).astype(np.uint16)
        flat = "".join(f"{v:0{bits}b}" for v in rows.ravel())
        packed = int(flat, 2).to_bytes(len(flat) // 8, "big")
        tags = {
            256: (3, 16),
            257: (3, 16),
            258: (3, bits),
            259: (3, 1),
            262: (3, 1),
            277: (3, 1),
            278: (3, 16),
        }
        image = read(tagged(tmp_path / "x.tif", tags, packed))
        assert image.bits == bits
        assert np.array_equal(image.pixels[0, 0].numpy(), rows.astype(np.float32) / (2**bits - 1))


def test_fax_codes_are_decoded_by_libtiff(tmp_path, monkeypatch):
    rows = RANDOM.random((40, 64)) < 0.9
    out = io.BytesIO()
    Pillow.fromarray(rows).save(out, "TIFF", compression="group4")
    (tmp_path / "x.tif").write_bytes(out.getvalue())
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page, **options: np.ones_like(rows))
    assert np.array_equal(read(tmp_path / "x.tif").pixels[0, 0].numpy(), rows)


def test_bytes_after_the_last_strip_are_no_damage(tmp_path):
    rows = RANDOM.integers(0, 256, (16, 16)).astype(np.uint8)
    tags = {256: (3, 16), 257: (3, 16), 258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1), 278: (3, 16)}
    path = tagged(tmp_path / "x.tif", tags, zlib.compress(rows.tobytes() + bytes(100)))
    assert np.allclose(read(path).pixels[0, 0].numpy(), rows / 255)


def test_floats_with_the_curve_of_a_profile_are_code(tmp_path):
    rows = RANDOM.random((8, 8, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "x.tif", rows, photometric="rgb", metadata=None, iccprofile=icc.profile(P3))
    image = read(tmp_path / "x.tif")
    assert (image.domain, image.primaries) == ("srgb", P3)
    assert "floats of code by the curve of the colour profile" in image.notes[-1]
    linear = icc.profile(P3)
    at = linear.index(b"para")
    linear = linear.replace(linear[at : at + 16], b"curv" + bytes(12))
    tifffile.imwrite(tmp_path / "x.tif", rows, photometric="rgb", metadata=None, iccprofile=linear)
    image = read(tmp_path / "x.tif")
    assert (image.domain, image.primaries, image.notes) == ("nits", P3, ())
