"""Steps of alignment, calibration and deghosting: derivatives, adjoints and formulas, and figures of what iterates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

from hdrq.errors import TooLarge
from hdrq.image.warp import apply
from hdrq.io.exposures import Exposure
from hdrq.merging.alignment.align import align
from hdrq.merging.alignment.ecc import (
    _descents,
    _moved,
    _steepest,
    ecc,
    match_histogram,
    pair,
)
from hdrq.merging.alignment.feature_matching import (
    _direct_linear,
    _smaller,
    _through,
    corners,
    describe,
    match_homography,
)
from hdrq.merging.alignment.mtb import Pyramid, _chance, grey, mtb_shift
from hdrq.merging.alignment.optical_flow import _divergence, _median3, _refine, _resized, tv_flow
from hdrq.merging.averaging import Weighting
from hdrq.merging.deghosting import patch_reconstruction
from hdrq.merging.deghosting.expected_deviation import _median_by_code, _noise_floor, expected_deviation
from hdrq.merging.deghosting.patch_match import _within, fill
from hdrq.merging.exposure_stack import ExposureStack, Survey, read_frame, survey_frame
from hdrq.merging.merge import merge
from hdrq.merging.merged import Merged
from hdrq.merging.noise import fit_noise
from hdrq.merging.report import _ends, _least, stops_of
from hdrq.merging.response.calibration import (
    _agrees_as_well,
    _closest,
    _power_of,
    _same_span,
    _span,
)
from hdrq.merging.response.curve import Response, consistency, fixed_response, usable
from hdrq.merging.response.estimators.debevec import debevec
from hdrq.merging.response.estimators.mitsunaga_nayar import mitsunaga_nayar
from hdrq.merging.response.estimators.neighbour_ratios import neighbour_ratios
from hdrq.merging.response.estimators.robertson import robertson
from hdrq.merging.response.exposure_ratios import exposure_ratios
from hdrq.merging.response.samples import Samples, take_samples
from hdrq.merging.settings import Settings
from hdrq.records import Image
from pinned import pinned
from shooting import scene, seen_through, shoot, turned

SIZE = (200, 240)
TIMES = (1 / 16, 1 / 4, 1.0)


@pytest.fixture(scope="module")
def views() -> tuple[np.ndarray, np.ndarray]:
    """(the scene, what a camera that moved a little sees of it at twice the exposure), grey."""
    light = scene(*SIZE, stops=4, seed=3)
    shown = (shoot(light, 0.7, 0), shoot(seen_through(light, turned(1.5, 3, -4, SIZE)), 1.4, 1))
    return tuple(grey(frame.transpose(2, 0, 1)) for frame in shown)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def seen() -> np.ndarray:
    """(3, N, 3) codes of the same points in three exposures."""
    light = scene(80, 100, seed=5).reshape(-1, 1, 3)
    return np.stack([shoot(light, t, i)[:, 0] for i, t in enumerate(TIMES)]).astype(float)


# --- alignment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["shift", "euclid", "affine", "homography"])
def test_derivatives_of_motions_are_their_differences(model) -> None:
    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.uniform(-1, 1, 7)) for _ in range(2))
    h = np.array([[0.98, -0.17, 0.1], [0.17, 0.98, -0.2], [0.0, 0.0, 1.0]])
    if model == "shift":
        h[:2, :2] = np.eye(2)
    if model == "euclid":
        h[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    if model == "homography":
        h[2, :2] = 0.1, -0.05
    u, v = (torch.from_numpy(p) for p in apply(h, x.numpy(), y.numpy()))
    # of a code that changes along one of the axes alone, by one
    across, down = (
        _descents(axis[:, None].expand(2, 7), x, y, u, v, h, model) for axis in torch.eye(2, dtype=x.dtype)
    )
    count = {"shift": 2, "euclid": 3, "affine": 6, "homography": 8}[model]
    assert across.shape == down.shape == (count, 7)
    for k in range(count):
        step = np.zeros(count)
        step[k] = 1e-6
        ahead, behind = (apply(_moved(h, s * step, model), x.numpy(), y.numpy()) for s in (1, -1))
        for derivative, a, b in zip((across[k], down[k]), ahead, behind):
            assert derivative.numpy() == pytest.approx((a - b) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("model", ["shift", "euclid", "affine", "homography"])
def test_registrations_are_what_they_were(views, model) -> None:
    h, rho = ecc(pair(*views), np.eye(3), model)
    smaller, _ = ecc(pair(*views, pixels=6000), turned(1, 2, -3, SIZE), model, rounds=4)
    pinned(f"ecc {model}", h - np.eye(3), rho, smaller - np.eye(3))
    pinned("matched histogram", match_histogram(views[1], views[0]))


def test_steep_pixels_are_taken_from_everywhere_that_is_seen() -> None:
    flat, seen = torch.full((20, 24), 7.0), torch.ones(20, 24)
    seen[3:9, 5:11] = 0.5
    y, x, value = _steepest(flat, seen)
    found = torch.zeros(20, 24, dtype=torch.bool)
    found[y.long(), x.long()] = True
    assert bool((found[:16, :16] == (seen[:16, :16] > 0.99)).all())
    assert not found[16:].any()
    assert not found[:, 16:].any()
    assert bool((value == 7).all())
    large = torch.rand(160, 208, generator=torch.Generator().manual_seed(0)) * 100
    y, x, value = _steepest(large, torch.ones(160, 208))
    assert torch.equal(value, large[y.long(), x.long()])
    blocks = torch.bincount((y.long() // 16) * 13 + x.long() // 16, minlength=130)
    assert blocks.tolist() == [16] * 130
    down, across = np.gradient(np.pad(large.numpy(), 1, mode="edge"))
    slope = (down**2 + across**2)[1:-1, 1:-1]
    first = slope[16:32, 32:48]
    inside = (y >= 16) & (y < 32) & (x >= 32) & (x < 48)
    taken = slope[y[inside].long(), x[inside].long()]
    assert taken.min() == pytest.approx(np.sort(first.ravel())[-16], rel=1e-4)


def test_tiny_frames_take_every_pixel_that_is_seen() -> None:
    y, x, _ = _steepest(torch.rand(5, 40), torch.ones(5, 40))
    assert len(y) == 200
    assert (int(y.max()), int(x.max())) == (4, 39)


def test_chance_is_that_of_bitmaps_of_their_shares() -> None:
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:30], second[:60] = True, True
    used = np.ones(100, bool)
    assert _chance((first, used), (second, used)) == pytest.approx(0.3 * 0.4 + 0.6 * 0.7)
    assert _chance((first, ~used), (second, used)) == pytest.approx(0.6)


def test_whole_shifts_state_their_errors(views) -> None:
    found = mtb_shift(*map(Pyramid.of, views))
    near = mtb_shift(Pyramid.of(views[0]), Pyramid.of(np.roll(views[0], (2, 1), (0, 1))), reach=3)
    assert (near.dy, near.dx) == (2, 1)
    pinned("whole shifts", [found.dy, found.dx], [found.error, found.still], [near.error, near.still])


def test_the_divergence_is_the_negative_adjoint_of_forward_differences() -> None:
    random = torch.Generator().manual_seed(0)
    flow, dual = torch.randn(2, 9, 11, generator=random), torch.randn(2, 2, 9, 11, generator=random)
    right, down = torch.zeros_like(flow), torch.zeros_like(flow)
    right[:, :, :-1], down[:, :-1] = flow.diff(dim=2), flow.diff(dim=1)
    dual[:, 0, :, -1] = dual[:, 1, -1] = 0
    left = (torch.stack([right, down], 1) * dual).sum()
    assert float((-flow * _divergence(dual)).sum()) == pytest.approx(float(left), rel=1e-4)


def test_flow_is_resized_in_pixels_and_its_outliers_are_medians() -> None:
    flow = torch.tensor([3.0, -2.0])[:, None, None].expand(2, 10, 20)
    larger = _resized(flow, torch.Size((15, 50)))
    assert larger.shape == (2, 15, 50)
    assert torch.allclose(larger[0], torch.tensor(7.5))
    assert torch.allclose(larger[1], torch.tensor(-3.0))
    noise = torch.randn(2, 9, 12, generator=torch.Generator().manual_seed(1))
    wanted = np.stack([median_filter(n, 3, mode="nearest") for n in noise.numpy()])
    assert np.array_equal(_median3(noise).numpy(), wanted)


def test_flows_are_what_they_were(views) -> None:
    moving = match_histogram(views[1], views[0])
    fixed, moved = (torch.from_numpy(np.ascontiguousarray(a, np.float32))[None] for a in (views[0], moving))
    known = [((a > 6) & (a < 249)).float() for a in (fixed, moved)]
    known[0][:, 40:60, 50:90] = 0
    pinned("flow", tv_flow(fixed, moved, *known, warps=2, rounds=8))
    pinned("flow of a smaller level", tv_flow(fixed, moved, *known, warps=1, rounds=5, pixels=20_000))
    start = torch.zeros(2, *SIZE)
    pinned("one refinement", _refine(fixed, moved, *known, start + 0.5, 1, 3))


def test_corners_and_their_patches_are_what_they_were(views) -> None:
    image = views[0].astype(np.float32)
    found = corners(image, 60)
    pinned("corners", found[:, :2], np.sin(found[:, 2]), np.cos(found[:, 2]))
    pinned("descriptors", describe(image, found))
    for factor in (1.0, 1.5, 2.0, 3.4):
        pinned(f"smaller by {factor}", _smaller(image, factor))
    h, agreeing = match_homography(*views)
    pinned("matched corners", h - np.eye(3), agreeing, tolerance=2e-3)


def test_four_points_give_their_homography() -> None:
    h = np.array([[1.1, -0.2, 5.0], [0.1, 0.9, -3.0], [1e-3, -5e-4, 1.0]])
    p = np.array([[0, 0], [100, 10], [90, 120], [-5, 80], [40, 44]], float)
    assert _direct_linear(p, _through(h, p)) == pytest.approx(h, abs=1e-9)


# --- samples and responses -----------------------------------------------------------------------------


def frames(light: np.ndarray, times=TIMES, **more) -> list[np.ndarray]:
    return [shoot(light, t, i, **more) for i, t in enumerate(times)]


def stack_of(images: list[np.ndarray], times=TIMES) -> ExposureStack:
    return ExposureStack(images, [Exposure(seconds=t) for t in times])


def test_samples_are_what_they_were() -> None:
    light = scene(96, 128, seed=2)
    moved = [shoot(np.roll(light, (k, 2 * k), (0, 1)), t, k) for k, t in enumerate(TIMES)]
    for name, images in (("8 bits", moved), ("16 bits", frames(light, bits=16))):
        stack = stack_of(images)
        placed = align(stack)
        found = take_samples(stack, placed, count=3000, seed=4)
        pinned(f"samples of {name}", found.codes, found.tile)
        assert found.codes.max() <= 255
        pinned(f"placements of {name}", *(p.transform for p in placed.placements), placed.area)


def test_responses_are_what_they_were(seen) -> None:
    far = np.array([0.01, 0.25, 6.0])
    pinned("debevec", debevec(seen[:, :600], np.array(TIMES)))
    pinned("debevec again", debevec(seen[:, :600] + 0.25, np.array(TIMES), rounds=3, smooth=5.0))
    pinned("robertson", robertson(seen, np.array(TIMES)))
    pinned("robertson of five rounds", robertson(seen[..., :1], np.array(TIMES), rounds=5))
    pinned("mitsunaga-nayar", mitsunaga_nayar(seen, np.array(TIMES)), tolerance=1e-3)
    pinned("neighbour-ratios", neighbour_ratios(seen, np.array(TIMES)))
    pinned(
        "neighbour-ratios of errors",
        neighbour_ratios(seen, np.array(TIMES), smooth=1e-5, power=1.0, rounds=2),
    )
    light = scene(80, 100, seed=5).reshape(-1, 1, 3)
    apart = np.stack([shoot(light, t, i)[:, 0] for i, t in enumerate(far)]).astype(float)
    pinned("neighbour-ratios far apart", neighbour_ratios(apart, far))


def test_curves_are_made_usable_as_they_were(seen) -> None:
    counts = np.stack([np.bincount(seen[..., c].astype(int).ravel(), minlength=256) for c in range(3)], 1)
    rough = debevec(seen[:, :300], np.array(TIMES)) + 0.05 * np.sin(np.arange(256))[:, None]
    rough[:6], rough[100:104, 1] = np.nan, np.nan
    found = usable(rough, counts, "")
    pinned("usable", found.curve)
    agreed = consistency(seen, np.array(TIMES), found.curve)
    pinned("consistency", agreed["bias"], agreed["rms"], [p["samples"] for p in agreed["pairs"]])
    pinned("codes of exposures", found.codes(np.linspace(0, 1.2, 60).reshape(20, 3)), found.table(1000))


def test_codes_within_two_percent_of_the_ends_are_extended_in_straight_lines() -> None:
    x = np.arange(256) / 255
    g = 2.2 * np.log(np.maximum(x, 1e-3))[:, None]
    light = usable(g, np.ones_like(g), "").curve[:, 0]
    power = (x / x[100]) ** 2.2 * light[100]
    assert light[5:251] == pytest.approx(power[5:251], rel=1e-9)
    slope = (power[9] - power[5]) / 4
    assert light[:5] == pytest.approx(
        np.maximum(power[5] - slope * np.arange(5, 0, -1), power[5] * np.arange(5) / 5), rel=1e-9
    )
    slope = (power[250] - power[246]) / 4
    assert light[251:] == pytest.approx(power[250] + slope * np.arange(1, 6), rel=1e-9)


def test_ratios_and_noise_are_what_they_were(seen) -> None:
    light = fixed_response("gamma2.2").curve[seen.astype(int), 0][..., 0]
    clipped = (seen[..., 0] > 245) | (seen[..., 0] < 8)
    tiles = np.arange(seen.shape[1]) % 7
    for name, given in (("tiles", tiles), ("no tiles", None)):
        found = exposure_ratios(np.maximum(light, 1e-9), clipped, np.array([1.0, 2.0, 4.0]), given)
        pinned(f"ratios of {name}", found.relative, found.spread, found.ties, found.dropped)
    noise = fit_noise(
        seen, np.array(TIMES), usable(robertson(seen, np.array(TIMES)), np.ones((256, 3)), "").curve
    )
    pinned("noise of 8 bits", noise.photon, noise.read, tolerance=2e-3)


def test_slopes_spans_and_gaps_of_exposures() -> None:
    assert _power_of(fixed_response("srgb")) == pytest.approx(1, abs=1e-9)
    squared = Response(fixed_response("srgb").curve ** 1.7)
    assert _power_of(squared) == pytest.approx(1.7, abs=1e-9)
    stated = np.array([2.0, 8.0, 32.0])
    assert _same_span(stated**1.4, stated) == pytest.approx(stated)
    assert _same_span(np.array([1.0, 2.0, 4.0]), stated).max() == 32
    assert _span(stated) == pytest.approx(4)
    assert _closest(np.array([16.0, 1.0, 1.2, 4.0])) == pytest.approx(np.log2(4 / 1.2))
    assert _closest(np.array([1.0, 1.1])) == 0


@pytest.mark.parametrize(("stops", "agrees"), [(0.03, True), (0.07, False)])
def test_linear_code_may_disagree_by_a_twentieth_of_a_stop(stops, agrees) -> None:
    rng = np.random.default_rng(0)
    short = rng.uniform(20, 100, (1, 3000, 1))
    samples = Samples(np.concatenate([short, 2 ** (1 + stops) * short]), np.zeros(3000, int))
    better = Response(np.linspace(0, 1, 256)[:, None] ** (1 / (1 + stops)))
    linear = Response(np.linspace(0, 1, 256)[:, None])
    assert _agrees_as_well(linear, better, samples, np.array([1.0, 2.0])) is agrees


def test_floating_light_is_16_bit_code_of_its_white() -> None:
    light = torch.tensor([0.0, 0.25, 0.5, 1.0, 3.0]).expand(1, 3, 1, -1)
    frame = read_frame(Image(light, "linear"))
    assert frame.codes[0, 0].tolist() == [0, 16384, 32768, 65535, 65535]
    assert frame.light is not None
    assert frame.light[0, 0].tolist() == [0, 0.25, 0.5, 1, 3]
    frame = read_frame(Image(light, "linear"), white=2.0)
    assert frame.codes[0, 0].tolist() == [0, 8192, 16384, 32768, 65535]
    assert read_frame(Image(light / 3, "srgb", bits=8)).codes[1, 0].tolist() == [0, 21, 42, 85, 255]
    assert read_frame(Image(light / 3, "pq", bits=10)).codes[1, 0].tolist() == [0, 5461, 10922, 21845, 65535]


def test_a_survey_counts_codes_of_each_frame() -> None:
    codes = np.zeros((3, 10, 10), np.uint8)
    codes[:] = np.array([16] * 30 + [239] * 20 + [15] * 25 + [240] * 25, np.uint8).reshape(10, 10)
    codes[1, 0, :7], codes[2, 9, :4] = 0, 255
    found = Survey()
    survey_frame(read_frame(np.ascontiguousarray(codes.transpose(1, 2, 0))), codes, found)
    assert found.white == [pytest.approx(0.04)]
    assert found.black == [pytest.approx(0.07)]
    assert (found.low, found.high) == ([0], [1])
    assert found.good == [pytest.approx((150 - 7) / 300)]
    assert found.mean == [pytest.approx(codes.mean())]
    found = Survey()
    survey_frame(read_frame(np.full((4, 4), 51, np.uint8)), np.full((1, 4, 4), 51, np.uint8), found)
    assert (found.low, found.high, found.mean) == ([0.2], [0.2], [51])


def test_unknown_exposures_are_a_stop_apart_by_brightness() -> None:
    made = stack_of([np.full((20, 20, 3), v, np.uint8) for v in (90, 30, 200)])
    made.rank_by_brightness()
    assert made.seconds.tolist() == [2, 1, 4]
    assert [e.ev for e in made.exposures] == [1, 0, 2]


def test_the_smallest_light_is_a_code_above_black_of_the_longest_frame() -> None:
    made = stack_of([np.full((20, 20, 3), v, np.uint8) for v in (90, 30, 200)], (0.5, 0.25, 4.0))
    calibration = SimpleNamespace(
        response=Response(np.linspace(0, 1, 256)[:, None]), seconds=np.array([0.5, 0.25, 4.0])
    )
    made.frame(0)
    assert _least(made, calibration) == pytest.approx(1 / 255 / 4)  # type: ignore[arg-type]
    y = 2.0 ** torch.linspace(-6, 8, 100_001)
    assert stops_of(y, 0.0) == pytest.approx(14 * (1 - 2e-4), rel=1e-4)
    assert stops_of(y, 2.0) == pytest.approx(7 - 14e-4, rel=1e-4)
    assert stops_of(y[:1], 0.0) == 0
    assert stops_of(torch.tensor([1.0, 4.0]), 0.0) == pytest.approx(2, abs=2e-3)
    assert stops_of(torch.tensor([0.0, 1.0, -3.0, 4.0]), 0.0) == pytest.approx(2, abs=2e-3)


@pytest.mark.parametrize("count", [2, 90, 5_000, 60_000])
@pytest.mark.parametrize("share", [1e-4, 0.01, 0.2])
def test_the_ends_of_many_values_are_their_quantiles(count, share) -> None:
    chance = np.random.default_rng(count)
    one_code = np.full(count, 3.0, np.float32)
    for values in (
        chance.lognormal(0, 2, count).astype(np.float32),
        chance.integers(1, 9, count) / 8,
        one_code,
    ):
        assert _ends(values, share) == pytest.approx(tuple(np.quantile(values, [share, 1 - share])), rel=1e-6)
    # values of the sample are the least of all, or the largest
    for sign in (1, -1):
        values = np.where(np.arange(count) % 101 == 0, 0.5 - 0.4 * sign, 0.5) + 0.05 * chance.random(count)
        assert _ends(values, share) == pytest.approx(tuple(np.quantile(values, [share, 1 - share])), rel=1e-6)


def test_noise_is_that_of_a_response_of_any_scale(seen) -> None:
    table = np.linspace(0, 1, 256)[:, None] ** 2.2
    one, other = (fit_noise(seen, np.array(TIMES), table * k) for k in (1, 40))
    assert (one.photon, one.read) == pytest.approx((other.photon, other.read), rel=1e-6)


# --- deghosting -------------------------------------------------------------------------------------------


def test_the_noise_floor_is_the_highest_dark_code_that_strays() -> None:
    code = np.repeat(np.arange(1, 40), 30)
    miss = np.zeros(code.size)
    assert _noise_floor(code, miss) == 0
    miss[code == 9] = 0.51
    assert _noise_floor(code, miss) == 9
    miss[code == 9] = 0.49
    assert _noise_floor(code, miss) == 0
    scattered = np.tile([-1.0, 0.0, 1.0], 10)
    miss[code == 12] = 0.345 * scattered  # median deviation; times 1.4826 it is 0.51
    assert _noise_floor(code, miss) == 12
    miss[code == 12] = 0.33 * scattered
    assert _noise_floor(code, miss) == 0
    miss[code == 25] = 2
    assert _noise_floor(code, miss) == 0
    miss[code == 24] = 2
    assert _noise_floor(code, miss) == 24
    assert _noise_floor(code[::2], miss[::2]) == 0  # 15 pixels are too few


def test_values_by_code_are_medians_of_neighbouring_medians() -> None:
    code = np.repeat([10, 11, 100, 101, 110, 200], [10, 9, 10, 30, 10, 20])
    value = np.repeat([1.0, 9.0, 2.0, 3.0, 7.0, 5.0], [10, 9, 10, 30, 10, 20])
    found = _median_by_code(code, value)
    assert found.shape == (256,)
    assert found[[0, 10, 255]].tolist() == [1, 1, 5]
    assert found[[100, 101, 110]].tolist() == [3, 3, 3]  # within 15 %
    assert found[155] == pytest.approx(3 + 2 * 45 / 90)
    assert _median_by_code(code[:5], np.array([1.0, 2, 3, 4, 5])).tolist() == [3.0] * 256


def test_deviations_of_deep_files_are_what_they_were() -> None:
    light = scene(100, 120, seed=6).reshape(-1, 1, 3)
    codes = np.stack([shoot(light, t, i, bits=16, tone=lambda f: f)[:, 0] for i, t in enumerate(TIMES)]) / 257
    calibration = SimpleNamespace(
        response=fixed_response("linear", 65536), seconds=np.array([1 / 14, 1 / 4, 1.0])
    )
    found = expected_deviation(calibration, Samples(codes, np.zeros(len(light), int)), [1, 0, 2], True)
    pinned("expected deviations of 16 bits", *found)
    eight = np.stack([shoot(light, t, i)[:, 0] for i, t in enumerate(TIMES)]).astype(float)
    calibration = SimpleNamespace(response=fixed_response("srgb"), seconds=np.array(TIMES))
    found = expected_deviation(calibration, Samples(eight, np.zeros(len(light), int)), [1, 0, 2], False)
    pinned("expected deviations of 8 bits", *found)


def test_matches_stay_within_the_frame() -> None:
    match = torch.tensor([[-3, 5], [40, 40], [4, -1]])
    assert _within(match, torch.Size((10, 12))).tolist() == [[0, 5], [9, 11], [4, 0]]


def test_reconstruction_needs_two_bytes_a_code_and_120_a_pixel(ghosted, monkeypatch) -> None:
    need = 3 * 3 * 96 * 128 * 2 + 120 * 96 * 128
    for free, fits in ((2 * need, True), (2 * need - 2, False)):
        monkeypatch.setattr(patch_reconstruction, "free_for", lambda wanted, share, free=free: free)
        if fits:
            merge(ghosted, replace(MERGES["patch"], times=TIMES))
        else:
            with pytest.raises(TooLarge, match=f"needs {need / 1e9:.1f} GB"):
                merge(ghosted, replace(MERGES["patch"], times=TIMES))


def test_filled_holes_are_what_they_were() -> None:
    picture = torch.from_numpy(scene(80, 90, stops=3, seed=7)).permute(2, 0, 1).float().log2()
    hole = torch.zeros(80, 90, dtype=torch.bool)
    hole[20:44, 30:56] = True
    pinned("filled holes", fill(picture, hole, picture.roll((3, 8), (1, 2)), seed=3), tolerance=2e-3)


# --- whole merges -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ghosted() -> list[np.ndarray]:
    """Three exposures in which a bright block moves, of a scene that white and black clip."""
    light = scene(96, 128, stops=14, seed=9) * 1.5
    found = []
    for k, t in enumerate(TIMES):
        own = light.copy()
        own[30 : 30 + 24, 20 + 22 * k : 20 + 22 * k + 18] = [1.2, 0.9, 0.3]
        found.append(shoot(own, t, k))
    return found


MERGES = {
    "reference": Settings(deghost="reference", align="none"),
    "bitmap": Settings(deghost="bitmap", align="none"),
    "patch": Settings(deghost="patch", align="none", reference=2),
    "patch of the middle": Settings(deghost="patch", align="none", reference=1, response="srgb"),
    "reference of the shortest": Settings(deghost="reference", align="none", reference=0, response="srgb"),
    "estimated exposures": Settings(deghost="none", align="none", estimate_exposures=True),
    "uncertain": Settings(deghost="none", align="none", uncertainty=True, response="srgb"),
    "log-mean": Settings(
        deghost="none",
        align="none",
        uncertainty=True,
        weighting=Weighting(rule="log-mean", weight="hat", weigh="mean"),
    ),
    "least-noise": Settings(
        deghost="none", align="none", uncertainty=True, weighting=Weighting(rule="least-noise")
    ),
    "toolbox": Settings(
        deghost="none",
        align="none",
        response="linear",
        weighting=Weighting(
            rule="log-mean",
            weight="triangle-5",
            weigh="code",
            edge="toolbox",
            fill_holes="toolbox",
            offset=1e-3,
        ),
    ),
    "reference of wrong times": Settings(
        deghost="reference", align="none", times=(1 / 19, 1 / 4, 1.1), response="srgb"
    ),
    "fused": Settings(fuse=True, align="none", fusion_weights=(1, 0.7, 0.5)),
    "median": Settings(deghost="none", align="none", response="robertson", scale="median"),
}


@pytest.mark.parametrize("name", sorted(MERGES))
def test_merges_are_what_they_were(ghosted, name) -> None:
    found: Merged = merge(ghosted, replace(MERGES[name], times=MERGES[name].times or TIMES))
    told = found.report
    parts = [found.image.pixels, [f.used for f in told.frames], [f.ghosts for f in told.frames]]
    parts += [[told.bias, told.rms, *told.noise, told.ghosts, told.stops, told.factor]]
    parts += [[told.clipped_everywhere, told.black_everywhere, *(f.clipped for f in told.frames)]]
    for more in (found.uncertainty, found.ghosts):
        if more is not None:
            parts.append(more)
    pinned(f"merge {name}", *parts, tolerance=1e-3)


@pytest.mark.parametrize("deghost", ["none", "reference", "patch", "bitmap"])
def test_merges_of_shifted_frames_are_what_they_were(ghosted, deghost, tmp_path) -> None:
    """With a response whose white is 2.5, and pixels that only some frames cover."""
    curve = 2.5 * fixed_response("srgb").curve
    np.save(tmp_path / "curve.npy", curve)
    moved = [np.roll(f, (5 * k, -8 * k), (0, 1)) for k, f in enumerate(ghosted)]
    crop = "reference" if deghost != "patch" else "common"
    settings = Settings(times=TIMES, align="mtb", crop=crop, deghost=deghost, uncertainty=deghost == "none")
    found = merge(moved, replace(settings, response=str(tmp_path / "curve.npy")))
    parts = [
        found.image.pixels,
        [f.overlap for f in found.report.frames],
        [f.ghosts for f in found.report.frames],
    ]
    parts += [v for v in (found.uncertainty, found.ghosts) if v is not None]
    pinned(f"shifted {deghost}", *parts, [found.report.stops, found.report.ghosts], tolerance=1e-3)


def test_frames_that_saturate_below_white_are_weighed_by_their_ceiling() -> None:
    light = scene(96, 128, stops=10, seed=9) * 2
    cut = [np.minimum(shoot(light, t, k), 230) for k, t in enumerate(TIMES)]
    found = merge(cut, Settings(times=TIMES, align="none", deghost="none", response="srgb"))
    pinned("ceiling", found.image.pixels, found.report.stops, found.report.clipped_everywhere, tolerance=1e-3)
    weighting = Weighting("linear-mean", "hat", edge="toolbox")
    toolbox = Settings(times=TIMES, align="none", deghost="none", response="srgb", weighting=weighting)
    for name, frames_ in (("as cut", cut), ("grey", [np.clip(f, 40, 215) for f in cut])):
        pinned(f"toolbox {name}", merge(frames_, toolbox).image.pixels, tolerance=1e-3)
