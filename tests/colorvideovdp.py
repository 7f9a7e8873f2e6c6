"""Inputs of golden/cvvdp and the light of its displays, by the facts of specs/cvvdp.md and by nothing of hdrq."""

from __future__ import annotations

from collections.abc import Callable
from math import log, log10
from typing import Any

import numpy as np
import torch
from torch import Tensor

Load = Callable[[str], Tensor]
_C = 0.8359375, 18.8515625, 18.6875
_N, _M = 0.1593017578125, 78.84375


def stored(spec: str | dict[str, Any], load: Load) -> Tensor:
    """(1, C, H, W) float64 of a still: code 0..1, or cd/m²."""
    spec = {"name": spec} if isinstance(spec, str) else spec
    x = _values(load(spec["name"]))
    if "crop" in spec:
        y0, y1, x0, x1 = spec["crop"]
        x = x[..., y0:y1, x0:x1]
    x = x * spec.get("scale", 1.0)
    if spec.get("lum"):
        x = (x * torch.tensor([0.2126, 0.7152, 0.0722], dtype=x.dtype).view(3, 1, 1)).sum(1, keepdim=True)
    return _coded(x, spec)


def stored_clip(spec: dict[str, Any], frames: int, load: Load) -> Tensor:
    """(F, C, H, W) float64 of a clip."""
    names = spec["src"] if isinstance(spec["src"], list) else [spec["src"]]
    sources = [_values(load(name)) for name in names]
    (down, right), hold, (y0, y1, x0, x1) = spec.get("v", (0, 0)), spec.get("hold", 1), spec["crop"]
    found = []
    for n in range(frames):
        f = n // hold * hold
        x = sources[f % len(sources)]
        x = x[..., y0 + down * f : y1 + down * f, x0 + right * f : x1 + right * f]
        gains = spec.get("gain", [1.0])
        found.append(_coded(x * gains[n % len(gains)], spec))
    return torch.cat(found)


def _values(x: Tensor) -> Tensor:
    top = float(x.max())
    whole = bool((x == x.round()).all()) and top > 1
    if whole and top <= 255:
        x = x / 255
    elif whole and top <= 65535:
        x = x / 65535
    return x.float().double()


def _coded(x: Tensor, spec: dict[str, Any]) -> Tensor:
    if "pq" not in spec:
        return x.float().double()
    y = (x.float().double().clamp(0, 10000) / 10000) ** _N
    code, steps = ((_C[0] + _C[1] * y) / (1 + _C[2] * y)) ** _M, 2 ** spec["pq"] - 1
    return ((code * steps).round() / steps if steps else code).float().double()


def light_of(x: Tensor, d: dict[str, Any]) -> Tensor:
    """Light, cd/m², of stored values on a display as resolved in the golden file."""
    peak, black, reflected, gain = d["Y_peak"], d["Y_black"], d["Y_refl"], d["exposure"]
    if d["EOTF"] == "linear":
        return (x * gain).clamp(max(0.005, black), peak) + reflected
    v = x.clamp(0, 1)
    if d["EOTF"] == "PQ":
        p = v ** (1 / _M)
        light = 10000 * ((p - _C[0]).clamp(min=0) / (_C[1] - _C[2] * p)) ** (1 / _N)
        return (light * gain).clamp(0.005, peak) + black + reflected
    if d["EOTF"] == "HLG":
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * log(4 * a)
        scene = torch.where(v <= 0.5, v**2 / 3, (((v - c) / a).exp() + b) / 12)
        y = (scene * torch.tensor([0.2627, 0.6780, 0.0593], dtype=v.dtype).view(3, 1, 1)).sum(1, keepdim=True)
        gamma = 1.2
        if peak > 1000:
            gamma += 0.42 * log10(peak / 1000) - 0.07623 * log10(d["E_ambient"] / 5)
        curve = scene * y ** (gamma - 1)
    elif d["EOTF"] == "sRGB":
        curve = torch.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    else:
        curve = (v ** float(d["EOTF"]) * gain).clamp(0, 1)
    return (peak - black) * curve + (black + reflected)


def planes(stack: np.ndarray) -> tuple[Tensor, Tensor]:
    """(test, reference) of planes that take turns, (C, H, W) each."""
    pairs = torch.from_numpy(np.asarray(stack, np.float64)).unflatten(0, (-1, 2))
    return pairs[:, 0], pairs[:, 1]
