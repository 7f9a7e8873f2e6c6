"""Measure every metric that answers on a fresh install beside every set of subjective scores at hand, and write the one table.

    python bench/agreement.py --live-r2 shared/data/sdr_iqa/live_r2/dmos_dev.csv --livec shared/data/livec \
      --waterloo-mef MEFDatabase --kept runs/agreement --write

Metrics are found on the shelf, so that a new one joins by itself; of a network, the weights of `models/` that read code, those in
BESIDE included. Full-reference metrics are asked where a set has references, no-reference metrics everywhere, metrics of an
exposure stack where it has stacks. `hdrq.evaluate` computes SROCC and its 95 % interval (1,000 bootstrap samples of scenes).
Values are kept in --kept, one table a set, so that a second call computes only what is missing.

--write puts the figures into src/hdrq/scoring/metrics/_checked.json, from which `hdrq list metrics` says on which scores a metric
was checked, and the table into docs/results.md; what was not measured in this call stays. Without --write the table is printed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hdrq
from hdrq import registry
from hdrq.nn.weight_files import cards, folders
from hdrq.scoring.api import Settings

# Outputs of their own that are reported as often as the default.
BESIDE = {"butteraugli": ("butteraugli,pool=p-norm",), "mef-ssim": ("mef-ssim,scales=1",)}
# Metrics whose model was trained on a set, which therefore says nothing of them.
TRAINED_ON = {"brisque": ("live-r2",)}
BEGIN, END = "<!-- agreement -->", "<!-- /agreement -->"
ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/results.md"
CHECKED = ROOT / "src/hdrq/scoring/metrics/_checked.json"
# metric: set: SROCC and the ends of its interval
Found = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Set:
    """A set of subjective scores.

    title      what it is, in the list and as head of its column
    dataset    how `hdrq.evaluate` names it
    reference  "image", "stack" or ""
    lower      whether lower scores are better, where the dataset does not say
    """

    title: str
    dataset: str
    reference: str
    lower: bool | None = None


SETS = {
    "live-r2": Set("27 images of LIVE release 2", "csv", "image", lower=True),
    "livec": Set("330 photographs of LIVE In the Wild", "livec", ""),
    "waterloo-mef": Set("136 fused images of Waterloo MEF", "waterloo-mef", "stack"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in SETS:
        parser.add_argument(f"--{name}", type=Path, metavar="DATA")
    parser.add_argument("--kept", type=Path, required=True, help="folder where the values are kept")
    parser.add_argument(
        "--only", action="append", default=[], help="a metric; may be repeated; default: the shelf"
    )
    parser.add_argument("--write", action="store_true", help="into the package and docs/results.md")
    given = parser.parse_args()
    given.kept.mkdir(parents=True, exist_ok=True)
    found: Found = json.loads(CHECKED.read_text(encoding="utf-8"))["metrics"] if CHECKED.exists() else {}
    for name, group in SETS.items():
        if (data := getattr(given, name.replace("-", "_"))) is not None:
            asked_for = given.only or metrics(group.reference)
            for metric in (m for m in asked_for if name not in TRAINED_ON.get(m, ())):
                measured(found, metric, name, data, given.kept)
    if given.write:
        write(found)
    else:
        print("\n".join(table(found)))


def metrics(reference: str) -> list[str]:
    """The metrics that a set can be asked, a network's by each of the weights that come with hdrq."""
    found = []
    for name in registry.names("metric"):
        card = registry.find("metric", name).card
        if card.stack:
            fits = reference == "stack"
        else:
            fits = card.reference is None or (reference == "image" and card.reference_reads == card.reads)
        if fits and card.net is None:
            found += [name, *BESIDE.get(name, ())]
        elif fits:
            found += [asked(name, one) for one in shipped(card.net)]
    return found


def asked(name: str, card: Any) -> str:
    """A metric with these weights; code that they read of light only is named as a stage."""
    stage = "" if card.encoding == "srgb" or card.results.get("default") == "any" else f"{card.encoding}:"
    return f"{stage}{name}@{card.name}"


def shipped(net: str) -> list[Any]:
    """Cards of a network's weights in models/."""
    return [card for card, path in cards() if card.net == net and path.parent == folders()[-1]]


def measured(found: Found, metric: str, name: str, data: Path, kept: Path) -> None:
    """Evaluate one metric, so that one that cannot be asked of this set leaves the others."""
    group = SETS[name]
    try:
        (row,) = hdrq.evaluate(
            dataset=group.dataset,
            data=data,
            lower=group.lower,
            metrics=[metric],
            scores=kept / f"{name}.csv",
            settings=Settings(jobs=1),
        ).table
    except hdrq.HdrqError as error:
        print(f"{name}: {metric} left out: {error}", flush=True)
        return
    figures = [round(float(row[f"srocc{end}"]), 4) for end in ("", "_low", "_high")]
    found.setdefault(metric, {})[name] = figures
    print(f"{name}: {metric} {figures}", flush=True)


def table(found: Found) -> list[str]:
    """One row a metric, by SROCC in the first column that it has."""
    lines = [
        f"| metric | {' | '.join(group.title for group in SETS.values())} |",
        f"| --- |{' --- |' * len(SETS)}",
    ]
    for metric in in_order(found):
        cells = [cell(found[metric][name]) if name in found[metric] else "" for name in SETS]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return lines


def in_order(found: Found) -> list[str]:
    order: dict[str, None] = {}
    for name in SETS:
        here = [metric for metric in found if name in found[metric]]
        order |= dict.fromkeys(sorted(here, key=lambda m: (-found[m][name][0], m)))
    return list(order)


def cell(figures: list[float]) -> str:
    value, low, high = figures
    return f"{value:.3f} ({low:.3f} … {high:.3f})"


def write(found: Found) -> None:
    lines = [f"  {json.dumps(metric)}: {json.dumps(found[metric])}" for metric in in_order(found)]
    sets = json.dumps({name: group.title for name, group in SETS.items()})
    text = f'{{\n "sets": {sets},\n "metrics": {{\n' + ",\n".join(lines) + "\n }\n}\n"
    CHECKED.write_text(text, encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1:
        raise SystemExit(f"{PAGE.name} needs the line {BEGIN} once, and {END} after it")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END, 1)
    PAGE.write_text("\n".join([before + BEGIN, "", *table(found), "", END + after]), encoding="utf-8")


if __name__ == "__main__":
    main()
