"""Radiance pictures: encodings, header variables, orientations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq.errors import FileError
from hdrq.io import read, write
from hdrq.records import BT2020, XYZ, Image

CHANCE = np.random.default_rng(0)
HEIGHT, WIDTH = 13, 21
RGBE = CHANCE.integers(128, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)
RGBE[..., 3] = CHANCE.integers(120, 150, (HEIGHT, WIDTH))
RGBE[3:5, 2:15] = RGBE[3, 2]  # something to repeat
RGBE[7, 7] = 0


def light(rgbe: np.ndarray) -> np.ndarray:
    """(3, H, W): mantissa · 2^(exponent - 136); exponent 0 is black."""
    exponent = rgbe[..., 3:].astype(float)
    return np.where(exponent > 0, rgbe[..., :3] * 2.0 ** (exponent - 136), 0).transpose(2, 0, 1)


def old_runs(lines: np.ndarray) -> bytes:
    """1 1 1 n repeats the pixel before."""
    out = bytearray()
    for line in lines:
        at = 0
        while at < len(line):
            run = 1
            while at + run < len(line) and (line[at + run] == line[at]).all():
                run += 1
            out += line[at].tobytes()
            if run > 1:
                out += bytes((1, 1, 1, run - 1))
            at += run
    return bytes(out)


def new_runs(lines: np.ndarray) -> bytes:
    """Channel by channel: 128 + n and a byte, or n and n bytes."""
    out = bytearray()
    for line in lines:
        out += bytes((2, 2, len(line) >> 8, len(line) & 255))
        for channel in line.T:
            at = 0
            while at < len(channel):
                run = 1
                while at + run < len(channel) and run < 127 and channel[at + run] == channel[at]:
                    run += 1
                out += bytes((128 + run, channel[at])) if run > 1 else bytes((1, channel[at]))
                at += run
    return bytes(out)


CODERS = {"flat": np.ndarray.tobytes, "old": old_runs, "new": new_runs}


def store(path, body, size=f"-Y {HEIGHT} +X {WIDTH}", *variables, form="32-bit_rle_rgbe"):
    head = "\n".join(["#?RADIANCE", "# a comment", *variables, f"FORMAT={form}", "", size, ""])
    path.write_bytes(head.encode() + body)
    return path


@pytest.mark.parametrize("kind", CODERS)
def test_flat_old_and_new_scan_lines_say_the_same(tmp_path, kind):
    image = read(store(tmp_path / "x.hdr", CODERS[kind](RGBE)))
    assert np.array_equal(image.pixels[0].numpy(), light(RGBE).astype(np.float32))
    assert image.domain == "nits"
    assert image.notes == ()


def test_kinds_of_lines_may_mix(tmp_path):
    body = new_runs(RGBE[:5]) + old_runs(RGBE[5:])
    assert np.array_equal(
        read(store(tmp_path / "x.hdr", body)).pixels[0].numpy(), light(RGBE).astype(np.float32)
    )


def test_a_long_old_run_counts_in_256s(tmp_path):
    body = bytes((200, 100, 50, 130)) + bytes((1, 1, 1, 43)) + bytes((1, 1, 1, 3))  # 1 + 43 + 3 * 256
    pixels = read(store(tmp_path / "x.hdr", body, "-Y 14 +X 58")).pixels
    assert pixels.shape == (1, 3, 14, 58)
    assert (pixels[0, 0] == 200 * 2.0**-6).all()


@pytest.mark.parametrize("kind", ["flat", "new"])
@pytest.mark.parametrize("size", ["-Y {h} +X {w}", "-Y {h} -X {w}", "+Y {h} +X {w}", "+Y {h} -X {w}"])
def test_rows_may_run_any_way(tmp_path, size, kind):
    stored = RGBE[:: 1 if size[0] == "-" else -1, :: -1 if "-X" in size else 1]
    image = read(store(tmp_path / "x.hdr", CODERS[kind](stored), size.format(h=HEIGHT, w=WIDTH)))
    assert np.array_equal(image.pixels[0].numpy(), light(RGBE).astype(np.float32))


@pytest.mark.parametrize("kind", ["flat", "new"])
@pytest.mark.parametrize("size", ["+X {w} -Y {h}", "-X {w} -Y {h}", "+X {w} +Y {h}", "-X {w} +Y {h}"])
def test_scan_lines_may_be_columns(tmp_path, size, kind):
    columns = RGBE[:: 1 if "-Y" in size else -1, :: -1 if size[0] == "-" else 1].transpose(1, 0, 2)
    body = CODERS[kind](np.ascontiguousarray(columns))
    image = read(store(tmp_path / "x.hdr", body, size.format(h=HEIGHT, w=WIDTH)))
    assert image.size == (HEIGHT, WIDTH)
    assert np.array_equal(image.pixels[0].numpy(), light(RGBE).astype(np.float32))


def test_exposure_and_colour_correction_multiply_up_and_are_undone(tmp_path):
    variables = ("EXPOSURE= 2.0", "EXPOSURE=4", "COLORCORR= 1 2 0.5", "COLORCORR=2 1 1")
    image = read(store(tmp_path / "x.hdr", RGBE.tobytes(), f"-Y {HEIGHT} +X {WIDTH}", *variables))
    expected = light(RGBE) / 8 / np.array([2, 2, 0.5])[:, None, None]
    assert np.allclose(image.pixels[0].numpy(), expected, rtol=1e-6)
    assert any("EXPOSURE 8" in note for note in image.notes)
    assert any("COLORCORR 2 2 0.5" in note for note in image.notes)


def test_variables_of_ancestors_are_not_this_pictures(tmp_path):
    lines = ("\tEXPOSURE=4", "pfilt -e 3", "\tFORMAT=ascii", "GAMMA=1", "PRIMARIES=0 0 0 0 0 0 0 0")
    image = read(store(tmp_path / "x.hdr", RGBE.tobytes(), f"-Y {HEIGHT} +X {WIDTH}", *lines))
    assert np.array_equal(image.pixels[0].numpy(), light(RGBE).astype(np.float32))
    assert image.notes == ()


def test_nonsense_variables_are_noted(tmp_path):
    lines = ("EXPOSURE=0", "EXPOSURE=nan", "EXPOSURE=", "PRIMARIES= 1 2 3", "PIXASPECT=2", "GAMMA=2.2")
    image = read(store(tmp_path / "x.hdr", RGBE.tobytes(), f"-Y {HEIGHT} +X {WIDTH}", *lines))
    assert len(image.notes) == 6
    assert np.array_equal(image.pixels[0].numpy(), light(RGBE).astype(np.float32))


def test_padded_numbers_and_carriage_returns_are_read(tmp_path):
    image = read(store(tmp_path / "x.hdr", RGBE.tobytes(), f"-Y     {HEIGHT} +X     {WIDTH}  "))
    assert image.size == (HEIGHT, WIDTH)
    (tmp_path / "y.hdr").write_bytes(
        b"#?RGBE\r\nFORMAT=32-bit_rle_rgbe\r\n\r\n-Y 13 +X 21\n" + RGBE.tobytes()
    )
    assert torch.equal(read(tmp_path / "y.hdr").pixels, image.pixels)


def test_xyze_and_primaries_name_the_colours(tmp_path):
    assert read(store(tmp_path / "x.hdr", RGBE.tobytes(), form="32-bit_rle_xyze")).primaries is XYZ
    wide = "PRIMARIES= .708 .292 .170 .797 .131 .046 .3127 .3290"
    assert (
        read(store(tmp_path / "y.hdr", RGBE.tobytes(), f"-Y {HEIGHT} +X {WIDTH}", wide)).primaries is BT2020
    )


@pytest.mark.parametrize("name", ["bt709", "bt2020", "xyz"])
def test_written_pixels_are_within_half_a_step(tmp_path, name):
    from hdrq.records import PRIMARIES

    values = torch.exp(torch.randn(1, 3, 40, 50, generator=torch.manual_seed(1)) * 4)
    values[0, :, 0, 0] = torch.tensor([255.9, 1.0, 0.0])
    write(
        tmp_path / "x.hdr",
        Image(values, "nits", PRIMARIES[name]),
        provenance={"made by": "a test\nof two lines"},
    )
    back = read(tmp_path / "x.hdr")
    assert back.primaries.name == name
    assert ((back.pixels - values).abs() / values.amax(1, keepdim=True)).max() <= 0.5 / 127.5
    write(tmp_path / "y.hdr", back)
    assert torch.equal(read(tmp_path / "y.hdr").pixels, back.pixels)


@pytest.mark.parametrize("width", [1, 7, 8, 40000])
def test_any_width_comes_back(tmp_path, width):
    image = Image(torch.rand(1, 3, 3, width, generator=torch.manual_seed(2)))
    write(tmp_path / "x.hdr", image)
    assert (read(tmp_path / "x.hdr").pixels - image.pixels).abs().max() < 0.005


def test_negatives_are_stored_as_black_and_counted(tmp_path):
    notes = write(tmp_path / "x.hdr", Image(torch.full((1, 1, 4, 9), -1.0)))
    assert notes[0].startswith("36 negative values") or notes[0].startswith("108 negative values")
    assert read(tmp_path / "x.hdr").pixels.eq(0).all()


@pytest.mark.parametrize("kind", CODERS)
def test_damage_is_told_by_line(tmp_path, kind):
    body = CODERS[kind](RGBE)
    with pytest.raises(FileError, match=r"truncated|scan line|too many"):
        read(store(tmp_path / "x.hdr", body[: len(body) // 2]))
    with pytest.raises(FileError, match="no resolution line"):
        read(store(tmp_path / "x.hdr", body, "-Y 13 +Y 21"))
    with pytest.raises(FileError, match="32-bit_rle_rgbe"):
        read(store(tmp_path / "x.hdr", body, form="ascii"))


def test_relative_light_stays_relative(tmp_path) -> None:
    pixels = torch.from_numpy(light(RGBE)).float()[None]
    write(tmp_path / "x.hdr", Image(pixels, "linear", BT2020))
    back = read(tmp_path / "x.hdr")
    assert (back.domain, back.primaries) == ("linear", BT2020)
    assert torch.equal(back.pixels, pixels)
