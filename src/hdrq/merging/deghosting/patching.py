"""Frames remade as if nothing had moved since the reference was taken.

Source: Hu, Gallo, Pulli & Sun, "HDR deghosting: how to deal with saturation?", CVPR 2013,
doi:10.1109/CVPR.2013.154, in its order: outward from the reference; where a frame disagrees with what is known, the
known light is exposed anew; where nothing is known (the reference is clipped there) patches of the frame itself fill
the place. The aligned frame stands in for the paper's dense field of matches wherever it agrees.
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
from hdrq.merging.alignment.chain import Alignment
from hdrq.merging.calibration import Calibration, Samples
from hdrq.merging.combination import Recipe, Tables, light_of
from hdrq.merging.deghosting.patch_match import fill
from hdrq.merging.deghosting.trust import KNOWN, ReferenceTrust
from hdrq.merging.exposure_stack import Bracket
from hdrq.merging.frames import Frame
from hdrq.merging.view import View, views
from hdrq.records import BT709


def patched(
    bracket: Bracket,
    alignment: Alignment,
    calibration: Calibration,
    samples: Samples,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[Bracket, Alignment, ReferenceTrust]:
    """The same bracket with remade frames, all in place and in memory, and what was found to have moved."""
    top, bottom, left, right = alignment.area
    size = (bottom - top, right - left)
    need = len(bracket) * bracket.channels * size[0] * size[1] * 2 + 120 * size[0] * size[1]
    if need > 0.5 * free_for(need, 0.5):
        raise TooLarge(f"--deghost patch needs {need / 1e9:.1f} GB for these frames; use --deghost reference")
    trust = ReferenceTrust(bracket, alignment, calibration, samples)
    frames: dict[int, Frame] = {}
    levels = max(next(views(bracket, alignment, k, device, (0, 2))).levels for k in range(len(bracket)))
    for k in trust.order:
        view = next(views(bracket, alignment, k, device, (0, size[0])))
        tables = Tables.of(
            view.levels, bracket.levels, calibration, Recipe(), alignment.survey, device, torch.float32
        )
        light = light_of(view, tables)
        believed = trust(k, view, light, tables)
        codes = view.codes.cpu()
        if believed is not None:
            codes = _remade(k, view, believed[0].cpu() < 0.5, trust, calibration, seed)
        wide = codes.numpy() * ((levels - 1) // (view.levels - 1))
        frames[k] = Frame(
            wide.astype(np.uint8 if levels == 256 else np.uint16), bracket.domain, bracket.primaries or BT709
        )
    remade = copy.copy(bracket)
    remade._kept, remade.size, remade.levels = frames, size, levels
    still = [replace(p, transform=STILL, flow=None) for p in alignment.placements]
    return remade, replace(alignment, placements=still, area=(0, size[0], 0, size[1])), trust


def _remade(
    k: int, view: View, ghost: Tensor, trust: ReferenceTrust, calibration: Calibration, seed: int
) -> Tensor:
    """Codes of frame k (C, H, W) with its ghosts replaced; tells `trust` what it made up."""
    t, most = float(calibration.seconds[k]), view.levels - 1
    codes = view.codes.cpu()
    known = (trust.state == KNOWN).all(0)
    exposed = calibration.response.codes((trust.known * t).permute(1, 2, 0).double().numpy())
    again = torch.from_numpy(np.rint(exposed * most)).permute(2, 0, 1).int()
    out = torch.where(ghost & known, again, codes)
    hole = ghost & ~known
    if bool(hole.any()):
        filled = fill(out.float() / most, hole, codes.float() / most, seed + k)
        # the reference's bound still holds: what clipped there is at least that bright
        least = torch.where(trust.state == KNOWN, torch.zeros_like(again), again).float() / most
        filled = torch.where(trust.state == 0, torch.maximum(filled, least), filled)
        out = torch.where(hole, (filled * most).round().int(), out)
        table = torch.from_numpy(calibration.response.table(view.levels).T.copy()).float()
        light = torch.stack([table[c if len(table) > 1 else 0].take(out[c].long()) for c in range(len(out))])
        seen = hole & (out < 0.92 * most).all(0)
        trust.known = torch.where(seen, light / t, trust.known)
        trust.state = torch.where(
            seen.expand(trust.state.shape), torch.full_like(trust.state, KNOWN), trust.state
        )
    return out
