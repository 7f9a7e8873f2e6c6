"""Clips: their bit depth, tags and ranges, and one frame at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq.cli import main
from hdrq.errors import FileError, UsageError
from hdrq.io import clip, read, write
from hdrq.io.clip import describe, frames, span
from hdrq.io.clip_header import stated_length
from hdrq.records import BT2020, Image

av = pytest.importorskip("av")
RANDOM = np.random.default_rng(3)


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in argv])
    return int(stop.value.code or 0)


def store(path, pixel_format: str, bits: int, full: bool, tags=(9, 16, 9), size=(24, 32), count=5) -> list:
    """A lossless clip of random planes; returns the planes of every frame. tags: primaries, transfer, matrix."""
    stored = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        coder = stream.codec_context
        coder.color_primaries, coder.color_trc, coder.colorspace = tags
        coder.color_range = 2 if full else 1
        for _ in range(count):
            frame = av.VideoFrame(size[1], size[0], pixel_format)
            frame.color_range, frame.colorspace = (2 if full else 1), tags[2]
            planes = []
            for plane in frame.planes:
                kind = np.dtype("u1" if bits == 8 else "<u2")
                values = RANDOM.integers(
                    20 << (bits - 8), 220 << (bits - 8), (plane.height, plane.width)
                ).astype(kind)
                rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
                rows[:, : plane.width] = values
                plane.update(rows.tobytes())
                planes.append(values.astype(float))
            stored.append(planes)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return stored


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_code_of_every_depth_and_range_is_exact(tmp_path, bits, full):
    deep = "" if bits == 8 else f"{bits}le"
    (y, cb, cr), *_ = store(tmp_path / "x.mkv", f"yuv444p{deep}", bits, full)
    image = read(tmp_path / "x.mkv")
    assert (image.domain, image.primaries, image.bits) == ("pq", BT2020, bits)
    unit, most = 2.0 ** (bits - 8), 2.0**bits - 1
    luma = y / most if full else (y / unit - 16) / 219
    cb, cr = ((c - 128 * unit) / (most if full else 224 * unit) for c in (cb, cr))
    # BT.2020: R = Y + 1.4746 Cr, B = Y + 1.8814 Cb, G from Y = 0.2627 R + 0.6780 G + 0.0593 B
    expected = np.stack([luma + 1.4746 * cr, luma - 0.16455313 * cb - 0.57135313 * cr, luma + 1.8814 * cb])
    assert np.abs(image.pixels[0].numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("transfer", [(16, "pq"), (18, "hlg"), (13, "srgb"), (8, "linear")])
def test_transfer_and_primaries_come_from_the_tags(tmp_path, transfer):
    store(tmp_path / "x.mkv", "yuv444p10le", 10, False, tags=(9, transfer[0], 9))
    image = read(tmp_path / "x.mkv")
    assert (image.domain, image.primaries) == (transfer[1], BT2020)


def test_rgb_and_grey_are_taken_as_they_are(tmp_path):
    (g, b, r), *_ = store(tmp_path / "x.mkv", "gbrp10le", 10, True, tags=(9, 16, 0))
    assert np.allclose(read(tmp_path / "x.mkv").pixels[0].numpy(), np.stack([r, g, b]) / 1023)
    store(tmp_path / "y.mkv", "gray10le", 10, False)
    assert read(tmp_path / "y.mkv").pixels.shape == (1, 1, 24, 32)


def test_halved_chroma_of_a_flat_colour_and_of_a_ramp(tmp_path):
    path = tmp_path / "x.y4m"
    y = np.full((8, 8), 128, np.uint8)
    cb = np.tile(np.arange(100, 180, 20, dtype=np.uint8), (4, 1))
    cr = np.full((4, 4), 128, np.uint8)
    body = b"FRAME\n" + y.tobytes() + cb.tobytes() + cr.tobytes()
    for kind, first in ((b"C420mpeg2", [100, 110, 120, 130]), (b"C420jpeg", [100, 105, 115, 125])):
        path.write_bytes(b"YUV4MPEG2 W8 H8 F25:1 Ip A1:1 " + kind + b" XCOLORRANGE=FULL\n" + body)
        pixels = read(path).pixels[0]
        chroma = (pixels[2] - 128 / 255) / 1.772 * 255 + 128  # blue of BT.601
        assert chroma[0, :4].tolist() == pytest.approx(first, abs=0.01)
        assert not any("chroma" in note for note in read(path).notes)  # the header states it
        assert torch.allclose(pixels[0], torch.tensor(128 / 255))


@pytest.mark.parametrize(
    ("matrix", "kr", "kb"),  # ITU-T H.273, table 4
    [
        (1, 0.2126, 0.0722),
        (4, 0.30, 0.11),
        (5, 0.299, 0.114),
        (6, 0.299, 0.114),
        (7, 0.212, 0.087),
        (9, 0.2627, 0.0593),
    ],
)
def test_the_matrix_comes_from_the_tags(tmp_path, matrix, kr, kb):
    (y, cb, cr), *_ = store(tmp_path / "x.mkv", "yuv444p", 8, True, tags=(1, 13, matrix), count=1)
    assert not any("chroma" in note for note in read(tmp_path / "x.mkv").notes)
    red, green, blue = read(tmp_path / "x.mkv").pixels[0].double().numpy()
    assert np.allclose(kr * red + (1 - kr - kb) * green + kb * blue, y / 255, atol=1e-6)
    assert np.allclose((blue - y / 255) / (2 * (1 - kb)), (cb - 128) / 255, atol=1e-6)
    assert np.allclose((red - y / 255) / (2 * (1 - kr)), (cr - 128) / 255, atol=1e-6)


def test_constant_luminance_is_not_taken_for_the_other_kind(tmp_path):
    store(tmp_path / "x.mkv", "yuv444p", 8, True, tags=(9, 14, 10), count=1)
    with pytest.raises(FileError, match=r"10 \(BT.2020 of constant luminance\) are not supported"):
        read(tmp_path / "x.mkv")


def test_chroma_of_bt2020_sits_on_the_top_left(tmp_path):
    for primaries, between in ((9, 0.0), (1, 0.5)):
        _, cb, _ = store(tmp_path / "x.mkv", "yuv420p", 8, True, tags=(primaries, 13, 9), count=1)[0]
        red, green, blue = read(tmp_path / "x.mkv").pixels[0].double().numpy()
        luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
        chroma = (blue - luma) / 1.8814 * 255 + 128
        # column 2 lies on a sample; row 2 does in BT.2020 only, else a quarter of a step from it
        expected = cb[1, 1] if between == 0 else 0.25 * cb[0, 1] + 0.75 * cb[1, 1]
        assert chroma[2, 2] == pytest.approx(expected, abs=0.01)
        place = "top left, as BT.2020" if between == 0 else "left, as MPEG-2 and H.264"
        assert f"chroma location not read: assumed at the {place}" in read(tmp_path / "x.mkv").notes


@pytest.mark.parametrize(
    ("pixel_format", "across", "down"),
    [("yuv411p", 4, 1), ("yuv440p", 1, 2), ("yuv422p", 2, 1), ("yuv410p", 4, 4)],
)
def test_chroma_of_every_sampling_is_interpolated_between_its_samples(tmp_path, pixel_format, across, down):
    y, cb, _ = store(tmp_path / "x.mkv", pixel_format, 8, True, tags=(1, 13, 1), count=1)[0]
    assert describe(tmp_path / "x.mkv").pixel_format == pixel_format
    blue = read(tmp_path / "x.mkv").pixels[0, 2].double().numpy()
    chroma = (blue - y / 255) / 1.8556 * 255 + 128
    row, column = np.clip((np.arange(24) - (down - 1) / 2) / down, 0, None), np.arange(32) / across
    low, left = np.floor(row).astype(int), np.floor(column).astype(int)
    under, right = np.minimum(low + 1, cb.shape[0] - 1), np.minimum(left + 1, cb.shape[1] - 1)
    wide = cb[:, left] * (1 - (column - left)) + cb[:, right] * (column - left)
    expected = wide[low] * (1 - (row - low))[:, None] + wide[under] * (row - low)[:, None]
    assert np.abs(chroma - expected).max() < 0.01


def test_chroma_of_motion_jpeg_lies_between_the_rows_and_columns(tmp_path):
    with av.open(str(tmp_path / "x.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuvj420p"
        for packet in [*stream.encode(av.VideoFrame(16, 16, "yuvj420p")), *stream.encode(None)]:
            container.mux(packet)
    assert describe(tmp_path / "x.mov").centred == (True, True)


def test_a_palette_is_colours_and_not_grey(tmp_path):
    colours = np.zeros((256, 4), np.uint8)
    colours[7] = (255, 200, 30, 90)  # alpha, red, green, blue
    frame = av.VideoFrame.from_ndarray((np.full((16, 16), 7, np.uint8), colours), "pal8")
    with av.open(str(tmp_path / "x.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "pal8"
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    image = read(tmp_path / "x.avi")
    assert image.pixels.shape[1] == 3
    assert torch.allclose(image.pixels[0, :, 8, 8] * 255, torch.tensor([200.0, 30, 90]))


def test_frames_are_chosen_and_streamed(tmp_path):
    path = tmp_path / "x.mkv"
    stored = store(path, "gray", 8, True, tags=(1, 13, 1), count=7)
    every = [f.pixels[0, 0].numpy() for f in frames(path)]
    assert len(every) == 7
    for select, chosen in (
        ("", range(7)),
        ("2", [2]),
        ("1:6:2", [1, 3, 5]),
        (":3", [0, 1, 2]),
        ("5:", [5, 6]),
    ):
        found = [f.pixels[0, 0].numpy() for f in frames(path, select)]
        assert len(found) == len(chosen)
        assert all(np.array_equal(a, every[i]) for a, i in zip(found, chosen))
    assert np.allclose(every[3] * 255, stored[3][0])
    assert np.array_equal(read(path, part=4).pixels[0, 0].numpy(), every[4])
    assert "first frame" in read(path).notes[0]
    batch = read(path, part="1:6:2")
    assert np.array_equal(batch.pixels[:, 0].numpy(), np.stack([every[i] for i in (1, 3, 5)]))
    with pytest.raises(UsageError, match="no frame 9"):
        read(path, part=9)


def test_selections_that_select_nothing_are_refused():
    assert span("0:100:10") == (0, 100, 10)
    for wrong in ("a", "-1", "1:2:0", "1:2:3:4", "1.5"):
        with pytest.raises(UsageError, match="selects no frames"):
            span(wrong)


def test_untagged_clips_say_what_is_assumed(tmp_path):
    store(tmp_path / "x.mkv", "yuv420p", 8, False, tags=(2, 2, 2))
    notes = " ".join(read(tmp_path / "x.mkv").notes)
    assert "BT.601" in notes
    assert "height" in notes
    assert "transfer function not tagged" in notes
    clip = describe(tmp_path / "x.mkv")
    assert (clip.width, clip.height, clip.rate, clip.bits) == (32, 24, 25, 8)


def test_a_missing_clip_is_not_called_damaged(tmp_path):
    for opened in (lambda path: next(frames(path)), describe):
        with pytest.raises(FileError, match=r"none\.mp4 does not exist; check the name"):
            opened(tmp_path / "none.mp4")


def test_a_damaged_clip_is_one_line(tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(FileError, match="is damaged") as caught:
        read(tmp_path / "x.mp4")
    assert "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)


def coded(
    path, codec: str, count: int = 6, options: dict | None = None, pixel_format: str = "yuv420p"
) -> None:
    """A clip of noise of 34x26 pixels."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 34, 26, pixel_format
        for _ in range(count):
            frame = av.VideoFrame(34, 26, pixel_format)
            for plane in frame.planes:
                plane.update(RANDOM.integers(0, 255, plane.buffer_size, dtype=np.uint8).tobytes())
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


