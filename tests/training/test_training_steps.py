"""Steps of a training on made-up data: distances of domains, losses of images, examples by their seed, what a card is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hdrq.errors import HdrqError, TooLarge, UsageError
from hdrq.training import estimate, run
from hdrq.training.batches import BatchLoader, Item, _position, _resized, generator
from hdrq.training.disentanglement import disentangling_loss, with_partners
from hdrq.training.domain_adaptation import Adversary, Coral, deep_coral, mmd, scatter
from hdrq.training.estimate import refuse_too_large
from hdrq.training.images import brackets, exposures
from hdrq.training.images import loss as image_losses
from hdrq.training.images.camera import (
    Response,
    capacity,
    crop,
    photograph,
    random_index,
    random_orientation,
    uniform,
    well_exposed,
    window,
)
from hdrq.training.images.image_loop import chance_of
from hdrq.training.images.image_recipe import ImageOutput
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.operator_recipes import example as tone_example
from hdrq.training.images.scenes import Scene
from hdrq.training.labels import jod_to_loss, kadid_linearised, unit_range
from hdrq.training.losses import pearson, rank
from hdrq.training.meta_tasks import _parts, chunks, outer_steps, split, tasks_of
from hdrq.training.network import factor, step_factor
from hdrq.training.settings import Settings
from hdrq.training.supervised import steps_per_epoch
from pinned import pinned


def features(seed: int, rows: int = 9, width: int = 5) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=g, dtype=torch.float64) * torch.linspace(0.5, 2, width).double()


# --- distances of domains ---------------------------------------------------------------------------------


def test_distances_of_domains_are_what_they_were() -> None:
    a, b = features(0), features(1, 7) + 0.4
    pinned("mmd", mmd(a, b), mmd(a, b, (0.5, 3.0)), deep_coral(a, b), scatter(a))
    first = scatter(a), scatter(b)
    assert float(Coral()(a, b)) == pytest.approx(float((first[0] - first[1]).norm()) / 5)
    smooth, rows = Coral(0.3), Coral(0.3, "rows")
    assert float(smooth(a, b)) == pytest.approx(float(Coral()(a, b)))
    c, d = features(2), features(3, 7)
    kept = [0.3 * scatter(n) + 0.7 * k for n, k in zip((c, d), first)]
    assert float(smooth(c, d)) == pytest.approx(float((kept[0] - kept[1]).norm()) / 5)
    assert float(rows(a, b)) == pytest.approx(float((first[0] - first[1]).norm()) / 9)
    covariances = [torch.cov(x.T) for x in (a, b)]
    assert float(deep_coral(a, b)) == pytest.approx(
        float((covariances[0] - covariances[1]).square().sum()) / 100
    )


def test_the_adversary_tells_zeros_from_ones_and_turns_its_gradient() -> None:
    torch.manual_seed(0)
    net = Adversary(5, 8).double()
    a, b = features(0).requires_grad_(), features(1, 7)
    loss = net(a, b)
    rows = torch.cat([a, b])
    plain = nn.functional.binary_cross_entropy_with_logits(
        net.guess(rows)[:, 0], torch.cat([torch.zeros(9), torch.ones(7)]).double()
    )
    assert float(loss) == pytest.approx(float(plain))
    assert torch.allclose(torch.autograd.grad(loss, a)[0], -torch.autograd.grad(plain, a)[0])
    assert Adversary(5).guess[0].out_features == 64


def test_partners_are_the_next_image_of_the_scene() -> None:
    items = [Item(f"{s}{i}", None, 0.0, s) for i in range(3) for s in "ab"]
    assert {i.dist: i.ref for i in with_partners(items)} == {
        "a0": "a1",
        "a1": "a2",
        "a2": "a0",
        "b0": "b1",
        "b1": "b2",
        "b2": "b0",
    }


def test_terms_of_disentanglement_are_those_of_their_formulas() -> None:
    mean, spread = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2, -0.4]])

    class Net:
        def encode(self, x: Tensor) -> Any:
            return SimpleNamespace(mean=mean + x.mean(), log_variance=spread)

        def decode(self, code: Any, z: Tensor, size: tuple[int, int]) -> Tensor:
            return (z.sum() + code.mean.sum()).expand(1, 3, *size)

        def score(self, z: Tensor) -> Tensor:
            return z.sum(1)

    x, partner = torch.full((1, 3, 4, 6), 0.25), torch.full((1, 3, 4, 6), 0.75)
    torch.manual_seed(3)
    noise = [torch.randn(1, 2) for _ in range(2)]
    z, away = (mean + v + n * (spread / 2).exp() for v, n in zip((0.25, 0.75), noise))
    kl = 0.5 * ((mean + 0.25) ** 2 + spread.exp() - 1 - spread).sum()
    same = (0.25 - (z.sum() + (mean + 0.25).sum())).abs()
    moved = (0.75 - (away.sum() + (mean + 0.25).sum())).abs()
    for terms, wanted in (({"kl": 2.0}, 2 * kl), ({"same": 3.0}, 3 * same), ({"moved": 0.5}, 0.5 * moved)):
        torch.manual_seed(3)
        score, _, found = disentangling_loss(Net(), terms, x, partner)  # type: ignore[arg-type]
        assert float(found) == pytest.approx(float(wanted), rel=1e-5)
        assert float(score) == pytest.approx(float(z.sum()), rel=1e-5)


# --- losses and labels -----------------------------------------------------------------------------------


def test_ranking_and_correlation_losses_by_hand() -> None:
    pred, label = torch.tensor([0.2, 0.8, 0.5]), torch.tensor([0.1, 0.4, 0.9])
    # pairs (0,1) and (0,2) are in order; (1,2): labels rise by 0.5 and predictions fall by 0.3
    assert float(rank(pred, label)) == pytest.approx(0.3 / 0.8 / 3, rel=1e-4)
    assert float(pearson(pred, label)) == pytest.approx(1 - np.corrcoef(pred, label)[0, 1], rel=1e-4)
    assert float(pearson(pred, -pred)) == 1
    assert float(rank(pred[:1], label[:1])) == float(pearson(pred[:1], label[:1])) == 0
    assert rank(pred[:2], label[:2]).shape == ()


def test_labels_are_what_they_were() -> None:
    mos = 1 + 4 * np.random.default_rng(0).beta(2, 1.3, 60)
    pinned("linearised labels", kadid_linearised(mos), tolerance=1e-4)
    assert unit_range([2, 3, 6]).tolist() == [0, 0.25, 1]
    assert jod_to_loss([0.943130668, -8.854307636, 0.0]) == pytest.approx([0, 1, 0.09626], abs=1e-5)


def image(seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    small = torch.rand(2, 3, 6, 7, generator=g, dtype=torch.float64)
    return 0.05 + 0.9 * nn.functional.interpolate(small, (40, 44), mode="bicubic").clamp(0, 1)


LOSSES = ["l1", "l2", "mu:l1", "pu21:l2", "log10:l1", "colour-cosine", "gradient-profile", "patch-structure"]


@pytest.mark.parametrize("text", [*LOSSES, "contrast-masking", "perceptual", "temporal-stability"])
def test_losses_of_images_are_what_they_were(text) -> None:
    torch.manual_seed(5)
    bound = image_losses.of(text)
    if bound.net is not None:
        bound.net.double()
    a, b = image(1).requires_grad_(), image(2)
    torch.manual_seed(6)
    domain = "srgb" if text in ("contrast-masking", "perceptual") else "linear"
    output = ImageOutput(a, domain, target=b, light=b * 3, transformed=lambda move: move(a) ** 2)
    value = bound(output, 100.0, None)
    pinned(f"loss {text}", value, torch.autograd.grad(value, a)[0], tolerance=1e-3)


# --- examples ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Three scenes of smooth light over about ten stops."""
    made = []
    for k in range(3):
        stops = torch.randn(1, 3, 7, 9, generator=torch.Generator().manual_seed(k)) * 3
        made.append(
            Scene(f"{k}", nn.functional.interpolate(stops, size=(150, 180), mode="bicubic")[0].exp2())
        )
    return made


