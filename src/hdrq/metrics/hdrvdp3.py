from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, log, log2, log10
from typing import Literal

import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.ops.resize import imresize
from hdrq.ops.steerable import Filters, decompose, deepest, rebuild
from hdrq.ops.visibility.colour import Colour, emitted, native, resolve
from hdrq.ops.visibility.gaussian import blur
from hdrq.ops.visibility.masking import mutual
from hdrq.ops.visibility.optics import Mtf
from hdrq.ops.visibility.retina import Viewer, sense, surround_light
from hdrq.ops.visibility.sensitivity import at_each, curve_v3, tabulated_v3
from hdrq.ops.visibility.spectra import Spectra
from hdrq.types import Card, Reading, metric

FLOOR, BEST = -4.0, 10.0  # smallest ln difference; Q of identical images
JOD = (0.5200, 1.2812)  # Q to just-objectionable differences


@dataclass(frozen=True)
class Task:
    """Constants fitted to one question asked of observers; all but `filters` and `pooled` are log10.

    gain  of the response; own, cross, near  masking by the band itself, other orientations, neighbouring bands
    p, q  exponents of excitation and masking; slope  of the psychometric function
    reach  degrees of spatial probability summation; None: none, and the peak is not smoothed either
    pooled  whether contrast is summed up over the image
    """

    gain: float
    own: float
    near: float | None
    cross: float | None
    q: float
    p: float = 0.3424
    slope: float = 0.34
    reach: float | None = -0.502280453708
    filters: Filters = "sp0"


SIDE_BY_SIDE = Task(0.203943775672, 1.41846291721, 0.136877512403, None, 0.108934275615)
TASKS = {
    "quality": SIDE_BY_SIDE,
    "side-by-side": SIDE_BY_SIDE,
    "flicker": Task(
        0.359225308021 + 0.14178269059, 1.48041073222, 0.00886149078207, None, 0.11339123107,
        slope=0.591472024776, reach=-0.511779476487,
    ),
    "detection": Task(
        -1.0, 1.73128, None, 0.816109, 0.290256, p=log10(2.2), slope=log10(3.5), reach=None, filters="sp3"
    ),
}  # fmt: skip


