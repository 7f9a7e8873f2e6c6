"""Groups of connected pixels: their division, the nearest larger group, and means over them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from hdrq.image import segments
from hdrq.image.segments import groups_of, nearest


def divided(category: np.ndarray, smallest: float) -> np.ndarray:
    groups = groups_of(category, smallest)
    return groups.spread(np.arange(groups.group.max() + 1))


def test_groups_are_connected_pixels_of_a_category_and_small_ones_join() -> None:
    category = np.zeros((6, 8), int)
    category[:, 4:] = 1
    category[2, 1] = 2
    assert len(np.unique(divided(category, 0.0))) == 3
    joined = divided(category, 0.05)
    assert len(np.unique(joined)) == 2
    assert joined[2, 1] == joined[0, 0] != joined[0, 4]
    two = np.zeros((4, 9), int)
    two[:, 4] = 3
    assert len(np.unique(divided(two, 0.0))) == 3
    # rows meet where the upper run begins, and where the lower one does
    assert divided(np.array([[1, 0], [0, 0]]), 0.0)[0, 1] == divided(np.array([[1, 0], [0, 0]]), 0.0)[1, 0]
    assert divided(np.array([[0, 0], [1, 0]]), 0.0)[1, 1] == divided(np.array([[0, 0], [1, 0]]), 0.0)[0, 0]
    # a corner does not connect, and the end of a row is not beside the start of the next
    assert len(np.unique(divided(np.array([[0, 1], [1, 0]]), 0.0))) == 4
    assert len(np.unique(divided(np.array([[0, 1, 2], [2, 1, 0]]), 0.0))) == 5


def test_a_group_of_exactly_the_smallest_share_stays_and_without_a_large_one_all_do() -> None:
    category = np.repeat([0, 1, 2], [2, 3, 5])[None]
    assert len(np.unique(divided(category, 0.2))) == 3
    assert divided(category, 0.21)[0, :3].tolist() == [1, 1, 1]
    assert len(np.unique(divided(category, 0.6))) == 3


@pytest.mark.parametrize("far", [0, 1e9])
@pytest.mark.parametrize("piece", [7, 10**6])
def test_the_nearest_pixel_is_that_of_the_distance_transform(
    far: float, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of equally near ones too, in images with and without whole rows and columns excluded."""
    monkeypatch.setattr(segments, "_FAR", far)
    monkeypatch.setattr(segments, "_PIECE", piece)
    chance = np.random.default_rng(1)
    tried = 0
    for n in range(120):
        h, w = chance.integers(1, 32, 2)
        excluded = chance.random((h, w)) < (0.1, 0.5, 0.9, 0.98)[n % 4]
        if n % 3 == 0:
            excluded[:, : w // 2] = True
        if n % 5 == 0:
            excluded[h // 2 :] = True
        if excluded.all() or not excluded.any():
            continue
        at = np.flatnonzero(excluded)
        y, x = distance_transform_edt(excluded, return_distances=False, return_indices=True)
        assert (nearest(excluded, at) == (y * w + x).ravel()[at]).all()
        tried += 1
    assert tried > 80


def test_means_are_those_of_every_group() -> None:
    chance = np.random.default_rng(2)
    category, image = chance.integers(0, 3, (20, 33)), chance.random((20, 33))
    for smallest in (0.0, 0.01):
        groups = groups_of(category, smallest)
        number = groups.spread(np.arange(groups.group.max() + 1))
        assert len(np.unique(number)) > 5
        wanted = np.zeros_like(image)
        for n in np.unique(number):
            wanted[number == n] = image[number == n].mean()
        assert np.abs(groups.means(image) - wanted).max() < 1e-14
