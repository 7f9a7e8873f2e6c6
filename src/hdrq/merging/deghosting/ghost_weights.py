"""Factors on the weights of frames: 0 where a frame disagrees with the scene because of a moving object."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from hdrq.image.exposure_fusion import quality
from hdrq.merging.alignment.mtb import grey
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip, strips
from hdrq.merging.averaging import Tables
from hdrq.merging.deghosting.ghost_detection import disagreement, ghost_mask, moving_clusters
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.curve import look_up
from hdrq.merging.response.samples import Samples

BRIGHT, DARK = 0.92, 0.02  # codes (of 1) outside which a pixel only bounds the radiance
DARK_DEEP = 0.0005  # for files of more than eight bits
BOUND_SLACK = 0.75  # factor by which such a bound is relaxed, because the response is uncertain there
LEAST, MOST = 0.12, 0.5  # limits of the relative deviation between frames that is not taken as motion
FLOOR_DEVIATION = 0.5  # ln: dark codes with a larger typical deviation or scatter are below the noise floor
HIGHEST_FLOOR = 24  # upper limit of the noise floor, of 255
CODES = 0.5  # variance, in codes², that rounding and JPEG add
KNOWN, ABOVE, BELOW = 1, 0, 2  # known of a pixel: its radiance, a lower bound, an upper bound


class ReferenceGhosts:
    """Factors that exclude what disagrees with the reference by more than noise and the expected deviation.

    Call it with frames in `order`, the reference first. Where the reference is clipped, the next frame that is well
    exposed there and consistent with the reference's bound defines the known radiance.

    mask (H, W) uint8: 255 where some frame is excluded;  share (P,): excluded share of the image, per frame
    """

    def __init__(
        self, stack: ExposureStack, alignment: Alignment, calibration: Calibration, samples: Samples
    ) -> None:
        top, bottom, left, right = alignment.area
        shape = (stack.channels, bottom - top, right - left)
        self.known = torch.zeros(shape)
        self.noise = torch.zeros(shape, dtype=torch.float16)  # standard deviation divided by light
        self.state = torch.full(shape, ABOVE, dtype=torch.uint8)
        self.mask = torch.zeros(shape[1:], dtype=torch.uint8)
        self.share = np.zeros(len(stack))
        self.calibration = calibration
        self.reference = alignment.reference
        self.white = float(calibration.response.curve[-1].max())
        stops = np.abs(np.log2(calibration.seconds / calibration.seconds[alignment.reference]))
        self.order = [int(k) for k in np.argsort(stops, kind="stable")]
        self.bias, self.tolerance, self.noise_floor = expected_deviation(
            calibration, samples, self.order, stack.levels > 256
        )
        self.pixels = shape[1] * shape[2]

    def __call__(self, k: int, strip: Strip, light: Tensor, tables: Tables) -> Tensor | None:
        rows = slice(strip.top, strip.bottom)
        t = float(self.calibration.seconds[k])
        x = strip.codes.float() / (strip.levels - 1)
        radiance = light.float() / t * _of_code(np.exp(-self.bias[k]), strip, not tables.coarse)
        step = look_up(strip.codes, tables.step).float()
        noise = self.calibration.noise.variance(light.float() / self.white) * (self.white / t) ** 2
        noise = noise + CODES * (step / t) ** 2
        state = torch.full(x.shape, KNOWN, dtype=torch.uint8, device=x.device)
        state.masked_fill_(x < (DARK if tables.coarse else DARK_DEEP), BELOW)
        if (noise_floor := float(self.noise_floor[k])) > 0:
            state.masked_fill_(x <= noise_floor, BELOW)
            floor = tables.light[:, round(noise_floor * (strip.levels - 1))].float()[:, None, None] / t
            radiance = torch.where(x <= noise_floor, radiance.maximum(floor), radiance)
        state.masked_fill_(x.amax(0, keepdim=True) > BRIGHT, ABOVE)  # channels of demosaiced pixels are mixed
        radiance = torch.where(
            state == ABOVE,
            BOUND_SLACK * radiance,
            torch.where(state == BELOW, radiance / BOUND_SLACK, radiance),
        )
        known, before = self.known[:, rows].to(x.device), self.state[:, rows].to(x.device)
        if k == self.reference:
            if strip.top == 0:  # a rule of two passes reads all frames twice
                self.share[:], self.mask[:] = 0, 0
            mask = torch.zeros_like(x[:1])
            fresh = torch.ones_like(x, dtype=torch.bool)
        else:
            low = torch.where(before == BELOW, torch.zeros_like(known), known)
            high = torch.where(before == ABOVE, torch.full_like(known, torch.inf), known)
            low_ok = torch.where(state == ABOVE, torch.full_like(radiance, torch.inf), radiance)
            high_ok = torch.where(state == BELOW, torch.zeros_like(radiance), radiance)
            over = disagreement(
                low_ok,
                high_ok,
                noise,
                low,
                high,
                (self.noise[:, rows].to(x.device).float() * known) ** 2,
                tolerance=_of_code(self.tolerance[k], strip, not tables.coarse),
            )
            mask = ghost_mask(over * strip.inside)
            bound_only = (before == ABOVE).any(0, keepdim=True) & (over <= 1)
            mask = torch.where(
                bound_only, torch.zeros_like(mask), mask
            )  # otherwise no frame would remain there
            still = (mask < 0.5) & (strip.inside > 0)
            tighter = ((before == ABOVE) & (state == ABOVE) & (radiance > known)) | (
                (before == BELOW) & (state == BELOW) & (radiance < known)
            )
            fresh = still & (((before != KNOWN) & (state == KNOWN)) | tighter)
        self.known[:, rows] = torch.where(fresh, radiance, known).cpu()
        relative = (noise.sqrt() / radiance.clamp(min=1e-12)).clamp(max=1e4).half()
        self.noise[:, rows] = torch.where(fresh, relative, self.noise[:, rows].to(x.device)).cpu()
        self.state[:, rows] = torch.where(fresh, state, before).cpu()
        if k == self.reference:
            return None
        self.share[k] += float((mask > 0.5).sum()) / self.pixels
        self.mask[rows] = torch.maximum(self.mask[rows], (mask[0] * 255).round().to(torch.uint8).cpu())
        return 1 - mask


def expected_deviation(
    calibration: Calibration, samples: Samples, order: list[int], deep: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Typical deviation of a frame's radiance from the frames before it in `order`.

    deep     files of more than eight bits: the 256 steps are of the square root of code, for resolution in shadows
    returns  bias (P, 256): ln of the typical ratio per step of code, not 0 where response or exposure are wrong;
             tolerance (P, 256): relative scatter around it that is not motion, three robust standard deviations,
             between LEAST and MOST;
             noise floor (P,): code (of 1) below which flare, raised black and JPEG dominate
    """
    x = samples.codes / 255
    levels, channels = (65536 if deep else 256), x.shape[2]
    table = np.broadcast_to(calibration.response.table(levels), (levels, channels))
    log = np.log(np.maximum(table, 1e-9 * table.max()))
    steps = np.rint(255 * (np.sqrt(x) if deep else x)).astype(int)
    known = np.full(x.shape[1:], np.nan)
    bias, scatter, noise_floor = (
        np.zeros((len(order), 256)),
        np.full((len(order), 256), LEAST),
        np.zeros(len(order)),
    )
    for k in order:
        z = steps[k]
        seen = (x[k] > (DARK_DEEP if deep else DARK)) & (x[k] < BRIGHT)
        light = log[np.rint(x[k] * (levels - 1)).astype(int), np.arange(channels)]
        light = light - np.log(calibration.seconds[k])
        both = seen & np.isfinite(known)
        if both.sum() > 500:
            last = _noise_floor(z[both], (light - known)[both])
            seen &= z > last
            both &= seen
            noise_floor[k] = (last / 255) ** (2 if deep else 1)
        if both.sum() > 500:
            miss, at = (light - known)[both], z[both]
            bias[k] = np.clip(_median_by_code(at, miss), -FLOOR_DEVIATION, FLOOR_DEVIATION)
            scatter[k] = np.clip(3 * 1.4826 * _median_by_code(at, np.abs(miss - bias[k][at])), LEAST, MOST)
        known = np.where(np.isfinite(known) | ~seen, known, light - bias[k][z])
    return bias, scatter, noise_floor


