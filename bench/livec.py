"""Subjective scores of LIVE In the Wild: a ResNet-18 and MetaIQA, from scratch and pre-trained on what is here.

    OMP_NUM_THREADS=1 python bench/livec.py            SMALL=1 for the same in a minute; about two hours of one core

Pre-training learns hdrvdp3's scores of pristine pictures that were distorted in 25 ways, as KADID-10k's are: plainly for
the ResNet-18; for MetaIQA from that ResNet-18's body, plainly and then by meta-learning with a task for every
distortion. No weights of ImageNet take part. Each fine-tuning sees 80 % of the photographs, as many epochs in every
arm; the last epoch's weights are judged on the other 20 %, which nothing was chosen by. It can be killed and started
again: it goes on where it was.

    DATA  folder with livec/, natural/ and sdr_iqa/   [../shared/data]
    OUT   everything made, and the table: livec.md, livec.json   [runs/livec]
    ONLY  resnet18 or metaiqa: that network alone, for two processes side by side; without it the table is written
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import hdrq
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Source, Sources, find_sources
from hdrq.distillation.student import RenderedRows
from hdrq.distillation.teacher_scores import Cache, quality_scale, score_rows, stored_scores
from hdrq.encoding.photometry import Photometry
from hdrq.evaluation.statistics.correlation import plcc, srocc
from hdrq.io import atomic
from hdrq.records import Viewing
from hdrq.scoring.binding import metric
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import load_best
from hdrq.training.data import hold_out_scenes, items_of
from hdrq.training.image_cache import ImageCache
from hdrq.training.loop import fit
from hdrq.training.network import build
from hdrq.training.settings import Settings
from hdrq.training.validation import predict

SMALL = bool(os.environ.get("SMALL"))
DATA = Path(os.environ.get("DATA", "../shared/data"))
OUT = Path(os.environ.get("OUT", "runs/livec"))
ONLY = os.environ.get("ONLY", "")
SEEDS = range(2 if SMALL else 5)
SIDE = 64 if SMALL else 256
PRISTINE = (
    "natural/cid22_256",
    "sdr_iqa/live_r2/ref",
    "sdr_iqa/tid2013_pairs/pyiqa/ref",
)
KADID = (
    "blur", "lens-blur", "motion-blur", "colour-diffusion", "colour-shift", "colour-quantisation",
    "oversaturation", "saturation", "jpeg2000", "jpeg", "noise", "chroma-noise", "impulse-noise",
    "multiplicative-noise", "denoise", "brighten", "darken", "mean-shift", "jitter", "patch-swap",
    "pixelation", "banding", "colour-block", "sharpening", "contrast",
)  # fmt: skip
RUN = Settings(
    net="resnet18",
    options={"classes": 1},
    encoding="srgb",
    white="sdr",
    source_display="code",
    input="resized",
    crop=32 if SMALL else 160,
    margin=4 if SMALL else 24,
    batch=4 if SMALL else 16,
    loss={"mse": 1.0, "pearson": 0.1},
    optimiser="adam",
    decay=0.0,
    rate=1e-3,
    schedule="cosine",
    warmup=0.05,
    epochs=1 if SMALL else 16,
    steps=3 if SMALL else 0,
    precision="bfloat16",
    holdout=0.0,
)
NETS: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "metaiqa": {"net": "metaiqa", "options": {}},
}
META = {"outer": "tasks", "tasks": 5, "inner": 2, "rate": 0.3, "query": RUN.batch}
EPOCHS = 8
# rate of a fine-tuning; from scratch RUN.rate
TUNED = 3e-4
LITERATURE = "| MetaIQA, ImageNet and TID2013, the whole database (Zhu et al. 2020) | 0.802 | 0.835 | |"
CPU = torch.device("cpu")


def main() -> None:
    torch.set_num_threads(1)
    learn, look, store = build_set()
    starts: dict[str, Callable[[nn.Module], None]] = {}
    said = {}
    nets = [n for n in NETS if ONLY in ("", n)]
    for net in nets:
        starts[net], said[net] = pretrained(net, learn, look, store)
        print(f"{net}: SROCC {said[net]:.3f} with hdrvdp3 on pictures held out", flush=True)
    photographs = items_of("livec", "", DATA / "livec", "span")[: 40 if SMALL else None]
    found = []
    for seed in SEEDS:
        for net in nets:
            for pre in (False, True):
                found.append(one(net, starts[net] if pre else None, seed, photographs))
                print(net, pre, seed, f"{found[-1]['srocc']:.3f}", flush=True)
    if not ONLY:
        write(found, said)


def build_set() -> tuple[list[Item], list[Item], ImageCache]:
    """(pictures to pre-train on, pictures of a fifth of the scenes, their store), labelled with hdrvdp3's quality 0..1."""
    cache = Cache(OUT / "scores.sqlite")
    sources: list[Source] = []
    for folder in PRISTINE:
        sources += find_sources(DATA / folder, cache.file, cache.keep_file)[0]
    sources = sources[: 6 if SMALL else None]
    files = {str(s.path): s.sha256 for s in sources}
    rows = make_set(sources, KADID, 120 if SMALL else 2000, side=SIDE, displays=("sdr-100",))
    teacher, pictures = metric("hdrvdp3", photometry=Photometry(viewing=Viewing(45))), Sources()
    for told in score_rows(rows, teacher, files, cache, pictures):
        if told.done % 400 < told.new:
            print(f"{teacher}: {told.done} of {told.total}", flush=True)
    scores = stored_scores(rows, teacher, files, cache)
    quality = quality_scale(teacher, scores).quality(scores)
    items = [
        Item(f"dist:{r.number}", None, float(q), r.scene, r.distortion)
        for r, q in zip(rows, quality)
        if np.isfinite(q)
    ]
    return *hold_out_scenes(items, 0.2, 0), RenderedRows(OUT / "pixels", rows, files, encoding="srgb")


