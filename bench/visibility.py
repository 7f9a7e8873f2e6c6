"""The network `visibility`: maps of hdrvdp3 as targets, its training, and its errors on held-out scenes.

    python bench/visibility.py label IMAGES FOLDER -n 6000           crops, distorted, with the teacher's map (restartable)
    python bench/visibility.py train FOLDER --state visibility.pt    a state_dict
    python bench/visibility.py judge FOLDER --state visibility.pt    agreement with the teacher, and the speed of both

IMAGES are scenes of light. Half of the rows are distorted in a region with soft edges, so that a map has a shape.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

import hdrq
from hdrq.distillation.rendering import render
from hdrq.distillation.rows import Row
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Sources, find_sources
from hdrq.image.color import LUMINANCE, luminance
from hdrq.nn.nets.visibility import Visibility, spread
from hdrq.registry import find

# rows of one file of labels
CHUNK = 150
BATCH = 16
# cd/m²
DARKEST = 0.005
# smallest contrast in thresholds that a target tells from none
FLOOR = 2e-5
# hdrvdp3 adds it to 1 - P before it pools
SLACK = 1e-4


def contrast(probability: Tensor) -> Tensor:
    """The pooled contrast of a map of probabilities: 0 where nothing is visible."""
    return (-torch.log((1 - probability.double()).clamp(min=1e-9)) + SLACK).clamp(min=0).float()


def region(side: int, seed: int) -> Tensor:
    """(1, 1, side, side) in 0..1: low-pass noise with a soft threshold."""
    random = torch.Generator().manual_seed(seed)
    cells = int(torch.randint(2, 7, (), generator=random))
    coarse = torch.randn(1, 1, cells, cells, generator=random)
    smooth = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=True)
    steep = 10 ** (0.3 + 1.2 * float(torch.rand((), generator=random)))
    return torch.sigmoid(steep * (smooth - 0.3 * float(torch.randn((), generator=random))))


def pair(row: Row, sources: Sources) -> tuple[Tensor, Tensor]:
    """(reference, test) light; every other row is distorted in a region only."""
    ref, dist = render(row, sources)
    if row.number % 2:
        mask = region(row.side, row.seed)
        dist = ref + mask * (dist - ref)
    return ref, dist.clamp(min=DARKEST)


def label(images: Path, folder: Path, n: int, side: int, seed: int) -> None:
    """Write chunks of log10 luminance, log10 ratio and log contrast of the teacher, all (rows, side, side) float16."""
    folder.mkdir(parents=True, exist_ok=True)
    found, _ = find_sources(images, lambda path: None, lambda source: None)
    rows = make_set(found, hdrq.names("distortion"), n, seed=seed, side=side, displays=(), each=4)
    teacher, sources = find("metric", "hdrvdp3"), Sources()
    for start in range(0, n, CHUNK):
        path = folder / f"{start:06d}.npz"
        if path.exists():
            continue
        kept: dict[str, list[np.ndarray]] = {"light": [], "ratio": [], "target": []}
        said: list[str] = []
        for row in rows[start : start + CHUNK]:
            try:
                ref, dist = pair(row, sources)
            # a codec that is not installed
            except hdrq.HdrqError as error:
                print(f"row {row.number}, {row.distortion}: {error}", file=sys.stderr)
                continue
            with torch.inference_mode():
                z = torch.log(contrast(teacher(ref, dist, task="quality").map) + FLOOR)
            a, b = (luminance(x).clamp(min=DARKEST).log10() for x in (ref, dist))
            for name, value in (("light", a), ("ratio", b - a), ("target", z)):
                kept[name].append(value[0, 0].half().numpy())
            said.append(f"{row.scene}|{row.distortion}|{row.level:g}")
        np.savez(path, names=np.array(said), **{k: np.stack(v) for k, v in kept.items()})
        print(path, len(said), flush=True)


def loaded(folder: Path) -> tuple[dict[str, Tensor], list[str]]:
    """All chunks of a folder: tensors (rows, side, side) float16, and what each row is."""
    files = sorted(folder.glob("*.npz"))
    chunks = [np.load(f) for f in files]
    tensors = {
        k: torch.from_numpy(np.concatenate([c[k] for c in chunks])) for k in ("light", "ratio", "target")
    }
    return tensors, [str(n) for c in chunks for n in c["names"]]


def turned(x: Tensor, how: int) -> Tensor:
    """One of the eight reflections and rotations."""
    x = x.transpose(-1, -2) if how & 4 else x
    return x.flip([d for d, bit in ((-1, 1), (-2, 2)) if how & bit])


def train(folder: Path, epochs: int, rate: float, seed: int, options: dict[str, int], at: Path) -> Visibility:
    """AdamW over one cycle of the rate; the answer is the mean of the weights of the last fifth."""
    data, _ = loaded(folder)
    torch.manual_seed(seed)
    net: Visibility = find("net", "visibility").build(**options)
    count = len(data["light"])
    each = count // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * each, pct_start=0.15)
    mean = torch.optim.swa_utils.AveragedModel(net)
    random = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(count, generator=random)[: each * BATCH].split(BATCH):
            how = int(torch.randint(8, (), generator=random))
            light, ratio, target = (
                turned(data[k][rows], how).float()[:, None] for k in ("light", "ratio", "target")
            )
            y, x = (int(v) for v in torch.randint(4, (2,), generator=random))
            said = spread(net(light, light + ratio), *light.shape[-2:])[..., y::4, x::4]
            loss = error(said, target[..., y::4, x::4])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
            if epoch >= 0.8 * epochs:
                mean.update_parameters(net)
        print(f"epoch {epoch + 1}: {total / each:.4f}", flush=True)
        torch.save((mean.module if epoch >= 0.8 * epochs else net).state_dict(), at)
    return mean.module.eval()


def error(said: Tensor, target: Tensor) -> Tensor:
    """Of log contrast, and of the probability that follows from it."""
    seen = [1 - torch.exp(-torch.exp(z.clamp(max=3))) for z in (said, target)]
    return F.smooth_l1_loss(said, target) + 4 * F.mse_loss(*seen)


def agreement(net: Visibility, folder: Path, draws: int = 200) -> dict[str, object]:
    """SROCC with the teacher's pixels: of all rows together with its interval over scenes, and of single rows."""
    data, names = loaded(folder)
    pixels: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    alone, errors, kinds = [], [], {}
    for k, name in enumerate(names):
        scene, kind, _level = name.split("|")
        light, ratio, target = (data[t][k : k + 1, None].float() for t in ("light", "ratio", "target"))
        with torch.inference_mode():
            said = spread(net(light, light + ratio), *light.shape[-2:])
        a, b = (t[..., 4::8, 4::8].flatten().numpy() for t in (said, target))
        pixels.setdefault(scene, []).append((a, b))
        probability = [1 - np.exp(-np.exp(v)) for v in (a, b)]
        errors.append(float(np.abs(probability[0] - probability[1]).mean()))
        if np.ptp(b) > 0.1:
            alone.append(float(spearmanr(a, b)[0]))
            kinds.setdefault(kind, []).append(alone[-1])
    parts = [tuple(np.concatenate(v) for v in zip(*rows)) for rows in pixels.values()]
    dice = np.random.default_rng(0)
    every = spearmanr(*(np.concatenate(v) for v in zip(*parts)))[0]
    drawn = []
    for _ in range(draws):
        some = [parts[i] for i in dice.integers(0, len(parts), len(parts))]
        drawn.append(spearmanr(*(np.concatenate([v[:: len(parts)] for v in w]) for w in zip(*some)))[0])
    return {
        "rows": len(names),
        "scenes": len(parts),
        "srocc": round(float(every), 4),
        "srocc_interval": [round(float(v), 4) for v in np.percentile(drawn, (2.5, 97.5))],
        "srocc_of_rows_mean": round(float(np.mean(alone)), 4),
        "srocc_of_rows_median": round(float(np.median(alone)), 4),
        "probability_mae": round(float(np.mean(errors)), 4),
        "of_distortions": {k: round(float(np.mean(v)), 3) for k, v in sorted(kinds.items())},
    }


