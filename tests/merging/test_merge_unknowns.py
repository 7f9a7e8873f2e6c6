"""What frames cannot tell is assumed and said: the response, the exposures, the place of a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_merge_command import at_prompt, jpeg

from hdrq.errors import PixelError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.io.exposures import exposures_of
from hdrq.merging.merge import merge
from hdrq.merging.noise import Noise
from hdrq.merging.response import telling
from hdrq.merging.response.calibration import estimators
from hdrq.merging.response.estimators.neighbour_ratios import neighbour_ratios
from hdrq.merging.settings import Settings
from hdrq.records import Image
from shooting import curve, save, scene, seen_through, shoot, turned, well_exposed

STILL = Settings(align="none", deghost="none", scale="relative")


def srgb(exposure: np.ndarray) -> np.ndarray:
    return linear_to_srgb(torch.from_numpy(np.clip(exposure, 0, 1))).numpy()


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return scene(160, 240)


def stops_off(found, light: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Stops that a merge is off, after the one factor that a relative merge leaves open."""
    miss = np.log2(found.image.pixels[0].permute(1, 2, 0).numpy()[where] / light[where])
    return np.abs(miss - np.median(miss))


# --- the response -------------------------------------------------------------------------------------


def test_frames_of_equal_exposure_are_averaged_under_an_assumed_response(light) -> None:
    """Before: exposures that are equal fitted a flat response, and every pixel became the same, without a word."""
    frames = [shoot(light, 1.0, i, tone=srgb) for i in range(3)]
    found = merge(frames, replace(STILL, times=(1, 1, 1), allow_equal=True))
    assert "srgb" in found.report.response
    assert any("equal exposure do not determine the response" in n for n in found.report.notes)
    errors = stops_off(found, light, well_exposed(light, (1.0,)))
    assert np.quantile(errors, 0.9) < 0.05
    with pytest.raises(UsageError, match="needs frames of different exposure"):
        merge(frames, replace(STILL, times=(1, 1, 1), allow_equal=True, response="debevec"))


@pytest.mark.parametrize(("apart", "most"), [(4, 0.1), (6, 0.15)])
@pytest.mark.parametrize("tone", [srgb, curve], ids=["sRGB", "camera"])
def test_two_frames_far_apart_are_merged_close_to_srgb(light, apart, most, tone) -> None:
    """Before: 0.2 stops off at four stops and 1.3 at six, with a consistency of 0.000."""
    times = (2.0**-apart, 1.0)
    found = merge([shoot(light, t, i, tone=tone) for i, t in enumerate(times)], replace(STILL, times=times))
    assert any(f"closer than {apart:.1f} stops" in n for n in found.report.notes)
    codes = [tone(light * t) for t in times]
    seen = np.any([((c > 0.05) & (c < 0.95)).all(-1) for c in codes], 0)
    assert np.mean(stops_off(found, light, seen)) < most


def test_frames_close_together_need_no_assumption(light) -> None:
    times = (1 / 4, 1.0)
    found = merge([shoot(light, t, i) for i, t in enumerate(times)], replace(STILL, times=times))
    assert not any("closer than" in n for n in found.report.notes)
    assert found.report.response.startswith("estimated")


@pytest.mark.parametrize("bits", [8, 16])
def test_linear_code_is_found_to_be_linear(light, tmp_path, bits) -> None:
    """A TIFF or PNG does not say that it is linear. Before: shadows 1.2 stops too bright and four stops of range lost."""
    times = (1 / 64, 1 / 8, 1.0)
    frames = [shoot(light, t, i, tone=lambda f: f, bits=bits, read=1e-5) for i, t in enumerate(times)]
    found = merge(save(frames, tmp_path), replace(STILL, times=times))
    assert found.report.response.startswith("linear")
    faint = 0.003 if bits == 16 else 0.03
    dark = (light.max(-1) < 4 * faint) & (light.min(-1) > faint)
    assert dark.sum() > 100
    ratio = found.image.pixels[0].permute(1, 2, 0).numpy()[dark] / light[dark]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_camera_code_is_not_taken_as_linear(light) -> None:
    times = (1 / 64, 1 / 8, 1.0)
    for tone in (srgb, curve):
        frames = [shoot(light, t, i, tone=tone, bits=16) for i, t in enumerate(times)]
        assert merge(frames, replace(STILL, times=times)).report.response.startswith("estimated")


def test_the_dynamic_range_ends_where_code_ends(light) -> None:
    """Before: 52 stops, for weights of nothing had been taken for light."""
    times = (1 / 4, 1.0)
    frames = [shoot(light * [1, 1, 0.001], t, i) for i, t in enumerate(times)]
    assert 5 < merge(frames, replace(STILL, times=times, response="srgb")).report.stops < 16


