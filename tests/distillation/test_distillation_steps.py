"""Distortions, samples and scales as figures, and what a distillation states of its cost, by hand."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hdrq.distillation import checks
from hdrq.distillation.checks import cost
from hdrq.distillation.distill import _listed
from hdrq.distillation.rendering import _expanded, _options, as_code
from hdrq.distillation.rows import Row
from hdrq.distillation.samples import make_set
from hdrq.distillation.sources import Source
from hdrq.distillation.split import split
from hdrq.distillation.student import student_settings
from hdrq.distillation.teacher_scores import quality_scale
from hdrq.image.render import room
from hdrq.image.transfer import linear_to_srgb
from hdrq.registry import find, names
from pinned import pinned

CODECS = ("avif", "jpeg")  # of other programs, whose versions differ


@pytest.mark.parametrize("name", names("distortion"))
def test_distortions_are_what_they_were(name) -> None:
    d = find("distortion", name)
    light = room(90, 70, seed=4)
    if d.card.acts == "code":
        encoding = find("encoding", d.card.encoding or "pu21")
        top = float(encoding.encode(torch.tensor([[[[4000.0]]]])))
        code = encoding.encode(light).clamp(max=top)
        found = [d(code, level, seed, top) for level, seed in ((0.7, 1), (2.5, 2), (5.0, 3))]
    else:
        found = [d(light, level, seed) for level, seed in ((0.7, 1), (2.5, 2), (5.0, 3))]
    amounts = [d.amount(v) for v in (0.5, 1.0, 3.25, 5.0)]
    room_for_others = 2e-2 if any(name.startswith(c) for c in CODECS) else 2e-4
    pinned(f"distortion {name}", *found, amounts, tolerance=room_for_others)


def sources(count: int = 5) -> list[Source]:
    made = [
        Source(Path(f"light{k}.exr"), f"light{k}", (300 + 40 * k, 420), True, f"{k}") for k in range(count)
    ]
    return made + [
        Source(Path(f"code{k}.png"), f"code{k}", (256, 300 + 300 * k), False, f"-{k}") for k in range(count)
    ]


def test_sets_are_what_they_were() -> None:
    rows = make_set(sources(), ["blur", "noise", "jpeg", "none", "reinhard"], 60, seed=3, side=128, each=4)
    kinds = sorted({r.distortion for r in rows})
    pinned(
        "a set", *([float(v) if not isinstance(v, str) else 0.0 for v in astuple(r)[:13]] for r in rows[:12])
    )
    pinned("a whole set", [r.y + 7 * r.x + 11 * r.shrink + r.peak + r.level + r.seed % 97 for r in rows])
    assert [r.number for r in rows] == list(range(60))
    assert kinds == ["blur", "jpeg", "noise", "none", "reinhard"]
    assert [len({(r.source, r.y, r.x) for r in rows[k : k + 4]}) for k in range(0, 60, 4)] == [1] * 15
    assert rows[:20] == make_set(
        sources(), ["blur", "noise", "jpeg", "none", "reinhard"], 20, seed=3, side=128, each=4
    )
    for r in rows:
        h, w = next(s.size for s in sources() if str(s.path) == r.source)
        assert r.y + r.side * r.shrink <= h
        assert r.x + r.side * r.shrink <= w
    six = make_set(sources(), names("distortion"), 24)
    assert [len({(r.source, r.y, r.x) for r in six[k : k + 6]}) for k in range(0, 24, 6)] == [1] * 4


def test_splits_are_what_they_were() -> None:
    rows = make_set(sources(10), ["blur"], 400, side=128)
    parts = split(rows, sources(10), [], 5)
    kept, chosen, held = ({r.scene for r in p} for p in (parts.train, parts.validation, parts.held_out))
    assert (len(kept), len(chosen), len(held)) == (14, 2, 4)
    assert sum(s.startswith("light") for s in held) == 2
    pinned("held-out scenes", [int(s[-1]) + 10 * s.startswith("light") for s in sorted(held | chosen)])
    named = split(rows, sources(10), ["light3"], 5)
    assert named.scenes == ["light3"]
    assert len({r.scene for r in named.validation}) == 2


def test_expanded_and_displayed_images_are_what_they_were() -> None:
    row = Row(0, "a", "a", 0, 0, 64, 1, "bright", 2000.0, "blur", 3.0, 11)
    light = room(60, 50, seed=2)
    for name in names("expander")[:3]:
        op = find("expander", name)
        made = _expanded(op, replace(row, distortion=name), light)
        pinned(f"expanded {name}", made, list(_options(op, row).values()) or [0.0])
        assert float(made.mean()) == pytest.approx(float(light.mean()), rel=1e-3)
    black, peak = 0.2, 2000.0
    values = torch.tensor([0.1, black, 500.0, peak, 3000.0])
    wanted = linear_to_srgb(((values - black) / (peak - black)).clamp(0, 1))
    assert torch.allclose(as_code(values, row), wanted)
    sdr = replace(row, distortion="reinhard")
    wanted = linear_to_srgb(((values - 0.1) / 99.9).clamp(0, 1))
    assert torch.allclose(as_code(values, sdr), wanted)


def test_costs_are_stated(monkeypatch) -> None:
    times = iter((10.0, 17.0, 20.0, 23.0))
    monkeypatch.setattr(checks.time, "perf_counter", lambda: next(times))
    net = torch.nn.Linear(1, 1)
    batch = SimpleNamespace(to=lambda device: None)
    loader = SimpleNamespace(batch=lambda some, key: batch, size_of=lambda item: (32, 32))
    monkeypatch.setattr(checks, "BatchLoader", lambda *given: loader)
    monkeypatch.setattr(checks, "build_apart", lambda settings: net)
    monkeypatch.setattr(checks, "forward", lambda *given: SimpleNamespace(q=net(torch.ones(1, 1))))
    settings = SimpleNamespace(net="n", options={}, batch=4, epochs=5, steps=0, source_display="code")
    images = SimpleNamespace(folder="x")
    lines = list(cost(settings, [None] * 10, images, torch.device("cpu"), 3 * 2**29))  # type: ignore[arg-type, list-item]
    assert lines[0].startswith("n: 2 parameters, 3.00 s a step of 4, 10 steps: about 30 s on cpu")
    assert lines[1].startswith("stored images take up to 1.50 GiB in x")


def test_a_students_settings_are_those_stated() -> None:
    found = student_settings("norvdpnetpp", "pu21", (96, 96), "", {})
    assert (found.batch, found.epochs, found.rate, found.warmup, found.crop) == (16, 30, 3e-4, 0.02, 96)
    assert found.loss == {"mae": 1.0, "pearson": 0.1}


def test_open_ends_of_a_scale_are_quantiles() -> None:
    scores = np.linspace(0, 1000, 1001)
    scorer = SimpleNamespace(span=(None, None), unit="1", better="higher")
    assert quality_scale(scorer, scores).worst == pytest.approx(5)  # type: ignore[arg-type]
    assert quality_scale(scorer, scores).best == pytest.approx(995)  # type: ignore[arg-type]
    scorer.better, scorer.span = "lower", (0.0, None)
    found = quality_scale(scorer, scores)  # type: ignore[arg-type]
    assert (found.worst, found.best) == (pytest.approx(995), 0.0)
    assert found.quality(np.array([0, 995 / 4, 2000])).tolist() == pytest.approx([1, 0.75, 0])
    scorer.unit, scorer.span, scorer.better = "JOD", (None, 10.0), "higher"
    assert quality_scale(scorer, scores).worst == 0  # type: ignore[arg-type]


def test_eight_names_are_said_and_the_rest_counted() -> None:
    letters = list("abcdefghij")
    assert _listed(letters[:8]) == " (a, b, c, d, e, f, g, h)"
    assert _listed(letters) == " (a, b, c, d, e, f, g, h, and 2 more)"
    assert _listed(letters[:3], 2) == " (a, b, and 1 more)"
    assert _listed([]) == ""
