"""Parameter files of `hdrq tonemap`: the operator, its parameters and the other choices of a plan, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hdrq.errors import FileError
from hdrq.tonemapping.plan import Plan

# Entries of a parameter file besides the operator and its settings.
CHOICES = ("colour", "saturation", "levels", "gamut", "wrap", "bits", "dither", "seed", "primaries")
# Changes of the display, by the names of the command's options.
DISPLAY_CHANGES = ("display_peak", "black", "contrast", "ambient", "reflectance")
_TEXTS, _SWITCHES, _NUMBERS = (
    ("display", "colour", "gamut", "primaries"),
    ("wrap", "dither"),
    ("saturation", "bits", "seed", "gain_map", *DISPLAY_CHANGES),
)


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