def student_settings(net: str, **settings: Any) -> Settings:
    return replace(RUN, **{**NETS[net], **settings})


def pretrained(
    net: str, learn: Sequence[Item], look: Sequence[Item], store: ImageCache
) -> tuple[Callable[[nn.Module], None], float]:
    """(what puts pre-trained weights into a network, their agreement with hdrvdp3 on pictures held out)."""
    run, folder, start = (
        student_settings(net, source="pristine pictures, distorted"),
        OUT / f"{net}-plain",
        blind,
    )
    if net == "metaiqa":
        pretrained("resnet18", learn, look, store)
        run, start = replace(run, rate=TUNED, epochs=max(1, run.epochs // 2)), bodied
    for _ in fit(run, learn, (), folder, start=start, resume=True, images=store):
        pass
    if net == "metaiqa":
        state = load_best(folder)
        run = replace(run, meta=META, rate=TUNED, epochs=1 if SMALL else 3)
        folder = OUT / f"{net}-meta"
        for _ in fit(run, learn, (), folder, start=lambda m: put(m, state), resume=True, images=store):
            pass
    return best_of(folder, run, look, store)


def best_of(
    folder: Path, run: Settings, look: Sequence[Item], store: ImageCache
) -> tuple[Callable[[nn.Module], None], float]:
    """(what puts the best weights of a run folder into a network, their SROCC with the labels of `look`)."""
    state = load_best(folder)
    module = build(run)
    put(module, state)
    predicted = answers_of(module, run, look, store)
    return lambda m: put(m, state), srocc(predicted, np.array([i.label for i in look]))


def answers_of(module: nn.Module, run: Settings, items: Sequence[Item], store: ImageCache) -> np.ndarray:
    """Scores in full precision: bfloat16 would tie them."""
    run = replace(run, precision="float32")
    return predict(module, run, BatchLoader(run, items, "code", store, 2), items, CPU)


def blind(module: nn.Module) -> None:
    """First filters that do not see the mean: where there is no ImageNet, learning begins sooner so."""
    first = next(m for m in module.modules() if isinstance(m, nn.Conv2d)).weight
    with torch.no_grad():
        first -= first.mean((2, 3), keepdim=True)
    module.to(memory_format=torch.channels_last)


def bodied(module: nn.Module) -> None:
    """MetaIQA on the body of the ResNet-18 that was pre-trained; its head is random."""
    taught = load_best(OUT / "resnet18-plain")
    body = {f"body.{k}": v for k, v in taught.items() if not k.startswith("fc.")}
    found = module.load_state_dict(body, strict=False)
    assert not found.unexpected_keys
    module.to(memory_format=torch.channels_last)


def put(module: nn.Module, state: dict[str, Any]) -> None:
    module.load_state_dict(state)
    module.to(memory_format=torch.channels_last)


def one(
    net: str, start: Callable[[nn.Module], None] | None, seed: int, photographs: Sequence[Item]
) -> dict[str, Any]:
    """One fine-tuning, unless it is there, judged on the photographs it has not seen."""
    folder = OUT / f"{net}-{'pretrained' if start else 'scratch'}-{seed}"
    if (folder / "result.json").exists():
        return dict(json.loads((folder / "result.json").read_text()))
    run = student_settings(net, source="livec", seed=seed, epochs=EPOCHS, rate=TUNED if start else RUN.rate)
    return fine_tuned(
        folder, run, start or blind, photographs, {"net": net, "pretrained": start is not None, "seed": seed}
    )


def fine_tuned(
    folder: Path,
    run: Settings,
    start: Callable[[nn.Module], None],
    photographs: Sequence[Item],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Train on 80 % of the photographs, drawn with the run's seed; the agreement on the others, kept as result.json."""
    learn, look = hold_out_scenes(photographs, 0.2, run.seed)
    store = ImageCache(OUT / "photographs")
    for _ in fit(run, learn, (), folder, start=start, resume=True, images=store):
        pass
    module = build(run)
    put(module, load_best(folder))
    predicted = answers_of(module, run, look, store)
    label = np.array([i.label for i in look])
    result = {
        **facts,
        "trained": len(learn),
        "photographs": len(look),
        "srocc": srocc(predicted, label),
        "plcc": plcc(predicted, label),
    }
    with atomic(folder / "result.json") as part:
        part.write_text(json.dumps(result, indent=1))
    for name in ("last.pt", "best.pt"):
        (folder / name).unlink()
    return result


def write(found: list[dict[str, Any]], said: dict[str, float]) -> None:
    """The table, mean and standard deviation over seeds, and everything as JSON."""
    lines = ["| trained | SROCC | PLCC | SROCC by seed |", "| --- | --- | --- | --- |"]
    for net in NETS:
        for pre in (False, True):
            mine = [f for f in found if f["net"] == net and f["pretrained"] == pre]
            ranks, lines_ = (np.array([f[k] for f in mine]) for k in ("srocc", "plcc"))
            begun = f"pre-trained ({said[net]:.3f} with hdrvdp3)" if pre else "from scratch"
            lines.append(
                f"| {net}, {begun} | {spread(ranks)} | {spread(lines_)} | {', '.join(f'{v:.3f}' for v in ranks)} |"
            )
    lines += [LITERATURE, "", f"{len(SEEDS)} seeds, {EPOCHS} epochs, {RUN.crop}x{RUN.crop} pixels."]
    (OUT / "livec.md").write_text("\n".join(lines) + "\n")
    everything = {"hdrq": hdrq.__version__, "small": SMALL, "run": asdict(RUN), "said": said, "found": found}
    (OUT / "livec.json").write_text(json.dumps(everything, indent=1))
    print("\n".join(lines))


def spread(values: np.ndarray) -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


if __name__ == "__main__":
    main()
