"""hdrq tonemap: files, folders, sheets, tuning, expansion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.binding import metric
from hdrq.tonemapping.file_names import jobs, natural
from hdrq.tonemapping.files import expand_files
from hdrq.tonemapping.optimize import Tuned, tune
from hdrq.tonemapping.plan import expansion, plan
from hdrq.tonemapping.tonemap import code_of, tonemap


def scene(h: int = 48, w: int = 64, gain: float = 1.0) -> Image:
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    light = 10 ** (-1 + 3 * x) * (1 + 0.5 * torch.sin(20 * y))
    return Image(gain * torch.stack([light, 0.9 * light, 0.7 * light])[None], "nits")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "scene.exr"
    io.write(path, scene())
    return path


def run(*argv: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["tonemap", *map(str, argv)])
    return int(stop.value.code or 0)


def test_a_file_becomes_an_srgb_picture(file, tmp_path):
    assert run(file, tmp_path / "a.png", "--set", "key=0.3") == 0
    made = io.read(tmp_path / "a.png")
    assert made.domain == "srgb"
    assert made.bits == 8
    assert made.pixels.std() > 0.1


def test_pq_output_is_tagged_and_has_sixteen_bits(file, tmp_path):
    assert run(file, tmp_path / "a.png", "--display", "hdr-pq-1000", "--operator", "bt2390") == 0
    made = io.read(tmp_path / "a.png")
    assert made.domain == "pq"
    assert made.bits == 16
    assert made.primaries.name == "bt2020"


def test_the_white_of_a_pq_picture_is_the_displays_peak():
    d = display("hdr-pq-1000")
    code = code_of(torch.ones(1, 3, 2, 2), plan("reinhard", display=d))
    assert torch.allclose(find("encoding", "pq").decode(code.pixels), torch.tensor(1000.0), rtol=1e-3)


def test_a_folder_becomes_a_folder_and_a_bad_file_fails_alone(tmp_path, capsys):
    for i in range(2):
        (tmp_path / "in").mkdir(exist_ok=True)
        io.write(tmp_path / "in" / f"{i}.exr", scene())
    (tmp_path / "in" / "2.exr").write_bytes(b"v/1\x01 no picture")
    assert run(tmp_path / "in", tmp_path / "out") == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]
    assert "2.exr" in capsys.readouterr().err


def test_dither_is_triangular_noise_of_a_step():
    """From -1 to 1 steps of the code, hence with a variance of a sixth of a squared step."""
    grey = torch.full((1, 3, 200, 200), 0.5, dtype=torch.float64)
    noise = {}
    for bits in (8, 16):
        plain, noisy = (code_of(grey, plan("reinhard", bits=bits, dither=d)).pixels for d in (False, True))
        noise[bits] = (noisy - plain) * (2**bits - 1)
        assert 0.98 < noise[bits].abs().max() <= 1
        assert noise[bits].mean().abs() < 0.01
        assert noise[bits].var().item() == pytest.approx(1 / 6, rel=0.02)
    assert torch.allclose(noise[8], noise[16], atol=1e-9)


def test_a_sheet_shows_the_operators_asked_for(file, tmp_path):
    sheet = tmp_path / "sheet.png"
    assert run(file, "--compare", "reinhard,drago,hable", "-o", sheet, "--score", "none") == 0
    assert io.read(sheet).size[0] > 48


def test_tuning_writes_parameters_that_can_be_used_again(file, tmp_path, capsys):
    kept = tmp_path / "p.json"
    command = (
        file,
        "--optimize",
        "pu21:psnr",
        "--operator",
        "exponential",
        "--iterations",
        "6",
        "--params",
        kept,
    )
    assert run(*command) == 0
    data = json.loads(kept.read_text())
    assert data["operator"] == "exponential"
    assert data["after"] >= data["before"]
    assert "before" in capsys.readouterr().out
    assert run(file, tmp_path / "b.png", "--params", kept) == 0
    assert run(file, tmp_path / "b.png", "--params", kept, "--operator", "drago") == 2


def test_optimising_by_gradient_and_without_one_both_improve():
    picture, scorer = scene(170, 180), metric("tmqi")
    for method in ("gradient", "derivative-free"):
        *_, last = tune(
            picture, plan("sigmoid", {"alpha": "10"}), scorer, iterations=12, restarts=1, method=method
        )
        assert isinstance(last, Tuned)
        assert last.after > last.before


def test_film_frames_do_not_flicker(tmp_path):
    """One frame with a flash: its surroundings stay nearer to the frames beside it than without --temporal."""
    frames = tmp_path / "in"
    frames.mkdir()
    for i in range(4):
        light = scene()
        if i == 2:
            light.pixels[..., :24, :] *= 6
        io.write(frames / f"{i}.exr", light)
    dark = {}
    for name, extra in (("plain", ()), ("calm", ("--temporal", "8"))):
        assert run(frames, tmp_path / name, *extra) == 0
        levels = [io.read(tmp_path / name / f"{i}.png").pixels[..., 30:, :].mean().item() for i in range(4)]
        dark[name] = abs(levels[2] - levels[1])
    assert dark["calm"] < 0.5 * dark["plain"]


def test_expansion_writes_light_and_a_mask(file, tmp_path):
    run(file, tmp_path / "a.png", "--set", "key=2")
    assert run(tmp_path / "a.png", tmp_path / "e.exr", "--expand", "rempel", "--mask") == 0
    light = io.read(tmp_path / "e.exr")
    assert light.pixels.max() > 500
    assert (tmp_path / "e-clipped.png").exists()
    (done,) = expand_files([(file, tmp_path / "x.exr")], expansion("rempel"), Photometry())
    assert "is already light" in done.error


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (("--operator", "rein"), "did you mean reinhard"),
        (("--set", "kee=3"), "no option 'kee'"),
        (("--set", "key"), "takes NAME=VALUE"),
        (("--colour", "vivid"), "unknown colour correction"),
        (("--expand", "rempl"), "did you mean rempel"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(file, tmp_path, capsys, extra, reason):
    assert run(file, tmp_path / "a.png", *extra) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_several_files_patterns_and_folders_go_to_a_folder(tmp_path):
    for name in ("a.exr", "b.exr", "sub/c.exr"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        io.write(tmp_path / name, scene())
    assert run(tmp_path / "?.exr", tmp_path / "sub", tmp_path / "out", "--suffix", "tif") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.tif", "b.tif", "c.tif"]


def test_several_inputs_make_no_folder_with_the_name_of_an_image(file, tmp_path, capsys, monkeypatch):
    """Before: with OUT and -o, or where OUT was the name of a file, a folder a.png was made."""
    monkeypatch.chdir(tmp_path)
    io.write(tmp_path / "b.exr", scene())
    many = ((file, tmp_path / "b.exr", "a.png"), (file, "o.png", "-o", "a.png"), (tmp_path, "a.png"))
    for argv in many:
        assert run(*argv) == 2
        assert "a.png names a file, but there are several inputs" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["encode", str(file), str(tmp_path / "b.exr"), "a.png", "--to", "pq"])
    assert stop.value.code == 2
    assert not (tmp_path / "a.png").exists()


def test_inputs_are_never_overwritten(file, tmp_path, capsys):
    before = file.read_bytes()
    assert run(tmp_path, tmp_path, "--suffix", ".exr", "--display", "absolute") == 2
    assert run(file, file, "--display", "absolute") == 2
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_two_inputs_of_one_stem_do_not_become_one_output(tmp_path, capsys):
    for name in ("a/x.exr", "b/x.exr"):
        (tmp_path / name).parent.mkdir()
        io.write(tmp_path / name, scene())
    assert run(tmp_path / "a/x.exr", tmp_path / "b/x.exr", tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-x.exr.png", "b-x.exr.png"]
    assert run(tmp_path / "a/x.exr", tmp_path / "a/x.exr", tmp_path / "twice") == 2
    assert "is given twice" in capsys.readouterr().err
    assert not (tmp_path / "twice").exists()


def test_a_mask_does_not_overwrite_an_input(tmp_path):
    for name in ("c.png", "c-clipped.png"):
        io.write(tmp_path / name, Image(torch.rand(1, 3, 8, 8), "srgb"))
    before = (tmp_path / "c-clipped.png").read_bytes()
    inputs = (tmp_path / "c.png", tmp_path / "c-clipped.png")
    assert run(*inputs, tmp_path, "--expand", "rempel", "--mask") == 2
    assert (tmp_path / "c-clipped.png").read_bytes() == before


def test_frames_come_in_natural_order(tmp_path):
    for name in ("f1", "f10", "f2"):
        io.write(tmp_path / f"{name}.exr", scene())
    order = [source.stem for source, _ in jobs([tmp_path], tmp_path / "out", ".png")]
    assert order == ["f1", "f2", "f10"]
    assert natural(Path("a/2")) < natural(Path("a/10")) < natural(Path("b/1"))


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (("--saturation", "0.5"), "--saturation has no effect without --colour"),
        (("--compare", "all", "--set", "key=1"), "--set has no effect with --compare"),
        (("--compare", "all", "--display", "sdr"), "--display has no effect with --compare"),
        (("--compare", "all", "--optimize", "tmqi"), "are different tasks"),
        (("--expand", "rempel", "--display-peak", "500"), "--display-peak has no effect with --expand"),
        (("--ambient", "100", "--display", "sdr"), "--ambient has no effect with reinhard"),
        (("--display-peak", "300", "--display", "sdr"), "--display-peak has no effect with reinhard"),
        (("--mask",), "--mask has no effect without --expand"),
        (("--score", "tmqi"), "--score has no effect without --compare"),
        (("--iterations", "3"), "--iterations has no effect without --optimize"),
        (("--seed", "3"), "--seed has no effect without --dither or --optimize or --enhance"),
        (("--suffix", ".png"), "--suffix is only for output folders"),
        (("--suffix", "."), "--suffix is the end of a file's name such as .png"),
        (("--temporal", "0"), "--temporal must be positive and finite"),
        (("--temporal", "-3"), "--temporal must be positive and finite"),
        (("--temporal", "3"), "--temporal needs the frames of a video"),
        (("--optimize", "niqe"), "prefers overexposed ones"),
        (("--operator", "linear", "--set", "share=0.1"), "share has an effect only with auto=over-exposed"),
        (("--set", "key=nan"), "key=nan is not a number"),
        (("--set", "key=-1"), "key=-1 is not within"),
        (("--operator", "ward-1997", "--set", "bins=1"), "bins=1 is not within"),
        (("--operator", "ward-1997", "--set", "bins=2.5"), "not a whole number"),
        (("--operator", "ward-1997", "--set", "black_nits=100"), "not below peak_nits"),
    ],
)
def test_what_would_do_nothing_or_harm_is_refused_in_one_line(file, tmp_path, capsys, extra, reason):
    assert run(file, tmp_path / "a.png", *extra) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


def test_operators_without_statistics_refuse_a_film(tmp_path, capsys):
    for i in range(2):
        io.write(tmp_path / f"{i}.exr", scene())
    assert run(tmp_path, tmp_path / "out", "--temporal", "5", "--operator", "ward-1997") == 2
    assert "no statistics to smooth over time" in capsys.readouterr().err


ROUND_TRIPS = [
    "--set key=0.4 --colour schlick --saturation 0.3 --gamut scale --display hdr-pq-1000",
    "--operator bt2390 --display hdr-pq-1000 --display-peak 700 --black 0.02",
    "--operator mantiuk-2008 --display bt1886 --contrast 300 --ambient 500 --reflectance 0.02",
    "--operator drago --dither --seed 7 --levels 0.3,1.1",
    "--operator durand --wrap --bits 16 --primaries p3",
    "--operator reinhard --gain-map 3",
]


@pytest.mark.parametrize("choices", ROUND_TRIPS)
def test_saved_parameters_give_the_same_file(tmp_path, choices):
    kept, suffix = tmp_path / "p.json", ".jpg" if "gain-map" in choices else ".png"
    io.write(tmp_path / "s.exr", scene(64, 64))
    a, b, c = (tmp_path / f"{name}{suffix}" for name in "abc")
    assert run(tmp_path / "s.exr", a, *choices.split(), "--save-params", kept) == 0
    assert run(tmp_path / "s.exr", b, "--params", kept) == 0
    assert run(tmp_path / "s.exr", c, "--operator", json.loads(kept.read_text())["operator"]) == 0
    assert a.read_bytes() == b.read_bytes()
    assert a.read_bytes() != c.read_bytes()  # the choices have an effect


def test_options_win_over_saved_parameters(file, tmp_path, capsys):
    kept, display = tmp_path / "p.json", ["--display", "hdr-pq-1000"]
    saved = ["--gamut", "scale", "--colour", "schlick", "--dither", "--seed", "3", *display]
    assert run(file, tmp_path / "a.png", *saved, "--display-peak", "500", "--save-params", kept) == 0
    now = ["--gamut", "clip", "--colour", "linear", "--seed", "4", *display]
    assert run(file, tmp_path / "b.png", "--params", kept, *now) == 0
    assert run(file, tmp_path / "c.png", *now, "--dither") == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()
    assert run(file, tmp_path / "a.png", "--save-params", kept) == 0
    assert run(file, tmp_path / "b.png", "--params", kept, "--saturation", "0.5") == 2
    assert "--saturation has no effect without --colour" in capsys.readouterr().err


def test_an_optimisation_saves_what_repeats_its_file(tmp_path):
    io.write(tmp_path / "s.exr", scene(170, 180))
    how = (
        "--operator drago --optimize tmqi --iterations 2 --colour linear --gamut desaturate --dither --seed 5"
    )
    assert run(tmp_path / "s.exr", tmp_path / "a.png", *how.split(), "--params", tmp_path / "p.json") == 0
    assert run(tmp_path / "s.exr", tmp_path / "b.png", "--params", tmp_path / "p.json") == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_operator_of_absolute_light_says_how_it_anchors_a_relative_file(tmp_path, capsys):
    """The geometric mean is put at 18 % of 203 cd/m², whatever the scale of the file."""
    dark = {}
    for gain in (1e-3, 1e-5):
        io.write(tmp_path / "dark.exr", scene(gain=gain))
        assert run(tmp_path / "dark.exr", tmp_path / "a.png", "--operator", "ward-1994") == 0
        assert "geometric mean luminance was set to 36.5 cd/m²" in capsys.readouterr().err
        dark[gain] = io.read(tmp_path / "a.png").pixels
    assert dark[1e-3].mean() > 0.2
    assert (dark[1e-3] - dark[1e-5]).abs().max() < 0.01
    assert run(tmp_path / "dark.exr", tmp_path / "a.png", "--operator", "ward-1994", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_optimising_reports_the_code_that_is_written(tmp_path, capsys):
    """before and after are the metric's values of the PNG, to the digits that are printed."""
    io.write(tmp_path / "s.exr", scene(170, 180))
    scorer, reference = metric("tmqi"), io.read(tmp_path / "s.exr")
    assert run(tmp_path / "s.exr", tmp_path / "a.png", "--operator", "drago") == 0
    command = (
        "--operator",
        "drago",
        "--optimize",
        "tmqi",
        "--iterations",
        "4",
        "--params",
        tmp_path / "p.json",
    )
    assert run(tmp_path / "s.exr", tmp_path / "b.png", *command) == 0
    assert "tmqi of drago (higher is better)" in capsys.readouterr().out
    data = json.loads((tmp_path / "p.json").read_text())
    for name, value in (("a.png", data["before"]), ("b.png", data["after"])):
        assert float(scorer(reference, io.read(tmp_path / name))) == pytest.approx(value, abs=2e-5)


