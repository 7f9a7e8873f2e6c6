"""Single steps of a merge, by hand-made numbers: weights, sums, bounds, noise and what frames usually deviate by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hdrq.image.warp import apply, corner_motion, translation
from hdrq.io.exposures import exif_exposure
from hdrq.merging.alignment.ecc import pair, scaled
from hdrq.merging.alignment.mtb import Pyramid, common_cut, difference, grey, mtb_shift
from hdrq.merging.alignment.registration import FINE, _quick, _simplest, register
from hdrq.merging.alignment.resample import Strip
from hdrq.merging.averaging import Tables, weight_of
from hdrq.merging.deghosting.code_tables import UNBOUNDED, bound, limits
from hdrq.merging.deghosting.expected_deviation import expected_deviation
from hdrq.merging.deghosting.ghost_detection import (
    disagrees,
    ghost_mask,
    moving_clusters,
    smooth,
    spread,
)
from hdrq.merging.deghosting.ghost_weights import ReferenceGhosts
from hdrq.merging.merge import merge
from hdrq.merging.noise import Noise, fit_noise
from hdrq.merging.response.curve import Response, consistency, look_up, usable
from hdrq.merging.response.exposure_ratios import exposure_ratios
from hdrq.merging.response.samples import Samples
from hdrq.merging.weights import keep_ends, weight_table
from hdrq.registry import find
from shooting import scene, seen_through, turned


def test_apex_values_give_time_and_aperture(tmp_path: Path) -> None:
    """EXIF 2.3: shutter speed value is -log2 t, aperture value is 2 log2 N."""
    exif = Picture.Exif()
    inner = exif.get_ifd(0x8769)
    inner[37377], inner[37378], inner[34855] = 3.0, 6.0, 200
    Picture.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    found = exif_exposure(tmp_path / "a.jpg")
    assert (found.seconds, found.fnumber, found.iso) == (1 / 8, 8.0, 200)
    assert found.relative == pytest.approx(1 / 8 * 2 / 64)


# --- weights and sums -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "kept"), [(0, (False, True, True)), (1, (False, False, True)), (2, (True, False, True))]
)
def test_resampled_pixels_beside_clipped_ones_count_only_in_the_outer_frames(frame, kept) -> None:
    """Beside black: in the longest frame (2) alone. Beside white: in the shortest (0) alone. Beside neither: in all."""
    codes = torch.full((3, 1, 3), 128, dtype=torch.int32)
    beside = torch.tensor([[[1.0, 0, 0]], [[0, 1.0, 0]]])
    strip = Strip(0, 1, codes, 256, None, torch.ones(1, 1, 3), beside)
    tables = Tables(torch.ones(1, 256), torch.ones(1, 256), [torch.ones(256)] * 3, 0, 2, True)
    weight = weight_of(strip, tables, frame, "channel")
    assert [bool(w) for w in weight[0, 0]] == list(kept)


def test_weights_by_mean_code_are_interpolated_between_codes() -> None:
    codes = torch.tensor([[[10]], [[11]], [[11]]], dtype=torch.int32)
    strip = Strip(0, 1, codes, 256, None, torch.ones(1, 1, 1))
    tables = Tables(torch.ones(1, 256), torch.ones(1, 256), [torch.arange(256.0)], 0, 0, True)
    assert weight_of(strip, tables, 0, "code").flatten().tolist() == pytest.approx([32 / 3] * 3)
    assert weight_of(strip, tables, 0, "mean").flatten().tolist() == pytest.approx([32 / 3] * 3)
    assert weight_of(strip, tables, 0, "channel").flatten().tolist() == [10, 11, 11]


def test_the_outer_frames_hold_their_peak_weight() -> None:
    codes = np.linspace(0, 1, 256)
    table = weight_table("gaussian", codes)
    shortest, longest = keep_ends(table, codes, True, False), keep_ends(table, codes, False, True)
    assert shortest[200:].tolist() == [table.max()] * 56
    assert shortest[:100].tolist() == table[:100].tolist()
    assert longest[:100].tolist() == [table.max()] * 100
    assert longest[200:].tolist() == table[200:].tolist()
    assert keep_ends(table, codes, True, False, "toolbox").tolist() == codes.tolist()
    assert keep_ends(table, codes, False, True, "toolbox").tolist() == (1 - codes).tolist()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hat", (0, 1 - 0.5**12, 1, 1 - 0.5**12, 0)),
        ("triangle", (0, 0.5, 1, 0.5, 0)),
        ("triangle-5", (0, 0.4, 0.9, 0.4, 0)),
        ("gaussian", (0, (np.exp(-1) - np.exp(-4)) / (1 - np.exp(-4)), 1, 0.3560, 0)),
        ("robertson", (0, (np.exp(3) - 1) / (np.exp(4) - 1), 1, 0.3561, 0)),
        ("sigmoid", (0, 1, 1, 1, 0)),
    ],
)
def test_weights_are_those_of_their_formulas(name, values) -> None:
    assert weight_table(name, np.array([0, 0.25, 0.5, 0.75, 1])) == pytest.approx(values, abs=2e-4)
    if name == "sigmoid":
        s = 3 * 0.4**2 - 2 * 0.4**3
        assert weight_table(name, np.array([0.095]))[0] == pytest.approx(3 * s**2 - 2 * s**3)


def test_rules_are_their_weighted_means() -> None:
    light, weight, seconds = (torch.tensor(v) for v in ([0.2, 0.9], [0.5, 0.25], [1.0, 4.0]))
    expected = {
        "photon-count": (0.5 * 0.2 + 0.25 * 0.9) / (0.5 * 1 + 0.25 * 4),
        "linear-mean": (0.5 * 0.2 + 0.25 * 0.9 / 4) / 0.75,
        "time-squared": (0.5 * 0.2 + 0.25 * 0.9 * 4) / (0.5 + 0.25 * 16),
        "log-mean": float(np.exp((0.5 * np.log(0.2) + 0.25 * np.log(0.9 / 4)) / 0.75)),
    }
    for name, value in expected.items():
        terms = [find("merger", name)(light[k], weight[k], float(seconds[k])) for k in (0, 1)]
        mean = sum(t.numerator for t in terms) / sum(t.denominator for t in terms)
        mean = mean.exp() if find("merger", name).card.logarithmic else mean
        assert float(mean) == pytest.approx(value, rel=1e-6), name
    variances = torch.tensor([0.01, 0.04])
    terms = [
        find("merger", "least-noise")(light[k], weight[k], float(seconds[k]), variances[k]) for k in (0, 1)
    ]
    mean = sum(t.numerator for t in terms) / sum(t.denominator for t in terms)
    above, below = 0.5 * 0.2 / 0.01 + 0.25 * 4 * 0.9 / 0.04, 0.5 / 0.01 + 0.25 * 16 / 0.04
    assert float(mean) == pytest.approx(above / below, rel=1e-6)


# --- movement -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "moved"), [(0.72, False), (0.60, True)])
def test_what_the_reference_clips_bounds_the_scene_by_three_quarters(share, moved) -> None:
    """White in the reference is a bound of 0.75 of its radiance, and a frame may lie 12 % below it: 0.66."""
    assert block_moves(1.0, share) is moved


@pytest.mark.parametrize(("ratio", "moved"), [(1.45, False), (1.85, True)])
def test_what_the_reference_shows_black_bounds_the_scene_by_four_thirds(ratio, moved) -> None:
    """Black is a bound of 4/3, and a frame may lie 12 % of itself above it, and noise: about 1.7."""
    assert block_moves(4e-4, 4e-4 * ratio) is moved


def block_moves(in_reference: float, in_other: float) -> bool:
    """Whether a block is found to move, of code `in_reference` there and of radiance `in_other` in another frame."""
    light = np.clip(scene(96, 128, stops=6), 0.005, 0.85)
    reference, other = light.copy(), light / 2 if in_reference == 1 else light * 1.1
    reference[30:70, 40:90] = in_reference
    other[30:70, 40:90] = in_other * (0.5 if in_reference == 1 else 1.1)
    frames = [np.rint(f * 65535).astype(np.uint16) for f in (reference, other)]
    times = (1.0, 0.5 if in_reference == 1 else 1.1)
    found = merge(frames, times=times, response="linear", align="none", deghost="reference", reference=0)
    inner = found.ghosts[38:62, 48:82]
    assert bool((inner > 127).all()) or not bool((inner > 127).any())
    return bool((inner > 127).all())


def test_the_expected_deviation_is_bias_scatter_and_noise_floor() -> None:
    """A second frame 10 % too bright that scatters by 8 %, and whose codes up to 12 are flare."""
    rng = np.random.default_rng(0)
    codes = np.empty((2, 40_000, 1))
    codes[0, :, 0] = rng.integers(8, 230, 40_000)
    codes[1, :, 0] = codes[0, :, 0] / 2 * 1.1 * np.exp(0.08 * rng.standard_normal(40_000))
    codes[1] = np.where(codes[1] <= 12, rng.integers(8, 13, codes[1].shape), codes[1])
    codes[0] = np.where(codes[1] <= 12, 4 + 6 * rng.random(codes[1].shape), codes[0])
    calibration = SimpleNamespace(
        response=Response(np.linspace(0, 1, 256)[:, None]), seconds=np.array([1.0, 0.5])
    )
    samples = Samples(codes, np.zeros(40_000, int))
    bias, tolerance, floor = expected_deviation(calibration, samples, [0, 1], False)
    assert bias[0] == pytest.approx(np.zeros(256))
    assert bias[1, 40:110] == pytest.approx(np.full(70, np.log(1.1)), abs=0.02)
    assert tolerance[0] == pytest.approx(np.full(256, 0.12))
    assert np.median(tolerance[1, 40:100]) == pytest.approx(3 * 0.08, abs=0.02)
    assert floor.tolist() == [0, pytest.approx(12 / 255)]


def everywhere(low, high, known_low, known_high, noise: float = 0.0, top: int = 0) -> torch.Tensor:
    """Where a strip from row `top` of the known light on disagrees, a tenth being tolerated, (C, h, W) bool."""
    channel, y, x = (low > -1).nonzero(as_tuple=True)
    tolerated = torch.full((low.numel(),), noise), torch.full((low.numel(),), 0.9)
    at = channel, y + top, x
    return disagrees(low.flatten(), high.flatten(), *tolerated, known_low, known_high, at).reshape(low.shape)


@pytest.mark.parametrize(
    ("value", "tolerated", "differs"),
    [(2.0, 0.0, False), (1.81, 0.0, False), (1.79, 0.0, True), (2.22, 0.0, False), (2.23, 0.0, True),
     (1.79, 0.02, False), (1.69, 0.1, True), (2.3, 0.08, False), (2.3, 0.06, True)],
)  # fmt: skip
def test_frames_disagree_beyond_noise_and_a_share_of_the_larger_light(value, tolerated, differs) -> None:
    """Of a known 2, a tenth: from 1.8, and up to 2 / 0.9."""
    known, frame = torch.full((3, 9, 9), 2.0), torch.full((3, 9, 9), 2.0)
    frame[1, 4, 5] = value  # in one channel
    found = everywhere(frame, frame, known, known, tolerated)
    assert found.nonzero().tolist() == ([[1, 4, 5]] if differs else [])


def test_the_light_of_the_eight_neighbours_is_agreed_with_across_strips() -> None:
    """A strip of rows 2 to 4: its neighbours above and below count, those two rows away do not."""
    known = torch.full((1, 6, 7), 2.0)
    known[0, 1, 0], known[0, 5, 6], known[0, 2, 3] = 8, 8, 0.5

    def over(row: int, column: int, value: float) -> bool:
        frame = torch.full((1, 3, 7), 2.0)
        frame[0, row, column] = value
        return bool(everywhere(frame, frame, known, known, top=2)[0, row, column])

    assert not over(0, 1, 8.0)  # beside a brighter pixel of the row above the strip
    assert over(1, 1, 8.0)
    assert not over(2, 5, 8.0)  # beside one of the row below
    assert not over(1, 4, 0.5)
    assert over(1, 5, 0.5)
    assert over(0, 6, 8.0)  # no neighbour across the border of the image


def test_a_bound_agrees_with_everything_beyond_it() -> None:
    known = torch.full((1, 3, 3), 2.0)
    none = torch.zeros_like(known)
    above = torch.full_like(known, 1e30)
    for least, fine in ((1.0, True), (2.2, True), (2.3, False)):
        found = everywhere(torch.full_like(known, least), above, known, known)
        assert bool(found.any()) != fine
    assert not everywhere(none, known, 0.1 * known, known).any()


def test_motion_is_where_45_percent_of_a_square_disagree() -> None:
    """12 of 25 pixels are enough and 11 are not; the mask then grows by five pixels and is feathered over seven."""
    for count, moved in ((11, False), (12, True)):
        over = torch.zeros(41, 41, dtype=torch.bool)
        for i in range(count):
            over[18 + i // 5, 18 + i % 5] = True
        assert bool(ghost_mask(over).any()) == moved
    over = torch.zeros(61, 61, dtype=torch.bool)
    over[20:41, 20:41] = True
    profile = (7 * ghost_mask(over)[30]).tolist()
    feather = [1, 2, 3, 4, 5, 6]
    assert profile == pytest.approx([0] * 12 + feather + [7] * 25 + feather[::-1] + [0] * 12, abs=1e-4)


def test_light_within_its_limits_is_never_found_to_disagree() -> None:
    """Only pixels beyond the limits are compared: these must hold all that disagree, with any noise of what is known."""
    random = torch.Generator().manual_seed(5)

    def some(least: float = 0.0, most: float = 1.0) -> torch.Tensor:
        return least + (most - least) * torch.rand(1, 1, 200_000, generator=random)

    low, known_low = some(), some()
    high, known_high = low * some(1, 1.2), known_low * some(1, 1.2)
    own, agreeing = some(0, 0.1), some(0.5, 0.88)
    for known_noise in (0.0, 1e-6, 0.05):
        noise = (own.square() + known_noise**2).sqrt()
        sure = (known_low * agreeing - high > noise) | (low * agreeing - known_high > noise)
        roof, floor = limits(low, high, own, agreeing)
        beyond = (known_low > roof) | (known_high < floor)
        assert 0.05 < sure.float().mean() < 0.95
        assert not (sure & ~beyond).any()
        # and hardly more, where nothing else adds to the noise
        assert known_noise > 0 or beyond.sum() < 1.01 * sure.sum()


@pytest.mark.parametrize("share", [0.002, 0.3, 0.45, 0.9])
def test_the_mask_of_moving_objects_is_that_of_the_whole_strip(share: float) -> None:
    """Computed around crowds alone, with counts of bytes: equal to filters over all pixels, also at borders."""
    random = torch.Generator().manual_seed(4)
    over = torch.rand(70, 90, generator=random) < 0.02
    over[:9, 50:] |= torch.rand(9, 40, generator=random) < share
    over[40:52, 20:31] |= torch.rand(12, 11, generator=random) < share
    dense = (smooth(over[None].float(), 2) > 0.45).float()
    assert torch.equal(ghost_mask(over), smooth(spread(dense, 5), 3)[0])


def test_spreading_takes_the_largest_of_a_square() -> None:
    x = torch.zeros(1, 15, 15)
    x[0, 7, 6] = 1
    for radius in (1, 2, 5):
        out = spread(x, radius)
        assert int(out.sum()) == (2 * radius + 1) ** 2
        assert float(out[0, 7 + radius, 6 - radius]) == 1


def test_clusters_are_where_bitmaps_contradict() -> None:
    rng = np.random.default_rng(2)
    still = rng.integers(40, 215, (80, 90)).astype(np.uint8)
    crossed = still.copy()
    crossed[20:40, 30:60] = 255 - still[20:40, 30:60]
    assert moving_clusters([still, still])[1] == 0
    labels, count = moving_clusters([still, crossed])
    assert count == 1
    assert bool((labels[24:36, 34:56] == 1).all())
    assert not labels[:8].any()


# --- noise, ratios, curves, shifts ------------------------------------------------------------------------


def test_noise_is_photons_reading_and_rounding() -> None:
    assert Noise(2e-4, 3e-6).variance(0.5, 0.012) == pytest.approx(1e-4 + 3e-6 + 0.012**2 / 12)


@pytest.mark.parametrize("levels", [65536, 16384, 4096], ids=["16 bits", "14 bits", "12 bits"])
@pytest.mark.parametrize(("photon", "read"), [(4e-4, 1e-6), (2e-5, 1e-6), (2e-5, 4e-7), (1e-4, 4e-6)])
def test_the_noise_of_a_stack_is_found(photon, read, levels) -> None:
    """Within a quarter, of frames rounded and cut at black; chosen by the shorter frame, read noise was a third."""
    rng = np.random.default_rng(1)
    light = np.exp2(rng.uniform(-12, 0, (40_000, 1)))
    seconds = np.array([1 / 16, 1 / 4, 1.0])
    exposed = light[None] * seconds[:, None, None]
    exposed = exposed + rng.standard_normal(exposed.shape) * np.sqrt(photon * exposed + read)
    codes = np.clip(exposed * (levels - 1), 0, levels - 1)
    found = fit_noise(codes, seconds, np.linspace(0, 1, levels)[:, None])
    assert found.photon == pytest.approx(photon, rel=0.25)
    assert found.read == pytest.approx(read, rel=0.25)


def test_exposure_ratios_come_from_pairs_with_the_longest_frame_that_is_not_clipped() -> None:
    rng = np.random.default_rng(0)
    scene_light, true = np.exp(rng.uniform(-7, 0, 5000)), np.array([1 / 16, 1 / 4, 1.0])
    light = scene_light * true[:, None] * 4
    clipped = (light > 0.95) | (light < 1e-3)
    light[1, :50] *= 3  # something moved
    found = exposure_ratios(np.maximum(light, 1e-9), clipped, np.array([0.05, 0.3, 2.0]))
    assert found.relative == pytest.approx(2 * true, rel=1e-6)


def test_consistency_is_in_stops_of_neighbours() -> None:
    """Times that are stated a quarter of a stop wrong."""
    rng = np.random.default_rng(0)
    short = rng.integers(20, 110, (1, 4000, 1))
    codes = np.concatenate([short, 2 * short])
    curve = np.arange(256.0)[:, None]
    found = consistency(codes, np.array([1.0, 2 * 2**0.25]), curve)
    assert found["bias"] == pytest.approx(0.25, abs=1e-9)
    assert found["rms"] == pytest.approx(0.25, abs=1e-9)
    assert found["pairs"][0]["bias"] == pytest.approx(0.25, abs=1e-9)


def test_a_response_is_extended_in_straight_lines_of_exposure() -> None:
    x = np.linspace(0, 1, 256)
    with np.errstate(divide="ignore"):
        g = np.log(0.2 + 3 * x)[:, None]
    g[:4], g[252:] = np.nan, 9
    found = usable(g, np.ones_like(g), "").curve[:, 0]
    expected = (0.2 + 3 * x) / 3.2
    assert found[6:] == pytest.approx(expected[6:], rel=0.02)
    assert (np.diff(found) >= 0).all()
    assert found[-1] == 1


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (3, -7), (-12, 5), (40, 0)])
def test_whole_shifts_are_exact(dy, dx) -> None:
    image = grey((np.clip(scene(160, 200, stops=6), 0, 1) ** 0.45 * 255).astype(np.uint8).transpose(2, 0, 1))
    moved = np.roll(image, (dy, dx), (0, 1))
    darker = (moved * 0.6).astype(np.uint8)
    found = mtb_shift(Pyramid.of(image), Pyramid.of(darker))
    assert (found.dy, found.dx) == (dy, dx)


def test_bitmaps_differ_by_the_share_of_used_pixels() -> None:
    ones = np.zeros((10, 20), bool)
    other, used = ones.copy(), np.ones_like(ones)
    other[:5, :4], used[5:] = True, False
    assert difference((ones, used), (other, np.ones_like(used)), 0, 0) == pytest.approx(20 / 100)
    assert difference((ones, used), (other, used), 0, 4) == pytest.approx(0 / 80, abs=1e-12)
    assert difference((ones, used), (other, used), 0, 2) == pytest.approx(10 / 90)
    assert grey(np.array([[[100]], [[200]], [[50]]], np.uint8))[0, 0] == (5400 + 36600 + 950) // 256
    ramp = Pyramid.of(np.arange(256, dtype=np.uint8)[None])
    share, room = common_cut(ramp, ramp)
    assert share == pytest.approx(0.5, abs=0.01)
    assert room == 127


@pytest.mark.parametrize(
    ("angle", "dy", "dx", "quick"),
    [(0, 0, 0, True), (0, 3, -7, True), (0, 0.1, 0.05, True), (0, 0.4, 0, False), (0.2, 0, 0, False)],
)  # fmt: skip
def test_small_frames_settle_what_whole_pixels_align(angle, dy, dx, quick) -> None:
    """Within a quarter of a pixel they do, and the frames themselves then say the same; beyond it they leave it open."""
    light = scene(480, 520, stops=5)
    frames = []
    for move, gain in ((np.eye(3), 1.0), (turned(angle, dy, dx, (480, 520)), 0.5)):
        codes = (np.clip(gain * seen_through(light, move), 0, 1) ** 0.45 * 255).astype(np.uint8)
        frames.append(Pyramid.of(grey(codes.transpose(2, 0, 1))))
    shift = mtb_shift(*frames)
    start = translation(shift.dy, shift.dx)
    small = _quick(*frames, start, "cpu")
    assert small is not None
    assert (corner_motion(small.transform @ np.linalg.inv(start), (480, 520)) < FINE / 2) == quick
    found = register(*frames, "auto", "cpu")
    whole = _simplest(pair(*(f.images[0] for f in frames)), start)
    if quick:
        assert found.how == "mtb"
        assert corner_motion(whole.transform @ np.linalg.inv(start), (480, 520)) < 0.5
    else:
        # from the motion of small frames on: that of all scales, within a fiftieth of a pixel
        near = _simplest(pair(*(f.images[0] for f in frames), most=1), small.transform, small.model)
        assert near.model == whole.model == ("euclid" if angle else "shift")
        assert corner_motion(near.transform @ np.linalg.inv(whole.transform), (480, 520)) < 0.02
        assert near.correlation == pytest.approx(whole.correlation, abs=1e-4)


def test_homographies_of_averaged_frames_keep_pixel_centres() -> None:
    """Pixel x of a frame averaged over 4 pixels has its centre at 4 x + 1.5 of the frame."""
    h = turned(3, 5, -8, (100, 140))
    x, y = np.array([0.0, 7.0, 20.0]), np.array([3.0, 0.0, 15.0])
    u, v = apply(scaled(h, 4), x, y)
    full_u, full_v = apply(h, 4 * x + 1.5, 4 * y + 1.5)
    assert 4 * u + 1.5 == pytest.approx(full_u)
    assert 4 * v + 1.5 == pytest.approx(full_v)


def test_tables_are_read_into_rows_of_a_larger_tensor() -> None:
    codes = torch.tensor([[[0, 2], [1, 1]], [[2, 0], [0, 1]]], dtype=torch.int32)
    one, two = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for table in (one, two, one[0]):
        whole = torch.zeros(2, 4, 2)
        assert torch.equal(look_up(codes, table, whole[:, 1:3]), look_up(codes, table))
        assert torch.equal(whole[:, 1:3], look_up(codes, table))
        assert not whole[:, [0, 3]].any()
    assert look_up(codes, two).tolist() == [[[1, 3], [2, 2]], [[6, 4], [4, 5]]]


def test_a_clipped_pixel_bounds_the_light_from_below_alone() -> None:
    low, high = torch.tensor([2.0, 0.0, 4.0, 1.0]), torch.tensor([2.0, 8.0, 4.0, 1.0])
    bound(low, high, torch.tensor([0, 1]))
    # three quarters of its light; of a dark channel, of three quarters of the most that it can be
    assert low.tolist() == [1.5, 4.5, 4, 1]
    assert high.tolist() == pytest.approx([UNBOUNDED, UNBOUNDED, 4, 1])
    before = low.clone()
    bound(low, high, torch.empty(0, dtype=torch.int64))
    assert torch.equal(low, before)


def test_pixels_of_a_strip_are_found_in_the_whole_image() -> None:
    ghosts = SimpleNamespace(over=torch.zeros(10, 7, dtype=torch.bool))
    strip = SimpleNamespace(top=4, bottom=6)
    image = torch.arange(3 * 10 * 7).reshape(3, 10, 7)
    part = image[:, 4:6].reshape(-1)
    at = torch.tensor([0, 6, 7, 13, 14, 27, 28, 41])
    assert torch.equal(image.reshape(-1)[ReferenceGhosts._places(ghosts, strip, at)], part[at])
