"""Merging against the numbers of OpenCV 5.0.0; HDR Toolbox has test_merge_toolbox.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hdrq.merging.alignment.mtb import Pyramid, grey, mtb_shift
from hdrq.merging.averaging import Weighting
from hdrq.merging.fusion import mertens
from hdrq.merging.merge import merge
from hdrq.merging.response.curve import consistency, fixed_response, usable
from hdrq.merging.response.estimators.debevec import debevec
from hdrq.merging.response.estimators.neighbour_ratios import neighbour_ratios
from hdrq.merging.response.estimators.robertson import robertson
from hdrq.merging.settings import Settings
from shooting import save

STACKS = {"room": "stack_room_d1.npz", "ghost3": "stack_ghost3_d2.npz"}
pytestmark = pytest.mark.shared


@pytest.fixture(scope="module", params=sorted(STACKS))
def stack(request, shared: Path):
    """(name, frames (P, H, W, 3) uint8, seconds, golden file reader)."""
    home = shared / "golden" / "merge"
    data = np.load(home / STACKS[request.param])

    def golden(name: str) -> np.ndarray:
        return np.load(home / f"opencv__{request.param}__{name}.npz")["a"]

    return request.param, data["images"], data["times"].astype(float), golden


def close(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest relative difference, over values that are not rounding noise."""
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-6 * theirs.max())).max())


@pytest.mark.parametrize(
    ("kind", "rule", "weight", "weigh"),
    [
        ("debevec", "log-mean", "triangle-floor", "mean"),
        ("robertson", "time-squared", "robertson", "channel"),
    ],
)
@pytest.mark.parametrize("response", ["crf", "linear"])
def test_merges_are_those_of_opencv(stack, tmp_path, kind, rule, weight, weigh, response) -> None:
    _, frames, times, golden = stack
    curve = (
        golden(f"crf_{kind}")[:, 0]
        if response == "crf"
        else np.arange(256.0)[:, None] / (128 if kind == "robertson" else 1)
    )
    if response == "linear" and kind == "debevec":
        curve[0] = curve[1]  # as OpenCV starts its identity
    np.save(tmp_path / "curve.npy", curve)
    paths = save([f[1::3, 1::3] for f in frames], tmp_path)
    weighting = Weighting(rule, weight, weigh, "none")
    settings = Settings(
        times=times,
        response=str(tmp_path / "curve.npy"),
        weighting=weighting,
        align="none",
        deghost="none",
        scale="relative",
    )
    ours = merge(paths, settings).image.pixels[0].permute(1, 2, 0).numpy()
    assert close(ours, golden(f"merge_{kind}_{response}")) < 1e-5


