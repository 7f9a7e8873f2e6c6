"""Training settings made from a recipe, from JSON, or by overrides given as text."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

from hdrq.errors import UsageError
from hdrq.nn.net import Net
from hdrq.records import Recipe
from hdrq.registry import find
from hdrq.training.settings import SCENES, Settings


def refuse_unknown(given: Collection[str], known: Collection[str]) -> None:
    """Raise UsageError for the first name, in alphabetical order, that is not a setting."""
    if unknown := sorted(set(given) - set(known)):
        raise no_such_setting(unknown[0], sorted(known))


def no_such_setting(name: str, known: Collection[str]) -> UsageError:
    """The error of a name that is not a setting, with those that are like it, or all."""
    near = difflib.get_close_matches(name, known, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"settings are {', '.join(known)}"
    return UsageError(f"there is no setting '{name}'; {hint}")


def parsed(value: Any) -> Any:
    """The JSON value of a text; the text itself where it is not JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        return value


def scalar(old: bool | int | float, value: Any, name: str) -> bool | int | float:
    """A value in the type of the setting that it replaces; UsageError for any other."""
    found = parsed(value)
    if isinstance(old, bool):
        if not isinstance(found, bool):
            raise UsageError(f"{name} is true or false, not '{value}'")
        return found
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
        raise UsageError(f"{name} is a number, not '{value}'")
    if isinstance(old, int) and isinstance(found, float) and not found.is_integer():
        raise UsageError(f"{name} is a whole number, not {value}")
    try:
        float(found)
    except OverflowError:
        raise UsageError(f"{name} is too large") from None
    return type(old)(found)


def from_plain(values: Mapping[str, Any]) -> Settings:
    """Settings from JSON values, as stored in a run folder."""
    refuse_unknown(values, [f.name for f in fields(Settings)])
    stages = tuple((int(e), float(r)) for e, r in values.get("stages", ()))
    lists = {name: tuple(map(str, values[name])) for name in SCENES if name in values}
    return Settings(**{**values, **lists, "stages": stages})


def from_recipe(
    recipe: Recipe, overrides: Mapping[str, Any], variant: str = "", small: bool = False
) -> Settings:
    """The settings of a recipe, overridden by those of a variant, then --small, then the given overrides."""
    if variant and variant not in recipe.variants:
        some = ", ".join(recipe.variants) or "none"
        raise UsageError(f"{recipe.name} has no variant '{variant}'; it has {some}")
    values = {**recipe.settings, **(recipe.variants[variant] if variant else {})}
    settings = Settings(net=recipe.net, **values)
    return adjust(reduced(settings, overrides) if small else settings, overrides)


def adjust(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Settings with some replaced; strings are converted to the type of the setting."""
    known = {f.name: getattr(settings, f.name) for f in fields(Settings)}
    changes: dict[str, Any] = {}
    for key, value in overrides.items():
        head, dot, inner = key.replace("-", "_").partition(".")
        if head not in known:
            raise no_such_setting(key, known)
        if dot and not isinstance(known[head], Mapping):
            raise UsageError(f"{head} has no parts; write {head}=VALUE instead of {key}")
        if dot:
            nested = dict(changes.get(head, known[head]))
            nested[inner] = parsed(value)
            changes[head] = nested
        elif head == "crop" and isinstance(value, str) and "x" in value:
            changes |= _frame(value)
        else:
            changes[head] = _converted(known[head], value, head)
    return replace(settings, **changes)


def _frame(text: str) -> dict[str, Any]:
    """crop and aspect of a crop given as WxH."""
    w, _, h = text.partition("x")
    if not (w.strip().isdigit() and h.strip().isdigit() and int(w) and int(h)):
        raise UsageError(f"crop is a number of pixels, or WxH such as 1024x768, not '{text}'")
    return {"crop": int(h), "aspect": int(w) / int(h)}


def reduced(settings: Settings, overrides: Collection[str] = ()) -> Settings:
    """The same settings reduced to a smoke test: a few steps of small batches of small images.

    overrides  names of the settings that will be changed: steps do not end a training of which the epochs are given
    """
    shelf: Net = find("net", settings.net)
    changes: dict[str, Any] = {
        "batch": min(settings.batch, 2),
        "patches": min(settings.patches, 32),
        "test_patches": 32,
        "crop": min(settings.crop, shelf.side),
        "margin": min(settings.margin, 8),
        "target_batch": min(settings.target_batch, 2),
        "epochs": max(1, len(settings.stages)),
        "stages": tuple((1, rate) for _, rate in settings.stages),
        "steps": 0 if "epochs" in overrides else 4,
        "start": "",
        "options": {**settings.options, **shelf.small},
    }
    if settings.meta:
        changes["meta"] = {**settings.meta, "tasks": 2, "most": 2}
    return replace(settings, **changes)


def _converted(old: Any, value: Any, name: str) -> Any:
    """`value` converted to the type of the setting it replaces."""
    if not isinstance(value, str) or isinstance(old, str):
        return value
    if name in SCENES:
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(old, tuple):
        pairs = parsed(value)
        if not isinstance(pairs, list) or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
            raise UsageError(f"{name} is a list of pairs such as [[40, 1e-4], [20, 2e-5]], not '{value}'")
        return tuple((int(scalar(1, e, name)), float(scalar(1.0, r, name))) for e, r in pairs)
    if isinstance(old, bool | int | float):
        return scalar(old, value, name)
    mapping = parsed(value)
    if not isinstance(mapping, dict):
        raise UsageError(f"{name} is a mapping such as '{{\"mae\": 1}}'; or set one part: {name}.mae=1")
    return mapping
