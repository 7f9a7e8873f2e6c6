"""Where patches are cut, and cutting them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.scoring.metrics.vtamiq import focus
from hdrq.scoring.sampling import Plan, cut, joined, levels, plan, shares, strided
from hdrq.scoring.sampling.gather import average, halve, spread

CONFIGS = {  # patches, their side, pyramid levels
    "vtamiq_train_paper": (512, 16, 5),
    "vtamiq_test_paper": (2048, 16, 5),
    "vtamiq_train_code": (384, 16, 1),
    "vtamiq_test_code": (512, 16, 1),
    "pieapp_train_paper": (128, 64, 1),
    "pieapp_test": (1024, 64, 1),
    "pieapp_train_code": (96, 64, 1),
}


def config(key: str) -> tuple[tuple[int, int], int, int, int]:
    name, size = key.rsplit("_", 1)
    h, w = (int(n) for n in size.split("x"))
    return (h, w), *CONFIGS[name]


def finest(where: Plan) -> Plan:
    return where.part(0, where.counts[0])


def unseen(where: Plan) -> float:
    """Share of the picture that no patch covers."""
    seen = np.zeros(where.size, dtype=bool)
    corners = where.pixels()[0] << torch.from_numpy(where.scales)[:, None]
    for (y, x), side in zip(corners.tolist(), (where.patch << where.scales).tolist()):
        seen[y : y + side, x : x + side] = True
    return 1 - float(seen.mean())


def pictures(b: int = 2, h: int = 150, w: int = 203, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(b, 3, h, w, generator=torch.Generator().manual_seed(7), dtype=dtype)


@pytest.mark.shared
def test_the_authors_positions_are_repeated_bit_for_bit(shared: Path) -> None:
    stored = np.load(shared / "parity" / "patch_sampler.npz")
    told = json.loads((shared / "parity" / "patch_sampler_stats.json").read_text())
    keys = [k for k in stored.files if k.endswith("_seed0_finest")]
    assert len(keys) == 42
    for key in keys:
        name = key.removesuffix("_seed0_finest")
        size, count, patch, scales = config(name)
        where = plan(size, count, patch=patch, scales=scales, sampler="authors")
        assert list(where.counts) == told[name]["patches_per_scale_fine_to_coarse"]
        assert np.array_equal(finest(where).corners[0].T, stored[key])


@pytest.mark.shared
@pytest.mark.parametrize("aligned", [True, False])
def test_the_authors_patches_are_repeated(shared: Path, aligned: bool) -> None:
    stored = np.load(shared / "parity" / "patch_sampler.npz")
    name = "e2e_aligned" if aligned else "e2e_unaligned"
    pair = np.stack([stored["e2e_img_ref"], stored["e2e_img_dist"]])
    where = plan((96, 144), 60, scales=5, seed=123, sampler="authors", sets=1 if aligned else 2)
    assert np.array_equal(np.broadcast_to(where.places, (2, 60, 2)), stored[f"{name}_pos"])
    assert np.array_equal(np.broadcast_to(where.scales, (2, 60)), stored[f"{name}_scales"])
    patches = cut(torch.from_numpy(pair).permute(0, 3, 1, 2), where)
    assert (patches - torch.from_numpy(stored[f"{name}_patches"])).abs().max() < 1e-6


@pytest.mark.shared
def test_the_mended_sampler_sees_at_least_as_much_and_as_evenly(shared: Path) -> None:
    """Over eight seeds, as the authors' statistics were made."""
    told = json.loads((shared / "parity" / "patch_sampler_stats.json").read_text())
    spreads: dict[str, list[float]] = {"mended": [], "authors": []}
    for key, theirs in told.items():
        size, count, patch, scales = config(key)
        if min(size) == patch:
            continue  # there is one place only
        plans = [plan(size, count, patch=patch, scales=scales, seed=seed) for seed in range(8)]
        rounding = 1e-5  # of the statistics, which have five digits
        fine, everything = (theirs[k][0] for k in theirs if k.startswith("coverage"))
        assert np.mean([unseen(finest(p)) for p in plans]) <= fine + rounding
        if len(plans[0].counts) > 1:
            assert np.mean([unseen(p) for p in plans]) <= everything + rounding
        centre = np.mean([p.places[0].mean(0) for p in plans], 0)
        assert np.abs(centre - 0.5).max() < 0.002
        spreads["mended"] += [unevenness(p) for p in plans]
        old = [
            plan(size, count, patch=patch, scales=scales, seed=seed, sampler="authors") for seed in range(8)
        ]
        spreads["authors"] += [unevenness(p) for p in old]
    assert np.mean(spreads["mended"]) < np.mean(spreads["authors"])


