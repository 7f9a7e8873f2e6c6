"""Small parts of image/ and of what shows maps, by hand-made numbers."""

from __future__ import annotations

import pytest
import torch

from hdrq.image.color import join_luma, split_luma, to_bt2020
from hdrq.image.filters import filter2, separable
from hdrq.scoring.error_maps import equalised


def test_a_batch_of_one_channel_becomes_three_channels_each() -> None:
    grey = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    assert to_bt2020(grey).flatten(1).tolist() == [[1, 1, 1], [2, 2, 2]]


def test_luma_and_chroma_of_bt2020_are_those_of_its_recommendation() -> None:
    """ITU-R BT.2020, table 4: pure blue has C'B = 0.5, pure red C'R = 0.5, and white none; and back again."""
    code = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0.2, 0.5, 0.9]]).T[None, :, :, None]
    y, cb, cr = split_luma(code.double())
    assert y.flatten().tolist()[:4] == pytest.approx([0.2627, 0.6780, 0.0593, 1.0])
    assert cb.flatten().tolist()[:4] == pytest.approx([-0.13963, -0.36037, 0.5, 0], abs=1e-5)
    assert cr.flatten().tolist()[:4] == pytest.approx([0.5, -0.45979, -0.04021, 0], abs=1e-5)
    assert torch.allclose(join_luma(y, cb, cr), code.double(), atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(3, 3), (2, 4), (4, 2), (1, 5), (5, 1), (2, 2)])
def test_a_filter_of_any_size_stands_where_matlabs_filter2_puts_it(height, width) -> None:
    """The sample before the middle for even sizes; the same as two one-dimensional filters."""
    x = torch.arange(48, dtype=torch.float64).view(1, 1, 6, 8) ** 1.5
    v, u = torch.arange(1, height + 1).double(), torch.arange(1, width + 1).double() ** 2
    found = filter2(x, v[:, None] * u)
    assert torch.allclose(found, separable(x, v, u, "zero"))
    by_hand = torch.zeros_like(x)
    for i in range(6):
        for j in range(8):
            for a in range(height):
                for b in range(width):
                    y, z = i + a - (height - 1) // 2, j + b - (width - 1) // 2
                    if 0 <= y < 6 and 0 <= z < 8:
                        by_hand[0, 0, i, j] += x[0, 0, y, z] * v[a] * u[b]
    assert torch.allclose(found, by_hand)


def test_the_scene_under_a_map_is_spread_over_its_range_by_how_common_levels_are() -> None:
    even = equalised(torch.linspace(-3, 5, 4096).view(1, 1, 64, 64), 0.8).flatten()
    assert torch.allclose(even, torch.linspace(0.1, 0.9, 4096), atol=0.01)
    two = torch.cat([torch.linspace(0, 1, 56000), torch.linspace(1, 10, 9536)]).view(1, 1, 256, 256)
    code = equalised(two, 1.0).flatten()
    dense = (56000 / 0.1) ** (1 / 3) * 0.1
    sparse = (9536 / 0.9) ** (1 / 3) * 0.9
    assert float(code[55999]) == pytest.approx(dense / (dense + sparse), abs=0.02)


def test_devices_without_shifted_sums_give_a_filter_the_same_size() -> None:
    """The way of a GPU, on a device that only knows sizes."""
    x = torch.empty(2, 3, 9, 11, device="meta")
    assert filter2(x, torch.ones(4, 3), "valid").shape == (2, 3, 6, 9)
    assert filter2(x, torch.ones(4, 3)).shape == x.shape


def test_grey_light_of_a_batch_has_three_equal_channels_in_bt2020():
    light = torch.rand(2, 1, 3, 4)
    assert torch.equal(to_bt2020(light), torch.cat([light] * 3, 1))
