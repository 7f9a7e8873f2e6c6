"""ColorVideoVDP: every number of golden/cvvdp, cvvdp 0.5.7 in float32 on a CPU."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from colorvideovdp import light_of, planes, stored, stored_clip
from hdrq.encoding.displays import display
from hdrq.image.color import convert
from hdrq.records import ADOBE_RGB, BT709, BT2020, PRIMARIES, Image, Primaries
from hdrq.scoring.features.cvvdp import quality, vision
from hdrq.scoring.metrics.cvvdp import _Space, cvvdp
from shared_folder import SHARED

pytestmark = pytest.mark.shared
FOLDER = SHARED / "golden" / "cvvdp"
OUTPUTS = (
    json.loads((FOLDER / "golden.json").read_text())["outputs"]
    if FOLDER.is_dir()
    else {"stills": [], "videos": [], "debug": {"cases": {}}}
)
OPPONENT = _Space(BT709, BT709, False)
DTYPES = [torch.float32, torch.float64]


def primaries_of(case: dict) -> Primaries:
    d = case["display"]
    space = d["source_colorspace"] if isinstance(d, dict) else ("BT.2020" if "pq" in d or "hlg" in d else "")
    return ADOBE_RGB if "Adobe" in space else BT2020 if "2020" in space else BT709


@pytest.mark.parametrize("number", range(len(OUTPUTS["stills"])))
def test_light_in_other_primaries_than_the_displays_has_the_number_of_the_display(
    number: int, golden_input
) -> None:
    case = OUTPUTS["stills"][number]
    if primaries_of(case) != BT2020 or isinstance(case["display"], dict):
        return
    narrow = [convert(x, BT2020, BT709) for x in light_of_both(case, golden_input)]
    reading = cvvdp(
        *narrow, ppd=case["resolved"]["ppd"], primaries=BT709, display=display(case["display"]), maps=False
    )
    assert reading.value.item() == pytest.approx(case["JOD"], abs=tolerance(case))


@pytest.mark.parametrize("number", range(len(OUTPUTS["stills"])))
def test_files_on_a_display_of_the_shelf_have_the_number_of_the_program(number: int, golden_input) -> None:
    """Code or light as a file holds it, through the display, the working primaries and the metric."""
    case = OUTPUTS["stills"][number]
    if isinstance(case["display"], dict):
        return
    shown = display(case["display"])
    domain, primaries = ("nits" if shown.eotf == "light" else shown.eotf), PRIMARIES[shown.primaries]
    ref, dist = (
        Image(stored(case[side], golden_input).float(), domain, primaries) for side in ("ref", "test")
    )
    scorer = hdrq.metric("cvvdp", display=case["display"])
    assert case["resolved"]["ppd"] in (pytest.approx(scorer.photometry.viewing.ppd), 12, 30, 120)
    scorer = hdrq.metric("cvvdp", display=case["display"], ppd=case["resolved"]["ppd"])
    with torch.inference_mode():
        assert scorer(ref, dist).item() == pytest.approx(case["JOD"], abs=tolerance(case))


@pytest.mark.parametrize("number", range(len(OUTPUTS["videos"])))
def test_clips_on_a_display_of_the_shelf_have_the_number_of_the_program(number: int, golden_input) -> None:
    case = OUTPUTS["videos"][number]
    shown = display(case["display"])
    domain, primaries = ("nits" if shown.eotf == "light" else shown.eotf), PRIMARIES[shown.primaries]
    ref, dist = (stored_clip(case[side], case["frames"], golden_input).float() for side in ("ref", "test"))
    asked = f"cvvdp,mode=video,frame_rate={case['fps']},padding={case.get('temp_padding', 'replicate')}"
    scorer = hdrq.metric(asked, display=shown)
    with torch.inference_mode():
        whole = scorer.read(Image(ref, domain, primaries), Image(dist, domain, primaries), maps=False)
        sides = ([Image(f[None], domain, primaries) for f in clip] for clip in (ref, dist))
        streamed = scorer.read_frames(*sides)
    assert whole.value.item() == pytest.approx(case["JOD"], abs=tolerance(case))
    assert streamed.value.item() == pytest.approx(case["JOD"], abs=tolerance(case))


def tolerance(case: dict) -> float:
    return 3e-5 if case["resolved"]["EOTF"] == "PQ" else 2e-5


def light_of_both(case: dict, load, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """[reference, test] light."""
    if "fps" in case:
        both = (stored_clip(case[side], case["frames"], load) for side in ("ref", "test"))
    else:
        both = (stored(case[side], load) for side in ("ref", "test"))
    return [light_of(x.to(dtype), case["resolved"]) for x in both]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(len(OUTPUTS["stills"])))
def test_stills(number: int, dtype: torch.dtype, golden_input) -> None:
    case = OUTPUTS["stills"][number]
    options = {"ppd": case["resolved"]["ppd"], "primaries": primaries_of(case), "maps": False}
    with torch.inference_mode():
        reading = cvvdp(*light_of_both(case, golden_input, dtype), **options)
    assert reading.value.item() == pytest.approx(case["JOD"], abs=tolerance(case))
    if case["resolved"]["EOTF"] != "PQ":
        assert reading.value.item() == pytest.approx(case["JOD"], abs=4e-6)
    bands = [k.removeprefix("cpd_") for k in reading.extra if k.startswith("cpd_")]
    assert [reading.extra[f"cpd_{b}"].item() for b in bands] == pytest.approx(case["rho_band"], rel=1e-6)
    for channel, want in zip(("a", "rg", "yv"), case["Q_per_ch"]):
        assert [reading.extra[f"{channel}_{b}"].item() for b in bands] == pytest.approx(
            want, rel=2e-3, abs=1e-5
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(len(OUTPUTS["videos"])))
def test_clips(number: int, dtype: torch.dtype, golden_input) -> None:
    case = OUTPUTS["videos"][number]
    ref, dist = light_of_both(case, golden_input, dtype)
    score = partial(
        cvvdp,
        ppd=case["resolved"]["ppd"],
        primaries=primaries_of(case),
        maps=False,
        mode="video",
        frame_rate=case["fps"],
        padding=case.get("temp_padding", "replicate"),
    )
    with torch.inference_mode():
        reading = score(ref, dist)
        assert score(iter(ref), iter(dist)).value.item() == reading.value.item()
    assert reading.value.item() == pytest.approx(case["JOD"], abs=tolerance(case))
    assert quality.filter_length(case["fps"]) == case["filter_len"]
    bands = [k.removeprefix("cpd_") for k in reading.extra if k.startswith("cpd_")]
    for channel, want in zip(vision.CHANNELS, case["Q_per_ch_mean"]):
        assert [reading.extra[f"{channel}_{b}"].item() for b in bands] == pytest.approx(
            want, rel=2e-3, abs=2e-5
        )


def follow(test: Tensor, ref: Tensor, z: dict[str, np.ndarray], prefix: str) -> None:
    """Every intermediate of one frame, from opponent planes (C, H, W)."""
    cycles = z[f"{prefix}rho_band"] if f"{prefix}rho_band" in z else z["rho_band"]
    for plane, want in zip((test, ref), planes(z[f"{prefix}R"])):
        assert torch.allclose(plane, want, rtol=0, atol=1e-6 * want.abs().max())
    for band, rho in enumerate(cycles.flat[:-1]):
        if f"{prefix}band{band}" not in z:
            continue
        lower = vision.halve(test), vision.halve(ref)
        amplify, rows = (1.0 if band == 0 else 2.0), slice(0, test.shape[-2])
        both = [vision.contrasts(x, low, rows) for x, low in zip((test, ref), lower)]
        for (contrast, _), want in zip(both, planes(z[f"{prefix}band{band}"])):
            assert torch.allclose(contrast * amplify, want, rtol=0, atol=2e-6)
        for (_, ground), want in zip(both, z[f"{prefix}logLbkg{band}"].reshape(2, *test.shape[-2:])):
            assert np.allclose(ground.log10(), want, rtol=0, atol=5e-7)
        if f"{prefix}S{band}" in z:
            seen = vision.sensitivity(both[1][1], float(rho), len(test))
            assert np.allclose(seen, z[f"{prefix}S{band}"].reshape(seen.shape), rtol=2e-6, atol=0)
        if f"{prefix}D{band}" in z:
            pair = (test, lower[0]), (ref, lower[1])
            found = torch.cat(list(vision.band_difference(*pair, float(rho), amplify)), -2)
            assert np.allclose(found, z[f"{prefix}D{band}"].reshape(found.shape), rtol=0, atol=6e-4)
        test, ref = lower


@pytest.mark.parametrize("name", ["debug_hdr", "debug_sdr"])
def test_every_step_of_a_still(name: str, golden_input) -> None:
    case = OUTPUTS["debug"]["cases"][name]
    z = dict(np.load(FOLDER / case["file"]))
    ref, dist = (OPPONENT.planes(x[0]) for x in light_of_both(case, golden_input))
    follow(dist, ref, z, "")
    frame = quality.compare(dist, ref, case["resolved"]["ppd"])
    assert np.allclose(frame.q, z["Q_per_ch"].reshape(frame.q.shape), rtol=1e-4, atol=1e-6)
    assert quality.jod_of_still(frame.q).item() == pytest.approx(case["JOD"], abs=2e-6)


def test_every_step_of_a_clip(golden_input) -> None:
    case = OUTPUTS["debug"]["cases"]["debug_video"]
    z = dict(np.load(FOLDER / case["file"]))
    taps = quality.temporal_taps(case["fps"])
    for channel in range(4):
        assert np.allclose(taps[channel], z[f"F{channel}"].ravel(), rtol=0, atol=1e-6)
    matrix = np.eye(3)
    sides = [[OPPONENT.planes(f) for f in x] for x in light_of_both(case, golden_input)]
    seen = [
        [quality.filtered(w, taps, matrix) for w in quality.windows(s, taps.shape[1], "replicate")]
        for s in sides
    ]
    frames = sorted({int(k[1:].split("_")[0]) for k in z if k.startswith("f") and "_" in k})
    assert frames
    for f in frames:
        follow(seen[1][f], seen[0][f], z, f"f{f}_")


@pytest.mark.parametrize("name", [n for n in OUTPUTS["debug"]["cases"] if n.startswith("heatmap")])
def test_heat_maps(name: str, golden_input) -> None:
    """Maps are stored as float16: at most half a step from ours where the same colour was chosen.

    A colour is rounded to float16 before it is multiplied by the grey image. Where float32 differs from ours by less than
    1e-6 just at a border between two steps, the stored colour is the neighbouring step: and ours is
    off by more than 3e-4 in at most 0.2 % of the pixels.
    Light is given in float32, as the program has it: the codes of an 8-bit image make a histogram of single spikes, some of
    them at the border of two bins of the grey image.
    """
    case = dict(OUTPUTS["debug"]["cases"][name])
    case["resolved"] = next(c["resolved"] for c in OUTPUTS["stills"] if c["display"] == case["display"])
    want = torch.from_numpy(np.load(FOLDER / case["file"])[name.removeprefix("heatmap_")])
    ref, dist = (light.float() for light in light_of_both(case, golden_input))
    reading = cvvdp(ref, dist, ppd=case["resolved"]["ppd"], heatmap=case["heatmap"])
    step = case["stride"]
    found = reading.map[0, :, ::step, ::step]
    assert reading.value.item() == pytest.approx(case["JOD"], abs=2e-5)
    assert reading.map.mean().item() == pytest.approx(case["mean"], abs=5e-6)
    error = (found - want.float()).abs()
    close = error < 3e-4
    if case["heatmap"] == "raw":
        assert close.all()
        return
    assert close.float().mean() > 0.998
    assert (found.half() == want).float().mean() > 0.992
    one_step = (
        2.0**-9
    )  # of float16 between 2 and 4, where the largest colours are; the grey image is at most 0.8
    assert error.max() < 0.8 * one_step / 2 + 3e-4
