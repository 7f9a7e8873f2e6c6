"""Scenes of known radiance, shot by a made-up camera and merged back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from hdrq.image.warp import corner_motion
from hdrq.io.exposures import exposures_of
from hdrq.merging.alignment.align import align
from hdrq.merging.alignment.mtb import Pyramid, grey, mtb_shift
from hdrq.merging.alignment.optical_flow import tv_flow
from hdrq.merging.averaging import Weighting
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.merge import merge
from hdrq.merging.response.curve import usable
from hdrq.merging.response.estimators.debevec import debevec
from hdrq.merging.response.estimators.mitsunaga_nayar import mitsunaga_nayar
from hdrq.merging.response.estimators.neighbour_ratios import neighbour_ratios
from hdrq.merging.response.estimators.robertson import robertson
from hdrq.merging.response.files import write_response
from hdrq.merging.settings import Settings
from hdrq.scoring.metrics.psnr import psnr
from shooting import exposure_of, response_file, save, scene, seen_through, shoot, turned, well_exposed

TIMES = (1 / 16, 1 / 4, 1.0, 4.0)
STILL = Settings(times=TIMES, align="none", deghost="none", scale="relative")


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return scene(240, 320)


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> str:
    return response_file(tmp_path_factory.mktemp("camera"))


@pytest.fixture(scope="module")
def still(light, tmp_path_factory) -> list[str]:
    return save([shoot(light, t, i) for i, t in enumerate(TIMES)], tmp_path_factory.mktemp("still"))


def pixels(paths, settings: Settings) -> np.ndarray:
    """The merge, (H, W, C)."""
    return merge(paths, settings).image.pixels[0].permute(1, 2, 0).numpy()


def off(ours: np.ndarray, light: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Relative errors, after the one factor that a relative merge leaves open."""
    ratio = ours[where] / light[where]
    return np.abs(ratio / np.median(ratio) - 1)


@pytest.mark.parametrize("rule", ["photon-count", "least-noise", "linear-mean", "log-mean", "time-squared"])
def test_radiance_comes_back_with_a_known_response(light, still, camera, rule) -> None:
    ours = pixels(still, replace(STILL, response=camera, weighting=Weighting(rule)))
    errors = off(ours, light, well_exposed(light, TIMES))
    assert np.median(errors) < 0.01
    assert np.quantile(errors, 0.9) < (0.02 if rule in ("photon-count", "least-noise") else 0.03)


def test_radiance_comes_back_with_an_estimated_response(light, still) -> None:
    errors = off(pixels(still, STILL), light, well_exposed(light, TIMES))
    assert np.median(errors) < 0.01  # 0.007 of it is noise
    assert np.quantile(errors, 0.9) < 0.022


@pytest.mark.parametrize(
    ("estimator", "most"),
    [(neighbour_ratios, 0.02), (debevec, 0.03), (mitsunaga_nayar, 0.03), (robertson, 0.12)],
)
def test_responses_are_found(light, estimator, most) -> None:
    seconds = np.array([1 / 64, 1 / 16, 1 / 4, 1, 4, 16])
    frames = np.stack([shoot(light, t, i) for i, t in enumerate(seconds)]).reshape(6, -1, 3)
    some = frames[:, np.random.default_rng(0).choice(frames.shape[1], 6000, replace=False)]
    seen = np.stack([np.bincount(some[..., c].ravel(), minlength=256) for c in range(3)], 1)
    found = usable(estimator(some.astype(float), seconds), seen, "")
    miss = np.log(found.curve[40:240]) - np.log(exposure_of(np.arange(40, 240) / 255))[:, None]
    assert np.abs(miss - np.median(miss)).max() < most
    assert (np.diff(found.curve, axis=0) >= 0).all()
    assert (found.curve >= 0).all()


def test_the_merge_stays_within_its_bounds(light, still, camera) -> None:
    for response in (camera, "auto", "srgb"):
        found = merge(still, replace(STILL, response=response))
        bright = float(found.response.curve[-1].max()) / min(TIMES)
        assert float(found.image.pixels.max()) <= bright * (1 + 1e-6)
        assert float(found.image.pixels.min()) >= 0