# --- the exposures ------------------------------------------------------------------------------------

TIMES = (1 / 16, 1 / 4, 1.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize(
    ("tone", "response"), [(srgb, "auto"), (lambda f: f, "linear")], ids=["srgb", "linear"]
)
def test_exposures_that_nobody_states_are_estimated(light, order, tone, response) -> None:
    """Before: refused, with no way out."""
    frames = [shoot(light, TIMES[i], i, tone=tone, bits=16) for i in order]
    found = merge(frames, replace(STILL, estimate_exposures=True, response=response))
    used = np.array([f.used for f in found.report.frames])
    assert used / used.max() == pytest.approx(np.array(TIMES)[list(order)], rel=0.03)
    assert any("exposures are estimated from the pixels" in n for n in found.report.notes)
    assert all(f.off_stops is None for f in found.report.frames)
    with pytest.raises(UsageError, match="needs stated exposures"):
        merge(frames, replace(STILL, estimate_exposures=True, response="debevec"))


def test_guessed_exposures_do_not_make_a_grey_image(light) -> None:
    """Times a hundredth of the true ratios fit a flat response as well as true ones fit a true response."""
    frames = [shoot(light, t, i, tone=srgb) for i, t in enumerate(TIMES)]
    guess = replace(STILL, times=(1.0, 1.3, 1.69))
    plain = merge(frames, guess).report
    assert any("times as steep as sRGB's" in n and "--estimate-exposures" in n for n in plain.notes)
    found = merge(frames, replace(guess, estimate_exposures=True))
    used = np.array([f.used for f in found.report.frames])
    assert used / used.max() == pytest.approx(np.array(TIMES), rel=0.1)
    assert used.max() == pytest.approx(1.69)
    assert any("may differ by a common exponent" in n for n in found.report.notes)
    assert np.quantile(stops_off(found, light, well_exposed(light, TIMES)), 0.9) < 0.2


@pytest.mark.parametrize("stated", [(1, 1 / 4, 1 / 16), (1 / 4, 1, 1 / 16), (2, 1.7, 1.4)])
def test_exposures_in_the_wrong_order_are_not_used_where_they_are_estimated(light, stated) -> None:
    """Before: an internal error, although the refusal without --estimate-exposures names it as the way out."""
    frames = [shoot(light, t, i, tone=srgb) for i, t in enumerate(TIMES)]
    found = merge(frames, replace(STILL, times=stated, estimate_exposures=True)).report
    used = np.array([f.used for f in found.frames])
    assert used / used.max() == pytest.approx(np.array(TIMES), rel=0.03)
    assert any("none of them is used" in n or "srgb response, which is assumed" in n for n in found.notes)


def test_true_exposures_draw_no_doubt(light) -> None:
    for tone in (srgb, curve):
        frames = [shoot(light, t, i, tone=tone) for i, t in enumerate(TIMES)]
        assert not any("steep" in n for n in merge(frames, replace(STILL, times=TIMES)).report.notes)


def test_times_keep_the_aperture_and_sensitivity_of_exif(light, tmp_path) -> None:
    """Before: --times made the merge relative, and a change of ISO between frames was lost."""
    iso = (100, 400)
    paths = [jpeg(tmp_path / f"{i}.jpg", shoot(light, t, i), 1.0, iso[i]) for i, t in enumerate((0.25, 1.0))]
    found = exposures_of(paths, times=(0.25, 0.25))
    assert [(e.seconds, e.iso, e.fnumber) for e in found] == [(0.25, 100, 8), (0.25, 400, 8)]
    assert found[1].relative / found[0].relative == pytest.approx(4)
    assert merge(paths, times=(0.25, 0.25)).image.domain == "nits"
    table = tmp_path / "t.csv"
    table.write_text("file,seconds,iso\n0.jpg,1,50\n1.jpg,4,50\n")
    assert [(e.iso, e.fnumber) for e in exposures_of(paths, table=table)] == [(50, 8)] * 2
    assert [e.fnumber for e in exposures_of(paths, ev=(0, 2))] == [None, None]


# --- where frames lie ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handheld(light) -> list[np.ndarray]:
    hands = [turned(0, 7, -9, light.shape[:2]), np.eye(3), turned(0, -6, 8, light.shape[:2])]
    return [shoot(seen_through(light, h), t, i) for i, (h, t) in enumerate(zip(hands, TIMES))]


def test_frames_that_are_not_aligned_are_noted(light, handheld) -> None:
    """Before: two thirds of the image counted as moved, without a word."""
    for deghost in ("auto", "none"):
        notes = merge(handheld, times=TIMES, align="none", deghost=deghost).report.notes
        assert any("shifted by about -7 rows and +9 columns" in n and "--align" in n for n in notes)
    assert not any("shifted" in n for n in merge(handheld, times=TIMES, deghost="none").report.notes)
    still = merge([shoot(light, t, i) for i, t in enumerate(TIMES)], times=TIMES, align="none").report.notes
    assert not any("shifted" in n or "moved" in n for n in still)


def test_frames_that_disagree_everywhere_are_noted(light) -> None:
    turned_frames = [
        shoot(seen_through(light, turned(a, 0, 0, light.shape[:2])), t, i)
        for i, (a, t) in enumerate(zip((-9, 0, 9), TIMES))
    ]
    notes = merge(turned_frames, times=TIMES, align="none").report.notes
    assert any("is detected as motion" in n and "not aligned" in n for n in notes)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 3), (15, 300)])
