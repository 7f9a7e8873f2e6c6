"""Raw brackets: digital negatives made here and read by LibRaw, and a camera made up where rawpy is not installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hdrq import io
from hdrq.cli import main
from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io.exposures import exif_exposure
from hdrq.io.raw import read_raw
from hdrq.merging.exposure_stack import read_frame
from hdrq.merging.merge import merge
from hdrq.merging.network import Method
from hdrq.merging.raw_render import malvar
from hdrq.merging.settings import Settings
from hdrq.nn.image_networks import Use
from hdrq.nn.networks import Network
from shooting import scene

XYZ_OF_709 = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
RGGB, GBRG = ((0, 1), (1, 2)), ((1, 2), (0, 1))
STILL = {"align": "none", "deghost": "none", "scale": "relative"}
BOTH = pytest.mark.parametrize("demosaic", ["before", "after"])


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


def mosaic_of(light: np.ndarray, pattern=RGGB) -> np.ndarray:
    """The one colour of (H, W, 3) that every site sees."""
    h, w = light.shape[:2]
    site = np.tile(pattern, (h // 2, w // 2))
    return np.take_along_axis(light, site[..., None], 2)[..., 0]


def exposed(light: np.ndarray, seconds: float, seed: int, pattern, black, white: int) -> np.ndarray:
    """Codes of a sensor with photon and read noise; black: one level, or one for each site of the pattern."""
    rng = np.random.default_rng(seed)
    f = mosaic_of(light, pattern) * seconds
    f = f + rng.standard_normal(f.shape) * np.sqrt(2e-5 * f + 2e-4**2)
    floor = np.broadcast_to(
        np.reshape(black, (2, 2)) if np.size(black) == 4 else np.full((2, 2), black), (2, 2)
    )
    floor = np.tile(floor, (f.shape[0] // 2, f.shape[1] // 2))
    return np.clip(np.rint(f * (white - floor) + floor), 0, white).astype(np.uint16)


def digital_negative(
    path: Path,
    light: np.ndarray,
    seconds: float,
    seed: int = 0,
    *,
    pattern=RGGB,
    black=512,
    white: int = 16383,
    neutral: tuple[float, float, float] = (1, 1, 1),
    as_shot: tuple[float, float, float] | None = None,
    turn: int = 1,
) -> str:
    """A Bayer mosaic of the scene, in camera colours that are BT.709's times `neutral`, as a DNG."""
    import tifffile

    codes = exposed(light * np.array(neutral), seconds, seed, pattern, black, white)
    to_camera = np.diag(neutral) @ np.linalg.inv(XYZ_OF_709)
    matrix = tuple(v for x in to_camera.ravel() for v in (round(x * 10000), 10000))
    shot = tuple(v for n in as_shot or neutral for v in (round(n * 1000), 1000))
    levels = np.ravel(black).tolist()
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "made up", True), (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, tuple(np.ravel(pattern).tolist()), True), (50713, "H", 2, (2, 2) if len(levels) == 4 else (1, 1), True),
        (50714, "H", len(levels), tuple(levels) if len(levels) > 1 else levels[0], True), (50717, "H", 1, white, True),
        (50721, "2i", 9, matrix, True), (50728, "2I", 3, shot, True), (50778, "H", 1, 21, True), (274, "H", 1, turn, True),
        (33434, "2I", 1, (round(seconds * 10000), 10000), True), (33437, "2I", 1, (8, 1), True), (34855, "H", 1, 100, True),
    ]  # fmt: skip
    tifffile.imwrite(path, codes, photometric=32803, extratags=tags)
    return str(path)


def taken(folder: Path, light: np.ndarray, times, **options) -> list[str]:
    return [digital_negative(folder / f"{i}.dng", light, t, i, **options) for i, t in enumerate(times)]


