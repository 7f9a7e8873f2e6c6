"""Training networks without a reference: meta-learning over distortions, fine-tuning, stages, terms of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import MissingPart, TooLarge, UsageError
from hdrq.image.resize import linear_resize
from hdrq.nn.nets.qdnet import QdNet
from hdrq.records import Image
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.data import data_of, items_of
from hdrq.training.disentanglement import disentangling_loss, with_partners
from hdrq.training.image_cache import ImageCache
from hdrq.training.loop import Saved, Step, Validation, fit
from hdrq.training.meta_tasks import Meta, tasks_of
from hdrq.training.network import rate_factor
from hdrq.training.overrides import adjust
from hdrq.training.settings import Settings

RUN = Settings(
    net="metaiqa",
    options={"classes": 4},
    encoding="srgb",
    white="sdr",
    source_display="code",
    input="resized",
    crop=32,
    margin=4,
    batch=6,
    optimiser="adam",
    decay=0.0,
    rate=1e-3,
    loss={"mse": 1.0},
    epochs=2,
    holdout=0.0,
    meta={"tasks": 1, "inner": 2, "query": 4},
)


def noisy(folder: Path, name: str, seed: int, level: float, blurred: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    x = torch.nn.functional.interpolate(
        torch.rand(1, 3, 7, 9, generator=g), size=(48, 64), mode="bicubic"
    ).clamp(0, 1)
    wide = int(2 * level + 1)
    y = (
        torch.nn.functional.avg_pool2d(x, wide, 1, wide // 2)
        if blurred
        else x + 0.06 * level * torch.randn(x.shape, generator=g)
    )
    hdrq.write(folder / name, Image(y.clamp(0, 1), "srgb"), depth="uint8")


@pytest.fixture(scope="module")
def kadid(tmp_path_factory) -> Path:
    """Three scenes, two distortions at five levels, in KADID-10k's layout."""
    root = tmp_path_factory.mktemp("kadid10k")
    (root / "images").mkdir()
    lines = ["dist_img,ref_img,dmos,var"]
    for scene in range(1, 4):
        noisy(root / "images", f"I{scene:02d}.png", scene, 0, False)
        for kind in (1, 11):
            for level in range(1, 6):
                name = f"I{scene:02d}_{kind:02d}_{level:02d}.png"
                noisy(root / "images", name, scene, level, kind == 1)
                lines.append(f"{name},I{scene:02d}.png,{5 - 0.8 * level + 0.01 * scene:.3f},0.2")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def livec(tmp_path_factory) -> Path:
    """Ten photographs with subjective scores."""
    root = tmp_path_factory.mktemp("livec")
    (root / "Images").mkdir()
    lines = ["image,mos,std"]
    for i in range(10):
        noisy(root / "Images", f"{i}.bmp.png", i, i % 5, i % 2 == 0)
        lines.append(f"{i}.bmp.png,{90 - 15 * (i % 5)},10")
    (root / "scores.csv").write_text("\n".join(lines) + "\n")
    return root


# A little network that compares, for what does not depend on the network.
PAIRED = replace(
    RUN,
    net="vtamiq",
    options={"width": 24, "depth": 1, "heads": 2, "mlp": 48, "reduction": 4, "scales": 1},
    input="patches",
    patches=24,
    test_patches=24,
)


@pytest.fixture(scope="module")
def pairs(kadid) -> list[Item]:
    return items_of("kadid", "", kadid, "loss")


@pytest.fixture(scope="module")
def items(kadid) -> list[Item]:
    return [replace(i, ref=None) for i in items_of("kadid", "", kadid, "span")]


def losses(records) -> list[float]:
    return [r.loss for r in records if isinstance(r, Step)]


def test_meta_learning_needs_fewer_steps_afterwards(pairs, tmp_path) -> None:
    """Query losses of later outer steps are lower than those of the first: the start suits its tasks better."""
    assert set(tasks_of(pairs)) == {"gaussian-blur", "white-noise"}
    meta = {"tasks": 2, "inner": 2, "rate": 0.5, "support": 0.6}
    found = losses(fit(replace(PAIRED, epochs=16, rate=3e-3, meta=meta), pairs, (), tmp_path))
    assert len(found) == 16
    assert sum(found[-5:]) < sum(found[:5])
    with pytest.raises(UsageError, match="two distortions"):
        tasks_of([i for i in pairs if i.distortion == "white-noise"])
    with pytest.raises(UsageError, match="no setting 'outter'"):
        Meta.of(replace(RUN, meta={"outter": "tasks"}))


