"""Which channels of an EXR are the picture: parts, views, layers, and what colour is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hdrq.errors import UsageError
from hdrq.io.exr.header import Part

COLOURS = (("R", "G", "B"), ("Y", "RY", "BY"), ("X", "Y", "Z"), ("Y",))


@dataclass
class Picture:
    """Channels of one part that share layer and view, by their last name (R for beauty.left.R)."""

    part: Part
    layer: str
    view: str
    channels: dict[str, str] = field(default_factory=dict)

    @property
    def colour(self) -> tuple[str, ...]:
        """The channels that make the picture, in order; () when none do."""
        short = {name.upper(): name for name in self.channels}
        for names in COLOURS:
            if all(name in short for name in names):
                return tuple(short[name] for name in names)
        others = [name for name in self.channels if name.upper() not in ("A", "AR", "AG", "AB")]
        return (others[0],) if len(others) == 1 else ()

    @property
    def weakness(self) -> int:
        """0 where it is surely a picture; more for what may be a normal, a position or a depth."""
        names = tuple(name.upper() for name in self.colour)
        return {("R", "G", "B"): 0, ("Y", "RY", "BY"): 0, ("Y",): 1, ("X", "Y", "Z"): 2}.get(names, 3)

    @property
    def title(self) -> str:
        names = (self.part.name, self.layer, self.view)
        return "/".join(n for n in dict.fromkeys(names) if n) or "the unnamed picture"


def pictures(parts: Iterable[Part]) -> list[Picture]:
    """Everything in the file that could be asked for."""
    found: dict[tuple[int, str, str], Picture] = {}
    for part in parts:
        views = part.attributes.get("multiView")
        views = views if isinstance(views, list) else []
        for channel in part.channels:
            *path, last = channel.name.split(".")
            view = part.view or (views[0] if views else "")
            if path and path[-1] in views:
                view = path.pop()
            layer = ".".join(path)
            key = (part.number, layer, view)
            found.setdefault(key, Picture(part, layer, view)).channels[last] = channel.name
    return list(found.values())


def pick(
    path: Path, parts: list[Part], layer: str | None, view: str | None, part: str | int | None
) -> tuple[Picture, list[str]]:
    """The picture asked for, or the main one, and notes on what was left."""
    everything = pictures(parts)
    chosen = [p for p in everything if p.colour]
    asked = {"part": part, "layer": layer, "view": view}
    if part is not None:
        chosen = [p for p in chosen if str(part) in (p.part.name, str(p.part.number))]
    if layer is not None:
        named = [p for p in chosen if p.layer == layer]
        chosen = named or [p for p in chosen if not p.layer and p.part.name == layer]
    if view is not None:
        chosen = [p for p in chosen if p.view == view]
    if not chosen:
        wish = " ".join(f"{k} '{v}'" for k, v in asked.items() if v is not None)
        if wish:
            titles = _few(dict.fromkeys(p.title for p in everything if p.colour))
            raise UsageError(f"{path} has no picture in {wish}; it holds: {titles}")
        names = _few(c.name for p in parts for c in p.channels)
        raise UsageError(f"{path} has no R, G, B and no Y; its channels are {names}")
    top = [p for p in chosen if not p.layer and p.weakness < 2] or chosen
    flat = [p for p in top if not p.part.deep] or top
    likely = [p for p in flat if p.weakness == min(f.weakness for f in flat)]
    best = likely[0]
    if layer is None and best.layer and len({p.layer for p in likely}) > 1:
        layers = _few(dict.fromkeys(p.layer for p in likely))
        raise UsageError(f"{path} has no picture without a layer; choose one with layer: {layers}")
    return best, _left(best, everything, asked)


def _left(best: Picture, everything: list[Picture], asked: dict[str, str | int | None]) -> list[str]:
    """One note on channels and one on pictures that are not read."""
    notes = []
    used = {*best.colour, "A", "a"}
    if extra := [c for name, c in best.channels.items() if name not in used]:
        notes.append(f"channels not read: {_few(extra)}")
    others = [p for p in everything if p is not best]
    if others and all(v is None for v in asked.values()):
        notes.append(f"read {best.title}; not read: {_few(dict.fromkeys(p.title for p in others))}")
    return notes


def _few(names: Iterable[str], most: int = 8) -> str:
    """Names for one line."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
