"""Time hdrq beside a peer: the same tensors, one process, equal threads, taking turns.

    python bench/bench.py --size 1920x1080 --threads 2 --peer piq --json out.json [--only ssim,ms-ssim]

Every contestant runs once a round; the table shows the least of each over the rounds, wall and processor time
in milliseconds, and peer / hdrq. On a busy machine only the processor time of --threads 1 means much. Metrics
without a counterpart are timed alone. piq needs `pip install --no-deps piq torchvision`; flip-evaluator takes its threads
from OMP_NUM_THREADS.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hdrq import process
from hdrq import registry as catalogue

Contestant = Callable[[], Any]
CLASSICAL = "mse,mae,psnr,pu-psnr,ssim,ms-ssim,fsim,fsimc,vsi,gmsd,mdsi,haarpsi,vif,vifp,iw-ssim"


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    width, height = (int(n) for n in args.size.split("x"))
    light = scene(height, width), scene(height, width, noise=0.1)
    peers = PEERS[args.peer]()
    rows = []
    print(f"{args.size}, {args.threads} threads, fastest of {args.rounds}, milliseconds")
    print(f"{'':22} {'wall':>27} {'processor':>27}")
    print(f"{'metric':12} {'input':>9}" + f" {'hdrq':>9} {args.peer:>9} {'ratio':>7}" * 2)
    for name in args.only.split(","):
        ours, inputs, kind = contestant(name, light)
        rivals = {"hdrq": ours}
        if name in peers:
            rivals[args.peer] = partial(peers[name], *inputs)
        fastest = race(rivals, args.rounds)
        rows.append({"metric": name, "input": kind} | fastest)
        print(f"{name:12} {kind:>9}" + "".join(cells(times) for times in fastest.values()), flush=True)
    if args.json:
        write(Path(args.json), report(args, rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time hdrq's metrics beside a peer's.")
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT of the frames")
    parser.add_argument("--threads", type=int, default=2, help="torch threads, for both sides")
    parser.add_argument("--rounds", type=int, default=5, help="how often everybody runs; the fastest counts")
    parser.add_argument("--peer", choices=PEERS, default="none")
    parser.add_argument("--only", default=CLASSICAL, help="metrics, comma-separated")
    parser.add_argument("--json", default="", help="file for the numbers")
    return parser.parse_args()


def scene(height: int, width: int, noise: float = 0.0) -> Tensor:
    """(1, 3, H, W) light, cd/m²: a smooth random scene of four decades, and grain on request."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 3, height // 16 + 2, width // 16 + 2, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return 10 ** (1.5 + smooth + noise * torch.randn(1, 3, height, width, generator=random))


def contestant(name: str, light: tuple[Tensor, ...]) -> tuple[Contestant, tuple[Tensor, ...], str]:
    """A call to time, the tensors it is given (for the peer too), and what they are."""
    if name.startswith("pu-"):
        encode = catalogue.find("encoding", "pu21").encode
        metric = catalogue.find("metric", name.removeprefix("pu-"))
        return lambda: metric(encode(light[0]), encode(light[1])), light, "nits"
    metric = catalogue.find("metric", name)
    card = metric.card
    inputs = light
    if card.reads not in ("nits", "linear"):
        inputs = tuple((x / 1000).clamp(0, 1) ** (1 / 2.2) * (255 if card.codes else 1) for x in light)
    if card.grey:
        inputs = tuple(x.mean(1, keepdim=True) for x in inputs)
    options = {"ppd": 45.0} if "ppd" in card.needs else {}
    kind = f"{'grey' if card.grey else 'RGB'} {'nits' if card.reads == 'nits' else 255 if card.codes else 1}"
    taken = inputs if card.reference_reads else inputs[1:]
    return lambda: metric(*taken, **options), taken, kind


def race(rivals: dict[str, Contestant], rounds: int) -> dict[str, dict[str, float]]:
    """Least wall and processor time of each, ms, after one round to warm up, and how many times ours goes into it."""
    # as the command does; both sides have it
    process.keep_freed_memory()
    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    least = {clock: dict.fromkeys(rivals, float("inf")) for clock in clocks}
    with torch.no_grad():
        for turn in range(rounds + 1):
            for who, run in rivals.items():
                start = {clock: now() for clock, now in clocks.items()}
                run()
                for clock, now in clocks.items():
                    if turn:
                        least[clock][who] = min(least[clock][who], 1000 * (now() - start[clock]))
    for times in least.values():
        ours, *rest = times.values()
        if rest:
            times["ratio"] = rest[0] / ours
    return least


