"""Tone mapping of images for a display, and expansion of code to light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from hdrq.encoding.display_choice import as_scene
from hdrq.encoding.displays import is_linear_code
from hdrq.encoding.emission import ANCHOR_NITS, anchored, gamut_note, geometric_mean, outside
from hdrq.encoding.photometry import (
    LIGHT,
    Photometry,
    emit,
    emit_for,
    factor_of,
    looks_relative,
)
from hdrq.errors import DomainError
from hdrq.image.arithmetic import limited, power
from hdrq.image.color import convert, working_in
from hdrq.image.statistics import doubled, luminance, relight
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, PRIMARIES, Image
from hdrq.registry import find
from hdrq.tonemapping.color_correction import CORRECTIONS, GAMUT_MAPPINGS
from hdrq.tonemapping.expansion import clipped
from hdrq.tonemapping.operator import Operator
from hdrq.tonemapping.plan import OF_DISPLAYS, Expansion, Plan
from hdrq.tonemapping.prediction import described, predicted

# cd/m², geometric mean below which light without a stated unit is taken as relative
_DIMMEST = 1.0


def scene_of(
    image: Image, photometry: Photometry | None = None, plan: Plan | None = None
) -> tuple[Tensor, tuple[str, ...]]:
    """Light for a plan's operator, (N, 3, H, W) in its working primaries, and notes on what was assumed and changed.

    The unit is cd/m² where the file or the user states it. Otherwise, if the operator reads cd/m² and the light
    seems relative or has a geometric mean below 1 cd/m², that mean is mapped to 18 % of the reference white of BT.2408,
    36.5 cd/m².
    """
    photometry = as_scene(image, photometry or Photometry())
    operator, working = (plan.operator, plan.working) if plan else (None, BT709)
    emitted = emit_for(image, photometry, factor_of(image, photometry), working)
    light, notes = emitted.pixels, emitted.notes
    if image.primaries not in OF_DISPLAYS and light.shape[1] == 3:
        notes = (
            *notes,
            f"no display has the primaries {image.primaries.name}: tone-mapped in {working.name}",
        )
    if operator and operator.card.reads == "nits" and _relative(image, light, photometry):
        with working_in(working):
            light = anchored(light)
        notes = (
            *notes,
            f"the file seems to be relative and {operator.name} reads cd/m²: the geometric mean luminance was set to "
            f"{ANCHOR_NITS:.3g} cd/m²; state its luminance with --scale (1 for cd/m²), --peak or --white",
        )
    return light.expand(-1, 3, -1, -1) if light.shape[1] == 1 else light, notes


def _relative(image: Image, light: Tensor, photometry: Photometry) -> bool:
    """Whether the unit of light is not stated and its values do not suggest cd/m²."""
    if image.domain not in LIGHT or not photometry.assumes_absolute or image.white_nits:
        return False
    dim = float(geometric_mean(light.detach()).max()) < _DIMMEST
    return dim or is_linear_code(image) or looks_relative(image, photometry) is not None


def shown(light: Tensor, plan: Plan) -> Tensor:
    """Display-linear 0..1, in the primaries of the code, of a scene's light; differentiable where the operator is."""
    return in_gamut(rendered(light, plan), plan)


def rendered(light: Tensor, plan: Plan) -> Tensor:
    """`shown` before gamut mapping: colours outside the gamut have values below 0 or above 1."""
    settings, operator = _settings(plan), plan.operator
    with working_in(plan.working):
        display_linear = (
            _around(operator, light, settings) if plan.wrap else operator.render(light, **settings)
        )
        if plan.colour is not None:
            correct = CORRECTIONS[plan.colour]
            amount = () if plan.saturation is None else (plan.saturation,)
            display_linear = correct(light, display_linear, *amount)
        if plan.levels is not None:
            display_linear = leveled(display_linear, *plan.levels)
    return convert(display_linear, plan.working, plan.output)


def _settings(plan: Plan) -> dict[str, Any]:
    """Options of the operator, those of the display included."""
    if plan.display is None:
        return dict(plan.settings)
    return {name: getattr(plan.display, name) for name in plan.operator.card.display} | dict(plan.settings)


def _is_code(plan: Plan) -> bool:
    """Whether the operator's own result is the display's code, so that it need not become light and code again."""
    changed = plan.wrap or plan.colour is not None or plan.levels is not None or plan.working != plan.output
    same = plan.operator.card.gives == "code" and plan.screen.eotf == "srgb" and plan.gamut == "clip"
    return same and not changed


def in_gamut(display_linear: Tensor, plan: Plan) -> Tensor:
    """Rendered light with every value within 0..1, by the plan's gamut mapping."""
    with working_in(plan.output):
        return GAMUT_MAPPINGS[plan.gamut](display_linear)


