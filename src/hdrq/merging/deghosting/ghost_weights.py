"""Factors on the weights of frames: 0 where a frame disagrees with the scene because of a moving object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hdrq.image.arithmetic import outside, positive
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip
from hdrq.merging.averaging import Tables
from hdrq.merging.deghosting.code_tables import BOUND_SLACK, UNBOUNDED, CodeTables, bound, limits, read_table
from hdrq.merging.deghosting.expected_deviation import BRIGHT, DARK, DARK_DEEP, at_levels, expected_deviation
from hdrq.merging.deghosting.ghost_detection import REACH, disagrees, ghost_mask
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.noise import Values
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.curve import look_up
from hdrq.merging.response.samples import Samples

# variance, in codes², that rounding and JPEG add
CODES = 0.5
# standard deviations of noise that are not motion
SIGMAS = 3.0


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
        # all three are first written by the reference; noise: SIGMAS standard deviations of the known radiance
        self.low, self.high = torch.empty(shape), torch.empty(shape)
        self.noise = torch.empty(shape, dtype=torch.bfloat16)
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
        low, high, variance = (read_table(strip, t, at) for t in (tables.low, tables.high, tables.variance))
        if strip.light is not None:
            light = strip.light.float() if at is None else strip.light.float().reshape(-1).index_select(0, at)
            least = read_table(strip, tables.least, at)
            low, high = (low * light).maximum(least * (low > 0)), (high * light).maximum(least / BOUND_SLACK)
            variance += SIGMAS**2 * self._variance(light, float(self.calibration.seconds[k]))
        if at is None:
            brightest = strip.codes.amax(0, keepdim=True)
        else:
            brightest = strip.codes.flatten(1).index_select(1, at % strip.codes[0].numel()).amax(0)
        clipped = positive(look_up(brightest, tables.clipped))
        for own, top in zip(low.flatten(1), high.flatten(1)) if at is None else ((low, high),):
            bound(own, top, clipped)
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
        at = outside(known_low[:, near], known_high[:, near], floor, roof)
        if not len(at):
            self.over[rows] = False
            return
        # few: only of these are the noise and the neighbours looked at
        # torch.unravel_index imports sympy, which takes half a second
        line = at // roof.shape[2]
        channel = line // roof.shape[1]
        y, x = line - channel * roof.shape[1], at - line * roof.shape[2]
        seen = self._seen(k, strip, tables, at)
        noise = self.noise.view(-1).index_select(0, self._places(strip, at.cpu())).to(device).float()
        over = disagrees(
            seen.low,
            seen.high,
            (seen.variance + noise.square_()).sqrt_(),
            read_table(strip, tables.agreeing, at),
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
            self._begin(k, strip, tables)
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

    def _begin(self, k: int, strip: Strip, tables: CodeTables) -> None:
        """Take over what a strip of the reference says."""
        low, high, noise = (known[:, strip.top : strip.bottom] for known in (self.low, self.high, self.noise))
        if strip.light is not None or strip.codes.device.type != "cpu":
            seen = self._seen(k, strip, tables)
            low.copy_(seen.low), high.copy_(seen.high), noise.copy_(seen.variance.sqrt())
            return
        for known, table in (
            (low, tables.low),
            (high, tables.high),
            (noise, tables.variance.sqrt().bfloat16()),
        ):
            look_up(strip.codes, table, known)
        clipped = positive(look_up(strip.codes.amax(0), tables.clipped))
        for least, most in zip(low, high):
            bound(least.view(-1), most.view(-1), clipped)

    def _places(self, strip: Strip, at: Tensor) -> Tensor:
        """Flat indices of a strip, (n,), as those of what is known of the whole image."""
        height, width = self.over.shape
        rows = strip.bottom - strip.top
        return at + (at // (rows * width) * (height - rows) + strip.top) * width

    def _narrow(self, k: int, strip: Strip, tables: CodeTables, mask: Tensor | None) -> None:
        """Take over a strip's pixels that are known where only a bound was, and bounds that are tighter."""
        rows = slice(strip.top, strip.bottom)
        open_ = self.high[:, rows].numpy() > self.low[:, rows].numpy()
        if mask is not None:
            open_ &= mask.numpy() < 0.5
        if strip.inside.numel() > 1:
            open_ &= strip.inside.cpu().numpy() > 0
        at = positive(torch.from_numpy(open_))
        if not len(at):
            return
        seen = self._seen(k, strip, tables, at.to(strip.codes.device))
        there = self._places(strip, at)
        low, high, noise = (known.view(-1) for known in (self.low, self.high, self.noise))
        new_low, new_high = seen.low.cpu(), seen.high.cpu()
        old_low, old_high = low.index_select(0, there), high.index_select(0, there)
        above, below = (
            (new_high >= UNBOUNDED) & (old_high >= UNBOUNDED),
            new_high.maximum(old_high) < UNBOUNDED,
        )
        fresh = (new_low == new_high) | above & (new_low > old_low)
        fresh |= below & (new_low + old_low == 0) & (new_high < old_high)
        fresh = positive(fresh)
        there = there.index_select(0, fresh)
        for known, new in ((low, new_low), (high, new_high), (noise, seen.variance.cpu().sqrt().bfloat16())):
            known.index_copy_(0, there, new.index_select(0, fresh))
