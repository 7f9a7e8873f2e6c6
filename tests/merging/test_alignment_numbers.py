"""Alignment by hand: shares, bounds, strips of a frame, and what is said of frames that moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq.errors import UsageError
from hdrq.image.arithmetic import histogram
from hdrq.image.warp import corners, inside, positions, sample, translation
from hdrq.io.exposures import Exposure
from hdrq.merging import exposure_stack
from hdrq.merging.alignment import resample
from hdrq.merging.alignment.align import _check_unmoved, _overlap, _shrunk, align
from hdrq.merging.alignment.ecc import _averaged_codes, pair
from hdrq.merging.alignment.feature_matching import match_homography
from hdrq.merging.alignment.mtb import Pyramid, Shift, common_cut, difference, halve, mtb_shift
from hdrq.merging.alignment.placement import Alignment, Placement, aligned_frame
from hdrq.merging.alignment.resample import strips
from hdrq.merging.exposure_stack import ExposureStack, ceiling_of
from shooting import scene, turned

SIZE = (96, 120)


def stack(count: int = 3, stops: float = 4) -> ExposureStack:
    light = np.clip(scene(*SIZE, stops=stops, seed=1) / 4, 0.02, 0.9)
    frames = [np.rint(light * 255 / 2**k).astype(np.uint8) for k in range(count)]
    return ExposureStack(frames, [Exposure(seconds=2.0**-k) for k in range(count)])


@pytest.mark.parametrize(("spare", "kept"), [(0, 2), (-1, 1)])
def test_frames_are_kept_as_long_as_they_fit(monkeypatch, spare: int, kept: int) -> None:
    one = stack().frame(0).nbytes
    made, read = stack(), []
    limited = ExposureStack(made.sources, made.exposures, budget=2 * one + spare)
    really = exposure_stack.read_frame
    monkeypatch.setattr(exposure_stack, "read_frame", lambda source, *a: read.append(1) or really(source, *a))
    for k in (0, 1, 2, 0, 1):
        limited.frame(k)
    assert len(read) == 5 - kept


def test_shares_of_a_reference_that_frames_cover() -> None:
    assert _overlap(translation(0, 0), (40, 50)) == 1
    assert _overlap(translation(10, 0), (40, 50)) == pytest.approx(0.75)
    assert _overlap(translation(10, -20), (40, 50)) == pytest.approx(0.75 * 0.6)
    assert _overlap(translation(100, 0), (40, 50)) == 0


def test_frames_that_saturate_nowhere_end_at_white() -> None:
    made = stack()
    assert [ceiling_of(made.frame(k)) for k in range(3)] == [None] * 3
    assert align(made, "none").survey.ceiling == 1.0


@pytest.mark.parametrize("asked", [-1, 3])
def test_references_are_counted_from_one(asked: int) -> None:
    with pytest.raises(UsageError, match=f"--reference must be 1 to 3, not {asked + 1}"):
        align(stack(), "none", asked)


@pytest.mark.parametrize(("shift", "scale", "said"), [
    ((0, 1), 1.9, ""), ((0, -1), 2.0, "+0 rows and -2 columns"), ((3, -1), 4.0, "+12 rows and -4 columns"), ((0, 0), 9.0, ""),
])  # fmt: skip
def test_unaligned_frames_that_moved_by_two_pixels_are_told(shift, scale, said) -> None:
    told: list[str] = []
    _check_unmoved(stack(), 1, Shift(*shift), scale, told)
    assert (said in told[0]) if said else not told


def test_frames_are_halved_to_400_000_pixels() -> None:
    assert _shrunk(np.zeros((400, 1000), np.uint8), 0).shape == (400, 1000)
    assert _shrunk(np.zeros((402, 1000), np.uint8), 0).shape == (201, 500)
    assert _shrunk(np.zeros((40, 100), np.uint8), 2).shape == (10, 25)


def test_halves_are_rounded_means() -> None:
    image = np.array(
        [[1, 2, 0, 1, 9], [2, 2, 0, 0, 9], [3, 3, 255, 255, 9], [3, 3, 255, 254, 9], [7, 7, 7, 7, 7]],
        np.uint8,
    )
    assert halve(image).tolist() == [[2, 0], [3, 255]]
    assert halve(np.array([[1, 1], [0, 0]], np.uint8)).tolist() == [[1]]  # 0.5 is rounded up


def test_a_fiftieth_of_the_pixels_has_to_be_of_use() -> None:
    ones = np.zeros((10, 100), bool)
    other, used = ~ones, np.zeros((10, 100), bool)
    used[0, :20] = True
    assert difference((ones, used), (ones, used), 0, 0) == 0
    assert difference((ones, used), (other, used), 0, 0) == 1
    used[0, 19] = False
    assert difference((ones, used), (ones, used), 0, 0) == 1
    assert difference((ones, ~ones), (ones, ~ones), 0, 99) == 1  # one column is left
    assert difference((ones, ~ones), (ones, ~ones), 0, 97) == 0


def test_shifts_reach_64_pixels_of_a_small_frame() -> None:
    image = (np.clip(scene(300, 320, stops=6, seed=2), 0, 1) ** 0.45 * 255).astype(np.uint8)[..., 1]
    for far in (60, 64):
        found = mtb_shift(Pyramid.of(image[: 300 - far]), Pyramid.of(image[far:]))
        assert (abs(found.dy), found.dx) == (far, 0)
    shares = common_cut(Pyramid.of(image), Pyramid.of(image // 2))
    assert shares[1] > 9


def test_twelve_corners_and_eight_matches_are_needed() -> None:
    image = np.zeros((200, 220), np.uint8)
    places = [(50 + 34 * (k // 4), 45 + 40 * (k % 4)) for k in range(12)]
    rng = np.random.default_rng(0)
    for y, x in places:
        image[y - 9 : y + 10, x - 9 : x + 10] = rng.integers(40, 250, (19, 19))
    h, agreeing = match_homography(image, np.roll(image, (3, 5), (0, 1)))
    assert agreeing >= 12
    assert h == pytest.approx(translation(3, 5), abs=0.05)


@pytest.mark.parametrize("move", ["shift", "shift back", "shift right", "turn"])
@pytest.mark.parametrize("light", [False, True], ids=["codes", "light"])
def test_strips_are_the_whole_frame_in_parts(monkeypatch, move, light) -> None:
    made = stack(2)
    if light:
        floats = torch.from_numpy(scene(*SIZE, stops=3, seed=4)).permute(2, 0, 1).float()
        made = ExposureStack([floats, floats / 2], [Exposure(seconds=t) for t in (1.0, 0.5)])
    moves = {
        "shift": translation(-3, 4),
        "shift back": translation(11, 2),
        "shift right": translation(0, 12),
        "turn": turned(4, 5.3, -2.6, SIZE),
    }
    h = moves[move]
    place = Placement(h)
    alignment = Alignment([place], 0, (7, 90, 5, 110))
    monkeypatch.setattr(resample, "STRIP", 1)
    parts = list(strips(made, alignment, 0))
    assert [(p.top, p.bottom) for p in parts] == [(0, 16), (16, 32), (32, 48), (48, 64), (64, 80), (80, 83)]
    frame = made.frame(0)
    x, y = positions(h, 7, 90, 5, 110)
    most = frame.levels - 1
    codes = torch.from_numpy(frame.codes.astype(np.float32))
    if move == "turn":
        wanted = (sample(codes / most, x, y) * 65535).round().clamp(0, 65535)
        assert (torch.cat([p.codes for p in parts], 1) - wanted).abs().max() <= 1
        ends = torch.stack([(codes <= 0).any(0), (codes >= most).any(0)]).float()
        none = [torch.zeros(2, p.bottom - p.top, 105) for p in parts]
        near = torch.cat([n if p.near_clipped is None else p.near_clipped for p, n in zip(parts, none)], 1)
        assert torch.equal(near > 0, sample(ends, x, y, "bilinear") > 0.01)
    else:
        rows, columns = y.long().clamp(0, SIZE[0] - 1), x.long().clamp(0, SIZE[1] - 1)
        assert torch.equal(torch.cat([p.codes for p in parts], 1), codes[:, rows, columns].int())
    seen = torch.cat([p.inside.expand(1, p.bottom - p.top, 105) for p in parts], 1)
    assert torch.equal(seen[0] > 0, inside(x, y, SIZE))
    if light:
        assert frame.light is not None
        wanted = sample(torch.from_numpy(frame.light), x, y).clamp(min=0)
        assert torch.allclose(
            torch.cat([p.light for p in parts if p.light is not None], 1), wanted, atol=1e-5
        )


def test_the_pixels_that_a_rectangle_reads_lie_between_its_corners() -> None:
    bent = np.array([[1.02, 0.03, -4.0], [-0.01, 0.97, 6.0], [2e-4, -3e-4, 1.0]])
    for h in (translation(2, -3), turned(4, 5.3, -2.6, SIZE), bent, -2 * bent):
        x, y = positions(h, 7, 90, 5, 110)
        found = corners(h, 7, 90, 5, 110)
        assert found == pytest.approx([float(v) for v in (x.min(), x.max(), y.min(), y.max())], rel=1e-6)
    # the horizon: column 50
    assert corners(np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, -50]]), 7, 90, 5, 110) is None


@pytest.mark.parametrize("down", [-300.4, 300.4])
def test_a_frame_that_sees_nothing_of_a_strip_has_no_weight_there(down: float) -> None:
    made = stack(2)
    away = Alignment([Placement(translation(down, 0))], 0, (7, 90, 5, 110))
    for part in strips(made, away, 0):
        assert not part.inside.any()
        assert part.codes.shape == (3, part.bottom - part.top, 105)


@pytest.mark.parametrize(("size", "factor"), [((600, 1000), 1), ((437, 1373), 2)])
def test_the_finest_scale_of_a_registration_has_600_000_pixels(size: tuple[int, int], factor: int) -> None:
    frame = np.linspace(60, 190, size[0] * size[1]).reshape(size).astype(np.uint8)
    assert pair(frame, frame).scales[-1].factor == factor


@pytest.mark.parametrize("every", [2, 3])
def test_a_part_of_an_aligned_frame_is_that_part_of_it(every: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (70, 101), dtype=np.uint8)
    for move in (turned(1.5, 2.3, -4.6, (70, 101)), translation(0.5, 0.25)):
        whole, seen = aligned_frame(image, Placement(move), "cpu")
        part, seen_part = aligned_frame(image, Placement(move), "cpu", every)
        assert np.array_equal(part, whole[::every, ::every])
        assert np.array_equal(seen_part, seen[::every, ::every])


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_frames_of_bytes_are_averaged_over_squares(factor: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (13, 19), dtype=np.uint8)
    h, w = 13 // factor, 19 // factor
    for frame in (image, image > 200, image.astype(np.float32) / 3):
        parts = frame[: h * factor, : w * factor].reshape(h, factor, w, factor)
        found = _averaged_codes(frame, factor, "cpu")
        assert found.shape == (1, h, w)
        assert found[0].numpy() == pytest.approx(parts.mean((1, 3)), rel=1e-6)


def test_a_pair_of_one_scale_has_the_finest_and_known_histograms_change_nothing() -> None:
    chance = np.random.default_rng(2)
    fixed, moving = (
        chance.integers(20, 200, (120, 150), dtype=np.uint8),
        chance.integers(30, 240, (120, 150), dtype=np.uint8),
    )
    scales = pair(fixed, moving).scales
    assert [s.factor for s in scales] == [2, 1]
    known = pair(fixed, moving, most=1, totals=(histogram(moving).cumsum(), histogram(fixed).cumsum())).scales
    assert len(known) == 1
    assert torch.equal(known[0].moving, scales[-1].moving)
    assert torch.equal(known[0].value, scales[-1].value)
