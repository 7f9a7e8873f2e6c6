"""Deghosting quality: simulated brackets with motion, and its parts derived again in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.errors import PixelError
from hdrq.image.color import luminance
from hdrq.image.render import room
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.metrics.deghosting import HIGH, LOW, beyond, exposed

deghosting = find("metric", "deghosting")
TIMES = (0.002, 0.008, 0.032)
PLACE = slice(30, 54)  # rows of the object that moves


def scene(left: int) -> Tensor:
    """A rendered room with a striped object that begins at a column, (1, 1, 96, 144) cd/m²."""
    light = luminance(room(144, 96, seed=5).double())
    stripes = 60 * (1 + 0.3 * torch.sin(torch.arange(24.0).double() * 0.8))
    light[..., PLACE, left : left + 24] = stripes
    return light


def shot(light: Tensor, time: float, gamma: float = 2.2) -> Tensor:
    return ((light * time).clamp(0, 1) ** (1 / gamma) * 255).round() / 255


def stack(scenes: list[Tensor], gamma: float = 2.2) -> Tensor:
    return torch.cat([shot(light, time, gamma) for light, time in zip(scenes, TIMES)])


def merged(scenes: list[Tensor], gamma: float = 2.2) -> Tensor:
    """The weighted mean of the exposures' light."""
    total, weights = torch.zeros(()), torch.zeros(())
    for code, time in zip(stack(scenes, gamma), TIMES):
        weight = (1 - (2 * code - 1) ** 12) * (code < 0.99) + 1e-9
        total, weights = total + weight * code**gamma / time, weights + weight
    return (total / weights)[None]


STILL = [scene(20)] * 3
MOVING = [scene(20 + 40 * k) for k in range(3)]


def test_a_merged_still_scene_has_no_artefact_whatever_the_camera() -> None:
    for gamma in (2.2, 1.0, 1.6):
        found = deghosting(stack(STILL, gamma), merged(STILL, gamma))
        assert found.value.item() < 0.01
        assert found.extra["clipping"] < 1e-3
    scaled = deghosting(stack(STILL), 3 * merged(STILL))
    assert scaled.value.item() < 0.01


def test_a_ghost_is_found_where_it_is_and_a_deghosted_image_is_better() -> None:
    ghost = deghosting(stack(MOVING), merged(MOVING))
    clean = deghosting(stack(MOVING), merged([MOVING[1]] * 3))
    assert ghost.value.item() > 5 * clean.value.item()
    ghosts = ghost.map[0, :, PLACE, 20:44].mean((1, 2)), ghost.map[0, :, -20:, :20].mean((1, 2))
    assert ghosts[0][2] > 0.5 > 0.1 > ghosts[1][2]
    assert ghost.extra["blending"] > 10 * clean.extra["blending"]


def test_blur_is_inconsistent_in_its_gradients_and_clipped_light_is_counted_apart() -> None:
    image = merged(STILL)
    blurred = deghosting(stack(STILL), torch.nn.functional.avg_pool2d(image, 9, 1, 4))
    assert blurred.extra["gradient"] > 0.3
    assert blurred.extra["blending"] < 0.02
    turned = deghosting(stack(STILL), image.square() / image.mean())
    assert turned.extra["gradient"] < 0.1  # another response is no inconsistency
    clipped = deghosting(stack(STILL), image.clamp(max=40.0))
    resolved = ((stack(STILL) >= LOW) & (stack(STILL) <= HIGH)).any(0, keepdim=True)
    wanted = (resolved & ((image >= 40) | (image <= image.min() * (1 + 1e-6)))).double().mean()
    assert clipped.extra["clipping"].item() == pytest.approx(wanted.item(), abs=1e-12)
    assert deghosting(stack(STILL), image.clamp(max=40.0), output="clipping").map.sum() == wanted * 96 * 144


