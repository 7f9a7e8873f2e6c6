"""Every method that merges, fuses, tone-maps or expands, networks with random weights included, on pictures of every kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.errors import HdrqError
from hdrq.nn.networks import uses
from hdrq.nn.weights import save
from hdrq.records import Image
from hdrq.registry import find, names

TIMES = (0.25, 1.0, 4.0)
NETS = [(net, use.task) for net, use in uses("merge", "fuse", "tonemap", "expand").items()]
# the size of the picture, and the picture
KINDS = [
    ((33, 47), "scene"),
    ((1, 1), "scene"),
    ((5, 200), "scene"),
    ((33, 47), "black"),
    ((33, 47), "constant"),
]
LARGE = (3001, 4001)


def light(size: tuple[int, int], kind: str) -> Tensor:
    """(1, 3, H, W) cd/m²: about fifteen stops with soft and sharp structure, or black, or one grey."""
    if kind != "scene":
        return torch.full((1, 3, *size), 0.0 if kind == "black" else 30.0)
    chance = torch.Generator().manual_seed(0)
    soft = torch.randn(1, 3, 13, 17, generator=chance) * 2.5
    sharp = torch.randn(1, 1, min(size[0], 301), min(size[1], 401), generator=chance) * 0.7
    parts = (torch.nn.functional.interpolate(x, size=size, mode="bilinear") for x in (soft, sharp))
    return sum(parts, torch.zeros(())).exp2() * 50


def code(shown: Tensor) -> Tensor:
    return (shown / 200).clamp(0, 1) ** (1 / 2.2)


def frames(shown: Tensor, times: tuple[float, ...] = TIMES) -> list[np.ndarray]:
    found = (code(shown * t)[0].permute(1, 2, 0) * 255 for t in times)
    return [x.round().to(torch.uint8).numpy() for x in found]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A function that gives the name of a small network with random weights, which are made once."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HDRQ_MODELS", str(folder))

        def named(net: str) -> str:
            shelf = find("net", net)
            if not (folder / f"{net}-small.json").exists():
                torch.manual_seed(0)
                save(
                    shelf.build(**shelf.small), name=f"{net}-small", net=net, options=shelf.small,
                    encoding=shelf.use.reads, recipe="test", folder=folder,
                )  # fmt: skip
            return f"{net}@{net}-small"

        yield named


def merged(shown: Tensor, **options) -> Tensor:
    return hdrq.merge(
        frames(shown), **({} if options.get("fuse") else {"times": TIMES}), **options
    ).image.pixels


def alternating(shown: Tensor) -> Tensor:
    times = (0.25, 1.0, 0.25, 1.0)
    made = hdrq.merge(frames(shown, times), pattern="alternating", times=times)
    return next(iter(made)).image.pixels


def assorted(shown: Tensor) -> Tensor:
    """A mosaic of two exposures in pairs of rows."""
    seen = code(shown).mean((0, 1)) ** 2.2
    gain = torch.where(torch.arange(len(seen)) // 2 % 2 == 0, 1.0, 0.25)[:, None]
    options = {"layout": "rows", "filters": "rggb", "ev": (-2, 0), "response": "linear"}
    return next(iter(hdrq.merge([(seen * gain).numpy()], pattern="bayer-me", **options))).image.pixels


MERGERS: dict[str, Callable[[Tensor], Tensor]] = {
    **{f"rule {n}": lambda x, n=n: merged(x, rule=n) for n in names("merger")},
    **{f"deghost {n}": lambda x, n=n: merged(x, deghost=n) for n in ("reference", "bitmap", "patch", "none")},
    **{f"align {n}": lambda x, n=n: merged(x, align=n) for n in ("mtb", "homography", "flow", "none")},
    **{f"response {n}": lambda x, n=n: merged(x, response=n) for n in names("response")},
    "uncertainty": lambda x: merged(x, uncertainty=True),
    "fuse": lambda x: merged(x, fuse=True),
    "alternating": alternating,
    "assorted": assorted,
}


def by_network(net: str, task: str, name: str, shown: Tensor) -> Tensor:
    if task == "tonemap":
        return hdrq.tonemap(Image(shown, "nits"), name).pixels
    if task == "expand":
        return hdrq.expand(Image(code(shown), "srgb"), name).pixels
    return merged(shown, method=name, fuse=task == "fuse")


def check(found: Tensor, size: tuple[int, int]) -> None:
    assert found.shape == (1, 3, *size)
    assert bool(torch.isfinite(found).all())
    assert float(found.min()) >= 0


@pytest.mark.parametrize(("size", "kind"), KINDS)
@pytest.mark.parametrize("name", MERGERS)
def test_every_merger_merges_every_picture(name, size, kind) -> None:
    """Or says in one line why it cannot: frames that do not tell the response that is asked for, a mosaic of one pixel."""
    reason = ""
    try:
        check(MERGERS[name](light(size, kind)), size)
    except HdrqError as error:
        reason = str(error)
    small, even = min(size) < 8, size == (1, 1) or kind != "scene"
    if reason:
        assert (even and name.startswith("response")) or (small and name == "assorted")
        assert (
            "give --response srgb" if name.startswith("response") else "at least 8 pixels a side"
        ) in reason


@pytest.mark.parametrize(("net", "task"), NETS)
def test_every_network_takes_every_picture(net, task, stored) -> None:
    for size, kind in KINDS:
        check(by_network(net, task, stored(net), light(size, kind)), size)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", MERGERS)
def test_every_merger_merges_twelve_megapixels(name) -> None:
    check(MERGERS[name](light(LARGE, "scene")), LARGE)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("net", "task"), NETS)
def test_every_network_takes_twelve_megapixels(net, task, stored) -> None:
    check(by_network(net, task, stored(net), light(LARGE, "scene")), LARGE)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", names("tonemapper"))
def test_every_operator_takes_twelve_megapixels(name) -> None:
    check(hdrq.tonemap(Image(light(LARGE, "scene"), "nits"), name).pixels, LARGE)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", names("expander"))
def test_every_expander_takes_twelve_megapixels(name) -> None:
    check(hdrq.expand(Image(code(light(LARGE, "scene")), "srgb"), name).pixels, LARGE)
