"""Does adapting to HDR help? A small VTAMIQ trained on SDR light, with simulated HDR light, and with deep CORAL.

    OMP_NUM_THREADS=1 python bench/adaptation.py            SMALL=1 for the same in a minute

Pairs are cut from HDR scenes and judged by hdrvdp3, so that there is a truth on either kind of screen. All arms learn
from SDR pairs with labels: the scenes tone-mapped to sRGB code, and photographs, on screens of N(100, 10) cd/m².
    sdr        nothing else
    simulated  the same code on screens of N(5000, 500) cd/m², with the SDR labels (the paper's S_HS without CORAL)
    coral      deep CORAL to pairs of HDR light without labels (as the paper's S_HU)
Every seed holds out a third of the HDR scenes; on those, in HDR light, the arms are compared. Each arm takes as many
steps on labelled SDR pairs. It can be killed and started again: it goes on where it was.

    DATA  folder with hdr/ and natural/   [../shared/data]
    OUT   everything made, and the table: adaptation.md, adaptation.json  [runs/adaptation]
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hdrq
from hdrq import io
from hdrq.distillation.rows import Row
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Source, Sources, find_sources, opened
from hdrq.distillation.student import RenderedRows, items_of
from hdrq.distillation.teacher_scores import Cache, quality_scale, score_rows, stored_scores
from hdrq.encoding.photometry import Photometry
from hdrq.evaluation.statistics.correlation import plcc, srocc
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import atomic
from hdrq.records import Image, Viewing
from hdrq.registry import find
from hdrq.scoring.binding import metric
from hdrq.scoring.scorer import Scorer
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.image_cache import ImageCache
from hdrq.training.loop import fit
from hdrq.training.network import build
from hdrq.training.settings import Settings
from hdrq.training.validation import predict

SMALL = bool(os.environ.get("SMALL"))
DATA = Path(os.environ.get("DATA", "../shared/data"))
OUT = Path(os.environ.get("OUT", "runs/adaptation"))
ARMS = ("sdr", "simulated", "coral")
SEEDS = (0, 1) if SMALL else (0, 1, 2)
SIDE = 64 if SMALL else 192
CODE, LIGHT = ("jpeg", "noise", "blur", "banding"), ("jpegxt", "noise", "blur", "banding")
MANY = {"sdr": 48, "hdr": 48} if SMALL else {"sdr": 2100, "hdr": 900}
CHEAP = ("pu21:psnr", "pu21:ssim")
VTAMIQ = {
    "width": 96,
    "depth": 4,
    "heads": 4,
    "mlp": 384,
    "reduction": 8,
    "groups": 2,
    "blocks": 2,
    "scales": 1,
}
RUN = Settings(
    net="vtamiq",
    options={**VTAMIQ, **({"width": 24, "depth": 1, "heads": 2, "mlp": 48} if SMALL else {})},
    source="pairs judged by hdrvdp3",
    source_display="sdr",
    patches=16 if SMALL else 64,
    # as many as fit beside each other
    test_patches=16 if SMALL else 144,
    batch=4 if SMALL else 8,
    loss={"mae": 1.0, "pearson": 0.1},
    rate=5e-4,
    warmup=0.05,
    epochs=1000,
    steps=4 if SMALL else 2000,
    holdout=0.0,
)


@dataclass(frozen=True)
class Judged:
    """Pairs of one kind of screen, what hdrvdp3 makes of them as a loss of 0..1, and what simple metrics say."""

    rows: list[Row]
    loss: np.ndarray
    cheap: dict[str, np.ndarray]
    files: dict[str, str]

    def items(self, scenes: set[str], kind: str) -> list[Item]:
        """Those of some scenes, named for `Both`."""
        chosen = [i for i, r in enumerate(self.rows) if r.scene in scenes]
        made = items_of([self.rows[i] for i in chosen], self.loss[chosen], RUN.net)
        return [replace(i, dist=f"{kind}/{i.dist}", ref=f"{kind}/{i.ref}") for i in made]


class Both(ImageCache):
    """Code of SDR pairs and light of HDR ones in one store."""

    def __init__(self, folder: Path, sdr: Judged, hdr: Judged) -> None:
        super().__init__(folder)
        self.of = {
            "sdr": RenderedRows(folder, sdr.rows, sdr.files, encoding="srgb"),
            "hdr": RenderedRows(folder, hdr.rows, hdr.files),
        }

    def get(self, path: str | Path) -> np.ndarray:
        kind, _, name = str(path).partition("/")
        return self.of[kind].get(name)


def main() -> None:
    torch.set_num_threads(1)
    cache = Cache(OUT / "scores.sqlite")
    light = sources_of(DATA / "hdr", cache)[: 6 if SMALL else None]
    photographs = sources_of(DATA / "natural", cache)[: 4 if SMALL else None]
    code = [*tone_mapped(light, cache), *photographs]
    sdr = judged(make_set(code, CODE, MANY["sdr"], side=SIDE, displays=("sdr-100",), each=4), code, cache)
    hdr = judged(make_set(light, LIGHT, MANY["hdr"], side=SIDE, each=4), light, cache)
    store = Both(OUT / "pixels", sdr, hdr)
    scenes = sorted(s.scene for s in light)
    shuffled = np.random.default_rng(0).permutation(scenes)
    found = []
    for seed in SEEDS:
        held = set(np.array_split(shuffled, len(SEEDS))[seed].tolist())
        for arm in ARMS:
            found.append(one(arm, seed, held, sdr, hdr, store))
            print(found[-1]["arm"], seed, f"{found[-1]['hdr']['srocc']:.3f}", flush=True)
    write(found, sdr, hdr)


def sources_of(folder: Path, cache: Cache) -> list[Source]:
    """Pictures large enough, by name."""
    inner = sorted(p for p in [folder, *folder.iterdir()] if p.is_dir())
    found = [
        s
        for p in inner
        if any(f.is_file() for f in p.iterdir())
        for s in find_sources(p, cache.file, cache.keep_file)[0]
    ]
    return sorted((s for s in found if min(s.size) >= SIDE), key=lambda s: s.scene)


def tone_mapped(light: Sequence[Source], cache: Cache) -> list[Source]:
    """The scenes as 8-bit sRGB code, by Reinhard's global operator, under the names of their scenes."""
    folder = OUT / "tone_mapped"
    folder.mkdir(parents=True, exist_ok=True)
    for source in light:
        path = folder / f"{source.scene}.png"
        if not path.exists():
            shown = find("tonemapper", "reinhard")(opened(source.path).pixels.clamp(min=0))
            io.write(path, Image(linear_to_srgb(shown.clamp(0, 1)), "srgb"), depth="uint8")
    return find_sources(folder, cache.file, cache.keep_file)[0]


