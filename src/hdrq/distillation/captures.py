"""Methods of capture as distortions: a scene is photographed by several exposures, and these are merged.

`merge:RULE` and `merge:NET@WEIGHTS` merge a bracket of three frames, and `fuse:NAME` fuses it to code; `capture:alternating`
merges a frame of a video with its neighbours; `capture:LAYOUT` merges a mosaic whose pixels have different exposures. The
level sets noise and motion.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from hdrq import io
from hdrq.distillation.distortion import uniform
from hdrq.errors import UnknownName, UsageError
from hdrq.image.statistics import luminance, quantile
from hdrq.image.warp import shift
from hdrq.merging.fusion import mertens
from hdrq.merging.merge import merge, steps
from hdrq.merging.merged import Merged
from hdrq.merging.network import Method, method_of
from hdrq.merging.sequence.layout import LAYOUTS, QUAD, colours, layout_of, pattern_of
from hdrq.merging.settings import Settings
from hdrq.nn.networks import uses
from hdrq.records import Image
from hdrq.registry import names
from hdrq.training.images.camera import Response, noisy, photograph

ALTERNATING = "alternating"
MERTENS = mertens.__name__
_LAYOUTS = (*LAYOUTS, QUAD)
EV = {
    "merge": (-3.0, 0.0, 3.0),
    "fuse": (-3.0, 0.0, 3.0),
    ALTERNATING: (-2.0, 2.0, -2.0),
    "mosaic": (-3.0, 1.0),
}
# quantile of luminance that saturates a frame of 0 EV
_MIDDLE = 0.9
# At levels 0 to 5: relative noise of a pixel at white, 1 / sqrt(electrons), and motion between frames, pixels.
_NOISE = (0.0, 0.004, 0.008, 0.015, 0.03, 0.06)
_MOTION = (0.0, 1.0, 2.0, 4.0, 6.0, 9.0)
# electrons
_READ = 4.0
_FILTERS = "rggb"


@dataclass(frozen=True)
class Captured:
    """What a camera recorded: 8-bit frames in sRGB (H, W, 3), or one linear mosaic (H, W) of 16 bits, with the exposure of
    each frame or number of the layout in stops; the luminance, cd/m², that saturates a frame of 0 EV; and the electrons that
    saturate a pixel, 0 without noise."""

    frames: tuple[np.ndarray, ...]
    ev: tuple[float, ...]
    white: float
    electrons: float

    def write(self, folder: Path) -> None:
        """Write the frames as 0.png, 1.png ... with exposures.csv, or mosaic.png; and capture.json, what is known of them."""
        folder.mkdir(parents=True, exist_ok=True)
        mosaic = self.frames[0].ndim == 2
        known: dict[str, Any] = {
            "ev": self.ev,
            "white_nits": self.white,
            "electrons": self.electrons,
            "read": _READ,
        }
        names = ["mosaic.png"] if mosaic else [f"{k}.png" for k in range(len(self.frames))]
        for name, frame in zip(names, self.frames):
            pixels = torch.from_numpy(frame.astype(np.float32) / (65535 if mosaic else 255))
            pixels = pixels[None, None] if mosaic else pixels.permute(2, 0, 1)[None]
            io.write(folder / name, Image(pixels, "srgb"), depth="uint16" if mosaic else "uint8")
        if mosaic:
            known["filters"] = _FILTERS
        else:
            rows = "".join(f"{name},{ev:g}\n" for name, ev in zip(names, self.ev))
            with io.atomic(folder / "exposures.csv") as part:
                part.write_text("file,ev\n" + rows, encoding="utf-8")
        with io.atomic(folder / "capture.json") as part:
            part.write_text(json.dumps(known) + "\n", encoding="utf-8")


def check_capture(kind: str, name: str) -> None:
    """Raise where there is no such method: UnknownName, UsageError, or MissingPart where its weights are missing."""
    if kind == "merge":
        if name in names("merger"):
            return
        if name.partition("@")[0] not in names("net"):
            known = ", ".join((*names("merger"), *uses("merge")))
            raise UnknownName(f"there is no way to merge '{name}'; choose one of {known}")
        _refuse_unfit(name, kind)
    elif kind == "fuse":
        if name == MERTENS:
            return
        if name.partition("@")[0] not in names("net"):
            known = ", ".join((MERTENS, *uses("fuse")))
            raise UnknownName(f"there is no way to fuse '{name}'; choose one of {known}")
        _refuse_unfit(name, kind)
    elif name not in (ALTERNATING, *_LAYOUTS):
        raise UnknownName(f"there is no capture '{name}'; choose one of {ALTERNATING}, {', '.join(_LAYOUTS)}")


def _refuse_unfit(name: str, kind: str) -> None:
    """Raise UsageError for a network of another use or number of frames, MissingPart where its weights are missing."""
    method = method_of(name, kind == "fuse")
    if method is not None:
        method.refuse_count(len(EV[kind]))


def captured(kind: str, name: str, light: Tensor, level: float, seed: int) -> Captured:
    """The frames of a scene, whose light (1, 3, H, W) is that of the middle frame, or its mosaic."""
    random = torch.Generator().manual_seed(seed)
    white = float(quantile(luminance(light), _MIDDLE).clamp(min=1e-6))
    noise, motion = (float(np.interp(level, range(6), steps)) for steps in (_NOISE, _MOTION))
    electrons = 1 / noise**2 if noise else 0.0
    scene = (light[0] / white).cpu().float()
    if kind == "capture" and name != ALTERNATING:
        # a quad filter lies over four pixels of a quarter of the area each
        electrons /= 4 if name == QUAD else 1
        return Captured((_mosaic(scene, name, electrons, random),), EV["mosaic"], white, electrons)
    ev = EV[ALTERNATING if kind == "capture" else kind]
    moved = _moving(scene, motion, len(ev), random)
    frames = []
    for stops, frame in zip(ev, moved):
        code = photograph(frame * 2.0**stops, Response("srgb"), random, electrons=electrons, read=_READ)
        frames.append((code * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    return Captured(tuple(frames), ev, white, electrons)


def merged_light(kind: str, name: str, shots: Captured, seed: int) -> Tensor:
    """(1, 3, H, W) light, cd/m², that the method makes of a capture."""
    settings = Settings(seed=seed, ev=shots.ev, scale="relative")
    if kind == "capture" and name != ALTERNATING:
        options: dict[str, Any] = {"pattern": "bayer-me", "layout": name, "filters": _FILTERS}
        if shots.electrons:
            options["noise"] = (shots.electrons, _READ)
        (mosaic,) = merge(list(shots.frames), settings, **options)
        return _light(mosaic.image.pixels, shots)
    options = {"response": "srgb", "crop": "reference"}
    if kind == "capture":
        options |= {"pattern": "alternating"}
        found = list(merge(list(shots.frames), settings, **options))
        return _light(found[len(found) // 2].image.pixels, shots)
    if name in names("merger"):
        made = merge(list(shots.frames), settings, reference=1, rule=name, **options)
    else:
        made = _by_network(name, shots, replace(settings, method=name, **options))
    return _light(made.image.pixels, shots)


def fused_code(name: str, shots: Captured, seed: int) -> Tensor:
    """(1, 3, H, W) sRGB code 0..1 that exposure fusion makes of a capture, aligned to its middle frame."""
    settings = Settings(seed=seed, ev=shots.ev, fuse=True, crop="reference", reference=1)
    if name == MERTENS:
        return merge(list(shots.frames), settings).image.pixels
    return _by_network(name, shots, replace(settings, method=name)).image.pixels


def _by_network(name: str, shots: Captured, settings: Settings) -> Merged:
    *_, made = steps(list(shots.frames), settings, _method(name, settings.fuse))
    assert isinstance(made, Merged)
    return made


@lru_cache(2)
def _method(name: str, fuse: bool) -> Method | None:
    """A network, whose weights are then loaded once for many rows."""
    return method_of(name, fuse)


def _light(radiance: Tensor, shots: Captured) -> Tensor:
    return radiance.float() * shots.white


def _moving(scene: Tensor, motion: float, count: int, random: Generator) -> list[Tensor]:
    """Frames before, at and after the scene: the camera moves by up to a third of `motion`, and a patch of it by all."""
    h, w = scene.shape[-2:]
    side = max(4, min(h, w) // 4)
    top, left = (int(uniform(0, n - side, random)) for n in (h, w))
    angle, turn = (uniform(0, 2 * np.pi, random) for _ in range(2))
    patch = scene[:, top : top + side, left : left + side]
    out = []
    for k in range(count):
        time = k - count // 2
        frame = scene
        if motion and time:
            frame = scene.clone()
            y = int(np.clip(round(top + time * motion * np.sin(turn)), 0, h - side))
            x = int(np.clip(round(left + time * motion * np.cos(turn)), 0, w - side))
            frame[:, y : y + side, x : x + side] = patch
            far = time * motion / 3
            frame = shift(frame[None], far * float(np.sin(angle)), far * float(np.cos(angle)))[0]
        out.append(frame)
    return out


def _mosaic(scene: Tensor, name: str, electrons: float, random: Generator) -> np.ndarray:
    """The values of 16 bits of a sensor of one pixel for each of the scene, or of four below a quad filter."""
    layout = layout_of(name, len(EV["mosaic"]))
    colour = torch.from_numpy(colours(pattern_of(_FILTERS), (int(scene.shape[-2]), int(scene.shape[-1]))))
    if layout.binned:
        scene, colour = (x.repeat_interleave(2, -2).repeat_interleave(2, -1) for x in (scene, colour))
    number = layout.exposures((int(scene.shape[-2]), int(scene.shape[-1])))
    seen = (
        scene.gather(0, colour[None])[0]
        * torch.tensor([2.0**e for e in EV["mosaic"]])[torch.from_numpy(number)]
    )
    value = noisy(seen.clamp(max=2.0), electrons, _READ, random).clamp(0, 1)
    result: np.ndarray = (value * 65535).round().to(torch.int32).numpy().astype(np.uint16)
    return result


def refuse_code(display: str, distortion: str) -> None:
    """Raise UsageError where a capture is asked of an image of code, which has no light beyond white to capture."""
    if display != "light":
        raise UsageError(
            f"{distortion} captures light, and an image of code is already one exposure; use HDR --images"
        )
