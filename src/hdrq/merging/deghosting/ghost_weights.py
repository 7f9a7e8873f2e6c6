"""Factors on the weights of frames: 0 where a frame disagrees with the scene because of a moving object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hdrq.image.exposure_fusion import quality
from hdrq.merging.alignment.mtb import grey
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip, strips
from hdrq.merging.averaging import Tables
from hdrq.merging.deghosting.expected_deviation import BRIGHT, DARK, DARK_DEEP, at_levels, expected_deviation
from hdrq.merging.deghosting.ghost_detection import REACH, disagrees, ghost_mask, moving_clusters
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.noise import Values
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.curve import look_up
from hdrq.merging.response.samples import Samples

# factor by which a bound is relaxed, because the response is uncertain there
BOUND_SLACK = 0.75
# variance, in codes², that rounding and JPEG add
CODES = 0.5
# standard deviations of noise that are not motion
SIGMAS = 3.0
# radiance that stands for no upper bound
UNBOUNDED = 1e30


@dataclass(frozen=True)
class Seen:
    """What a strip of one frame says of the scene's radiance: it lies from `low` to `high`, (C, h, W).

    Both are the pixel's radiance where it is well exposed. A pixel clipped at white has no upper bound (UNBOUNDED), and a
    lower bound in all channels, because demosaicing mixes them; where it is too dark, low is 0.

    variance  of the radiance, times SIGMAS²;  agreeing (C, h, W): 1 minus the tolerated relative deviation
    """

    low: Tensor
    high: Tensor
    variance: Tensor
    agreeing: Tensor


@dataclass(frozen=True)
class CodeTables:
    """What every code of one frame says of the radiance, (C or 1, levels) each: low, high and variance as in Seen, of
    pixels that are not clipped; least, the radiance at the noise floor for codes below it; clipped, 1 or 0; agreeing.

    For files whose light is not their code, low and high are factors on it, and the variance is that of codes alone.
    """

    low: Tensor
    high: Tensor
    variance: Tensor
    least: Tensor
    clipped: Tensor
    agreeing: Tensor


class ReferenceGhosts:
    """Factors that exclude what disagrees with the reference by more than noise and the expected deviation.

    Frames are given in `order`, the reference first, and each in strips from top to bottom. Where the reference is
    clipped, the next frame that is well exposed there and consistent with the reference's bound defines the known radiance.

    low, high (C, H, W)   range of the scene's radiance that is known so far, as in Seen
    mask (H, W) uint8     255 where some frame is excluded;  share (P,): excluded share of the image, per frame
    """

    def __init__(
        self, stack: ExposureStack, alignment: Alignment, calibration: Calibration, samples: Samples
    ) -> None:
        top, bottom, left, right = alignment.area
        shape = (stack.channels, bottom - top, right - left)
        self.low = torch.zeros(shape)
        self.high = torch.full(shape, UNBOUNDED)
        # SIGMAS standard deviations of the known radiance.
        self.noise = torch.zeros(shape, dtype=torch.bfloat16)
        # where the present frame disagrees
        self.over = torch.zeros(shape[1:], dtype=torch.bool)
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

    def factors(
        self, k: int, pieces: Iterable[tuple[Strip, Tensor, Tables]]
    ) -> Iterator[tuple[Strip, Tensor, Tables, Tensor | None]]:
        """The strips of frame k with their light and tables, and a factor (1, h, W) on their weights, None for 1.

        A strip is given back after the next one was read, because the mask reaches REACH pixels.
        """
        # a rule of two passes reads all frames twice
        if k == self.reference:
            self.share[:], self.mask[:] = 0, 0
        last: tuple[Strip, Tensor, Tables, Seen] | None = None
        tables: dict[int, CodeTables] = {}
        for strip, light, given in pieces:
            if strip.levels not in tables:
                tables[strip.levels] = self._tables(k, strip, given)
            seen = self._seen(k, strip, light, tables[strip.levels])
            if k != self.reference:
                self._compare(strip, seen)
            if last is not None:
                yield (*last[:3], self._factor(k, last[0], last[3]))
            last = (strip, light, given, seen)
        if last is not None:
            yield (*last[:3], self._factor(k, last[0], last[3]))

    def _tables(self, k: int, strip: Strip, given: Tables) -> CodeTables:
        levels, t, deep = strip.levels, float(self.calibration.seconds[k]), not given.coarse
        x = np.linspace(0, 1, levels)
        light, step = (a.double().cpu().numpy() for a in (given.light, given.step))
        floor = float(self.noise_floor[k])
        faint = (x <= floor) & (floor > 0)
        ratio = at_levels(np.exp(-self.bias[k]), levels, deep)
        least = np.where(faint, light[:, round(floor * (levels - 1)), None] / t, 0.0)
        variance = CODES * (step / t) ** 2
        dark = (x < (DARK_DEEP if deep else DARK)) | faint
        radiance = ratio[None] / t
        if strip.light is None:
            radiance = np.maximum(light * radiance, least)
            variance = variance + self._variance(light, t)

        def tensor(a: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(a), dtype=torch.float32, device=strip.codes.device)

        return CodeTables(
            tensor(radiance * ~dark),
            tensor(np.where(dark, radiance / BOUND_SLACK, radiance)),
            tensor(SIGMAS**2 * variance),
            tensor(least),
            tensor(x > BRIGHT),
            tensor(1 - at_levels(self.tolerance[k], levels, deep)),
        )

    def _variance(self, light: Values, t: float) -> Values:
        return self.calibration.noise.variance(light / self.white) * (self.white / t) ** 2

    def _seen(self, k: int, strip: Strip, light: Tensor, tables: CodeTables) -> Seen:
        low, high, variance, agreeing = (
            look_up(strip.codes, table)
            for table in (tables.low, tables.high, tables.variance, tables.agreeing)
        )
        if strip.light is not None:
            light, least = light.float(), look_up(strip.codes, tables.least)
            low, high = (low * light).maximum(least * (low > 0)), (high * light).maximum(least / BOUND_SLACK)
            variance += SIGMAS**2 * self._variance(light, float(self.calibration.seconds[k]))
        clipped = look_up(strip.codes.amax(0, keepdim=True), tables.clipped)
        # high times BOUND_SLACK is the radiance of dark codes, whose low is 0
        if clipped.any():
            low.lerp_((BOUND_SLACK * high).maximum(low).mul_(BOUND_SLACK), clipped)
            high.add_(clipped, alpha=UNBOUNDED)
        return Seen(low, high, variance, agreeing)

    def _compare(self, strip: Strip, seen: Seen) -> None:
        """Note where a strip disagrees with what is known, whose neighbouring pixels also count."""
        a, b = max(0, strip.top - 1), min(strip.bottom + 1, self.low.shape[1])
        near = slice(strip.top - a, strip.bottom - a)
        rows, device = slice(strip.top, strip.bottom), seen.low.device
        over = disagrees(
            seen.low,
            seen.high,
            self.low[:, a:b].to(device),
            self.high[:, a:b].to(device),
            (seen.variance + self.noise[:, rows].to(device).float().square_()).sqrt_(),
            seen.agreeing,
            near,
        )
        self.over[rows] = (over & (strip.inside[0] > 0)).cpu()

    def _factor(self, k: int, strip: Strip, seen: Seen) -> Tensor | None:
        """The factor on a strip's weights; where the strip agrees, the known range is made narrower by what it says."""
        rows = slice(strip.top, strip.bottom)
        if k == self.reference:
            self.low[:, rows], self.high[:, rows] = seen.low.cpu(), seen.high.cpu()
            self.noise[:, rows] = seen.variance.sqrt().bfloat16().cpu()
            return None
        a, b = max(0, strip.top - REACH), min(strip.bottom + REACH, len(self.over))
        mask = torch.zeros(1, 1, 1)
        if self.over[a:b].any():
            mask = ghost_mask(self.over[None, a:b].float())[:, strip.top - a : strip.bottom - a]
            # a pixel that agrees keeps its frame where only bounds are known: no frame would remain there
            bound_only = (self.high[:, rows] >= UNBOUNDED).any(0) & ~self.over[rows]
            mask = mask.masked_fill(bound_only, 0)
            self.share[k] += float((mask > 0.5).sum()) / self.over.numel()
            self.mask[rows] = torch.maximum(self.mask[rows], (mask[0] * 255).round().to(torch.uint8))
        if k != self.order[-1]:
            self._narrow(strip, seen, (mask < 0.5) & (strip.inside.cpu() > 0))
        return (1 - mask).to(seen.low) if mask.numel() > 1 else None

    def _narrow(self, strip: Strip, seen: Seen, still: Tensor) -> None:
        """Take over a strip's pixels that are known where only a bound was, and bounds that are tighter."""
        rows = slice(strip.top, strip.bottom)
        low, high = self.low[:, rows], self.high[:, rows]
        at = ((high > low) & still).nonzero(as_tuple=True)
        if not len(at[0]):
            return
        new_low, new_high, old_low, old_high = seen.low.cpu()[at], seen.high.cpu()[at], low[at], high[at]
        above, below = (
            (new_high >= UNBOUNDED) & (old_high >= UNBOUNDED),
            new_high.maximum(old_high) < UNBOUNDED,
        )
        fresh = (new_low == new_high) | above & (new_low > old_low)
        fresh |= below & (new_low + old_low == 0) & (new_high < old_high)
        at = tuple(i[fresh] for i in at)
        low[at], high[at] = new_low[fresh], new_high[fresh]
        self.noise[:, rows][at] = seen.variance.cpu()[at].sqrt().bfloat16()


