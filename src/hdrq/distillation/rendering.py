"""Render a row of a set as light: crop, display, distort. The result depends only on the row."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from hdrq.distillation.captures import Captured, captured, fused_code, merged_light, refuse_code
from hdrq.distillation.distortion import MOST, Distortion
from hdrq.distillation.rows import Row
from hdrq.distillation.samples import CAPTURES, shelf_of
from hdrq.distillation.sources import Sources, shrunk
from hdrq.encoding.display_model import gain_offset_gamma
from hdrq.errors import UsageError
from hdrq.image.color import luminance
from hdrq.image.statistics import quantile
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear
from hdrq.records import Display, Encoding
from hdrq.registry import find
from hdrq.tonemapping.networks import OperatorKind, operator_named
from hdrq.tonemapping.operator import Operator

# cd/m²
_DARKEST, _BRIGHTEST = 0.005, 10_000.0
_CONTRAST = {"sdr": 1000.0, "sdr-100": 1000.0, "bright": 10_000.0}
# display of tone-mapped and fused images
_SDR = Display("sdr", 100.0, 0.1, "linear")
_MOST_CLIPPED = 0.4
# quantile of luminance that becomes white in an exposure that is expanded
_EXPOSED = 0.98


def render(row: Row, sources: Sources) -> tuple[Tensor, Tensor]:
    """(reference, test) light of a row, cd/m², each (1, 3, H, W) float32."""
    light, code, display = reference(row, sources)
    if row.level == 0 and shelf_of(row.distortion) == "distortion":
        return light, light
    return light, _within(_distorted(row, light, code, display), display)


def reference(row: Row, sources: Sources) -> tuple[Tensor, Tensor | None, Display]:
    """(light, code where the source is code, the display whose black and peak limit the light)."""
    held = sources.get(row.source, row.reads)
    tall, wide = (n * row.shrink for n in row.size)
    cut = held.pixels[..., row.y : row.y + tall, row.x : row.x + wide]
    if held.light:
        display = Display("light", _BRIGHTEST, _DARKEST, "absolute")
        return _within(shrunk(cut, row.shrink) * (row.peak / held.brightest), display), None, display
    display = Display(row.display, row.peak, row.peak / _CONTRAST[row.display], "srgb")
    code = linear_to_srgb(shrunk(srgb_to_linear(cut), row.shrink)) if row.shrink > 1 else cut
    return gain_offset_gamma(code, display), code, display


def refuse_light(row: Row) -> None:
    """Raise UsageError for a row that has no sRGB code."""
    if row.display == "light" and not _on_sdr(row):
        raise UsageError(
            f"a student of sRGB code cannot read the light of {row.source}; use a student of pu21 code, "
            "or tone mapping operators or fusions as distortions"
        )


def as_code(light: Tensor, row: Row) -> Tensor:
    """sRGB code of displayed light: on the row's display, or on an SDR display where the image is tone-mapped or fused."""
    refuse_light(row)
    black, peak = _SDR.black_nits, _SDR.peak_nits
    if not _on_sdr(row):
        black, peak = row.peak / _CONTRAST[row.display], row.peak
    return linear_to_srgb(((light - black) / (peak - black)).clamp(0, 1))


def _on_sdr(row: Row) -> bool:
    """Whether the test image of a row is code that is shown on an SDR display."""
    return shelf_of(row.distortion) == "tonemapper" or kind_of(row) == "fuse"


def _within(light: Tensor, display: Display) -> Tensor:
    return light.clamp(display.black_nits, display.peak_nits)


def _distorted(row: Row, light: Tensor, code: Tensor | None, display: Display) -> Tensor:
    shelf = shelf_of(row.distortion)
    name = row.distortion.partition(":")[2] or row.distortion
    if shelf == "capture":
        shots = capture_of(row, light)
        if kind_of(row) == "fuse":
            return gain_offset_gamma(srgb_to_linear(fused_code(name, shots, row.seed)), _SDR).to(light)
        return merged_light(kind_of(row), name, shots, row.seed).to(light)
    if shelf == "tonemapper":
        return _tonemapped(_operator("tonemapper", name), row, light)
    if shelf == "expander":
        return _expanded(_operator("expander", name), row, light)
    d: Distortion = find(shelf, row.distortion)
    if d.card.acts == "light":
        return d(light, row.level, row.seed)
    if code is not None and d.card.encoding in ("", "srgb"):
        return gain_offset_gamma(d(code, row.level, row.seed), display)
    encoding: Encoding = find("encoding", d.card.encoding or "pu21")
    top = float(encoding.encode(torch.tensor([[[[display.peak_nits]]]], dtype=torch.float64)))
    return encoding.decode(d(encoding.encode(light), row.level, row.seed, top))


def kind_of(row: Row) -> str:
    """ "merge", "fuse" or "capture"; "" for a row that is neither."""
    kind, colon, _ = row.distortion.partition(":")
    return kind if colon and kind in CAPTURES else ""


def capture_of(row: Row, light: Tensor) -> Captured:
    """The frames or the mosaic that a capture of the row's light gives."""
    refuse_code(row.display, row.distortion)
    return captured(kind_of(row), row.distortion.partition(":")[2], light, row.level, row.seed)


@lru_cache(4)
def _operator(shelf: OperatorKind, name: str) -> Operator:
    """An operator, or a network, whose weights are then loaded once for many rows."""
    return operator_named(shelf, name)


def _tonemapped(op: Operator, row: Row, light: Tensor) -> Tensor:
    """The image tone-mapped and shown on an SDR display."""
    return gain_offset_gamma(op(light, **_options(op, row)), _SDR).expand_as(light)


def _expanded(op: Operator, row: Row, light: Tensor) -> Tensor:
    """8-bit code of an exposure with clipped highlights, expanded to light with the mean of the reference."""
    # of "expand:NAME" the level sets the share of pixels that the exposure clips
    share = (row.level / MOST) ** 2 * _MOST_CLIPPED if ":" in row.distortion else 1 - _EXPOSED
    white = quantile(luminance(light), 1 - share).clamp(min=1e-3)
    code = (linear_to_srgb((light / white).clamp(0, 1)) * 255).round() / 255
    made = op(code, **_options(op, row))
    return made * (light.mean() / made.mean().clamp(min=1e-6))


def _options(op: Operator, row: Row) -> dict[str, Any]:
    """Parameters between their defaults (level 0) and values drawn by the seed from their range (level 5)."""
    random = torch.Generator().manual_seed(row.seed)
    found = {}
    for name, (low, high) in op.card.tunes.items():
        drawn = low + (high - low) * float(torch.rand((), generator=random))
        usual = op.options[name].default if name in op.options else None
        if usual is None:
            found[name] = drawn
        elif isinstance(usual, float):
            found[name] = usual + row.level / MOST * (drawn - usual)
    return found