def test_examples_are_what_they_were(scenes) -> None:
    base = ImageSettings("ahdrnet", crop=48)
    still = replace(
        base, crop=40, shift=0.0, turn=0.0, moving=0, electrons=(0.0, 0.0), bits=0, response="srgb"
    )
    busy = replace(base, shift=3.0, turn=1.5, moving=3, speed=6.0, electrons=(800.0, 9000.0), bits=8)
    changed = {
        "default": base,
        "still": replace(still, ev=(-3.0, 0.0, 3.0)),
        "busy": replace(busy, ev=(-2.0, -1.0, 0.0, 2.0)),
    }
    for name, settings in changed.items():
        for number in range(4):
            made = brackets.example(scenes, settings, chance_of(1, 2, number))
            pinned(f"bracket {name} {number}", *(made[k] for k in sorted(made)), tolerance=1e-3)
        made = exposures.example(scenes, settings, chance_of(3, 0, 7))
        pinned(f"exposure {name}", *(made[k] for k in sorted(made)), tolerance=1e-3)
        made = tone_example(scenes, replace(settings, zoom=3.0), chance_of(4, 0, 1))
        pinned(f"tone scene {name}", *(made[k] for k in sorted(made)), tolerance=1e-3)
    assert chance_of(1, 2, 3).initial_seed() != chance_of(1, 3, 2).initial_seed()
    pinned(
        "seeds",
        [chance_of(1, 2, 3).initial_seed() % 1009, generator(4, 5, 6).initial_seed() % 1009],
        tolerance=1e-6,
    )