@pytest.mark.parametrize(
    ("name", "codec", "options", "pixel_format"),
    [
        ("x.mkv", "ffv1", {}, "yuv420p"),
        ("x.webm", "libvpx-vp9", {}, "yuv420p"),
        ("x.y4m", "wrapped_avframe", {}, "yuv420p"),
        ("x.y4m", "wrapped_avframe", {"strict": "-1"}, "yuv422p10le"),
        ("x.y4m", "wrapped_avframe", {}, "gray"),
        ("x.avi", "mpeg4", {}, "yuv420p"),
        ("x.mp4", "mpeg4", {"movflags": "faststart"}, "yuv420p"),
        ("x.mp4", "mpeg4", {"movflags": "frag_keyframe+empty_moov"}, "yuv420p"),
    ],
)
def test_a_clip_that_was_cut_short_is_refused_and_a_whole_one_is_not(
    tmp_path, name, codec, options, pixel_format, capsys
):
    coded(tmp_path / name, codec, options=options, pixel_format=pixel_format)
    assert len(list(frames(tmp_path / name))) == 6
    whole = (tmp_path / name).read_bytes()
    cut = tmp_path / f"cut-{name}"
    for share in (0.95, 0.6):
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(FileError, match=r"is damaged: (it is cut short|End of file)"):
            list(frames(cut))
    assert run("score", cut, cut, "-m", "psnr") == 3
    assert "is damaged: " in capsys.readouterr().err


