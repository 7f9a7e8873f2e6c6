"""How images are tone mapped for a display, and how code is expanded to light: operators, their checked settings, and both as a
file of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from torch import Tensor

from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import Photometry, factor_of, working_primaries
from hdrq.errors import FileError, UsageError
from hdrq.records import ADOBE_RGB, BT709, BT2020, P3, PRIMARIES, Display, Image, Primaries
from hdrq.tonemapping.color_correction import CORRECTIONS, GAMUT_MAPPINGS
from hdrq.tonemapping.networks import operator_named
from hdrq.tonemapping.operator import Operator

# primaries in which code is written
OF_DISPLAYS = (BT709, P3, BT2020, ADOBE_RGB)
# Entries of a parameter file besides the operator and its settings.
CHOICES = ("colour", "saturation", "levels", "gamut", "wrap", "bits", "dither", "seed", "primaries")
# Changes of the display, by the names of the command's options.
DISPLAY_CHANGES = ("display_peak", "black", "contrast", "ambient", "reflectance")
_TEXTS, _SWITCHES, _NUMBERS = (
    ("display", "colour", "gamut", "primaries"),
    ("wrap", "dither"),
    ("saturation", "bits", "seed", "gain_map", *DISPLAY_CHANGES),
)


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
        # NaN too
        if self.saturation is not None and not 0 <= self.saturation < inf:
            raise UsageError(f"saturation is a number of 0 or more, not {self.saturation:g}")
        if self.levels is not None:
            ev, power = self.levels
            # NaN too
            if not (-20 <= ev <= 20 and 0.1 <= power <= 10):
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


def parameters_of(
    plan: Plan,
    display: str | None = None,
    changes: Mapping[str, Any] | None = None,
    gain_map: float | None = None,
    **measured: Any,
) -> str:
    """JSON of a plan, to be used again by `read_parameters`: with it, the same image gives the same file.

    display   name or file of the display, where one was given
    changes   of the display: those of DISPLAY_CHANGES in `changes` that are not None
    gain_map  stops above SDR white that a gain map holds, where one is written
    measured  result of an optimisation: metric, before, after
    """
    content = {"operator": plan.operator.name, "parameters": dict(plan.settings), "display": display}
    content |= {n: changes[n] for n in DISPLAY_CHANGES if changes and changes.get(n) is not None}
    content |= {name: getattr(plan, name) for name in CHOICES} | {"gain_map": gain_map}
    return json.dumps(content | measured, indent=1) + "\n"


def read_parameters(path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(operator, settings, display and other choices of the plan) from a file written by `parameters_of`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        known = ("display", *DISPLAY_CHANGES, "gain_map", *CHOICES)
        choices = {k: data[k] for k in known if data.get(k) is not None}
        if "levels" in choices:
            ev, power = choices["levels"]
            choices["levels"] = (float(ev), float(power))
        for names, kinds in ((_TEXTS, (str,)), (_SWITCHES, (bool,)), (_NUMBERS, (int, float))):
            for name in names:
                if name in choices and type(choices[name]) not in kinds:
                    raise FileError(f"{path}: {name} cannot be {json.dumps(choices[name])}")
        return str(data["operator"]), dict(data["parameters"]), choices
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is not a parameter file; it needs 'operator' and 'parameters'") from error
