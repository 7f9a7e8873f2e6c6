"""Time patch sampling and the learned metrics' networks.

    python bench/patches.py --size 1920x1080 --threads 2 --json out.json

Two clocks, both the least of several rounds, in milliseconds: the wall, and the processor's time over all
threads, which other programs on the machine disturb less. "pyramid" is the way of the authors' programs,
written again here: average-pool the whole pair level by level, and index patches out of every level.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq import process
from hdrq.registry import find
from hdrq.scoring.sampling import Plan, cut, plan
from hdrq.scoring.sampling.gather import halve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT of the pair")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-nets", action="store_true", help="sampling only")
    parser.add_argument("--json", help="also write the numbers here")
    args = parser.parse_args()
    process.keep_freed_memory()
    torch.set_num_threads(args.threads)
    width, height = (int(n) for n in args.size.split("x"))
    pair = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    jobs = sampling(pair)
    print(f"{args.size} pair, {args.threads} threads, least of {args.rounds} rounds, milliseconds")
    rows = [report(name, timed(job, args.rounds)) for name, job in jobs.items()]
    if not args.no_nets:
        rows += [report(name, timed(job, 3)) for name, job in networks().items()]
    if args.json:
        about = {
            "size": args.size,
            "threads": args.threads,
            "torch": torch.__version__,
            "cpu": platform.processor(),
        }
        Path(args.json).write_text(json.dumps({**about, "rows": rows}, indent=1))


def sampling(pair: Tensor) -> dict[str, Callable[[], Any]]:
    """Planning, reading the touched pixels, halving them, all of it, and the pyramid for comparison."""
    size = (pair.shape[-2], pair.shape[-1])
    code = find("encoding", "pu21")
    curves = (code.decode, code.encode)
    jobs: dict[str, Callable[[], Any]] = {}
    for count in (512, 2048):
        where = plan(size, count, scales=5)
        read = blocks(pair, where)
        draw = partial(plan, size, count, scales=5)
        jobs[f"plan {count}"] = draw
        jobs[f"gather {count}: touched pixels"] = partial(blocks, pair, where)
        jobs[f"gather {count}: halving"] = partial(shrink_all, read)
        jobs[f"plan and gather {count}"] = partial(plan_and_gather, pair, draw)
        jobs[f"gather {count}, averaged in light"] = partial(cut, pair, where, curves)
        jobs[f"pyramid {count}, for comparison"] = partial(by_pyramid, pair, where)
    jobs["plan and gather 128 of 64x64"] = partial(plan_and_gather, pair, partial(plan, size, 128, patch=64))
    return jobs


def plan_and_gather(pair: Tensor, draw: Callable[[], Plan]) -> Tensor:
    return cut(pair, draw())


def blocks(pair: Tensor, where: Plan) -> list[Tensor]:
    """The source pixels of every patch, level by level."""
    corners = where.pixels().split(list(where.counts), 1)
    sides = (where.patch << s for s in range(len(corners)))
    return [
        torch.ops.hdrq.gather(pair, at << s, [at.shape[1]], side)
        for s, (at, side) in enumerate(zip(corners, sides))
    ]


def shrink_all(read: list[Tensor]) -> list[Tensor]:
    """Every level's blocks halved to patches."""
    return [reduce(lambda block, _: halve(block), range(level), block) for level, block in enumerate(read)]


def by_pyramid(pair: Tensor, where: Plan) -> Tensor:
    """The same patches from a pyramid of the whole pair."""
    inside, level, out = torch.arange(where.patch), pair, []
    for at in where.pixels()[0].split(list(where.counts)):
        rows, columns = at[:, :1, None] + inside[:, None], at[:, 1:, None] + inside
        out.append(level[:, :, rows, columns].transpose(1, 2))
        level = F.avg_pool2d(level, 2)
    return torch.cat(out, 1)


def networks() -> dict[str, Callable[[], Any]]:
    """Forward passes at the authors' sizes, with random weights: time does not depend on what they are."""
    vtamiq, pieapp = (find("net", name).build().eval() for name in ("vtamiq", "pieapp"))
    patches, place, scale = torch.rand(1, 512, 3, 16, 16), torch.rand(1, 512, 2), torch.randint(5, (1, 512))
    large = torch.rand(1, 128, 3, 64, 64)

    @torch.no_grad()
    def forward(net: torch.nn.Module, *inputs: Tensor) -> Tensor:
        return net(*inputs)

    def in_pieces() -> list[Tensor]:
        return [forward(pieapp, part, part) for part in large.split(32, 1)]

    return {
        "VTAMIQ ViT-B/16, 6 layers, 512 patches": lambda: forward(vtamiq, patches, patches, place, scale),
        "PieAPP, 128 patches": in_pieces,
    }


def timed(job: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """(wall, processor) milliseconds, the least of each."""
    walls, works = [], []
    for _ in range(rounds):
        wall, work = time.perf_counter(), time.process_time()
        job()
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    return 1e3 * min(walls), 1e3 * min(works)


def report(name: str, times: tuple[float, float]) -> dict[str, Any]:
    print(f"{name:42} {times[0]:9.2f} wall {times[1]:9.2f} processor", flush=True)
    return {"name": name, "wall_ms": times[0], "processor_ms": times[1]}


if __name__ == "__main__":
    main()
