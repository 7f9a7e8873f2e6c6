"""What the pixels say about the camera: its response, its true exposures, its noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import PixelError, UsageError
from hdrq.image.warp import apply
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.alignment.threshold_bitmaps import grey
from hdrq.merging.exposure_stack import Bracket
from hdrq.merging.noise import Noise, fit_noise
from hdrq.merging.response.curve import FIXED, Response, consistency, fixed_response, usable
from hdrq.merging.response.exposure_ratios import TILES, exposure_ratios
from hdrq.merging.response.files import read_response
from hdrq.registry import find, names

SAMPLES = 20_000
FITTED = 8_000  # of the samples, for a response: more make the curve no better
FILES = (".json", ".rsp", ".npz", ".npy", ".csv", ".txt")


@dataclass(frozen=True)
class Samples:
    """codes (P, N, C) 0..255 (fractions for deeper files);  tile (N,) the part of the picture."""

    codes: np.ndarray
    tile: np.ndarray


@dataclass
class Calibration:
    """Everything the merge needs to turn codes into light, and how sure it is."""

    response: Response
    seconds: np.ndarray
    noise: Noise
    consistency: dict[str, Any] = field(default_factory=dict)
    exposure_spread: np.ndarray | None = None
    misfit: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def estimators() -> tuple[str, ...]:
    """Names of the shelf's response estimators."""
    return tuple(n for n in names("merger") if find("merger", n).card.kind == "response")