class BitmapGhosts:
    """Factors that keep the best-exposed frame in every moving region. Source: Pece & Kautz, CVMP 2010."""

    def __init__(
        self, stack: ExposureStack, alignment: Alignment, device: torch.device | str = "cpu"
    ) -> None:
        self.labels, self.count = moving_clusters(
            np.concatenate([grey(_eight(strip)) for strip in strips(stack, alignment, k, device)])
            for k in range(len(stack))
        )
        sums = []
        for k in range(len(stack)):
            # Contrast has neighbours.
            whole = next(strips(stack, alignment, k, device, (0, len(self.labels))))
            score = quality(whole.codes[None].float() / (whole.levels - 1))[0, 0].cpu()
            sums.append(np.bincount(self.labels.ravel(), score.double().numpy().ravel(), self.count + 1))
        self.best = torch.from_numpy(np.argmax(sums, 0))
        self.order = list(range(len(stack)))
        self.mask = torch.from_numpy(((self.labels > 0) * 255).astype(np.uint8))
        self.share = np.array([float((self._others(k) == 0).float().mean()) for k in self.order])

    def _others(self, k: int, rows: slice = slice(None)) -> Tensor:
        """1 where frame k is used."""
        labels = torch.from_numpy(self.labels[rows]).long()
        return ((labels == 0) | (self.best[labels] == k)).float()

    def factors(
        self, k: int, pieces: Iterable[tuple[Strip, Tensor, Tables]]
    ) -> Iterator[tuple[Strip, Tensor, Tables, Tensor | None]]:
        """The strips of frame k with their light and tables, and the factor (1, h, W) on their weights."""
        for strip, light, tables in pieces:
            factor = self._others(k, slice(strip.top, strip.bottom))[None].to(light.device)
            yield strip, light, tables, factor


def _eight(strip: Strip) -> np.ndarray:
    codes = strip.codes if strip.levels == 256 else strip.codes // 257
    return codes.to(torch.uint8).cpu().numpy()
