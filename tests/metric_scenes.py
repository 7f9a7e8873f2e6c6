"""The small scenes that the metrics' golden numbers in tests/golden/metrics.json are of.

`python tests/metric_scenes.py` writes the file anew; do so only after the golden tests of ../shared have passed.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from hdrq.cards import Metric
from hdrq.image.color import luma, luminance
from hdrq.image.render import distort, room
from hdrq.registry import find, names

FILE = Path(__file__).parent / "golden" / "metrics.json"
SLOW = ("hdrvdp2", "hdrvdp3", "hdrvqm", "cvvdp")  # with their defaults only
WHITE = 150.0  # cd/m² that becomes code 255


@cache
def light() -> tuple[Tensor, Tensor]:
    """The rendered room and its careless copy, (1, 3, 178, 193), cd/m², float64 of half precision."""
    ref = room(193, 178, seed=5)
    return tuple(x.half().double() for x in (ref, distort(ref, seed=5)))  # type: ignore[return-value]


@cache
def code() -> tuple[Tensor, Tensor]:
    """The same as 8-bit code, 0..255."""
    return tuple(  # type: ignore[return-value]
        (255 * (x / WHITE).clamp(0, 1) ** (1 / 2.2)).round() for x in light()
    )


def handed(metric: Metric) -> list[Tensor]:
    """What the metric reads of the scene, reference first."""
    card, pair = metric.card, []
    for side, reads in enumerate((card.reference_reads, card.reads)):
        if reads is None:
            continue
        if reads in ("nits", "linear"):
            pair.append(luminance(light()[side]) if card.grey else light()[side])
            continue
        x = luma(code()[side]).round() if card.grey else code()[side]
        pair.append(x if card.codes else x / 255)
    return pair


def requests(metric: Metric) -> dict[str, dict[str, str]]:
    """The metric with its defaults, and once with every other choice of every option."""
    found: dict[str, dict[str, str]] = {metric.name: {}}
    for option in () if metric.name in SLOW else metric.options.values():
        for choice in option.choices:
            if choice != option.default:
                found[f"{metric.name},{option.name}={choice}"] = {option.name: choice}
    return found


def computed(metric: Metric, options: dict[str, str]) -> float:
    with torch.no_grad():
        found = metric(*handed(metric), **options)
    return float(getattr(found, "value", found).reshape(-1)[0])


def without_net() -> list[Metric]:
    return [m for m in (find("metric", name) for name in names("metric")) if m.card.net is None]


def write() -> None:
    only = sys.argv[1:]
    kept = json.loads(FILE.read_text())["values"] if FILE.is_file() else {}
    for metric in without_net():
        if only and metric.name not in only:
            continue
        for text, options in requests(metric).items():
            try:
                kept[text] = computed(metric, options)
            except Exception as error:
                print(f"{text}: {error}", file=sys.stderr)
    FILE.parent.mkdir(exist_ok=True)
    made = (
        "hdrq in float64, after its agreement with the authors' numbers in ../shared/golden was tested; "
        "scenes: tests/metric_scenes.py"
    )
    means = [x.mean().item() for x in (*light(), *code())]
    text = {"program": made, "scene_means": means, "values": dict(sorted(kept.items()))}
    FILE.write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    write()
