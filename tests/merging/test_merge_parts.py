"""Parts of a merge that whole merges seldom reach: patches, response files, scales and weights, by hand-made numbers."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hdrq.image.color import LUMINANCE
from hdrq.merging.alignment.mtb import grey
from hdrq.merging.deghosting.patch_match import (
    RADIUS,
    _half,
    _near,
    _patches,
    _spread_in,
    _start,
    _thickness,
    _vote,
    fill,
)
from hdrq.merging.response.curve import fixed_response
from hdrq.merging.response.files import read_response
from hdrq.merging.scale import scale_of
from hdrq.merging.weights import weight_table
from hdrq.records import BT709, BT2020

# --- filling by patches ---------------------------------------------------------------------------------


def test_patches_are_the_windows_around_pixels_with_repeated_borders() -> None:
    image = torch.randn(2, 9, 11, generator=torch.Generator().manual_seed(0))
    at = torch.tensor([[0, 0], [4, 5], [8, 10], [1, 9]])
    padded = F.pad(image[None], (RADIUS,) * 4, mode="replicate")[0]
    for k, (y, x) in enumerate(at.tolist()):
        wanted = padded[:, y : y + 2 * RADIUS + 1, x : x + 2 * RADIUS + 1]
        assert torch.equal(_patches(image, at)[k], wanted.flatten())


def test_pixels_are_the_mean_of_the_patches_that_cover_them() -> None:
    source = torch.randn(1, 20, 24, generator=torch.Generator().manual_seed(1))
    at = torch.tensor([[8, 9], [10, 9]])
    field = torch.tensor([[12, 14], [5, 6]])
    found = _vote(source, at, field, torch.Size((20, 24)))
    shift = [(field - at)[k].tolist() for k in range(2)]
    y, x = 9, 10  # covered by both
    assert float(found[0, y, x]) == pytest.approx(
        float(sum(source[0, y + dy, x + dx] for dy, dx in shift)) / 2, rel=1e-5
    )
    assert float(found[0, 6, 9]) == pytest.approx(
        float(source[0, 6 + 4, 9 + 5]), rel=1e-5
    )  # by the first alone


def test_a_coarser_level_has_half_the_size_and_twice_the_reach() -> None:
    target = torch.arange(16.0).view(1, 4, 4)
    hole = torch.zeros(4, 4, dtype=torch.bool)
    hole[0, 0] = hole[2:, 2:] = True
    hole[0, 2:] = True
    smaller, gap, source = _half(target, hole, 2 * target)
    assert float(smaller[0, 0, 0]) == pytest.approx((1 + 4 + 5) / 3)  # the hole's own colour is left out
    assert float(smaller[0, 0, 1]) == pytest.approx(6.5)
    assert gap.tolist() == [[False, False], [False, True]]
    assert torch.equal(source[0, 0], torch.tensor([5.0, 9.0]))
    before = torch.zeros(2, 3, 3, dtype=torch.long)
    before[:, 1, 2] = torch.tensor([1, -2])  # displacement of the coarser pixel (1, 2)
    begun = _start(torch.tensor([[3, 5], [2, 4], [5, 5]]), before, torch.Size((6, 6)), torch.Generator())
    assert begun.tolist() == [[5, 1], [4, 0], [5, 5]]


def test_the_thickness_of_a_hole_is_counted_from_its_border() -> None:
    hole = torch.zeros(40, 40, dtype=torch.bool)
    assert int(_thickness(hole)) == 0
    hole[5:14, 3:30] = True
    assert int(_thickness(hole)) == 5


def test_a_wide_hole_is_filled_from_coarse_to_fine() -> None:
    y, x = torch.meshgrid(torch.arange(72.0), torch.arange(80.0), indexing="ij")
    pattern = (torch.sin(x / 2.5) + torch.cos(y / 3))[None]
    hole = torch.zeros(72, 80, dtype=torch.bool)
    hole[26:46, 30:50] = True
    spoiled = torch.where(hole, torch.full_like(pattern, 9.0), pattern)
    away = torch.roll(pattern, (5, 7), (1, 2))
    found = fill(spoiled, hole, away)
    assert torch.equal(found[:, ~hole], pattern[:, ~hole])
    smooth = _spread_in(spoiled, hole)  # what it begins with

    def miss(filled: torch.Tensor) -> float:
        return float((filled - pattern)[:, hole].abs().mean())

    assert miss(found) < 0.4 * miss(smooth)


# --- responses, weights, scales --------------------------------------------------------------------------


def test_fixed_curves_are_those_of_their_standards() -> None:
    """ITU-R BT.2100-2: HLG's scene light is 1/12 at half the signal and 1 at its end, where both pieces meet."""
    hlg = fixed_response("hlg", 1025).curve[:, 0]
    assert hlg[[0, 256, 512, 1024]] == pytest.approx([0, 1 / 48, 1 / 12, 1], abs=1e-6)
    e = math.exp((0.75 - 0.55991073) / 0.17883277)
    assert hlg[768] == pytest.approx((e + 0.28466892) / 12)
    assert fixed_response("gamma2.4", 5).curve[:, 0] == pytest.approx(np.linspace(0, 1, 5) ** 2.4)
    assert fixed_response("pq", 3).curve[1, 0] * 10000 == pytest.approx(92.2457, rel=1e-5)


