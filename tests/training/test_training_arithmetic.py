"""The arithmetic of training and distillation, number by number, so that a wrong sign or constant is noticed."""

from __future__ import annotations

import inspect
from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch

from hdrq.distillation.samples import PEAKS, make_set
from hdrq.distillation.sources import Source
from hdrq.distillation.split import split
from hdrq.distillation.student import items_of, label_of, split_domains, student_settings
from hdrq.distillation.teacher_scores import Scale
from hdrq.errors import HdrqError, UsageError
from hdrq.nn.nets.qdnet import QdNet
from hdrq.registry import find
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import Progress
from hdrq.training.data import hold_out_scenes, labelled
from hdrq.training.display_augmentation import DISPLAYS, DisplayDistribution, displayed_code
from hdrq.training.image_cache import ImageCache
from hdrq.training.meta_learning import MetaLearner
from hdrq.training.network import (
    WeightAverage,
    build,
    optimiser_of,
    parameter_groups,
    rate_factor,
    set_rates,
    stage_of,
)
from hdrq.training.settings import Settings
from hdrq.training.validation import validate

SMALL = Settings(
    "norvdpnetpp", options={"widths": [4, 4, 8, 8, 8]}, encoding="srgb", white="sdr", input="crops"
)


def test_the_head_learns_at_its_own_rate_and_the_body_at_the_other() -> None:
    settings = replace(SMALL, rate=1e-3, head_rate=1e-2)
    module = build(settings)
    body, head = parameter_groups(module, settings)
    assert (body["lr"], head["lr"]) == (1e-3, 1e-2)
    names = {id(p): name for name, p in module.named_parameters()}
    assert {names[id(p)].split(".")[0] for p in head["params"]} == {"head"}
    assert {names[id(p)].split(".")[0] for p in body["params"]} == {"stages"}
    optimiser = optimiser_of(settings, [body, head])
    set_rates(optimiser, 0.5)
    assert [g["lr"] for g in optimiser.param_groups] == [5e-4, 5e-3]
    set_rates(optimiser, 1.0)  # factors are of the first rates, not of the last
    assert [g["lr"] for g in optimiser.param_groups] == [1e-3, 1e-2]
    assert len(parameter_groups(module, replace(SMALL, head_rate=0.0))) == 1
    vtamiq = build(
        Settings("vtamiq", options={"width": 24, "depth": 1, "heads": 2, "mlp": 48, "reduction": 4})
    )
    parts = parameter_groups(vtamiq, Settings("vtamiq", head_rate=1.0))
    assert all(g["params"] for g in parts)
    with pytest.raises(UsageError, match="no separate head"):
        parameter_groups(torch.nn.Sequential(torch.nn.Linear(1, 1)), replace(SMALL, head_rate=1.0))


def test_optimisers_take_decay_and_memory_from_the_settings() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.1}]
    adam = optimiser_of(replace(SMALL, optimiser="adam", decay=0.3, beta2=0.9), groups).param_groups[0]
    assert (adam["weight_decay"], adam["betas"]) == (0.3, (0.9, 0.9))
    assert isinstance(optimiser_of(replace(SMALL, optimiser="sgd"), groups), torch.optim.SGD)
    assert isinstance(optimiser_of(SMALL, groups), torch.optim.AdamW)


def test_an_outer_step_goes_its_rate_times_the_schedule_towards_the_mean_of_the_copies(
    tmp_path, monkeypatch
) -> None:
    """Every inner step here adds 1 to all parameters, so that the outer step is known: rate x factor x steps."""
    items = [Item(f"{d}{i}", None, i / 4, f"s{i}", d) for d in "ab" for i in range(5)]
    meta = {"tasks": 2, "inner": 3, "query_steps": 2, "rate": 0.1}
    settings = replace(SMALL, meta=meta)
    learner = MetaLearner(
        settings, items, ImageCache(tmp_path), torch.device("cpu"), lambda m: None, several=False
    )

    def learn(batch: object) -> float:
        with torch.no_grad():
            for p in learner.module.parameters():
                p += 1
        return 2.0

    monkeypatch.setattr(learner, "_learn", learn)
    monkeypatch.setattr(learner, "_prefetched", lambda jobs: iter(jobs))
    before = {k: v.clone() for k, v in learner.meta.items()}
    learner.begin_epoch(Progress())
    loss, _ = learner.step(Progress(), rate=0.5)
    assert loss == pytest.approx(2.0)
    for name, value in learner.meta.items():
        assert torch.allclose(value - before[name], torch.tensor(0.1 * 0.5 * (3 + 2)), atol=1e-5)


