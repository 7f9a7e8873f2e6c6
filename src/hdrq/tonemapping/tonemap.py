"""Tone mapping of images for a display, and expansion of code to light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import torch
from torch import Tensor

from hdrq.encoding.anchoring import ANCHOR_NITS, anchored, geometric_mean
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.emission import gamut_note, outside
from hdrq.encoding.photometry import (
    LIGHT,
    Photometry,
    emit,
    emit_for,
    factor_of,
    looks_relative,
    working_primaries,
)
from hdrq.errors import DomainError, UsageError
from hdrq.image.color import convert
from hdrq.image.statistics import doubled, luminance, relight
from hdrq.image.transfer import linear_to_srgb
from hdrq.image.working_space import working_in
from hdrq.records import ADOBE_RGB, BT709, BT2020, P3, PRIMARIES, Display, Image, Primaries
from hdrq.registry import find
from hdrq.tonemapping.color_correction import CORRECTIONS
from hdrq.tonemapping.expansion import clipped
from hdrq.tonemapping.gamut_mapping import GAMUT_MAPPINGS
from hdrq.tonemapping.networks import operator_named
from hdrq.tonemapping.operator import Operator

_DIMMEST = 1.0  # cd/m², geometric mean below which light without a stated unit is taken as relative
OF_DISPLAYS = (BT709, P3, BT2020, ADOBE_RGB)  # primaries in which code is written


@dataclass(frozen=True)
class Plan:
    """How images are tone mapped.

    settings    of the operator, by name
    display     on which the result is shown: its EOTF gives the encoding, and operators that model a display use its
                white, black and ambient light; None is an SDR display, and operators keep their own defaults
    colour      name of a colour correction, None for the operator's own colours; saturation is its parameter
    levels      (stops, exponent) after the operator and its colours: luminance L of the image becomes (2^stops L)^exponent
    gamut       treatment of colours outside the display's gamut: clip, desaturate or scale
    wrap        the image is a panorama of 360 degrees: its left and right edges meet
    auto        weights of a network that predicts the operator's parameters for each scene, "default" for the usual ones
    bits        of the code, 8 or 16; dither adds noise of one step before rounding, by `seed`
    primaries   name of those that the code is written in; None: those of a stated display, else the image's own
    working     in which operators compute: the image's own, see `for_image`
    """

    operator: Operator
    settings: Mapping[str, Any] = field(default_factory=dict)
    display: Display | None = None
    colour: str | None = None
    saturation: float | None = None
    levels: tuple[float | Tensor, float | Tensor] | None = None
    gamut: str = "clip"
    wrap: bool = False
    auto: str = ""
    bits: int = 8
    dither: bool = False
    seed: int = 0
    primaries: str | None = None
    working: Primaries = BT709

    def __post_init__(self) -> None:
        if self.primaries not in (None, *(p.name for p in OF_DISPLAYS)):
            names = ", ".join(p.name for p in OF_DISPLAYS)
            raise UsageError(f"no display has primaries '{self.primaries}'; choose one of {names}")
        for name, known, what in (
            (self.colour, CORRECTIONS, "colour correction"),
            (self.gamut, GAMUT_MAPPINGS, "gamut mapping"),
        ):
            if name is not None and name not in known:
                raise UsageError(f"unknown {what} '{name}'; choose one of {', '.join(known)}")
        if self.bits not in (8, 16):
            raise UsageError(f"bits are 8 or 16, not {self.bits}")
        if self.saturation is not None and not 0 <= self.saturation < inf:  # NaN too
            raise UsageError(f"saturation is a number of 0 or more, not {self.saturation:g}")
        if self.levels is not None:
            ev, power = self.levels
            if not (-20 <= ev <= 20 and 0.1 <= power <= 10):  # NaN too
                raise UsageError(
                    f"levels are stops within -20 .. 20 and an exponent within 0.1 .. 10, not {ev:g},{power:g}"
                )

    @property
    def screen(self) -> Display:
        """The display for which the code is made."""
        return self.display or shelf_display("sdr")

    @property
    def output(self) -> Primaries:
        """The primaries of the code."""
        if self.primaries is not None:
            return PRIMARIES[self.primaries]
        return self.working if self.display is None else PRIMARIES[self.display.primaries]

    def for_image(self, image: Image, photometry: Photometry | None = None) -> Plan:
        """The plan with the working primaries of an image: its own, or where no display has them (XYZ) the smallest
        of BT.709, P3 and BT.2020 that contain it."""
        if image.primaries in OF_DISPLAYS:
            return replace(self, working=image.primaries)
        how = replace(photometry or Photometry(), primaries=None)
        return replace(self, working=working_primaries([image], [how], [factor_of(image, how)]))


@dataclass(frozen=True)
class Expansion:
    """How images of code are expanded to light: an expander, and its checked settings by name."""

    operator: Operator
    settings: Mapping[str, Any] = field(default_factory=dict)


def expansion(operator: str, settings: Mapping[str, Any] | None = None) -> Expansion:
    """An expansion by the expander's name; UsageError lists its options where it has not all that are given."""
    found = operator_named("expander", operator)
    return Expansion(found, found.settings(settings or {}))


