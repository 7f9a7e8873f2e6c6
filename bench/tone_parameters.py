"""What `hdrq tonemap --auto` gains over the defaults of an operator, by metrics, on scenes that were never trained on.

    python bench/tone_parameters.py SCENES.csv [--weights auto-sigmoid,NAME,...] [--docs]

SCENES.csv has the columns file (relative to it) and use; rows whose use is "judge" are scored, reduced to 1024 pixels as in
training. Scores are of 8-bit code. MEF-SSIM compares with exposures of the scene every two stops; intervals are the 2.5 and
97.5 % quantiles of 10,000 bootstrap means over scenes. --docs writes docs/tonemapping_measured.json's `predicted`; `make
docs` then puts it on the page.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import hdrq
from hdrq.image.transfer import linear_to_srgb
from hdrq.nn.weight_files import find_card
from hdrq.records import Image
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.plan import Plan, plan
from hdrq.tonemapping.prediction import predicted
from hdrq.tonemapping.tonemap import code_of, shown
from hdrq.training.images.scenes import JUDGE, read_scene

MEASURED = Path(__file__).parents[1] / "docs" / "tonemapping_measured.json"
METRICS = ("tmqi", "mef-ssim", "fsitm")
# between the exposures of a scene, and their largest number
_STOPS, _MOST = 2.0, 9
_DRAWS = 10_000


def written(light: Tensor, made: Plan) -> Image:
    """The code of a scene, rounded to 8 bits."""
    code = code_of(shown(light, made), replace(made, dither=False))
    return code.with_pixels((code.pixels * 255).round() / 255)


def scores(light: Tensor, made: Plan) -> list[float]:
    """Each metric of one tone-mapped scene."""
    code = written(light, made)
    stack = Image(torch.cat([linear_to_srgb(e) for e in bracket(light, _STOPS, _MOST)]), "srgb")
    references = {"mef-ssim": stack}
    return [float(hdrq.metric(m)(references.get(m, Image(light, "linear")), code)) for m in METRICS]


def summary(name: str, operator: str, before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Means of (scenes, metrics) and the gain with its interval."""
    gain = after - before
    drawn = np.random.default_rng(0).integers(0, len(gain), (_DRAWS, len(gain)))
    low, high = np.quantile(gain[drawn].mean(1), (0.025, 0.975), axis=0)
    found: dict[str, Any] = {"weights": name, "operator": operator, "scenes": len(gain)}
    for k, metric in enumerate(METRICS):
        interval = (gain[:, k].mean(), low[k], high[k])
        found[metric] = [round(float(v), 4) for v in (before[:, k].mean(), after[:, k].mean(), *interval)]
    found["raised"] = int((gain[:, 0] > 0).sum())
    return found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("scenes", type=Path)
    options.add_argument("--weights", default="auto-sigmoid", help="names, separated by commas")
    options.add_argument("--docs", action="store_true")
    asked = options.parse_args()
    with asked.scenes.open(newline="", encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["use"] == JUDGE]
    lights = [read_scene(asked.scenes.parent / name, name).light[None] for name in files]
    rows = []
    for name in asked.weights.split(","):
        operator = str(find_card(name)[0].options["operator"])
        with torch.no_grad():
            before = np.array([scores(light, plan(operator)) for light in lights])
            auto = plan(operator, auto=name)
            after = np.array([scores(light, predicted(light, auto)) for light in lights])
        rows.append(summary(name, operator, before, after))
        print(json.dumps(rows[-1]), flush=True)
    if asked.docs:
        held = json.loads(MEASURED.read_text(encoding="utf-8"))
        held["predicted"] = rows
        MEASURED.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
