"""Scores of the students of bench/students.sh on real pairs, their speed, and their way into models/.

    python bench/students.py                       score the real pairs with those in models/, and time them
    python bench/students.py --ship runs           first copy the distilled weights from their run folders

Real pairs are those of DATA/pairs, which nothing was learnt from; a student's score is shown beside its teacher's.
Times are the least of several rounds of the wall clock and of the processor's time, with reading left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

import hdrq
from hdrq import process
from hdrq.scoring.scorer import Scorer

# weights: how a metric asks for them, their teacher, the run folder of bench/students.sh
STUDENTS = {
    "norvdpnetpp-small-hdr": ("pu21:norvdpnet++", "hdrvdp3", "norvdpnetpp-hdr"),
    "norvdpnetpp-small-sdr": ("srgb:norvdpnet++", "hdrvdp3", "norvdpnetpp-sdr"),
    "norvdpnetpp-small-tmo": ("srgb:norvdpnet++", "tmqi", "norvdpnetpp-tmo"),
    "diqm-small": ("pu21:diqm", "hdrvdp3", "diqm-hdr"),
    "pu-vtamiq-small": ("pu21:vtamiq", "hdrvdp3", "pu-vtamiq-small"),
}
# of three of one network
DEFAULT = {"norvdpnetpp-small-hdr": "any", "norvdpnetpp-small-sdr": "srgb"}
LICENCE = "as hdrq; some of the pictures learnt from are for research only"
PAIRS = (("Desk_ref", "Desk_wm"), ("memorial_mask", "memorial_sinnoise"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ship", type=Path, metavar="RUNS", help="copy weights from these run folders first")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT that is timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    process.keep_freed_memory()
    torch.set_num_threads(args.threads)
    if args.ship:
        ship(args.ship, args.models)
    here = [name for name in STUDENTS if (args.models / f"{name}.json").exists()]
    agreements(here, args.models)
    real_pairs(here, args.data / "pairs")
    speeds(here, [int(n) for n in args.size.split("x")], args.rounds)


def ship(runs: Path, models: Path) -> None:
    """Weights and cards of finished runs under the names they come by, the defaults marked."""
    for name, (_, _, folder) in STUDENTS.items():
        cards = [p for p in (runs / folder).glob("*.json") if p.with_suffix(".safetensors").exists()]
        if not cards:
            print(f"{name}: not distilled yet")
            continue
        said = json.loads(cards[0].read_text(encoding="utf-8"))
        said |= {"name": name, "licence": LICENCE}
        if name in DEFAULT:
            said["results"]["default"] = DEFAULT[name]
        text = json.dumps(said, indent=1, ensure_ascii=False) + "\n"
        (models / f"{name}.json").write_text(text, encoding="utf-8")
        shutil.copyfile(cards[0].with_suffix(".safetensors"), models / f"{name}.safetensors")


def agreements(names: list[str], models: Path) -> None:
    """What the cards say, as a table."""
    print(
        "| weights | distortion | rows | SROCC | 95 % interval | PLCC | MAE |\n|---|---|---|---|---|---|---|"
    )
    for name in names:
        found = json.loads((models / f"{name}.json").read_text(encoding="utf-8"))["results"]["agreement"]
        for kind, said in found.items():
            if "srocc" in said:
                low, high = said.get("srocc_interval", ("", ""))
                print(
                    f"| {name} | {kind} | {said['rows']} | {said['srocc']:.3f} | {low} to {high} "
                    f"| {said['plcc']:.3f} | {said['mae']:.3f} |"
                )


def real_pairs(names: list[str], folder: Path) -> None:
    """Students and teachers on pairs that others made."""
    for a, b in PAIRS:
        if not (folder / f"{a}.hdr").exists():
            print(f"{a}, {b}: not here")
            continue
        ref, dist = hdrq.read(folder / f"{a}.hdr"), hdrq.read(folder / f"{b}.hdr")
        print(f"{a} beside {b}: hdrvdp3 {float(hdrq.metric('hdrvdp3')(ref, dist)):.3f} JOD")
        for name in names:
            how, teacher, _ = STUDENTS[name]
            if teacher == "hdrvdp3" and how.startswith("pu21"):
                scorer = hdrq.metric(f"{how}@{name}")
                if scorer.full_reference:
                    print(f"  {name}: {float(scorer(ref, dist)):.3f}")
                else:
                    print(f"  {name}: {float(scorer(ref)):.3f} and {float(scorer(dist)):.3f}")


def speeds(names: list[str], size: list[int], rounds: int) -> None:
    """Students beside hdrvdp3, in one run."""
    light = torch.rand(2, 3, size[1], size[0], generator=torch.Generator().manual_seed(0)) * 500 + 0.1
    print(f"{size[0]}x{size[1]}, {torch.get_num_threads()} threads, wall and processor's seconds")
    asked = {"hdrvdp3": hdrq.metric("hdrvdp3")}
    asked |= {n: hdrq.metric(f"{STUDENTS[n][0]}@{n}") for n in names if STUDENTS[n][0].startswith("pu21")}
    for name, scorer in asked.items():
        wall, busy = timed(lambda s=scorer: judged(s, light), rounds)  # type: ignore[misc]
        print(f"  {name}: {wall:.3f} {busy:.3f}")


@torch.inference_mode()
def judged(scorer: Scorer, light: torch.Tensor) -> torch.Tensor:
    return scorer(light[:1], light[1:]) if scorer.full_reference else scorer(light[1:])


def timed(job: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The least of several rounds, after one that fills the tables."""
    job()
    found = []
    for _ in range(rounds):
        began, busy = time.perf_counter(), time.process_time()
        job()
        found.append((time.perf_counter() - began, time.process_time() - busy))
    return min(w for w, _ in found), min(b for _, b in found)


if __name__ == "__main__":
    main()