def plan(operator: str | Operator, settings: Mapping[str, Any] | None = None, **choices: Any) -> Plan:
    """A plan by an operator or its name, with checked settings; a parameter file may give both."""
    found = operator_named("tonemapper", operator) if isinstance(operator, str) else operator
    return Plan(found, found.settings(settings or {}), **choices)


def scene_of(
    image: Image, photometry: Photometry | None = None, plan: Plan | None = None
) -> tuple[Tensor, tuple[str, ...]]:
    """Light for a plan's operator, (N, 3, H, W) in its working primaries, and notes on what was assumed and changed.

    The unit is cd/m² where the file or the user states it. Otherwise, if the operator reads cd/m² and the light
    seems relative or has a geometric mean below 1 cd/m², that mean is mapped to 18 % of the reference white of BT.2408,
    36.5 cd/m².
    """
    photometry = photometry or Photometry()
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
    return dim or looks_relative(image, photometry) is not None


def shown(light: Tensor, plan: Plan) -> Tensor:
    """Display-linear 0..1, in the primaries of the code, of a scene's light; differentiable where the operator is."""
    return in_gamut(rendered(light, plan), plan)


def rendered(light: Tensor, plan: Plan) -> Tensor:
    """`shown` before gamut mapping: colours outside the gamut have values below 0 or above 1."""
    settings = dict(plan.settings)
    if plan.display is not None:
        settings = {name: getattr(plan.display, name) for name in plan.operator.card.display} | settings
    operator = plan.operator
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


def in_gamut(display_linear: Tensor, plan: Plan) -> Tensor:
    """Rendered light with every value within 0..1, by the plan's gamut mapping."""
    with working_in(plan.output):
        return GAMUT_MAPPINGS[plan.gamut](display_linear)


def gamut_notes(display_linear: Tensor, plan: Plan) -> tuple[str, ...]:
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
    pixels = display_linear.clamp(0, 1)
    nits = d.black_nits + (d.peak_nits - d.black_nits) * pixels
    if d.eotf in ("pq", "hlg"):
        code, domain = find("encoding", d.eotf).encode(nits, d.peak_nits), d.eotf
    elif d.eotf in ("absolute", "light", "linear"):
        return Image(nits, "nits", plan.output)
    else:
        code, domain = (
            (linear_to_srgb(pixels), "srgb")
            if d.eotf == "srgb"
            else (pixels ** (1 / _power(d.eotf)), "gamma")
        )
    return Image(_dithered(code, plan), domain, plan.output, bits=plan.bits)


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
        from hdrq.tonemapping.prediction import described, predicted

        plan = predicted(scene, plan)
        notes = (*notes, described(plan))
    display_linear = rendered(scene, plan)
    code = code_of(in_gamut(display_linear, plan), plan)
    notes = (*(n for n in notes if n not in image.notes), *gamut_notes(display_linear, plan))
    return replace(code, notes=(*image.notes, *notes))


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