def test_an_optimum_is_never_worse_than_the_start():
    """A search of one step from a start far off finds nothing; the start stays."""
    given = {"key": "0.18"}
    *_, last = tune(scene(170, 180), plan("reinhard", given), metric("tmqi"), iterations=1, restarts=1)
    assert isinstance(last, Tuned)
    assert last.after >= last.before
    assert last.improvement >= 0


def test_colour_is_left_alone_under_a_metric_of_luminance():
    *_, last = tune(scene(170, 180), plan("sigmoid"), metric("tmqi"), iterations=2, restarts=1)
    assert isinstance(last, Tuned)
    assert last.fixed == ("gamma",)
    assert "gamma" not in last.parameters


def test_one_stepped_parameter_and_several_are_searched_without_derivatives():
    picture = scene(170, 180)
    for name, start in (("krawczyk", {}), ("reinhard-local", {"key": "1.9"})):
        *_, last = tune(picture, plan(name, start), metric("tmqi"), iterations=12, restarts=1)
        assert isinstance(last, Tuned)
        assert last.method == "derivative-free"
        assert last.after > last.before


def test_a_sheet_scores_the_full_image(tmp_path):
    from hdrq.tonemapping.contact_sheet import tiles

    image = scene(400, 500)
    (tile,) = tiles(image, ["reinhard"], metric("tmqi"))
    full = tonemap(image, plan("reinhard"))
    rounded = full.with_pixels((full.pixels * 255).round() / 255)
    assert tile.score == pytest.approx(float(metric("tmqi")(image, rounded)), abs=1e-6)
    assert max(tile.code.shape[-2:]) == 384