def _gamut_notes(display_linear: Tensor, plan: Plan) -> tuple[str, ...]:
    """How many values of rendered light lie outside the gamut of primaries narrower than its own."""
    if plan.working == plan.output:
        return ()
    how = "clipped" if plan.gamut == "clip" else f"mapped by {plan.gamut}"
    return gamut_note(outside(display_linear), plan.output, how)


def leveled(display_linear: Tensor, ev: float | Tensor, power: float | Tensor) -> Tensor:
    """Display-linear light whose luminance L has become (2^ev L)^power, its colours kept; black stays black."""
    y = luminance(display_linear)
    result: Tensor = relight(display_linear, y, (2.0**ev * y).clamp(min=1e-12) ** power)
    return result


def _around(operator: Operator, light: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """A panorama rendered without a seam between its left and right edges.

    It is repeated side by side, which does not change its statistics. Of the two results of a pixel, the one nearer to
    the centre has more weight, and the one at the border none, so that the edges match.
    """
    w = light.shape[-1]
    with doubled():
        shown = operator.render(torch.cat([light, light], -1), **settings)
    share = (torch.arange(w, device=light.device, dtype=light.dtype) + 0.5) / w
    return shown[..., :w] * share + shown[..., w:] * (1 - share)


def code_of(display_linear: Tensor, plan: Plan) -> Image:
    """Code for the plan's display from display-linear 0..1 in its primaries. A display of light gets cd/m²."""
    d = plan.screen
    pixels = limited(display_linear, 0.0, 1.0)
    if d.eotf in ("pq", "hlg", "absolute", "light", "linear"):
        nits = d.black_nits + (d.peak_nits - d.black_nits) * pixels
        if d.eotf not in ("pq", "hlg"):
            return Image(nits, "nits", plan.output)
        code, domain = find("encoding", d.eotf).encode(nits, d.peak_nits), d.eotf
    elif d.eotf == "srgb":
        code, domain = linear_to_srgb(pixels), "srgb"
    else:
        code, domain = power(pixels, 1 / _power(d.eotf)), "gamma"
    return Image(_dithered(code, plan), domain, plan.output, bits=plan.bits)


def code_for(light: Tensor, plan: Plan) -> Image:
    """Code for the plan's display of a scene's light, with notes on colours outside its gamut."""
    if _is_code(plan):
        with working_in(plan.working):
            shown = limited(plan.operator.values(light, **_settings(plan)), 0.0, 1.0)
        return Image(_dithered(shown, plan), "srgb", plan.output, bits=plan.bits)
    display_linear = rendered(light, plan)
    code = code_of(in_gamut(display_linear, plan), plan)
    return replace(code, notes=_gamut_notes(display_linear, plan))


def _power(eotf: str) -> float:
    return 2.4 if eotf == "bt1886" else float(eotf)


def _dithered(code: Tensor, plan: Plan) -> Tensor:
    """Triangular noise of ± one step, which prevents banding by rounding."""
    if not plan.dither:
        return code
    chance = torch.Generator().manual_seed(plan.seed)
    noise = torch.rand(2, *code.shape, generator=chance).sub_(0.5).sum(0).to(code)
    result: Tensor = (code + noise / (2**plan.bits - 1)).clamp(0, 1)
    return result


def tonemap(image: Image, plan: Plan, photometry: Photometry | None = None) -> Image:
    """An image of light as code for the plan's display."""
    plan = plan.for_image(image, photometry)
    scene, notes = scene_of(image, photometry, plan)
    if plan.auto:
        plan = predicted(scene, plan)
        notes = (*notes, described(plan))
    notes = tuple(n for n in notes if n not in image.notes)
    code = code_for(scene, plan)
    return replace(code, notes=(*image.notes, *notes, *code.notes))


def expand(image: Image, expansion: Expansion, primaries: str | None = None) -> Image:
    """Light, cd/m², of an image of code; in its own primaries, or in those named."""
    if image.domain in LIGHT:
        raise DomainError(
            f"{image.path or 'the image'} is already light; --expand needs code (PNG, JPEG ...)"
        )
    if image.domain in ("pq", "hlg"):
        raise DomainError(
            f"{image.path or 'the image'} is {image.domain} code, which is HDR; decode it: hdrq encode --decode"
        )
    with working_in(image.primaries):
        pixels = expansion.operator(image.pixels.clamp(0, 1), **expansion.settings)
        light = Image(pixels, "nits", image.primaries, path=image.path)
    return light if primaries is None else emit(light, primaries=PRIMARIES[primaries])


def saturated(image: Image, threshold: float = 254 / 255) -> Image:
    """1 where a channel of the code is clipped, as code of one channel."""
    return Image(clipped(image.pixels, threshold), "srgb", bits=8)
