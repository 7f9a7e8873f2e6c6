"""What is called movement, and what is not: a camera's raised black in the short frames of a long bracket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hdrq.merging.alignment import resample
from hdrq.merging.averaging import Weighting
from hdrq.merging.merge import merge
from hdrq.merging.settings import Settings
from shooting import response_file, save, scene, shoot

TIMES = (1 / 4096, 1 / 512, 1 / 64, 1 / 8, 1.0, 8.0)
AUTO = Settings(times=TIMES, align="none", scale="relative")


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return scene(160, 240, stops=12)


def hazy(light: np.ndarray, seconds: float, seed: int) -> np.ndarray:
    """A frame whose black is raised to codes 0 to 9, in blocks, as flare and JPEG do."""
    codes = shoot(light, seconds, seed)
    h, w = codes.shape[:2]
    haze = np.random.default_rng(100 + seed).integers(0, 10, (h // 8, w // 8, 3))
    return np.maximum(codes, np.repeat(np.repeat(haze, 8, 0), 8, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def frames(light) -> list[np.ndarray]:
    return [hazy(light, t, i) for i, t in enumerate(TIMES)]


def test_a_raised_black_is_no_movement(frames, tmp_path) -> None:
    assert merge(save(frames, tmp_path), AUTO).report.ghosts < 0.02


def test_what_moves_in_front_of_a_raised_black_is_found(frames, tmp_path) -> None:
    """A thing of 30 x 30 pixels in one frame only: that frame is left out there, and the merge shows the scene."""
    crossed = [f.copy() for f in frames]
    crossed[3][60:90, 100:130] = 150
    settings = replace(AUTO, reference=4, response=response_file(tmp_path))
    clean = merge(save(frames, tmp_path / "clean"), settings)
    found = merge(save(crossed, tmp_path / "crossed"), settings)
    assert 0.02 < found.report.frames[3].ghosts < 0.06  # the thing is 2.3 %, and grown by five pixels 4.2 %
    ratio = (found.image.pixels / clean.image.pixels)[..., 60:90, 100:130]
    assert float(ratio.log2().abs().quantile(0.99)) < 0.05


def test_a_rule_of_two_passes_counts_movement_once(frames, tmp_path) -> None:
    crossed = [f.copy() for f in frames]
    crossed[3][60:90, 100:130] = 150
    paths = save(crossed, tmp_path)
    once, twice = (
        merge(paths, replace(AUTO, reference=5, weighting=Weighting(rule))).report.frames[3].ghosts
        for rule in ("photon-count", "least-noise")
    )
    assert twice == once > 0.01


@pytest.mark.parametrize("rule", ["photon-count", "log-mean", "time-squared"])
def test_averages_by_tables_of_code_are_those_of_every_pixel(frames, tmp_path, rule) -> None:
    """With the uncertainty asked for, exposures and weights of all pixels are looked up before they are multiplied."""
    crossed = [f.copy() for f in frames]
    crossed[3][60:90, 100:130] = 150
    weighting = Weighting(rule, offset=0.001 if rule == "log-mean" else 0.0)
    settings = replace(AUTO, reference=4, response=response_file(tmp_path), weighting=weighting)
    paths = save(crossed, tmp_path)
    plain, certain = (merge(paths, replace(settings, uncertainty=u)) for u in (False, True))
    assert plain.report.ghosts > 0.01
    assert torch.allclose(plain.image.pixels, certain.image.pixels, rtol=1e-6, atol=0)


@pytest.mark.parametrize("code", [0.5, 0.02])
def test_movement_is_found_in_linear_frames_of_sixteen_bits(light, tmp_path, code) -> None:
    """Bright, and dark; the rest of the scene stays, down to the noise of the shortest frame."""
    shots = [shoot(light, t, i, tone=lambda f: f, bits=16) for i, t in enumerate(TIMES)]
    settings = replace(AUTO, response="linear", reference=4)
    assert merge(save(shots, tmp_path / "clean"), settings).report.ghosts < 0.01
    shots[3][60:90, 100:130] = round(code * 65535)
    frames = merge(save(shots, tmp_path / "crossed"), settings).report.frames
    assert 0.015 < frames[3].ghosts < 0.06
    assert max(f.ghosts for f in frames if f.file != "f3.png") < 0.01


@pytest.mark.shared
def test_a_static_room_of_thirteen_stops_hardly_moves(shared, tmp_path) -> None:
    """Its screen flickers (2.6 % of the picture); its dark half once counted as movement, 88 %."""
    stack = np.load(shared / "golden/merge/stack_room_d1.npz")
    paths = save(list(stack["images"]), tmp_path)
    report = merge(paths, Settings(times=[float(t) for t in stack["times"]])).report
    assert report.ghosts < 0.08


@pytest.mark.parametrize("method", ["reference", "bitmap", "patch"])
def test_results_do_not_depend_on_the_strips_in_which_they_are_computed(light, method, monkeypatch) -> None:
    """Movement across the borders of strips, where the reference is clipped and where it is not."""
    times = (1 / 512, 1 / 64, 1 / 8)
    shots = [shoot(light, t, i) for i, t in enumerate(times)]
    shots[0][70:110, 60:100], shots[2][20:60, 150:190] = 200, 40
    settings = Settings(times=times, align="none", response="srgb", scale="relative", deghost=method)
    found = []
    for pixels, rows in ((10**9, 16), (16 * 240, 16), (23 * 240, 16)):
        monkeypatch.setattr(resample, "STRIP", pixels)
        monkeypatch.setattr(resample, "LEAST_ROWS", rows)
        found.append(merge(shots, settings))
    for other in found[1:]:
        assert torch.equal(other.ghosts, found[0].ghosts)
        assert torch.allclose(other.image.pixels, found[0].image.pixels, rtol=1e-6, atol=0)
        for a, b in zip(other.report.frames, found[0].report.frames):
            assert a.ghosts == pytest.approx(b.ghosts, rel=1e-9)
    assert found[0].report.ghosts > 0.02
