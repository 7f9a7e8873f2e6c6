"""A made-up bracket with everything at once, handheld and moving, with lying times: what the merge says of it is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

import hdrq
from hdrq.merging.averaging import Weighting, rules
from hdrq.merging.merge import merge
from hdrq.merging.merged import Merged
from hdrq.merging.response.curve import usable
from hdrq.merging.response.estimators.neighbour_ratios import neighbour_ratios
from hdrq.merging.settings import Settings
from hdrq.records import Image
from shooting import exposure_of, response_file, save, scene, seen_through, shoot, turned, well_exposed

SIZE = (300, 400)
TIMES = np.array([1 / 16, 1 / 4, 1.0, 4.0])
LIES = np.array([1.12, 0.93, 1.0, 1.06])
HANDS = [
    turned(0.3, 4.3, -6.6, SIZE),
    turned(-0.4, -3, 5.2, SIZE),
    np.eye(3),
    turned(0.5, 6.1, 3.7, SIZE),
]
REFERENCE = 2


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> str:
    return response_file(tmp_path_factory.mktemp("camera"))


@pytest.fixture(scope="module")
def bracket(tmp_path_factory) -> tuple[list[str], np.ndarray]:
    """(files, what the reference saw): turned and shifted frames with noise, and a box that walks."""
    light = scene(*SIZE, stops=8, seed=3)
    frames, seen = [], []
    for i, (seconds, hand) in enumerate(zip(TIMES, HANDS)):
        now = light.copy()
        now[100:160, 60 + 70 * i : 110 + 70 * i] = [0.5, 0.2, 0.1]
        seen.append(now)
        frames.append(shoot(seen_through(now, hand), seconds, i))
    return save(frames, tmp_path_factory.mktemp("bracket")), seen[REFERENCE]


@pytest.fixture(scope="module")
def told(camera) -> Settings:
    return Settings(times=TIMES, response=camera, reference=REFERENCE, scale="relative")


@pytest.fixture(scope="module")
def merged(bracket, told) -> Merged:
    return merge(bracket[0], replace(told, times=TIMES * LIES, estimate_exposures=True))


def cropped(truth: np.ndarray, found: Merged) -> np.ndarray:
    top, bottom, left, right = found.report.crop
    return truth[top:bottom, left:right]


def errors(found: Merged, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Relative errors of values, and of means of 9 x 9 pixels, where some frame is well exposed."""
    truth = cropped(truth, found)
    good = well_exposed(truth, TIMES)
    ratio = found.image.pixels[0].permute(1, 2, 0).numpy() / truth
    ratio /= np.median(ratio[good])
    share = uniform_filter(good.astype(float), 9)
    mean = uniform_filter(np.where(good[..., None], ratio, 0), (9, 9, 1)) / np.maximum(share, 1e-9)[..., None]
    return np.abs(ratio[good] - 1), np.abs(mean[share > 0.8] - 1)


def test_radiance_comes_back(merged, bracket) -> None:
    """Within 2 %, noise included (1 % in the middle codes of one frame); what is left where the box's edges are."""
    single, local = errors(merged, bracket[1])
    assert np.median(single) < 0.01
    assert np.quantile(single, 0.9) < 0.02
    assert np.quantile(local, 0.98) < 0.02


def test_radiance_comes_back_with_an_estimated_response(bracket, told) -> None:
    single, local = errors(merge(bracket[0], replace(told, response="auto")), bracket[1])
    assert np.median(single) < 0.012
    assert np.quantile(single, 0.9) < 0.025
    assert np.quantile(local, 0.98) < 0.02


def test_shifts_are_found(merged) -> None:
    for frame, hand in zip(merged.report.frames, HANDS):
        assert np.hypot(frame.shift[0] - hand[1, 2], frame.shift[1] - hand[0, 2]) < 0.5, frame


def test_exposures_are_found(merged) -> None:
    used = np.array([f.used for f in merged.report.frames])
    ratios = used / used[-1] * TIMES[-1]
    assert np.abs(ratios / TIMES - 1).max() < 0.005


@pytest.mark.parametrize("method", ["reference", "patch"])
def test_ghosts_are_gone_to_the_eye(bracket, told, method) -> None:
    """HDR-VDP-3 against what the reference saw, at 100 cd/m² a unit; ten is no difference."""

    def quality(way: str) -> float:
        found = merge(bracket[0], replace(told, deghost=way))
        pair = [cropped(bracket[1], found), found.image.pixels[0].permute(1, 2, 0).numpy()]
        shown = [
            Image((torch.from_numpy(p).permute(2, 0, 1)[None].float() * 100).clamp(min=5e-3), "nits")
            for p in pair
        ]
        return float(hdrq.metric("hdrvdp3")(*shown))

    assert quality("none") < 9
    assert quality(method) > 9.9


