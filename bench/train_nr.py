"""Train the head of `nr` on BIQ2021 and check it on LIVE In the Wild; writes models/NAME.safetensors and its card.

    python bench/train_nr.py --biq BIQ2021 --livec livec --cache runs/nr [--backbone efficientnet-lite2]

BIQ2021 is github.com/nisarahmedrana/BIQ2021; livec holds Images/ and scores.csv, or the whole archive. The weights of the
backbone must be here (`hdrq models list`). Statistics of the backbone's stages are computed once, and the cache is resumed:
about 0.2 s a photograph on one core. The head takes a minute.

Photographs of the training part that nearly equal one of the test part are left out of training, and test photographs
that nearly equal one of the training part out of testing: the correlation of their statistics tells them, and the table
of --groups where there is one.
LIVE In the Wild is only tested on, but for the five 80/20 splits, whose linear parts are thrown away.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

import hdrq
from hdrq.evaluation.archive import locate
from hdrq.nn import weights
from hdrq.nn.network_input import scaled_input
from hdrq.nn.weight_files import find_card, read_state
from hdrq.records import Pair
from hdrq.registry import find

# pixels of the shorter side, as hdrq.scoring.metrics.nr shows images to the network
SIDE = 512
# correlation from which two photographs count as one
NEAR = 0.85
# of what the hidden part finds: with all of it BIQ2021 gains 0.003 and LIVE In the Wild loses 0.02 of SROCC
SHARE = 0.5
# of the linear part, times the number of photographs
RIDGE = 3.0
DRAWS = 2000


def statistics(net: Any, pairs: list[Pair], cache: Path) -> Tensor:
    """(N, statistics) of the photographs, from the cache as far as it goes; its rows are in the order of `pairs`."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    kept = np.load(cache) if cache.exists() else np.zeros((0, len(net.center)), np.float32)
    found, began = [kept], time.time()
    net.trunk.to(memory_format=torch.channels_last)
    for number in range(len(kept), len(pairs)):
        pixels = hdrq.read(pairs[number].dist).pixels.float()[:, :3]
        if pixels.shape[-2:].numel() != SIDE * SIDE and min(pixels.shape[-2:]) > SIDE:
            from hdrq.image.resize import imresize

            shorter = min(pixels.shape[-2:])
            size = tuple(round(n * SIDE / shorter) for n in pixels.shape[-2:])
            pixels = imresize(pixels, size=size).clamp(0, 1)  # type: ignore[arg-type]
        with torch.inference_mode():
            found.append(net.statistics(scaled_input(pixels, net)).numpy())
        if (number + 1) % 200 == 0 or number + 1 == len(pairs):
            found = [np.concatenate(found)]
            np.save(cache, found[0])
            print(f"{cache.name}: {number + 1} of {len(pairs)}, {time.time() - began:.0f} s", flush=True)
    return torch.from_numpy(np.concatenate(found)[: len(pairs)])


def nearest(ones: Tensor, others: Tensor) -> Tensor:
    """For each row of `ones`, the largest correlation with a row of `others`; both standardised."""
    a, b = (x / x.norm(dim=1, keepdim=True).clamp(min=1e-9) for x in (ones, others))
    return torch.cat([(part @ b.T).amax(1) for part in a.split(512)])


def groups(path: Path) -> dict[str, str]:
    """{file name: group, or ""} of a table with the columns file and near_duplicate_group."""
    with path.open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).name: row["near_duplicate_group"] for row in csv.DictReader(file)}


