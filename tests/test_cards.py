"""A card says what a number means, once: direction, unit and range follow the options everywhere."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

import hdrq
from hdrq.cards import Card, Metric, options_of
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.registry import find, names
from hdrq.scoring.error_maps import span_of
from hdrq.scoring.run import score


@pytest.mark.parametrize(
    ("text", "better", "unit", "span", "best"),
    [
        ("hdrvdp3", "higher", "JOD", (None, 10.0), 10.0),
        ("hdrvdp3,output=q", "higher", "1", (None, 10.0), 10.0),
        ("hdrvdp3,output=p-det", "lower", "1", (0, 1), 0.0),
        ("hdrvdp3,output=c-max", "lower", "thresholds", (0, None), 0.0),
        ("hdrvdp3,task=civdm", "higher", "1", (0, 1), 1.0),
        ("hdrvdp3,task=civdm,output=loss", "higher", "1", (0, 1), 1.0),
        ("hdrvdp3,task=flicker,output=p-det", "lower", "1", (0, 1), 0.0),
        ("hdrvdp2", "higher", "1", (None, 100.0), 100.0),
        ("hdrvdp2,output=p-det", "lower", "1", (0, 1), 0.0),
        ("hdrvdp2,output=c-max", "lower", "thresholds", (0, None), 0.0),
        ("hdrvqm", "higher", "1", (0, 20), 20),
        ("hdrvqm,mode=video", "lower", "1", (0, None), 0.0),
    ],
)
def test_an_output_turns_direction_unit_and_span_at_once(text, better, unit, span, best):
    bound = hdrq.metric(text)
    assert (bound.better, bound.unit, bound.span, bound.best) == (better, unit, span, best)


@pytest.mark.parametrize("name", [n for n in names("metric") if find("metric", n).card.outputs])
def test_what_selects_an_output_is_an_option_of_the_metric(name):
    metric = find("metric", name)
    for output in metric.card.outputs:
        for option, value in output.when:
            assert value in map(str, metric.options[option].choices)


@pytest.mark.parametrize("text", ["hdrvdp3,output=p-det", "hdrvdp2,output=c-max", "hdrvdp2"])
def test_noise_moves_every_output_the_way_its_card_says(text):
    random = torch.Generator().manual_seed(0)
    ref = 20 + 60 * torch.rand(1, 1, 48, 48, generator=random)
    bound = hdrq.metric(text)
    little, much = (
        bound(ref, ref * (1 + s * torch.randn(ref.shape, generator=random)).clamp(0.1)) for s in (0.02, 0.3)
    )
    assert (little > much) == (bound.better == "higher")
    assert bool((bound(ref, ref.clone()) - bound.best).abs() < 1e-3)


def test_jod_is_no_unit_of_a_probability(tmp_path):
    for name, factor in (("ref", 1.0), ("dist", 1.2)):
        light = np.full((40, 40, 3), 20 * factor, np.float32)
        hdrq.write(tmp_path / f"{name}.exr", Image(torch.from_numpy(light).permute(2, 0, 1)[None]))
    pair = (tmp_path / "ref.exr", tmp_path / "dist.exr")
    rows = list(score([pair], ["hdrvdp3", "hdrvdp3,output=p-det", "hdrvdp3,output=q", "hdrvdp3,task=civdm"]))
    assert [r.unit for r in rows] == ["JOD", "1", "1", "1"]
    assert [r.better for r in rows] == ["higher", "lower", "higher", "higher"]


def test_colours_of_a_map_follow_the_direction_of_the_output():
    """Best and worst ends: a lower value is worse where higher is better, and better where lower is."""
    values = torch.linspace(0, 1, 1000)
    up, down = Card("t", "1", "higher", (0, 1), "code", "s"), Card("t", "1", "lower", (0, 1), "code", "s")

    class Bound:
        def __init__(self, card: Card) -> None:
            self.metric, self.better, self.best = Metric("m", card, lambda: None), card.better, None

    assert span_of(values, Bound(up))[0] > span_of(values, Bound(up))[1]
    assert span_of(values, Bound(down))[0] < span_of(values, Bound(down))[1]


def _function(
    a: torch.Tensor,
    *,
    flag: bool = True,
    count: int = 3,
    share: float | None = None,
    mode: Literal["slow", "fast"] = "slow",
    width: int | Literal["auto"] = "auto",
    place: str = "here",
) -> None: ...


def test_types_of_options_come_from_annotations():
    known = options_of(_function)
    assert known["share"].parse("0.5", "f") == 0.5
    assert known["share"].parse("auto", "f") is None
    assert known["flag"].parse("no", "f") is False
    assert known["count"].parse("4", "f") == 4
    assert known["width"].parse("auto", "f") == "auto"
    assert known["width"].parse("7", "f") == 7
    assert known["place"].parse("3", "f") == "3"
    assert known["mode"].parse("fast", "f") == "fast"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("share", "abc", "not a number"),
        ("share", "nan", "not a number"),
        ("share", "inf", "not a number"),
        ("count", "2.5", "not a whole number"),
        ("flag", "perhaps", "true or false"),
        ("mode", "medium", "not one of slow, fast"),
    ],
)
def test_a_wrong_value_is_told_what_is_legal(name, text, says):
    with pytest.raises(UsageError, match=says):
        options_of(_function)[name].parse(text, "f")


@pytest.mark.parametrize("kind", ["metric", "tonemapper", "expander"])
def test_every_default_is_legal_by_its_annotation(kind):
    for name in names(kind):
        for option in find(kind, name).options.values():
            if option.default is not None:
                assert option.parse(str(option.default), name) == option.default
            else:
                assert option.optional


@pytest.mark.parametrize(
    "text", ["hdrvdp3,mask_q=abc", "hdrvdp3,mask_p=inf", "hdrvdp3,ppd=inf", "hdrvdp3,age=x"]
)
def test_a_number_that_is_none_is_refused_before_a_pixel_is_read(text):
    with pytest.raises(UsageError, match="is not a number"):
        hdrq.metric(text)