def judged(rows: list[Row], sources: Sequence[Source], cache: Cache) -> Judged:
    """hdrvdp3's loss, 0 where nothing is seen, and the simple metrics' scores; all of it kept."""
    files = {str(s.path): s.sha256 for s in sources}
    pictures, scores = Sources(), {}
    scorers: list[Scorer] = [
        metric(m, photometry=Photometry(viewing=Viewing(45))) for m in ("hdrvdp3", *CHEAP)
    ]
    for scorer in scorers:
        for told in score_rows(rows, scorer, files, cache, pictures):
            if told.done % 400 < told.new:
                print(f"{scorer}: {told.done} of {told.total}", flush=True)
        scores[str(scorer)] = stored_scores(rows, scorer, files, cache)
    teacher, *cheap = scores
    return Judged(
        rows,
        1 - quality_scale(scorers[0], scores[teacher]).quality(scores[teacher]),
        {c: scores[c] for c in cheap},
        files,
    )


def student_settings(arm: str, seed: int) -> Settings:
    """Settings of an arm."""
    run = replace(RUN, seed=seed)
    if arm == "simulated":
        return replace(run, target=RUN.source, target_display="hdr", target_labels="loss")
    if arm == "coral":
        return replace(run, target="HDR light", target_display="nits", align="coral", align_weight=0.025)
    return run


