"""Displays, labels and initial weights follow from what the files hold, for every recipe; what cannot be is refused."""

from __future__ import annotations

import pytest

from hdrq.errors import MissingPart, UsageError
from hdrq.records import Recipe
from hdrq.registry import find, names
from hdrq.training.choice import settings_for
from hdrq.training.data import refuse_other_direction
from hdrq.training.display_augmentation import refuse_code_of
from hdrq.training.overrides import adjust, from_recipe
from hdrq.training.request import TrainingRequest
from hdrq.training.settings import Settings
from hdrq.training.start_weights import start_card

RECIPES = [n for n in names("recipe") if isinstance(find("recipe", n), Recipe)]


def chosen(**asked: object) -> Settings:
    return settings_for(TrainingRequest(settings={"start": ""}, **asked))[1]


@pytest.mark.parametrize("name", RECIPES)
def test_the_displays_and_labels_of_every_recipe_fit_its_network(name: str) -> None:
    recipe = find("recipe", name)
    for variant in ("", *recipe.variants):
        settings = from_recipe(recipe, {}, variant)
        refuse_other_direction(settings, "higher")
        refuse_code_of(settings.source_display, settings.encoding)
        if settings.target:
            refuse_code_of(settings.target_display, settings.encoding)


@pytest.mark.parametrize("dataset", ["upiq", "kadid", "tid2013", "livec"])
@pytest.mark.parametrize("name", RECIPES)
def test_labels_keep_the_direction_of_the_network_on_other_datasets(name: str, dataset: str) -> None:
    """Before: JOD became quality loss for networks whose score rises with quality."""
    settings = chosen(recipe=name, dataset=dataset)
    refuse_other_direction(settings, "higher")
    if dataset == "upiq":
        assert settings.labels in ("jod", "unit", "span", "percent", "raw")


@pytest.mark.parametrize(
    ("net", "labels", "says"),
    [
        ("vtamiq", "unit", "labels=unit is higher for better images, but the score of vtamiq is lower; use labels=loss"),
        ("vtamiq", "raw", "labels=raw is higher"),
        ("koncept512", "loss", "labels=loss is lower for better images, but the score of koncept512 is higher"),
        ("qdnet", "kadid", "use labels=unit"),
    ],
)  # fmt: skip
def test_labels_against_the_score_of_the_network_are_refused(net: str, labels: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        refuse_other_direction(Settings(net, source="kadid", labels=labels), "")


def test_labels_of_the_target_are_checked_as_those_of_the_source() -> None:
    settings = adjust(from_recipe(find("recipe", "vtamiq-hl"), {}), {"target_labels": "unit"})
    with pytest.raises(UsageError, match="use target_labels=jod"):
        refuse_other_direction(settings, "")


@pytest.mark.parametrize(
    ("display", "encoding", "says"),
    [
        ("nits", "srgb", "shows light, but the network reads srgb code"),
        ("hdr-linear", "srgb", "shows light"),
        ("code", "pu21", "but the network reads pu21 code of light"),
        ("cinema", "pu21", "no training display 'cinema'"),
    ],
)
def test_a_display_that_cannot_give_the_code_of_the_network_is_refused(display, encoding, says) -> None:
    with pytest.raises(UsageError, match=says):
        refuse_code_of(display, encoding)


def test_a_target_needs_an_adaptation_and_a_network_that_has_one() -> None:
    """Before: the images of such a target were read and used for nothing."""
    with pytest.raises(UsageError, match="--target sihdr has no part in vtamiq-pu; add --da"):
        chosen(dataset="kadid", target="sihdr")
    with pytest.raises(UsageError, match="has no part in pieapp-srgb"):
        chosen(dataset="kadid", metric="pieapp", target="upiq")
    for asked in ({"align": "coral"}, {"target": "upiq"}):
        with pytest.raises(UsageError, match="--da and --target are for pieapp, vtamiq"):
            chosen(dataset="kadid", metric="norvdpnet++", **asked)
    assert adjust(from_recipe(find("recipe", "vtamiq-hu-sihdr"), {}), {"align": ""}).target == "sihdr"


def test_weights_that_only_a_training_makes_are_told_with_every_command_before_it(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    with pytest.raises(MissingPart) as found:
        start_card(Settings("vtamiq", start="vtamiq-srgb"))
    assert str(found.value) == (
        "no weights called 'vtamiq-srgb' are installed; train them: hdrq models fetch vit-b16-384, then "
        "hdrq train --recipe vtamiq-srgb; or start from installed weights: --set start=pu-vtamiq-lite2; or start from "
        "random weights: --set start="
    )