def test_what_moves_does_not_bend_the_response() -> None:
    """A seventh of the pixels show something else in every frame."""
    light = scene(240, 320)
    frames = np.stack([shoot(light, t, i) for i, t in enumerate(TIMES)]).reshape(4, -1, 3)
    some = frames[:, np.random.default_rng(0).choice(frames.shape[1], 6000, replace=False)].astype(float)
    other = frames[:, np.random.default_rng(1).choice(frames.shape[1], 6000, replace=False)]
    for k in range(4):
        some[k, 200 * k : 200 * k + 850] = other[k, :850]
    seen = np.stack([np.bincount(some[..., c].astype(int).ravel(), minlength=256) for c in range(3)], 1)
    found = usable(neighbour_ratios(some, TIMES), seen, "").curve[40:240]
    miss = np.log(found) - np.log(exposure_of(np.arange(40, 240) / 255))[:, None]
    assert np.abs(miss - np.median(miss)).max() < 0.03


# --- the ends of the range ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ramp(tmp_path_factory) -> tuple[list[str], np.ndarray]:
    """(files, grey levels): 14 stops from left to right, more than the bracket holds at either end."""
    levels = 2.0 ** np.linspace(-11, 3.5, 400)
    light = np.repeat(levels[None, :, None], 120, 0) * np.ones(3)
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    frames[-1][:, :4], frames[0][:, -4:] = 0, 255
    return save(frames, tmp_path_factory.mktemp("ramp")), levels


@pytest.mark.parametrize(
    ("response", "most"),
    [("auto", 0.01), ("srgb", 0.01), ("debevec", 0.01), ("mitsunaga-nayar", 0.01), ("robertson", 0.02)],
)
def test_grey_stays_grey_and_within_its_bounds(ramp, response, most) -> None:
    """Up to what clips in every frame; down to code 10 of the longest; nothing negative, nothing above white in the shortest."""
    paths, levels = ramp
    settings = Settings(times=TIMES, align="none", deghost="none", scale="relative", response=response)
    found = merge(paths, settings)
    radiance = found.image.pixels[0].permute(1, 2, 0).numpy()
    column = radiance.mean(0)  # noise averaged out: a cast is what remains
    cast = np.abs(column / column.mean(1, keepdims=True) - 1).max(1)
    assert cast[levels > 0.004].max() < most
    assert radiance.min() >= 0
    assert radiance.max() <= found.response.curve[-1].max() / TIMES.min() * (1 + 1e-6)


def test_white_in_every_frame_is_neutral(tmp_path) -> None:
    """Channels whose curves differ, as a camera's do that renders colours, differ most at the end that none shows well."""
    light = scene(160, 200, stops=8, seed=5)
    light[:12] = 1e5
    bends = np.array([0.96, 1.0, 0.9])
    frames = [shoot(light, t, i) for i, t in enumerate(TIMES)]
    bent = [
        np.rint(255 * (f / 255) ** (bends + (1 - bends) * (f / 255) ** 8)).astype(np.uint8) for f in frames
    ]
    found = merge(save(bent, tmp_path), Settings(times=TIMES, align="none", deghost="none", scale="relative"))
    white = found.image.pixels[0, :, 2:10].mean((1, 2))
    assert float(white.max() / white.min()) < 1.001


@pytest.mark.parametrize("rule", rules())
@pytest.mark.parametrize("weight", ["sigmoid", "triangle-floor"])
def test_every_rule_stays_within_its_bounds(bracket, told, rule, weight) -> None:
    """Resampled frames too: bicubic weights could leave them."""
    found = merge(bracket[0], replace(told, weighting=Weighting(rule, weight), deghost="none"))
    assert float(found.image.pixels.min()) >= 0
    bound = float(found.response.curve[-1].max()) / TIMES.min()
    assert float(found.image.pixels.max()) <= bound * (1 + 1e-6)


def test_useless_frames_stay_where_they_are(tmp_path) -> None:
    """A frame of nothing but black and one of nothing but white, each with a little noise, in a good bracket."""
    light = scene(160, 200, stops=4, seed=2)
    times = (1e-5, 1 / 4, 1.0, 1e5)
    paths = save([shoot(light, t, i) for i, t in enumerate(times)], tmp_path)
    found = merge(paths, Settings(times=times, response="srgb", scale="relative"))
    assert [f.shift for f in found.report.frames] == [(0, 0)] * 4
    assert all("too dark or too clipped" in found.report.frames[k].why for k in (0, 3))
