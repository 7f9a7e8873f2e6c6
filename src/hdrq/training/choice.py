"""Choose the settings of a training: those of a recipe or of fine-tuning, with the overrides of the user."""

from __future__ import annotations

from typing import Any

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.evaluation.archive import Dataset, locate
from hdrq.nn.net import Net
from hdrq.nn.weight_files import find_card
from hdrq.nn.weights import default_weights, native_encoding
from hdrq.records import Checkpoint, Encoding, Recipe
from hdrq.registry import check, find, names
from hdrq.scoring.request import Request, parse
from hdrq.training.data import HIGHER
from hdrq.training.overrides import adjust, from_recipe, reduced
from hdrq.training.provenance import recorded
from hdrq.training.request import TrainingRequest
from hdrq.training.settings import Settings
from hdrq.training.start_weights import with_start_options

# images whose size is read to choose the crop
_SIZED = 20


def settings_for(request: TrainingRequest) -> tuple[str, Settings, list[str]]:
    """(name of the recipe, settings, notes) of a card, of a recipe, or of fine-tuning."""
    if request.like:
        card, settings = recorded(request.like)
        settings = (
            reduced(settings, dict(request.settings))
            if request.small and not card.training["arguments"].get("small")
            else settings
        )
        settings = adjust(settings, dict(request.settings))
        return (
            str(card.training["arguments"].get("recipe", "")),
            settings,
            [f"repeating the training of {card.name}"],
        )
    if request.recipe:
        recipe: Recipe = find("recipe", request.recipe)
        return request.recipe, _of_recipe(recipe, request), []
    if not request.dataset:
        raise UsageError("name what to train on with --dataset, or a --recipe; see: hdrq list recipes")
    for one in request.dataset.split("+"):
        check("dataset", one)
    if fine_tunes(request):
        if request.variant:
            raise UsageError(
                f"--variant {request.variant} is of a recipe; add --recipe NAME, or leave it out"
            )
        settings, notes = _fine_tuning(request)
        return "", settings, notes
    if not request.metric and not request.align and any(_of_user(one) for one in request.dataset.split("+")):
        raise UsageError(
            f"name the network to train on {request.dataset} with -m, such as -m norvdpnet++, or for images with "
            "references -m pu-vtamiq"
        )
    name = fitting_recipe(request)
    return name, _of_recipe(find("recipe", name), request), []


def fine_tunes(request: TrainingRequest) -> bool:
    """Whether a network with weights is fine-tuned instead of trained by a recipe.

    This is so where weights are named, for the user's own images and scores, and for networks without a recipe.
    """
    if not request.metric or request.align or request.target:
        return False
    metric = parse(request.metric)
    own = any(_of_user(one) for one in request.dataset.split("+"))
    return bool(metric.weights) or own or not _recipes_of(_net_of(metric))


def _of_user(dataset: str) -> bool:
    """Whether a dataset is a table of the user's own images."""
    return not find("dataset", dataset).folders


def _net_of(metric: Request) -> str:
    card = find("metric", metric.metric).card
    if not card.net:
        some = ", ".join(n for n in names("metric") if find("metric", n).card.net)
        raise UsageError(f"{metric.metric} has no network to train; networks are {some}")
    return str(card.net)


def _recipes_of(net: str) -> list[str]:
    return [name for name in names("recipe") if find("recipe", name).net == net]


def fitting_recipe(request: TrainingRequest) -> str:
    """The recipe that trains a network on a dataset, with or without domain adaptation."""
    net = _net_of(parse(request.metric)) if request.metric else _default_net()
    known = _recipes_of(net)
    if not known and (request.align or request.target):
        raise UsageError(f"no recipe adapts {net} to another domain; --da and --target are for {_adapted()}")
    if not known:
        some = sorted({find("recipe", name).net for name in names("recipe")})
        raise UsageError(f"no recipe trains {net}; there are recipes for {', '.join(some)}")
    named = all(find("dataset", one).distortions > 1 for one in request.dataset.split("+"))
    wanted = (f"adapt:{request.target}", "adapt") if request.align else ("plain",)
    if not request.align:
        wanted = (*wanted, "distortions" if named else "photographs")
    for one in wanted:
        for name in known:
            if one in find("recipe", name).fits:
                return name
    if request.align:
        raise UsageError(f"no recipe adapts {net} to another domain; --da and --target are for {_adapted()}")
    return known[0]


def _adapted() -> str:
    """The networks that recipes adapt to another domain."""
    recipes = (find("recipe", name) for name in names("recipe"))
    return ", ".join(sorted({str(r.net) for r in recipes if "adapt" in r.fits}))


def _default_net() -> str:
    """The network of the recipe that is marked as the default."""
    return next(str(r.net) for r in (find("recipe", n) for n in names("recipe")) if "default" in r.fits)