def speed(net: Visibility, height: int = 720, width: int = 1280, rounds: int = 10) -> dict[str, float]:
    """Least processor time of teacher and network, seconds, both from RGB light to the map of probabilities."""
    random = torch.Generator().manual_seed(0)
    ref = 1 + 100 * torch.rand(1, 3, height, width, generator=random)
    dist = ref * (1 + 0.05 * torch.randn(ref.shape, generator=random)).clamp(min=0.1)
    teacher = find("metric", "hdrvdp3")

    def logs(light: Tensor) -> Tensor:
        y = (light[:, :1] * LUMINANCE[0]).add_(light[:, 1:2], alpha=LUMINANCE[1])
        return y.add_(light[:, 2:], alpha=LUMINANCE[2]).clamp_(min=DARKEST).log10_()

    def student() -> Tensor:
        return spread((-torch.exp(net(logs(ref), logs(dist)))).expm1_().neg_(), height, width)

    found = {}
    for name, ask in (("teacher", lambda: teacher(ref, dist, task="quality").map), ("network", student)):
        times = []
        with torch.inference_mode():
            for _ in range(rounds if name == "network" else 3):
                start = time.process_time()
                ask()
                times.append(time.process_time() - start)
        found[name] = round(min(times), 4)
    return found | {"times": round(found["teacher"] / found["network"], 1)}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = words.add_subparsers(dest="task", required=True)
    labels = tasks.add_parser("label")
    labels.add_argument("images", type=Path)
    labels.add_argument("folder", type=Path)
    labels.add_argument("-n", type=int, default=6000)
    labels.add_argument("--side", type=int, default=256)
    labels.add_argument("--seed", type=int, default=0)
    trained = tasks.add_parser("train")
    trained.add_argument("folder", type=Path)
    trained.add_argument("--epochs", type=int, default=25)
    trained.add_argument("--rate", type=float, default=3e-3)
    trained.add_argument("--seed", type=int, default=0)
    trained.add_argument("--options", type=json.loads, default={}, help="build options, JSON")
    trained.add_argument("--state", type=Path, default=Path("visibility.pt"))
    judged = tasks.add_parser("judge")
    judged.add_argument("folder", type=Path)
    judged.add_argument("--options", type=json.loads, default={})
    judged.add_argument("--state", type=Path, default=Path("visibility.pt"))
    given = words.parse_args()
    torch.set_num_threads(1)
    if given.task == "label":
        label(given.images, given.folder, given.n, given.side, given.seed)
    if given.task == "train":
        train(given.folder, given.epochs, given.rate, given.seed, given.options, given.state)
    if given.task == "judge":
        net: Visibility = find("net", "visibility").build(**given.options)
        net.load_state_dict(torch.load(given.state))
        print(json.dumps(agreement(net.eval(), given.folder) | {"speed": speed(net)}, indent=1))


if __name__ == "__main__":
    main()
