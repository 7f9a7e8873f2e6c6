"""Networks as tone mapping operators and expanders, by name."""

from __future__ import annotations

import pickle

import pytest
import torch

import hdrq
from hdrq.errors import MissingPart, PixelError, UnknownName, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.nn.networks import uses
from hdrq.nn.weights import load, save
from hdrq.registry import find
from hdrq.tonemapping.networks import operator_named

TASKS = {"tonemapper": "tonemap", "expander": "expand"}
SHELVES = [(shelf, name) for shelf, task in TASKS.items() for name in uses(task)]


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """A function that stores a small network with random weights by the name "mine"."""
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()

    def store(net: str, encoding: str) -> None:
        shelf = find("net", net)
        torch.manual_seed(0)
        save(
            shelf.build(**shelf.small), name="mine", net=net, options=shelf.small, encoding=encoding,
            recipe="test", folder=tmp_path / "models",
        )  # fmt: skip

    return store


@pytest.mark.parametrize(("shelf", "net"), SHELVES)
def test_a_network_is_an_operator_by_its_name(shelf, net, stored) -> None:
    tone = shelf == "tonemapper"
    stored(net, "linear" if tone else "srgb")
    made = operator_named(shelf, net)
    assert made.name == f"{net}@mine"
    assert (made.card.reads, made.card.gives) == (("linear", "code") if tone else ("code", "nits"))
    image = torch.rand(1, 3, 33, 40, generator=torch.Generator().manual_seed(1))
    shown = made(image)
    assert shown.shape == image.shape
    assert bool(torch.isfinite(shown).all())
    assert shown.min() >= 0
    use = find("net", net).use
    direct = use.apply(load(net, "mine", "linear" if tone else "srgb"), image)
    if tone:
        assert shown.max() <= 1
        assert torch.allclose(linear_to_srgb(shown), direct.clamp(0, 1), atol=1e-5)
    else:
        assert torch.allclose(shown, direct.clamp(min=0), rtol=1e-5)
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(PixelError, match="NaN or Inf"):
        made(image * torch.nan)


def test_options_of_a_network_are_checked_like_those_of_operators(stored) -> None:
    stored("expandnet", "srgb")
    made = operator_named("expander", "expandnet@mine")
    code = torch.rand(1, 3, 40, 48)
    assert float(made(code, **made.settings({"peak_nits": "500"})).max()) == pytest.approx(500)
    for given, words in (({"peak": "1"}, "no option 'peak'"), ({"peak_nits": "0"}, "not within 1 .. 100000")):
        with pytest.raises(UsageError, match=words):
            made.settings(given)


def test_wrong_names_are_one_clear_line(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    for shelf, name, error, words in (
        ("tonemapper", "reinhard@x", UsageError, "reinhard is not a network"),
        ("tonemapper", "expandnet", UsageError, "expandnet is not a tonemapper; networks that are: deeptmo"),
        ("expander", "expandnex", UnknownName, "unknown expander 'expandnex'"),
        ("expander", "expandnet@", UsageError, "names no weights after @"),
        ("expander", "expandnet", MissingPart, "no weights of expandnet"),
    ):
        with pytest.raises(error, match=words):
            operator_named(shelf, name)


def test_the_command_expands_and_tone_maps_by_networks(stored, tmp_path, run) -> None:
    stored("expandnet", "srgb")
    source = tmp_path / "a.png"
    hdrq.write(source, hdrq.Image(torch.rand(1, 3, 40, 48), "srgb", bits=8))
    status, _, err = run(
        "tonemap", "--expand", "expandnet@mine", "--set", "peak_nits=500", source, tmp_path / "a.exr"
    )
    assert status == 0, err
    assert float(hdrq.read(tmp_path / "a.exr").pixels.max()) == pytest.approx(500, rel=1e-3)
    stored("deeptmo", "linear")
    status, _, err = run("tonemap", "--operator", "deeptmo", tmp_path / "a.exr", tmp_path / "b.png")
    assert status == 0, err
    status, _, err = run("tonemap", "--compare", "reinhard,deeptmo", tmp_path / "a.exr", tmp_path / "c.png")
    assert status == 0, err