def unevenness(where: Plan) -> float:
    """Kolmogorov distance of the finest corners from an even spread, rows and columns together."""
    room = np.array(where.size) - where.patch + 1
    x = np.sort((np.floor(finest(where).corners[0]) + 0.5) / room, axis=0)
    steps = np.arange(len(x) + 1)[:, None] / len(x)
    return float(np.maximum(steps[1:] - x, x - steps[:-1]).max(0).sum())


def test_a_seed_is_a_plan_and_leaves_numpys_own_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (plan((300, 400), 200, scales=4, seed=5) for _ in range(2))
    assert np.array_equal(first.corners, again.corners)
    assert not np.array_equal(first.corners, plan((300, 400), 200, scales=4, seed=6).corners)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("sampler", ["mended", "authors"])
def test_patches_stay_inside_their_level(sampler: str) -> None:
    for size in ((64, 64), (65, 131), (16, 16), (17, 900), (540, 961)):
        for count in (1, 2, 7, 300):
            where = plan(size, count, scales=5, seed=count, sampler=sampler)
            assert len(where) == count
            room = (np.array(size) >> where.scales[:, None]) - 16
            corners = where.pixels().numpy()[0]
            assert (corners >= 0).all()
            assert (corners <= room).all()
            assert ((where.places >= 0) & (where.places < 1)).all()


def test_levels_and_shares_are_those_of_the_papers() -> None:
    assert [levels((n, 2 * n), 16, 9) for n in (1080, 512, 384, 240, 96)] == [6, 4, 4, 3, 2]
    assert levels((1080, 1920), 16, 5) == 5
    assert shares(512, 5) == (359, 108, 32, 10, 3)
    assert shares(2048, 4) == (1448, 432, 129, 39)


def test_mended_positions_are_where_the_patch_is() -> None:
    where = plan((200, 300), 90, scales=3)
    side = where.patch << where.scales
    centre = (where.pixels().numpy()[0] << where.scales[:, None]) + side[:, None] / 2
    whole = (np.array([[200, 300]]) >> where.scales[:, None]) << where.scales[:, None]
    assert np.allclose(where.places[0], centre / whole, atol=1e-6)


def test_a_weight_map_draws_patches_to_it() -> None:
    weight = np.zeros((10, 20))
    weight[:, 15:] = 1
    where = plan((320, 640), 400, weight=weight)
    assert (where.places[0, :, 1] > 0.7).all()
    ramp = plan((320, 640), 4000, weight=np.tile(np.arange(64.0), (4, 1)))
    assert abs(ramp.places[0, :, 1].mean() - 2 / 3) < 0.01  # the mean of a density that rises linearly
    with pytest.raises(UsageError, match="not all zero"):
        plan((64, 64), 4, weight=np.zeros((2, 2)))
    with pytest.raises(UsageError, match="has no weight map"):
        plan((64, 64), 4, weight=weight, sampler="authors")


def test_focus_looks_where_its_name_says() -> None:
    ref = pictures(1, 128, 192)
    dist = ref.clone()
    dist[..., 80:, 120:] += 0.5
    where = focus(ref, dist, "difference")
    assert where[90:, 130:].mean() > 4 * where[:70, :100].mean()
    middle = focus(ref, dist, "centre")
    assert middle[64, 96] > 3 * middle[0, 0]
    flat = 0.4 + 0.05 * pictures(1, 128, 128)
    flat[..., 60:68, 30:38] = 0.9
    odd = focus(flat, flat, "saliency")
    assert odd[56:72, 26:42].mean() > 3 * odd.mean()
    assert focus(ref, dist, "even") is None
    assert np.isfinite(focus(flat, flat, "context")).all()  # no difference at all is an even difference


def test_the_grid_of_pieapp_leaves_borders_out() -> None:
    assert len(strided((150, 200), 64, 6)) == 345
    assert len(strided((150, 200), 64, 27)) == 24
    assert strided((65, 64), 64, 27).corners.tolist() == [[[0.0, 0.0]]]
    with pytest.raises(PixelError, match="40x64 is smaller than a patch"):
        strided((64, 40), 64, 27)


def test_patches_are_means_of_the_pixels_they_stand_for() -> None:
    images = pictures()
    where = plan((150, 203), 60, scales=4, sets=2)
    patches = cut(images, where)
    corners, level = where.pixels(), images
    for scale in range(len(where.counts)):
        for k in np.flatnonzero(where.scales == scale):
            for b in range(2):
                y, x = corners[b, k].tolist()
                assert torch.allclose(patches[b, k], level[b, :, y : y + 16, x : x + 16], atol=1e-6)
        level = F.avg_pool2d(level, 2)


def test_pieces_of_a_plan_are_the_plan() -> None:
    images = pictures()
    where = plan((150, 203), 61, scales=4)
    whole = cut(images, where)
    assert torch.equal(torch.cat([cut(images, part) for part in where.parts(7)], 1), whole)
    assert [len(part) for part in where.parts(25)] == [25, 25, 11]
    both = joined([plan((150, 203), 61, scales=4, seed=s) for s in (1, 2)])
    assert torch.equal(cut(images, both)[1], cut(images[1:], both.of(1))[0])