@pytest.mark.parametrize("fuse", [False, True])
def test_frames_of_a_few_pixels_merge(size, fuse) -> None:
    """Before: internal errors. Too small to be aligned, and too few to tell a response."""
    frames = [np.full((*size, 3), code, np.uint8) for code in (60, 120)]
    found = merge(frames, times=(1, 4), fuse=fuse)
    assert found.image.size == size
    assert bool(torch.isfinite(found.image.pixels).all())
    assert any("too small to be aligned" in n for n in found.report.notes)
    if not fuse:
        assert any("too few pixels are well exposed" in n for n in found.report.notes)


@pytest.mark.parametrize("response", ["auto", *estimators()])
@pytest.mark.parametrize("codes", [(0, 4), (120, 121), (252, 256)], ids=["black", "stuck", "clipped"])
@pytest.mark.parametrize("channel", [0, 2])
def test_a_channel_that_tells_nothing_takes_the_curve_of_the_others(light, channel, codes, response) -> None:
    """Before: an internal error of a matrix; by debevec and robertson, a flat curve that dimmed all channels. No note."""
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    chance = np.random.default_rng(0)
    for frame in frames:
        frame[..., channel] = chance.integers(*codes, frame.shape[:2])
    found = merge(frames, times=TIMES, response=response)
    assert bool(torch.isfinite(found.image.pixels).all())
    colour = ("red", "green", "blue")[channel]
    assert [n for n in found.report.notes if "response is unknown" in n] == [
        f"the {colour} channel is black, clipped or the same in every frame, so that its response is unknown: the mean "
        "response of the others is assumed; give --response if it is known"
    ]
    assert found.response is not None
    curves = found.response.curve
    known = np.delete(curves, channel, 1)
    between = np.sort(known, 1)[3:-3]
    assert (
        (curves[3:-3, channel] >= 0.999 * between[:, 0]) & (curves[3:-3, channel] <= 1.001 * between[:, 1])
    ).all()
    # the others are those of a merge whose channels all tell theirs
    for frame in frames:
        frame[..., channel] = frame[..., 1]
    plain = merge(frames, times=TIMES, response=response)
    assert not any("response is unknown" in n for n in plain.report.notes)
    assert plain.response is not None
    where = [64, 128, 192]
    assert np.allclose(curves[where], plain.response.curve[where], rtol=0.06)


def test_two_channels_that_tell_nothing_take_the_curve_of_the_third(light) -> None:
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    for frame in frames:
        frame[..., 1:] = 255
    found = merge(frames, times=TIMES)
    assert any(
        n.startswith(
            "the green and blue channels are black, clipped or the same in every frame, so that their responses are "
        )
        and "that of the other is assumed" in n
        for n in found.report.notes
    )
    assert found.response is not None
    assert np.allclose(found.response.curve[6:250], found.response.curve[6:250, :1], rtol=1e-3)


def test_whether_a_channel_tells_is_asked_of_neighbouring_exposures_in_any_order() -> None:
    low, high = telling.LOW, telling.HIGH
    shown = {
        "differs": [[low + 1], [60], [high - 1]],
        "same": [[60], [60], [60]],
        "only one is exposed": [[low], [60], [high]],
        "not neighbours": [[60], [255], [61]],
    }
    codes = np.stack([np.array(c) for c in shown.values()], -1)
    assert telling.telling(codes, np.array([1, 2, 4])).tolist() == [True, False, False, False]
    # the first and the last are neighbours here
    assert telling.telling(codes, np.array([1, 4, 2])).tolist() == [True, False, False, True]


def test_an_estimator_refuses_a_channel_without_pairs_of_codes(light) -> None:
    samples = np.stack([shoot(light, t, i).reshape(-1, 3)[::7] for i, t in enumerate(TIMES)])
    samples[..., 1] = 120
    with pytest.raises(PixelError, match="share too few unclipped pixels"):
        neighbour_ratios(samples, np.array(TIMES))
    with pytest.raises(PixelError, match="share too few unclipped pixels"):
        neighbour_ratios(np.full_like(samples, 3), np.array(TIMES))


