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
