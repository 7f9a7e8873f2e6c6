"""The cvvdp package as a backend."""

from __future__ import annotations

import sys

import pytest
import torch

from hdrq.errors import MissingPart
from hdrq.scoring.metrics.cvvdp import cvvdp


def test_what_to_install_is_said_where_the_package_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycvvdp", None)
    light = torch.ones(1, 3, 32, 32)
    with pytest.raises(MissingPart, match=r"hdrq\[cvvdp\]"):
        cvvdp(light, light)


def test_the_package_s_own_number_comes_back_image_by_image() -> None:
    package = pytest.importorskip("pycvvdp")
    chance = torch.Generator().manual_seed(1)
    ref = torch.rand(2, 3, 64, 48, generator=chance) * 99 + 1
    dist = ref * (1 + 0.2 * torch.rand(2, 3, 64, 48, generator=chance))
    dist[1] = ref[1]
    reading = cvvdp(ref, dist, ppd=40.0)
    screen = package.vvdp_display_photo_eotf(200, 200 / 0.005, "BT.709-linear", E_ambient=0)
    seat = package.vvdp_display_geometry((48, 64), ppd=40.0)
    own = package.cvvdp(display_photometry=screen, display_geometry=seat, quiet=True, device=ref.device)
    assert reading.value[0].item() == pytest.approx(
        own.predict(dist[:1], ref[:1], "BCHW")[0].item(), abs=1e-5
    )
    assert reading.value[1].item() == pytest.approx(10.0)
    assert reading.map.shape == (2, 1, 64, 48)
