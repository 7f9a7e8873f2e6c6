"""Every distortion on the shelf: what is asked for happens, the same way each time, and more of it is worse."""

from __future__ import annotations

import pytest
import torch

from hdrq.errors import UsageError
from hdrq.image.render import room
from hdrq.registry import find, names

# Worse by PSNR from level to level does not hold where structure and not error grows: what moves or repaints
# few pixels, or leaves the luma alone.
UNEVEN = {"patch-swap", "colour-block"}
ALL = names("distortion")


@pytest.fixture(scope="module")
def light() -> torch.Tensor:
    return room(144, 96)


def code_of(name: str) -> str:
    return find("distortion", name).card.encoding or "pu21"


def spoil(name: str, light: torch.Tensor, level: float, seed: int = 0) -> torch.Tensor:
    """Light spoilt, through code where the distortion acts on code; and the code."""
    d = find("distortion", name)
    if d.card.acts == "light":
        return d(light, level, seed)
    encoding = find("encoding", code_of(name))
    top = float(encoding.encode(torch.tensor([[[[10_000.0]]]])))
    return encoding.decode(d(encoding.encode(light), level, seed, top))


def error(name: str, light: torch.Tensor, level: float) -> float:
    pu = find("encoding", "pu21")
    return float(((pu.encode(spoil(name, light, level)) - pu.encode(light)) ** 2).mean())


@pytest.mark.parametrize("name", ALL)
def test_the_card_is_filled_in(name: str) -> None:
    d = find("distortion", name)
    assert d.name == name
    assert d.card.title
    assert d.card.source
    assert d.card.amount
    steps = [b - a for a, b in zip(d.card.levels, d.card.levels[1:])]
    assert all(s > 0 for s in steps) or all(s < 0 for s in steps)


@pytest.mark.parametrize("name", ALL)
def test_a_seed_spoils_the_same_way_again_and_another_one_otherwise(name: str, light) -> None:
    first, again, other = (
        spoil(name, light, 3, 1),
        spoil(name, light, 3, 1),
        [spoil(name, light, 3, s) for s in (2, 3, 4)],
    )
    assert torch.equal(first, again)
    assert any(not torch.equal(first, o) for o in other) == find("distortion", name).card.chance


@pytest.mark.parametrize("name", ALL)
def test_light_stays_light_and_keeps_its_type(name: str, light) -> None:
    d = find("distortion", name)
    x = (light if d.card.acts == "light" else light / light.max()).double()
    for pixels in (x, x.float()):
        for level in (0.4, 5):
            out = d(pixels, level, 0)
            assert out.shape == pixels.shape
            assert out.dtype == pixels.dtype
            assert torch.isfinite(out).all()
            assert (out >= 0).all()
            assert d.card.acts == "light" or (out <= 1).all()


@pytest.mark.parametrize("name", ALL)
def test_level_0_changes_nothing_and_a_low_level_little(name: str, light) -> None:
    d = find("distortion", name)
    assert d(light, 0, 3) is light
    assert error(name, light, 0.25) <= error(name, light, 5)


@pytest.mark.parametrize("name", ALL)
def test_a_higher_level_is_worse(name: str, light) -> None:
    errors = [error(name, light, level) for level in (1, 2, 3, 4, 5)]
    assert errors[0] > 0
    if name in UNEVEN:
        assert errors[-1] > errors[0]
    else:
        assert errors == sorted(errors)


@pytest.mark.parametrize("name", ALL)
def test_grey_pictures_and_odd_sizes_go_through(name: str, light) -> None:
    d = find("distortion", name)
    grey = light[:, :1, :75, :101] / (1 if d.card.acts == "light" else float(light.max()))
    assert torch.isfinite(d(grey, 2.5, 0)).all()


def test_a_level_beyond_the_scale_is_refused() -> None:
    with pytest.raises(UsageError, match="levels 0 to 5"):
        find("distortion", "blur")(torch.ones(1, 3, 8, 8), 6)


def test_flat_light_passes_a_blur_unchanged() -> None:
    flat = torch.full((1, 3, 20, 30), 7.0, dtype=torch.float64)
    for name in ("blur", "lens-blur", "motion-blur", "ghosting", "glare"):
        assert (find("distortion", name)(flat, 4.0, 0) - 7).abs().max() < 1e-9


def test_additive_noise_has_the_deviation_its_card_says() -> None:
    d = find("distortion", "noise")
    grey = torch.full((1, 3, 128, 128), 0.5, dtype=torch.float64)
    assert abs(float((d(grey, 2.5, 0) - grey).std()) / d.amount(2.5) - 1) < 0.02


def test_sensor_noise_follows_the_square_root_of_the_light() -> None:
    d = find("distortion", "sensor-noise")
    light = torch.ones(1, 1, 128, 256)
    light[..., 128:] = 9.0
    spoilt = d(light, 2, 0)
    low, high = float(spoilt[..., :128].std()), float(spoilt[..., 128:].std())
    assert 2.6 < high / low < 3.4
