"""Options and networks of metrics, read from their files without importing them, are those of the imported metrics."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hdrq.registry import find, names
from hdrq.scoring import request


@pytest.mark.parametrize("name", names("metric"))
def test_an_outline_says_what_the_metric_says(name: str) -> None:
    metric = find("metric", name)
    wanted = {o.name: tuple(map(str, o.choices)) for o in metric.options.values()}
    assert request.options_of_metric(name) == wanted
    assert request.net_of_metric(name) == (metric.card.net or "")


def test_metrics_of_other_packages_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    option = SimpleNamespace(name="pool", choices=("mean", "max"))
    other = SimpleNamespace(options={"pool": option}, card=SimpleNamespace(net="tiny"))
    monkeypatch.setattr(request, "added", lambda kind: {"other": None})
    monkeypatch.setattr(request, "find", lambda kind, name: other)
    assert request.options_of_metric("other") == {"pool": ("mean", "max")}
    assert request.net_of_metric("other") == "tiny"