def patches(picture: np.ndarray) -> np.ndarray:
    h, w = picture.shape[:2]
    return picture.reshape(h // 8, 8, w // 8, 8, 3)[:, 2:6, :, 2:6].mean((1, 3))


def in_seconds(found, times) -> torch.Tensor:
    """(H, W, 3) merged light, over the exposure of one second."""
    return found.image.pixels[0].permute(1, 2, 0) * (found.report.frames[0].relative / times[0])


# --- digital negatives, by LibRaw ---------------------------------------------------------------------


def test_a_raw_file_alone_is_tone_mapped_and_scored(tmp_path, capsys) -> None:
    """Its levels and white balance are stated; a metric of code sees the photograph that `linear` without exposure gives."""
    pytest.importorskip("rawpy")
    light = np.full((220, 260, 3), 0.2) * np.linspace(0.2, 1, 260)[None, :, None]
    light[60:120, 40:200] *= 3
    photo = digital_negative(tmp_path / "photo.dng", light, 1.0, neutral=(0.5, 1, 0.7))
    png = str(tmp_path / "p.png")
    assert run("tonemap", photo, png, "--operator", "linear", "--set", "auto=off", "--bits", "16") == 0
    assert "black 512, white 16383, camera white balance of photo.dng (2 1 1.429)" in capsys.readouterr().err
    shown = io.read(png).pixels
    assert float((shown[0, 0] - shown[0, 1]).abs().mean()) < 0.01  # the balanced grey is grey
    assert run("score", photo, png, "-m", "psnr", "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["value"] > 90  # they differ by the rounding to 16 bits
    assert row["display"] == "code as stored"
    assert "the developed light as sRGB code, white where the sensor clips" in row["how"]
    assert "black 512, white 16383, camera white balance" in row["how"]
    values = []
    for name in (photo, png):
        assert run("score", name, "-m", "niqe", "--format", "json") == 0
        values.append(json.loads(capsys.readouterr().out)[0]["value"])
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@BOTH
@pytest.mark.parametrize(
    ("pattern", "black", "deghost"), [(RGGB, 512, "auto"), (GBRG, (500, 520, 540, 480), "none")]
)
def test_light_comes_back_within_two_percent_where_any_frame_is_well_exposed(
    tmp_path, demosaic, pattern, black, deghost
) -> None:
    """Ten stops in patches of 8 x 8 sites, each judged by its inner 4 x 4 (a single site's photons scatter by 2 %)."""
    pytest.importorskip("rawpy")
    times = (1 / 64, 1 / 8, 1.0)
    light = scene(96, 128, stops=10)
    light[:] = np.repeat(np.repeat(light[::8, ::8], 8, 0), 8, 1).mean(-1, keepdims=True) * [0.9, 1, 1.1]
    found = merge(
        taken(tmp_path, light, times, pattern=pattern, black=black),
        Settings(**{**STILL, "deghost": deghost}, demosaic=demosaic),
    )
    truth = patches(light)
    miss = np.abs(patches(in_seconds(found, times).numpy()) / truth - 1)
    well = (truth * times[0] < 0.9).all(-1) & (truth * times[-1] > 0.05).all(-1)
    assert well.sum() > 150
    assert np.median(miss[well]) < 0.005
    assert np.quantile(miss[well], 0.95) < 0.02
    assert "black " in found.report.raw
    assert found.report.raw.endswith(f"demosaiced {demosaic} merging")


@BOTH
def test_the_dark_of_short_raw_frames_is_noise_and_no_movement(tmp_path, demosaic) -> None:
    """The camera's own noise is found from the frames: photon 2e-5, read 4e-8."""
    pytest.importorskip("rawpy")
    paths = taken(tmp_path, scene(160, 240, stops=14), (1 / 512, 1 / 64, 1 / 8, 1, 8))
    report = merge(paths, Settings(align="none", demosaic=demosaic)).report
    assert report.ghosts < 0.02
    if demosaic == "after":  # before it, neighbours are averaged
        assert report.noise == pytest.approx((2e-5, 4e-8), rel=0.5)


@BOTH
def test_a_raw_frame_is_not_stretched_to_its_own_brightest_pixel(tmp_path, demosaic) -> None:
    """LibRaw would, by default, where that pixel is above three quarters of white."""
    pytest.importorskip("rawpy")
    light = np.full((64, 64, 3), 0.8)
    light[:32] = 0.1
    times = (1 / 4, 1.0)
    ours = in_seconds(merge(taken(tmp_path, light, times), Settings(**STILL, demosaic=demosaic)), times)
    assert float(ours[40:60, 8:-8].median()) == pytest.approx(0.8, rel=0.005)
    assert float(ours[8:24, 8:-8].median()) == pytest.approx(0.1, rel=0.01)


@BOTH
def test_grey_and_what_clips_in_every_frame_come_out_neutral(tmp_path, demosaic) -> None:
    """A camera twice as sensitive to green: grey is grey, a lamp beyond every frame is white, not green."""
    pytest.importorskip("rawpy")
    light = np.full((64, 64, 3), 0.4)
    light[20:40, 20:40] = 40
    paths = taken(tmp_path, light, (1 / 2, 2), neutral=(0.5, 1, 0.7))
    rows = merge(paths, Settings(**STILL, demosaic=demosaic)).image.pixels[0]
    for patch in (rows[:, 4:16, 4:60], rows[:, 26:34, 26:34]):
        means = patch.mean((1, 2))
        assert float(means.max() / means.min()) < 1.01


@BOTH
def test_a_colour_clipped_in_one_channel_is_taken_from_shorter_frames(tmp_path, demosaic) -> None:
    """Camera colours are merged before they are mixed, so a clipped red spoils neither green nor blue."""
    pytest.importorskip("rawpy")
    light = np.full((64, 64, 3), 0.2) * [6, 1, 0.5]
    times = (1 / 8, 1.0)
    paths = taken(tmp_path, light, times, neutral=(0.8, 1, 0.6))
    ours = in_seconds(merge(paths, Settings(**STILL, demosaic=demosaic)), times)[8:-8, 8:-8].mean((0, 1))
    assert torch.allclose(ours, torch.tensor([1.2, 0.2, 0.1]), rtol=0.02)


@BOTH
def test_one_white_balance_serves_all_frames(tmp_path, demosaic) -> None:
    """Even where the camera balanced every frame anew."""
    pytest.importorskip("rawpy")
    light = np.full((64, 64, 3), 0.3)
    shots = [(0.5, 1, 0.7), (0.9, 1, 0.4), (0.4, 1, 0.9)]
    times = (1 / 4, 1.0, 2.0)
    paths = [
        digital_negative(tmp_path / f"{i}.dng", light, t, i, neutral=(0.5, 1, 0.7), as_shot=s)
        for i, (t, s) in enumerate(zip(times, shots))
    ]
    found = merge(paths, Settings(**STILL, demosaic=demosaic))
    assert "camera white balance of 0.dng (2 1 1.429)" in found.report.raw
    means = found.image.pixels[0].mean((1, 2))
    assert float(means.max() / means.min()) < 1.01


@BOTH
def test_factors_given_balance_and_are_stated_in_report_and_header(tmp_path, capsys, demosaic) -> None:
    pytest.importorskip("rawpy")
    import OpenEXR

    light = np.full((64, 64, 3), 0.3)
    paths = taken(tmp_path, light, (1 / 4, 1.0), neutral=(0.5, 1, 0.8), as_shot=(1, 1, 1))
    target = tmp_path / "s.exr"
    with pytest.raises(SystemExit) as left:
        main(
            [
                "merge",
                *paths,
                "-o",
                str(target),
                "--balance",
                "2,1,1.25",
                "--align",
                "none",
                "--demosaic",
                demosaic,
            ]
        )
    assert not left.value.code
    words = "given white balance of 0.dng (2 1 1.25)"
    assert words in " ".join(capsys.readouterr().out.split())
    assert words in OpenEXR.File(str(target)).header()["hdrq.raw"]
    means = io.read(target).pixels[0].mean((1, 2))
    assert float(means.max() / means.min()) < 1.01


@BOTH
def test_a_turned_camera_gives_an_upright_picture(tmp_path, demosaic) -> None:
    pytest.importorskip("rawpy")
    light = np.full((48, 64, 3), 0.2)
    light[:24, :32] = 0.6
    times = (1 / 2, 1.0)
    found = merge(taken(tmp_path, light, times, turn=6), Settings(**STILL, demosaic=demosaic))
    ours = in_seconds(found, times)
    assert found.report.size == tuple(ours.shape[:2]) == (64, 48)
    assert found.report.crop == (0, 64, 0, 48)
    bright = ours[4:28, 28:44].mean()  # top left, turned a quarter with the clock: top right
    assert float(bright) == pytest.approx(0.6, rel=0.01)
    assert float(ours[36:60, 4:20].mean()) == pytest.approx(0.2, rel=0.01)


def test_error_of_raw_frames_is_of_the_picture_s_colours(tmp_path) -> None:
    """Its measure: what two merges of other noise differ by."""
    pytest.importorskip("rawpy")
    light, times = np.full((64, 64, 3), 0.3) * np.linspace(0.2, 2.5, 64)[None, :, None], (1 / 2, 1.0)
    folders = [tmp_path / n for n in "ab"]
    runs = []
    for seed, folder in enumerate(folders):
        folder.mkdir()
        paths = [
            digital_negative(folder / f"{i}.dng", light, t, 10 * seed + i, neutral=(0.5, 1, 0.7))
            for i, t in enumerate(times)
        ]
        runs.append(merge(paths, Settings(**STILL, uncertainty=True)))
    apart = (runs[0].image.pixels - runs[1].image.pixels)[0, :, 8:-8, 8:-8].std((1, 2)) / 2**0.5
    said = runs[0].uncertainty[:, 8:-8, 8:-8].mean((1, 2))
    assert torch.all((said / apart > 0.4) & (said / apart < 1.5))


@BOTH
def test_levels_that_a_file_states_wrongly_are_given(tmp_path, demosaic) -> None:
    """A sensor that clips at 12000 of 16383 and rests at 800, not 512: a lamp beyond all frames would turn out magenta."""
    import tifffile

    pytest.importorskip("rawpy")
    light, times = np.full((64, 64, 3), 0.3), (1 / 2, 2.0)
    light[20:40, 20:40] = 40
    paths = taken(tmp_path, light, times, neutral=(0.5, 1, 0.7), black=800, white=12000)
    for path in paths:  # the tags now lie
        with tifffile.TiffFile(path, mode="r+b") as file:
            file.pages[0].tags[50714].overwrite(512)
            file.pages[0].tags[50717].overwrite(16383)
    lied = merge(paths, Settings(**STILL, demosaic=demosaic))
    assert any("have the value 12000, below white 16383" in n for n in lied.report.notes)
    found = merge(paths, Settings(**STILL, demosaic=demosaic, black=800, white=12000))
    assert "black 800, white 12000" in found.report.raw
    assert not any("have the value" in n for n in found.report.notes)
    ours = in_seconds(found, times)
    assert float(ours[4:16, 4:60].median()) == pytest.approx(0.3, rel=0.01)
    lamp = ours[26:34, 26:34].mean((0, 1))
    assert float(lamp.max() / lamp.min()) < 1.01


def test_black_above_white_is_refused(tmp_path) -> None:
    pytest.importorskip("rawpy")
    paths = taken(tmp_path, np.full((64, 64, 3), 0.3), (1 / 2, 2.0))
    with pytest.raises(UsageError, match="black 20000 is not below white 16383"):
        merge(paths, Settings(**STILL, black=20000))


def test_a_network_is_given_developed_frames(tmp_path, monkeypatch) -> None:
    pytest.importorskip("rawpy")

    def shortest(net: torch.nn.Module, stack: torch.Tensor, seconds: torch.Tensor) -> torch.Tensor:
        return stack[0]

    method = Method(Network("shortest", "w", Use("merge", shortest, title="", frames=(2, 2))))
    monkeypatch.setattr(
        "hdrq.merging.merge.method_of", lambda name, fuse: method if name != "average" else None
    )
    monkeypatch.setattr(Network, "module", lambda self: torch.nn.Identity())
    stronger = ((1.5, -0.4, -0.1), (-0.2, 1.3, -0.1), (0.0, -0.3, 1.3))
    monkeypatch.setattr("hdrq.io.raw._matrix", lambda raw: stronger)  # a camera of wide primaries
    times = (1 / 4, 1.0)
    files = taken(tmp_path, np.full((64, 80, 3), 0.5) * [1.2, 1, 0.8], times)
    averaged, made = (merge(files, **STILL, method=m).image.pixels for m in ("average", "shortest"))
    red, green, blue = averaged.mean((0, 2, 3)).tolist()
    assert (red / green, blue / green) == pytest.approx((1.32 / 0.98, 0.74 / 0.98), rel=0.02)
    assert torch.allclose(made.mean((2, 3)), averaged.mean((2, 3)), rtol=0.01)


def test_fused_raw_frames_are_as_bright_as_they_look(tmp_path) -> None:
    """Linear values are no code: mid-grey fuses to mid-grey, not to a fifth of white."""
    pytest.importorskip("rawpy")
    light = np.full((64, 64, 3), 0.18) * np.linspace(0.5, 2, 64)[None, :, None]
    fused = merge(taken(tmp_path, light, (1 / 2, 1, 2)), Settings(fuse=True)).image
    assert 0.4 < float(fused.pixels.mean()) < 0.6


# --- without files that LibRaw reads ------------------------------------------------------------------


class Camera:
    """What rawpy says of a file: the codes in an .npz, levels that differ between channels."""

    black_level_per_channel = (100, 110, 120, 130)
    camera_white_level_per_channel = (4000, 4050, 4020, 4010)
    white_level = 4095
    color_desc = b"RGBG"
    raw_pattern = np.array([[0, 1], [3, 2]])
    camera_whitebalance = (2.0, 1.0, 1.5, 0.0)
    daylight_whitebalance = (1.8, 1.0, 1.6, 0.0)
    rgb_xyz_matrix = np.vstack([np.linalg.inv(XYZ_OF_709), np.zeros(3)])
    sizes = SimpleNamespace(flip=0, width=64, height=48)

    def __init__(self, path: str) -> None:
        if Path(path).stat().st_size < 100:
            raise sys.modules["rawpy"].LibRawError("unexpected end of file")
        with np.load(path) as stored:
            self.light, seconds = stored["light"], float(stored["seconds"])
        self.other = SimpleNamespace(shutter=seconds, iso_speed=100.0, aperture=8.0)
        black, white = (
            np.array(a)[self.raw_colors_visible]
            for a in (self.black_level_per_channel, self.camera_white_level_per_channel)
        )
        seen = mosaic_of(self.light / np.array(self.camera_whitebalance[:3])) * seconds
        self.raw_image_visible = np.clip(np.rint(seen * (white - black) + black), 0, white).astype(np.uint16)

    @property
    def raw_colors_visible(self) -> np.ndarray:
        h, w = self.light.shape[:2]
        a, b = self.raw_pattern.shape
        return np.tile(self.raw_pattern, (h // a, w // b)).astype(np.uint8)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture
def camera(monkeypatch) -> type[Camera]:
    """rawpy replaced: imread opens what `shot` writes."""
    fake = ModuleType("rawpy")
    fake.LibRawError = type("LibRawError", (Exception,), {})
    own = type("Own", (Camera,), {})
    fake.imread = lambda path: own(path)
    monkeypatch.setitem(sys.modules, "rawpy", fake)
    return own


def shot(path: Path, light: np.ndarray, seconds: float) -> str:
    with path.open("wb") as file:
        np.savez(file, light=light, seconds=seconds)
    return str(path)


def test_every_channel_has_its_own_black_and_white(camera, tmp_path) -> None:
    light = np.full((32, 48, 3), 0.5) * [1.6, 1, 0.8]
    times = (1 / 4, 1.0)
    paths = [shot(tmp_path / f"{i}.cr3", light, t) for i, t in enumerate(times)]
    found = merge(paths, Settings(**STILL, demosaic="after"))
    ours = in_seconds(found, times)[4:-4, 4:-4]
    assert torch.allclose(ours.mean((0, 1)), torch.tensor([0.8, 0.5, 0.4]), rtol=2e-3)
    assert float(ours.std((0, 1)).max()) < 2e-3
    assert "black 100 110 120 130, white 4000 4050 4020 4010, camera white balance" in found.report.raw


def test_a_handheld_mosaic_is_refused(camera, tmp_path) -> None:
    """Before: every edge doubled. A mosaic cannot be moved without mixing its colours."""
    wide = scene(128, 160, stops=6)
    frames = ((1 / 4, 0), (1.0, 8))
    paths = [shot(tmp_path / f"{i}.cr3", np.roll(wide, dx, 1), t) for i, (t, dx) in enumerate(frames)]
    with pytest.raises(
        UsageError, match=r"1\.cr3 is shifted .* \+8 columns against .* use --demosaic before"
    ):
        merge(paths, demosaic="after")
    notes = merge(paths, demosaic="after", align="none").report.notes
    assert any("edges may be doubled" in n for n in notes)
    still = [shot(tmp_path / f"still{i}.cr3", wide, t) for i, (t, _) in enumerate(frames)]
    assert not any("shifted" in n for n in merge(still, demosaic="after").report.notes)


def test_exposures_of_files_that_are_no_tiff_come_from_the_reader(camera, tmp_path) -> None:
    found = exif_exposure(shot(tmp_path / "a.cr3", np.full((8, 8, 3), 0.5), 0.25))
    assert (found.seconds, found.iso, found.fnumber) == (0.25, 100, 8)


@pytest.mark.parametrize(
    ("balance", "factors"),
    [("camera", (2, 1, 1.5)), ("daylight", (1.8, 1, 1.6)), ("none", (1, 1, 1)), ((4, 2, 1), (4, 2, 1))],
)
def test_white_balance_is_as_asked(camera, tmp_path, balance, factors) -> None:
    path = Path(shot(tmp_path / "a.nef", np.full((8, 8, 3), 0.5), 1))
    assert read_raw(path, balance, True)[1].balance == pytest.approx(factors)


def test_a_camera_that_says_no_white_balance_gets_daylight_s(camera, tmp_path) -> None:
    path = Path(shot(tmp_path / "a.nef", np.full((8, 8, 3), 0.5), 1))
    camera.camera_whitebalance = (0.0, 0.0, 0.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert read_raw(path, "camera", True)[1].balance == pytest.approx((1.8, 1, 1.6))


def test_what_is_no_bayer_mosaic_is_said(camera, tmp_path) -> None:
    path = Path(shot(tmp_path / "a.raf", np.full((12, 12, 3), 0.5), 1))
    camera.color_desc = b"CMYG"
    with pytest.raises(UsageError, match="CMYG that do not form a Bayer pattern"):
        read_raw(path, "camera", True)
    camera.color_desc, camera.raw_pattern = b"RGBG", np.arange(36).reshape(6, 6) % 4
    with pytest.raises(UsageError, match="no Bayer mosaic"):
        read_raw(path, "camera", True)


def test_raw_files_and_pictures_do_not_mix(camera, tmp_path) -> None:
    raw = shot(tmp_path / "a.nef", np.full((16, 16, 3), 0.5), 1)
    picture = tmp_path / "b.png"
    Picture.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(picture)
    with pytest.raises(UsageError, match="needs raw files"):
        merge([raw, picture], Settings(times=(1, 2), demosaic="after"))


def test_a_damaged_and_a_missing_raw_file_are_one_line(camera, tmp_path) -> None:
    (tmp_path / "a.nef").write_bytes(b"II*\0")
    with pytest.raises(FileError, match=r"a\.nef is damaged"):
        read_frame(tmp_path / "a.nef")
    with pytest.raises(FileError, match="does not exist"):
        read_frame(tmp_path / "b.nef")


@pytest.mark.parametrize("name", ["a.dng", "a.cr3"])
def test_raw_without_its_reader_says_what_to_install(tmp_path, monkeypatch, capsys, name) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    (tmp_path / name).write_bytes(b"II*\0")
    with pytest.raises(MissingPart, match=r"hdrq\[raw\]"):
        merge([tmp_path / name, tmp_path / name], Settings())
    with pytest.raises(SystemExit) as left:
        main(["merge", *[str(tmp_path / name)] * 2, "-o", str(tmp_path / "o.exr")])
    told = capsys.readouterr().err.strip()
    assert left.value.code == 2
    assert "hdrq[raw]" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "options", [{"align": "mtb"}, {"deghost": "patch"}, {"fuse": True}, {"uncertainty": True}]
)
def test_what_a_mosaic_cannot_do_is_said(options) -> None:
    with pytest.raises(UsageError, match="demosaic before"):
        merge(["a.dng", "b.dng"], Settings(times=(1, 2), demosaic="after", **options))


@pytest.mark.parametrize("words", ["tungsten", "2,1", "2,0,1", "1,2,x"])
def test_a_balance_that_is_none_is_refused(tmp_path, capsys, words) -> None:
    with pytest.raises(SystemExit) as left:
        main(["merge", "a.dng", "b.dng", "-o", str(tmp_path / "o.exr"), "--balance", words])
    assert left.value.code == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


# --- the demosaicing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [RGGB, ((2, 1), (1, 0)), ((1, 0), (2, 1)), GBRG])
def test_a_mosaic_of_smooth_light_gives_the_light_back(pattern) -> None:
    """Whatever the order of the colours; where all change alike, as the paper supposes; a lamp leaves no ring."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 50), indexing="ij")
    light = torch.stack([1 + x + 0.3 * y, 2 + x + 0.3 * y, 1.5 + x + 0.3 * y])[None].double()
    site = torch.tensor(pattern).repeat(20, 25)
    mosaic = light[0].gather(0, site[None])[None]
    assert torch.allclose(malvar(mosaic, pattern)[..., 2:-2, 2:-2], light[..., 2:-2, 2:-2], atol=1e-6)
    lamp = torch.full_like(mosaic, 0.01)
    lamp[..., 18:22, 20:24] = 1000
    around = malvar(lamp, pattern)
    assert float(around.min()) >= 0.01 - 1e-12
    assert float(around[..., :14, :].max()) == pytest.approx(0.01)


def test_malvar_filters_answer_a_lone_site_as_the_paper_s_figure_has_them() -> None:
    """Weights of figure 2 over 8, seen where the limits of our departure do not bind: on a ramp with one bump."""
    pattern = RGGB
    mosaic = torch.full((1, 1, 12, 12), 100.0, dtype=torch.float64)
    mosaic += torch.arange(12.0).double()[:, None] * 3 + torch.arange(12.0).double() * 5
    bumped = mosaic.clone()
    bumped[..., 4, 4] += 0.5  # a red site
    change = (malvar(bumped, pattern) - malvar(mosaic, pattern))[0] / 0.5
    assert change[0, 4, 4] == 1
    assert change[1, 4, 4].item() == pytest.approx(4 / 8)
    assert change[2, 4, 4].item() == pytest.approx(6 / 8)
    assert change[0, 4, 5].item() == pytest.approx(4 / 8)
    assert change[0, 5, 4].item() == pytest.approx(4 / 8)
    assert change[0, 5, 5].item() == pytest.approx(2 / 8)
    assert change[1, 4, 6].item() == pytest.approx(-1 / 8)


def test_rows_of_a_raw_file_with_two_exposures_give_its_light(tmp_path) -> None:
    """Pairs of rows amplified differently; colours, levels and orientation are those of the file."""
    pytest.importorskip("rawpy")
    light = scene(64, 80, stops=6)
    rows = np.where(np.arange(64) // 2 % 2 == 0, 1 / 8, 2.0)[:, None, None]
    path = digital_negative(tmp_path / "dual.dng", light * rows, 1.0, neutral=(0.5, 1, 0.7))
    (found,) = merge([path], pattern="bayer-me", layout="rows", times=(1 / 8, 2.0), scale="relative")
    truth = torch.from_numpy(light).permute(2, 0, 1)[None]
    error = (found.image.pixels.double() / truth).log2().abs()[..., 4:-4, 4:-4]
    assert float(error.median()) < 0.05
    assert "demosaiced after merging its exposures" in found.report.raw
    absolute = next(merge([path], pattern="bayer-me", layout="rows", ev=(-3, 1)))
    assert absolute.image.domain == "nits"
    # the file states 1 s at f/8 and ISO 100: white is at 78 N² / (0.65 S t)
    ratio = absolute.image.pixels.mean() / found.image.pixels.mean()
    assert float(ratio) == pytest.approx(78 * 64 / (0.65 * 100), rel=1e-3)
    with pytest.raises(UsageError, match="states its colour filters"):
        list(merge([path], pattern="bayer-me", layout="rows", ev=(-3, 1), filters="rggb"))
