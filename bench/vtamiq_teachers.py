"""Teacher scores for the weights of `pu-vtamiq` that ship: image pairs, rendered and scored by several metrics.

    python bench/vtamiq_teachers.py --learn hdr_learn --learn photos --judge hdr_judge --judge photos_judge \
      --out runs/vtamiq [--rows 45000] [--share 0/2]

`--learn` are folders of scenes to learn from, `--judge` of the scenes to test on: those that lists/hdr.csv marks so, and other
photographs. The set is that of `hdrq distill` (crops of 192 pixels, reduced by 1, 2 or 4; light with a peak of 300 to
8000 cd/m², code on displays of 80 to 5000 cd/m²), nine distortions of every crop, out of all for the scenes to learn from and out
of KADID-10k's 25 for those to test on. Every crop is one file of --out: PU21 code of the reference and its nine test images in
16 bits, the scores of the teachers, and those of the metrics to compare with. An interrupted run continues; --hours ends it.
Several processes share the work with --share.

The slowest two, hdrvdp3 and DISTS, and the metrics to compare with score one crop of eight to learn from (the teachers are scaled
to JOD by hdrvdp3 and cvvdp there) and every crop of the scenes that are held out. DISTS reads images reduced to 96 pixels, in
bfloat16, which moves it by 0.0003.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import hdrq
from hdrq import registry
from hdrq.distillation.rendering import render
from hdrq.distillation.rows import Row
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Source, Sources, find_sources
from hdrq.nn.nets.dists import WIDTHS, compare
from hdrq.nn.network_input import scaled_input
from hdrq.scoring.scorer import Scorer

SIDE, EACH = 192, 9
# pixels of the images that DISTS reads
REDUCED = 96
TEACHERS = ("cvvdp", "pu21:iw-ssim", "pu21:lpips", "pu21:haarpsi", "pu21:mdsi")
SLOW = ("hdrvdp3", "pu21:dists")
BESIDE = ("pu21:psnr", "pu21:ssim", "pu21:ms-ssim")
# its 25 distortions, in its order, as the shelf calls them
KADID = (
    *("blur", "lens-blur", "motion-blur", "colour-diffusion", "colour-shift", "colour-quantisation", "oversaturation"),
    *("saturation", "jpeg2000", "jpeg", "noise", "chroma-noise", "impulse-noise", "multiplicative-noise", "denoise"),
    *("brighten", "darken", "mean-shift", "jitter", "patch-swap", "pixelation", "banding", "colour-block", "sharpening"),
    "overcontrast",
)  # fmt: skip
# 16-bit steps of one PU21 code value
STEPS = 100.0


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--learn", type=Path, action="append", required=True)
    words.add_argument("--judge", type=Path, action="append", required=True)
    words.add_argument("--out", type=Path, required=True)
    words.add_argument("--rows", type=int, default=45000, help="rows to learn from")
    words.add_argument("--judge-rows", type=int, default=4000, help="rows to test on")
    words.add_argument("--hours", type=float, default=24.0)
    words.add_argument(
        "--share", default="0/1", metavar="I/N", help="every N-th crop, from the I-th: one process of N"
    )
    given = words.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    every = sorted(registry.names("distortion"))
    views = {
        "learn": crops(make_set(listed(given.learn), every, given.rows, seed=1, side=SIDE, each=EACH)),
        "judge": crops(make_set(listed(given.judge), KADID, given.judge_rows, seed=2, side=SIDE, each=EACH)),
    }
    order = [(part, i) for part, found in views.items() for i in range(len(found))]
    order.sort(key=lambda one: (one[1] + 0.5) / len(views[one[0]]))
    first, of = map(int, given.share.split("/"))
    order = order[first::of]
    scorers = {name: hdrq.metric(name) for name in (*TEACHERS, *SLOW, *BESIDE)}
    sources, began = Sources(), time.time()
    for count, (part, number) in enumerate(order):
        if time.time() - began > given.hours * 3600:
            break
        place, rows = given.out / f"{part}-{number:05d}.npz", views[part][number]
        if not place.exists() and len(rows) == EACH:
            whole = part == "judge" or held_out(rows[0].scene) or number % 8 == 0
            keep(place, rows, sources, {k: s for k, s in scorers.items() if whole or k in TEACHERS})
        if count % 10 == 0:
            print(
                f"{count + 1} of {len(order)} crops, {time.time() - began:.0f} s, {time.process_time():.0f} s of processor",
                flush=True,
            )


def held_out(scene: str) -> bool:
    """Whether a scene of those to learn from is held out to choose settings by: one of seven, by the hash of its name."""
    return int(sha256(scene.encode()).hexdigest(), 16) % 7 == 0


def listed(folders: list[Path]) -> list[Source]:
    return [s for folder in folders for s in find_sources(folder, lambda *_: None, lambda *_: None)[0]]


def crops(rows: list[Row]) -> list[list[Row]]:
    return [list(part) for _, part in groupby(rows, key=lambda r: r.number // EACH)]


@torch.inference_mode()
def keep(place: Path, rows: list[Row], sources: Sources, scorers: dict[str, Scorer]) -> None:
    """Render one crop and its distortions, score them, and write the file."""
    pairs = [render(row, sources) for row in rows]
    ref, dist = pairs[0][0], torch.cat([pair[1] for pair in pairs])
    pu21 = registry.find("encoding", "pu21")
    codes = (pu21.encode(ref), pu21.encode(dist))
    ways = {"pu21:dists": dists, "pu21:lpips": lpips}
    scores = {
        name: ways[name](scorer.net, *codes) if name in ways else scorer(ref.expand_as(dist), dist)
        for name, scorer in scorers.items()
    }
    stored = [packed(x) for x in codes]
    partial = place.with_suffix(".part.npz")
    said = {
        f"row_{k}": np.array([asdict(r)[k] for r in rows])
        for k in ("scene", "distortion", "level", "display", "peak", "shrink")
    }
    np.savez(
        partial,
        ref=stored[0],
        dist=stored[1],
        **said,
        **{f"score_{k}": v.double().numpy() for k, v in scores.items()},
    )
    partial.rename(place)


def lpips(net: Any, ref: Tensor, dist: Tensor) -> Tensor:
    """LPIPS of one reference and several test images: features of the reference once."""
    result: Tensor = net(scaled_input(ref, net), scaled_input(dist, net))
    return result


def dists(net: Any, ref: Tensor, dist: Tensor) -> Tensor:
    """DISTS of one reference and several test images: features of the reference once, convolutions in bfloat16."""
    small = [
        nn.functional.interpolate(scaled_input(x, net), (REDUCED, REDUCED), mode="bilinear", antialias=True)
        for x in (ref, dist)
    ]
    with torch.autocast("cpu", torch.bfloat16):
        features = [list(net.features(x.contiguous(memory_format=torch.channels_last))) for x in small]
    weights = [w.flatten().split(WIDTHS) for w in (net.alpha, net.beta)]
    total = net.alpha.sum() + net.beta.sum()
    alike = [
        (likeness * weight).sum(1)
        for a, b, *both in zip(*features, *weights)
        for likeness, weight in zip(compare(a.float(), b.float()), both)
    ]
    return 1 - torch.stack(alike).sum(0) / total


def packed(code: Tensor) -> np.ndarray:
    """PU21 code, scaled so that 100 cd/m² are 1.0, in 16-bit steps."""
    return (code * 256 * STEPS).round().clamp(0, 65535).to(torch.int32).numpy().astype(np.uint16)


if __name__ == "__main__":
    main()