def test_windows_and_turns_are_what_they_were(scenes) -> None:
    chance = torch.Generator().manual_seed(0)
    light = scenes[0].light
    for k in range(4):
        pinned(
            f"window {k}",
            window(light, 32, 4.0, chance),
            random_orientation(light[:, :9, :9], chance),
            crop(scenes[1], 24, 1.0, chance),
            tolerance=1e-3,
        )
    drawn = [uniform(2.0, 5.0, chance) for _ in range(400)]
    assert (min(drawn), max(drawn), np.mean(drawn)) == pytest.approx((2, 5, 3.5), abs=0.15)
    assert {random_index(3, chance) for _ in range(60)} == {0, 1, 2}
    full = [capacity((100.0, 10_000.0), chance) for _ in range(400)]
    assert np.exp(np.mean(np.log(full))) == pytest.approx(1000, rel=0.2)
    assert capacity((0.0, 0.0), chance) == 0


def test_photographs_are_what_they_were() -> None:
    light = torch.linspace(0, 1.4, 300).view(3, 10, 10)
    for kind in ("sigmoid", "srgb", "linear"):
        response = Response(kind, 0.85, 0.55)
        seen = photograph(
            light, response, torch.Generator().manual_seed(2), electrons=900.0, read=4.0, bits=6
        )
        pinned(f"photograph {kind}", seen, response.light(seen), response.code(light), tolerance=1e-3)
        assert float((seen * 63 - (seen * 63).round()).abs().max()) < 1e-4
    code = torch.tensor([0.0, 0.04, 0.5, 0.96, 1.0]).expand(3, 1, 5)
    assert 0 < well_exposed(code) < 1


# --- batches and plans ---------------------------------------------------------------------------------------


def test_images_are_resized_with_a_margin_that_is_cut_off() -> None:
    settings = Settings("norvdpnetpp", input="resized", crop=20, aspect=1.5, margin=6)
    stack = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    whole_image = _resized(stack, settings, None)
    assert whole_image.shape == (2, 3, 20, 30)
    part = _resized(stack, settings, torch.Generator().manual_seed(1))
    assert part.shape == (2, 3, 20, 30)
    pinned("resized", whole_image, part)
    assert _position(7, None) == 3
    assert {_position(2, torch.Generator().manual_seed(k)) for k in range(40)} == {0, 1, 2}


def test_processes_share_a_batch_without_a_rest() -> None:
    settings = Settings("norvdpnetpp", batch=7)
    items = [Item(f"{i}", None, float(i)) for i in range(16)]
    seen: list[list[str]] = []
    for rank_ in range(3):
        loader = BatchLoader(settings, items, "code", None, rank=rank_, world=3)  # type: ignore[arg-type]
        loader.batch = lambda chosen, key, mine, own=rank_: [i.dist for i in chosen[mine]]  # type: ignore[method-assign, assignment, misc]
        seen.append([name for batch in loader.batches(0) for name in batch])  # type: ignore[attr-defined]
    assert [len(s) for s in seen] == [4, 4, 6]
    assert len({name for s in seen for name in s}) == 14
    assert loader.order(0) != loader.order(1)