@pytest.mark.parametrize("meta", [RUN.meta, {"outer": "batches", "tasks": 3, "query": 4}])
def test_a_resumed_meta_training_is_the_uninterrupted_one(pairs, tmp_path, meta) -> None:
    asked = replace(PAIRED, meta=meta)
    whole = losses(fit(asked, pairs, pairs[:4], tmp_path / "a"))
    seen = 0
    for record in fit(asked, pairs, pairs[:4], tmp_path / "b", save_every=0.0):
        seen += isinstance(record, Step)
        if seen == 3 and isinstance(record, Saved):  # in the middle of the second epoch
            break
    rest = losses(fit(asked, pairs, pairs[:4], tmp_path / "b", resume=True))
    assert rest == whole[3:]
    a, b = (torch.load(tmp_path / f / "best.pt", weights_only=True)["module"] for f in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert (tmp_path / "a" / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()


def test_the_paper_moves_by_a_share_and_the_program_keeps_the_copy(pairs, tmp_path) -> None:
    """With an outer rate of 1 and one task the paper's step ends at the copy; with next to none it stays."""
    one = replace(PAIRED, epochs=1, steps=1, meta={**RUN.meta, "rate": 1.0})
    module = {}

    def start(name):
        def put(m):
            module[name] = m
            m.first = {k: v.detach().clone() for k, v in m.named_parameters()}

        return put

    def moved(name: str) -> float:
        return sum(
            float((v.detach() - module[name].first[k]).abs().sum())
            for k, v in module[name].named_parameters()
        )

    list(fit(one, pairs, (), tmp_path / "far", start=start("far")))
    near = replace(one, meta={**RUN.meta, "rate": 1e-3})
    list(fit(near, pairs, (), tmp_path / "near", start=start("near")))
    assert moved("near") == pytest.approx(1e-3 * moved("far"), rel=0.01)
    program = replace(one, batch=15, meta={"outer": "batches", "tasks": 4, "query": 4})
    list(fit(program, pairs, (), tmp_path / "program", start=start("program")))
    assert moved("program") > 100 * moved("near")
    held = torch.load(tmp_path / "program" / "last.pt", weights_only=True)["learner"]
    for name, first in module["program"].first.items():  # one batch: a quarter of the copy's way
        assert torch.allclose(held["meta"][name] - first, (held["module"][name] - first) / 4, atol=1e-6)


def test_rates_compound_as_in_the_programs() -> None:
    """Rates of MetaIQA's meta-training (x0.9) and fine-tuning (x0.8) at epochs of theirs."""
    asked = replace(RUN, schedule="compounding", fall=0.9, every=2)
    assert [1e-4 * rate_factor(asked, e, 0.0) for e in (0, 5, 9)] == pytest.approx(
        [1e-4, 5.3e-5, 1.2e-5], rel=0.02
    )
    asked = replace(asked, fall=0.8, every=10)
    assert [1e-4 * rate_factor(asked, e, 0.0) for e in (9, 19, 29)] == pytest.approx(
        [1e-4, 1.1e-5, 1.2e-7], rel=0.05
    )
    asked = replace(asked, schedule="staircase", every=5)
    assert [rate_factor(asked, e, 0.0) for e in (4, 5, 14)] == pytest.approx([1, 0.8, 0.64])


def test_the_digest_changes_with_every_setting_but_the_length() -> None:
    """So that a training can be lengthened and nothing else."""
    usual = Settings(net="vtamiq").digest
    assert Settings(net="vtamiq", epochs=99, steps=7, patience=2).digest == usual
    others = [
        Settings(net="vtamiq", beta2=0.99),
        Settings(net="vtamiq", seed=1),
        Settings(net="vtamiq", options={"a": 1}),
    ]
    assert len({usual, *(s.digest for s in others)}) == 4


def test_a_squeezed_picture_is_seen_whole(items, tmp_path) -> None:
    asked = replace(RUN, aspect=1.5)
    feed = BatchLoader(asked, items, "code", ImageCache(tmp_path))
    seen = feed.batch(items[:2], None).dist
    whole = hdrq.read(items[0].dist).pixels
    assert seen.shape == (2, 3, 32, 48)
    assert torch.allclose(seen[0], linear_resize(whole, (32, 48))[0], atol=1e-6)
    cuts = [feed.batch(items[:1], (0, n)).dist for n in range(6)]
    assert {c.shape for c in cuts} == {(1, 3, 32, 48)}
    assert not all(torch.equal(cuts[0], c) for c in cuts)


def test_a_later_stage_begins_with_the_best_and_resumes(pairs, tmp_path) -> None:
    asked = replace(
        PAIRED, meta={}, schedule="constant", epochs=4, stages=((2, 1e-2), (2, 1e-4)), best_by="mse", batch=15
    )
    whole, begun = [], 0
    for record in fit(asked, pairs, pairs[:6], tmp_path / "a"):
        whole.append(record)
        if isinstance(record, Saved) and record.path.name == "last.pt":
            last, best = (torch.load(tmp_path / "a" / f, weights_only=True) for f in ("last.pt", "best.pt"))
            if (last["progress"]["epoch"], last["progress"]["stage"]) == (2, 1):
                begun += 1
                assert all(torch.equal(v, best["module"][k]) for k, v in last["learner"]["module"].items())
                assert not last["learner"]["optimiser"]["state"]
    assert begun == 1
    rates = [r.rate for r in whole if isinstance(r, Step)]
    assert rates == pytest.approx([1e-2] * 4 + [1e-4] * 4)
    for record in fit(asked, pairs, pairs[:6], tmp_path / "b", save_every=0.0):
        if isinstance(record, Step) and record.step == 6:
            break
    rest = losses(fit(asked, pairs, pairs[:6], tmp_path / "b", resume=True))
    assert rest == losses(whole)[-len(rest) :]
    looks = [r for r in whole if isinstance(r, Validation)]
    assert any(r.best for r in looks)
    assert adjust(Settings(net="koncept512", epochs=3), {"stages": "[[1, 1e-3], [2, 1e-4]]"}).stages[1] == (
        2,
        1e-4,
    )
    with pytest.raises(UsageError, match="add up to"):
        replace(asked, epochs=5)


def test_the_content_of_a_picture_at_the_quality_of_another() -> None:
    torch.manual_seed(0)
    net = QdNet(latent=8).train()
    x, y = torch.randn(2, 2, 3, 64, 64)
    q, _, kl = disentangling_loss(net, {"kl": 1.0}, x, y)
    _, _, same = disentangling_loss(net, {"same": 1.0}, x, y)
    _, _, moved = disentangling_loss(net, {"moved": 1.0}, x, y)
    assert q.shape == (2,)
    assert min(t.item() for t in (kl, same, moved)) > 0
    with torch.no_grad():
        for layer in (net.mean, net.log_variance):
            layer.weight.zero_()
            layer.bias.zero_()
    assert disentangling_loss(net, {"kl": 1.0}, x, y)[2].item() == 0  # the posterior is the prior
    some = [Item(f"{s}{n}", None, 0.0, s) for s in "ab" for n in range(3)]
    assert [(i.dist, i.ref) for i in with_partners(some)][:3] == [("a0", "a1"), ("a1", "a2"), ("a2", "a0")]


def test_no_patience_is_left_after_a_resume(pairs, tmp_path) -> None:
    asked = replace(PAIRED, meta={}, epochs=9, patience=1, rate=1e-9)
    assert len([r for r in fit(asked, pairs, pairs[:4], tmp_path) if isinstance(r, Validation)]) < 9
    assert not losses(fit(asked, pairs, pairs[:4], tmp_path, resume=True))


def test_half_precision_and_accumulation_learn_alike(pairs, tmp_path) -> None:
    """The first loss in bfloat16 is that in float32 to its three digits; accumulated steps share one update."""
    asked = replace(PAIRED, meta={}, batch=15, epochs=1, flips=False)
    first = losses(fit(asked, pairs, (), tmp_path / "a"))[0]
    half = losses(fit(replace(asked, precision="bfloat16"), pairs, (), tmp_path / "b"))[0]
    assert half == pytest.approx(first, rel=0.03)
    assert half != first
    for name, steps in (("one", 1), ("two", 2)):
        list(fit(replace(asked, batch=5, accumulate=6 // steps), pairs, (), tmp_path / name))
    one, two = (
        torch.load(tmp_path / f / "last.pt", weights_only=True)["learner"]["optimiser"]["state"][0][
            "step"
        ].item()
        for f in ("one", "two")
    )
    assert (one, two) == (1, 2)


def test_a_batch_that_does_not_fit_says_which_to_try(pairs, tmp_path) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    with pytest.raises(TooLarge, match="try --set batch=3"):
        list(
            fit(
                replace(PAIRED, meta={}),
                pairs,
                (),
                tmp_path,
                start=lambda m: setattr(m, "compare", full),
            )
        )


def test_without_tensorboard_one_line_says_what_to_install(items, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPart, match="pip install tensorboard"):
        next(fit(replace(RUN, meta={}), items, (), tmp_path, tensorboard=True))


def test_metaiqa_from_the_prompt_meta_training_then_fine_tuning(
    run, kadid, livec, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "meta"))
    tiny = ("--device", "cpu", "--set", "options.classes=4")
    asked = ("train", "--dataset", "kadid", "-m", "metaiqa", "--data", kadid, *tiny, "-o", tmp_path / "meta")
    code, out, _ = run(*asked, "--dry-run", "--variant", "program", "--set", "start=")
    assert code == 0
    assert "metaiqa-meta, variant program" in out
    assert "s a step" in out
    code, _, err = run(*asked, "--small")
    assert code == 0, err
    code, _, err = run(*asked, "--small")
    assert code == 2
    assert "--resume" in err
    card = (tmp_path / "meta" / "metaiqa-meta.json").read_text()
    assert "srocc" in json.loads(card)["results"]
    assert run(*asked, "--small", "--resume")[0] == 0
    assert (tmp_path / "meta" / "metaiqa-meta.json").read_text() == card
    fine = ("train", "--dataset", "livec", "-m", "metaiqa", "--data", livec, *tiny, "-o", tmp_path / "fine")
    less = [f"--set={s}" for s in ("crop=32", "margin=4", "batch=4", "epochs=1")]
    code, _, err = run(*fine, *less)
    assert code == 0, err
    card = json.loads((tmp_path / "fine" / "metaiqa-finetune.json").read_text())
    assert (card["encoding"], card["net"]) == ("srgb", "metaiqa")
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "fine"))
    code, out, err = run(
        "score", livec / "Images" / "0.bmp.png", "-m", "metaiqa@metaiqa-finetune", "--device", "cpu"
    )
    assert code == 0, err
    assert "metaiqa-finetune@" in out


@pytest.mark.exhaustive
def test_koncept512_and_qdnet_from_the_prompt(run, tmp_path) -> None:
    koniq = tmp_path / "koniq10k"
    espl = tmp_path / "ESPL-LIVE-HDR"
    for folder in (koniq / "512x384", espl / "Images"):
        folder.mkdir(parents=True)
    lines, judged = ["image_name,MOS,SD,set"], []
    for i in range(6):
        noisy(koniq / "512x384", f"{i}.png", i, i, False)
        lines.append(f"{i}.png,{4.5 - 0.5 * i},0.6,{'training' if i < 3 else 'validation'}")
        noisy(espl / "Images", f"scene{i // 3}_Method{i % 3}TMO.png", i // 3, i % 3, False)
        judged.append(f"scene{i // 3}_Method{i % 3}TMO.png {60 - 9 * (i % 3)} 8")
    (koniq / "koniq10k_distributions_sets.csv").write_text("\n".join(lines) + "\n")
    (espl / "ESPL_LIVE_HDR.txt").write_text("\n".join(judged) + "\n")
    ends = ("--small", "--device", "cpu")
    code, _, err = run(
        "train", "--dataset", "koniq", "-m", "koncept512", "--data", koniq, *ends, "-o", tmp_path / "k"
    )
    assert code == 0, err
    assert "3 images, 3 held out" in err
    code, _, err = run(
        *("train", "--dataset", "espl-live-hdr", "-m", "qdnet", "--data", espl, *ends, "-o", tmp_path / "q"),
        *("--set", "crop=48", "--set", "options.latent=8"),
    )
    assert code == 0, err
    assert json.loads((tmp_path / "q" / "qdnet.json").read_text())["net"] == "qdnet"


def test_two_datasets_are_learnt_from_together(kadid, tmp_path) -> None:
    one = items_of("kadid", "", kadid, "span")
    both = items_of("kadid+kadid", "", kadid, "span")
    assert len(both) == 2 * len(one)
    assert both[0].distortion == "kadid:gaussian-blur"
    assert all(i.ref is None for i in data_of(replace(RUN, source="kadid", labels="span"), kadid)[0])
