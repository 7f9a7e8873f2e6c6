"""Weights and their cards.

A checkpoint is NAME.safetensors beside NAME.json, its card (hdrq.records.Checkpoint). Weights without a card
are not loaded; sha256, keys and shapes are checked when a network is loaded, one known score after an import and by
`hdrq models verify`.

`load(net, weights, encoding)` gives the network, in eval mode and with frozen parameters, with
    .checkpoint  its card
    .span        (black, white): the codes, in the encoding that it reads, that its training mapped to 0 and 1
    .label       NAME@first digits of its sha256, for the rows of a table
    .intake      normalisation of its input, see hdrq.nn.network_input
`prepare` adds these to a network in training, and `save` writes it.

`white` of a card is the value that its training mapped to 1.0:
    sdr        code 1.0; code 0.0 is 0
    255        the code of 100 cd/m²; that of 0.005 cd/m² is 0
    pmax       the code of 10,000 cd/m²; that of 0.005 cd/m² is 0
    LOW..HIGH  these two 8-bit-like codes are 0 and 1
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save as write_tensors
from torch import Tensor, nn

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io.atomic import atomic
from hdrq.nn import weight_files
from hdrq.nn.net import Net
from hdrq.nn.weight_files import cards, find_card, published, read_state, user_folder
from hdrq.records import Checkpoint, Encoding
from hdrq.registry import find, names

# `recipe` of random weights: they can be loaded by name, for tests, and are never a default.
UNTRAINED = "none"
White = Literal["card", "sdr", "255", "pmax"]
_LIGHT = ("nits", "linear")
# cd/m², the range of PU21 and an SDR white
_DARK, _SDR, _BRIGHT = 0.005, 100.0, 10_000.0
# of the known score, relative to 1 + |score|: processors sum in different order
_TOLERANCE = 1e-3


def default_weights(net: str, encoding: str) -> str:
    """The default weights of a network: the user's before those distributed with hdrq.

    Weights from the user's own training (card: "default": false) are used only by name; those that serve any code
    (card: "default": "any") are used where no others read this code.

    Raises MissingPart with the commands that download or train some, UsageError where several are possible.
    """
    trained = [
        (card, path)
        for card, path in cards()
        if card.net == net and card.recipe != UNTRAINED and card.results.get("default") is not False
    ]
    fit = [(card, path) for card, path in trained if card.encoding == encoding]
    if not fit and encoding not in _LIGHT:
        fit = [(card, path) for card, path in trained if card.results.get("default") == "any"]
    for folder in weight_files.folders():
        here = [card for card, path in fit if path.parent == folder]
        chosen = [card for card in here if card.results.get("default")] or here
        if len(chosen) == 1:
            return chosen[0].name
        if chosen:
            some = ", ".join(f"@{card.name}" for card in chosen)
            raise UsageError(f"several weights of {net} read {encoding} code; name one: {some}")
    raise MissingPart(_how_to_get(net, encoding))


def native_encoding(net: str, weights: str = "") -> str:
    """The code that named weights were trained on.

    Without a name: of the network's trained weights, those whose card is the default for any image, then those of sRGB.
    """
    if weights:
        return find_card(weights)[0].encoding
    trained = [card for card, _ in cards() if card.net == net and card.recipe != UNTRAINED]
    chosen = [card.encoding for card in trained if card.results.get("default") == "any"]
    codes = [card.encoding for card in trained]
    return chosen[0] if chosen else "srgb" if "srgb" in codes or not codes else codes[0]


def _how_to_get(net: str, encoding: str) -> str:
    """One line: the missing weights, and commands that get them; FILE, DIR, METRIC and NAME stand for the user's."""
    ways = [
        f"hdrq models fetch {p['name']}" for p in published() if (p["net"], p["encoding"]) == (net, encoding)
    ]
    prefix = "" if encoding in ("srgb", *_LIGHT) else f"{encoding}:"
    if find("net", net).layouts:
        trained_on = f" --encoding {encoding}" if prefix else ""
        ways.append(f"hdrq models import FILE --as {net}{trained_on}")
    ways += _trainings(net, encoding, prefix)
    here = [card.name for card, _ in cards() if card.net == net and card.recipe != UNTRAINED]
    abroad = [p["name"] for p in published() if p["net"] == net and p["encoding"] != encoding]
    other = ""
    if here or abroad:
        first = "" if here else f"hdrq models fetch {abroad[0]}, then "
        other = f"; or use weights for other code: {first}{prefix}{net}@{(here or abroad)[0]}"
    kind = "light" if encoding in _LIGHT else f"{encoding} code"
    get = f"get some: {', or: '.join(ways)}" if ways else "none are published"
    return f"no weights of {net} for {kind} are installed; {get}{other}"


def _trainings(net: str, encoding: str, prefix: str) -> list[str]:
    """The command that trains a network for an encoding, where there is one: a recipe's, or distillation."""
    recipes = [recipe for name in names("recipe") if (recipe := find("recipe", name)).net == net]
    fit = [r for r in recipes if net not in names("metric") or r.settings.get("encoding", "pu21") == encoding]
    if fit:
        simplest = min(fit, key=lambda r: ("plain" not in r.fits, bool(r.settings.get("align"))))
        return [f"hdrq train --recipe {simplest.name} --data DIR"]
    if recipes:
        return [f"hdrq train --metric {prefix}{net} --dataset NAME --data DIR"]
    if find("net", net).training and net in names("metric"):
        return [f"hdrq distill --teacher METRIC --student {prefix}{net} --images DIR"]
    return []