def test_responses_are_read_from_tables_arrays_and_polynomials(tmp_path) -> None:
    columns = np.stack([np.linspace(0, 1, 256) ** g for g in (2.0, 2.2, 2.4)], 1)
    text = "\n".join(", ".join(f"{v:.9f}" for v in row) for row in columns)
    (tmp_path / "a.csv").write_text("red, green, blue\n" + text)
    np.savetxt(tmp_path / "a.txt", columns[:, :1])
    np.save(tmp_path / "a.npy", columns.T)
    np.savez(tmp_path / "a.npz", curve=columns)
    (tmp_path / "a.rsp").write_text("2 0.5 0.5 0.0\n1 1 0\n3 1 0 0 -0.001\n")
    for name, wanted in (
        ("a.csv", columns),
        ("a.txt", columns[:, :1]),
        ("a.npy", columns),
        ("a.npz", columns),
    ):
        assert np.allclose(read_response(tmp_path / name).curve, wanted, atol=1e-8)
    x = np.linspace(0, 1, 256)
    rsp = read_response(tmp_path / "a.rsp").curve
    assert np.allclose(rsp, np.stack([(x * x + x) / 2, x, np.maximum(x**3 - 0.001, 0)], 1))


def test_a_plateau_gives_clipped_codes_no_weight() -> None:
    assert weight_table("plateau", np.array([0, 1e-5, 0.1, 0.5, 1])) == pytest.approx(
        [0, 0, 1 - 0.8**12, 1, 0]
    )


@pytest.mark.parametrize("primaries", [BT709, BT2020], ids=lambda p: p.name)
def test_the_median_luminance_is_that_of_the_files_primaries(primaries) -> None:
    radiance = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) + 0.1
    y = torch.tensor(LUMINANCE if primaries == BT709 else (0.2627, 0.6780, 0.0593))
    factor, told = scale_of(
        "median", radiance, [SimpleNamespace(absolute=None)], None, primaries  # type: ignore[list-item, arg-type]
    )  # fmt: skip
    median = float((radiance * y[:, None, None]).sum(0).flatten().median())
    assert factor == pytest.approx(1 / median, rel=1e-4)
    assert told.startswith("median")


def test_patches_that_overlap_a_hole_are_those_within_three_pixels() -> None:
    hole = torch.zeros(12, 14, dtype=torch.bool)
    hole[5, 6] = True
    y, x = torch.nonzero(_near(hole)).T
    assert (int(y.min()), int(y.max()), int(x.min()), int(x.max()), len(y)) == (2, 8, 3, 9, 49)


def test_grey_weighs_colours_in_parts_of_256() -> None:
    """Ward 2003: (54 R + 183 G + 19 B) / 256, cut to whole codes."""
    codes = np.eye(3, dtype=np.uint8)[:, :, None] * 255  # one pixel of each primary
    assert grey(codes)[:, 0].tolist() == [53, 182, 18]
    assert grey(np.full((3, 1, 1), 255, np.uint8)).item() == 255
