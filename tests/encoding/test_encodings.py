"""Encodings: exact at their anchors, there and back, differentiable, equal to their authors' numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hdrq.registry import find, names

NITS = torch.logspace(-2, 4, 200, dtype=torch.float64)
GOLDEN = {
    "pu21": "banding_glare",
    "pu21-banding": "banding",
    "pu21-peaks": "peaks",
    "pu21-peaks-glare": "peaks_glare",
    "pu08": "pu08_pu2_encode",
}


def picture(nits: torch.Tensor) -> torch.Tensor:
    """The values as a grey picture of three channels: HLG's system gamma looks at all three."""
    return nits.reshape(1, 1, 1, -1).expand(1, 3, 1, -1).contiguous()


def white(name: str) -> float:
    return 10_000.0 if name == "hlg" else 100.0


@pytest.mark.parametrize("name", names("encoding"))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_decoding_undoes_encoding(name: str, dtype: torch.dtype, tolerance: float) -> None:
    e = find("encoding", name)
    x = picture(NITS).to(dtype)
    back = e.decode(e.encode(x, white(name)), white(name))
    assert back.dtype == dtype
    assert ((back - x).abs() / x).max() < tolerance


@pytest.mark.parametrize("name", names("encoding"))
def test_more_light_is_more_code(name: str) -> None:
    e = find("encoding", name)
    assert (e.encode(picture(NITS), white(name)).diff(dim=-1) > 0).all()


@pytest.mark.parametrize("name", names("encoding"))
def test_code_has_the_gradient_it_says(name: str) -> None:
    e = find("encoding", name)
    x = picture(torch.tensor([0.3, 2.0, 70.0, 900.0], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: e.encode(v, white(name)), x, eps=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", names("encoding"))
def test_black_is_finite_and_so_is_its_slope(name: str) -> None:
    e = find("encoding", name)
    x = torch.zeros(1, 3, 2, 2, dtype=torch.float32, requires_grad=True)
    code = e.encode(x, white(name))
    code.sum().backward()
    assert torch.isfinite(code).all()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", names("encoding"))
def test_large_pictures_take_the_same_path_as_small_ones(name: str) -> None:
    e = find("encoding", name)
    x = torch.rand(1, 3, 200, 200, generator=torch.Generator().manual_seed(1)) * 3000
    assert torch.allclose(
        e.encode(x, white(name))[..., :40, :40], e.encode(x[..., :40, :40], white(name)), atol=2e-6
    )


def test_standards_hold_at_their_anchors() -> None:
    def code(name: str, nits: float, w: float = 100.0) -> float:
        return float(
            find("encoding", name).encode(picture(torch.tensor([nits], dtype=torch.float64)), w)[0, 0, 0, 0]
        )

    assert code("pq", 10_000) == pytest.approx(1, abs=1e-12)
    assert code("pq", 100) == pytest.approx(0.5080784, abs=1e-7)  # ST 2084 / BT.2408
    assert code("pq", 0) == pytest.approx(0, abs=1e-5)
    assert code("hlg", 1000, 1000) == pytest.approx(1, abs=1e-7)
    assert code("hlg", 203, 1000) == pytest.approx(0.75, abs=2e-3)  # BT.2408: HDR reference white is 75 % HLG
    assert code("srgb", 100) == pytest.approx(1, abs=1e-12)
    assert code("srgb", 0.31308, 100) == pytest.approx(0.04045, abs=1e-6)
    assert code("mu", 100) == pytest.approx(1, abs=1e-12)
    assert code("log10", 10_000) == pytest.approx(1, abs=1e-12)
    assert code("pu21", 100) * 256 == pytest.approx(256.3839, abs=1e-4)


@pytest.mark.shared
@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_codes_are_the_authors(golden, name: str, dtype: torch.dtype, tolerance: float) -> None:
    """gfxdisp/pu21 78340c0 in GNU Octave 7.3.0."""
    table, e = golden("pu21")["outputs"]["encoder"], find("encoding", name)
    nits, units = (torch.tensor(table[k], dtype=torch.float64) for k in ("L", GOLDEN[name]))
    ours = e.encode(nits.to(dtype)).double() * e.codes
    assert ((ours - units).abs() / units.abs().clamp(min=1)).max() < tolerance
    light = torch.tensor(table.get(GOLDEN[name] + "_decode", table["L"]), dtype=torch.float64)
    back = e.decode((units / e.codes).to(dtype)).double()
    assert ((back - light).abs() / light).max() < tolerance


@pytest.mark.shared
def test_pq_and_pu21_equal_the_domain_adaptation_program(shared) -> None:
    """parity/pu_pq_display.npz; PU21 there is not cut at zero and its constants are rounded."""
    p = np.load(shared / "parity" / "pu_pq_display.npz")
    nits = torch.from_numpy(p["L"])
    pq = find("encoding", "pq")
    assert (pq.encode(nits) - torch.from_numpy(p["pq_raw"])).abs().max() < 1e-6
    for name, key in (("pu21", "banding_glare"), ("pu21-banding", "banding"), ("pu21-peaks", "peaks")):
        e, theirs = find("encoding", name), torch.from_numpy(p[f"pu21_{key}_raw"])
        assert ((e.encode(nits) * e.codes - theirs).abs() / (1 + theirs)).max() < 1e-6


def test_hlg_is_that_of_a_display_of_a_thousand_where_nothing_else_is_said():
    """BT.2408: HDR reference white, 203 cd/m², is 75 % of the HLG signal; its end is the display's peak."""
    hlg = find("encoding", "hlg")
    light = torch.tensor([0.0, 203.0, 1000.0], dtype=torch.float64).view(1, 1, 1, 3)
    assert hlg.encode(light).flatten().tolist() == pytest.approx([0, 0.75, 1], abs=2e-3)
    assert hlg.decode(hlg.encode(light)).flatten().tolist() == pytest.approx(
        [0, 203, 1000], rel=1e-6, abs=1e-6
    )
