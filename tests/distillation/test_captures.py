"""Methods as distortions: merging, capture, tone mapping and expansion of a scene, with noise and motion by level."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq import io
from hdrq.distillation import rendering
from hdrq.distillation.captures import _method, captured, fused_code, merged_light
from hdrq.distillation.rendering import render
from hdrq.distillation.rows import Row, write_rows
from hdrq.distillation.samples import refuse_unknown, shelf_of
from hdrq.distillation.sources import Opened, Sources
from hdrq.distillation.task import Task, build_set
from hdrq.distillation.teacher_scores import Cache
from hdrq.errors import MissingPart, UnknownName, UsageError
from hdrq.image.render import room
from hdrq.image.statistics import luminance, quantile
from hdrq.merging.fusion import mertens
from hdrq.nn.weights import load, save
from hdrq.registry import find

LIGHT = room(96, 64)
METHODS = ("merge:photon-count", "capture:alternating", "capture:rows", "capture:quad")


def made(text: str, level: float, seed: int = 0) -> Tensor:
    kind, _, name = text.partition(":")
    return merged_light(kind, name, captured(kind, name, LIGHT, level, seed), seed)


def error(found: Tensor) -> float:
    """Mean absolute error of pixels that the shortest exposure shows, stops."""
    seen = luminance(LIGHT) < 4 * quantile(luminance(LIGHT), 0.9)
    off = (found.clamp(min=0.01) / LIGHT.clamp(min=0.01)).log2().abs().mean(1, keepdim=True)
    return float(off[seen & (luminance(LIGHT) > 1)].mean())


@pytest.mark.parametrize("text", METHODS)
def test_more_noise_and_motion_is_worse_and_none_is_good(text: str) -> None:
    clean, some, much = (error(made(text, level)) for level in (0, 2, 5))
    assert clean < 0.2
    assert clean < some < much


def test_a_seed_captures_the_same_way_again_and_another_one_otherwise() -> None:
    assert made("capture:rows", 3, 1).equal(made("capture:rows", 3, 1))
    assert not made("capture:rows", 3, 1).equal(made("capture:rows", 3, 2))


@pytest.mark.parametrize("kind", ["merge", "capture"])
def test_the_middle_frame_shows_the_scene_itself(kind: str) -> None:
    """Its light is the reference of the row; the others are moved."""
    shots = captured(kind, "alternating", LIGHT, 5, 3)
    still = captured(kind, "alternating", LIGHT, 0, 3)
    off = [abs(a.astype(float) - b).mean() for a, b in zip(shots.frames, still.frames, strict=True)]
    assert off[1] < min(off[0], off[2])


@pytest.mark.parametrize(
    ("text", "shelf"),
    [
        ("merge:log-mean", "capture"),
        ("capture:checker", "capture"),
        ("fuse:anything", "capture"),
        ("expand:meylan", "expander"),
        ("tonemap:drago", "tonemapper"),
        ("meylan", "expander"),
        ("noise", "distortion"),
    ],
)
def test_methods_are_known_by_kind_and_name(text: str, shelf: str) -> None:
    assert shelf_of(text) == shelf


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("merge:nope", UnknownName, "no way to merge 'nope'; choose one of"),
        ("fuse:nope", UnknownName, "no way to fuse 'nope'; choose one of mertens, deepfuse"),
        ("fuse:ahdrnet", UsageError, "ahdrnet gives radiance"),
        ("capture:nope", UnknownName, "no capture 'nope'; choose one of alternating, rows"),
        ("expand:nope", UnknownName, "nope"),
        ("shrink:nope", UnknownName, "no distortion 'shrink:nope'"),
        ("merge:expandnet", UsageError, "expandnet merges no frames"),
        ("expand:expandnet@nowhere", MissingPart, "nowhere"),
    ],
)
def test_methods_that_do_not_exist_are_one_line(text: str, kind, says: str) -> None:
    with pytest.raises(kind, match=says):
        refuse_unknown([text])


def row(text: str, level: float = 2.0, display: str = "light") -> Row:
    return Row(0, "a", "a", 0, 0, 64, 1, display, 2000.0, text, level, 11)


@pytest.fixture
def sources(monkeypatch) -> Sources:
    found = Sources()
    monkeypatch.setattr(found, "get", lambda path, reads="": Opened(LIGHT, float(LIGHT.max()), True))
    return found


def test_rows_are_rendered_by_methods(sources: Sources) -> None:
    for text in (*METHODS, "fuse:mertens", "expand:meylan", "tonemap:drago"):
        light, test = render(row(text), sources)
        assert light.shape == test.shape == (1, 3, 64, 64)
        assert torch.isfinite(test).all()
        assert not test.equal(light)


def test_the_level_of_an_expansion_is_the_share_that_its_exposure_clips(sources: Sources) -> None:
    def off(level: float) -> float:
        light, test = render(row("expand:akyuz", level), sources)
        return float((test.clamp(min=0.01) / light.clamp(min=0.01)).log2().abs().mean())

    assert off(1) < off(5)


def test_an_image_of_code_is_not_captured(monkeypatch) -> None:
    with pytest.raises(UsageError, match="merge:log-mean captures light"):
        rendering.capture_of(row("merge:log-mean", display="sdr"), LIGHT)


def test_captures_are_written_with_what_merges_them_again(tmp_path: Path, capsys) -> None:
    """A set of captures holds frames and mosaics; `hdrq.merge` of these is the test image of the row."""
    hdrq.write(tmp_path / "scene.exr", hdrq.Image(LIGHT))
    made = hdrq.distillation_set(
        "psnr",
        tmp_path / "scene.exr",
        output=tmp_path / "set",
        distortions=METHODS,
        n=len(METHODS),
        crop=64,
        displays=[],
    )
    files = list(made.write_images(captures=True))
    assert files[-1].name == "pairs.csv"
    with files[-1].open() as file:
        pairs = {p["distortion"]: p for p in csv.DictReader(file)}
    assert set(pairs) == set(METHODS)
    folder = files[-1].parent / pairs["merge:photon-count"]["dist"].removesuffix(".exr")
    frames = sorted(folder.glob("*.png"))
    again = hdrq.merge(
        frames,
        table=str(folder / "exposures.csv"),
        response="srgb",
        crop="reference",
        reference=1,
        scale="relative",
    )
    test = io.read(folder.with_suffix(".exr")).pixels
    ratio = (test / again.image.pixels)[test > 1].log2()
    assert float((ratio - ratio.median()).abs().median()) < 0.01
    assert (folder.parent / pairs["capture:rows"]["dist"].removesuffix(".exr") / "mosaic.png").exists()


def test_a_fusion_is_code_of_the_middle_frame_and_shown_on_an_sdr_display(sources: Sources) -> None:
    """As Mertens' method fuses the frames, at sRGB, black 0.1 and white 100 cd/m²; noise makes it worse."""
    light, shown = render(row("fuse:mertens", 0.0), sources)
    shots = captured("fuse", "mertens", light, 0, 11)
    frames = torch.from_numpy(numpy.stack(shots.frames)).permute(0, 3, 1, 2) / 255
    code = fused_code("mertens", shots, 11)
    assert float((code[0] - mertens(frames).clamp(0, 1)).abs().mean()) < 0.02
    linear = torch.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)
    assert torch.allclose(shown, 0.1 + 99.9 * linear, atol=1e-3)
    noisy = fused_code("mertens", captured("fuse", "mertens", light, 5, 11), 11)
    assert float((noisy - code).abs().mean()) > 0.02


