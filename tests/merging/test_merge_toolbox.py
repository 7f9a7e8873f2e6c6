"""Merging against the numbers of HDR Toolbox 5375d05."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hdrq.merging.alignment.mtb import Pyramid, grey, mtb_shift
from hdrq.merging.averaging import Weighting
from hdrq.merging.fusion import mertens
from hdrq.merging.merge import merge
from hdrq.merging.response.estimators.debevec import debevec
from hdrq.merging.settings import Settings
from hdrq.merging.weights import weight_table
from shooting import save

pytestmark = pytest.mark.shared
SECONDS = np.array([2.0, 0.5, 0.125, 1 / 30, 0.008, 0.001, 0.00025])
WEIGHTS = {
    "all": "flat",
    "box": "flat",
    "identity": "identity",
    "reverse": "reverse",
    "hat": "hat",
    "Deb97": "triangle",
    "Deb97_p05": "triangle-5",
    "Robertson": "gaussian",
}
RULES = {"linear": "linear-mean", "log": "log-mean", "w_time_sq": "time-squared"}


@pytest.fixture(scope="module")
def numbers(golden) -> dict[str, Any]:
    return golden("hdrtoolbox")["hdr_eo_metrics"]


@pytest.fixture(scope="module")
def room(shared: Path) -> np.ndarray:
    """(H, W, 3, 7) uint8."""
    return np.load(shared / "golden" / "inputs" / "stack_room.npz")["a"]


@pytest.fixture(scope="module")
def exposures() -> np.ndarray:
    return 200 * SECONDS / (12.5 * 4.5**2)


def test_weights_are_those_of_the_toolbox(numbers) -> None:
    for name, expected in numbers["weights"].items():
        ours = weight_table(WEIGHTS[name], np.arange(256) / 255)
        assert np.abs(ours - np.array(expected, float)).max() < 1e-12, name


def ranked(stack: np.ndarray) -> np.ndarray:
    """(7, 256, 3): the codes below which 0/255, 1/255 ... of a frame's pixels lie (Grossberg and Nayar's samples)."""
    levels = np.linspace(0, 1, 256)
    share = np.stack(
        [[np.bincount(stack[..., c, k].ravel(), minlength=256).cumsum() for c in range(3)] for k in range(7)]
    )
    return np.abs(share[..., None] / stack[..., 0, 0].size - levels).argmin(2).transpose(0, 2, 1)


def test_the_debevec_response_is_that_of_the_toolbox(numbers, room, exposures) -> None:
    theirs = numbers["crf"]["debevec"]
    samples = ranked(room)
    assert (samples.sum((0, 1)) == theirs["samples_sum"]).all()
    first = np.array(theirs["samples_first_rows"])
    assert (first == samples[:, :8, 0].T).all()
    for smooth, name in ((128.0, "raw_g_log"), (20.0, "raw_g_log_lambda20")):
        ours = debevec(samples.astype(float), exposures, smooth=smooth, weight="triangle")
        assert np.abs(ours - np.array(theirs[name])).max() < 1e-6
        if smooth == 128:  # then made neutral at code 127; which exposure that is, is left open
            table = np.array(theirs["lin_fun"])
            assert np.abs(np.log(table / table[127]) - (ours - ours[127])).max() < 1e-6
            assert np.ptp(table[127]) < 1e-6


def test_merges_are_those_of_the_toolbox(numbers, room, exposures, tmp_path) -> None:
    """All of BuildHDR's cases: 36 pixels, and mean, least and greatest value of the whole picture."""
    paths = save(list(room.transpose(3, 0, 1, 2)), tmp_path)
    np.save(tmp_path / "lut.npy", np.array(numbers["crf"]["debevec"]["lin_fun"]))
    rows, columns = np.meshgrid(range(99, 300, 40), range(99, 600, 100), indexing="ij")
    seen = set()
    for case in numbers["buildhdr"]:
        merged, _, mean = case["merge"].partition(" ")
        weighting = Weighting(
            RULES[merged],
            WEIGHTS[case["weight"]],
            "code" if mean else "channel",
            "toolbox",
            "toolbox",
            1 / 65535 if merged == "log" else 0.0,
        )
        response = {"gamma": "gamma2.2", "sRGB": "srgb", "LUT": str(tmp_path / "lut.npy")}[case["lin"]]
        settings = Settings(
            times=exposures,
            response=response,
            weighting=weighting,
            align="none",
            deghost="none",
            scale="relative",
        )
        ours = merge(paths, settings).image.pixels[0].double().numpy()
        expected = np.array(case["px"])
        miss = np.abs(ours[:, rows.T.ravel(), columns.T.ravel()].T - expected)
        assert (miss <= 1e-5 * np.maximum(expected, 1e-6 * expected.max())).all(), case["merge"]
        assert ours.mean() == pytest.approx(case["mean"], rel=1e-6)
        assert ours.min() == pytest.approx(case["min"], rel=1e-5)
        assert ours.max() == pytest.approx(case["max"], rel=1e-6)
        seen.add((case["lin"], case["weight"], case["merge"]))
    assert len(seen) == len(numbers["buildhdr"])


