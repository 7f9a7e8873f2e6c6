"""Merging and fusion by a network: which frames it is given, in what order and unit, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hdrq.errors import MissingPart, UsageError
from hdrq.merging.merge import merge
from hdrq.merging.network import TASKS, Method, method_of
from hdrq.nn.image_networks import Use
from hdrq.nn.networks import Network, uses
from hdrq.nn.weights import save
from hdrq.registry import find
from shooting import save as save_frames
from shooting import scene, shoot

TIMES = (1 / 2, 1 / 8, 2.0)  # not in the order of exposure
PLAIN = {"align": "none", "deghost": "none", "response": "srgb"}


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return scene(48, 64, stops=6)


@pytest.fixture(scope="module")
def frames(light) -> list[np.ndarray]:
    return [shoot(light, t, i) for i, t in enumerate(TIMES)]


@pytest.fixture
def spy(monkeypatch) -> list[tuple[Tensor, ...]]:
    """What a network is given, which merges by the mean of the frames that are not clipped and fuses by the first frame."""
    seen: list[tuple[Tensor, ...]] = []

    def mean(net: nn.Module, stack: Tensor, seconds: Tensor) -> Tensor:
        seen.append((stack, seconds))
        trusted = ((stack < 0.98) & (stack > 0.002)).float()
        trusted[0] += 1e-6
        return (trusted * stack / seconds.reshape(-1, 1, 1, 1)).sum(0) / trusted.sum(0)

    def first(net: nn.Module, stack: Tensor) -> Tensor:
        seen.append((stack,))
        return stack[0]

    fakes = {
        "merging": Use("merge", mean, title="", frames=(3, 3)),
        "fusing": Use("fuse", first, title="", frames=(2, 9)),
    }
    monkeypatch.setattr(
        "hdrq.merging.merge.method_of",
        lambda name, fuse: None if name == "average" else Method(Network(name, "w", fakes[name])),
    )
    monkeypatch.setattr(Network, "module", lambda self: nn.Identity())
    return seen


def test_a_network_is_given_light_over_white_with_the_shortest_frame_first(frames, spy) -> None:
    merge(frames, times=TIMES, method="merging", **PLAIN)
    stack, seconds = spy[0]
    assert seconds.tolist() == [1.0, 4.0, 16.0]
    for given, shot in zip(stack, (frames[1], frames[0], frames[2])):
        code = torch.from_numpy(shot).permute(2, 0, 1) / 255
        linear = torch.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
        assert torch.allclose(given, linear.float(), atol=1e-6)


def test_the_radiance_of_a_network_has_the_unit_of_averaging(light, spy) -> None:
    frames = [np.clip(light * t, 0, 1).astype(np.float32) for t in TIMES]  # linear
    ours = merge(frames, times=TIMES, method="merging", align="none")
    averaged = merge(frames, times=TIMES, align="none", deghost="none")
    assert torch.allclose(ours.image.pixels, averaged.image.pixels, rtol=1e-3)
    assert ours.report.rule == "merging@w"
    assert ours.report.reference == "frame 1"  # of middle exposure


def test_one_channel_is_given_three_times_and_averaged(frames, spy, monkeypatch) -> None:
    grey = [f[..., :1] for f in frames]
    plain = merge(grey, times=TIMES, method="merging", **PLAIN).image.pixels
    assert plain.shape[1] == 1
    assert spy[0][0].shape[1] == 3
    tints = torch.tensor([1.0, 2.0, 6.0]).reshape(3, 1, 1)
    tinted = Use("merge", lambda net, stack, seconds: stack[0] * tints - 0.5, title="", frames=(3, 3))
    monkeypatch.setattr(
        "hdrq.merging.merge.method_of", lambda name, fuse: Method(Network("tinted", "w", tinted))
    )
    made = merge(grey, times=TIMES, method="tinted", **PLAIN).image.pixels
    shortest = spy[0][0][0, :1]  # over its white, at a relative exposure of TIMES[1]
    assert torch.allclose(made[0] * TIMES[1], (3 * shortest - 0.5).clamp(min=0), atol=1e-5)


def test_frames_are_aligned_as_the_network_needs_unless_the_user_says() -> None:
    flow = Method(Network("a", "w", Use("merge", lambda *a: a[1], title="", align="flow")))
    assert flow.alignment("auto") == "flow"
    assert flow.alignment("none") == "none"


def test_a_fusing_network_is_given_code_with_the_darkest_frame_first(frames, spy) -> None:
    made = merge(frames, method="fusing", fuse=True, align="none")
    stack = spy[0][0]
    assert torch.allclose(stack[0], torch.from_numpy(frames[1]).permute(2, 0, 1) / 255, atol=1e-6)
    assert stack.mean((1, 2, 3)).diff().min() > 0
    assert torch.equal(made.image.pixels[0], stack[0])
    assert made.report.fused
    assert made.report.rule == "fusing@w"


def test_fusing_frames_are_ordered_by_their_mean_code(spy) -> None:
    bright, dark = np.full((32, 40, 3), 150, np.uint8), np.full((32, 40, 3), 60, np.uint8)
    bright[0, 0] = 0  # the smallest code is in the brighter frame
    merge([bright, dark], method="fusing", fuse=True, align="none")
    assert spy[0][0][:, 0, 5, 5].tolist() == pytest.approx([60 / 255, 150 / 255])


def test_another_number_of_frames_is_refused(frames, spy) -> None:
    for some, times in ((frames[:2], TIMES[:2]), ([*frames, frames[0]], (*TIMES, 8.0))):
        with pytest.raises(UsageError, match=f"merging merges 3 frames, not {len(some)}"):
            merge(some, times=times, method="merging", **PLAIN)


def test_what_lies_outside_a_frame_is_said(light, spy) -> None:
    wide = scene(64, 96, stops=5)
    shots = [shoot(wide[:48, x : x + 64], t, 9) for x, t in ((6, 1 / 8), (0, 1 / 2), (3, 2.0))]
    times = (1 / 8, 1 / 2, 2.0)
    whole = merge(shots, times=times, method="merging", response="srgb", align="mtb", crop="reference")
    said = [note for note in whole.report.notes if "does not cover" in note]
    assert len(said) == 2
    for note, frame in zip(said, (whole.report.frames[0], whole.report.frames[2])):
        dy, dx = np.abs(frame.shift)
        assert dx >= 2
        assert f"{frame.file} does not cover {100 * (1 - (1 - dy / 48) * (1 - dx / 64)):.2g} %" in note
    cropped = merge(shots, times=times, method="merging", response="srgb", align="mtb")
    assert not any("does not cover" in note for note in cropped.report.notes)


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"deghost": "patch"}, "--deghost"),
        ({"rule": "log-mean"}, "--rule"),
        ({"uncertainty": True}, "--uncertainty"),
        ({"reference": 0}, "--reference"),
        ({"demosaic": "after"}, "--demosaic"),
    ],
)
def test_what_a_network_does_not_use_is_refused(frames, spy, options, flag) -> None:
    with pytest.raises(UsageError, match=f"--method merging does not use {flag}"):
        merge(frames, times=TIMES, method="merging", **{"align": "none", **options})


def test_wrong_names_of_methods_are_one_clear_line(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    assert method_of("average", False) is None
    for name, fuse, error, words in (
        ("ahdrnex", False, UsageError, "unknown method 'ahdrnex'; choose one of average, adnet"),
        ("vtamiq", False, UsageError, "vtamiq merges no frames"),
        ("ahdrnet@", False, UsageError, "names no weights after @"),
        ("deepfuse", False, UsageError, "add --fuse"),
        ("ahdrnet", True, UsageError, "leave out --fuse"),
        ("ahdrnet", False, MissingPart, "no weights of ahdrnet for srgb code are installed"),
    ):
        with pytest.raises(error, match=words):
            method_of(name, fuse)


@pytest.mark.parametrize("net", uses(*TASKS))
def test_every_merging_network_runs_by_the_name_of_its_weights(
    net, light, tmp_path, monkeypatch, run
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    shelf = find("net", net)
    torch.manual_seed(0)
    folder = tmp_path / "models"
    folder.mkdir()
    module = shelf.build(**shelf.small)
    save(module, name="mine", net=net, options=shelf.small, encoding="srgb", recipe="test", folder=folder)
    shots = save_frames([shoot(light, t, i) for i, t in enumerate((1 / 8, 1 / 2, 2.0))], tmp_path)
    fuses = uses(*TASKS)[net].task == "fuse"
    target = tmp_path / ("made.png" if fuses else "made.exr")
    extra = ["--fuse"] if fuses else ["--times", "1/8,1/2,2"]
    code, out, err = run("merge", *shots, "-o", target, "--method", f"{net}@mine", "--align", "none", *extra)
    assert code == 0, err
    assert target.exists()
    assert f"{net}@mine" in out
