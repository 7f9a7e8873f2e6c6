"""Source images as the code or light that rows are cropped from."""

from __future__ import annotations

import pytest
import torch

import hdrq
from hdrq.distillation.rendering import reference
from hdrq.distillation.rows import Row
from hdrq.distillation.sources import Sources, opened
from hdrq.encoding.reading import Reading
from hdrq.image.color import convert
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear
from hdrq.records import P3, Image


@pytest.fixture
def path(tmp_path):
    """A file of 16-bit code that does not say what it is."""
    target = tmp_path / "a.png"
    code = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    hdrq.write(target, Image(code, "srgb", bits=16), depth="uint16")
    return target


def test_gamma_code_is_shown_by_its_own_curve(path) -> None:
    code = opened(path).pixels
    shown = opened(path, Reading(domain="gamma"))
    assert not shown.light
    assert torch.allclose(srgb_to_linear(shown.pixels), code**2.2, atol=1e-5)


def test_wide_code_is_converted_as_light(path) -> None:
    code = opened(path).pixels
    for domain, light in (("srgb", srgb_to_linear(code)), ("gamma", code**2.2)):
        found = opened(path, Reading(domain=domain, file_primaries="p3")).pixels
        wanted = linear_to_srgb(convert(light, P3).clamp(0, 1))
        assert torch.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("shrink", [1, 2])
def test_light_is_scaled_so_that_its_brightest_is_the_rows_peak(tmp_path, shrink: int) -> None:
    light = 0.5 + 3 * torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    hdrq.write(tmp_path / "a.exr", Image(light, "linear"))
    side = 16 // shrink
    row = Row(0, str(tmp_path / "a.exr"), "a", 2, 4, side, shrink, "bright", 400.0, "blur", 1.0, 0)
    shown, code, _ = reference(row, Sources())
    held = opened(tmp_path / "a.exr")
    cut = held.pixels[..., 2:18, 4:20].reshape(1, 3, side, shrink, side, shrink).mean((-3, -1))
    assert code is None
    assert 2.5 < held.brightest < 3.5
    assert torch.allclose(shown, cut * 400 / held.brightest, rtol=1e-4)
