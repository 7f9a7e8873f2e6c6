"""Batches of training images.

A batch depends only on the seed, the epoch and its number, so that a resumed training sees the same images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from hdrq.errors import PixelError
from hdrq.image.resize import linear_resize
from hdrq.nn.net import Net
from hdrq.records import Encoding
from hdrq.registry import find
from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import plan
from hdrq.training.display_augmentation import displayed_code, refuse_display
from hdrq.training.image_cache import ImageCache, tensor
from hdrq.training.settings import Settings
from hdrq.work import background_threads

# batches prepared in a background thread while the network computes
_PREFETCH = 2


@dataclass(frozen=True)
class Item:
    """A test image with its reference and label; label None means unlabelled."""

    dist: str
    ref: str | None
    label: float | None
    scene: str = ""
    distortion: str = ""


@dataclass(frozen=True)
class Batch:
    """Code of test and reference images: (B, N, 3, p, p) patches with positions and scales, or (B, 3, h, w).

    place_dist  positions of the patches of the test images, where they are not those of the references
    """

    dist: Tensor
    ref: Tensor | None
    label: Tensor | None
    place: Tensor | None = None
    scale: Tensor | None = None
    place_dist: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""

        def move(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.to(device, non_blocking=True)

        return Batch(*(move(getattr(self, f.name)) for f in fields(self)))  # type: ignore[arg-type]


def generator(*key: int) -> torch.Generator:
    """A random generator whose state depends only on the key."""
    state = 0x9E3779B97F4A7C15
    for part in key:
        state = (state ^ (part + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 29
    return torch.Generator().manual_seed(state & 0x7FFFFFFFFFFFFFFF)


class BatchLoader:
    """Batches of the items of one domain.

    rank, world  index of this process and number of processes; each process computes its share of every batch
    Where images are seen whole, all of a batch have one size.
    """

    def __init__(
        self,
        settings: Settings,
        items: Sequence[Item],
        display: str,
        images: ImageCache,
        salt: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not items:
            raise PixelError("there are no images to train on; check the dataset and its subset")
        self.settings, self.items, self.display, self.images = settings, list(items), display, images
        self.salt, self.rank, self.world = salt, rank, world

    def order(self, epoch: int) -> list[int]:
        """Indices of the items in the order of an epoch, by the seed."""
        return torch.randperm(
            len(self.items), generator=generator(self.settings.seed, self.salt, epoch)
        ).tolist()

    def steps(self) -> int:
        """Number of batches in an epoch; an incomplete last batch is dropped, unless it is the only one (of its size)."""
        return len(self._cut(range(len(self.items))))

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """The size by which images are put into batches; one for all unless images are seen whole."""
        return [self.size_of(item) for item in self.items]

    def size_of(self, item: Item) -> tuple[int, int]:
        """The size of an image that is seen whole; (0, 0) where all are brought to one size."""
        return self.images.size(item.dist) if self.settings.input == "whole" else (0, 0)

    def _cut(self, order: Sequence[int]) -> list[list[int]]:
        """The batches of an order of the items."""
        size, kinds = self.settings.batch, dict[tuple[int, int], list[int]]()
        for i in order:
            kinds.setdefault(self.sizes[i], []).append(i)
        found = []
        for own in kinds.values():
            count = max(1, len(own) // size)
            found += [own[k * size : (k + 1) * size] for k in range(count)]
        kept = [part for part in found if len(part) >= self.world] or found[:1]
        if len(kinds) == 1:
            return kept
        places = {part[0]: place for place, part in enumerate(kept)}
        first = {i: number for number, i in enumerate(order)}
        # sizes alternate as drawn
        return [kept[places[i]] for i in sorted(places, key=lambda i: first[i])]

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Batches of an epoch from number `start` on, prepared in a background thread."""
        parts = self._cut(self.order(epoch))
        numbers = range(start, len(parts))

        def make(number: int) -> Batch:
            chosen = parts[number]
            ends = (r * len(chosen) // self.world for r in (self.rank, self.rank + 1))
            return self.batch([self.items[i] for i in chosen], (epoch, number), slice(*ends))

        with background_threads(1, "hdrq-batches") as pool:
            waiting = [pool.submit(make, n) for n in numbers[:_PREFETCH]]
            for n in numbers:
                yield waiting.pop(0).result()
                if n + _PREFETCH in numbers:
                    waiting.append(pool.submit(make, n + _PREFETCH))

    def batch(
        self, items: Sequence[Item], key: tuple[int, int] | None, mine: slice = slice(None), repeat: int = 0
    ) -> Batch:
        """One batch; key None is for validation: no flips, the mean display, whole images instead of crops.

        repeat  a different number samples different patches of the same items
        """
        base = (self.settings.seed, self.salt, *(key or ()))
        # one display for the whole batch
        light = generator(*base, 1) if key is not None else None
        state = light.get_state() if light is not None else None
        parts = []
        for number in range(len(items))[mine]:
            random = generator(*base, 2, number) if key is not None else None
            if light is not None and state is not None:
                light.set_state(state)
            parts.append(self._load(items[number], random, light, repeat))
        chosen = [items[i] for i in range(len(items))[mine]]
        known = all(i.label is not None for i in chosen)
        label = torch.tensor([i.label for i in chosen], dtype=torch.float32) if known else None
        refs = [p.ref for p in parts]
        return Batch(
            dist=torch.stack([p.dist for p in parts]),
            ref=None if refs[0] is None else torch.stack([r for r in refs if r is not None]),
            label=label,
            place=None
            if parts[0].place is None
            else torch.stack([p.place for p in parts if p.place is not None]),
            scale=None
            if parts[0].scale is None
            else torch.stack([p.scale for p in parts if p.scale is not None]),
            place_dist=None
            if parts[0].place_dist is None
            else torch.stack([p.place_dist for p in parts if p.place_dist is not None]),
        )

    def _load(
        self, item: Item, random: torch.Generator | None, light: torch.Generator | None, repeat: int
    ) -> Batch:
        settings = self.settings
        files = [item.dist] if item.ref is None else [item.dist, item.ref]
        arrays = [self.images.get(f) for f in files]
        refuse_display(item.dist, self.images.holds_light(item.dist), self.display)
        if len({a.shape for a in arrays}) > 1:
            raise PixelError(f"{item.dist} and {item.ref} differ in size; crop or resize one of them")
        h, w = arrays[0].shape[-2:]
        if settings.input == "crops" and random is not None:
            side = settings.frame
            if h < side[0] or w < side[1]:
                raise PixelError(
                    f"{item.dist} is {w}x{h}, smaller than the crop of {side[1]}x{side[0]}; add --set "
                    f"crop={min(w, side[1])}x{min(h, side[0])}"
                )
            y, x = (_position(n - s, random) for n, s in zip((h, w), side))
            arrays = [a[:, y : y + side[0], x : x + side[1]] for a in arrays]
        stack = torch.stack([tensor(a) for a in arrays])
        if settings.input == "resized":
            stack = _resized(stack, settings, random)
        if settings.flips and random is not None:
            for dim in (-1, -2) if settings.input == "patches" else (-1,):
                if torch.rand((), generator=random) < 0.5:
                    stack = stack.flip(dim)
        code = displayed_code(stack, self.display, settings.encoding, light, settings.display_spread)
        if settings.input != "patches":
            return Batch(code[0], code[1] if len(code) > 1 else None, None)
        return self._patches(code, random, repeat)

    def _patches(self, code: Tensor, random: torch.Generator | None, repeat: int) -> Batch:
        settings = self.settings
        count = settings.patches if random is not None else settings.test_patches
        seed = int(torch.randint(2**31, (), generator=random)) if random is not None else repeat
        shelf: Net = find("net", settings.net)
        where = plan(
            (int(code.shape[-2]), int(code.shape[-1])),
            count,
            patch=shelf.patch_side(settings.options),
            scales=settings.levels,
            seed=seed,
            sets=1 if settings.aligned or code.shape[0] == 1 else 2,
        )
        curve: Encoding = find("encoding", settings.encoding)
        bag = cut(code.contiguous(), where, (curve.decode, curve.encode))
        scale = torch.from_numpy(where.scales.copy()).long()
        test, *own = (torch.from_numpy(places.copy()) for places in where.places)
        ref = bag[1] if len(bag) > 1 else None
        return Batch(bag[0], ref, None, own[0] if own else test, scale, test if own else None)


def _resized(stack: Tensor, settings: Settings, random: torch.Generator | None) -> Tensor:
    """Images resized to the size in the settings; in training larger by a margin and then cropped."""
    size = settings.frame
    margin = settings.margin if random is not None else 0
    stack = linear_resize(stack, (size[0] + margin, size[1] + margin))
    y, x = (_position(margin, random) for _ in size)
    return stack[..., y : y + size[0], x : x + size[1]]


def _position(free: int, random: torch.Generator | None) -> int:
    """A random position in 0..free; the middle without a generator."""
    return free // 2 if random is None else int(torch.randint(free + 1, (), generator=random))
