"""The metrics of the small networks: they see what their authors' programs saw, and answer as those did."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_quality_nets import converted, official

from hdrq.image.resize import linear_resize
from hdrq.nn.network_input import adjusted
from hdrq.records import Checkpoint
from hdrq.registry import find
from hdrq.scoring.metrics import diqm as diqm_file
from hdrq.scoring.metrics import norvdpnet as norvdpnet_file
from hdrq.scoring.metrics import norvdpnetpp as norvdpnetpp_file

GREY, COLOUR = SimpleNamespace(channels=1), SimpleNamespace(channels=3)


@pytest.fixture(scope="module")
def fixture(shared):
    """fixture("diqm") is that program's encodings, its pictures as (1, 3, H, W)."""

    def load(name: str):
        z = np.load(shared / "parity" / f"{name}_encoding.npz")
        made = {k: torch.from_numpy(z[k].astype(np.float64)) for k in z.files}
        hdr, sdr = (made[k].permute(2, 0, 1)[None] for k in ("hdr_rgb", "sdr_rgb"))
        return made, hdr, sdr / 255

    return load


def close(a: torch.Tensor, b: torch.Tensor, least: float = 1e-6) -> bool:
    return bool((a[0] - b).abs().max() < least)


@pytest.mark.shared
def test_norvdpnetpp_sees_what_its_program_saw(fixture) -> None:
    made, hdr, sdr = fixture("norvdpnetpp")
    log1p, pu = find("encoding", "log1p"), find("encoding", "pu21")
    code = log1p.encode(hdr)
    view = norvdpnetpp_file.view
    assert close(view(code, GREY, log1p, 0, "card", True), made["enc_LOG10_dr0_max1400"])
    assert close(view(code, GREY, log1p, 1400, "card", True), made["enc_LOG10_dr1_max1400"])
    assert close(view(code, GREY, log1p, 2, "card", True), made["enc_LOG10_dr1_max2"])
    assert close(view(code, GREY, log1p, 0, "tmo", True), made["enc_TMO_dr0_max1400"])
    assert close(view(code, GREY, log1p, 1400, "tmo", True), made["enc_TMO_dr1_max1400"])
    assert close(view(code, COLOUR, log1p, 1400, "card", True), made["enc_hdr_color"])
    srgb = find("encoding", "srgb")
    assert close(view(sdr, GREY, srgb, 0, "card", True), made["enc_sdr_gray"])
    assert close(view(sdr, COLOUR, srgb, 0, "card", True), made["enc_sdr_color"])
    white = float(pu.encode(torch.tensor([[[[1400.0]]]], dtype=torch.float64)))
    spanned = SimpleNamespace(channels=1, span=(0.0, white))
    y = 0.2126 * hdr[:, :1] + 0.7152 * hdr[:, 1:2] + 0.0722 * hdr[:, 2:]
    ours = view(pu.encode(y), spanned, pu, 1400, "card", True)[0]
    theirs = made["enc_PU21_dr1_max1400"]
    lit = theirs > 1e-3  # the program does not cut light below 0.005 cd/m², PU21 does
    assert (ours - theirs)[lit].abs().max() < 1e-6


@pytest.mark.shared
def test_norvdpnet_sees_what_its_program_saw(fixture) -> None:
    made, hdr, sdr = fixture("norvdpnet")
    ln1p, srgb = find("encoding", "ln1p"), find("encoding", "srgb")
    code, view = ln1p.encode(hdr), norvdpnet_file.view
    assert close(view(code, GREY, ln1p, 1e6, True), made["enc_hdr_default"])
    assert close(view(code, GREY, ln1p, 1e4, True), made["enc_hdr_1e4"])
    assert close(view(code, GREY, ln1p, 0, True) * 1.5, made["enc_hdr_1e4_nodr"])  # ln(1e6)/ln(1e4)
    assert close(view(code, COLOUR, ln1p, 1e4, True), made["enc_hdr_color"])
    assert close(view(sdr, GREY, srgb, 0, True), made["enc_sdr"])


@pytest.mark.shared
def test_diqm_sees_the_scrambled_pixels_its_program_saw(fixture) -> None:
    made, hdr, sdr = fixture("diqm")
    log1p, six = find("encoding", "log1p"), SimpleNamespace(channels=6)
    code, view = log1p.encode(hdr), diqm_file.view
    assert close(view(code, six, log1p, 1400, "card", True), made["enc_hdr_LOG10"])
    assert close(view(code, six, log1p, 1400, "tmo", True), made["enc_hdr_TMO"])
    assert close(view(sdr, six, find("encoding", "srgb"), 0, "card", True), made["enc_sdr"])


