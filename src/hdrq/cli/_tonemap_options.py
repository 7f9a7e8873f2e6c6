"""Valid combinations of the options of `hdrq tonemap`: an option without effect is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hdrq.errors import UsageError

DISPLAY = ("display", "display_peak", "black", "contrast", "ambient", "reflectance")
_HELD = ("layer", "view", "part", "frames", "domain", "file_primaries", "nonfinite")
_INPUT = ("scale", "peak", "white", *_HELD)
# Options of each task, besides inputs, output and --quiet.
_TASKS: Mapping[str, tuple[str, ...]] = {
    "compare": ("score", "colour", "saturation", "levels", "gamut", "wrap", "primaries", *_INPUT),
    "expand": ("sets", "mask", "suffix", "primaries", *_HELD, "cluster"),
    "enhance": ("quality", "suffix", "seed", "device", "layer", "view", "part", "frames"),
}
_ONLY_THERE = ("score", "mask", "quality")
# Options that modify another one.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "saturation": ("colour",),
    "iterations": ("optimize",),
    "seed": ("dither", "optimize", "enhance"),
    "weights": ("auto",),
}


def task_of(given: set[str]) -> str:
    """compare, optimize, expand, enhance, or tonemap."""
    tasks = [n for n in ("compare", "optimize", "expand", "enhance") if n in given]
    if len(tasks) > 1:
        raise UsageError(f"--{tasks[0]} and --{tasks[1]} are different tasks; give only one")
    return tasks[0] if tasks else "tonemap"


def refuse_idle(task: str, given: set[str]) -> None:
    """Refuse an option without effect."""
    for name in sorted(given - {task, "output", "quiet"}):
        option = "--set" if name == "sets" else f"--{name.replace('_', '-')}"
        if task in _TASKS and name not in _TASKS[task]:
            raise UsageError(f"{option} has no effect with --{task}; leave it out")
        if task not in _TASKS and name in _ONLY_THERE:
            needed = next(t for t, known in _TASKS.items() if name in known)
            raise UsageError(f"{option} has no effect without --{needed}; leave it out")
    if "params" not in given:
        refuse_needless(given, given)


def refuse_needless(given: set[str], present: set[str]) -> None:
    """Refuse an option that modifies none of those present, which are given or from a file of parameters."""
    for name in sorted(given & {*_NEEDS}):
        if not present & {*_NEEDS[name]}:
            needed = " or ".join(f"--{n}" for n in _NEEDS[name])
            raise UsageError(f"--{name} has no effect without {needed}; leave it out")


def refuse_with_auto(given: set[str]) -> None:
    """Refuse what contradicts parameters that are predicted for each image."""
    for name, reason in (
        ("optimize", "find parameters in different ways; give only one"),
        ("temporal", "contradict: predicted parameters change between the frames of a video"),
        ("save_params", "contradict: predicted parameters differ between images, and a note states them"),
    ):
        if "auto" in given and name in given:
            raise UsageError(f"--auto and --{name.replace('_', '-')} {reason}")


def refuse_idle_display(made: Any, given: set[str]) -> None:
    """Refuse a display option that neither the operator nor the encoding uses."""
    relative = made.screen.eotf not in ("pq", "hlg", "absolute", "linear")
    modelled = made.operator.card.display
    needs = {
        "display_peak": "peak_nits",
        "black": "black_nits",
        "contrast": "black_nits",
        "ambient": "ambient_lux",
        "reflectance": "reflectance",
    }
    for option, name in needs.items():
        light = name in ("ambient_lux", "reflectance")
        if option in given and name not in modelled and (relative or light):
            raise UsageError(
                f"--{option.replace('_', '-')} has no effect with {made.operator.name}, which does not model the "
                "display's light; leave it out"
            )