def _of_recipe(recipe: Recipe, request: TrainingRequest) -> Settings:
    """Settings of a recipe for the requested datasets: display and labels follow from what those contain."""
    changes: dict[str, Any] = {}
    base = from_recipe(recipe, {}, request.variant)
    if request.metric and (metric := parse(request.metric)):
        if _net_of(metric) != recipe.net:
            raise UsageError(f"{recipe.name} trains {recipe.net}, not {metric.metric}; leave out -m")
        if metric.stages:
            changes["encoding"] = metric.stages[-1]
            code = not find("encoding", metric.stages[-1]).absolute
            changes |= {"white": "sdr" if code else "pmax", "source_display": "code" if code else "sdr"}
        if metric.weights:
            changes["start"] = metric.weights
    if request.align is not None:
        changes["align"] = request.align
    if request.dataset and request.dataset != base.source:
        changes |= {"source": request.dataset, "source_subset": "", "held_subset": ""}
        changes |= _for_dataset(request.dataset, "source", base.source_display, base.labels)
    if request.target and request.target != base.target:
        changes |= {"target": request.target}
        changes |= _for_dataset(request.target, "target", base.target_display, base.target_labels)
    elif request.dataset and not request.target and base.target and base.target == base.source:
        changes |= {"target": request.dataset}
    settings = from_recipe(recipe, changes, request.variant, request.small)
    settings = adjust(settings, dict(request.settings))
    if request.target and not (base.target or settings.align or settings.target_labels):
        raise UsageError(
            f"--target {request.target} has no part in {recipe.name}; add --da, such as --da coral"
        )
    given = _given_options(request)
    return with_start_options(settings, given) if settings.start else settings


def _for_dataset(dataset: str, domain: str, display: str, labels: str) -> dict[str, Any]:
    """Display, subset and labels for a dataset other than that of the recipe."""
    card: Dataset = find("dataset", dataset.split("+")[0])
    key = "labels" if domain == "source" else "target_labels"
    found: dict[str, Any] = {f"{domain}_subset": "hdr" if "hdr" in card.subsets else ""}
    found[f"{domain}_display"] = display_for(dataset, display, "hdr" if domain == "target" else "sdr")
    if not card.scale or card.scale.startswith("none"):
        found[key] = ""
    elif "JOD" in card.scale:
        rises = labels in HIGHER
        found[key] = labels if rises else "jod" if domain == "source" or labels else ""
    elif labels == "jod":
        found[key] = "loss"
    if domain == "target" and not found.get(key, labels):
        found["held_from"] = "source"
    return found


def display_for(dataset: str, display: str, instead: str = "sdr") -> str:
    """The display that shows another dataset: `display` where it shows the same kind of pixels.

    instead  for a dataset of code, where `display` shows light
    """
    card: Dataset = find("dataset", dataset.split("+")[0])
    if card.domain != "srgb":
        return "nits" if card.domain == "nits" else "hdr-linear"
    return instead if display in ("nits", "hdr-linear") else display


def _fine_tuning(request: TrainingRequest) -> tuple[Settings, list[str]]:
    """Settings that fine-tune a network on images and scores: everything except the data comes from its weights."""
    metric = parse(request.metric)
    net = _net_of(metric)
    light, side, holds = _first_images(request)
    if metric.stages:
        encoding = metric.stages[-1]
    elif metric.weights:
        encoding = native_encoding(net, metric.weights)
    else:
        encoding = _encoding_for(net, light)
    code: Encoding = find("encoding", encoding)
    if light and not code.absolute:
        raise UsageError(
            f"{holds} holds light, but {metric.weights or metric.metric} reads {encoding} code; "
            f"fine-tune on PU21 code with -m pu21:{metric.metric}"
        )
    asks_random = dict(request.settings).get("start", None) == ""
    card: Checkpoint | None = None
    if not asks_random:
        card, _ = find_card(metric.weights or default_weights(net, encoding))
    shelf: Net = find("net", net)
    kind = dict(shelf.training)
    if kind.get("input") == "crops":
        kind["crop"] = min(int(kind["crop"]), side)
    higher = find("metric", metric.metric).output().better == "higher"
    settings = Settings(
        net=net,
        **{
            **kind,
            "encoding": encoding,
            "white": card.white if card is not None else "sdr",
            "options": dict(card.options) if card is not None else dict(kind.get("options", {})),
            "start": card.name if card is not None else "",
            "source": request.dataset,
            "source_display": "nits" if light else "code" if not code.absolute else "sdr-constant",
            "labels": "unit" if higher else "loss",
            "rate": 1e-4,
            "schedule": "cosine",
            "epochs": 20,
        },
    )
    settings = reduced(settings, dict(request.settings)) if request.small else settings
    settings = adjust(settings, dict(request.settings))
    given = _given_options(request)
    settings = with_start_options(settings, given) if settings.start else settings
    begins = settings.start or "random weights"
    return settings, [f"fine-tuning {net} from {begins} on {encoding} code"]


def _given_options(request: TrainingRequest) -> dict[str, Any]:
    """The build options among the user's settings."""
    only = {k: v for k, v in dict(request.settings).items() if k.startswith("options.")}
    return dict(adjust(Settings("", options={}), only).options) if only else {}


def _encoding_for(net: str, light: bool) -> str:
    """The code that a network's published weights read, for linear images or for SDR code."""
    if not light:
        try:
            default_weights(net, "srgb")
            return "srgb"
        except (MissingPart, UsageError):
            return native_encoding(net)
    native = native_encoding(net)
    return native if find("encoding", native).absolute else "pu21"


def _first_images(request: TrainingRequest) -> tuple[bool, int, str]:
    """(whether the dataset holds linear light, smallest side of its first images, path of the first)."""
    dataset: Dataset = find("dataset", request.dataset.split("+")[0])
    files = adjust(Settings(""), {k: v for k, v in dict(request.settings).items() if k.startswith("files.")})
    light, side, first = False, 10**9, ""
    for number, pair in enumerate(dataset.pairs(locate(dataset, request.data))):
        if number == _SIZED:
            break
        image = files.reading.image(str(pair.dist))
        first = first or str(pair.dist)
        light = light or image.domain not in ("srgb", "gamma")
        side = min(side, *image.size)
    if not first:
        raise FileError(
            f"{request.data or request.dataset} lists no images; give a CSV with columns dist and mos"
        )
    return light, side, first
