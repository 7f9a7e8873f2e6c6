"""Settings of networks, losses, stages and meta-learning at hostile values: one line that names the setting."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.training.data import data_of, items_to_test
from hdrq.training.meta_tasks import Meta
from hdrq.training.network import build_apart
from hdrq.training.overrides import adjust
from hdrq.training.settings import Settings


@pytest.mark.parametrize("value", ["nan", "-1", "Infinity", "x", "[]", "null", "true"])
@pytest.mark.parametrize("name", ["tasks", "inner", "query_steps", "rate", "support", "query", "most"])
def test_settings_of_meta_learning_are_numbers_in_range(name: str, value: str) -> None:
    """Before: text ended a dry run with an internal error, and a rate of nan passed."""
    with pytest.raises(UsageError, match="meta"):
        Meta.of(adjust(Settings("metaiqa"), {f"meta.{name}": value.replace("nan", "NaN")}))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("options.widths", "x", "cannot be built with options"),
        ("options.widths", "[-1,2,3,4,5]", "cannot be built with options"),
        ("options.nothing", "1", "norvdpnetpp has no option 'nothing'; it has"),
    ],
)
def test_a_network_that_cannot_be_built_is_one_line(name: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build_apart(adjust(Settings("norvdpnetpp"), {name: value}))


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ("resnet18", "resnet18 is not a backbone of nr; .*: efficientnet-lite2, mobilenet-v2$"),
        ("norvdpnet", "norvdpnet is not a backbone of nr"),
        ("mobilenet-v9", "unknown net 'mobilenet-v9'; did you mean mobilenet-v2"),
    ],
)
def test_what_cannot_be_a_backbone_is_refused_by_name(backbone: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build_apart(adjust(Settings("nr"), {"options.backbone": backbone}))


def test_a_new_backbone_needs_no_edit_of_the_network_that_reads_it(monkeypatch) -> None:
    """Before, nr listed its backbones, so that adding one was a change of two files."""
    from hdrq.nn.layers import inverted_residuals
    from hdrq.nn.layers.inverted_residuals import Backbone, InvertedResiduals, Stage
    from hdrq.nn.net import Net, mix
    from hdrq.nn.nets import nr

    trunk = (Stage(1, 3, 1, 1, 4), Stage(1, 3, 2, 2, 6))

    def build(classes: int = 1000) -> Backbone:
        return Backbone(InvertedResiduals(trunk, stem=4, top=8, same=False), "imagenet", classes)

    made = Net("tiny", build, (), mix)
    monkeypatch.setattr(inverted_residuals, "find", lambda kind, name: made)
    assert nr.nr.build(backbone="tiny").linear.in_features == 2 * (4 + 6 + 8)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("loss.x", "1", "no loss 'x'"),
        ("stages", '[["a",2]]', "stages is a number"),
        ("stages", "[[1,NaN]]", "stages is a number"),
        ("stages", "[[1,-1]]", "the rate of a stage must be positive"),
        ("stages", "[[0,1]]", "the epochs of a stage must be at least 1"),
    ],
)
def test_losses_and_stages_are_checked_with_the_settings(name: str, value: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        adjust(Settings("", epochs=1), {name: value})


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    """Three HDR scenes in a folder."""
    root = tmp_path_factory.mktemp("scenes")
    for k in range(3):
        g = torch.Generator().manual_seed(k)
        stops = torch.nn.functional.interpolate(
            torch.randn(1, 3, 7, 9, generator=g) * 3, size=(300, 320), mode="bicubic"
        )
        hdrq.write(root / f"scene{'abc'[k]}.exr", Image(stops.exp2(), "linear"))
    return root


def dry(run, scenes: Path, tmp_path: Path, *sets: str) -> tuple[int, str, str]:
    more = [part for text in sets for part in ("--set", text)]
    place = tmp_path / "run"
    found = run(
        "train", "--recipe", "expandnet", "--data", scenes, "--small", "--dry-run", "-o", place, *more
    )
    assert not place.exists()
    return found


def test_a_dry_run_of_an_image_network_builds_it_and_computes_a_step(scenes, tmp_path, run) -> None:
    """Before: the scenes were read and nothing was built, so that any option passed."""
    exit_code, out, err = dry(run, scenes, tmp_path)
    assert exit_code == 0, err
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert re.fullmatch(r"network +[\d,]+ parameters", lines["network"])
    assert re.fullmatch(r"time +about [\d.]+ s a step x \d+ steps = .* on \w+", lines["time"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("options.nothing=1", "expandnet has no option 'nothing'; it has width"),
        ("options.width=-1", "expandnet cannot be built with options"),
        ("options.width=x", "expandnet cannot be built with options"),
        ("options.width=1.5", "expandnet cannot be built with options"),
        ("start=pu-vtamiq-small", "pu-vtamiq-small holds weights of vtamiq, not of expandnet"),
        ("start=nobody", "no weights called 'nobody' are installed"),
    ],
)
def test_a_dry_run_of_an_image_network_refuses_what_it_cannot_build(
    text, says, scenes, tmp_path, run
) -> None:
    exit_code, _, err = dry(run, scenes, tmp_path, text)
    assert exit_code == 2
    assert says in err
    assert err.count("hdrq:") == 1


def test_a_network_that_is_built_but_cannot_compute_is_one_line(scenes, tmp_path, run, monkeypatch) -> None:
    from hdrq.nn.nets.expandnet import ExpandNet

    monkeypatch.setattr(ExpandNet, "describe", lambda self, code: code[..., :5])
    exit_code, _, err = dry(run, scenes, tmp_path)
    assert exit_code == 2
    assert "expandnet cannot compute with options" in err


def table(folder: Path, scores: list[float]) -> Path:
    lines = [f"{k}.png,scene{k % 3},kind{k % 2},{score}" for k, score in enumerate(scores)]
    (folder / "mine.csv").write_text("\n".join(["dist,scene,distortion,mos", *lines]) + "\n")
    for k in range(len(scores)):
        hdrq.write(folder / f"{k}.png", Image(torch.rand(1, 3, 40, 40), "srgb", bits=8))
    return folder / "mine.csv"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("test_scenes", "scene1,nothing", "csv has no scene 'nothing' to test on; correct test_scenes"),
        ("test_distortions", "kind9", "csv has no distortion 'kind9' to test on; correct test_distortions"),
    ],
)
def test_what_is_kept_for_testing_must_be_there(name, value, says, tmp_path) -> None:
    """Before: a name that matched nothing was accepted, and its images were trained on."""
    mine = table(tmp_path, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    settings = replace(Settings("norvdpnetpp", source="csv", labels="unit"), held_scenes=("scene2",))
    with pytest.raises(UsageError, match=says):
        data_of(adjust(settings, {name: value}), mine)
    with pytest.raises(UsageError, match=says):
        items_to_test(adjust(settings, {name: value}), mine)
    source, held_out, _ = data_of(adjust(settings, {"test_scenes": "scene1"}), mine)
    assert ({i.scene for i in source}, {i.scene for i in held_out}) == ({"scene0"}, {"scene2"})


def test_labels_of_kadid_need_as_many_scores_as_the_curve_has_parameters(tmp_path) -> None:
    """Before: scipy's error on too few points."""
    settings = Settings("vtamiq", source="csv", labels="kadid", holdout=0.0)
    with pytest.raises(UsageError, match="fits a curve of 5 parameters, and there are only 4 different"):
        data_of(settings, table(tmp_path, [1, 2, 3, 4, 4, 4]))