def cells(times: dict[str, float]) -> str:
    ours, *rest = times.values()
    return f" {ours:9.1f}" + (f" {rest[0]:9.1f} {rest[1]:6.1f}x" if rest else f" {'-':>9} {'':7}")


def piq_metrics() -> dict[str, Callable[..., Any]]:
    """piq's counterparts, in the form that computes the same thing as ours."""
    for operator in (
        "nms",
        "qnms",
    ):  # torchvision expects them; its compiled part does not fit every CPU torch
        _LIBRARY.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import piq

    return {
        "psnr": lambda x, y: piq.psnr(x, y),
        "ssim": lambda x, y: piq.ssim(x, y, downsample=False),
        "ms-ssim": lambda x, y: piq.multi_scale_ssim(x, y),
        "fsim": lambda x, y: piq.fsim(x, y, data_range=255, chromatic=False),
        "fsimc": lambda x, y: piq.fsim(x, y, data_range=255),
        "vsi": lambda x, y: piq.vsi(x, y, data_range=255),
        "gmsd": lambda x, y: piq.gmsd(x, y, data_range=255),
        "mdsi": lambda x, y: piq.mdsi(x, y, data_range=255),
        "haarpsi": lambda x, y: piq.haarpsi(x, y, data_range=255),
        "vifp": lambda x, y: piq.vif_p(x, y, data_range=255),
        "iw-ssim": lambda x, y: piq.information_weighted_ssim(y, x, data_range=255),
    }


def flip_metrics() -> dict[str, Callable[..., Any]]:
    """flip-evaluator's program, whose threads OMP_NUM_THREADS sets, at the 45 pixels per degree that ours is given."""
    import flip_evaluator

    def evaluate(kind: str, x: Tensor, y: Tensor) -> Any:
        frames = (image[0].permute(1, 2, 0).contiguous().numpy() for image in (x, y))
        return flip_evaluator.evaluate(*frames, kind, applyMagma=False, parameters={"ppd": 45.0})

    return {"flip": partial(evaluate, "LDR"), "hdr-flip": partial(evaluate, "HDR")}


def colour_metrics() -> dict[str, Callable[..., Any]]:
    """colour-science's differences, from linear BT.709 light to the mean."""
    import colour
    import numpy as np

    from hdrq.image.color import rgb_to_rgb, rgb_to_xyz
    from hdrq.records import BT709, BT2020

    def planes(light: Tensor, matrix: Any) -> Any:
        return light[0].permute(1, 2, 0).double().numpy() @ matrix.T

    def itp(x: Tensor, y: Tensor) -> Any:
        wide = (planes(image, rgb_to_rgb(BT709, BT2020)) for image in (x, y))
        return colour.difference.delta_E_ITP(
            *(colour.RGB_to_ICtCp(w, method="ITU-R BT.2100-2 PQ") for w in wide)
        ).mean()

    def lab(method: str, x: Tensor, y: Tensor) -> Any:
        white = np.array([0.3127, 0.3290])
        found = (colour.XYZ_to_Lab(planes(image, rgb_to_xyz(BT709)) / 100, white) for image in (x, y))
        return colour.delta_E(*found, method=method).mean()

    methods = {"delta-e-76": "CIE 1976", "delta-e-94": "CIE 1994", "delta-e-2000": "CIE 2000"}
    return {"delta-e-itp": itp, **{name: partial(lab, method) for name, method in methods.items()}}


_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
PEERS: dict[str, Callable[[], dict[str, Callable[..., Any]]]] = {
    "none": dict,
    "piq": piq_metrics,
    "flip-evaluator": flip_metrics,
    "colour-science": colour_metrics,
}


def report(args: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": args.size,
        "threads": args.threads,
        "rounds": args.rounds,
        "peer": args.peer,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "rows": rows,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(part, path)


if __name__ == "__main__":
    main()
