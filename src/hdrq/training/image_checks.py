"""Checks of the images of a training before it starts: they exist, can be read, and fit the settings and one another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hdrq.encoding.code_images import clipped, clipped_line, srgb_code
from hdrq.encoding.reading import Reading
from hdrq.errors import DomainError, FileError, HdrqError, PixelError, UsageError
from hdrq.nn.net import Net
from hdrq.records import BT709
from hdrq.registry import find, names
from hdrq.training.batches import Item
from hdrq.training.display_augmentation import refuse_code_of, refuse_display
from hdrq.training.image_cache import ImageCache
from hdrq.training.settings import Settings
from hdrq.work import background_threads

_WORKERS = 8
# images of each part that a smoke test reads
_SOME = 64


@dataclass(frozen=True)
class Checked:
    """`done` of `total` images have been read and fit."""

    done: int
    total: int


@dataclass(frozen=True)
class Remark:
    """A line for the user on the images."""

    text: str


@dataclass(frozen=True)
class Frame:
    """Height and width of an image, whether it holds light rather than code, and how many values were outside BT.709."""

    size: tuple[int, int]
    light: bool
    clipped: str = ""


@dataclass(frozen=True)
class Part:
    """Items that are shown on one display; trained: crops are taken from them, otherwise they are seen whole."""

    items: Sequence[Item]
    display: str
    trained: bool = True


Look = Callable[[str], Frame]


def image_parts(
    settings: Settings, source: Sequence[Item], held_out: Sequence[Item], target: Sequence[Item]
) -> tuple[Part, ...]:
    """The three parts of a training with their displays."""
    return (
        Part(source, settings.source_display),
        Part(held_out, settings.held_display, False),
        Part(target, settings.target_display),
    )


def from_files(reading: Reading) -> Look:
    """Frames by decoding the files, which keeps nothing."""

    def look(path: str) -> Frame:
        image = reading.image(path)
        code = image.domain in ("srgb", "gamma")
        narrow = image.primaries == BT709
        count = "" if narrow else clipped(srgb_code(image) if code else reading.light(image))
        return Frame(image.size, not code, count)

    return look


def from_cache(images: ImageCache) -> Look:
    """Frames by decoding the files into a cache, from which the training then reads them."""
    return lambda path: Frame(images.size(path), images.holds_light(path), images.clipped.get(str(path), ""))


def refuse_missing(items: Iterable[Item]) -> None:
    """Raise FileError where images or references do not exist: the first of them, and how many."""
    paths = dict.fromkeys(p for i in items for p in (i.dist, i.ref) if p is not None)
    if missing := [p for p in paths if not Path(p).exists()]:
        raise FileError(
            f"{missing[0]} does not exist{_more(missing, 'images are missing')}; check the dataset or the manifest"
        )


def check_images(
    settings: Settings, parts: Sequence[Part], look: Look, few: bool = False
) -> Iterator[Checked | Remark]:
    """Read every image once and compare it with the settings and with its reference. Yields Checked after each item.

    A Remark at the end states which images have colours outside BT.709, and how many.

    few  read some images of each part only, for a smoke test

    Raises, after all have been read, for the first kind of fault: FileError or PixelError for images that cannot be read
    or that differ from their reference in size, DomainError for a display of other images, UsageError for images that are
    smaller than the crop or than the patches. The text names the first image and says how many there are.
    """
    for part in parts:
        if part.items:
            refuse_code_of(part.display, settings.encoding)
    rank, world = (int(os.environ.get(name, usual)) for name, usual in (("RANK", "0"), ("WORLD_SIZE", "1")))
    chosen = [(i, p) for p in parts for i in (p.items[:_SOME] if few else p.items)][rank::world]
    faults: dict[str, list[HdrqError]] = {}
    # (display, light) -> first image
    seen: dict[tuple[str, bool], str] = {}
    outside: dict[str, str] = {}

    # one reference serves many images
    @cache
    def noted(path: str) -> Frame:
        frame = look(path)
        if frame.clipped:
            outside[path] = frame.clipped
        return frame

    with background_threads(min(_WORKERS, os.cpu_count() or 1), "hdrq-checks") as pool:
        waiting = [pool.submit(_frame_of, settings, item, part, noted) for item, part in chosen]
        for done, task in enumerate(waiting, 1):
            item, part = chosen[done - 1]
            found = task.result()
            if isinstance(found, Frame):
                seen.setdefault((part.display, found.light), item.dist)
            else:
                faults.setdefault(found[0], []).append(found[1])
            yield Checked(done, len(chosen))
    for display in dict.fromkeys(display for display, _ in seen):
        _refuse_both(display, seen)
    for kind, errors in faults.items():
        head, semicolon, way = str(errors[0]).partition("; ")
        raise type(errors[0])(f"{head}{_more(errors, kind)}{semicolon}{way}") from errors[0]
    if line := clipped_line(dict(sorted(outside.items()))):
        yield Remark(line)


def _refuse_both(display: str, seen: Mapping[tuple[str, bool], str]) -> None:
    """Raise DomainError where the images on a display hold light and code, or not what it shows."""
    if (display, True) in seen and (display, False) in seen:
        raise DomainError(
            f"{seen[display, True]} holds light and {seen[display, False]} holds code; train on images of one kind, "
            "such as a subset of the dataset (source_subset, target_subset)"
        )
    for (shown, light), path in seen.items():
        if shown == display:
            refuse_display(path, light, display)


def _more(found: Sequence[object], kind: str) -> str:
    return f" ({len(found)} {kind})" if len(found) > 1 else ""


def _frame_of(settings: Settings, item: Item, part: Part, look: Look) -> Frame | tuple[str, HdrqError]:
    """The frame of an item, or (kind, error) where it cannot be trained on."""
    try:
        frames = [look(path) for path in (item.dist, item.ref) if path is not None]
    except HdrqError as error:
        return "images cannot be read", error
    if len({frame.light for frame in frames}) > 1:
        kind = DomainError(
            f"{item.dist} holds {_kind(frames[0])}, but {item.ref} holds {_kind(frames[1])}; pair images of one kind"
        )
        return "such pairs", kind
    if len({frame.size for frame in frames}) > 1:
        size = PixelError(f"{item.dist} and {item.ref} differ in size; crop or resize one of them")
        return "such pairs", size
    (h, w), (high, wide) = frames[0].size, _least(settings, part)
    if h < high or w < wide:
        return "such images", _too_small(settings, item.dist, (h, w), max(high, wide))
    return frames[0]


def _kind(frame: Frame) -> str:
    return "light" if frame.light else "code"


def _least(settings: Settings, part: Part) -> tuple[int, int]:
    """The smallest height and width of an image, pixels."""
    shelf: Net = find("net", settings.net)
    least = smallest(settings.net)
    if settings.input == "patches":
        least = shelf.patch_side(settings.options)
    elif settings.input == "crops":
        return settings.frame if part.trained else (min(settings.crop, least), min(settings.frame[1], least))
    elif settings.input == "resized":
        least = 1
    return least, least


def smallest(net: str) -> int:
    """The smallest image side that a network reads, from the card of its metric."""
    return int(find("metric", net).card.side) if net in names("metric") else 1


def _too_small(settings: Settings, path: str, frame: tuple[int, int], least: int) -> UsageError:
    size, side = f"{frame[1]}x{frame[0]}", min(frame)
    if settings.input == "patches":
        return UsageError(f"{path} is {size}, smaller than a patch of {least}x{least}; leave it out")
    if side < smallest(settings.net):
        return UsageError(
            f"{path} is {size}, but {settings.net} needs {smallest(settings.net)} pixels a side; leave it out"
        )
    crop, square = settings.frame, settings.frame[0] == settings.frame[1]
    asked = f"{crop[0]}" if square else f"{crop[1]}x{crop[0]}"
    fit = f"{side}" if square else f"{min(frame[1], crop[1])}x{min(frame[0], crop[0])}"
    return UsageError(
        f"{path} is {size}, smaller than the crop of {asked}; leave it out, or add --set crop={fit}"
    )