def test_labels_of_kadid_that_are_out_of_order_are_refused(monkeypatch) -> None:
    from hdrq.training import labels

    scores = [1.0, 2.0, 2.5, 3.0, 4.0, 4.5]
    assert (np.diff(labels.kadid_linearised(scores)) < 0).all()
    for fitted in (np.array([9.0, -9.0, 0.5, 0.1, 0.0]), np.full(5, np.nan)):
        monkeypatch.setattr(labels, "leastsq", lambda *a, fitted=fitted, **k: (fitted,))
        with pytest.raises(UsageError, match="does not rise everywhere; use labels=loss"):
            labels.kadid_linearised(scores)


@pytest.mark.parametrize("value", [[], {}, True, ["linear"]])
@pytest.mark.parametrize("name", ["scale", "domain", "file_primaries", "layer", "view", "part", "nonfinite"])
def test_what_is_said_of_files_is_a_text_or_a_number(name: str, value: object) -> None:
    """Before: files.scale=[] and files.domain={} were internal errors."""
    with pytest.raises(UsageError, match=f"{name} of files cannot be "):
        Settings("norvdpnetpp", files={name: value})


@pytest.mark.parametrize(("net", "heads"), [("vtamiq", 7), ("vtamiq", 0), ("vtamiq", -2), ("vtamiq", 10**6)])
def test_heads_that_do_not_divide_the_width_are_refused_before_a_step(net: str, heads: int) -> None:
    """Before: the network was built, and the first step of a training ended in an internal error."""
    small = {"width": 48, "depth": 1, "mlp": 32, "grid": 2, "groups": 1, "blocks": 1, "reduction": 8}
    build_apart(Settings(net, options={**small, "heads": 3}))
    with pytest.raises(
        UsageError, match=f"vtamiq cannot be built .*a width of 48 cannot be divided among {heads} heads"
    ):
        build_apart(Settings(net, options={**small, "heads": heads}))
