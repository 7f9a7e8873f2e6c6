"""What a network is handed in a step. Everything depends on (seed, epoch, place in the epoch) and nothing else,
so that a resumed run sees the very same pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from hdrq.errors import PixelError
from hdrq.image.resize import linear_resize
from hdrq.records import Encoding
from hdrq.registry import find
from hdrq.scoring.sampling.gather import cut
from hdrq.scoring.sampling.plan import plan
from hdrq.training.display_augmentation import seen
from hdrq.training.image_cache import Pixels, tensor
from hdrq.training.settings import Run

_AHEAD = 2  # batches prepared while the network works


@dataclass(frozen=True)
class Item:
    """One picture to learn from; label None: unlabelled."""

    dist: str
    ref: str | None
    label: float | None
    scene: str = ""
    distortion: str = ""


@dataclass(frozen=True)
class Batch:
    """Code of test images and references: (B, N, 3, p, p) patches with places and scales, or (B, 3, h, w)."""

    dist: Tensor
    ref: Tensor | None
    label: Tensor | None
    place: Tensor | None = None
    scale: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        def move(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.to(device, non_blocking=True)

        return Batch(*(move(t) for t in (self.dist, self.ref, self.label, self.place, self.scale)))  # type: ignore[arg-type]


def generator(*key: int) -> torch.Generator:
    """A generator of its own for every key."""
    state = 0x9E3779B97F4A7C15
    for part in key:
        state = (state ^ (part + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 29
    return torch.Generator().manual_seed(state & 0x7FFFFFFFFFFFFFFF)


class Feed:
    """Items of one domain, cut into batches.

    rank, world  this process's share of every batch, where several work together
    """

    def __init__(
        self,
        run: Run,
        items: Sequence[Item],
        screen: str,
        pixels: Pixels,
        salt: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not items:
            raise PixelError("there is no picture to learn from; check the dataset and its subset")
        self.run, self.items, self.screen, self.pixels = run, list(items), screen, pixels
        self.salt, self.rank, self.world = salt, rank, world

    def order(self, epoch: int) -> list[int]:
        return torch.randperm(len(self.items), generator=generator(self.run.seed, self.salt, epoch)).tolist()

    def steps(self) -> int:
        """Batches of an epoch; a last one with too few pictures is left out, unless it is the only one."""
        return max(1, len(self.items) // self.run.batch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """This epoch's batches from number `start` on, prepared ahead on a thread."""
        order, size = self.order(epoch), min(self.run.batch, len(self.items))
        numbers = range(start, self.steps())
        mine = slice(self.rank * size // self.world, (self.rank + 1) * size // self.world)

        def make(number: int) -> Batch:
            chosen = order[number * size : (number + 1) * size]
            return self.batch([self.items[i] for i in chosen], (epoch, number), mine)

        with ThreadPoolExecutor(1, thread_name_prefix="hdrq-feed") as pool:
            waiting = [pool.submit(make, n) for n in numbers[:_AHEAD]]
            for n in numbers:
                yield waiting.pop(0).result()
                if n + _AHEAD in numbers:
                    waiting.append(pool.submit(make, n + _AHEAD))

    def batch(
        self, items: Sequence[Item], key: tuple[int, int] | None, mine: slice = slice(None), repeat: int = 0
    ) -> Batch:
        """One batch; key None is for validation: no flips, the screen of the middle, the middle crop.

        repeat  number of the look at the same items: patches are cut elsewhere each time
        """
        base = (self.run.seed, self.salt, *(key or ()))
        light = generator(*base, 1) if key is not None else None  # one screen for the whole batch
        state = light.get_state() if light is not None else None
        parts = []
        for number in range(len(items))[mine]:
            random = generator(*base, 2, number) if key is not None else None
            if light is not None and state is not None:
                light.set_state(state)
            parts.append(self._one(items[number], random, light, repeat))
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
        )

    def _one(
        self, item: Item, random: torch.Generator | None, light: torch.Generator | None, repeat: int
    ) -> Batch:
        run = self.run
        files = [item.dist] if item.ref is None else [item.dist, item.ref]
        arrays = [self.pixels.get(f) for f in files]
        if len({a.shape for a in arrays}) > 1:
            raise PixelError(f"{item.dist} and {item.ref} differ in size; the dataset pairs them wrongly")
        h, w = arrays[0].shape[-2:]
        if run.feed == "crops":
            side = (min(run.crop, h), min(run.crop, w))
            if min(side) < run.crop:
                raise PixelError(
                    f"{item.dist} is {w}x{h}, smaller than the crop of {run.crop}; set crop={min(h, w)}"
                )
            y, x = (_pick(n - s, random) for n, s in zip((h, w), side))
            arrays = [a[:, y : y + side[0], x : x + side[1]] for a in arrays]
        stack = torch.stack([tensor(a) for a in arrays])
        if run.feed == "squeezed":
            stack = _squeezed(stack, run, random)
        if run.flips and random is not None:
            for dim in (-1, -2) if run.feed == "patches" else (-1,):
                if torch.rand((), generator=random) < 0.5:
                    stack = stack.flip(dim)
        code = seen(stack, self.screen, run.encoding, light)
        if run.feed != "patches":
            return Batch(code[0], code[1] if len(code) > 1 else None, None)
        return self._patches(code, random, repeat)

    def _patches(self, code: Tensor, random: torch.Generator | None, repeat: int) -> Batch:
        run = self.run
        count = run.patches if random is not None else run.test_patches
        seed = int(torch.randint(2**31, (), generator=random)) if random is not None else repeat
        where = plan(
            (int(code.shape[-2]), int(code.shape[-1])),
            count,
            patch=64 if "pieapp" in run.net else int(run.options.get("patch", 16)),
            scales=run.scales,
            seed=seed,
        )
        curve: Encoding = find("encoding", run.encoding)
        bag = cut(code.contiguous(), where, (curve.decode, curve.encode))
        scale = torch.from_numpy(where.scales.copy()).long()
        place = torch.from_numpy(where.places[0].copy())
        return Batch(bag[0], bag[1] if len(bag) > 1 else None, None, place, scale)


def _squeezed(stack: Tensor, run: Run, random: torch.Generator | None) -> Tensor:
    """Whole pictures at the run's size; while training larger by a margin, and a crop of that."""
    size = (run.crop, round(run.aspect * run.crop))
    margin = run.margin if random is not None else 0
    stack = linear_resize(stack, (size[0] + margin, size[1] + margin))
    y, x = (_pick(margin, random) for _ in size)
    return stack[..., y : y + size[0], x : x + size[1]]


def _pick(room: int, random: torch.Generator | None) -> int:
    """A place in 0..room; the middle without a generator."""
    return room // 2 if random is None else int(torch.randint(room + 1, (), generator=random))