def take_samples(bracket: Bracket, alignment: Alignment, count: int = SAMPLES, seed: int = 0) -> Samples:
    """Codes of the same scene points in all frames, the same number from every tile, flat places first."""
    top, bottom, left, right = alignment.area
    rng = np.random.default_rng(seed)
    per = max(1, 3 * count // TILES**2)
    box_y = np.linspace(top + 1, bottom - 1, TILES + 1)
    box_x = np.linspace(left + 1, right - 1, TILES + 1)
    i, j = (a.ravel() for a in np.meshgrid(range(TILES), range(TILES), indexing="ij"))
    y = rng.uniform(box_y[i][:, None], box_y[i + 1][:, None], (len(i), per)).astype(int)
    x = rng.uniform(box_x[j][:, None], box_x[j + 1][:, None], (len(j), per)).astype(int)
    rough = _roughness(grey(bracket.frame(alignment.reference).eight()))[y, x]
    keep = np.argsort(rough + rng.uniform(0, 0.5, rough.shape), axis=1)[:, : max(1, per // 3)]
    tile = np.repeat(np.arange(len(i)), keep.shape[1])
    y, x = np.take_along_axis(y, keep, 1).ravel(), np.take_along_axis(x, keep, 1).ravel()
    out = []
    for k in range(len(bracket)):
        frame, place = bracket.frame(k), alignment.placements[k]
        u, v = apply(place.transform, x.astype(float), y.astype(float))
        if place.flow is not None:
            u, v = u + place.flow[0].numpy()[y, x], v + place.flow[1].numpy()[y, x]
        u = np.clip(np.rint(u), 0, bracket.size[1] - 1).astype(int)
        v = np.clip(np.rint(v), 0, bracket.size[0] - 1).astype(int)
        codes = frame.codes[:, v, u].T.astype(float)
        out.append(codes if frame.levels == 256 else codes / 257.0)
    return Samples(np.stack(out), tile)


def _roughness(image: np.ndarray) -> np.ndarray:
    """Largest difference to the four neighbours, codes."""
    wide = np.pad(image.astype(np.int16), 1, mode="edge")
    centre = wide[1:-1, 1:-1]
    near = [
        np.abs(wide[a, b] - centre)
        for a, b in (
            (np.s_[:-2], np.s_[1:-1]),
            (np.s_[2:], np.s_[1:-1]),
            (np.s_[1:-1], np.s_[:-2]),
            (np.s_[1:-1], np.s_[2:]),
        )
    ]
    return np.maximum.reduce(near)


def calibrate(
    bracket: Bracket,
    alignment: Alignment,
    response: str = "auto",
    estimate_exposures: bool = False,
    seed: int = 0,
) -> Calibration:
    """Response, exposures and noise of a stack.

    response  "auto" (estimated from code, linear for linear files), an estimator's name, a fixed curve's name,
              or a file
    """
    samples = take_samples(bracket, alignment, seed=seed)
    seconds = bracket.seconds.copy()
    found, notes = _response(response, bracket, samples, seconds, seed)
    spread = misfit = None
    if estimate_exposures:
        seconds, spread = _true_exposures(samples, found, seconds, bracket.levels)
        if found.how.startswith("estimated"):
            seconds = _same_span(seconds, bracket.seconds)
            notes.append(
                "response and exposures both from pixels: the overall span of exposures is as stated"
            )
            found, _ = _response(response, bracket, samples, seconds, seed)
        misfit = np.log2(bracket.seconds / seconds)
    curve = found.table(256)
    codes = np.rint(samples.codes)
    report = consistency(codes, seconds, curve)
    if bracket.levels == 256:
        noise = fit_noise(codes, seconds, curve)
    else:  # in all their bits: a linear step of an 8-bit code hides the noise of a good camera
        noise = fit_noise(samples.codes * 257, seconds, found.table(65536))
    return Calibration(found, seconds, noise, report, spread, misfit, notes)


def _response(
    wish: str, bracket: Bracket, samples: Samples, seconds: np.ndarray, seed: int
) -> tuple[Response, list[str]]:
    levels = bracket.levels
    if Path(wish).suffix.lower() in FILES:
        found = read_response(wish)
        if found.curve.shape[1] not in (1, bracket.channels):
            raise UsageError(f"{wish} has {found.curve.shape[1]} channels, the frames {bracket.channels}")
        return found, []
    if wish in FIXED or wish.startswith("gamma"):
        return fixed_response(wish, levels), []
    if wish == "auto" and bracket.domain in ("linear", "nits", "pq", "hlg"):
        name = "linear" if bracket.domain == "nits" else bracket.domain
        return fixed_response(name, levels), []
    if wish == "auto":
        try:
            return _estimated("neighbour-ratios", samples, seconds, seed), []
        except PixelError:
            note = "the frames share too little to estimate a response; sRGB is assumed"
            return fixed_response("srgb", levels), [note]
    check_response(wish)
    return _estimated(wish, samples, seconds, seed), []


def check_response(wish: str) -> None:
    """UsageError for a name that is neither an estimator nor a curve nor a file's."""
    if wish.startswith("gamma"):
        fixed_response(wish, 2)
    elif not (wish == "auto" or Path(wish).suffix.lower() in FILES or wish in FIXED or wish in estimators()):
        raise UsageError(
            f"no response is called '{wish}'; there are auto, {', '.join((*estimators(), *FIXED))}, gamma2.2, or a file"
        )


def _estimated(name: str, samples: Samples, seconds: np.ndarray, seed: int) -> Response:
    """An estimator's curve, made usable."""
    count = samples.codes.shape[1]
    pick = np.random.default_rng(seed).permutation(count)[:FITTED]
    some = samples.codes[:, pick]
    seen = np.stack(
        [np.bincount(np.rint(some[..., c]).astype(int).ravel(), minlength=256) for c in range(some.shape[2])],
        1,
    )
    return usable(find("merger", name)(some, seconds), seen, f"estimated: {name}")


def _same_span(seconds: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Exposures with the stated overall span: a power of all of them and of the response explains the pixels alike."""
    log, told = np.log(seconds / seconds.max()), np.log(stated / stated.max())
    return stated.max() * np.exp(log * (log @ told) / max(log @ log, 1e-12))


def _true_exposures(
    samples: Samples, response: Response, seconds: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Exposures that make the frames agree, and their standard error in stops; the longest stays as stated."""
    table = np.broadcast_to(response.table(256), (256, samples.codes.shape[2]))
    knots = np.arange(256)
    white = table.max()
    light = np.concatenate(
        [np.interp(samples.codes[..., c], knots, table[:, c] / white) for c in range(samples.codes.shape[2])],
        1,
    )
    codes = np.concatenate(list(samples.codes.transpose(2, 0, 1)), 1)
    tiles = np.tile(samples.tile, samples.codes.shape[2])
    low = codes < 16 if levels == 256 else light < 0.003  # where rounding alone shifts a logarithm
    found = exposure_ratios(np.maximum(light, 1e-9), (codes > 245) | low, seconds, tiles)
    return found.relative, found.spread