def test_fusion_is_that_of_the_toolbox(numbers, shared) -> None:
    """Means of the fused pictures of two stacks; of MertensTMO on stacks there is no more."""
    for name, said in (("ghost", "mertens_stack"), ("room", "mertens_room")):
        stack = np.load(shared / "golden" / "inputs" / f"stack_{name}.npz")["a"]
        fused = mertens(torch.from_numpy(stack / 255).permute(3, 2, 0, 1).contiguous(), variant="toolbox")
        assert float(fused.mean()) == pytest.approx(numbers[said]["mean"], rel=1e-6)
        assert (float(fused.min()), float(fused.max())) == (numbers[said]["min"], numbers[said]["max"])


def test_shifts_are_those_of_the_toolbox(numbers, shared, room) -> None:
    """It answers with the way back, (x, y), and in even numbers: one pixel off a true shift at most."""
    frames = np.load(shared / "golden" / "merge" / "stack_align3_d2.npz")["images"]
    first, *others = (grey(f.transpose(2, 0, 1)) for f in frames)
    for other, said in zip(others, ("img2_to_1", "img3_to_1")):
        found = mtb_shift(Pyramid.of(first), Pyramid.of(other))
        assert [-2 * found.dx, -2 * found.dy] == numbers["align"][said]["shift"]  # it saw twice the size
    still = grey(room[..., 2].transpose(2, 0, 1))
    for said, (dx, dy) in (
        ("synthetic_5_m7", (5, -7)),
        ("synthetic_m13_2", (-13, 2)),
        ("synthetic_31_20", (31, 20)),
    ):
        found = mtb_shift(Pyramid.of(still), Pyramid.of(np.roll(still, (dy, dx), (0, 1))))
        assert (found.dx, found.dy) == (dx, dy)
        x, y = numbers["align"][said]
        assert max(abs(x + dx), abs(y + dy)) <= 1


# What is compared above, and what is not and why. A case that is in neither is an error.
COMPARED = {
    *(f"crf.debevec.{n}" for n in ("samples_sum", "samples_first_rows", "raw_g_log", "raw_g_log_lambda20")),
    "crf.debevec.lin_fun",
    "buildhdr",  # every case of the list
    *(f"weights.{name}" for name in WEIGHTS),
    *(f"mertens_{stack}.{figure}" for stack in ("stack", "room") for figure in ("mean", "min", "max")),
    *(f"align.{name}.shift" for name in ("img2_to_1", "img3_to_1")),
    *(f"align.synthetic_{name}" for name in ("5_m7", "m13_2", "31_20")),
}
APART = {
    "crf.debevec.max_lin_fun": "its scale, where a search by simplex happened to stop",
    "crf.regularspatial_n": "a sampler of its own; ours draws pixels",
    "crf.regularspatial_sum": "the same",
    "crf.robertson": "its curve falls 8 to 11 times in 256 codes for want of samples; ours is compared with OpenCV's",
    "crf.mitsunaga": "0.46 to 0.72 stops of bias on its own stack (specs/merge.md); ours is held to the consistency "
    "figure. Plain powers over its samples, codes 24 to 242, come within 0.003 of its coefficients, not nearer",
    "crf.mitsunaga_N3": "the same, and negative below code 16",
    "crf.mannpicard": "no such response here",
    "align.target_gallo": "the number of the frame it chose as target, by another rule",
    "align.img2_to_1.alignment_info": "its shift, and a turn of 0.03 of which ours finds 0.0026 radian",
    "align.img3_to_1.alignment_info": "its shift, and a turn of 0.1 of which ours finds 0.0028 radian",
    "align.img2_to_1.mean_out": "the mean of the resampled picture, by its own rule of borders",
    "align.img3_to_1.mean_out": "the same",
    "pecekautz_error": "its program stopped with an error",
    "raman_stack": "bilateral compositing: no merger here; its filter was not identified (nearest mean 0.0004 off)",
    "mertens_stack.nonfinite": "0",
    "mertens_room.nonfinite": "0",
}
OTHERS = {"eo", "metrics", "analysis"}  # expansion, metrics, statistics of one picture: tested elsewhere


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name


def test_every_golden_case_is_compared_or_named(numbers) -> None:
    merging = set(leaves({k: v for k, v in numbers.items() if k not in OTHERS}))
    named = {leaf for leaf in merging if any(leaf == a or leaf.startswith(f"{a}.") for a in APART)}
    assert merging - named == COMPARED
    assert all(any(leaf == a or leaf.startswith(f"{a}.") for leaf in merging) for a in APART)