def test_assumed_channels_and_noise_are_said_once_at_the_prompt(light, tmp_path, capsys) -> None:
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    for frame in frames:
        frame[..., 2] = 0
    at = [*save(frames, tmp_path), "-o", tmp_path / "out.exr", "--times", ",".join(map(str, TIMES))]
    _, _, err = at_prompt(capsys, *at)
    assert err.count("the blue channel is black, clipped or the same in every frame") == 1
    assert "measure the noise" not in err
    _, _, err = at_prompt(capsys, *at, "--estimate-exposures")
    assert err.count("the blue channel is black, clipped or the same in every frame") == 1


def test_a_noise_that_is_assumed_is_said() -> None:
    """Before: the report stated a usual camera's noise as if it were that of the frames."""
    small = [np.full((40, 50, 3), c, np.uint8) for c in (3, 252)]
    found = merge(small, times=(1 / 64, 1), response="srgb")
    assert any(
        n.startswith("too few pixels are well exposed in two frames to measure the noise")
        for n in found.report.notes
    )
    assert found.report.noise == (Noise().photon, Noise().read)


def test_what_the_reference_shows_dark_stays_dark_under_patches() -> None:
    """Before: a man in black was filled with patches of the floor behind him, for he was too dark to be known."""
    light, times = scene(120, 160, stops=4, seed=4), (1 / 4, 1.0, 4.0)
    frames = [shoot(light, t, i) for i, t in enumerate(times)]
    dark = light.copy()
    dark[40:80, 60:90] = 5e-5
    frames[1] = shoot(dark, 1.0, 1)
    settings = replace(STILL, times=times, reference=1, response="auto", deghost="patch")
    inner = merge(frames, settings).image.pixels[0, :, 45:75, 65:85]
    assert float(inner.max()) < 0.05 * float(np.median(light))


# --- arrays, Images and options that do nothing ---------------------------------------------------------


def test_files_arrays_and_images_merge_alike(light, tmp_path) -> None:
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    images = [Image(torch.from_numpy(f).permute(2, 0, 1)[None].float() / 255, "srgb", bits=8) for f in frames]
    options = {"times": TIMES, "deghost": "none", "rule": "log-mean"}
    first, *others = (merge(s, **options) for s in (save(frames, tmp_path), frames, np.stack(frames), images))
    assert first.report.rule == "log-mean"
    assert all(torch.equal(first.image.pixels, other.image.pixels) for other in others)
    floats = [np.clip(light * t, 0, 1).astype(np.float32) for t in TIMES]
    tensors = [torch.from_numpy(f).permute(2, 0, 1) for f in floats]
    ours = [merge(s, times=TIMES, deghost="none", scale="relative").image.pixels for s in (floats, tensors)]
    assert torch.equal(*ours)
    bright = light.max(-1) < 1
    assert np.abs(ours[0][0].permute(1, 2, 0).numpy()[bright] / light[bright] - 1).max() < 1e-3


def test_wrong_arguments_are_one_line(light, tmp_path) -> None:
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    for sources, options, says in (
        (frames, {}, "have no exposure; give times="),
        (frames, {"times": TIMES, "alignment": "none"}, "no option 'alignment'"),
        ("a.jpg", {}, "list of at least two"),
        ([f[0, 0] for f in frames], {"times": TIMES}, "is not a frame"),
        ([f.astype(np.int64) for f in frames], {"times": TIMES}, "int64"),
        (frames, {"times": TIMES, "white": 2.0}, "leave out --white"),
        (frames, {"times": TIMES, "black": 2.0}, "--black is for raw files"),
        (frames, {"times": TIMES, "fusion_weights": (1, 1, 0)}, "needs --fuse"),
    ):
        with pytest.raises(UsageError, match=says):
            merge(sources, **options)


@pytest.mark.parametrize(
    "options",
    [
        ["--deghost", "bitmap"],
        ["--deghost", "auto"],
        ["--response", "srgb"],
        ["--rule", "log-mean"],
        ["--scale", "median"],
        ["--estimate-exposures"],
    ],
)
def test_options_that_fusion_has_no_use_for_are_refused(light, tmp_path, capsys, options) -> None:
    paths = save([shoot(light, t, i) for i, t in enumerate(TIMES)], tmp_path)
    code, _, err = at_prompt(capsys, *paths, "-o", tmp_path / "f.png", "--fuse", *options)
    assert code == 2
    assert "--fuse" in err
    assert options[0] in err
    assert err.strip().endswith("leave it out")