def test_the_programs_outer_step_follows_every_query_batch_and_only_these(tmp_path, monkeypatch) -> None:
    """Support batches cost 100, query batches 2: the stated loss is the mean over the query batches of the task."""
    items = [Item(f"{d}{i}", None, i / 20, f"s{i}", d) for d in "ab" for i in range(20)]
    meta = {"outer": "batches", "tasks": 4, "query": 2, "support": 0.8}
    settings = replace(SMALL, meta=meta, batch=4)
    learner = MetaLearner(
        settings, items, ImageCache(tmp_path), torch.device("cpu"), lambda m: None, several=False
    )
    sizes = []

    def learn(batch: tuple[list[Item], tuple[int, int]]) -> float:
        sizes.append(len(batch[0]))
        with torch.no_grad():
            for p in learner.module.parameters():
                p += 1
        return 2.0 if len(batch[0]) == 2 else 100.0

    monkeypatch.setattr(learner, "_learn", learn)
    monkeypatch.setattr(learner, "_prefetched", lambda jobs: iter(jobs))
    before = {k: v.clone() for k, v in learner.meta.items()}
    learner.begin_epoch(Progress())
    loss, _ = learner.step(Progress(), rate=0.5)
    assert sizes == 4 * [4, 2]  # 16 images of support in fours, and 2 query batches twice
    assert loss == pytest.approx(2.0)
    for name, value in learner.meta.items():  # copies are 2, 4, 6 and 8 from the start
        assert torch.allclose(value - before[name], torch.tensor((2 + 4 + 6 + 8) / 4.0), atol=1e-5)


def test_folds_are_by_default_60_20_20() -> None:
    """Training, validation and test in the protocol of the paper of the adaptation recipes."""
    import hdrq

    folds = inspect.signature(hdrq.train).parameters["folds"].default
    assert (1 - 2 / folds, 1 / folds) == pytest.approx((0.6, 0.2))


def test_ambient_light_and_peak_are_drawn_independently() -> None:
    random, again = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    first, second = torch.randn(2, generator=again).tolist()
    drawn = DISPLAYS["hdr"].draw(random)
    assert drawn.ambient_lux == pytest.approx(100 + 25 * first)
    assert drawn.peak_nits == pytest.approx(5000 + 500 * second)
    many = [DISPLAYS["sdr"].draw(random) for _ in range(3000)]
    found = np.corrcoef([d.peak_nits for d in many], [d.ambient_lux for d in many])[0, 1]
    assert abs(found) < 0.06
    dark = DisplayDistribution(100, 0, 1000, ambient=1.0, ambient_sd=1e6)
    assert {min(max(dark.draw(random).ambient_lux, 0), 25_000) for _ in range(20)} == {0.0, 25_000.0}


def test_light_is_encoded_as_it_is_and_relative_light_is_divided() -> None:
    light = torch.full((1, 3, 2, 2), 123.0)
    code = find("encoding", "pu21").encode(light)
    assert torch.equal(displayed_code(light, "nits", "pu21", None), code)
    shown = displayed_code(torch.full((1, 3, 2, 2), 65_536.0), "hdr-linear", "pu21", None)
    assert float(find("encoding", "pu21").decode(shown).mean()) == pytest.approx(5000, rel=1e-3)
    assert displayed_code(light, "code", "pu21", None) is light


def _sources(side: int = 300) -> list[Source]:
    return [Source(f"{k}{i}", f"{k}{i}", (side, side), k == "l", "0") for k in "lc" for i in range(6)]  # type: ignore[arg-type]