def one(arm: str, seed: int, held: set[str], sdr: Judged, hdr: Judged, store: Both) -> dict[str, Any]:
    """Train one network, unless it is there, and look at it on the scenes held out."""
    folder = OUT / f"{arm}-{seed}"
    if (folder / "result.json").exists():
        return dict(json.loads((folder / "result.json").read_text()))
    run = student_settings(arm, seed)
    learnt = {r.scene for r in [*sdr.rows, *hdr.rows]} - held
    source = sdr.items(learnt, "sdr")
    target = {
        "sdr": [],
        "simulated": source,
        "coral": [replace(i, label=None) for i in hdr.items(learnt, "hdr")],
    }[arm]
    for _ in fit(run, source, (), folder, target=target, resume=True, images=store):
        pass
    module = build(run)
    module.load_state_dict(torch.load(folder / "last.pt", map_location="cpu", weights_only=True)["module"])
    result: dict[str, Any] = {"arm": arm, "seed": seed, "held_out": sorted(held)}
    for kind, screen, pairs in (("hdr", "nits", hdr), ("sdr", "sdr", sdr)):
        items = pairs.items(held, kind)
        said = predict(module, run, BatchLoader(run, items, screen, store, 2), items, torch.device("cpu"))
        result[kind] = agreement(said, np.array([i.label for i in items]))
        chosen = [i for i, r in enumerate(pairs.rows) if r.scene in held and np.isfinite(pairs.loss[i])]
        result[kind] |= {c: srocc(-v[chosen], pairs.loss[chosen]) for c, v in pairs.cheap.items()}
    with atomic(folder / "result.json") as part:
        part.write_text(json.dumps(result, indent=1))
    return result


def agreement(said: np.ndarray, label: np.ndarray) -> dict[str, float]:
    return {
        "pairs": len(label),
        "srocc": srocc(said, label),
        "plcc": plcc(said, label),
        "mae": float(np.abs(said - label).mean()),
    }


def write(found: list[dict[str, Any]], sdr: Judged, hdr: Judged) -> None:
    """The table, mean and standard deviation over seeds, and everything as JSON."""
    lines = [
        "| trained on | SROCC, HDR light | by seed | against sdr | MAE, HDR light | SROCC, SDR screen |",
        "| --- | --- | --- | --- | --- | --- |",
    ]

    def of(arm: str, kind: str, what: str) -> np.ndarray:
        return np.array([f[kind][what] for f in found if f["arm"] == arm])

    base = of("sdr", "hdr", "srocc")
    for arm in ARMS:
        got = of(arm, "hdr", "srocc")
        more = "" if arm == "sdr" else spread(got - base, "+.3f")
        lines.append(
            f"| {arm} | {spread(got)} | {', '.join(f'{v:.3f}' for v in got)} | {more} "
            f"| {spread(of(arm, 'hdr', 'mae'))} | {spread(of(arm, 'sdr', 'srocc'))} |"
        )
    for name in CHEAP:
        got = of("sdr", "hdr", name)
        lines.append(
            f"| ({name}) | {spread(got)} | {', '.join(f'{v:.3f}' for v in got)} | {spread(got - base, '+.3f')} "
            f"| | {spread(of('sdr', 'sdr', name))} |"
        )
    lines.append("")
    lines.append(
        f"{len(SEEDS)} seeds; {len(sdr.rows)} SDR pairs, {len(hdr.rows)} HDR pairs of {SIDE}x{SIDE}; {RUN.steps} steps."
    )
    (OUT / "adaptation.md").write_text("\n".join(lines) + "\n")
    everything = {"hdrq": hdrq.__version__, "small": SMALL, "run": asdict(RUN), "found": found}
    (OUT / "adaptation.json").write_text(json.dumps(everything, indent=1))
    print("\n".join(lines))


def spread(values: np.ndarray, form: str = ".3f") -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():{form}} ± {values.std(ddof=1):.3f}"


if __name__ == "__main__":
    main()
