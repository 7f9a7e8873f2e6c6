"""Every merger, tone mapper and expander, learned or classical, on scenes that nothing was trained on, and docs/methods.md.

    python bench/methods.py SCENES.csv --rows methods.jsonl [--task merge,expand,tonemap] [--learned NET@WEIGHTS,...]
        [--only METHOD ...]
    python bench/methods.py SCENES.csv --rows methods.jsonl --task fuse --sequences DIR
    python bench/methods.py SCENES.csv --rows methods.jsonl --docs      the page of all rows
    python bench/methods.py SCENES.csv --rows methods.jsonl --paired A B    A - B, paired over scenes, in every metric

SCENES.csv has the columns file (relative to it) and use; scenes whose use is "judge" are taken, reduced to 1024 pixels. A row is
one method on one example; rows that are in the file are not computed again, so that a run goes on where it ended.

merge    brackets of three 8-bit photographs two stops apart, with camera motion, moving patches and noise, as the recipes of
         merging networks draw them (seeds of their own). Response and exposures are given, the middle frame is the reference;
         the result is compared with the light of the middle frame, whose white is NITS cd/m², up to the white of the shortest
expand   one 8-bit photograph with clipped highlights; its light is brought to the reference by the response matching of the
         SI-HDR protocol
fuse     the exposures of every subfolder of DIR (Waterloo MEF's "source image sequences"), not aligned, fused to 8-bit code
tonemap  8-bit code of the whole scene with the operator's defaults, against the scene

Intervals are the 2.5 and 97.5 % quantiles of 10,000 bootstrap means over scenes.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import hdrq
from hdrq.errors import HdrqError
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.batch import Settings
from hdrq.tonemapping.exposure import bracket
from hdrq.training.images import brackets, exposures
from hdrq.training.images.image_loop import chance_of
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.scenes import JUDGE, Scene, read_scene

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
LIGHT_METRICS = ("pu-psnr", "pu-ssim", "hdrvdp3", "cvvdp")
TONE_METRICS = ("tmqi", "fsitm", "mef-ssim")
METRICS = {"merge": LIGHT_METRICS, "fuse": ("mef-ssim",), "expand": LIGHT_METRICS, "tonemap": TONE_METRICS}
# cd/m² of the white of the middle frame
NITS = 250.0
# no recipe's
SEED = 2026
DRAWS = 10_000
# brackets and photographs of a scene
EACH = 2
SETTINGS = ImageSettings("", crop=384, response="srgb", swap=False, zoom=2.0)
# name: options of hdrq.merge
MERGERS = {
    "log-mean": {"rule": "log-mean", "deghost": "none"},
    "log-mean, deghosted": {"rule": "log-mean", "deghost": "reference"},
    "photon-count": {"deghost": "none"},
    "photon-count, deghosted (default)": {"deghost": "reference"},
    "photon-count, bitmap": {"deghost": "bitmap"},
    "photon-count, patch": {"deghost": "patch"},
}
Method = Callable[[dict[str, Tensor]], Image]


@dataclass(frozen=True)
class Row:
    """Scores of one method on one example."""

    task: str
    method: str
    scene: str
    number: int
    seconds: float
    scores: dict[str, float]


def merging(options: dict[str, object]) -> Method:
    """hdrq.merge of a bracket in memory, in units of the middle frame's white."""

    def run(example: dict[str, Tensor]) -> Image:
        frames = [(f * 255).round().to(torch.uint8).permute(1, 2, 0).numpy() for f in example["stack"]]
        times = [float(t) for t in example["exposure"]]
        made = hdrq.merge(frames, times=times, response="srgb", crop="reference", reference=1, **options)
        return Image(made.image.pixels * NITS, "nits")

    return run


def networked(name: str) -> Method:
    """The same by a network, which takes the middle frame without being told."""

    def run(example: dict[str, Tensor]) -> Image:
        frames = [(f * 255).round().to(torch.uint8).permute(1, 2, 0).numpy() for f in example["stack"]]
        times = [float(t) for t in example["exposure"]]
        made = hdrq.merge(frames, times=times, response="srgb", crop="reference", method=name)
        return Image(made.image.pixels * NITS, "nits")

    return run


def fusing(name: str) -> Method:
    """Exposure fusion of a sequence, by Mertens' method ("average" of the frames' pyramids) or a network."""

    def run(example: dict[str, Tensor]) -> Image:
        frames = [(f * 255).round().to(torch.uint8).permute(1, 2, 0).numpy() for f in example["stack"]]
        made = hdrq.merge(frames, fuse=True, align="none", method=name).image
        return made.with_pixels((made.pixels * 255).round() / 255)

    return run


