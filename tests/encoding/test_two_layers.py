"""A panel before a backlight of LEDs: derived again in numpy, and what such a display does to highlights and blacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import hdrq
from hdrq.encoding.display_model import show, two_layers
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import emit
from hdrq.errors import UsageError
from hdrq.records import Image

SMALL = replace(display("two-layer-1000"), led_pitch=8.0, led_spread=5.0, ambient_lux=0.0)


def test_the_light_is_backlight_times_panel_derived_in_numpy() -> None:
    random = np.random.default_rng(0)
    light = 1000 * random.random((1, 3, 20, 29)) ** 6
    wide = np.pad(light.max(1)[0], ((0, 4), (0, 3)), mode="edge")
    drive = wide.reshape(3, 8, 4, 8).max((1, 3)) / 1000
    lit = np.kron(drive, np.ones((8, 8)))
    taps = np.exp(-0.5 * (np.arange(-15, 16) / 5.0) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        padded = np.pad(lit, [(15, 15) if a == axis else (0, 0) for a in (0, 1)], mode="symmetric")
        lit = np.apply_along_axis(np.convolve, axis, padded, taps, "valid")
    backlight = 1000 * lit[:20, :29]
    wanted = backlight * np.clip(light / backlight, 1e-3, 1)
    found = two_layers(torch.from_numpy(light), SMALL)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9)


def test_an_even_image_is_shown_as_it_is_and_a_small_highlight_is_dim_with_a_halo() -> None:
    even = torch.full((1, 3, 48, 48), 300.0)
    torch.testing.assert_close(show(even, SMALL), even)
    night = torch.full((1, 1, 96, 96), 1e-4)
    night[..., 48:50, 48:50] = 1000.0
    shown = show(night, SMALL)
    assert 50 < shown.amax() < 900
    assert shown[..., 48, 40] > 100 * shown[..., 0, 0]
    assert shown[..., 48, 40] < 1.0  # a thousandth of the backlight there
    best = show(night, replace(SMALL, led_pitch=0.0))
    torch.testing.assert_close(best, night)


def test_reflected_light_is_added_and_the_row_says_how_the_light_was_made() -> None:
    lit = replace(SMALL, ambient_lux=100.0)
    light = torch.full((1, 3, 24, 24), 50.0)
    torch.testing.assert_close(show(light, lit), light + lit.reflected_nits)
    for image in (Image(light, "nits"), Image(light / 100, "pq")):
        assert any("an LED every 8 pixels" in n for n in emit(image, lit).notes)
    (row,) = hdrq.score((Image(light, "nits"), Image(light, "nits")), "pu21:psnr", display="two-layer-1000")
    assert "an LED every 64 pixels" in row.how


@pytest.mark.parametrize("wrong", [{"led_pitch": 0.5}, {"led_spread": 0.0}, {"panel_contrast": 1.0}])
def test_a_backlight_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"led_pitch|backlight"):
        display("two-layer-1000", **wrong)


def test_a_backlight_goes_with_light_and_pq_code_only(tmp_path: Path) -> None:
    (tmp_path / "sdr.toml").write_text(
        'peak_nits = 300\nblack_nits = 0.1\neotf = "srgb"\nled_pitch = 40\nled_spread = 30\n'
    )
    with pytest.raises(UsageError, match="EOTF pq or light"):
        display(tmp_path / "sdr.toml")
