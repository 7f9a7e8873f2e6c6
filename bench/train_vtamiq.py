"""Train weights of `pu-vtamiq` with a pretrained stem on the pairs of bench/vtamiq_teachers.py, and test them.

    python bench/train_vtamiq.py --set runs/vtamiq --cache runs/vtamiq-features [--all] [--test] [--save pu-vtamiq-lite2]

The label is the mean of five metrics in JOD: cvvdp as it is; IW-SSIM, LPIPS, HaarPSI and MDSI by a power law that is fitted to
the mean of hdrvdp3 and cvvdp on the pairs to learn from that hdrvdp3 scored. The stem is frozen, so its statistics of every patch
are computed once, and a step only trains the transformer and the head. The scenes held out of those to learn from choose the
settings; the scenes to test on are tested on at the end: SROCC with the label, with hdrvdp3 and with DISTS, of the network and
of PU-PSNR, PU-SSIM and PU-MS-SSIM, with 95 % intervals of the difference from 1,000 samples of scenes.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import curve_fit
from scipy.stats import rankdata
from torch import Tensor, nn
from vtamiq_teachers import BESIDE, SLOW, STEPS, TEACHERS, held_out

from hdrq.distillation.report import agreement
from hdrq.nn import weights
from hdrq.nn.layers.feature_tokens import features, variances
from hdrq.nn.network_input import scaled_input
from hdrq.nn.weight_files import find_card, read_state
from hdrq.registry import find
from hdrq.scoring.sampling import cut, plan

BACKBONE = "efficientnet-lite2"
OPTIONS: dict[str, Any] = {
    **{"stem": BACKBONE, "stages": 4, "patch": 32, "scales": 2, "grid": 1, "registers": 1},
    **{"width": 64, "depth": 2, "heads": 4, "mlp": 192, "reduction": 8, "groups": 1, "blocks": 2},
}
PATCHES, USED = 48, 24  # of a crop, and how many of them a step reads
EACH = 6  # crops of a step
SAMPLES = 1000
EVERY = (*TEACHERS, *SLOW, *BESIDE)


@dataclass
class Pairs:
    """Pairs of one part of the set: statistics of V crops with E test images, scores and what they are."""

    content: Tensor  # (V, PATCHES, 2 C) half
    change: Tensor  # (V, E, PATCHES, 4 C) half
    place: Tensor  # (V, PATCHES, 2)
    scale: Tensor  # (V, PATCHES)
    scores: dict[str, np.ndarray]  # (V, E), NaN where a metric was not asked
    rows: dict[str, np.ndarray]  # (V, E)

    def some(self, at: np.ndarray) -> Pairs:
        index = torch.from_numpy(np.flatnonzero(at))
        parts = (getattr(self, k)[index] for k in ("content", "change", "place", "scale"))
        return Pairs(*parts, *({k: v[at] for k, v in d.items()} for d in (self.scores, self.rows)))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--set", type=Path, required=True)
    words.add_argument("--cache", type=Path, required=True)
    words.add_argument("--epochs", type=int, default=50)
    words.add_argument("--rate", type=float, default=2e-3)
    words.add_argument("--decay", type=float, default=0.05)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--options", type=json.loads, default={}, help="build options that differ, as JSON")
    words.add_argument(
        "--prepare", action="store_true", help="only compute statistics of the crops that are there"
    )
    words.add_argument("--all", action="store_true", help="learn from the held-out scenes as well")
    words.add_argument("--test", action="store_true", help="test on the scenes to judge by")
    words.add_argument("--save", default="", metavar="NAME", help="write models/NAME")
    given = words.parse_args()
    torch.set_num_threads(1)
    net = built({**OPTIONS, **given.options})
    describe(net, given.set, given.cache)
    if given.prepare:
        return
    found = gathered(net, given.set, given.cache)
    apart = np.array([held_out(str(s)) for s in found["learn"].rows["scene"][:, 0]])
    learn, check = found["learn"].some(~apart | given.all), found["learn"].some(apart)
    curves = {name: fitted(learn, name) for name in TEACHERS[1:]}
    sizes = [len(p.content) for p in (learn, check, found["judge"])]
    print(
        f"{sizes[0]} crops to learn from, {sizes[1]} to choose by, {sizes[2]} to judge by; JOD: {curves}",
        flush=True,
    )
    torch.manual_seed(given.seed)
    train(net, learn, check, curves, given)
    show("learnt from" if given.all else "chosen by", tested(net, check, curves))
    if given.test or given.save:
        judged = tested(net, found["judge"], curves)
        show("judged by", judged)
        if given.save:
            save(net, given, judged, curves, learn, found["judge"])


def built(options: dict[str, Any]) -> Any:
    """The network with a pretrained stem and otherwise random weights."""
    torch.manual_seed(0)
    shelf = find("net", "vtamiq")
    net: Any = shelf.build(**options)
    backbone = weights.default_weights(options["stem"], "srgb")
    shelf.grow(net, options["stem"], {k: t.float() for k, t in read_state(*find_card(backbone)).items()})
    net.options = options
    return net


@torch.inference_mode()
def describe(net: Any, folder: Path, cache: Path) -> None:
    """Statistics of every crop in the folder, one file of `cache` each; what is there is not computed again."""
    cache.mkdir(parents=True, exist_ok=True)
    embed, began = net.transformer.embed, time.process_time()
    files = sorted(folder.glob("*-?????.npz"))
    if not (cache / "usual.pt").exists():
        crops = [codes(np.load(f)["ref"]) for f in files if f.name.startswith("learn")][:60]
        stages = [features(net.trunk, patches(net, code, 0)[0].flatten(0, 1), net.stages) for code in crops]
        usual = torch.stack([variances(s).mean(0) for s in stages]).mean(0)
        # a few channels never respond
        torch.save(usual.clamp(min=1e-3 * float(usual.median())), cache / "usual.pt")
    embed.usual.data = torch.load(cache / "usual.pt")
    for count, file in enumerate(f for f in files if not (cache / f"{f.stem}.pt").exists()):
        partial = cache / f"{file.stem}.part"
        torch.save(statistics(net, np.load(file), int(file.stem[-5:])), partial)
        partial.rename(partial.with_suffix(".pt"))
        if count % 50 == 0:
            print(f"statistics of {count + 1} crops, {time.process_time() - began:.0f} s", flush=True)


def gathered(net: Any, folder: Path, cache: Path) -> dict[str, Pairs]:
    """The pairs of each part; sets the centre and the scale of the network's statistics from those to learn from."""
    files = sorted(folder.glob("*-?????.npz"))
    found = {
        part: joined([f for f in files if f.name.startswith(part)], cache) for part in ("learn", "judge")
    }
    embed, step = net.transformer.embed, max(len(found["learn"].content) // 200, 1)
    content = found["learn"].content[::step].flatten(0, 1).float()
    change = found["learn"].change[::step].flatten(0, 2).float()
    embed.centre.data = content.mean(0)
    embed.scale.data = torch.cat([content.std(0), change.square().mean(0).sqrt()]) + 1e-3
    return found


def joined(files: list[Path], cache: Path) -> Pairs:
    """Pairs of the crops whose statistics are there."""
    files = [f for f in files if (cache / f"{f.stem}.pt").exists()]
    held: list[Tensor] = []
    for i, file in enumerate(files):
        parts = torch.load(cache / f"{file.stem}.pt")
        held = held or [p.new_empty((len(files), *p.shape)) for p in parts]
        for kept, part in zip(held, parts):
            kept[i] = part
    said = [
        {k: stored[k] for k in stored.files if k not in ("ref", "dist")} for stored in map(np.load, files)
    ]
    absent = np.full(said[0]["score_cvvdp"].shape, np.nan)
    scores = {name: np.stack([s.get(f"score_{name}", absent) for s in said]) for name in EVERY}
    rows = {k: np.stack([s[f"row_{k}"] for s in said]) for k in ("scene", "distortion", "display")}
    return Pairs(*held, scores, rows)


def codes(stored: np.ndarray) -> Tensor:
    return torch.from_numpy(stored.astype(np.float32)) / (256 * STEPS)


def patches(net: Any, code: Tensor, seed: int) -> tuple[Tensor, Any]:
    pu21 = find("encoding", "pu21")
    size = (int(code.shape[-2]), int(code.shape[-1]))
    where = plan(size, PATCHES, patch=net.patch, scales=net.levels, seed=seed, sampler="mended")
    return scaled_input(cut(code, where, (pu21.decode, pu21.encode)), net), where


def statistics(net: Any, crop: Any, number: int) -> tuple[Tensor, ...]:
    ref, dist = codes(crop["ref"]), codes(crop["dist"])
    cuts, where = patches(net, torch.cat([ref, dist]), number)
    a, b = cuts.split((1, len(dist)))
    content, change = net.statistics(a.expand_as(b), b)
    return content[0].half(), change.half(), torch.from_numpy(where.places[0]), torch.from_numpy(where.scales)


def power(x: np.ndarray, a: float, b: float) -> np.ndarray:
    return 10 - a * x**b


def distance(name: str, scores: np.ndarray) -> np.ndarray:
    """A teacher's score as a distance, 0 for identical images."""
    return np.maximum(1 - scores if find("metric", name.split(":")[1]).card.better == "higher" else scores, 0)


def fitted(pairs: Pairs, name: str) -> tuple[float, float]:
    """(a, b) of JOD = 10 - a distance^b, fitted to the mean of hdrvdp3 and cvvdp."""
    jod = (pairs.scores["hdrvdp3"] + pairs.scores["cvvdp"]) / 2
    known = np.isfinite(jod)
    found = curve_fit(
        power, distance(name, pairs.scores[name])[known], jod[known], (5.0, 0.7), bounds=(0.01, (100, 3))
    )[0]
    return round(float(found[0]), 4), round(float(found[1]), 4)


def label(pairs: Pairs, curves: dict[str, tuple[float, float]]) -> np.ndarray:
    """(V, E): 1 - mean JOD of the teachers / 10, within 0..1 for each teacher."""
    jod = [
        pairs.scores[t] if t not in curves else power(distance(t, pairs.scores[t]), *curves[t])
        for t in TEACHERS
    ]
    result: np.ndarray = 1 - np.mean([np.clip(j, 0, 10) for j in jod], 0) / 10
    return result


def output(net: Any, pairs: Pairs, at: Tensor, kept: Tensor) -> Tensor:
    """(v, E) scores of crops from some of their patches, relative to that of no difference."""
    change = pairs.change[at][:, :, kept].float()
    v, e = change.shape[:2]
    each = [t[at][:, kept].repeat_interleave(e, 0) for t in (pairs.content, pairs.place, pairs.scale)]
    plain, tokens = net.transformer.embed.pair(each[0].float(), change.flatten(0, 1), each[1], each[2])
    first = net.transformer.summarise(torch.cat([plain[::e], tokens]))[0]
    ref, dist = first.split((v, v * e))
    nothing = torch.zeros_like(ref[:1])
    result: Tensor = net.predict(ref.repeat_interleave(e, 0), dist).q - net.predict(nothing, nothing).q
    return result.reshape(v, e)


def train(net: Any, learn: Pairs, check: Pairs, curves: dict[str, tuple[float, float]], given: Any) -> None:
    """AdamW with one cycle of the rate; the weights are the mean of the last quarter of the steps."""
    wanted = torch.from_numpy(label(learn, curves)).float()
    per_epoch = len(wanted) // EACH
    steps = given.epochs * per_epoch
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, given.rate, weight_decay=given.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, given.rate, steps, pct_start=0.1)
    mean, count, total, began = [torch.zeros_like(p) for p in learnt], 0, 0.0, time.process_time()
    net.train()
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(wanted))
        at = order[step % per_epoch * EACH :][:EACH]
        loss = objective(output(net, learn, at, torch.randperm(PATCHES)[:USED].sort().values), wanted[at])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step >= steps * 3 // 4:
            count += 1
            for held, p in zip(mean, learnt):
                held += p.detach()
        if (step + 1) % (per_epoch * max(given.epochs // 6, 1)) == 0:
            agreed = srocc(scored(net, check).ravel(), label(check, curves).ravel())
            net.train()
            spent = time.process_time() - began
            print(
                f"epoch {(step + 1) // per_epoch}: loss {total / (step + 1):.4f}, SROCC {agreed:.4f}, {spent:.0f} s",
                flush=True,
            )
    for held, p in zip(mean, learnt):
        p.data = held / count
    net.eval()


def objective(q: Tensor, y: Tensor) -> Tensor:
    """Absolute error, and 1 - Pearson correlation over the batch and within each crop."""
    return (
        (q - y).abs().mean() * 5 + 1 - pearson(q.reshape(1, -1), y.reshape(1, -1)) + 0.5 * (1 - pearson(q, y))
    )


def pearson(a: Tensor, b: Tensor) -> Tensor:
    a, b = (x - x.mean(1, keepdim=True) for x in (a, b))
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).mean()


@torch.inference_mode()
def scored(net: Any, pairs: Pairs) -> np.ndarray:
    """(V, E)."""
    net.eval()
    every = torch.arange(PATCHES)
    return torch.cat(
        [output(net, pairs, at, every) for at in torch.arange(len(pairs.content)).split(8)]
    ).numpy()


def srocc(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def tested(net: Any, pairs: Pairs, curves: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Agreement with the label by distortion, and beside the other metrics with the label, hdrvdp3 and DISTS."""
    said = {"network": scored(net, pairs).ravel()} | {name: -pairs.scores[name].ravel() for name in BESIDE}
    scene, kind = (pairs.rows[k].ravel() for k in ("scene", "distortion"))
    wanted = {"label": label(pairs, curves).ravel()} | {
        name: (-1 if name == "hdrvdp3" else 1) * pairs.scores[name].ravel() for name in SLOW
    }
    beside = {name: compared(said, truth, scene) for name, truth in wanted.items()}
    kinds = {}
    for one in np.unique(kind):
        rows = kind == one
        kinds[str(one)] = compared({k: v[rows] for k, v in said.items()}, wanted["label"][rows], scene[rows])
    return {
        "agreement": agreement(
            said["network"], wanted["label"], [str(s) for s in scene], [str(k) for k in kind]
        ),
        "beside": beside,
        "by distortion": kinds,
    }


def compared(said: dict[str, np.ndarray], truth: np.ndarray, scene: np.ndarray) -> dict[str, Any]:
    """SROCC of each with the truth, and 95 % intervals of the network's lead over each of the others."""
    dice = np.random.default_rng(0)
    where = [np.flatnonzero(scene == name) for name in np.unique(scene)]
    leads: dict[str, list[float]] = {name: [] for name in said if name != "network"}
    for _ in range(SAMPLES):
        rows = np.concatenate([where[i] for i in dice.integers(0, len(where), len(where))])
        own = srocc(said["network"][rows], truth[rows])
        for name, found in leads.items():
            found.append(own - srocc(said[name][rows], truth[rows]))
    found = {name: round(srocc(values, truth), 4) for name, values in said.items()}
    ends = {name: np.nanpercentile(values, (2.5, 97.5)) for name, values in leads.items()}
    return {"srocc": found, "lead": {name: [round(float(v), 4) for v in pair] for name, pair in ends.items()}}


def show(name: str, found: dict[str, Any]) -> None:
    kinds = found["by distortion"]
    above = [
        k for k, one in kinds.items() if all(one["srocc"]["network"] > one["srocc"][b] for b in BESIDE[:2])
    ]
    surely = [k for k in above if all(kinds[k]["lead"][b][0] > 0 for b in BESIDE[:2])]
    counts = f"{len(above)} of {len(kinds)} distortions, with the whole interval for {len(surely)}"
    print(f"{name}: above PU-PSNR and PU-SSIM for {counts}")
    print(
        "| | rows | network | " + " | ".join(BESIDE) + " | lead over each |\n|" + " --- |" * (len(BESIDE) + 4)
    )
    whole = found["agreement"]["all"]
    for kind, one in {**found["beside"], **kinds}.items():
        rows = found["agreement"].get(kind, whole)["rows"]
        ahead = ", ".join(f"{low:.3f} … {high:.3f}" for low, high in one["lead"].values())
        print(
            f"| {kind} | {rows} | " + " | ".join(f"{v:.3f}" for v in one["srocc"].values()) + f" | {ahead} |"
        )
    print(
        f"{name}: SROCC {whole['srocc']} {whole['srocc_interval']}, PLCC {whole['plcc']}, mean error {whole['mae']}",
        flush=True,
    )


def save(
    net: Any,
    given: Any,
    found: dict[str, Any],
    curves: dict[str, tuple[float, float]],
    learn: Pairs,
    judge: Pairs,
) -> None:
    shown = sorted({str(k) for k in np.unique(learn.rows["distortion"])})
    rows, scenes = learn.change.shape[0] * learn.change.shape[1], len(np.unique(learn.rows["scene"]))
    card, path = weights.save(
        net,
        name=given.save,
        net="vtamiq",
        options=net.options,
        encoding="pu21",
        recipe=f"distilled from the mean of five metrics, by bench/train_vtamiq.py, {given.epochs} epochs, seed {given.seed}",
        data=f"{rows} pairs of {scenes} scenes: HDR images (CC0, BSD-3-Clause) and photographs of BIQ2021 (Unsplash); stem: "
        "ImageNet-1k",
        licence="as hdrq; stem: Apache-2.0 (EfficientNet-Lite); the photographs learnt from are not redistributed",
        results={
            "teacher": list(TEACHERS),
            "teacher_curves": {k: list(v) for k, v in curves.items()},
            "distortions": shown,
            "jod": [10.0, -10.0],
            "default": "pu21",
            "cheap": {name: found["beside"]["label"]["srocc"][name] for name in BESIDE},
            "beside": found["beside"],
            "held_out_scenes": sorted({str(s) for s in np.unique(judge.rows["scene"])}),
            "agreement": found["agreement"],
        },
        half=True,
        folder=Path(__file__).parents[1] / "models",
        shares=(weights.default_weights(BACKBONE, "srgb"),),
    )
    print(f"{path}: {path.with_suffix('.safetensors').stat().st_size} bytes, {card.sha256[:12]}")


if __name__ == "__main__":
    main()
