"""What `hdrq tonemap --optimize` gains: operators by photographs, before and after, beside plain reinhard.

    python bench/optimize.py FOLDER [--metric tmqi] [--only reinhard,drago] [--side 320] [--iterations 60] [--docs]

Every image of FOLDER is averaged to about --side pixels of its longer side and optimised as the command does it, three
starts of --iterations. Values are of the code that is written, 8 bits. --docs writes docs/tonemapping_measured.json's
`optimize`; `make docs` then puts it on the page.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq import io
from hdrq.io.pairing import image_files
from hdrq.records import Image
from hdrq.scoring.binding import metric
from hdrq.tonemapping.optimize import Tuned, tune, value_of_file
from hdrq.tonemapping.plan import plan
from hdrq.tonemapping.tonemap import scene_of

MEASURED = Path(__file__).parents[1] / "docs" / "tonemapping_measured.json"
TEN = "reinhard,drago,durand,reinhard-devlin,hable,agx,gamma,kim-kautz,sigmoid,exponential"


@dataclass(frozen=True)
class Row:
    """Values of one operator on one image; `plain` is reinhard with its defaults."""

    operator: str
    image: str
    plain: float
    before: float
    after: float
    parameters: dict[str, float]


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    scorer = metric(args.metric)
    rows = []
    for path in image_files(Path(args.folder)):
        image = reduced(io.read(path), args.side, scorer.metric.card.side)
        base = plan("reinhard").for_image(image)
        plain = value_of_file(scene_of(image, None, base)[0], base, scorer)
        for name in args.only.split(","):
            start = process_time()
            *_, last = tune(image, plan(name), scorer, iterations=args.iterations)
            assert isinstance(last, Tuned)
            rows.append(Row(name, path.stem, plain, last.before, last.after, dict(last.parameters)))
            print(
                f"{path.stem:24} {name:18} plain {plain:.4f} before {last.before:.4f} after {last.after:.4f} "
                f"{process_time() - start:6.1f} s {rows[-1].parameters}",
                flush=True,
            )
    found = summary(rows)
    for row in found:
        print(row)
    if args.docs:
        data = json.loads(MEASURED.read_text(encoding="utf-8"))
        plains = list({r.image: r.plain for r in rows}.values())
        how = f"three starts of {args.iterations} steps, longer side about {args.side} pixels, 8 bits"
        data["optimize"] = {
            "metric": args.metric,
            "how": how,
            "images": len({r.image for r in rows}),
            "plain": sum(plains) / len(plains),
            "rows": found,
        }
        MEASURED.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure hdrq tonemap --optimize.")
    parser.add_argument("folder", help="HDR images")
    parser.add_argument("--metric", default="tmqi")
    parser.add_argument("--only", default=TEN, help="operators, comma-separated")
    parser.add_argument("--side", type=int, default=320, help="pixels of the longer side, about")
    parser.add_argument("--iterations", type=int, default=60, help="of each start")
    parser.add_argument("--docs", action="store_true", help="keep the table for docs/tonemapping.md")
    return parser.parse_args()


def reduced(image: Image, side: int, least: int) -> Image:
    """Averaged by a whole factor, the shorter side not below `least`."""
    pixels: Tensor = image.pixels
    factor = min(round(max(image.size) / side), min(image.size) // max(least, 1))
    return image.with_pixels(F.avg_pool2d(pixels, factor)) if factor > 1 else image


def summary(rows: list[Row]) -> list[dict[str, float | str | int]]:
    """By operator: means, and how often the optimum is above its default and above plain reinhard."""
    found: list[dict[str, float | str | int]] = []
    for name in dict.fromkeys(r.operator for r in rows):
        own = [r for r in rows if r.operator == name]
        found.append(
            {
                "operator": name,
                "default": sum(r.before for r in own) / len(own),
                "optimised": sum(r.after for r in own) / len(own),
                "above default": sum(r.after > r.before for r in own),
                "above plain": sum(r.after > r.plain for r in own),
                "below plain": sum(r.after < r.plain for r in own),
            }
        )
    return found


if __name__ == "__main__":
    main()