def _noise_floor(code: np.ndarray, miss: np.ndarray, least: int = 20) -> int:
    """The highest dark step of code whose typical deviation or scatter exceeds FLOOR_DEVIATION; 0 if none does."""
    for q in range(HIGHEST_FLOOR, 0, -1):
        there = miss[code == q]
        if len(there) >= least:
            middle = np.median(there)
            if middle > FLOOR_DEVIATION or 1.4826 * np.median(np.abs(there - middle)) > FLOOR_DEVIATION:
                return q
    return 0


def _median_by_code(code: np.ndarray, value: np.ndarray, least: int = 10) -> np.ndarray:
    """(256,) typical value per code: the median of the medians of neighbouring codes.

    Every code has the same weight, so that a moving object of one colour does not dominate.
    """
    order = np.argsort(code, kind="stable")
    code, value = code[order], value[order]
    ends = np.searchsorted(code, np.arange(257))
    votes = np.array([np.median(value[a:b]) if b - a >= least else np.nan for a, b in pairwise(ends)])
    if not np.isfinite(votes).any():
        return np.full(256, np.median(value))
    seen = np.flatnonzero(np.isfinite(votes))
    usual = [np.median(votes[seen[np.abs(seen - q) <= max(1, 0.15 * q)]]) for q in seen]
    result: np.ndarray = np.interp(np.arange(256), seen, usual)
    return result


