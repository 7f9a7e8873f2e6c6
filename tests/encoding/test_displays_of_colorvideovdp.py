"""The displays of ColorVideoVDP 0.5.7: light and pixels per degree of its display models."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
import torch

import hdrq
from hdrq.encoding.display_model import show, show_hlg
from hdrq.encoding.displays import display, pixels_per_degree
from hdrq.encoding.photometry import Photometry, emit
from hdrq.errors import DomainError, FileError, UsageError
from hdrq.records import BT709, BT2020, Display, Image
from hdrq.registry import names

PPD = {  # of the package
    "standard_4k": 75.4024493452,
    "standard_fhd": 37.8425038536,
    "standard_phone": 120.56081548,
    "standard_hmd": 13.1532625073,
    "standard_hdr_linear_zoom": 25.2283364614,
    "65inch_hdr_pq_4knit": 92.21926957,
    "lg_oled_2017_sdr": 120.4107384,
}


@pytest.mark.parametrize("name", PPD)
def test_ppd_is_the_packages(name: str) -> None:
    assert display(name).ppd == pytest.approx(PPD[name], rel=1e-9)
    assert display(name).viewing.ppd == display(name).ppd


def test_ppd_of_other_descriptions() -> None:
    heights = pixels_per_degree(resolution=(2560, 1440), distance_heights=3, diagonal_inches=27)
    assert heights == pytest.approx(75.3982240228, rel=1e-9)
    assert pixels_per_degree(resolution=(2560, 1440), distance_heights=3, diagonal_m=9) == pytest.approx(
        heights
    )
    wide = pixels_per_degree(resolution=(1440, 1600), fov_horizontal_degrees=90)
    assert wide == pytest.approx(np.pi / 180 * 720, rel=1e-5)
    assert pixels_per_degree(resolution=(1600, 1440), fov_vertical_degrees=90) == pytest.approx(wide)
    inches = pixels_per_degree(resolution=(1920, 1080), distance_inches=20, diagonal_inches=24)
    metres = pixels_per_degree(resolution=(1920, 1080), distance_m=0.508, diagonal_m=0.6096)
    assert inches == pytest.approx(metres)
    assert pixels_per_degree(pixels_per_degree=30, resolution=(1, 1)) == 30
    assert pixels_per_degree() is None


@pytest.mark.parametrize(
    "geometry",
    [
        {"resolution": (1920, 1080)},
        {"resolution": (1920, 1080), "distance_m": 1.0},
        {"distance_m": 1.0, "diagonal_inches": 20.0},
        {"resolution": (1920, 1080), "distance_m": -1.0, "diagonal_inches": 20.0},
    ],
)
def test_half_a_screen_is_refused(geometry: dict) -> None:
    with pytest.raises(UsageError):
        pixels_per_degree(**geometry)


def test_all_26_are_on_the_shelf_whatever_the_case_and_the_dashes() -> None:
    theirs = [n for n in names("display") if "ColorVideoVDP 0.5.7's display models" in display(n).source]
    assert len(theirs) == 26
    assert display("EIZO_CG3146") == display("eizo-cg3146")
    assert all(display(n).ppd for n in theirs)


def pixels(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)


def test_pq_displays_add_their_black_to_the_cut_light() -> None:
    d = display("standard_hdr_pq")
    reflected = 10 / np.pi * 0.005
    shown = show(pixels([0.0, 100.0, 9999.0]), d).flatten().tolist()
    assert shown == pytest.approx([x + 0.0015 + reflected for x in (0.005, 100.0, 1500.0)], rel=1e-12)


def test_linear_displays_cut_light_at_the_larger_of_floor_and_black() -> None:
    reflected = 10 / np.pi * 0.005
    shown = show(pixels([0.0, 0.007, 100.0, 2000.0]), display("standard_hdr_linear"))
    assert shown.flatten().tolist() == pytest.approx(
        [x + reflected for x in (0.005, 0.007, 100, 1500)], rel=1e-12
    )
    assert show(pixels([0.0]), display("standard_hdr_linear_zoom")).item() == pytest.approx(0.01 + reflected)


def test_hlg_displays_scale_between_black_and_peak_with_the_gamma_of_their_room() -> None:
    d = display("standard_hdr_hlg")
    gamma = 1.2 + 0.42 * log10(1.5) - 0.07623 * log10(10 / 5)
    half = (0.5**2 / 3) ** gamma
    want = [(1500 - 0.0015) * x + 0.0015 + 10 / np.pi * 0.005 for x in (0.0, half, 1.0)]
    assert show_hlg(pixels([0.0, 0.5, 1.0]), d).flatten().tolist() == pytest.approx(want, rel=1e-6)
    with pytest.raises(UsageError, match="ambient_lux"):
        display("standard_hdr_hlg", ambient_lux=0.0)


def test_exposure_brightens_before_the_screen_cuts() -> None:
    d = Display("d", 300, 0.6, "2.2", ambient_lux=100, reflectance=0.01, exposure=1.5)
    got = emit(Image(pixels([0.2, 0.9]), "srgb"), d).pixels.flatten().tolist()
    want = [299.4 * min(1.5 * v**2.2, 1) + 0.6 + 100 / np.pi * 0.01 for v in (0.2, 0.9)]
    assert got == pytest.approx(want, rel=1e-12)
    brighter = show(pixels([100.0]), Display("d", 1500, 0.0015, "light", exposure=2.0))
    assert brighter.item() == pytest.approx(200)


def test_code_on_a_display_of_light_is_refused() -> None:
    for domain in ("srgb", "pq"):
        with pytest.raises(DomainError, match="standard-hdr-linear"):
            emit(Image(torch.rand(1, 3, 4, 4), domain), display("standard_hdr_linear"))


def test_a_display_brings_its_ppd_unless_the_user_says_another() -> None:
    scorer = hdrq.metric("hdrvdp3", display="standard_4k")
    assert scorer.photometry.viewing.ppd == pytest.approx(75.40, abs=0.01)
    assert hdrq.metric("hdrvdp3", display="standard_4k", ppd=30).photometry.viewing.ppd == 30
    assert hdrq.metric("hdrvdp3", display="sdr").photometry.viewing.ppd == 45
    assert Photometry().viewing.ppd == 45


def test_the_command_says_what_a_cvvdp_score_was_seen_on(tmp_path) -> None:
    import json

    from hdrq.cli import main

    x = torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(0)) * 300 + 1
    for name, light in (("a", x), ("b", x * (1 + 0.2 * torch.rand(1, 3, 32, 40)))):
        hdrq.write(tmp_path / f"{name}.exr", Image(light))
    command = ["score", str(tmp_path / "a.exr"), str(tmp_path / "b.exr"), "-m", "cvvdp", "--format", "json"]
    out = tmp_path / "rows.json"
    with pytest.raises(SystemExit) as left:
        main([*command, "--display", "standard_hdr_linear", "-o", str(out)])
    assert not left.value.code
    (row,) = json.loads(out.read_text())
    assert row["display"] == "standard-hdr-linear"
    assert row["viewing"].startswith("75.4")
    assert "cvvdp at 75.4 ppd, peak 1500, black 0.0015, reflection 0.01592 cd/m²" in row["how"]


def test_a_file_may_describe_its_screen(tmp_path) -> None:
    text = 'peak_nits = 100\nblack_nits = 0.1\neotf = "srgb"\nresolution = [1920, 1080]\ndistance_m = 0.6\n'
    (tmp_path / "mine.toml").write_text(text + "diagonal_inches = 24\n")
    assert display(tmp_path / "mine.toml").ppd == pytest.approx(PPD["standard_fhd"])
    (tmp_path / "half.toml").write_text(text)
    with pytest.raises((UsageError, FileError)):
        display(tmp_path / "half.toml")


@pytest.mark.shared
def test_light_is_the_packages(golden, golden_input) -> None:
    """Light of every golden still's display, by the sheet's formulas."""
    from colorvideovdp import light_of, stored

    for case in golden("cvvdp")["outputs"]["stills"]:
        if isinstance(case["display"], dict):
            continue
        d, code = display(case["display"]), stored(case["test"], golden_input)
        want = light_of(code, case["resolved"])
        if d.eotf == "pq":
            got = show(hdrq.registry.find("encoding", "pq").decode(code), d)
        elif d.eotf == "hlg":
            got = show_hlg(code, d)
        else:
            got = emit(Image(code, "nits" if d.eotf == "light" else "srgb"), d).pixels
        assert torch.allclose(got, want, rtol=1e-12, atol=0), case["display"]
        assert d.primaries == (BT2020 if d.eotf in ("pq", "hlg") else BT709).name
