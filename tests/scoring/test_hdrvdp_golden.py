"""HDR-VDP against its author's programs 3.0.7 and 2.2.1, run in GNU Octave 7.3.0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hdrq.image.resize import imresize
from hdrq.scoring.features.hdrvdp import contrast as sensitivity
from hdrq.scoring.features.hdrvdp import eye as photoreceptors
from hdrq.scoring.features.hdrvdp.colour import native, native_matrix, receptor_matrix, spectrum
from hdrq.scoring.features.hdrvdp.contrast import Masking, hidden, mutual
from hdrq.scoring.features.hdrvdp.eye import modulation, pupil
from hdrq.scoring.features.hdrvdp.retina import Viewer, retinal_response
from hdrq.scoring.features.steerable import decompose, rebuild
from hdrq.scoring.metrics import hdrvdp3 as module3
from hdrq.scoring.metrics.hdrvdp2 import hdrvdp2
from hdrq.scoring.metrics.hdrvdp3 import hdrvdp3

pytestmark = pytest.mark.shared

# The program's option: ours, and how its value is written.
OPTIONS3: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "rgb_display": ("spectra", str),
    "mtf": ("mtf", str),
    "age": ("age", float),
    "surround": ("surround", str),
    "do_masking": ("masking", bool),
    "sensitivity_correction": ("sensitivity", float),
    "ignore_freqs_lower_than": ("lowest_cpd", float),
    "steerpyr_filter": ("filters", lambda v: v.removesuffix("Filters")),
    "do_pixel_threshold": ("pixel_threshold", bool),
}
OPTIONS2: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "rgb_display": ("spectra", str),
    "peak_sensitivity": ("peak_sensitivity", float),
    "do_mtf": ("mtf", bool),
    "do_masking": ("masking", bool),
    "do_spatial_pooling": ("pooling", bool),
    "surround_l": ("surround", lambda v: "mean" if v == -1 else str(v)),
}
# Of every kind one: tasks, odd and even sizes, viewing distances, options. All cases were run when this was written.
CASES3 = [
    "nancyo_blur1_sbs_p53",
    "nancyh_blur2_qua_p20",
    "nancyo_blur1_flk_p53",
    "nancyo_blur1_det_p53",
    "oxf_dim_blur1_sbs_p40",
    "opt_lum_qua_p45",
    "opt_bt2020_qua_p45",
    "opt_age60_qua_p45",
    "opt_mtfnone_sbs_p45",
    "opt_surmean_qua_p45",
    "opt_ignlow_qua_p45",
    "opt_sp3_qua_p45",
    "opt_pixthr_sbs_p45",
    "wavc_noise02_flk_p53",
]
CASES2 = [
    "nancyo_blur1_p30",
    "oxf_dim_blur1_p40",
    "opt_crt_p45",
    "opt_nospool_p45",
    "opt_surm1_p45",
]
SINGLE3 = ("nancyo_blur1_sbs_p53", "nancyo_blur1_flk_p53", "nancyo_blur1_det_p53")


def light(picture: torch.Tensor, preprocess: str) -> torch.Tensor:
    """What the run script made of a stored input before the program saw it."""
    if preprocess == "gog":
        black = 100 / np.pi * 0.005 + 200 / 1000
        return (200 - black) * (picture / 65535 if picture.max() > 1 else picture) ** 2.2 + black
    weights = {
        "lum": [[0.212656, 0.715158, 0.072186]],
        "xyz": [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
    }
    if preprocess not in weights:
        return picture
    return torch.einsum("kc,nchw->nkhw", torch.tensor(weights[preprocess], dtype=picture.dtype), picture)


def run(metric, options, case: dict, golden_input, dtype: torch.dtype, **more):
    named = dict(zip(case["options"][::2], case["options"][1::2]))
    given = {options[key][0]: options[key][1](value) for key, value in named.items()}
    ref, test = (light(golden_input(case[k]), case.get("preprocess", "")).to(dtype) for k in ("ref", "test"))
    return metric(ref, test, ppd=case["ppd"], colour=case["color_encoding"], **given, **more)


def map_error(reading, case: dict, folder: Path) -> float:
    with np.load(folder / case["P_map_file"]) as file:
        return float(np.abs(reading.map[0, 0, ::2, ::2].double().numpy() - file[file.files[0]]).max())


def case_of(golden, folder: str, name: str) -> dict:
    return next(case for case in golden(folder)["outputs"] if case["id"] == name)


@pytest.mark.parametrize("name", CASES3)
def test_hdrvdp3_is_the_program(name: str, golden, golden_input, shared: Path) -> None:
    case = case_of(golden, "hdrvdp3", name)
    reading = run(hdrvdp3, OPTIONS3, case, golden_input, torch.float64, task=case["task"])
    assert reading.extra["q"].item() == pytest.approx(case["Q"], rel=1e-9)
    assert reading.value.item() == pytest.approx(case["Q_JOD"], rel=1e-9)
    assert reading.extra["p_det"].item() == pytest.approx(case["P_det"], rel=1e-8, abs=1e-10)
    assert reading.extra["c_max"].item() == pytest.approx(case["C_max"], rel=1e-8, abs=1e-10)
    assert reading.map.mean().item() == pytest.approx(case["P_map_mean"], abs=1e-9)
    if "P_map_file" in case:
        assert map_error(reading, case, shared / "golden" / "hdrvdp3") < 1e-7  # stored in float32


@pytest.mark.parametrize("name", SINGLE3)
def test_hdrvdp3_in_float32_is_the_program_to_four_digits(
    name: str, golden, golden_input, shared: Path
) -> None:
    case = case_of(golden, "hdrvdp3", name)
    reading = run(hdrvdp3, OPTIONS3, case, golden_input, torch.float32, task=case["task"])
    assert reading.extra["q"].item() == pytest.approx(case["Q"], rel=1e-6)
    assert map_error(reading, case, shared / "golden" / "hdrvdp3") < 1e-4


@pytest.mark.parametrize("name", CASES2)
def test_hdrvdp2_is_the_program(name: str, golden, golden_input, shared: Path) -> None:
    case = case_of(golden, "hdrvdp2", name)
    for dtype, near in ((torch.float64, 1e-9), (torch.float32, 1e-6)):
        reading = run(hdrvdp2, OPTIONS2, case, golden_input, dtype)
        assert reading.value.item() == pytest.approx(case["Q"], rel=near)
        assert reading.extra["c_max"].item() == pytest.approx(case["C_max"], rel=10 * near, abs=1e-10)
        if "P_map_file" in case:
            assert map_error(reading, case, shared / "golden" / "hdrvdp2") < 1e-5
        if dtype == torch.float64 and not name.startswith("nancyo"):
            break


@pytest.mark.parametrize("task", ["side-by-side", "detection", "flicker"])
def test_every_intermediate_is_the_program_s(task: str, golden, shared: Path, monkeypatch) -> None:
    folder = shared / "golden" / "hdrvdp3"
    with np.load(folder / f"debug_{task.replace('-', '_')}.npz") as file:
        want = {name: file[name] for name in file.files}
    with np.load(folder / "debug_inputs.npz") as file:
        ref, test = (torch.from_numpy(file[k].astype(float)).permute(2, 0, 1)[None] for k in ("ref", "test"))

    def same(name: str, found: torch.Tensor | np.ndarray) -> None:
        found = found.numpy() if isinstance(found, torch.Tensor) else found
        expected = want[name].reshape(found.shape)
        np.testing.assert_allclose(
            found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max(), err_msg=name
        )

    known = module3.TASKS[task]
    viewer = Viewer(30.0, 24.0, "hdrvdp", "led-lcd-srgb", known.gain)
    same("M_itu2native", native_matrix("rgb-bt.709", "led-lcd-srgb"))
    same("IMG_E", spectrum("led-lcd-srgb"))
    ref, test = (native(x, "rgb-bt.709", "led-lcd-srgb") for x in (ref, test))
    same("ref_native", ref[0].permute(1, 2, 0))
    same("test_native", test[0].permute(1, 2, 0))
    bands, adapting = {}, {}
    for letter, picture, long in (("R", ref, "ref"), ("T", test, "test")):
        response, adapting[letter] = retinal_response(picture, viewer, None)
        same(f"P_{long}", response[0, 0])
        same(f"La_{long}", adapting[letter][0, 0])
        bands[letter] = list(module3._bands([response], 30.0, known.filters))
        for b, band in enumerate(bands[letter]):
            for o, orientation in enumerate(band[0]):
                same(f"band{letter}_{b + 1}_{o + 1}", orientation)

    by = Masking(
        10**known.p,
        10**known.q,
        10**known.own,
        known.cross and 10**known.cross,
        known.near and 10**known.near,
    )
    common = [mutual(t, r) for t, r in zip(bands["T"], bands["R"])]
    count = len(common)
    log_nits = ((adapting["R"] + adapting["T"]) / 2).log10()
    for b in range(count):
        cpd = 15 * 2.0**-b
        same_cpd = want["band_freq"].ravel()[b]
        assert cpd == same_cpd
        curve = sensitivity.tabulated_v3(cpd, "hdrvdp", 24.0, torch.float64, torch.device("cpu"))
        same_column = want["CSF_S"][:, b]
        np.testing.assert_allclose(curve.numpy(), same_column, rtol=1e-9)
        masked = hidden(common, b, by)
        local = imresize(log_nits, size=tuple(masked.shape[-2:]))
        noise = 1 / sensitivity.at_each(curve, local)
        if b == count - 1:
            difference = bands["T"][b] - bands["R"][b]
            noise = 1 / module3._base_sensitivity(difference, 4 * cpd, local, viewer)
        for o, orientation in enumerate(masked[0]):
            same(f"Nmask_{b + 1}_{o + 1}", orientation)
            same(f"NnCSF_{b + 1}_{o + 1}", noise[0, 0])

    kept = []
    monkeypatch.setattr(
        module3, "rebuild", lambda seen, *more: kept.append(list(seen)) or rebuild(seen, *more)
    )
    changed = ((test - ref).abs() / ref > 0.001).any(1, keepdim=True).double()
    differences, again = module3._compared(iter(bands["T"]), iter(bands["R"]), log_nits)
    assert all(torch.equal(a, b) for a, b in zip(common, again))
    seen, error = module3._stand_out(differences, common, log_nits, changed, viewer, by, known, True, 0.0)
    same("Q_err", error)
    contrast = rebuild(list(seen), known.filters).abs()
    same("S_map0", contrast[0, 0])
    for b, band in enumerate(seen):
        for o, orientation in enumerate(band[0]):
            before = orientation.sign() * (orientation.abs() / 2**b) ** (by.p / 10**known.slope)
            same(f"D_{b + 1}_{o + 1}", before)
    with np.load(folder / "debug_inputs.npz") as file:
        ref, test = (torch.from_numpy(file[k].astype(float)).permute(2, 0, 1)[None] for k in ("ref", "test"))
    same("P_map", hdrvdp3(ref, test, ppd=30.0, task=task).map[0, 0])


def test_every_curve_is_the_program_s(golden) -> None:
    want = golden("hdrvdp3")["functions"]
    cpd, nits = (torch.tensor(want[k], dtype=torch.float64) for k in ("rho", "L"))

    def same(found: Any, expected: Any) -> None:
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-9, atol=1e-12)

    same(modulation(cpd.numpy(), "hdrvdp", 24.0), want["mtf_hdrvdp"])
    for age in (20, 24, 40, 60, 80):
        same(modulation(cpd.numpy(), "cie", age), want[f"otf_cie99_age{age}"])
    logs = nits.log10()
    same(sensitivity.curve_v3(cpd[:, None], logs, "hdrvdp", 24.0), want["ncsf_rho_by_L"])
    same(sensitivity.curve_v3(cpd[:, None], logs, "cie", 60.0), want["ncsf_age60_cie"])
    same(photoreceptors.joint_sensitivity(nits.numpy(), photoreceptors.V3), want["joint_sens"])
    same(photoreceptors.rod_sensitivity(nits.numpy(), photoreceptors.V3), want["rod_sens"])
    steps = 10 ** torch.tensor(want["pn_log10L"], dtype=torch.float64)
    same(photoreceptors.respond(steps, 0, photoreceptors.V3), want["pn_cone"])
    same(photoreceptors.respond(steps, 1, photoreceptors.V3), want["pn_rod"])
    for (nit, area, age), expected in zip(
        ((10, 100, 24), (10, 100, 28), (0.1, 400, 24), (1000, 50, 60)), want["pupil"]
    ):
        same(pupil(torch.tensor(nit, dtype=torch.float64), area, age), expected)
    for name, expected in want["M_img_lmsr_age24"].items():
        lamp = name.replace("_", "-")
        channels = 1 if lamp == "d65" else 3
        same(receptor_matrix(lamp, channels, 24.0), np.reshape(expected, (channels, 4)))
    want = golden("hdrvdp2")["functions"]
    cpd, nits = (torch.tensor(want[k], dtype=torch.float64) for k in ("rho", "L"))
    same(sensitivity.curve_v2(cpd[:, None], nits.log10()), want["ncsf_rho_by_L"])
    for name, expected in want["M_img_lmsr"].items():
        lamp = {"ccfl_lcd": "ccfl-lcd-2"}.get(name, name.replace("_", "-"))
        channels = 1 if lamp == "d65" else 3
        same(receptor_matrix(lamp, channels), np.reshape(expected, (channels, 4)))


def test_bands_are_the_program_s_mirrored_steerable_pyramid(shared: Path) -> None:
    with np.load(shared / "golden" / "hdrvdp3" / "debug_detection.npz") as file:
        response, band = torch.from_numpy(file["P_test"])[None, None], file["bandT_3_2"]
    found = decompose(response, 3, "sp3")[2][0, 1] / 4
    np.testing.assert_allclose(found.numpy(), band, atol=1e-10)