def _of_code(table: np.ndarray, strip: Strip, deep: bool) -> Tensor:
    """A table over 256 steps of code (deep: of its square root), at the codes of a strip, (C, h, W)."""
    x = np.linspace(0, 1, strip.levels)
    fine = np.interp(255 * (np.sqrt(x) if deep else x), np.arange(256), table)
    return look_up(strip.codes, torch.as_tensor(fine, dtype=torch.float32, device=strip.codes.device))


class BitmapGhosts:
    """Factors that keep the best-exposed frame in every moving region. Source: Pece & Kautz, CVMP 2010."""

    def __init__(
        self, stack: ExposureStack, alignment: Alignment, device: torch.device | str = "cpu"
    ) -> None:
        self.labels, self.count = moving_clusters(
            _shifted(stack, alignment, k, lambda v: torch.from_numpy(grey(_eight(v)))[None], device)[
                0
            ].numpy()
            for k in range(len(stack))
        )
        sums = []
        for k in range(len(stack)):
            score = _shifted(
                stack, alignment, k, lambda v: quality(v.codes[None].float() / (v.levels - 1))[0], device
            )[0]
            sums.append(np.bincount(self.labels.ravel(), score.double().numpy().ravel(), self.count + 1))
        self.best = torch.from_numpy(np.argmax(sums, 0))
        self.order = list(range(len(stack)))
        self.mask = torch.from_numpy(((self.labels > 0) * 255).astype(np.uint8))
        self.share = np.array([float((self._others(k) == 0).float().mean()) for k in self.order])

    def _others(self, k: int, rows: slice = slice(None)) -> Tensor:
        """1 where frame k is used."""
        labels = torch.from_numpy(self.labels[rows]).long()
        return ((labels == 0) | (self.best[labels] == k)).float()

    def __call__(self, k: int, strip: Strip, light: Tensor, tables: Tables) -> Tensor:
        return self._others(k, slice(strip.top, strip.bottom))[None].to(light.device)


def _eight(strip: Strip) -> np.ndarray:
    codes = strip.codes if strip.levels == 256 else strip.codes // 257
    return codes.to(torch.uint8).cpu().numpy()


def _shifted(
    stack: ExposureStack,
    alignment: Alignment,
    k: int,
    make: Callable[[Strip], Tensor],
    device: torch.device | str,
) -> Tensor:
    """The results of `make` for every strip of frame k, joined to (1, H, W)."""
    return torch.cat([make(v).cpu() for v in strips(stack, alignment, k, device)], 1)