def test_a_grey_ramp_stays_grey(tmp_path) -> None:
    ramp = np.repeat((2.0 ** np.linspace(-11, 3, 400))[None, :, None], 200, 0) * np.ones(3)
    seconds = [1 / 16, 1 / 4, 1.0, 4.0]
    ours = pixels(save([shoot(ramp, t, i) for i, t in enumerate(seconds)], tmp_path), STILL)
    column = ours.mean(0)  # noise averaged out: a cast is what remains
    seen = ramp[0, :, 0] > 0.004
    assert np.abs(column[seen] / column[seen].mean(1, keepdims=True) - 1).max() < 0.01


def test_the_response_is_kept_and_used_again(still, tmp_path, light) -> None:
    first = merge(still, STILL)
    write_response(tmp_path / "r.json", first.response)
    again = merge(still, replace(STILL, response=str(tmp_path / "r.json")))
    assert torch.allclose(first.image.pixels, again.image.pixels, rtol=1e-5)


def test_true_exposures_are_found(light, tmp_path) -> None:
    """Linear frames whose EXIF lies by up to 15 %, as in the spec's table B5."""
    true, told = np.array([1, 4, 16, 64.0]), np.array([1.244, 3.633, 14.73, 64])
    frames = [shoot(light, t / 64, i, tone=lambda f: f, bits=16) for i, t in enumerate(true)]
    settings = replace(STILL, times=told / 64, response="linear", estimate_exposures=True)
    found = merge(save(frames, tmp_path), settings)
    used = np.array([f.used for f in found.report.frames]) * 64
    assert np.abs(used / true - 1).max() < 0.005
    assert found.report.frames[0].off_stops == pytest.approx(np.log2(1.244), abs=0.01)


def test_the_standard_error_is_the_error(light, tmp_path) -> None:
    frames = [shoot(light, t, i, tone=lambda f: f, bits=16, photon=2e-4) for i, t in enumerate(TIMES)]
    settings = replace(STILL, response="linear", uncertainty=True)
    found = merge(save(frames, tmp_path), settings)
    where = np.clip(light * max(TIMES), 0, 1).max(-1) < 0.5
    miss = (found.image.pixels[0].permute(1, 2, 0).numpy() - light)[where]
    told = found.uncertainty.permute(1, 2, 0).numpy()[where]
    assert np.sqrt(np.mean((miss / told) ** 2)) == pytest.approx(1, abs=0.3)


# --- hands and things that move -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    return scene(360, 440, seed=3)


@pytest.mark.parametrize(
    ("degrees", "dy", "dx"), [(0, 7, -12), (0, -3.4, 5.7), (0.8, 6, 11), (6, -10, 18)], ids=str
)
def test_handheld_frames_are_found(wide, tmp_path, degrees, dy, dx) -> None:
    size = wide.shape[:2]
    hand = turned(degrees, dy, dx, size)
    frames = [shoot(wide, 1 / 4, 0), shoot(seen_through(wide, hand), 1.0, 1)]
    paths = save(frames, tmp_path)
    bracket = ExposureStack(paths, exposures_of(paths, times=[1 / 4, 1.0]))
    found = align(bracket, reference=0).placements[1]
    assert corner_motion(np.linalg.inv(hand) @ found.transform, size) < 0.5


def test_a_handheld_bracket_gives_the_radiance_of_the_reference(wide, tmp_path, camera) -> None:
    hands = [turned(0.4, 5.3, -3.6, wide.shape[:2]), np.eye(3), turned(-0.6, -4, 6.2, wide.shape[:2])]
    paths = save(
        [shoot(seen_through(wide, h), t, i) for i, (h, t) in enumerate(zip(hands, TIMES[:3]))], tmp_path
    )
    found = merge(
        paths, Settings(times=TIMES[:3], response=camera, reference=1, deghost="none", scale="relative")
    )
    top, bottom, left, right = found.report.crop
    part = wide[top:bottom, left:right]
    errors = off(found.image.pixels[0].permute(1, 2, 0).numpy(), part, well_exposed(part, TIMES))
    assert np.median(errors) < 0.02


@pytest.fixture(scope="module")
def walker(tmp_path_factory):
    """(files, the empty scene, the scene of every frame): a block walks through the picture."""
    still = scene(200, 300, stops=6, seed=5)
    frames, scenes = [], []
    for i, t in enumerate((1 / 4, 1.0, 4.0)):
        now = still.copy()
        now[60:120, 40 + 80 * i : 80 + 80 * i] = [0.12, 0.05, 0.02]
        frames.append(shoot(now, t, i))
        scenes.append(now)
    return save(frames, tmp_path_factory.mktemp("walker")), still, scenes


