"""Parameter files of `hdrq tonemap`: the operator, its parameters and the other choices of a plan, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hdrq.errors import FileError
from hdrq.tonemapping.tonemap import Plan

# Entries of a parameter file besides the operator and its settings.
CHOICES = ("colour", "saturation", "levels", "gamut", "wrap", "bits", "dither", "primaries")


def parameters_of(plan: Plan, display: str | None = None, **measured: Any) -> str:
    """JSON of a plan, to be used again by `read_parameters`.

    display   name or file of the display, where one was given
    measured  result of an optimisation: metric, before, after
    """
    content = {"operator": plan.operator.name, "parameters": dict(plan.settings), "display": display}
    content |= {name: getattr(plan, name) for name in CHOICES}
    return json.dumps(content | measured, indent=1) + "\n"


def read_parameters(path: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(operator, settings, display and other choices of the plan) from a file written by `parameters_of`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        choices = {k: data[k] for k in ("display", *CHOICES) if data.get(k) is not None}
        if "levels" in choices:
            ev, power = choices["levels"]
            choices["levels"] = (float(ev), float(power))
        return str(data["operator"]), dict(data["parameters"]), choices
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is not a parameter file; it needs 'operator' and 'parameters'") from error
