"""Settings of networks, losses, stages and meta-learning at hostile values: one line that names the setting."""

from __future__ import annotations

import pytest

from hdrq.errors import UsageError
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