def test_thin_images_are_tone_mapped_and_compared(tmp_path, capsys):
    io.write(tmp_path / "thin.exr", scene(3, 700))
    assert (
        run(tmp_path / "thin.exr", "--compare", "reinhard,lischinski,fattal", "-o", tmp_path / "s.png") == 0
    )
    assert "needs images of at least 161 pixels a side" in capsys.readouterr().err


def panorama() -> Image:
    """Light that goes on smoothly from its right edge to its left one, with a lamp beside the seam."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 60), torch.arange(120) / 120, indexing="ij")
    light = 10 ** (1 + torch.sin(6.2832 * x) + 0.3 * torch.sin(6.2832 * 5 * x + 9 * y))
    away = torch.minimum((x - 0.95).abs(), 1 - (x - 0.95).abs())
    light = light + 3000 * torch.exp(-((away**2 + (y - 0.5) ** 2) / 0.002))
    return Image(torch.stack([light, 0.9 * light, 0.7 * light])[None], "nits")


@pytest.mark.parametrize("name", ["fattal", "mantiuk-2006", "lischinski", "durand", "mertens", "reinhard"])
def test_the_edges_of_a_panorama_meet(name):
    """The step over the seam is no larger than the steps beside it, in mean over the rows."""
    code = 255 * tonemap(panorama(), plan(name, wrap=True)).pixels
    steps = (torch.roll(code, -1, -1) - code).abs().mean((0, 1, 2))
    assert steps[-1] < 1.3 * steps[[-4, -3, -2, 0, 1, 2]].max()


def test_a_panorama_keeps_the_exposure_of_the_plain_image():
    plain, wrapped = (tonemap(panorama(), plan("reinhard", wrap=w)).pixels for w in (False, True))
    assert torch.allclose(plain, wrapped, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "most"),
    [("fattal", 2.5), ("mantiuk-2006", 4.0), ("lischinski", 0.1), ("durand", 0.2), ("mertens", 1.5)],
)
def test_a_seam_is_no_place_of_a_panorama(name, most):
    """Turned by half, tone mapped and turned back, the seam stays; without wrapping it changes four times as much."""

    def change(wrap: bool) -> float:
        made, image = plan(name, wrap=wrap), panorama()
        code = tonemap(image, made).pixels
        turned = tonemap(image.with_pixels(torch.roll(image.pixels, 60, -1)), made).pixels
        return float(255 * (torch.roll(turned, -60, -1) - code).abs().mean((0, 1, 2))[[0, -1]].mean())

    assert change(True) < most
    assert change(False) > 4 * change(True)


@pytest.mark.parametrize(
    "entry",
    [
        '"bits": "x"',
        '"bits": 12',
        '"bits": true',
        '"saturation": "x", "colour": "schlick"',
        '"saturation": -1, "colour": "schlick"',
        '"saturation": NaN, "colour": "schlick"',
        '"wrap": "no"',
        '"dither": 7',
        '"seed": "x", "dither": true',
        '"gain_map": "x"',
        '"display_peak": "x"',
        '"black": true',
        '"ambient": [1]',
        '"gamut": 3',
        '"gamut": "x"',
        '"display": 5',
        '"primaries": ["p3"]',
        '"levels": [1, "x"]',
        '"levels": 3',
        '"parameters": {"key": [1]}',
        '"parameters": {"suffix": 1}',
        '"parameters": 3',
        '"operator": ["a"]',
        '"operator": null',
    ],
)
def test_a_parameter_file_with_a_wrong_entry_is_one_line(entry, tmp_path, run) -> None:
    """Before: bits and saturation of another kind were internal errors, and 12 bits were written as 16."""
    made = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 100
    io.write(tmp_path / "in.exr", Image(made, "nits"))
    (tmp_path / "p.json").write_text('{"operator": "reinhard", "parameters": {}, ' + entry + "}")
    target = tmp_path / "out.png"
    exit_code, _, err = run("tonemap", tmp_path / "in.exr", target, "--params", tmp_path / "p.json")
    assert exit_code in (2, 3)
    assert "internal error" not in err
    assert err.startswith("hdrq: ")
    assert err.count("\n") == 1
    assert not target.exists()