@pytest.mark.shared
def test_metaiqa_squeezes_and_answers_as_its_authors_do(shared) -> None:
    p = torch.load(shared / "parity" / "metaiqa_filled.pt", weights_only=False)
    net = converted("metaiqa", official(shared, "metaiqa_keys.json", 0.5))
    code = p["inputs"]["img_uint8"].permute(2, 0, 1)[None].double() / 255
    assert (find("metric", "metaiqa")(code, net=net).value - p["outputs"]["q_img"][0]).abs().max() < 1e-5


def test_shrinking_is_preceded_by_a_gaussian_as_scikit_image_has_it() -> None:
    """Against SciPy, of which scikit-image's resize is made."""
    from scipy import ndimage

    x = np.random.default_rng(0).random((50, 90))
    soft = ndimage.gaussian_filter(x, ((50 / 20 - 1) / 2, (90 / 40 - 1) / 2), mode="mirror")
    known = ndimage.zoom(soft, (20 / 50, 40 / 90), order=1, mode="mirror", grid_mode=True)
    ours = linear_resize(torch.from_numpy(x)[None, None], (20, 40))
    assert (ours[0, 0] - torch.from_numpy(known)).abs().max() < 1e-12


def tiny(name: str, **options):
    torch.manual_seed(0)
    return find("net", name).build(**options).eval().requires_grad_(False)


SMALL = {
    "norvdpnet": {},
    "norvdpnetpp": {"widths": (4, 8, 8, 16, 16)},
    "diqm": {"widths": (4, 8, 8, 16, 16)},
    "imqnet": {"widths": (6, 9, 9, 12), "hidden": (16, 8)},
    "metaiqa": {"classes": 20},
    "qdnet": {"latent": 16},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_gives_what_its_pictures_give_and_keeps_their_type(name: str) -> None:
    m = find("metric", name)
    net = tiny(name, **SMALL[name])
    supplied = {"net": net} | ({"encoding": find("encoding", "pu21")} if "encoding" in m.card.needs else {})
    a = torch.rand(2, 3, 64, 72, dtype=torch.float64)
    pictures = (a,) if m.card.reference is None else (a, (a * 0.8))

    def ask(*x):
        found = m(*x, **supplied)
        return getattr(found, "value", found)

    both = ask(*pictures)
    assert both.shape == (2,)
    assert both.dtype == torch.float64
    alone = torch.cat([ask(*(p[i : i + 1] for p in pictures)) for i in (0, 1)])
    assert torch.allclose(both, alone, atol=1e-5)


def test_luminance_made_inside_is_the_luminance_handed_in() -> None:
    pu = find("encoding", "pu21")
    light = torch.rand(1, 3, 64, 64, dtype=torch.float64) * 900 + 1
    net, m = tiny("norvdpnetpp", **SMALL["norvdpnetpp"]), find("metric", "norvdpnetpp")
    y = 0.2126 * light[:, :1] + 0.7152 * light[:, 1:2] + 0.0722 * light[:, 2:]
    colour, grey = (m(pu.encode(x), net=net, encoding=pu).value for x in (light, y))
    assert abs(float(colour - grey)) < 1e-5


def test_weights_of_the_authors_bring_their_ways_along() -> None:
    card = Checkpoint("x", "diqm", {}, "log1p", "sdr", "", {}, recipe="imported as diqm from x.pth")
    net, m = tiny("diqm", **SMALL["diqm"]), find("metric", "diqm")
    log1p = find("encoding", "log1p")
    a, b = torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)
    ask = {"net": net, "encoding": log1p}
    scrambled, plain = m(a, b, **ask, compat="yes").value, m(a, b, **ask, compat="no").value
    assert scrambled != plain
    net.checkpoint = card
    assert m(a, b, **ask).value == scrambled
    net.checkpoint = replace(card, recipe="fine-tuned 1")
    assert m(a, b, **ask).value == plain


def test_the_peak_of_sdr_code_cannot_be_moved() -> None:
    from hdrq.errors import UsageError

    with pytest.raises(UsageError, match="SDR code"):
        adjusted(torch.rand(1, 1, 8, 8), find("encoding", "srgb"), 1400, "card")