def load(net: str, weights: str = "", encoding: str = "code") -> nn.Module:
    """The network, ready for metrics, with the attributes listed at the top of this file.

    encoding  of the code that it will read; "code" for stored code, which is taken as sRGB
    """
    encoding = "srgb" if encoding == "code" else encoding
    card, path = find_card(checkpoint_for(net, weights, encoding).name)
    return prepare(_module(card, path), card, encoding)


def checkpoint_for(net: str, weights: str, encoding: str) -> Checkpoint:
    """The card of the named weights, or of the network's default weights for an encoding; nothing is loaded."""
    card = find_card(weights or default_weights(net, encoding))[0]
    if card.net != net:
        raise UsageError(f"{card.name} holds weights of {card.net}, not of {net}; see: hdrq models list")
    return card


def verified(card: Checkpoint, path: Path) -> nn.Module:
    """The module of a card after every check, including the known score; FileError names the failed check."""
    module = _module(card, path, trust=False)
    net: Net = find("net", card.net)
    score = float(net.witness(module))
    known = float(card.witness["score"])
    if not abs(score - known) <= _TOLERANCE * (1 + abs(known)):
        raise FileError(
            f"{card.name} gives {score:.6g} where its card says {known:.6g}; {weight_files.reinstall_hint(card, path)}"
        )
    return module


def _module(card: Checkpoint, path: Path, trust: bool = True) -> nn.Module:
    net: Net = find("net", card.net)
    return net.filled(read_state(card, path, trust), **card.options)


def prepare(module: nn.Module, card: Checkpoint, encoding: str = "") -> nn.Module:
    """A module with the attributes that metrics need: its card, its label and its span."""
    module.checkpoint = card  # type: ignore[assignment]
    module.label = f"{card.name}@{card.sha256[:12]}" if card.sha256 else card.name  # type: ignore[assignment]
    module.span = span(encoding or card.encoding, card.white)  # type: ignore[assignment]
    return module


def with_white(module: nn.Module, encoding: Encoding | None, white: White) -> nn.Module:
    """The module with another white of its input than that of its training; parameters are shared with the given one.

    Raises UsageError for a luminance (255, pmax) where the code has none.
    """
    if white == "card":
        return module
    if white != "sdr" and (encoding is None or not encoding.absolute):
        raise UsageError(
            f"white={white} is the code of a luminance, which relative code does not have; leave it out"
        )
    # attributes are copied, parameters are not
    changed = copy(module)
    changed.span = span(encoding.name if encoding else "srgb", white)  # type: ignore[assignment]
    return changed


def span(encoding: str, white: str) -> tuple[float, float]:
    """(black, white) in code of this encoding, where 1.0 is an SDR white."""
    if white == "sdr":
        return (0.0, 1.0)
    code: Encoding = find("encoding", encoding)
    if ".." in white:
        low, high = (float(v) / code.codes for v in white.split(".."))
        return (low, high)
    if white not in ("255", "pmax"):
        raise UsageError(f"white is sdr, 255, pmax or LOW..HIGH in codes, not '{white}'")
    if not code.absolute:
        # relative code ends at its white
        return (0.0, 1.0)
    ends = torch.tensor([_DARK, _SDR if white == "255" else _BRIGHT], dtype=torch.float64)
    low, high = code.encode(ends.reshape(1, 1, 1, 2)).flatten().tolist()
    return (low, high)


def save(
    module: nn.Module,
    *,
    name: str,
    net: str,
    options: Mapping[str, Any],
    encoding: str,
    white: str = "sdr",
    recipe: str,
    data: str = "",
    licence: str = "",
    results: Mapping[str, Any] | None = None,
    half: bool = False,
    folder: Path | None = None,
    shares: Sequence[str] = (),
    training: Mapping[str, Any] | None = None,
) -> tuple[Checkpoint, Path]:
    """Write tensors, then their card, each file atomically; returns the card and its path.

    half    store float16: half the size; the score on the card is that of the stored values. Vectors (biases,
            statistics, channel weights) remain float32
    shares  names of weights whose tensors this network contains unchanged: they are referred to and not stored again
    training  how they were trained, see hdrq.records.Checkpoint
    """
    shelf: Net = find("net", net)
    tensors = {key: _stored(t, half) for key, t in module.state_dict().items()}
    others = [find_card(other) for other in shares]
    shared: dict[str, Tensor] = {}
    for other, path in others:
        for key, tensor in read_state(other, path).items():
            if key not in tensors or not torch.equal(tensors[key].to(tensor.dtype), tensor):
                raise UsageError(f"{name} cannot share the tensors of {other.name}: its '{key}' differs")
            del tensors[key]
            shared[key] = tensor
    data_bytes = write_tensors(tensors)
    score = float(shelf.witness(shelf.filled(shared | tensors, **options)))
    card = Checkpoint(
        name=name,
        net=net,
        options=dict(options),
        encoding=encoding,
        white=white,
        sha256=sha256(data_bytes).hexdigest(),
        witness={"score": score},
        recipe=recipe,
        data=data,
        licence=licence,
        results=dict(results or {}),
        shares={other.name: other.sha256 for other, _ in others},
        training=dict(training or {}),
    )
    where = folder or user_folder()
    where.mkdir(parents=True, exist_ok=True)
    with atomic(where / f"{name}.safetensors") as part:
        part.write_bytes(data_bytes)
    with atomic(where / f"{name}.json") as part:
        part.write_text(json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return card, where / f"{name}.json"


def _stored(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous().clone()
    return (
        tensor.half()
        if half and tensor.is_floating_point() and sum(n > 1 for n in tensor.shape) > 1
        else tensor
    )
