"""Which pixels of which frames to leave out because something moved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from hdrq.image.exposure_fusion import quality
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.alignment.threshold_bitmaps import grey
from hdrq.merging.calibration import Calibration, Samples
from hdrq.merging.combination import Tables
from hdrq.merging.deghosting.movement import disagreement, ghost_mask, moving_clusters
from hdrq.merging.exposure_stack import Bracket
from hdrq.merging.response.curve import look_up
from hdrq.merging.view import View, views

BRIGHT, DARK = 0.92, 0.02  # codes (of 1) beyond which a pixel only bounds the light
DARK_DEEP = 0.0005  # of files of more than eight bits
LOOSE = 0.75  # of such a bound, for the response is least known there
LEAST, MOST = 0.12, 0.5  # relative scatter between frames that is never, and always, called movement
DEAF = 0.5  # ln: no response is further off; dark codes that usually are, or scatter so, are only a bound
DEAFEST = 24  # steps of 255 of code: higher ones are always believed
CODES = 0.5  # variance, in codes², that rounding and JPEG add
KNOWN, ABOVE, BELOW = 1, 0, 2  # what is known of a pixel: its light, a lower bound, an upper bound


class ReferenceTrust:
    """Leaves out what disagrees with the reference, by more than both noises and the response's own errors.

    Frames are shown in order of their distance from the reference. Where the reference is clipped, the next frame that
    sees the place and does not break the reference's bound takes over as what is known.
    """

    def __init__(
        self, bracket: Bracket, alignment: Alignment, calibration: Calibration, samples: Samples
    ) -> None:
        top, bottom, left, right = alignment.area
        shape = (bracket.channels, bottom - top, right - left)
        self.known = torch.zeros(shape)
        self.noise = torch.zeros(shape, dtype=torch.float16)  # standard deviation over light
        self.state = torch.full(shape, ABOVE, dtype=torch.uint8)
        self.mask = torch.zeros(shape[1:], dtype=torch.uint8)
        self.share = np.zeros(len(bracket))
        self.calibration = calibration
        self.reference = alignment.reference
        self.white = float(calibration.response.curve[-1].max())
        stops = np.abs(np.log2(calibration.seconds / calibration.seconds[alignment.reference]))
        self.order = [int(k) for k in np.argsort(stops, kind="stable")]
        self.bias, self.tolerance, self.deaf = habits(calibration, samples, self.order, bracket.levels > 256)
        self.pixels = shape[1] * shape[2]

    def __call__(self, k: int, view: View, light: Tensor, tables: Tables) -> Tensor | None:
        rows = slice(view.top, view.bottom)
        t = float(self.calibration.seconds[k])
        x = view.codes.float() / (view.levels - 1)
        radiance = light.float() / t * _of_code(np.exp(-self.bias[k]), view, not tables.coarse)
        step = look_up(view.codes, tables.step).float()
        noise = self.calibration.noise.variance(light.float() / self.white) * (self.white / t) ** 2
        noise = noise + CODES * (step / t) ** 2
        state = torch.full(x.shape, KNOWN, dtype=torch.uint8, device=x.device)
        state[x < (DARK if tables.coarse else DARK_DEEP)] = BELOW
        if (deaf := float(self.deaf[k])) > 0:
            state[x <= deaf] = BELOW
            floor = tables.light[:, round(deaf * (view.levels - 1))].float()[:, None, None] / t
            radiance = torch.where(x <= deaf, radiance.maximum(floor), radiance)
        state[(x > BRIGHT).any(0, keepdim=True).expand(x.shape)] = (
            ABOVE  # its other channels are mixed with clipped ones
        )
        radiance = torch.where(
            state == ABOVE, LOOSE * radiance, torch.where(state == BELOW, radiance / LOOSE, radiance)
        )
        known, before = self.known[:, rows].to(x.device), self.state[:, rows].to(x.device)
        if k == self.reference:
            if view.top == 0:  # a rule of two passes looks at all frames twice
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
                tolerance=_of_code(self.tolerance[k], view, not tables.coarse),
            )
            mask = ghost_mask(over * view.inside)
            bound_only = (before == ABOVE).any(0, keepdim=True) & (over <= 1)
            mask = torch.where(bound_only, torch.zeros_like(mask), mask)  # else nobody would be left there
            still = (mask < 0.5) & (view.inside > 0)
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


def habits(
    calibration: Calibration, samples: Samples, order: list[int], deep: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a frame's radiance usually is, beside what is known from the frames before it in `order`.

    deep     files of more than eight bits: the 256 steps are of the root of code, for most of it is in the dark
    returns  (P, 256) ln of the usual ratio by step of code, which errors of response and exposure make differ from 0;
             (P, 256) relative scatter around it that is no movement: three robust deviations, 12 % to 50 %;
             (P,) code (of 1) up to which a frame hears only its own noise: flare, a raised black, JPEG
    """
    x = samples.codes / 255
    levels, channels = (65536 if deep else 256), x.shape[2]
    table = np.broadcast_to(calibration.response.table(levels), (levels, channels))
    log = np.log(np.maximum(table, 1e-9 * table.max()))
    steps = np.rint(255 * (np.sqrt(x) if deep else x)).astype(int)
    known = np.full(x.shape[1:], np.nan)
    bias, scatter, deaf = np.zeros((len(order), 256)), np.full((len(order), 256), LEAST), np.zeros(len(order))
    for k in order:
        z = steps[k]
        seen = (x[k] > (DARK_DEEP if deep else DARK)) & (x[k] < BRIGHT)
        light = log[np.rint(x[k] * (levels - 1)).astype(int), np.arange(channels)]
        light = light - np.log(calibration.seconds[k])
        both = seen & np.isfinite(known)
        if both.sum() > 500:
            last = _deaf(z[both], (light - known)[both])
            seen &= z > last
            both &= seen
            deaf[k] = (last / 255) ** (2 if deep else 1)
        if both.sum() > 500:
            miss, at = (light - known)[both], z[both]
            bias[k] = np.clip(_median_by_code(at, miss), -DEAF, DEAF)
            scatter[k] = np.clip(3 * 1.4826 * _median_by_code(at, np.abs(miss - bias[k][at])), LEAST, MOST)
        known = np.where(np.isfinite(known) | ~seen, known, light - bias[k][z])
    return bias, scatter, deaf