def grid(shape: tuple[int, ...]) -> np.ndarray:
    """OpenCV's 70 sample points, (70, 2) of row, column."""
    rows, columns = shape
    across = int(np.sqrt(70 * columns / rows))
    down = 70 // across
    dx, dy = columns // across, rows // down
    return np.array([(dy // 2 + j * dy, dx // 2 + i * dx) for i in range(across) for j in range(down)])


def test_the_debevec_response_is_that_of_opencv(stack) -> None:
    _, frames, times, golden = stack
    at = grid(frames.shape[1:3])
    miss = debevec(frames[:, at[:, 0], at[:, 1]].astype(float), times) - np.log(golden("crf_debevec")[:, 0])
    miss = miss - miss[128]  # OpenCV's float32 solver leaves g(128) up to 0.02 off 0, and all else with it
    assert np.abs(miss[16:245]).max() < 1e-4


def test_the_robertson_response_is_that_of_opencv(stack) -> None:
    _, frames, times, golden = stack
    ours = robertson(frames.reshape(len(frames), -1, 3), times)
    assert np.abs(ours - np.log(golden("crf_robertson")[:, 0].clip(1e-9)))[16:245].max() < 1e-4


def test_responses_are_as_consistent_as_the_best_program(stack) -> None:
    name, frames, times, golden = stack
    codes = frames.reshape(len(frames), -1, 3)
    some = codes[:, np.random.default_rng(0).choice(codes.shape[1], 8000, replace=False)]
    seen = np.stack([np.bincount(some[..., c].ravel(), minlength=256) for c in range(3)], 1)
    ours = consistency(codes, times, usable(neighbour_ratios(some, times), seen, "").curve)
    bias, rms = {"room": (0.12, 0.31), "ghost3": (0.011, 0.206)}[name]  # the best of seven programs
    assert ours["rms"] < rms
    assert ours["bias"] + ours["rms"] < bias + rms
    for program in ("crf_debevec", "crf_robertson"):
        peer = consistency(codes, times, golden(program)[:, 0].astype(float))
        assert ours["bias"] + ours["rms"] < peer["bias"] + peer["rms"] + 3e-3


def test_the_consistency_figure_is_that_of_the_table(stack) -> None:
    name, frames, times, _ = stack
    found = consistency(frames.reshape(len(frames), -1, 3), times, fixed_response("gamma2.2").curve)
    bias, rms = {"room": (1.14, 1.31), "ghost3": (1.00, 1.23)}[name]
    assert found["bias"] == pytest.approx(bias, abs=0.02)
    assert found["rms"] == pytest.approx(rms, abs=0.02)


@pytest.mark.parametrize(("name", "exposure"), [("110", 0.0), ("111", 1.0)])
def test_fusion_is_that_of_opencv(stack, tmp_path, name, exposure) -> None:
    _, frames, _, golden = stack
    code = torch.from_numpy(frames).permute(0, 3, 1, 2).float() * torch.tensor(1 / 255)
    ours = mertens(code, exposure=exposure)
    assert np.abs(ours.permute(1, 2, 0).numpy()[1::3, 1::3] - golden(f"mertens_{name}")).max() < 2e-6
    settings = Settings(fuse=True, align="none", fusion_weights=(1, 1, exposure))
    whole = merge(save(list(frames), tmp_path), settings).image.pixels[0]
    assert torch.allclose(whole, ours.clamp(0, 1), atol=2e-6)


def test_every_case_is_compared(shared) -> None:
    """A case of a new kind, or of a new stack, has to be compared too; nothing is left out."""
    home = shared / "golden" / "merge"
    curves = {"crf_debevec", "crf_robertson"}
    merges = {f"merge_{rule}_{curve}" for rule in ("debevec", "robertson") for curve in ("crf", "linear")}
    compared = {f"opencv__{s}__{n}" for s in STACKS for n in curves | merges | {"mertens_110", "mertens_111"}}
    assert {p.stem for p in home.glob("*.npz")} == compared | {"stack_align3_d2"} | {
        p.removesuffix(".npz") for p in STACKS.values()
    }


# --- OpenCV itself, on a stack without golden numbers: hand-held, with a sky clipped in two of three frames ----


@pytest.fixture(scope="module")
def handheld(shared: Path):
    """(cv2, frames (3, H, W, 3) uint8, seconds)."""
    cv2 = pytest.importorskip("cv2")
    data = np.load(shared / "golden" / "merge" / "stack_align3_d2.npz")
    return cv2, data["images"], data["times"].astype(np.float32)


@pytest.mark.parametrize("powers", [(1, 1, 0), (1, 1, 1), (0.5, 0.5, 2)], ids=str)
def test_fusion_follows_opencv_where_frames_are_flat(handheld, powers) -> None:
    cv2, frames, _ = handheld
    theirs = cv2.createMergeMertens(*powers).process(list(frames))
    code = torch.from_numpy(frames).permute(0, 3, 1, 2).float() * torch.tensor(1 / 255)
    ours = mertens(code, contrast=powers[0], saturation=powers[1], exposure=powers[2])
    assert np.abs(ours.permute(1, 2, 0).numpy() - theirs).max() < 2e-6


def test_responses_and_shifts_follow_opencv(handheld) -> None:
    cv2, frames, times = handheld
    theirs = cv2.createCalibrateRobertson().process(list(frames), times)[:, 0]
    ours = robertson(frames.reshape(3, -1, 3), times.astype(float))
    assert np.abs(ours - np.log(theirs.clip(1e-9)))[16:245].max() < 1e-4
    at = grid(frames.shape[1:3])
    theirs = cv2.createCalibrateDebevec().process(list(frames), times)[:, 0]
    miss = debevec(frames[:, at[:, 0], at[:, 1]].astype(float), times.astype(float)) - np.log(theirs)
    assert np.abs(miss - miss[128])[16:245].max() < 0.02
    for a, b in ((0, 1), (1, 2)):
        first, second = (grey(frames[k].transpose(2, 0, 1)) for k in (a, b))
        found = mtb_shift(Pyramid.of(first), Pyramid.of(second))
        x, y = cv2.createAlignMTB().calculateShift(first, second)
        assert (found.dx, found.dy) == (-x, -y)