def test_displays_of_a_set_fill_their_ranges_evenly_in_the_logarithm() -> None:
    rows = make_set(_sources(), ("noise", "blur"), 4000, side=64)
    for display, low, high in (("light", 300, 8000), ("sdr", 80, 250), ("bright", 500, 5000)):
        assert PEAKS[display] == (low, high)
        peaks = np.array([r.peak for r in rows if r.display == display])
        place = (np.log(peaks) - log(low)) / (log(high) - log(low))
        assert place.min() > -1e-3
        assert place.max() < 1 + 1e-3
        assert place.mean() == pytest.approx(0.5, abs=0.04)
        assert (np.histogram(place, 4, (0, 1))[0] / len(place)).min() > 0.2
    assert {r.display for r in make_set(_sources(), ("noise",), 50, side=64, displays=("sdr-100",))} == {
        "light",
        "sdr-100",
    }
    clean = np.mean([r.level == 0 for r in rows])
    assert clean == pytest.approx(0.04, abs=0.015)
    levels = np.array([r.level for r in rows if r.level])
    assert 0.2 <= levels.min() < 0.25
    assert 4.95 < levels.max() <= 5.0
    assert {r.shrink for r in rows} == {1, 2, 4}
    assert max(r.y + r.side * r.shrink for r in rows) == 300


def test_a_fifth_of_the_scenes_of_each_kind_is_held_out_and_an_eighth_of_the_rest_validates() -> None:
    sources = [Source(f"{k}{i}", f"{k}{i}", (64, 64), k == "l", "0") for k in "lc" for i in range(20)]  # type: ignore[arg-type]
    rows = make_set(sources, ("noise",), 600, side=64)
    parts = split(rows, sources, (), 0)
    for kind in "lc":
        assert sum(s.startswith(kind) for s in parts.scenes) == 4
        assert len({r.scene for r in parts.validation if r.scene.startswith(kind)}) == 2


def test_quality_is_a_share_of_the_scale_and_labels_follow_the_direction_of_the_student() -> None:
    assert Scale(2.0, 6.0).quality(np.array([1.0, 2.0, 3.0, 6.0, 9.0])).tolist() == [0, 0, 0.25, 1, 1]
    assert Scale(6.0, 2.0).quality(np.array([2.0, 5.0])).tolist() == [1.0, 0.25]
    assert label_of("norvdpnetpp", np.array([0.2])).tolist() == [0.2]
    assert label_of("vtamiq", np.array([0.2])).tolist() == [0.8]
    rows = make_set(_sources(), ("noise",), 60, side=64)
    items = items_of(rows, np.arange(60.0), "vtamiq")
    assert (items[7].dist, items[7].ref, items[7].label) == ("dist:7", "ref:7", 7.0)
    dim, bright = split_domains(rows, items)
    assert len(dim) + len(bright) == 60
    assert {rows[int(i.dist[5:])].display for i in dim} == {"sdr"}
    patches = [student_settings(net, "pu21", (64, 64), "", {}).patches for net in ("vtamiq", "pieapp")]
    assert patches == [64, 16]


def test_rates_are_those_of_the_stage_and_of_the_epoch_or_the_step() -> None:
    staged = Settings("koncept512", schedule="constant", epochs=5, rate=1e-3, stages=((3, 1e-4), (2, 2e-5)))
    assert [stage_of(staged, e) for e in (0, 2, 3, 9)] == [(0, 1e-4), (0, 1e-4), (1, 2e-5), (1, 2e-5)]
    assert [staged.rate * rate_factor(staged, e, 0.0) for e in (2, 3)] == pytest.approx([1e-4, 2e-5])
    each = replace(SMALL, schedule="exponential", floor=0.01, epochs=4)
    assert rate_factor(each, 1, 0.5) == pytest.approx(0.1)
    assert rate_factor(replace(each, per="epoch"), 1, 0.9) == pytest.approx(0.01**0.25)
    assert rate_factor(replace(each, schedule="steps"), 1, 0.8) == pytest.approx(0.01)
    assert rate_factor(replace(each, schedule="cosine", warmup=0.2), 0, 0.6) == pytest.approx(0.01 + 0.99 / 2)


