"""Time every tone mapper, and OpenCV's where there is a counterpart: the same image, one process, taking turns.

    python bench/tonemap.py --size 1920x1080 --threads 2 [--rounds 3] [--only reinhard,drago] [--json out.json] [--docs]

The least of the rounds, wall and processor time in milliseconds, and peer / hdrq. Variants of OpenCV give what OpenCV
gives, code where it gives code; all others give display-linear light. The picture is a synthetic scene of
four decades with grain. Peers need `pip install opencv-python-headless`. --docs writes docs/tonemapping_measured.json's
seconds; `make docs` then puts them on the page.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from bench import Contestant, cells, race, report, scene, write

from hdrq.registry import find, names

MEASURED = Path(__file__).parents[1] / "docs" / "tonemapping_measured.json"


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    width, height = (int(n) for n in args.size.split("x"))
    light = scene(height, width, noise=0.05)
    peers = opencv(light, args.threads)
    rows = []
    print(f"{args.size}, {args.threads} threads, fastest of {args.rounds}, milliseconds")
    print(f"{'':24} {'wall':>27} {'processor':>27}")
    print(f"{'operator':24}" + f" {'hdrq':>9} {'opencv':>9} {'ratio':>7}" * 2)
    for name, options in contestants(args.only):
        label = ",".join([name, *(f"{k}={v}" for k, v in options.items())])
        found = find("tonemapper", name)
        ours = found.values if options else found
        rivals: dict[str, Contestant] = {"hdrq": partial(ours, light, **options)}
        if label in peers:
            rivals["opencv"] = peers[label]
        fastest = race(rivals, args.rounds)
        rows.append({"operator": label} | fastest)
        print(f"{label:24}" + "".join(cells(times) for times in fastest.values()), flush=True)
    if args.json:
        write(Path(args.json), report(args, rows))
    if args.docs:
        keep(args, rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time hdrq's tone mappers beside OpenCV's.")
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT of the picture")
    parser.add_argument("--threads", type=int, default=2, help="for both sides")
    parser.add_argument("--rounds", type=int, default=3, help="how often everybody runs; the fastest counts")
    parser.add_argument("--only", default="", help="operators, comma-separated; all of them if empty")
    parser.add_argument("--json", default="", help="file for the numbers")
    parser.add_argument(
        "--docs", action="store_true", help="keep the processor times for docs/tonemapping.md"
    )
    parser.set_defaults(peer="opencv")
    return parser.parse_args()


def contestants(only: str) -> list[tuple[str, dict[str, Any]]]:
    """Every operator with its defaults, and the variants that compute what OpenCV does."""
    chosen = only.split(",") if only else list(names("tonemapper"))
    found: list[tuple[str, dict[str, Any]]] = []
    for name in chosen:
        found.append((name, {}))
        variant = find("tonemapper", name).options.get("variant")
        if variant is not None and "opencv" in variant.choices:
            found.append((name, {"variant": "opencv"}))
    return found


def opencv(light: torch.Tensor, threads: int) -> dict[str, Contestant]:
    try:
        import cv2
    except ImportError:
        return {}
    cv2.setNumThreads(threads)
    picture = light[0].permute(1, 2, 0).contiguous().numpy()
    made = {
        "gamma": cv2.createTonemap(2.2),
        "drago": cv2.createTonemapDrago(1.0, 1.0, 0.85),
        "reinhard-devlin": cv2.createTonemapReinhard(1.0, 0.0, 1.0, 0.0),
        "mantiuk-2006": cv2.createTonemapMantiuk(1.0, 0.3, 0.8),
    }
    return {f"{name},variant=opencv": partial(one.process, picture) for name, one in made.items()}


def keep(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    data = json.loads(MEASURED.read_text(encoding="utf-8"))
    seconds = {
        r["operator"]: round(r["processor"]["hdrq"] / 1000, 3) for r in rows if "," not in r["operator"]
    }
    data["seconds"] = data["seconds"] | seconds
    threads = "one thread" if args.threads == 1 else f"{args.threads} threads"
    data["seconds_how"] = f"{threads}, least of {args.rounds} runs, float32"
    MEASURED.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
