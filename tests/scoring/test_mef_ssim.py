"""MEF-SSIM: the paper's equations written out patch by patch, and a folder of exposures as the reference."""

from __future__ import annotations

import csv
import io as text
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq import io
from hdrq.cli.app import command_line
from hdrq.errors import PixelError
from hdrq.records import Image
from hdrq.registry import find

mef_ssim = find("metric", "mef-ssim")


def stack(count: int = 3, h: int = 40, w: int = 44) -> torch.Tensor:
    """(K, 1, H, W) exposures of one scene, 0..255, clipped at both ends."""
    random = torch.Generator().manual_seed(3)
    light = torch.nn.functional.interpolate(
        torch.rand(1, 1, 7, 8, generator=random, dtype=torch.float64), (h, w), mode="bicubic"
    )
    light = (4 * light).exp() + 3 * torch.rand(1, 1, h, w, generator=random, dtype=torch.float64)
    return torch.cat([(light * 8 * 2.5**k).clamp(0, 255).round() for k in range(count)])


def fused() -> torch.Tensor:
    return stack().mean(0, keepdim=True).round()


def by_patches(exposures: np.ndarray, fused: np.ndarray) -> float:
    """The mean over 8x8 patches of equations 5 to 16 of the paper."""
    found = []
    for top in range(fused.shape[0] - 7):
        for left in range(fused.shape[1] - 7):
            x = exposures[:, top : top + 8, left : left + 8].reshape(len(exposures), 64)
            y = fused[top : top + 8, left : left + 8].reshape(64)
            x, y = x - x.mean(1, keepdims=True), y - y.mean()
            norms = np.linalg.norm(x, axis=1)
            contrast = norms.max()
            consistency = np.linalg.norm(x.sum(0)) / max(norms.sum(), 1e-12)
            power = min(np.tan(consistency * np.pi / 2), 10.0)
            weights = (norms / max(contrast, 1e-12)) ** power
            mean = (weights[:, None] * x / np.maximum(norms, 1e-12)[:, None]).sum(0)
            wanted = contrast * mean / max(np.linalg.norm(mean), 1e-12)
            c = (0.03 * 255) ** 2
            found.append((2 * (wanted @ y) / 64 + c) / ((wanted @ wanted + y @ y) / 64 + c))
    return float(np.mean(found))


def halved(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(x, 2)


def test_one_scale_is_the_papers_equations() -> None:
    exposures = stack()
    fused = torch.stack([exposures.mean(0), exposures[1]])
    wanted = [by_patches(exposures[:, 0].numpy(), image[0].numpy()) for image in fused]
    found = mef_ssim(exposures, fused, scales=1).value
    assert found.tolist() == pytest.approx(wanted, abs=1e-9)
    assert 0.3 < wanted[0] < 1


def test_patches_that_are_flat_in_every_exposure_give_the_same_value_in_single_precision() -> None:
    exposures = stack(6)
    random = torch.Generator().manual_seed(1)
    for k in range(6):  # flat up to the rounding of float32
        exposures[k, :, :, :24] = 254.9 - 30.3 * k + 1e-5 * torch.rand(40, 24, generator=random)
    image = exposures.mean(0, keepdim=True) + torch.rand(1, 1, 40, 44, generator=random)
    exact = mef_ssim(exposures, image).value
    single = mef_ssim(exposures.float(), image.float()).value
    assert single.item() == pytest.approx(exact.item(), abs=1e-3)
    assert single.dtype == torch.float32


def test_three_scales_are_a_weighted_product() -> None:
    exposures = stack()
    fused = exposures.mean(0, keepdim=True)
    product, x, y = 1.0, exposures, fused
    for weight in (0.0448, 0.2856, 0.3001):
        product *= by_patches(x[:, 0].numpy(), y[0, 0].numpy()) ** (weight / 0.6305)
        x, y = halved(x), halved(y)
    assert mef_ssim(exposures, fused).value.item() == pytest.approx(product, abs=1e-9)


def test_a_single_exposure_is_its_own_best_fusion() -> None:
    one = stack(1)
    assert mef_ssim(one, one).value.item() == pytest.approx(1, abs=1e-9)
    assert mef_ssim(one.float(), one.float()).value.item() == pytest.approx(1, abs=1e-4)


def test_black_frames_and_equal_frames_change_nothing() -> None:
    exposures = stack()
    fused = exposures.mean(0, keepdim=True)
    more = torch.cat([exposures, torch.zeros_like(exposures[:1])])
    assert mef_ssim(more, fused).value.item() == pytest.approx(
        mef_ssim(exposures, fused).value.item(), abs=1e-6
    )


def test_the_gradient_leads_to_a_better_fusion() -> None:
    exposures = stack()
    fused = exposures.mean(0, keepdim=True).requires_grad_()
    before = mef_ssim(exposures, fused).value
    before.sum().backward()
    step = 50 * fused.grad / fused.grad.norm()
    assert mef_ssim(exposures, (fused + step).detach()).value > before


def test_a_map_shows_the_finest_scale() -> None:
    exposures = stack()
    found = mef_ssim(exposures, exposures[:2], maps=True).map
    assert found.shape == (2, 1, 33, 37)
    assert found.mean().item() == pytest.approx(
        mef_ssim(exposures, exposures[:2], scales=1).value.mean().item()
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """exposures/1.png .. 3.png, and fused.png"""
    (tmp_path / "exposures").mkdir()
    for k, exposure in enumerate(stack()):
        io.write(
            tmp_path / "exposures" / f"{k}.png", Image(exposure[None].expand(1, 3, -1, -1) / 255, "srgb")
        )
    io.write(tmp_path / "fused.png", Image(fused().expand(1, 3, -1, -1) / 255, "srgb"))
    return tmp_path


def test_the_command_takes_a_folder_of_exposures(folder: Path) -> None:
    asked = [
        "score",
        str(folder / "exposures"),
        str(folder / "fused.png"),
        "-m",
        "mef-ssim",
        "--format",
        "csv",
    ]
    ran = CliRunner().invoke(command_line, asked)
    assert ran.exit_code == 0, ran.output
    (row,) = csv.DictReader(text.StringIO(ran.stdout))
    wanted = mef_ssim(stack(), fused()).value.item()
    assert float(row["value"]) == pytest.approx(wanted, abs=1e-4)
    assert row["ref"] == str(folder / "exposures")


def test_a_folder_against_a_file_is_refused_by_metrics_of_two_images(folder: Path) -> None:
    (row,) = hdrq.score((folder / "exposures", folder / "fused.png"), "ssim")
    assert row.status == "failed"
    assert "holds 3 images" in row.error
    with pytest.raises(PixelError, match="compares them pair by pair"):
        hdrq.metric("ssim")(
            hdrq.read(folder / "fused.png").with_pixels(stack()), hdrq.read(folder / "fused.png")
        )
