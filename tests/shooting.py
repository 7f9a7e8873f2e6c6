"""A made-up camera: scenes rendered, exposed, moved, spoiled by noise and written to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from scipy.ndimage import gaussian_filter

from hdrq.image.render import room
from hdrq.image.transfer import linear_to_srgb
from hdrq.image.warp import positions, sample, translation
from hdrq.merging.response.curve import Response
from hdrq.merging.response.files import write_response


def scene(height: int, width: int, stops: float = 12, seed: int = 0) -> np.ndarray:
    """(H, W, 3) radiance with structure at every scale, median 0.18."""
    rng = np.random.default_rng(seed)

    def texture(size: float) -> np.ndarray:
        x = gaussian_filter(rng.standard_normal((height, width)), size, mode="wrap")
        return x / x.std()

    tone = (
        np.linspace(-1, 1, width) * stops * 0.3
        + texture(30) * stops * 0.1
        + texture(6) * 0.6
        + texture(2) * 0.25
    )
    colour = np.stack([texture(20) * 0.3, texture(20) * 0.2, texture(20) * 0.3], -1)
    light = 2.0 ** (tone[..., None] + colour)
    return light / np.median(light) * 0.18


def curve(exposure: np.ndarray) -> np.ndarray:
    """The camera's tone curve, exposure 0..1 to code 0..1: an S that is no power law."""
    x = np.clip(exposure, 0, 1)
    return x**0.45 * (1 + 0.35 * (1 - x))


def exposure_of(code: np.ndarray) -> np.ndarray:
    """The curve backwards (up to where it saturates)."""
    e = np.concatenate([[0], np.geomspace(1e-7, 1, 20000)])
    return np.interp(code, np.maximum.accumulate(np.clip(curve(e), 0, 1)), e)


def response_file(folder: Path) -> str:
    """The camera's response, written into `folder`."""
    path = folder / "response.json"
    write_response(path, Response(exposure_of(np.linspace(0, 1, 256))[:, None], "made up"))
    return str(path)


def well_exposed(light: np.ndarray, times: Sequence[float]) -> np.ndarray:
    """(H, W), where some frame shows every channel between codes 60 and 220."""
    codes = [255 * curve(light * t) for t in times]
    return np.any([((c > 60) & (c < 220)).all(-1) for c in codes], 0)


def shoot(
    light: np.ndarray,
    seconds: float,
    seed: int,
    *,
    photon: float = 2e-5,
    read: float = 1e-4,
    tone=curve,
    bits: int = 8,
) -> np.ndarray:
    """One exposure: photon and read noise, tone curve, clipping, rounding."""
    rng = np.random.default_rng(seed)
    f = light * seconds
    f = f + rng.standard_normal(f.shape) * np.sqrt(photon * f + read**2)
    most = 2**bits - 1
    return np.rint(np.clip(tone(np.clip(f, 0, 1)), 0, 1) * most).astype(np.uint8 if bits == 8 else np.uint16)


def turned(degrees: float, dy: float, dx: float, size: tuple[int, int]) -> np.ndarray:
    """Homography of a hand that moves: rotation about the middle, then a shift."""
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    centre = translation(size[0] / 2, size[1] / 2)
    return centre @ turn @ np.linalg.inv(centre) @ translation(dy, dx)


def seen_through(light: np.ndarray, h: np.ndarray) -> np.ndarray:
    """The scene as a frame sees it whose pixel h(p) shows what pixel p of the scene shows."""
    rows, columns = light.shape[:2]
    x, y = positions(np.linalg.inv(h), 0, rows, 0, columns)
    out = sample(torch.from_numpy(light).permute(2, 0, 1).float(), x, y)
    return out.permute(1, 2, 0).numpy().clip(1e-6)


def save(frames: Sequence[np.ndarray], folder: Path, stem: str = "f") -> list[str]:
    """Frames (H, W, 3) as PNG files of 8 or 16 bits."""
    import imagecodecs

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, frame in enumerate(frames):
        path = folder / f"{stem}{i}.png"
        if frame.dtype == np.uint8:
            Picture.fromarray(frame).save(path)
        else:
            path.write_bytes(imagecodecs.png_encode(frame))
        paths.append(str(path))
    return paths


def demo_bracket(folder: Path) -> list[str]:
    """The frames of docs/merging.md: PNGs of 400 x 300 pixels of the scene of `hdrq demo`, 1/16, 1/4 and 1 s, shifted."""
    light = room(480, 320)[0].permute(1, 2, 0).numpy().astype(float) / 50
    parts = [light[y : y + 300, x : x + 400] for y, x in ((14, 10), (10, 16), (8, 8))]
    frames = [
        shoot(part, seconds, seed, photon=5e-5, tone=lambda e: linear_to_srgb(torch.from_numpy(e)).numpy())
        for seed, (part, seconds) in enumerate(zip(parts, (1 / 16, 1 / 4, 1.0)))
    ]
    return save(frames, folder)


def demo_mosaic(folder: Path) -> str:
    """The mosaic of docs/merging.md: a PNG of 400 x 300 pixels of the same scene, RGGB, pairs of rows 4 stops apart."""
    import imagecodecs

    light = room(480, 320)[0].permute(1, 2, 0).numpy().astype(float)[10:310, 16:416] / 50
    y, x = np.mgrid[:300, :400]
    seen = np.take_along_axis(light, (y % 2 + x % 2)[..., None], 2)[..., 0]
    code = shoot(
        seen * np.where(y // 2 % 2 == 0, 1 / 16, 1.0), 1.0, 0, photon=5e-5, tone=lambda e: e, bits=16
    )
    path = folder / "mosaic.png"
    path.write_bytes(imagecodecs.png_encode(code))
    return str(path)