def expanding(name: str) -> Method:
    """hdrq.expand of a photograph."""
    return lambda example: hdrq.expand(Image(example["code"][None], "srgb", bits=8), name)


def mapping(name: str, **options: object) -> Method:
    """8-bit code of a scene."""

    def run(example: dict[str, Tensor]) -> Image:
        code = hdrq.tonemap(Image(example["light"][None], "linear"), name, **options)
        return code.with_pixels((code.pixels * 255).round() / 255)

    return run


def methods(task: str, learned: list[str]) -> dict[str, Method]:
    """All methods of a task by name; learned ones are those of the command line that have this use."""
    use = {n: find("net", n.partition("@")[0]).use for n in learned if not n.startswith("auto:")}
    mine = [n for n, u in use.items() if u is not None and u.task == task]
    if task == "merge":
        return {n: merging(dict(o)) for n, o in MERGERS.items()} | {n: networked(n) for n in mine}
    if task == "fuse":
        return {"mertens": fusing("average")} | {n: fusing(n) for n in mine}
    if task == "expand":
        return {n: expanding(n) for n in (*hdrq.names("expander"), *mine)}
    found = {n: mapping(n) for n in (*hdrq.names("tonemapper"), *mine)}
    autos = [n.removeprefix("auto:") for n in learned if n.startswith("auto:")]
    return found | {f"{n} --auto": mapping(n, auto=True) for n in autos}


def examples(task: str, scene: Scene) -> Iterator[dict[str, Tensor]]:
    """What the methods of a task are given."""
    if task == "tonemap":
        yield {"light": scene.light}
        return
    make = brackets.example if task == "merge" else exposures.example
    for number in range(EACH):
        yield make([scene], SETTINGS, chance_of(SEED, 0 if task == "merge" else 1, number))


def judged(task: str, example: dict[str, Tensor], made: Image) -> dict[str, float]:
    """Scores of an image by the metrics of its task."""
    if task == "fuse":
        return {"mef-ssim": float(hdrq.metric("mef-ssim")(Image(example["stack"], "srgb", bits=8), made))}
    if task == "tonemap":
        scene = example["light"][None]
        stack = Image(torch.cat([linear_to_srgb(e) for e in bracket(scene, 2.0, 9)]), "srgb")
        against = {"mef-ssim": stack}
        return {m: float(hdrq.metric(m)(against.get(m, Image(scene, "linear")), made)) for m in TONE_METRICS}
    light = Image(example["light"][None] * NITS, "nits")
    if task == "merge":
        top = (
            NITS * 2.0 ** -SETTINGS.ev[0]
        )  # the white of the shortest frame, beyond which nothing was photographed
        seen = [image.with_pixels(image.pixels.clamp(max=top)) for image in (light, made)]
        return {m: float(hdrq.metric(m)(*seen)) for m in LIGHT_METRICS}
    rows = hdrq.score([(light, made)], LIGHT_METRICS, settings=Settings(match_response=True))
    return {m: float(row.value) for m, row in zip(LIGHT_METRICS, rows, strict=True)}


def sequences(folder: Path) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(name, the exposures) of every subfolder."""
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = sorted(f for f in place.iterdir() if f.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif"))
        yield place.name, {"stack": torch.cat([hdrq.read(f).pixels for f in files])}


def measure(
    scenes: list[Scene],
    tasks: list[str],
    learned: list[str],
    file: Path,
    folder: Path | None,
    only: list[str],
) -> None:
    """Compute the rows that the file lacks, and append them.

    only  methods by name; all where it is empty
    """
    done = {(r.task, r.method, r.scene, r.number) for r in rows_of(file)}
    for task in tasks:
        known = {name: m for name, m in methods(task, learned).items() if not only or name in only}
        given: Iterator[tuple[str, int, dict[str, Tensor]]]
        if task == "fuse":
            if folder is None:
                raise SystemExit("--task fuse needs --sequences DIR")
            given = ((name, 0, example) for name, example in sequences(folder))
        else:
            given = ((s.name, k, example) for s in scenes for k, example in enumerate(examples(task, s)))
        for scene, number, example in given:
            for name, method in known.items():
                if (task, name, scene, number) in done:
                    continue
                began = time.process_time()
                try:
                    with torch.no_grad():
                        made = method(example)
                    spent = time.process_time() - began
                    scores = judged(task, example, made)
                except HdrqError as error:
                    print(f"{task} {name} {scene}: {error}", flush=True)
                    continue
                with file.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(vars(Row(task, name, scene, number, spent, scores))) + "\n")
            print(task, scene, flush=True)


def rows_of(file: Path) -> list[Row]:
    """The rows of a file, none where it does not exist."""
    if not file.exists():
        return []
    return [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def scene_means(rows: list[Row], metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Means of the metrics over the examples of each scene."""
    scenes = sorted({r.scene for r in rows})
    return {s: np.mean([[r.scores[m] for m in metrics] for r in rows if r.scene == s], 0) for s in scenes}


