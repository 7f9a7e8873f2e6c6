"""Reconstruction of frames as if nothing had moved since the reference was taken.

Source: Hu, Gallo, Pulli & Sun, "HDR deghosting: how to deal with saturation?", CVPR 2013,
doi:10.1109/CVPR.2013.154, in its order: outward from the reference; where a frame disagrees with what is known, the
known radiance is exposed again; where nothing is known (the reference is clipped there), patches of the frame itself fill
the region. The aligned frame replaces the paper's dense correspondence field wherever it agrees.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import TooLarge
from hdrq.image.warp import STILL
from hdrq.io.memory import free_for
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.resample import Strip, strips
from hdrq.merging.averaging import Tables, Weighting, light_of
from hdrq.merging.deghosting.code_tables import UNBOUNDED
from hdrq.merging.deghosting.ghost_weights import ReferenceGhosts
from hdrq.merging.deghosting.patch_match import fill
from hdrq.merging.exposure_stack import ExposureStack, Frame
from hdrq.merging.response.calibration import Calibration
from hdrq.merging.response.samples import Samples
from hdrq.records import BT709


def reconstruct(
    stack: ExposureStack,
    alignment: Alignment,
    calibration: Calibration,
    samples: Samples,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[ExposureStack, Alignment, ReferenceGhosts]:
    """The same stack with reconstructed frames, aligned and in memory, and a map of the detected motion."""
    top, bottom, left, right = alignment.area
    size = (bottom - top, right - left)
    need = len(stack) * stack.channels * size[0] * size[1] * 2 + 120 * size[0] * size[1]
    if need > 0.5 * free_for(need, 0.5):
        raise TooLarge(f"--deghost patch needs {need / 1e9:.1f} GB for these frames; use --deghost reference")
    ghosts = ReferenceGhosts(stack, alignment, calibration, samples)
    frames: dict[int, Frame] = {}
    reference = torch.zeros(())
    levels = max(next(strips(stack, alignment, k, device, (0, 2))).levels for k in range(len(stack)))
    for k in ghosts.order:
        strip = next(strips(stack, alignment, k, device, (0, size[0])))
        tables = Tables.of(
            strip.levels, stack.levels, calibration, Weighting(), alignment.survey, device, torch.float32
        )
        light = light_of(strip, tables)
        *_, weight = next(ghosts.factors(k, [(strip, tables)]))
        codes = strip.codes.cpu()
        if k == alignment.reference:
            reference = light.cpu() / float(calibration.seconds[k])
        elif weight is not None:
            codes = _reconstruct(k, strip, weight[0].cpu() < 0.5, ghosts, reference, calibration, seed)
        wide = codes.numpy() * ((levels - 1) // (strip.levels - 1))
        frames[k] = Frame(
            wide.astype(np.uint8 if levels == 256 else np.uint16), stack.domain, stack.primaries or BT709
        )
    remade = copy.copy(stack)
    remade._kept, remade.size, remade.levels = frames, size, levels
    still = [replace(p, transform=STILL, flow=None) for p in alignment.placements]
    return remade, replace(alignment, placements=still, area=(0, size[0], 0, size[1])), ghosts


def _reconstruct(
    k: int,
    strip: Strip,
    ghost: Tensor,
    ghosts: ReferenceGhosts,
    reference: Tensor,
    calibration: Calibration,
    seed: int,
) -> Tensor:
    """Codes of frame k (C, H, W) with its ghosts replaced; reports the replaced pixels to `ghosts`.

    reference  (C, H, W) the reference's radiance, used where it was too dark to be known: patches are only for what
               it clipped at white
    """
    t, most = float(calibration.seconds[k]), strip.levels - 1
    codes = strip.codes.cpu()
    known = (ghosts.high < UNBOUNDED).all(0)
    radiance = torch.where(ghosts.low > 0, ghosts.low, reference)
    exposed = calibration.response.codes((radiance * t).permute(1, 2, 0).double().numpy())
    again = torch.from_numpy(np.rint(exposed * most)).permute(2, 0, 1).int()
    out = torch.where(ghost & known, again, codes)
    hole = ghost & ~known
    if bool(hole.any()):
        filled = fill(out.float() / most, hole, codes.float() / most, seed + k)
        # the reference's bound still applies: what it clipped is at least that bright
        least = again.float() / most
        filled = torch.where(ghosts.high >= UNBOUNDED, torch.maximum(filled, least), filled)
        out = torch.where(hole, (filled * most).round().int(), out)
        table = torch.from_numpy(calibration.response.table(strip.levels).T.copy()).float()
        light = torch.stack([table[c if len(table) > 1 else 0].take(out[c].long()) for c in range(len(out))])
        seen = hole & (out < 0.92 * most).all(0)
        ghosts.low = torch.where(seen, light / t, ghosts.low)
        ghosts.high = torch.where(seen, light / t, ghosts.high)
    return out