def test_layout_and_channels_do_not_matter() -> None:
    images = pictures()
    where = plan((150, 203), 20, scales=3)
    whole = cut(images, where)
    assert torch.equal(cut(images.to(memory_format=torch.channels_last), where), whole)
    assert torch.equal(cut(images[:, 1:2], where), whole[:, :, 1:2])
    wide = torch.cat([images, images], -1)[..., :203]
    assert torch.equal(cut(wide, where), whole)


def test_coarse_patches_average_light_where_asked() -> None:
    code = pictures()
    where = plan((150, 203), 40, scales=3)
    light = cut(code, where, (lambda v: v**3, lambda v: v ** (1 / 3)))
    assert torch.allclose(light, cut(code**3, where) ** (1 / 3), atol=1e-5)
    n = where.counts[0]
    assert torch.equal(light[:, :n], cut(code, where)[:, :n])
    assert (light[:, n:] - cut(code, where)[:, n:]).abs().max() > 0.01


def test_corners_outside_are_refused() -> None:
    images = pictures(1, 40, 40)
    bad = torch.tensor([[[25, 0]]])
    with pytest.raises(UsageError, match="outside the image"):
        torch.ops.hdrq.gather(images, bad, [1], 16)
    with pytest.raises(UsageError, match="outside the image"):
        torch.ops.hdrq.gather(images, torch.tensor([[[5, 0]]]), [0, 1], 16)
    with pytest.raises(UsageError, match="the plan is for 50x40 pixels, the images have 40x40"):
        cut(images, plan((40, 50), 3))


def test_gather_has_its_gradient_and_scatter_is_its_transpose() -> None:
    images = pictures(2, 14, 16, torch.float64)[:, :1].requires_grad_()
    where = plan((14, 16), 5, patch=2, scales=2, sets=2)
    corners, counts = where.pixels(), list(where.counts)
    assert len(counts) == 2
    assert torch.autograd.gradcheck(lambda x: torch.ops.hdrq.gather(x, corners, counts, 2), images)
    assert torch.autograd.gradgradcheck(lambda x: torch.ops.hdrq.gather(x, corners, counts, 2).sin(), images)
    patches = torch.rand(2, 5, 1, 2, 2, dtype=torch.float64)
    left = (torch.ops.hdrq.gather(images, corners, counts, 2) * patches).sum()
    right = (images * torch.ops.hdrq.scatter(patches, corners, counts, 14, 16)).sum()
    assert torch.allclose(left, right)
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(
        torch.ops.hdrq.gather.default, (images.detach(), corners, counts, 2), test_utils=tests
    )


@pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
def test_the_triton_kernel_cuts_the_same_bits() -> None:
    code = """
import torch
from hdrq.scoring.sampling import cut, plan
from hdrq.scoring.sampling.gather_triton import gather
for dtype in (torch.float32, torch.float64):
    images = torch.rand(2, 3, 150, 203, dtype=dtype)
    for sets in (1, 2):
        where = plan((150, 203), 30, scales=4, sets=sets)
        assert len(where.counts) == 3 and min(where.counts) > 0
        assert torch.equal(cut(images, where), gather(images, where.pixels(), where.counts, 16))
print("same")
"""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.stdout.strip() == "same", run.stderr[-2000:]


def test_halving_is_the_mean_of_four() -> None:
    x = pictures(1, 8, 12)
    assert torch.allclose(halve(x), F.avg_pool2d(x, 2), atol=1e-7)


def test_numbers_of_patches_are_laid_over_their_pixels() -> None:
    where = plan((70, 90), 25, scales=2)
    values = torch.rand(1, 25, generator=torch.Generator().manual_seed(1))
    slow, seen = torch.zeros(70, 90), torch.zeros(70, 90)
    for (y, x), scale, v in zip(where.pixels()[0].tolist(), where.scales, values[0]):
        side, y, x = 16 << scale, y << scale, x << scale
        slow[y : y + side, x : x + side] += v
        seen[y : y + side, x : x + side] += 1
    assert torch.allclose(spread(values, where)[0, 0].float(), slow, atol=1e-5)
    mean = average(values, where)[0, 0]
    assert torch.equal(mean.isnan(), seen == 0)
    assert torch.allclose(mean[seen > 0], (slow / seen)[seen > 0], atol=1e-5)


def test_strided_patches_know_where_their_middle_lies() -> None:
    plan = strided((40, 60), 16, 12)
    assert plan.corners[0, :, 0].tolist() == [0, 0, 0, 0, 12, 12, 12, 12, 24, 24, 24, 24]
    assert plan.places.reshape(-1, 2)[5].tolist() == pytest.approx([(12 + 8) / 40, (12 + 8) / 60])