def test_the_response_is_the_monotone_median_of_the_merged_light() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(20, 230, (40, 50))
    logs = 0.02 * codes + 0.3 * random.standard_normal(codes.shape)
    logs[:3] = 9.0  # objects that moved
    found = exposed(torch.from_numpy(codes / 255)[None, None], torch.from_numpy(logs)[None, None])
    used = np.unique(codes)
    medians = np.array([np.median(logs[codes == c]) for c in used])
    blocks = [[m, (codes == c).sum(), 1] for m, c in zip(medians, used)]
    k = 0
    while k < len(blocks) - 1:  # pool adjacent violators
        if blocks[k][0] <= blocks[k + 1][0]:
            k += 1
            continue
        (a, n, i), (b, m, j) = blocks[k], blocks.pop(k + 1)
        blocks[k] = [(a * n + b * m) / (n + m), n + m, i + j]
        k = max(k - 1, 0)
    fit = np.concatenate([np.full(count, value) for value, _, count in blocks])
    curve = np.interp(np.arange(256), used, fit)
    assert found is not None
    np.testing.assert_allclose(found.light[0, 0].numpy(), curve[codes], atol=1e-10)
    steps = np.diff(curve)
    half = np.maximum(np.r_[steps[0], steps], np.r_[steps, steps[-1]]) / 2
    np.testing.assert_allclose(found.unsure[0, 0].numpy(), half[codes], atol=1e-10)
    assert beyond(torch.tensor([-3.0, 0.5, 2.0]), torch.tensor(1.0)).tolist() == [-2, 0, 1]


def test_blending_and_gradients_are_those_of_their_definitions() -> None:
    """Numpy on a small scene of smooth light: two exposures that disagree, and a merged image between them."""
    import hdrq.scoring.metrics.deghosting as part
    from hdrq.scoring.metrics.deghosting import Exposed

    random = np.random.default_rng(1)
    light = random.random((3, 24, 26))
    sure, all_of_it = torch.zeros(1, 1, 24, 26).double(), torch.ones(1, 1, 24, 26, dtype=torch.bool)
    logs = torch.from_numpy(light[0])[None, None]
    others = [Exposed(torch.from_numpy(x)[None, None], sure, all_of_it) for x in light[1:]]
    low, high = light[1:].min(0), light[1:].max(0)
    near = np.abs(light[0] - light[1:]).min(0)
    inside = (light[0] > low) & (light[0] < high)
    wanted = np.where(inside, np.minimum(2 * near / (high - low), 1), 0)
    np.testing.assert_allclose(part._between(logs, others)[0, 0].numpy(), wanted, atol=1e-12)

    found = part._gradients(logs, others[0])[0, 0].numpy()
    taps = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    weights = np.outer(taps, taps) / taps.sum() ** 2

    def slopes(x: np.ndarray) -> np.ndarray:
        return np.stack((np.diff(x, axis=1, append=x[:, -1:]), np.diff(x, axis=0, append=x[-1:])))

    a, b = slopes(light[0]), slopes(light[1])
    for y, x in ((12, 13), (5, 20)):
        here = np.s_[:, y - 5 : y + 6, x - 5 : x + 6]
        similar = 2 * (weights * a[here] * b[here]).sum() / (weights * (a[here] ** 2 + b[here] ** 2)).sum()
        assert found[y, x] == pytest.approx(min(1 - similar, 1), abs=1e-9)
    hidden = all_of_it.clone()
    hidden[..., 12, 13] = False
    assert part._gradients(logs, others[0]._replace(resolved=hidden))[0, 0, 12, 10] == 2


def test_what_no_exposure_resolves_is_not_judged_and_a_black_stack_is_refused() -> None:
    codes = stack(STILL)
    wrong = merged(STILL)
    codes[..., :40], wrong[..., :20] = 1.0, 500.0
    found = deghosting(codes, wrong)
    assert found.map[0, 2, :, :20].max() == 0
    assert found.map[0, 1, :, :20].max() == 0
    with pytest.raises(PixelError, match="no exposure"):
        deghosting(0 * codes, wrong)


def test_the_outputs_and_a_folder_of_exposures_with_a_merged_file(tmp_path: Path) -> None:
    (tmp_path / "exposures").mkdir()
    for k, code in enumerate(stack(MOVING)):
        hdrq.write(tmp_path / "exposures" / f"{k}.png", Image(code[None].expand(1, 3, -1, -1), "srgb"))
    light = merged(MOVING).expand(-1, 3, -1, -1).float()
    hdrq.write(tmp_path / "merged.exr", Image(light, "nits"))
    pair = (tmp_path / "exposures", tmp_path / "merged.exr")
    names = [
        "deghosting",
        *(f"deghosting,output={k}" for k in ("blending", "gradient", "visual", "clipping")),
    ]
    rows = list(hdrq.score([pair], names))
    assert [r.status for r in rows] == ["ok"] * 5, [r.error for r in rows]
    assert {r.better for r in rows} == {"lower"}
    wanted = deghosting(stack(MOVING), merged(MOVING))
    assert rows[0].value == pytest.approx(wanted.value.item(), abs=5e-3)
    for row, kind in zip(rows[1:], ("blending", "gradient", "visual", "clipping")):
        assert row.value == pytest.approx(wanted.extra[kind].item(), abs=5e-3)
