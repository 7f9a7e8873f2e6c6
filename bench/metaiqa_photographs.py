"""MetaIQA's comparison on photographs, from a backbone trained on ImageNet: plain fine-tuning, or after learning distortions?

    OMP_NUM_THREADS=1 python bench/metaiqa_photographs.py     SMALL=1 for the same in a minute

The network is `nr` with its backbone EfficientNet-Lite2, whose weights come with hdrq. Three beginnings are compared:

    imagenet   the backbone as ImageNet left it
    plain      then trained on hdrvdp3's scores of 2,000 pristine crops in KADID-10k's 25 distortions
    meta       then, from `plain`, trained on the same by meta-learning with a task for every distortion

Each is fine-tuned on the same ten 80/20 splits of the photographs of LIVE In the Wild in shared/data, with the same epochs and
rates. The last epoch's weights are judged on the 20 %, by which nothing was chosen. In every arm the head reads statistics that
are normalised by those of the distorted crops. It can be killed and started again: it goes on where it was. Differences are
judged by the corrected resampled t-test (Nadeau & Bengio 2003, doi:10.1023/A:1024068626366), since splits share photographs.

    DATA  folder with livec/, natural/ and sdr_iqa/   [../shared/data]
    OUT   everything made, and the table: metaiqa.md, metaiqa.json   [runs/metaiqa]
    FINETUNE  rate of the backbone in fine-tuning [1e-4], a tenth of the head's;  EPOCHS of it [8]
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

os.environ.setdefault("OUT", "runs/metaiqa")

import livec
import numpy as np
import torch
from livec import OUT, SMALL, best_of, fine_tuned
from scipy.stats import t as student
from torch import nn

import hdrq
from hdrq.nn.weight_files import find_card, read_state
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.data import items_of
from hdrq.training.image_cache import ImageCache
from hdrq.training.loop import fit
from hdrq.training.network import build

ARMS = ("imagenet", "plain", "meta")
SPLITS = 2 if SMALL else 10
RATE = float(os.environ.get("FINETUNE", 1e-4))
EPOCHS = 1 if SMALL else int(os.environ.get("EPOCHS", 8))
RUN = replace(
    livec.RUN,
    net="nr",
    options={"backbone": "efficientnet-lite2"},
    crop=64 if SMALL else 128,
    margin=8 if SMALL else 20,
    precision="float32",
    decay=1e-4,
    rate=RATE,
    head_rate=10 * RATE,
    steps=2 if SMALL else 0,
)
PRETRAIN = {"rate": 3e-4, "head_rate": 0.0, "epochs": 1 if SMALL else 5}
META = {"outer": "tasks", "tasks": 5, "inner": 6, "rate": 0.3, "query": RUN.batch, "query_steps": 1}
META_EPOCHS = 1 if SMALL else 4

Start = Callable[[nn.Module], None]


def main() -> None:
    torch.set_num_threads(1)
    livec.RUN = livec.RUN if SMALL else replace(livec.RUN, crop=RUN.crop)
    learn, look, store = livec.build_set()
    starts: dict[str, Start] = {"imagenet": from_imagenet(learn, store)}
    agreement = {}
    for arm, before, changed in (
        ("plain", "imagenet", PRETRAIN),
        ("meta", "plain", {**PRETRAIN, "rate": 1e-4, "epochs": META_EPOCHS, "meta": META}),
    ):
        starts[arm], agreement[arm] = pretrained(arm, changed, starts[before], learn, look, store)
        print(f"{arm}: SROCC {agreement[arm]:.3f} with hdrvdp3 on held-out crops", flush=True)
    photographs = items_of("livec", "", livec.DATA / "livec", "span")[: 40 if SMALL else None]
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in range(SPLITS):
        for arm in ARMS:
            found[arm].append(one(arm, starts[arm], seed, photographs))
            print(arm, seed, f"{found[arm][-1]['srocc']:.3f}", flush=True)
        write(found, agreement)


def from_imagenet(learn: Sequence[Item], store: ImageCache) -> Start:
    """What puts ImageNet's weights into the trunk, and the statistics of the crops into the head's normalisation."""
    state = read_state(*find_card("efficientnet-lite2-imagenet"))
    module = build(RUN)
    wanted = module.state_dict()
    known = {name: value for name, value in state.items() if name in wanted and name.startswith("trunk.")}
    module.load_state_dict(known, strict=False)
    module.eval()
    loader = BatchLoader(RUN, learn, "code", store, 3)
    some = list(learn)[:: max(1, len(learn) // (16 if SMALL else 512))]
    with torch.no_grad():
        statistics = torch.cat(
            [
                module.statistics(loader.batch(some[n : n + RUN.batch], (0, n)).dist)
                for n in range(0, len(some), RUN.batch)
            ]
        )
    known["center"], known["scale"] = statistics.mean(0), statistics.std(0) + 1e-3

    def start(module: nn.Module) -> None:
        missing = module.load_state_dict(known, strict=False)
        assert not missing.unexpected_keys
        assert all(name.startswith(("linear.", "hidden.")) for name in missing.missing_keys), missing
        module.to(memory_format=torch.channels_last)

    return start


def pretrained(
    arm: str,
    changed: dict[str, Any],
    start: Start,
    learn: Sequence[Item],
    look: Sequence[Item],
    store: ImageCache,
) -> tuple[Start, float]:
    """(what puts the weights that have learnt the distortions into a network, their agreement with hdrvdp3)."""
    run, folder = replace(RUN, source="pristine crops, distorted", **changed), OUT / arm
    for _ in fit(run, learn, (), folder, start=start, resume=True, images=store):
        pass
    return best_of(folder, run, look, store)


def one(arm: str, start: Start, seed: int, photographs: Sequence[Item]) -> dict[str, Any]:
    """One fine-tuning, unless its result is there, judged on the photographs that it has not seen."""
    folder = OUT / f"{arm}-{seed}"
    if (folder / "result.json").exists():
        return dict(json.loads((folder / "result.json").read_text()))
    run = replace(RUN, source="livec", seed=seed, epochs=EPOCHS)
    return fine_tuned(folder, run, start, photographs, {"arm": arm, "seed": seed})


def write(found: dict[str, list[dict[str, Any]]], agreement: dict[str, float]) -> None:
    """The table of the splits that are there, the differences from plain fine-tuning, and everything as JSON."""
    lines = ["| begun from | SROCC | PLCC | SROCC by split |", "| --- | --- | --- | --- |"]
    values = {arm: np.array([f["srocc"] for f in found[arm]]) for arm in ARMS}
    for arm in ARMS:
        line = np.array([f["plcc"] for f in found[arm]])
        each = ", ".join(f"{v:.3f}" for v in values[arm])
        lines.append(f"| {arm} | {spread(values[arm])} | {spread(line)} | {each} |")
    lines += ["", "| difference | mean (95 %) | p | better in |", "| --- | --- | --- | --- |"]
    judged, trained = found[ARMS[0]][0]["photographs"], found[ARMS[0]][0]["trained"]
    for a, b in (("plain", "imagenet"), ("meta", "imagenet"), ("meta", "plain")):
        gain = values[a] - values[b]
        if len(gain) > 1:
            low, high, p = corrected(gain, judged / trained)
            mean = f"{gain.mean():.3f} ({low:.3f} … {high:.3f})"
            lines.append(f"| {a} - {b} | {mean} | {p:.3f} | {(gain > 0).sum()} of {len(gain)} |")
    (OUT / "metaiqa.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    everything = {"hdrq": hdrq.__version__, "run": asdict(RUN), "with hdrvdp3": agreement, "found": found}
    (OUT / "metaiqa.json").write_text(json.dumps(everything, indent=1), encoding="utf-8")
    print("\n".join(lines), flush=True)


def corrected(gain: np.ndarray, ratio: float) -> tuple[float, float, float]:
    """(low, high, p) of a mean difference over random splits that share photographs, ratio = judged / trained."""
    n = len(gain)
    error = np.sqrt((1 / n + ratio) * gain.var(ddof=1))
    reach = student.ppf(0.975, n - 1) * error
    p = 2 * student.sf(abs(gain.mean()) / error, n - 1) if error else float(gain.mean() == 0)
    return float(gain.mean() - reach), float(gain.mean() + reach), float(p)


def spread(values: np.ndarray) -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():.3f} ± {values.std(ddof=min(1, len(values) - 1)):.3f}"


if __name__ == "__main__":
    main()