def test_the_average_of_weights_moves_by_one_minus_its_decay() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    average = WeightAverage(module, 0.9)
    with torch.no_grad():
        module.weight.fill_(2.0)
    average.update(module)
    assert float(average.values["weight"]) == pytest.approx(1.1)


def test_the_best_epoch_is_chosen_by_the_criterion(monkeypatch) -> None:
    """mae and mse are better when lower; an epoch that is not better counts towards patience."""
    from hdrq.training import validation

    items = [Item(str(i), None, float(v)) for i, v in enumerate((0, 1, 2, 3))]
    predicted = {"good": [0.1, 1.0, 2.0, 3.0], "off": [10, 11, 12, 13], "turned": [3, 2, 1, 0]}

    def seen(by: str, *names: str) -> tuple[list[bool], Progress]:
        progress, found = Progress(), []
        for name in names:
            monkeypatch.setattr(validation, "predict", lambda *_, n=name: np.array(predicted[n], dtype=float))
            found.append(validate(None, replace(SMALL, best_by=by), None, items, None, progress))  # type: ignore[arg-type]
        return [f.best for f in found], progress

    for by in ("mae", "mse"):
        assert seen(by, "off", "good", "turned")[0] == [True, True, False]
    assert seen("srocc", "turned", "off", "good")[0] == [True, True, False]
    assert seen("srocc", "good", "turned", "off")[1].since_best == 2
    assert seen("mae", "good")[1].best == pytest.approx(-0.025)


def test_labels_are_made_of_scores_as_named() -> None:
    from hdrq.records import Pair

    pairs = [Pair(f"{i}", mos=v) for i, v in enumerate((2.0, 3.0, 6.0))]
    for labels, higher, expected in (
        ("unit", True, [0, 0.25, 1]),
        ("unit", False, [1, 0.75, 0]),
        ("loss", True, [1, 0.75, 0]),
        ("loss", False, [0, 0.25, 1]),
        ("raw", True, [2, 3, 6]),
        ("span", False, [-1, -2, -5]),
        ("percent", True, [200, 300, 600]),
    ):
        assert [i.label for i in labelled(pairs, labels, higher)] == pytest.approx(expected), labels


def test_a_share_of_the_scenes_is_held_out_but_never_all_or_none() -> None:
    items = [Item(str(i), None, 0.0, f"s{i % 10}") for i in range(40)]
    for share, scenes in ((0.0, 0), (0.2, 2), (0.01, 1), (0.99, 9)):
        train, out = hold_out_scenes(items, share, 0)
        assert len({i.scene for i in out}) == scenes
        assert len(train) + len(out) == 40


def test_an_epoch_has_as_many_batches_as_fit(tmp_path) -> None:
    items = [Item(str(i), None, 0.0) for i in range(10)]
    for batch, count in ((3, 3), (5, 2), (10, 1), (16, 1)):
        assert BatchLoader(replace(SMALL, batch=batch), items, "code", ImageCache(tmp_path)).steps() == count


@pytest.mark.parametrize("wanted", [-0.4, -0.05, 0.0, 0.05, 0.4])
def test_qdnet_reaches_the_quality_asked_for_upwards_and_downwards(wanted: float) -> None:
    torch.manual_seed(0)
    module = QdNet(latent=16).eval()
    with torch.no_grad():
        module.head[-1].weight *= 30  # an untrained head says nearly the same of every code
    x = torch.randn(1, 3, 64, 64)
    goal = float(module(x)) + wanted
    image, reached = module.towards(x, goal)
    assert image.shape == x.shape
    assert reached == pytest.approx(goal, abs=1e-3)


def test_qdnet_says_what_it_cannot_reach() -> None:
    torch.manual_seed(0)
    module = QdNet(latent=8).eval()
    with torch.no_grad():
        module.head[-1].weight.zero_()
    with pytest.raises(HdrqError, match="reach a quality of"):
        module.towards(torch.randn(1, 3, 64, 64), 5.0)