def test_tasks_are_cut_into_support_and_query() -> None:
    items = [
        Item(f"{d}{i}", None, 0.0, "", d)
        for d, n in (("a", 4), ("b", 3), ("c", 9), ("", 8))
        for i in range(n)
    ]
    assert {k: len(v) for k, v in tasks_of(items).items()} == {"a": 4, "c": 9}
    with pytest.raises(UsageError, match="at least two distortions"):
        tasks_of(items[:7])
    assert _parts(10, 0.6) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])
    assert [len(p) for p in _parts(10, 0.01)] == [2, 8]
    assert [len(p) for p in _parts(10, 0.99)] == [8, 2]
    support, query = split(items[7:16], 0.5, torch.Generator().manual_seed(0))
    assert (len(support), len(query)) == (4, 5)
    assert len({i.dist for i in (*support, *query)}) == 9
    assert [len(c) for c in chunks(range(9), 4)] == [4, 4]
    assert [len(c) for c in chunks(range(10), 4)] == [4, 4, 2]
    assert [len(c) for c in chunks(range(1), 4)] == [1]
    meta = {"outer": "tasks", "tasks": 2, "inner": 3, "query_steps": 2}
    many = [Item(f"{d}{i}", None, 0.0, "", f"{d}") for d in range(5) for i in range(6)]
    assert outer_steps(Settings("metaiqa", meta=meta, batch=2), many) == (3, 25)


def test_steps_of_an_epoch_are_those_of_the_larger_domain_or_of_the_source() -> None:
    settings = Settings("norvdpnetpp", batch=4)
    assert steps_per_epoch(settings, 17, 0) == 4
    assert steps_per_epoch(settings, 3, 0) == 1


def test_schedules_end_at_their_floor() -> None:
    assert factor("cosine", 0.5, 0.1) == pytest.approx(0.55)
    assert factor("cosine", 1.0, 0.1) == pytest.approx(0.1)
    assert factor("cosine", 0.05, 0.0, 0.1) == pytest.approx(0.5)
    assert factor("constant", 0.9, 0.0) == 1
    assert factor("exponential", 0.55, 0.01, 0.1) == pytest.approx(0.1)
    assert [factor("steps", s, 0.0) for s in (0.49, 0.5, 0.74, 0.75)] == pytest.approx([1, 0.1, 0.1, 0.01])
    assert [step_factor(e, 0.5, 3) for e in (0, 2, 3, 6)] == [1, 1, 0.5, 0.25]


def test_an_estimate_states_gigabytes(monkeypatch) -> None:
    monkeypatch.setattr(estimate, "free_bytes", lambda: 2 * 2**30)
    cpu = torch.device("cpu")
    refuse_too_large(2 * 2**30, 8, cpu)
    with pytest.raises(
        TooLarge, match=r"a batch of 8 needs about 3\.0 GiB, and 2\.0 GiB are free; try --set batch=4"
    ):
        refuse_too_large(3 * 2**30, 8, cpu)
    with pytest.raises(TooLarge) as told:
        refuse_too_large(3 * 2**30, 1, cpu)
    assert "batch=" not in str(told.value)


@pytest.mark.parametrize(("labels", "mos"), [("unit", [1.0, 4.0]), ("loss", [5.0, -4.0])])
def test_a_card_states_the_scores_that_labels_stand_for(monkeypatch, tmp_path: Path, labels, mos) -> None:
    """The score of label 0, and how much label 1 adds to it."""
    kept: dict[str, Any] = {}
    module = SimpleNamespace(load_state_dict=lambda state: None)
    seen = {"srocc": 0.9}
    monkeypatch.setattr(run, "load_best", lambda folder, part="": seen)
    monkeypatch.setattr(run, "build_apart", lambda settings: module)
    monkeypatch.setattr(run, "save_weights", lambda *module, **more: kept.update(more))
    monkeypatch.setattr(run, "training_record", lambda *parts: {})
    settings = Settings("norvdpnetpp", labels=labels)
    made = SimpleNamespace(
        settings=settings, folder=tmp_path, held_out=[Item("a", None, 0.0, "s")] * 3, mos=(1.0, 5.0), name="mine", recipe="",
        source=[Item("b", None, 0.0)] * 2, target=[], request=SimpleNamespace(data=None, small=False),
    )  # fmt: skip
    run.publish(made, installed=False)  # type: ignore[arg-type]
    assert kept["results"]["mos"] == mos
    assert kept["results"]["held_out_images"] == 3
    assert kept["results"]["held_out_scenes"] == ["s"]
    assert kept["data"].startswith("2 images of ")
    seen["srocc"] = float("nan")
    with pytest.raises(HdrqError, match="all 3 held-out images the same score"):
        run.publish(made, installed=False)  # type: ignore[arg-type]
