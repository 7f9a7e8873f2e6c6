"""Factors on the weights of frames: 0 where a frame disagrees with the scene because of a moving object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import positive
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip
from hdrq.merging.averaging import Tables
from hdrq.merging.deghosting.expected_deviation import BRIGHT, DARK, DARK_DEEP, at_levels, expected_deviation
from hdrq.merging.deghosting.ghost_detection import REACH, disagrees, ghost_mask
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
# share by which a comparison that only selects pixels is wider than the one that decides
LOOSE = 1e-6
# radiance that stands for no upper bound
UNBOUNDED = 1e30


@dataclass(frozen=True)
class Seen:
    """What pixels of one frame say of the scene's radiance: it lies from `low` to `high`.

    Both are the pixel's radiance where it is well exposed. A pixel clipped at white has no upper bound (UNBOUNDED), and a
    lower bound in all channels, because demosaicing mixes them; where it is too dark, low is 0.

    variance  of the radiance, times SIGMAS²
    """

    low: Tensor
    high: Tensor
    variance: Tensor


@dataclass(frozen=True)
class CodeTables:
    """What every code of one frame says of the radiance, (C or 1, levels) each: low, high and variance as in Seen, of
    pixels that are not clipped; least, the radiance at the noise floor for codes below it; clipped, 1 or 0; agreeing, 1
    minus the tolerated relative deviation; roof and floor, between which known light cannot contradict the code.

    For files whose light is not their code, low and high are factors on it, the variance is that of codes alone, and roof
    and floor mean nothing.
    """

    low: Tensor
    high: Tensor
    variance: Tensor
    least: Tensor
    clipped: Tensor
    agreeing: Tensor
    roof: Tensor
    floor: Tensor


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
        self, k: int, pieces: Iterable[tuple[Strip, Tables]]
    ) -> Iterator[tuple[Strip, Tables, Tensor | None]]:
        """The strips of frame k with their tables, and a factor (1, h, W) on their weights, None for 1.

        A strip is given back after the next one was read, because the mask reaches REACH pixels.
        """
        # a rule of two passes reads all frames twice
        if k == self.reference:
            self.share[:], self.mask[:] = 0, 0
        last: tuple[Strip, Tables, CodeTables] | None = None
        made: dict[int, CodeTables] = {}
        for strip, given in pieces:
            if strip.levels not in made:
                made[strip.levels] = self._tables(k, strip, given)
            tables = made[strip.levels]
            if k != self.reference:
                self._compare(k, strip, tables)
            if last is not None:
                yield (*last[:2], self._factor(k, last[0], last[2]))
            last = (strip, given, tables)
        if last is not None:
            yield (*last[:2], self._factor(k, last[0], last[2]))

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

        low, high = radiance * ~dark, np.where(dark, radiance / BOUND_SLACK, radiance)
        agreeing = 1 - at_levels(self.tolerance[k], levels, deep)
        clipped = x > BRIGHT
        roof, base = limits(
            # of a clipped pixel, in channels that are not
            np.maximum(low, BOUND_SLACK * np.maximum(BOUND_SLACK * high, low)),
            np.where(clipped, np.inf, high),
            SIGMAS * np.sqrt(variance),
            agreeing,
        )

        def tensor(a: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(a), dtype=torch.float32, device=strip.codes.device)

        return CodeTables(
            tensor(low),
            tensor(high),
            tensor(SIGMAS**2 * variance),
            tensor(least),
            tensor(clipped),
            tensor(agreeing),
            tensor(roof),
            tensor(base),
        )

    def _variance(self, light: Values, t: float) -> Values:
        return self.calibration.noise.variance(light / self.white) * (self.white / t) ** 2

    def _seen(self, k: int, strip: Strip, tables: CodeTables, at: Tensor | None = None) -> Seen:
        """Of all pixels of a strip, (C, h, W), or of those with flat indices `at`, (n,)."""
        low, high, variance = (_read(strip, t, at) for t in (tables.low, tables.high, tables.variance))
        if strip.light is not None:
            light = strip.light.float() if at is None else strip.light.float().reshape(-1).index_select(0, at)
            least = _read(strip, tables.least, at)
            low, high = (low * light).maximum(least * (low > 0)), (high * light).maximum(least / BOUND_SLACK)
            variance += SIGMAS**2 * self._variance(light, float(self.calibration.seconds[k]))
        if at is None:
            brightest = strip.codes.amax(0, keepdim=True)
        else:
            brightest = strip.codes.flatten(1).index_select(1, at % strip.codes[0].numel()).amax(0)
        clipped = look_up(brightest, tables.clipped)
        # high times BOUND_SLACK is the radiance of dark codes, whose low is 0
        if clipped.any():
            low.lerp_((BOUND_SLACK * high).maximum(low).mul_(BOUND_SLACK), clipped)
            high.add_(clipped, alpha=UNBOUNDED)
        return Seen(low, high, variance)

    def _compare(self, k: int, strip: Strip, tables: CodeTables) -> None:
        """Note where a strip disagrees with what is known, whose neighbouring pixels also count."""
        a, b = max(0, strip.top - 1), min(strip.bottom + 1, self.low.shape[1])
        near = slice(strip.top - a, strip.bottom - a)
        rows, device = slice(strip.top, strip.bottom), strip.codes.device
        known_low, known_high = self.low[:, a:b].to(device), self.high[:, a:b].to(device)
        if strip.light is None:
            roof, floor = look_up(strip.codes, tables.roof), look_up(strip.codes, tables.floor)
        else:
            seen = self._seen(k, strip, tables)
            roof, floor = limits(
                seen.low, seen.high, seen.variance.sqrt(), look_up(strip.codes, tables.agreeing)
            )
        torch.sub(known_low[:, near], roof, out=roof)
        # few: only of these are the noise and the neighbours looked at
        at = positive(torch.maximum(roof, floor.sub_(known_high[:, near]), out=roof))
        channel, y, x = torch.unravel_index(at, roof.shape)
        seen = self._seen(k, strip, tables, at)
        noise = self.noise[:, rows].to(device)[channel, y, x].float()
        over = disagrees(
            seen.low,
            seen.high,
            (seen.variance + noise.square_()).sqrt_(),
            _read(strip, tables.agreeing, at),
            known_low,
            known_high,
            (channel, y + near.start, x),
        )
        found = torch.zeros(roof.shape[1:], dtype=torch.bool, device=device)
        found[y[over], x[over]] = True
        self.over[rows] = found.cpu() if strip.inside.numel() == 1 else (found & (strip.inside[0] > 0)).cpu()

    def _factor(self, k: int, strip: Strip, tables: CodeTables) -> Tensor | None:
        """The factor on a strip's weights; where the strip agrees, the known range is made narrower by what it says."""
        rows = slice(strip.top, strip.bottom)
        if k == self.reference:
            seen = self._seen(k, strip, tables)
            self.low[:, rows], self.high[:, rows] = seen.low.cpu(), seen.high.cpu()
            self.noise[:, rows] = seen.variance.sqrt().bfloat16().cpu()
            return None
        a, b = max(0, strip.top - REACH), min(strip.bottom + REACH, len(self.over))
        mask: Tensor | None = None
        if self.over[a:b].numpy().any():
            mask = ghost_mask(self.over[a:b])[strip.top - a : strip.bottom - a]
        if mask is not None and mask.numpy().any():
            # a pixel that agrees keeps its frame where only bounds are known: no frame would remain there
            bound_only = (self.high[:, rows].numpy() >= UNBOUNDED).any(0) & ~self.over[rows].numpy()
            mask.masked_fill_(torch.from_numpy(bound_only), 0)
            self.share[k] += float((mask > 0.5).sum()) / self.over.numel()
            self.mask[rows] = torch.maximum(self.mask[rows], (mask * 255).round().to(torch.uint8))
        else:
            mask = None
        if k != self.order[-1]:
            self._narrow(k, strip, tables, mask)
        return None if mask is None else (1 - mask)[None].to(strip.codes.device)

    def _narrow(self, k: int, strip: Strip, tables: CodeTables, mask: Tensor | None) -> None:
        """Take over a strip's pixels that are known where only a bound was, and bounds that are tighter."""
        rows = slice(strip.top, strip.bottom)
        low, high, noise = self.low[:, rows], self.high[:, rows], self.noise[:, rows]
        open_ = high.numpy() > low.numpy()
        if mask is not None:
            open_ &= mask.numpy() < 0.5
        if strip.inside.numel() > 1:
            open_ &= strip.inside.cpu().numpy() > 0
        at = positive(torch.from_numpy(open_))
        if not len(at):
            return
        seen = self._seen(k, strip, tables, at.to(strip.codes.device))
        there = torch.unravel_index(at, low.shape)
        new_low, new_high, old_low, old_high = seen.low.cpu(), seen.high.cpu(), low[there], high[there]
        above, below = (
            (new_high >= UNBOUNDED) & (old_high >= UNBOUNDED),
            new_high.maximum(old_high) < UNBOUNDED,
        )
        fresh = (new_low == new_high) | above & (new_low > old_low)
        fresh |= below & (new_low + old_low == 0) & (new_high < old_high)
        there = tuple(i[fresh] for i in there)
        low[there], high[there] = new_low[fresh], new_high[fresh]
        noise[there] = seen.variance.cpu()[fresh].sqrt().bfloat16()


def limits(low: Values, high: Values, deviation: Values, agreeing: Values) -> tuple[Values, Values]:
    """(roof, floor) of known light: a known low up to the roof and a known high from the floor on cannot contradict a frame.

    deviation  that of the frame alone, of which the tolerated noise is at least as much; LOOSE allows for rounding
    """
    roof, floor = (high + deviation) / agreeing, low * agreeing - deviation
    return roof * (1 - LOOSE), floor + LOOSE * (low + deviation)


def _read(strip: Strip, table: Tensor, at: Tensor | None) -> Tensor:
    """A table (levels,) or (C or 1, levels) at the codes of a strip, (C, h, W), or of its flat indices `at`, (n,)."""
    if at is None:
        return look_up(strip.codes, table)
    codes = strip.codes.reshape(-1).index_select(0, at)
    if table.dim() == 2 and len(table) > 1:
        codes = codes + at // strip.codes[0].numel() * table.shape[1]
    return table.reshape(-1).index_select(0, codes)
