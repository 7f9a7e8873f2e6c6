"""What the card of trained weights says of their training, and whether a repetition has the same data and code."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hdrq
from hdrq.errors import FileError, UsageError
from hdrq.evaluation.archive import locate
from hdrq.image.caching import cached
from hdrq.nn.weight_files import find_card, read_card
from hdrq.records import Checkpoint
from hdrq.registry import find
from hdrq.training.batches import Item
from hdrq.training.display_augmentation import DISPLAYS
from hdrq.training.overrides import from_plain
from hdrq.training.request import TrainingRequest
from hdrq.training.settings import Settings
from hdrq.training.start_weights import start_card

ARGUMENTS = ("recipe", "variant", "metric", "dataset", "align", "target", "lower", "small")


def training_record(
    request: TrainingRequest,
    settings: Settings,
    source: Sequence[Item],
    held_out: Sequence[Item],
    target: Sequence[Item],
) -> dict[str, Any]:
    """Everything that determines the weights, for `Checkpoint.training`.

    code       versions, and a digest of the source files of hdrq
    arguments  those of the call;  settings  all of them
    start      name and sha256 of the initial weights
    source, held_out, target  numbers of images and scenes, a digest of the list of images and labels, the display
    tested     scenes and distortions that were left out of the training to be tested on
    """
    s, data = settings, request.data
    arguments = {name: getattr(request, name) for name in ARGUMENTS}
    parts = {
        "source": (source, s.source, s.source_subset, s.source_display),
        "held_out": (held_out, s.held_dataset, s.held_dataset_subset, s.held_display),
        "target": (target, s.target, s.target_subset, s.target_display),
    }
    found = start_card(settings)
    return {
        "code": code_version(),
        "arguments": {
            **arguments,
            "align": request.align or "",
            "data": data.name if data is not None else "",
        },
        "settings": asdict(settings),
        "start": {"name": found[0].name, "sha256": found[0].sha256} if found is not None else {},
        **{
            part: {
                "dataset": name,
                "subset": subset,
                **listing(items, name, data),
                "display": {"name": display, **asdict(DISPLAYS[display])},
            }
            for part, (items, name, subset, display) in parts.items()
            if items
        },
        "tested": {"scenes": list(settings.test_scenes), "distortions": list(settings.test_distortions)},
    }


def listing(items: Sequence[Item], dataset: str, data: Path | None) -> dict[str, Any]:
    """Numbers of images and scenes, and a digest of paths, references, labels and scenes in any order.

    Paths are taken relative to the folder of the dataset, so that the digest is the same on every machine.
    """
    roots = [_folder(locate(find("dataset", one), data)) for one in dataset.split("+")] if dataset else []

    def inside(path: str | None) -> str:
        for root in roots:
            if path is not None and Path(path).is_relative_to(root):
                return Path(path).relative_to(root).as_posix()
        return Path(path).name if path is not None else ""

    lines = sorted(
        "\t".join(
            (
                inside(i.dist),
                inside(i.ref),
                "" if i.label is None else f"{i.label:.9g}",
                i.scene,
                i.distortion,
            )
        )
        for i in items
    )
    digest = sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()
    return {"images": len(items), "scenes": len({i.scene for i in items}), "digest": digest[:16]}


def _folder(root: Path) -> Path:
    return root.parent if root.is_file() else root


@cached(None)
def code_version() -> dict[str, str]:
    """Versions of what computes, and a digest of the source files of hdrq."""
    root = Path(hdrq.__file__).parent
    found = sha256()
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).as_posix()):
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {
        "hdrq": hdrq.__version__,
        "source": found.hexdigest()[:16],
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def recorded(like: str) -> tuple[Checkpoint, Settings]:
    """Card and settings of a training, by the path of its card or the name of installed weights.

    Raises FileError where the card says nothing of a training.
    """
    card = read_card(Path(like)) if like.endswith(".json") else find_card(like)[0]
    if not card.training:
        raise FileError(
            f"the card of {card.name} does not record its training; only weights that hdrq train has made since "
            "it records all settings can be repeated"
        )
    try:
        return card, from_plain(card.training["settings"])
    except (KeyError, TypeError, UsageError) as error:
        raise FileError(
            f"the card of {card.name} records settings that this hdrq cannot repeat ({error})"
        ) from error


def departures(card: Checkpoint, now: Mapping[str, Any]) -> Iterator[str]:
    """Where a repetition, of the record `now`, differs from the training on a card: data, initial weights, code."""
    before: Mapping[str, Any] = card.training
    for part in ("source", "held_out", "target"):
        old, new = before.get(part, {}), now.get(part, {})
        if old.get("digest") != new.get("digest"):
            counts = f"{old.get('images', 0)} images there, {new.get('images', 0)} here"
            yield f"the list of {part.replace('_', '-')} images differs from that of {card.name} ({counts})"
    if before.get("start", {}).get("sha256") != now["start"].get("sha256"):
        yield f"the initial weights differ from those of {card.name}"
    old_code, new_code = before.get("code", {}), now["code"]
    changed = [
        f"{name} {old_code.get(name)}, here {new_code[name]}"
        for name in new_code
        if new_code[name] != old_code.get(name)
    ]
    if changed:
        yield f"{card.name} was trained with other code ({'; '.join(changed)})"
