"""Registration of frames that bitmaps and correlation cannot register, the flow on top of it, and what frames share."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hdrq.image.warp import STILL, corner_motion
from hdrq.io.exposures import exposures_of
from hdrq.merging.alignment.align import align
from hdrq.merging.alignment.ecc import _shared_unclipped
from hdrq.merging.alignment.feature_matching import (
    NEAR,
    _agreeing,
    _direct_linear,
    _smaller,
    _through,
    corners,
    match_homography,
)
from hdrq.merging.alignment.mtb import Pyramid, grey
from hdrq.merging.alignment.registration import register
from hdrq.merging.exposure_stack import ExposureStack, Frame, ceiling_of
from shooting import save, scene, seen_through, shoot, turned

SIZE = (200, 240)
FAR = turned(24, 9, -14, SIZE)  # correlation alone does not find 24 degrees


@pytest.fixture(scope="module")
def views() -> tuple[np.ndarray, np.ndarray]:
    """(the scene, what a camera turned by FAR sees of it at twice the exposure), grey."""
    light = scene(*SIZE, stops=4, seed=3)
    shown = (shoot(light, 0.7, 0), shoot(seen_through(light, FAR), 1.4, 1))
    return tuple(grey(frame.transpose(2, 0, 1)) for frame in shown)  # type: ignore[return-value]


@pytest.mark.parametrize("pixels", [600_000, 30_000], ids=["whole", "smaller"])
def test_matched_corners_give_the_motion(views, pixels) -> None:
    h, agreeing = match_homography(*views, pixels=pixels)
    assert corner_motion(np.linalg.inv(FAR) @ h, SIZE) < 5  # correlation refines it
    assert agreeing >= 12


def test_frames_far_apart_are_registered_by_their_features(views) -> None:
    found = register(*(Pyramid.of(view) for view in views), "auto", "cpu")
    assert found.how == "homography"
    assert corner_motion(np.linalg.inv(FAR) @ found.transform, SIZE) < 0.5


def test_frames_without_corners_have_no_homography() -> None:
    flat, ramp = np.full(SIZE, 90, np.uint8), np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1))
    h, agreeing = match_homography(flat, ramp)
    assert agreeing == 0
    assert np.array_equal(h, np.eye(3))


def test_corners_are_the_corners_of_a_square_and_look_into_it() -> None:
    image = np.zeros((120, 140), np.float32)
    image[50:71, 60:86] = 200
    image[2:8, 60:86] = 200  # nearer to the border than a descriptor reaches
    found = corners(image)
    strong = found[:4]
    assert sorted((round(x / 25), round(y / 20)) for x, y in strong[:, :2] - [60, 50]) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    middle = np.array([72.5, 60])
    for x, y, direction in strong:
        towards = np.arctan2(middle[1] - y, middle[0] - x)
        assert abs(np.angle(np.exp(1j * (direction - towards)))) < 0.35
    assert len(corners(image, 3)) == 3
    assert (found[:, 1] >= 30).all()


def test_a_similarity_is_found_among_outliers_and_reaches_six_pixels() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 200, (60, 2))
    z = p[:, 0] + 1j * p[:, 1]

    def moved(scale: float) -> np.ndarray:
        w = scale * np.exp(0.4j) * z + 12 - 7j
        return np.stack([w.real, w.imag], 1)

    q = moved(1.1)
    q[40:] = rng.uniform(0, 200, (20, 2))
    q[38:40] += [[1.8 * NEAR, 0], [0, 2.2 * NEAR]]
    agree = _agreeing(p, q, np.random.default_rng(1))
    assert agree[:39].all()
    assert not agree[39]
    assert agree[40:].sum() < 3
    assert (
        _agreeing(p[:30], moved(1.3)[:30], np.random.default_rng(1)).sum() < 15
    )  # no zoom by more than a fifth


def test_the_homography_of_exact_points_is_exact() -> None:
    h = np.array([[1.1, 0.2, -30], [-0.15, 0.95, 12], [2e-4, -3e-4, 1]])
    p = np.random.default_rng(0).uniform(0, 300, (7, 2))
    q = _through(h, p)
    assert q[0] == pytest.approx((h @ [*p[0], 1])[:2] / (h @ [*p[0], 1])[2])
    assert np.allclose(_direct_linear(p, q), h, rtol=1e-7)
    noisy = _direct_linear(p + 1000, q + [0, 0.01] * (-1) ** np.arange(7)[:, None])
    assert np.abs(_through(noisy, p + 1000) - q).max() < 0.02  # normalised: far from the origin as well


def test_frames_are_reduced_to_the_wanted_size() -> None:
    image = np.tile(np.arange(90, dtype=np.float32), (60, 1))
    for factor, size in ((1.0, (60, 90)), (1.5, (40, 60)), (3.0, (20, 30)), (4.5, (13, 20))):
        small = _smaller(image, factor)
        assert small.shape == size
        assert (
            43.4 < float(small.mean()) < 44.6
        )  # whole blocks: the last two columns of 90 fill no block of four


def test_alignment_by_flow_adds_what_bends_to_the_motion(tmp_path) -> None:
    light = scene(96, 120, stops=4, seed=8)
    y, x = np.mgrid[:96, :120]
    bend = 2.5 * np.sin(x / 25)  # columns read further down or up
    rows = np.clip(np.rint(y + bend), 0, 95).astype(int)
    bent = light[rows, x]
    paths = save([shoot(bent, 0.5, 0), shoot(light, 1.0, 1), shoot(bent, 2.0, 2)], tmp_path)
    stack = ExposureStack(paths, exposures_of(paths, times=[0.5, 1.0, 2.0]))
    found = align(stack, method="flow", reference=1)
    assert [p.how for p in found.placements] == ["flow", "reference", "flow"]
    assert found.placements[1].flow is None
    for k in (0, 2):
        place = found.placements[k]
        assert place.flow is not None
        assert place.flow.shape == (2, 96, 120)
        # the bent frame shows at p what the reference shows at p + bend
        down = place.flow[1].numpy() + place.transform[1, 2]
        inner = np.s_[12:-12, 12:-12]
        assert np.abs(down + bend)[inner].mean() < 0.5 * np.abs(bend)[inner].mean()
    assert corner_motion(found.placements[1].transform @ np.linalg.inv(STILL), (96, 120)) == 0
    assert torch.isfinite(found.placements[0].flow).all()


def test_what_both_frames_see_is_counted_through_the_homography() -> None:
    fixed = np.full((64, 64), 128, np.uint8)
    moving = np.full((64, 64), 128, np.uint8)
    moving[:, 30:] = 255  # clipped
    h = np.array([[1.0, 0.05, 2.0], [0.02, 1.1, -3.0], [2e-3, 4e-3, 1.0]])
    y, x = np.mgrid[:64, :64]
    at = np.stack([x, y, np.ones_like(x)], -1) @ h.T
    u, v = np.rint(at[..., 0] / at[..., 2]), np.rint(at[..., 1] / at[..., 2])
    both = (u >= 0) & (u < 30) & (v >= 0) & (v < 64)
    assert _shared_unclipped(fixed, moving, h) == pytest.approx(both.mean())


def test_saturation_below_the_largest_code_is_a_peak_of_the_histogram() -> None:
    """Of a 14-bit sensor that ends at 15 000: codes within one part in 4096 of the largest are taken together."""
    ramp = np.linspace(0, 14_000, 10_000).astype(np.int32)

    def frame(*ends: int) -> Frame:
        codes = ramp.copy()
        codes[-len(ends) :] = ends
        return SimpleNamespace(codes=codes.reshape(1, 100, 100), levels=2**14)  # type: ignore[return-value]

    assert ceiling_of(frame(*[15_000, 14_997] * 6)) == pytest.approx(15_000 / 16_383)  # 12 of 10 000
    assert ceiling_of(frame(*[15_000, 14_995] * 6)) is None  # six within four codes
    assert ceiling_of(frame(*[15_000] * 9)) is None
    assert ceiling_of(frame(16_383)) == 1.0
    assert ceiling_of(SimpleNamespace(codes=np.full((1, 100, 100), 8000), levels=2**14)) is None  # type: ignore[arg-type]
