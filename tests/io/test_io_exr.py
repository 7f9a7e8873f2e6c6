"""OpenEXR: every way pixels are stored, windows, colours, layers, views, parts, deep samples."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import OpenEXR
import pytest
import torch

from hdrq.errors import FileError, UsageError
from hdrq.io import read, write
from hdrq.io.exr.header import COMPRESSIONS
from hdrq.io.exr.parse import parts_of
from hdrq.records import BT2020, P3, XYZ, Image, Primaries

CHANCE = np.random.default_rng(0)
LIGHT = np.exp(CHANCE.normal(size=(3, 45, 70))).astype(np.float32) * 50
HALF = LIGHT.astype(np.float16)


def tiles(side: int) -> OpenEXR.TileDescription:
    description = OpenEXR.TileDescription()
    description.xSize = description.ySize = side
    return description


def store(path, channels, **header):
    """Channels by name into a file, by the library."""
    header.setdefault("compression", OpenEXR.ZIP_COMPRESSION)
    planes = {name: np.ascontiguousarray(plane) for name, plane in channels.items()}
    OpenEXR.File(header, planes).write(str(path))
    return path


def by_hand(path, channels, data, display, decreasing=False):
    """An uncompressed scan-line file, byte by byte: {name: (half plane, x sampling, y sampling)}."""

    def field(name, kind, value):
        return f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value

    names = sorted(channels)
    listed = (
        b"".join(n.encode() + b"\0" + struct.pack("<iIii", 1, 0, *channels[n][1:]) for n in names) + b"\0"
    )
    head = struct.pack("<II", 20000630, 2) + field("channels", "chlist", listed)
    head += field("compression", "compression", b"\0") + field("lineOrder", "lineOrder", bytes([decreasing]))
    head += field("dataWindow", "box2i", struct.pack("<4i", *data))
    head += field("displayWindow", "box2i", struct.pack("<4i", *display))
    head += field("pixelAspectRatio", "float", struct.pack("<f", 1))
    head += field("screenWindowCenter", "v2f", bytes(8)) + field(
        "screenWindowWidth", "float", struct.pack("<f", 1)
    )
    head += b"\0"
    rows = range(data[1], data[3] + 1)
    chunks = {}
    for y in rows:
        body = b"".join(
            np.asarray(plane[(y - data[1]) // ys], "<f2").tobytes()
            for plane, _, ys in (channels[n] for n in names)
            if y % ys == 0
        )
        chunks[y] = struct.pack("<ii", y, len(body)) + body
    order = list(reversed(rows)) if decreasing else list(rows)
    at, offsets = len(head) + 8 * len(rows), {}
    for y in order:
        offsets[y], at = at, at + len(chunks[y])
    table = b"".join(struct.pack("<Q", offsets[y]) for y in rows)
    path.write_bytes(head + table + b"".join(chunks[y] for y in order))
    return path


@pytest.mark.parametrize("number", range(len(COMPRESSIONS)))
def test_every_compression_scan_lines_and_tiles(tmp_path, number):
    name, _, _, lossy = COMPRESSIONS[number]
    for planes in (HALF, LIGHT):
        for shape in ({}, {"type": OpenEXR.tiledimage, "tiles": tiles(16)}):
            channels = dict(zip("RGB", planes))
            path = store(tmp_path / "x.exr", channels, compression=OpenEXR.Compression(number), **shape)
            image = read(path)
            changes = (1 if planes is HALF else 2) in lossy
            assert image.pixels.dtype == torch.float32
            assert any(name in note for note in image.notes) == changes
            error = np.abs(image.pixels[0].numpy() - planes.astype(np.float32)) / LIGHT.max()
            assert error.max() <= (0.05 if changes else 0)


def test_mixed_types_keep_their_values(tmp_path):
    whole = CHANCE.integers(0, 1 << 24, (45, 70)).astype(np.uint32)
    path = store(tmp_path / "x.exr", {"R": LIGHT[0], "G": HALF[1], "B": whole})
    pixels = read(path).pixels[0].numpy()
    assert np.array_equal(pixels[0], LIGHT[0])
    assert np.array_equal(pixels[1], HALF[1].astype(np.float32))
    assert np.array_equal(pixels[2], whole)


def test_nan_inf_and_negatives_stay(tmp_path):
    odd = LIGHT.copy()
    odd[0, 0, :4] = np.nan, np.inf, -np.inf, -3
    assert np.array_equal(
        read(store(tmp_path / "x.exr", dict(zip("RGB", odd)))).pixels[0].numpy(), odd, equal_nan=True
    )


def test_decreasing_lines_are_not_upside_down(tmp_path):
    window = (0, 0, 69, 44)
    channels = {name: (plane, 1, 1) for name, plane in zip("RGB", HALF)}
    up = read(by_hand(tmp_path / "up.exr", channels, window, window))
    down = read(by_hand(tmp_path / "down.exr", channels, window, window, decreasing=True))
    assert np.array_equal(up.pixels[0].numpy(), HALF.astype(np.float32))
    assert torch.equal(up.pixels, down.pixels)


@pytest.mark.parametrize(
    ("data", "display"),
    [
        ((-5, -3, 64, 41), (0, 0, 59, 39)),  # overscan
        ((10, 20, 79, 64), (0, 0, 99, 79)),  # a crop
        ((-80, -60, -11, -16), (-90, -50, -20, -20)),  # both origins negative
        ((200, 200, 269, 244), (0, 0, 49, 29)),  # nothing to be seen
    ],
)
def test_data_is_placed_in_the_display_window(tmp_path, data, display):
    path = by_hand(tmp_path / "x.exr", {"Y": (HALF[0], 1, 1)}, data, display)
    image = read(path)
    expected = np.zeros((display[3] - display[1] + 1, display[2] - display[0] + 1), np.float32)
    for y in range(max(data[1], display[1]), min(data[3], display[3]) + 1):
        for x in range(max(data[0], display[0]), min(data[2], display[2]) + 1):
            expected[y - display[1], x - display[0]] = HALF[0, y - data[1], x - data[0]]
    assert np.array_equal(image.pixels[0, 0].numpy(), expected)
    assert "data window 70 x 45 placed" in image.notes[0]


@pytest.mark.parametrize(
    "known", [BT2020, P3, XYZ, Primaries("file", (0.7, 0.3), (0.2, 0.7), (0.14, 0.05), (0.31, 0.32))]
)
def test_chromaticities_and_white_come_back(tmp_path, known):
    image = Image(torch.from_numpy(LIGHT)[None], "nits", known, white_nits=203.0)
    write(tmp_path / "x.exr", image)
    back = read(tmp_path / "x.exr")
    assert back.primaries.name == known.name
    assert back.primaries.green == pytest.approx(known.green, abs=1e-6)
    assert back.white_nits == 203
    assert torch.equal(back.pixels, image.pixels)


def test_aces_and_colour_space_names_are_understood(tmp_path):
    planes = dict(zip("RGB", HALF))
    aces = read(store(tmp_path / "a.exr", planes, acesImageContainerFlag=1)).primaries
    assert aces.red == (0.7347, 0.2653)
    assert read(store(tmp_path / "b.exr", planes, colorInteropID="lin_rec2020_scene")).primaries is BT2020


def test_impossible_chromaticities_are_noted_and_left(tmp_path):
    image = read(store(tmp_path / "x.exr", dict(zip("RGB", HALF)), chromaticities=(0.3,) * 8))
    assert image.primaries.name == "bt709"
    assert "do not span a triangle" in image.notes[0]


@pytest.mark.parametrize("white", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_white_luminance_is_noted_and_left(tmp_path, white):
    image = read(store(tmp_path / "x.exr", dict(zip("RGB", HALF)), whiteLuminance=white))
    assert image.white_nits is None
    assert any("whiteLuminance ignored" in note for note in image.notes)


def test_luminance_and_chroma_become_rgb(tmp_path):
    y, x = np.mgrid[0:44, 0:70] / 20
    smooth = np.stack([2 + np.sin(x), 2 + np.cos(y), 2 + np.sin(x + y)])
    weights = np.array([0.2126, 0.7152, 0.0722])
    luminance = np.tensordot(weights, smooth, 1)
    red, blue = ((smooth[c] - luminance) / luminance for c in (0, 2))
    window = (0, 0, 69, 43)
    channels = {"Y": (luminance, 1, 1), "RY": (red[::2, ::2], 2, 2), "BY": (blue[::2, ::2], 2, 2)}
    pixels = read(by_hand(tmp_path / "x.exr", channels, window, window)).pixels[0].numpy()
    assert np.abs(pixels - smooth)[:, 8:-8, 8:-8].max() < 0.01
    assert np.abs(pixels - smooth).max() < 0.2  # edges repeat
    grey = {"Y": channels["Y"], "RY": (0 * red[::2, ::2], 2, 2), "BY": (0 * blue[::2, ::2], 2, 2)}
    pixels = read(by_hand(tmp_path / "grey.exr", grey, window, window)).pixels[0]
    assert torch.allclose(pixels[0], pixels[1], atol=1e-5)


def test_alpha_is_left_out_unless_asked_for(tmp_path):
    planes = dict(zip("RGB", HALF))
    clear = store(tmp_path / "x.exr", {**planes, "A": np.full((45, 70), 0.5, np.float16)})
    image = read(clear)
    assert image.pixels.shape[1] == 3
    assert "alpha ignored" in image.notes[0]
    assert (read(clear, alpha=True).pixels[0, 3] == 0.5).all()
    opaque = store(tmp_path / "y.exr", {**planes, "A": np.ones((45, 70), np.float16), "Z": LIGHT[0]})
    assert read(opaque).notes == ("channels not read: Z",)


def test_layers_are_found_and_choice_is_asked_for(tmp_path):
    one = {f"beauty.{c}": p for c, p in zip("RGB", HALF)}
    path = store(tmp_path / "one.exr", one)
    assert np.array_equal(read(path).pixels[0].numpy(), HALF.astype(np.float32))
    two = one | {f"glow.{c}": p / 2 for c, p in zip("RGB", HALF)}
    path = store(tmp_path / "two.exr", two)
    assert np.array_equal(read(path).pixels[0].numpy(), HALF.astype(np.float32))  # what is called beauty
    assert "not read: glow" in read(path).notes[0]
    unclear = {f"{layer}.{c}": p for layer in ("left", "glow") for c, p in zip("RGB", HALF)}
    with pytest.raises(UsageError, match="choose one of its layers: glow, left"):
        read(store(tmp_path / "three.exr", unclear))
    assert np.array_equal(read(path, layer="glow").pixels[0].numpy(), (HALF / 2).astype(np.float32))
    top = read(store(tmp_path / "top.exr", two | dict(zip("RGB", HALF * 2))))
    assert np.array_equal(top.pixels[0].numpy(), (HALF * 2).astype(np.float32))
    assert "not read: beauty, glow" in top.notes[0]


def test_renderers_files_give_their_picture_and_not_a_normal(tmp_path):
    planes = {f"ViewLayer.Combined.{c}": p for c, p in zip("RGB", HALF)}
    planes |= {f"ViewLayer.Normal.{c}": p for c, p in zip("XYZ", LIGHT)}
    planes |= {"ViewLayer.Depth.Z": LIGHT[0], "Z": LIGHT[1]}
    image = read(store(tmp_path / "x.exr", planes))
    assert np.array_equal(image.pixels[0].numpy(), HALF.astype(np.float32))
    assert "read ViewLayer.Combined; not read: " in image.notes[0]


def test_views_of_one_part(tmp_path):
    planes = dict(zip("RGB", HALF)) | {f"right.{c}": p / 2 for c, p in zip("RGB", HALF)}
    path = store(tmp_path / "x.exr", planes, multiView=["left", "right"])
    assert np.array_equal(read(path).pixels[0].numpy(), HALF.astype(np.float32))
    assert np.array_equal(read(path, view="left").pixels[0].numpy(), HALF.astype(np.float32))
    assert np.array_equal(read(path, view="right").pixels[0].numpy(), (HALF / 2).astype(np.float32))
    with pytest.raises(UsageError, match="it holds: left, right"):
        read(path, view="middle")


def test_parts_by_name_number_and_view(tmp_path):
    parts = [
        OpenEXR.Part(
            {
                "name": name,
                "view": view,
                "type": kind,
                **({"tiles": tiles(16)} if kind == OpenEXR.tiledimage else {}),
            },
            {c: np.ascontiguousarray(p * factor) for c, p in zip("RGB", LIGHT)},
            name,
        )
        for name, view, kind, factor in (
            ("main", "left", OpenEXR.scanlineimage, 1),
            ("other", "right", OpenEXR.tiledimage, 2),
        )
    ]
    OpenEXR.File(parts).write(str(tmp_path / "x.exr"))
    path = tmp_path / "x.exr"
    assert np.array_equal(read(path).pixels[0].numpy(), LIGHT)
    for choice in ({"part": "other"}, {"part": 1}, {"view": "right"}, {"layer": "other"}):
        assert np.array_equal(read(path, **choice).pixels[0].numpy(), LIGHT * 2)
    with pytest.raises(UsageError, match="no image in part '7'"):
        read(path, part=7)


def test_deep_samples_are_laid_over_each_other(tmp_path):
    shape = (4, 5)
    samples = {name: np.empty(shape, object) for name in "RGBAZ"}
    for at in np.ndindex(*shape):
        many = (at[0] + at[1]) % 3
        samples["Z"][at] = np.arange(many, 0, -1).astype(np.float32)  # farthest first
        samples["A"][at] = np.full(many, 0.25, np.float32)
        for c, light in zip("RGB", (1.0, 2.0, 4.0)):
            samples[c][at] = (light * samples["Z"][at]).astype(np.float32)
    path = store(tmp_path / "x.exr", samples, type=OpenEXR.deepscanline, compression=OpenEXR.ZIPS_COMPRESSION)
    pixels = read(path).pixels[0].numpy()
    for at in np.ndindex(*shape):
        expected = [0.0, 1.0, 1.0 + 0.75 * 2][(at[0] + at[1]) % 3]
        assert pixels[(slice(None), *at)] == pytest.approx([expected, 2 * expected, 4 * expected])


def test_one_odd_channel_is_grey_and_two_are_refused(tmp_path):
    image = read(store(tmp_path / "x.exr", {"G": LIGHT[0]}))
    assert image.pixels.shape[1] == 1
    assert "read as a greyscale image" in image.notes[0]
    with pytest.raises(UsageError, match="no R, G, B and no Y; its channels are R, U"):
        read(store(tmp_path / "y.exr", {"R": LIGHT[0], "U": LIGHT[1]}))


def test_provenance_domain_and_layers_are_written(tmp_path):
    image = Image(torch.from_numpy(LIGHT)[None], "pu21")
    spread = np.abs(LIGHT[0])
    extra = {"spread": spread, "weights": LIGHT}
    write(tmp_path / "x.exr", image, compression="piz", provenance={"command": "hdrq merge ä"}, extra=extra)
    fields = parts_of(tmp_path / "x.exr", (tmp_path / "x.exr").read_bytes())[0].attributes
    assert fields["hdrq.command"] == "hdrq merge ä"
    assert read(tmp_path / "x.exr").domain == "pu21"
    assert np.array_equal(read(tmp_path / "x.exr", layer="spread").pixels[0, 0].numpy(), spread)
    assert np.array_equal(read(tmp_path / "x.exr", layer="weights").pixels[0].numpy(), LIGHT)


def test_half_is_exact_where_it_can_be(tmp_path):
    write(tmp_path / "x.exr", Image(torch.from_numpy(HALF.astype(np.float32))[None]), depth="half")
    kinds = {c.kind for c in parts_of(tmp_path / "x.exr", (tmp_path / "x.exr").read_bytes())[0].channels}
    assert kinds == {1}
    assert np.array_equal(read(tmp_path / "x.exr").pixels[0].numpy(), HALF.astype(np.float32))


def test_corrupt_pixels_are_one_line_and_no_noise(tmp_path):
    coarse = np.round(HALF / 50) * 50  # compresses, so that it is not stored as it is
    for compression in (OpenEXR.PIZ_COMPRESSION, OpenEXR.ZIP_COMPRESSION):
        path = store(tmp_path / "x.exr", dict(zip("RGB", coarse)), compression=compression)
        whole = bytearray(path.read_bytes())
        whole[1900:2000] = b"\xff" * 100
        path.write_bytes(whole)
        with pytest.raises(FileError, match="pixels cannot be decoded"):
            read(path)
        program = f"from hdrq.cli import main; main(['encode', {str(path)!r}, {str(tmp_path / 'y.exr')!r}, '--to', 'pq'])"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode != 0
        assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
        assert "pixels cannot be decoded" in done.stderr
