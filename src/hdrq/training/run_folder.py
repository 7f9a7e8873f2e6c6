"""The folder of a training run: its settings as a readable file, so that resuming needs no repeated options."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hdrq
from hdrq.errors import FileError, HdrqError, UsageError
from hdrq.io import atomic
from hdrq.training.checkpoint import LAST, finished
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.overrides import from_plain
from hdrq.training.settings import Settings

SETTINGS = "settings.json"


def write_settings(folder: Path, settings: Settings | ImageSettings, **more: Any) -> Path:
    """Write settings.json: the version of hdrq, the further arguments, and every setting."""
    folder.mkdir(parents=True, exist_ok=True)
    held = {"hdrq": hdrq.__version__, **more, "settings": asdict(settings)}
    with atomic(folder / SETTINGS) as part:
        part.write_text(json.dumps(held, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    return folder / SETTINGS


def read_settings(folder: Path) -> tuple[Settings, Mapping[str, Any]] | None:
    """(settings, further entries of settings.json), or None without the file."""
    held = entries_of(folder)
    if held is None:
        return None
    try:
        return from_plain(held["settings"]), held
    except (ValueError, TypeError, UsageError) as error:
        raise _damaged(folder, error) from error


def entries_of(folder: Path) -> Mapping[str, Any] | None:
    """All entries of settings.json, of which `settings` is one; None without the file."""
    path = folder / SETTINGS
    if not path.exists():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error
    if not isinstance(held, dict) or not isinstance(held.get("settings"), dict):
        raise _damaged(folder, "it has no entry 'settings'")
    return held


def _damaged(folder: Path, why: object) -> FileError:
    return FileError(f"{folder / SETTINGS} does not hold the settings of a training ({why}); remove it")


@contextmanager
def removed_if_refused(folder: Path) -> Iterator[Callable[[], None]]:
    """Within this block, an error leaves no folder that was not there before.

    The block is given a function to call when the work begins: what is written from then on stays.
    """
    new = [] if folder.exists() else [folder, *(p for p in folder.parents if not p.exists())]
    try:
        yield new.clear
    except HdrqError:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        for parent in new[1:]:
            with suppress(OSError):
                # others may have written to it
                parent.rmdir()
        raise


def refuse_used(folder: Path, resume: bool) -> None:
    """Raise UsageError where a folder holds a training and none is resumed, or the reverse; FileError where none can be made."""
    standing = next((p for p in (folder, *folder.parents) if p.exists()), Path())
    if not standing.is_dir():
        raise FileError(f"{folder} cannot be made: {standing} is a file; name a folder with -o")
    if (folder / LAST).exists() and not resume:
        raise UsageError(
            f"{folder} holds a training already; add --resume to go on with it, or name another folder with -o"
        )
    if resume and not (folder / LAST).exists() and not (folder / SETTINGS).exists():
        raise UsageError(
            f"{folder} holds no training to resume; leave out --resume, or name its folder with -o"
        )


def refuse_changes(folder: Path, changed: Sequence[str]) -> None:
    """Raise UsageError naming the settings that differ from those of the folder, such as "rate was 0.1 and is 0.2"."""
    if changed:
        raise UsageError(
            f"{folder} was trained with other settings: {'; '.join(changed)}; give only --resume -o {folder} to go on with it, "
            "or name another folder with -o"
        )


def refuse_shorter(folder: Path, settings: Settings | ImageSettings, given: Collection[str]) -> None:
    """Raise UsageError where a folder's training has done more than it shall, or more epochs that are given have no effect."""
    done = finished(folder)
    wanted = {"epochs": (settings.epochs, done.epoch)}
    steps = settings.steps if isinstance(settings, Settings) else 0
    if steps:
        wanted["steps"] = (steps, done.done)
    for name, (asked, trained) in wanted.items():
        if asked < trained:
            raise UsageError(
                f"{folder} has trained {trained} {name} already, more than {name}={asked}; leave {name} out to finish it, "
                "or give a larger number to extend it"
            )
    if 0 < steps == done.done and "epochs" in given and settings.epochs > done.epoch:
        raise UsageError(
            f"{folder} has trained the {steps} steps that end it, so epochs={settings.epochs} has no effect; add --set steps=0"
        )