@metric(
    Card(
        title="HDR-VDP-3 (3.0.7)",
        unit="JOD",
        better="higher",
        span=(None, 10.0),
        best=10.0,
        reads="nits",
        needs=("ppd", "maps"),
        side=16,
        planes=60,
        source="Mantiuk, Hammou, Hanji 2023, arXiv:2304.13625; program 3.0.7",
    )
)
def hdrvdp3(
    ref: Tensor,
    dist: Tensor,
    *,
    ppd: float = 45.0,
    task: Literal["quality", "side-by-side", "flicker", "detection", "civdm"] = "quality",
    output: Literal["jod", "q", "p-det", "c-max"] = "jod",
    colour: Colour = "auto",
    spectra: Literal["auto", "led-lcd-srgb", "led-lcd-wcg", "oled", "ccfl-lcd", "crt", "d65"] = "auto",
    mtf: Mtf = "hdrvdp",
    age: float = 24.0,
    surround: str = "none",
    sensitivity: float = 0.0,
    masking: bool = True,
    mask_p: float | None = None,
    mask_q: float | None = None,
    lowest_cpd: float = 0.0,
    pixel_threshold: bool = False,
    filters: Literal["auto", "sp0", "sp3", "sp5"] = "auto",
    maps: bool = True,
) -> Reading:
    """docs
    """
    known = TASKS[task]
    colour = resolve(colour, ref.shape[1])
    viewer = Viewer(ppd, age, mtf, _spectra(spectra, colour), known.gain + sensitivity)
    ref, dist = emitted(ref, colour), emitted(dist, colour)
    around = surround_light(surround, ref)
    ref, dist = native(ref, colour, viewer.spectra), native(dist, colour, viewer.spectra)
    changed = ((dist - ref).abs() / ref > 0.001).any(1, keepdim=True)
    bands = known.filters if filters == "auto" else filters
    r_resp, r_adapt = sense(ref, viewer, around)
    t_resp, t_adapt = sense(dist, viewer, around)
    levels = max(min(ceil(log2(ppd)) - 2, deepest(*ref.shape[-2:], bands)), 0)
    R = [b / 2**i for i, b in enumerate(decompose(r_resp, levels, bands))]
    T = [b / 2**i for i, b in enumerate(decompose(t_resp, levels, bands))]
    R[-1] = R[-1] - R[-1].mean((-2, -1), keepdim=True)
    T[-1] = T[-1] - T[-1].mean((-2, -1), keepdim=True)
    log_adapting = ((r_adapt + t_adapt) / 2).clamp(1e-5, 1e5).log10()
    p, q = 10 ** (known.p if mask_p is None else mask_p), 10 ** (known.q if mask_q is None else mask_q)
    slope = 10**known.slope
    common = [mutual(t, r) for t, r in zip(T, R)]
    n = len(T)
    err = 0
    D = []
    last = None
    for b in range(n):
        size = T[b].shape[-2:]
        adapt = imresize(log_adapting, size=size).clamp(-5, 5)
        d = T[b] - R[b]
        cpd = ppd / 2 * 2.0**-b
        if b == n - 1:
            sens = _dominant(d, cpd, adapt, viewer)
        else:
            sens = at_each(tabulated_v3(cpd, mtf, age, d.dtype, d.device), adapt)
        c = sens**p
        if masking:
            m = common[b]
            hidden = 10**known.own * m**q
            if known.cross is not None and m.shape[1] > 1:
                hidden = hidden + 10**known.cross * (m.sum(1, keepdim=True) - m).clamp(min=0) ** q
            if known.near is not None:
                near = 0
                if b > 0:
                    near = imresize(common[b - 1][:, : m.shape[1]], size=size).clamp(min=0)
                if b < n - 2:
                    near = near + imresize(common[b + 1][:, : m.shape[1]], size=size).clamp(min=0)
                hidden = hidden + 10**known.near * near**q
            gain = c / torch.sqrt(1 + (hidden * c) ** 2)
        else:
            gain = c
        if cpd < lowest_cpd:
            D.append(torch.zeros_like(d))
        else:
            D.append(d.sign() * d.abs() ** slope * gain ** (slope / p) * 2**b)
            share = imresize(changed.to(d.dtype), size=size).abs()
            last = (d.abs() ** (0.8 * p) * (gain * share) ** 0.8).mean((-2, -1)) ** 1.25
        err = err + last.sum(1) / n
    Q = BEST + FLOOR - torch.log(exp(FLOOR) + err)
    jod = 10 - JOD[0] * (10 - Q).clamp(min=0) ** JOD[1]
    S = rebuild(D, bands).abs()
    extra = {"q": Q, "jod": jod}
    if known.reach is None:
        S = S.sum((1, 2, 3), keepdim=True) / (S.amax((1, 2, 3), keepdim=True) + 1e-12) * S
        P = 1 - torch.exp(log(0.5) * S)
        extra |= {"p_det": P.amax((1, 2, 3)), "c_max": S.amax((1, 2, 3))}
    else:
        P = 1 - torch.exp(log(0.5) * S)
        P = 1 - torch.exp(blur(torch.log(1 - P + 1e-4), 10**known.reach * ppd, "zero"))
        if pixel_threshold:
            P = P * (1 - torch.exp(log(0.5) * ((r_adapt - t_adapt).abs() / r_adapt / 0.01) ** 3.5))
        sm = blur(torch.cat([P, S]), 0.25 * ppd, "zero").amax((1, 2, 3))
        k = len(P)
        extra |= {"p_det": sm[:k], "c_max": sm[k:]}
    return Reading(jod, P, extra)


def _spectra(spectra, colour):
    if spectra != "auto":
        return spectra
    return {"luminance": "d65", "luma-display": "d65", "rgb-bt.2020": "oled", "XYZ": "oled"}.get(colour, "led-lcd-srgb")


def _dominant(difference: Tensor, cpd: float, log_adapting: Tensor, viewer: Viewer) -> Tensor:
    """Sensitivity (N, 1, 1, 1) at the frequency that is strongest in the base band's difference."""
    n, _, h, w = difference.shape
    power = torch.fft.rfft2(difference.detach()).abs().flatten(1)
    power[:, 0] = 0
    y = torch.fft.fftfreq(h, dtype=power.dtype, device=power.device)
    x = torch.fft.rfftfreq(w, dtype=power.dtype, device=power.device)
    rho = torch.hypot(y[:, None], x).flatten() * (4 * cpd)
    freq = rho[power.argmax(1)]
    mean = log_adapting.mean((1, 2, 3))
    return curve_v3(freq, mean, viewer.mtf, viewer.age)[:, None, None, None]
