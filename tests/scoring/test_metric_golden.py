"""Every metric without weights on a small rendered scene, so that a clone without ../shared proves the numbers too.

The values are this program's in float64, written after the tests against the authors' numbers in ../shared/golden passed.
Networks have a known score in the cards of their weights instead.
"""

from __future__ import annotations

import json

import pytest

from hdrq.registry import find
from metric_scenes import FILE, code, computed, light, requests, without_net

VALUES = json.loads(FILE.read_text())["values"]
ROUNDING = ("niqe", "brisque")  # whose value rounding in flat areas can move


@pytest.mark.parametrize("metric", without_net(), ids=lambda m: m.name)
def test_a_metric_gives_its_golden_numbers(metric):
    asked = requests(metric)
    assert set(asked) <= set(VALUES), (
        f"python tests/metric_scenes.py {metric.name} writes the missing numbers"
    )
    found = {text: computed(metric, options) for text, options in asked.items()}
    tolerance = 1e-4 if metric.name in ROUNDING else 1e-6
    assert found == pytest.approx({text: VALUES[text] for text in asked}, rel=tolerance, abs=1e-8)


def test_every_golden_number_is_of_a_metric_there_is():
    for text in VALUES:
        assert find("metric", text.partition(",")[0]).card.net is None


def test_the_scenes_are_what_the_numbers_were_made_of():
    """A renderer that changed would be taken for a metric that changed."""
    sums = [x.mean().item() for x in (*light(), *code())]
    assert sums == pytest.approx(json.loads(FILE.read_text())["scene_means"], rel=1e-7)