def ridge(z: Tensor, y: Tensor, weight: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Coefficients and offset of weighted ridge regression."""
    offset = (weight * y).sum() / weight.sum()
    heavy = z * weight[:, None]
    gram = z.T @ heavy
    gram.diagonal().add_(penalty)
    factor = torch.linalg.cholesky(gram)
    return torch.cholesky_solve((heavy.T @ (y - offset))[:, None], factor)[:, 0], offset


def train(net: Any, x: Tensor, y: Tensor, weight: Tensor, seed: int, epochs: int) -> Any:
    """Fit the head: the linear part by ridge regression, the hidden part to what it leaves, averaged over the last half."""
    torch.manual_seed(seed)
    net.center.data, net.scale.data = x.mean(0), x.std(0) + 1e-3
    z = ((x - net.center) / net.scale).clamp(-5, 5)
    slope, offset = ridge(z, y, weight, RIDGE * len(x))
    net.linear.weight.data, net.linear.bias.data = slope[None].clone(), offset.reshape(1).clone()
    for layer in net.hidden:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    net.hidden[-1].weight.data.zero_()
    net.hidden[-1].bias.data.zero_()
    if epochs == 0:
        return net
    learned = list(net.hidden.parameters())
    optimizer = torch.optim.AdamW(learned, lr=3e-4, weight_decay=0.05)
    steps = epochs * (len(x) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, steps, pct_start=0.2)
    mean, count, spread = [torch.zeros_like(p) for p in learned], 0, y.std()
    net.hidden.train()
    for step in range(steps):
        if step % (len(x) // 64) == 0:
            order = (
                torch.multinomial(weight, len(x) // 64 * 64, replacement=True)
                if weight.std() > 0
                else torch.randperm(len(x))
            )
        rows = order[step % (len(x) // 64) * 64 :][:64]
        shown = nn.functional.dropout(z[rows], 0.2)
        error = (net.linear(z[rows]) + net.hidden(shown))[:, 0] - y[rows]
        loss = (error / spread).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step >= steps // 2:
            count += 1
            for total, p in zip(mean, learned):
                total += p.detach()
    for total, p in zip(mean, learned):
        p.data = total / max(count, 1)
    net.hidden[-1].weight.data *= SHARE
    net.hidden[-1].bias.data *= SHARE
    net.hidden.eval()
    return net


def agreement(said: Tensor, mos: Tensor, seed: int = 0) -> dict[str, Any]:
    """SROCC and PLCC with the 95 % interval of SROCC over photographs drawn again."""
    a, b = said.numpy(), mos.numpy()
    dice = np.random.default_rng(seed)
    drawn = [spearmanr(a[i], b[i])[0] for i in (dice.integers(0, len(a), len(a)) for _ in range(DRAWS))]
    return {
        "images": len(a),
        "srocc": round(float(spearmanr(a, b)[0]), 4),
        "srocc_interval": [round(float(v), 4) for v in np.percentile(drawn, (2.5, 97.5))],
        "plcc": round(float(pearsonr(a, b)[0]), 4),
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--biq", required=True)
    words.add_argument("--livec", required=True)
    words.add_argument("--cache", type=Path, required=True)
    words.add_argument("--backbone", default="efficientnet-lite2")
    words.add_argument(
        "--groups", type=Path, help="table of near-duplicates: columns file, near_duplicate_group"
    )
    words.add_argument(
        "--limit", type=int, default=12000, help="photographs of BIQ2021, in an order drawn with seed 0"
    )
    words.add_argument("--epochs", type=int, default=20)
    words.add_argument("--hidden", type=int, default=256)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--save", default="", metavar="NAME", help="write models/NAME")
    given = words.parse_args()

    backbone = weights.default_weights(given.backbone, "srgb")
    trunk = {k: t.float() for k, t in read_state(*find_card(backbone)).items()}
    net: Any = find("net", "nr").build(backbone=given.backbone, hidden=given.hidden)
    net.load_state_dict(trunk, strict=False)
    net.eval()
    listed = {name: find("dataset", name) for name in ("biq2021", "livec")}
    biq, livec = (
        list(listed[name].pairs(locate(listed[name], at)))
        for name, at in (("biq2021", given.biq), ("livec", given.livec))
    )
    biq.sort(key=lambda pair: Path(str(pair.dist)).name)
    random.Random(0).shuffle(biq)
    del biq[given.limit :]
    x, x_live = (
        statistics(net, pairs, given.cache / f"{backbone}-{name}.npy")
        for name, pairs in (("biq2021", biq), ("livec", livec))
    )
    mos, mos_live = (torch.tensor([float(p.mos or 0) for p in pairs]) for pairs in (biq, livec))
    test = torch.tensor([p.carried["source"] == "test" for p in biq])
    z = (x - x.mean(0)) / (x.std(0) + 1e-3)
    near_test, near_train = nearest(z[~test], z[test]) >= NEAR, nearest(z[test], z[~test]) >= NEAR
    if given.groups:
        known = groups(given.groups)
        names = [known.get(Path(str(p.dist)).name, "") for p in biq]
        parts = [{n for n, t in zip(names, test.tolist()) if n and t == side} for side in (False, True)]
        near_test |= torch.tensor([n in parts[1] for n, t in zip(names, test.tolist()) if not t])
        near_train |= torch.tensor([n in parts[0] for n, t in zip(names, test.tolist()) if t])
    learn, judge = torch.where(~test)[0][~near_test], torch.where(test)[0][~near_train]
    print(
        f"{len(learn)} photographs to learn from, {len(judge)} to test on ({int(near_train.sum())} near-duplicates left out)",
        flush=True,
    )

    even = torch.ones(len(learn))
    train(net, x[learn], mos[learn], even, given.seed, given.epochs)
    with torch.inference_mode():
        results: dict[str, Any] = {
            "BIQ2021 test part, near-duplicates left out": agreement(net.predict(x[judge]), mos[judge]),
            "LIVE In the Wild, 330 photographs, not learnt from": agreement(net.predict(x_live), mos_live),
            "linear part alone": {
                name: round(
                    float(spearmanr(net.linear(((a - net.center) / net.scale).clamp(-5, 5))[:, 0], b)[0]), 4
                )
                for name, a, b in (("BIQ2021", x[judge], mos[judge]), ("LIVE In the Wild", x_live, mos_live))
            },
        }
    print(results, flush=True)

    def save() -> None:
        weights.save(
            net,
            name=given.save,
            net="nr",
            options={"backbone": given.backbone, "hidden": given.hidden},
            encoding="srgb",
            recipe=f"trained by bench/train_nr.py, {len(learn)} photographs, {given.epochs} epochs, seed {given.seed}",
            data="BIQ2021, mean opinion scores of about 30 observers; backbone: ImageNet-1k",
            licence="as hdrq; the photographs learnt from have no licence file, and are not redistributed",
            results={"checked": results, "default": "any"},
            half=True,
            shares=[backbone],
            folder=Path(__file__).parents[1] / "models",
        )

    if given.save:
        save()
    folds = []
    other: Any = find("net", "nr").build(backbone=given.backbone, hidden=given.hidden)
    scaled = (mos_live - mos_live.mean()) / mos_live.std() * mos[learn].std() + mos[learn].mean()
    for seed in range(5):
        drawn = torch.randperm(len(x_live), generator=torch.Generator().manual_seed(seed))
        some, rest = drawn[: len(drawn) * 4 // 5], drawn[len(drawn) * 4 // 5 :]
        both = torch.cat((x[learn], x_live[some])), torch.cat((mos[learn], scaled[some]))
        train(other, *both, torch.cat((even, 6 * torch.ones(len(some)))), seed, 0)
        with torch.inference_mode():
            folds.append(round(float(spearmanr(other.predict(x_live[rest]), mos_live[rest])[0]), 4))
        print(f"split {seed}: {folds[-1]}", flush=True)
    results["LIVE In the Wild, five 80/20 splits, the linear part learnt from both"] = {
        "srocc": folds,
        "mean": round(float(np.mean(folds)), 4),
    }
    print(results["LIVE In the Wild, five 80/20 splits, the linear part learnt from both"])

    if given.save:
        save()


if __name__ == "__main__":
    main()