def interval(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the intervals of means over scenes (scenes, metrics)."""
    drawn = np.random.default_rng(0).integers(0, len(means), (DRAWS, len(means)))
    low, high = np.quantile(means[drawn].mean(1), (0.025, 0.975), axis=0)
    return low, high


def table(rows: list[Row], metrics: tuple[str, ...]) -> list[str]:
    """Lines of a table: methods by rows, best first by the first metric; means over scenes with their intervals."""
    lines = [
        f"| method | {' | '.join(metrics)} | seconds |",
        f"|---|{'---|' * (len(metrics) + 1)}",
    ]
    found = []
    for name in dict.fromkeys(r.method for r in rows):
        mine = [r for r in rows if r.method == name]
        means = np.stack(list(scene_means(mine, metrics).values()))
        cells = [f"{m:.3f} ({a:.3f} … {b:.3f})" for m, a, b in zip(means.mean(0), *interval(means))]
        cost = float(np.median([r.seconds for r in mine]))
        found.append((means.mean(0)[0], f"| `{name}` | {' | '.join(cells)} | {cost:.2f} |"))
    return lines + [line for _, line in sorted(found, key=lambda f: -f[0])]


def paired(rows: list[Row], one: str, other: str) -> list[str]:
    """A line for each metric: the mean difference of two methods over the scenes that both have."""
    lines = []
    for task, metrics in METRICS.items():
        a, b = (
            scene_means([r for r in rows if (r.task, r.method) == (task, m)], metrics) for m in (one, other)
        )
        if both := sorted(a.keys() & b.keys()):
            gain = np.stack([a[s] - b[s] for s in both])
            for k, metric in enumerate(metrics):
                low, high = (end[k] for end in interval(gain))
                better = f"above in {(gain[:, k] > 0).sum()} of {len(both)} scenes"
                lines.append(f"{task} {metric}: {gain[:, k].mean():.3f} ({low:.3f} … {high:.3f}), {better}")
    return lines


def page(rows: list[Row]) -> None:
    """Replace the tables of the page, between their marks; a task without rows keeps its table."""
    text = PAGE.read_text(encoding="utf-8")
    for task, metrics in METRICS.items():
        mine = [r for r in rows if r.task == task]
        if not mine:
            continue
        first, last = f"<!-- {task} -->", f"<!-- /{task} -->"
        head, rest = text.split(first)
        made = "\n".join(table(mine, metrics))
        text = f"{head}{first}\n\n{made}\n\n{last}{rest.split(last)[1]}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("scenes", type=Path)
    options.add_argument("--rows", type=Path, required=True, help="file of rows, JSON lines")
    options.add_argument("--task", default="merge,expand,tonemap")
    options.add_argument("--learned", default="auto:sigmoid", help="networks, and auto:OPERATOR")
    options.add_argument("--only", action="append", default=[], help="a method by its name; may be repeated")
    options.add_argument("--limit", type=int, default=10_000, help="number of scenes")
    options.add_argument("--sequences", type=Path, help="folder of folders of exposures, for fuse")
    options.add_argument(
        "--paired", nargs=2, metavar=("A", "B"), help="compare two methods of the rows instead"
    )
    options.add_argument("--docs", action="store_true", help="write docs/methods.md from the rows instead")
    asked = options.parse_args()
    if asked.docs:
        page(rows_of(asked.rows))
        return
    if asked.paired:
        print("\n".join(paired(rows_of(asked.rows), *asked.paired)))
        return
    with asked.scenes.open(newline="", encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["use"] == JUDGE][: asked.limit]
    scenes = [read_scene(asked.scenes.parent / name, name) for name in files]
    learned = [n for n in asked.learned.split(",") if n]
    measure(scenes, asked.task.split(","), learned, asked.rows, asked.sequences, asked.only)


if __name__ == "__main__":
    main()