def _deaf(code: np.ndarray, miss: np.ndarray, least: int = 20) -> int:
    """The highest dark step of code whose light is usually much too high, or much too scattered; 0 if there is none."""
    for q in range(DEAFEST, 0, -1):
        there = miss[code == q]
        if len(there) >= least:
            middle = np.median(there)
            if middle > DEAF or 1.4826 * np.median(np.abs(there - middle)) > DEAF:
                return q
    return 0


def _median_by_code(code: np.ndarray, value: np.ndarray, least: int = 10) -> np.ndarray:
    """(256,) usual value around every code: the median over neighbouring codes of their medians.

    Every code has one vote, so that a moving thing of a single colour, all its pixels of few codes, is outvoted.
    """
    order = np.argsort(code, kind="stable")
    code, value = code[order], value[order]
    ends = np.searchsorted(code, np.arange(257))
    votes = np.array([np.median(value[a:b]) if b - a >= least else np.nan for a, b in pairwise(ends)])
    if not np.isfinite(votes).any():
        return np.full(256, np.median(value))
    seen = np.flatnonzero(np.isfinite(votes))
    usual = [np.median(votes[seen[np.abs(seen - q) <= max(1, 0.15 * q)]]) for q in seen]
    return np.interp(np.arange(256), seen, usual)


def _of_code(table: np.ndarray, view: View, deep: bool) -> Tensor:
    """What a table over 256 steps of code (deep: of its root) says of a view's codes, (C, h, W)."""
    x = np.linspace(0, 1, view.levels)
    fine = np.interp(255 * (np.sqrt(x) if deep else x), np.arange(256), table)
    return torch.as_tensor(fine, dtype=torch.float32, device=view.codes.device)[view.codes.long()]


class BitmapTrust:
    """In every moving cluster only the best-exposed frame counts. Source: Pece & Kautz 2010 (ops/ghosts)."""

    def __init__(self, bracket: Bracket, alignment: Alignment, device: torch.device | str = "cpu") -> None:
        self.labels, self.count = moving_clusters(
            _whole(bracket, alignment, k, lambda v: torch.from_numpy(grey(_eight(v)))[None], device)[
                0
            ].numpy()
            for k in range(len(bracket))
        )
        sums = []
        for k in range(len(bracket)):
            score = _whole(
                bracket, alignment, k, lambda v: quality(v.codes[None].float() / (v.levels - 1))[0], device
            )[0]
            sums.append(np.bincount(self.labels.ravel(), score.double().numpy().ravel(), self.count + 1))
        self.best = torch.from_numpy(np.argmax(sums, 0))
        self.order = list(range(len(bracket)))
        self.mask = torch.from_numpy(((self.labels > 0) * 255).astype(np.uint8))
        self.share = np.array([float((self._others(k) == 0).float().mean()) for k in self.order])

    def _others(self, k: int, rows: slice = slice(None)) -> Tensor:
        """1 where frame k counts."""
        labels = torch.from_numpy(self.labels[rows]).long()
        return ((labels == 0) | (self.best[labels] == k)).float()

    def __call__(self, k: int, view: View, light: Tensor, tables: Tables) -> Tensor:
        return self._others(k, slice(view.top, view.bottom))[None].to(light.device)


def _eight(view: View) -> np.ndarray:
    codes = view.codes if view.levels == 256 else view.codes // 257
    return codes.to(torch.uint8).cpu().numpy()


def _whole(bracket: Bracket, alignment: Alignment, k: int, make, device) -> Tensor:
    """What `make` says of every strip of frame k, (1, H, W)."""
    return torch.cat([make(v).cpu() for v in views(bracket, alignment, k, device)], 1)