def strays(picture: np.ndarray, truth: np.ndarray, i: int) -> float:
    """Median |ln| between picture and truth where the block stood in frame i."""
    at = np.s_[65:115, 45 + 80 * i : 75 + 80 * i]
    return float(np.median(np.abs(np.log(picture[at] / truth[at]))))


WALK = Settings(times=(1 / 4, 1.0, 4.0), align="none", reference=1, scale="relative")


@pytest.mark.parametrize("method", ["reference", "patch"])
def test_ghosts_are_gone(walker, camera, method) -> None:
    """What is left is the block where the reference has it."""
    paths, _, scenes = walker
    spoiled = pixels(paths, replace(WALK, response=camera, deghost="none"))
    found = merge(paths, replace(WALK, response=camera, deghost=method))
    ours = found.image.pixels[0].permute(1, 2, 0).numpy()
    assert max(strays(spoiled, scenes[1], i) for i in range(3)) > 0.3
    assert max(strays(ours, scenes[1], i) for i in range(3)) < 0.04
    assert 0.03 < found.report.ghosts < 0.35
    whole = [
        psnr(
            torch.from_numpy(np.log(p)).permute(2, 0, 1)[None],
            torch.from_numpy(np.log(scenes[1])).permute(2, 0, 1)[None],
        )
        for p in (spoiled, ours)
    ]
    assert float(whole[1]) > float(whole[0]) + 6


def test_bitmaps_leave_one_frame_in_every_cluster(walker, camera) -> None:
    paths, _, scenes = walker
    ours = pixels(paths, replace(WALK, response=camera, deghost="bitmap"))
    for i in range(3):
        assert min(strays(ours, s, i) for s in scenes) < 0.1


def test_nothing_is_called_a_ghost_where_nothing_moved(light, still) -> None:
    assert merge(still, replace(STILL, deghost="reference")).report.ghosts < 0.005


def test_dense_flow_follows_what_bends() -> None:
    wide = scene(120, 160, seed=8)
    y, x = np.mgrid[:120, :160].astype(np.float32)
    from hdrq.image.warp import sample

    u, v = 3 * np.sin(x / 60) * np.cos(y / 50), 2 * np.cos(x / 70)
    bent = sample(
        torch.from_numpy(wide).permute(2, 0, 1).float(), torch.from_numpy(x + u), torch.from_numpy(y + v)
    )
    a, b = (
        grey(shoot(p, 1.0, i).transpose(2, 0, 1))
        for i, p in enumerate((bent.permute(1, 2, 0).numpy().clip(1e-6), wide))
    )
    tensors = [
        torch.from_numpy(np.ascontiguousarray(p, np.float32))[None]
        for p in (a, b, (a > 5) & (a < 250), (b > 5) & (b < 250))
    ]
    flow = tv_flow(*tensors).numpy()
    miss = np.hypot(flow[0] - u, flow[1] - v)[(a > 5) & (a < 250)]
    assert miss.mean() < 0.3 * np.hypot(u, v).mean()


@pytest.mark.parametrize("level", [0, 3, 255], ids=["black", "almost black", "white"])
def test_dark_and_clipped_frames_cause_no_wild_shift(wide, level) -> None:
    seen = grey(shoot(wide, 1.0, 0).transpose(2, 0, 1))
    rng = np.random.default_rng(1)
    useless = np.clip(level + rng.integers(-1, 2, seen.shape), 0, 255).astype(np.uint8)
    for a, b in ((seen, useless), (useless, seen), (useless, useless)):
        shift = mtb_shift(Pyramid.of(a), Pyramid.of(b))
        assert (shift.dy, shift.dx) == (0, 0)
        assert shift.why


def test_frames_of_nothing_in_common_stay_where_they_are() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        np.clip(128 + 60 * blurred(rng.standard_normal((200, 240))), 0, 255).astype(np.uint8)
        for _ in range(2)
    )
    shift = mtb_shift(Pyramid.of(a), Pyramid.of(b))
    assert (shift.dy, shift.dx) == (0, 0)
    assert "match" in shift.why


def blurred(noise: np.ndarray) -> np.ndarray:
    x = gaussian_filter(noise, 3)
    return x / x.std()