def test_a_fusion_is_read_as_code_as_a_tone_mapped_image_is() -> None:
    for text in ("fuse:mertens", "tonemap:drago"):
        code = rendering.as_code(torch.tensor([0.1, 100.0]).view(1, 1, 1, 2), row(text))
        assert code.flatten().tolist() == pytest.approx([0, 1])
    with pytest.raises(UsageError, match="tone mapping operators or fusions"):
        rendering.refuse_light(row("merge:log-mean"))


def test_the_pixels_below_a_quad_filter_see_one_pixel_of_the_scene() -> None:
    """Without noise: codes of two exposures 4 stops apart in a chequerboard, of the colours of a Bayer pattern."""
    shots = captured("capture", "quad", LIGHT, 0, 0)
    mosaic = torch.from_numpy(shots.frames[0].astype(float)) / 65535
    assert mosaic.shape == (2 * LIGHT.shape[-2], 2 * LIGHT.shape[-1])
    blue = LIGHT[0, 2, 1::2, 1::2] / shots.white
    dark, bright = mosaic[2::4, 2::4], mosaic[2::4, 3::4]
    assert torch.allclose(dark, (blue.double() / 8).clamp(max=1), atol=1e-4)
    assert torch.allclose(bright, (blue.double() * 2).clamp(max=1), atol=1e-4)
    assert captured("capture", "rows", LIGHT, 3, 0).electrons == pytest.approx(
        4 * captured("capture", "quad", LIGHT, 3, 0).electrons
    )


@pytest.mark.parametrize(
    ("net", "kind"), [("ahdrnet", "merge"), ("deepfuse", "fuse"), ("expandnet", "expand")]
)
def test_networks_are_distortions_with_their_weights(
    net: str, kind: str, tmp_path, monkeypatch, sources
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    shelf = find("net", net)
    torch.manual_seed(0)
    save(
        shelf.build(**shelf.small),
        name="mine",
        net=net,
        options=shelf.small,
        encoding="srgb",
        recipe="test",
        folder=tmp_path,
    )
    _method.cache_clear()
    loads: list[str] = []
    monkeypatch.setattr("hdrq.nn.networks.load", lambda *a: loads.append(a[1]) or load(*a))
    light, test = render(row(f"{kind}:{net}@mine"), sources)
    assert test.shape == light.shape
    assert torch.isfinite(test).all()
    again = render(row(f"{kind}:{net}@mine"), sources)[1]
    assert again.equal(test)
    # once for both rows
    assert loads == ["mine"]


@pytest.mark.parametrize("name", ["capture:foo", "merge:foo", "fuse:foo", "tonemap:foo", "foo"])
def test_a_set_with_an_unknown_method_is_refused_before_anything_is_rendered(name, tmp_path) -> None:
    """Before: a dry run accepted it, and the message at the first row was that of another command."""
    rows = [Row(0, "a.exr", "a", 0, 0, 64, 1, "light", 2000.0, name, 1.0, 11)]
    task = Task(("pu21:psnr",), "norvdpnet++", (write_rows(rows, tmp_path / "set.csv"),), ("noise",))
    with pytest.raises(UnknownName, match="foo"):
        build_set(task, Cache(tmp_path / "scores.sqlite"))