def test_a_clip_without_a_stated_length_is_read(tmp_path):
    coded(tmp_path / "x.mkv", "ffv1", options={"live": "1"})
    data = (tmp_path / "x.mkv").read_bytes()
    assert stated_length(tmp_path / "x.mkv", 0) is None
    (tmp_path / "x.mkv").write_bytes(data[: len(data) * 3 // 4])
    assert 0 < len(list(frames(tmp_path / "x.mkv"))) < 6
    coded(tmp_path / "x.y4m", "wrapped_avframe")
    data = (tmp_path / "x.y4m").read_bytes()
    (tmp_path / "y.y4m").write_bytes(data.replace(b"FRAME\n", b"FRAME Ip\n"))
    assert len(list(frames(tmp_path / "y.y4m"))) == 6


def test_a_codec_that_ffmpeg_lacks_is_no_damage(tmp_path, monkeypatch):
    def refuse(container, **which):
        raise NotImplementedError("patches welcome")

    store(tmp_path / "x.mkv", "yuv444p", 8, True, count=1)
    opened = clip._opened

    class Container:
        def __init__(self, path):
            self.inner = opened(path)
            self.streams = self.inner.streams

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.inner.close()

        decode = refuse

    monkeypatch.setattr(clip, "_opened", Container)
    with pytest.raises(FileError, match="this variant of ffv1 is not supported by FFmpeg; convert it"):
        read(tmp_path / "x.mkv")


def test_a_range_of_frames_is_written_as_one_file_for_each_frame(tmp_path, capsys):
    store(tmp_path / "x.mkv", "yuv444p10le", 10, False, count=6)
    for command, more in (("encode", ("--to", "pq")), ("tonemap", ())):
        out = tmp_path / command
        out.mkdir()
        asked = (command, tmp_path / "x.mkv", out / "f.png", *more)
        assert run(*asked, "--frames", "1:6:2") == 0
        assert sorted(p.name for p in out.iterdir()) == [f"f-{n:06d}.png" for n in (1, 3, 5)]
        assert run(*asked, "--frames", "9:12") == 3
        assert "has no frames in 9:12" in capsys.readouterr().err
    for number in (1, 3, 5):
        expected = read(tmp_path / "x.mkv", frames=number).pixels.clamp(0, 1)
        found = read(tmp_path / f"encode/f-{number:06d}.png").pixels
        assert float((found - expected).abs().max()) <= 0.51 / 65535 + 1e-6


def test_one_frame_keeps_the_name_that_is_given(tmp_path):
    store(tmp_path / "x.mkv", "yuv444p10le", 10, False)
    assert run("tonemap", tmp_path / "x.mkv", tmp_path / "f.png", "--frames", "3") == 0
    assert [p.name for p in tmp_path.glob("*.png")] == ["f.png"]


def test_a_range_of_frames_is_a_video_whose_statistics_can_be_smoothed(tmp_path, capsys):
    store(tmp_path / "x.mkv", "yuv444p10le", 10, False)
    asked = ("tonemap", tmp_path / "x.mkv", tmp_path / "f.png", "--temporal", "4")
    assert run(*asked, "--frames", ":") == 0
    assert len(list(tmp_path.glob("f-*.png"))) == 5
    assert run(*asked) == 2
    assert "a clip with --frames A:B" in capsys.readouterr().err


def test_still_images_have_no_frames(tmp_path, capsys):
    write(tmp_path / "a.png", Image(torch.rand(1, 3, 8, 8), "srgb", bits=8))
    assert run("tonemap", tmp_path / "a.png", tmp_path / "b.png", "--frames", "0:3") == 3
    assert "PNG has no frames to choose; leave --frames out" in capsys.readouterr().err
