"""Files of weights: the folders that contain them, their cards, and their sha256.

A card is NAME.json beside NAME.safetensors. The user's folder precedes the weights distributed with hdrq. Tensors are read
by torch, which is imported only then: completion lists the cards.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io.atomic import atomic
from hdrq.io.folders import names_in
from hdrq.nn.download import digest
from hdrq.records import Checkpoint

if TYPE_CHECKING:
    from torch import Tensor

# file size in bytes above which hashes are cached between calls
_REMEMBERED = 8_000_000
# (path, size, time) -> sha256, of this process
_hashes: dict[tuple[str, int, int], str] = {}


def folders() -> list[Path]:
    """Folders with weights, the user's first."""
    package = Path(__file__).parents[1]
    return [user_folder(), package / "models", package.parents[1] / "models"]


def user_folder() -> Path:
    """$HDRQ_MODELS, or the platform's cache folder."""
    if chosen := os.environ.get("HDRQ_MODELS"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "hdrq/models"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/hdrq/models"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hdrq/models"


def cards() -> Iterator[tuple[Checkpoint, Path]]:
    """Every readable card and the path of its tensors; of two with the same name, the one in the first folder."""
    for path in _card_files():
        try:
            yield read_card(path), path.with_suffix(".safetensors")
        except FileError:
            # `broken_cards` reports it
            continue


def broken_cards() -> list[tuple[Path, str]]:
    """Cards that cannot be read, with the reason."""
    found = []
    for path in _card_files():
        try:
            read_card(path)
        except FileError as error:
            found.append((path, str(error)))
    return found


def _card_files() -> Iterator[Path]:
    seen = set()
    for folder in folders():
        for path in (folder / name for name in names_in(folder) if name.endswith(".json")):
            if path.stem not in seen and path.with_suffix(".safetensors").exists():
                seen.add(path.stem)
                yield path


def read_card(path: Path) -> Checkpoint:
    """A card from its file; FileError where it is invalid."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        _check_entries(held)
        card = Checkpoint(**{f.name: held[f.name] for f in fields(Checkpoint) if f.name in held})
        if card.name != path.stem:
            raise ValueError(f"it is the card of '{card.name}'")
        return card
    except (OSError, ValueError, TypeError) as error:
        raise FileError(
            f"{path} is not a card of weights ({error}); remove it, or import the weights again"
        ) from error


def _check_entries(held: Any) -> None:
    """Raise ValueError where a card lacks an entry, or an entry is of another kind than the card's."""
    if not isinstance(held, dict):
        raise ValueError("it has no entries")
    for entry in fields(Checkpoint):
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if entry.name not in held:
            if needed:
                raise ValueError(f"it has no entry '{entry.name}'")
            continue
        kind = str if str(entry.type) == "str" else dict
        if not isinstance(held[entry.name], kind):
            raise ValueError(f"its entry '{entry.name}' is not a {'text' if kind is str else 'table'}")


def find_card(name: str) -> tuple[Checkpoint, Path]:
    """The card of that name and the path of its tensors; MissingPart says how to get them."""
    for folder in folders():
        if (folder / f"{name}.json").exists() and (folder / f"{name}.safetensors").exists():
            return read_card(folder / f"{name}.json"), folder / f"{name}.safetensors"
    way = (
        f"get them: hdrq models fetch {name}"
        if any(p["name"] == name for p in published())
        else "see: hdrq models list"
    )
    raise MissingPart(f"no weights called '{name}' are installed; {way}")


# of weights
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*$")


def refuse_name(name: str) -> None:
    """Raise UsageError where a text cannot name weights."""
    if not NAME.match(name):
        raise UsageError(f"'{name}' cannot name weights; use letters, digits, . _ + and - for --name")


def refuse_taken(name: str, folder: Path | None = None) -> None:
    """Raise UsageError where other weights have this name; folder: see `name_taken`."""
    if other := name_taken(name, folder):
        raise UsageError(
            f"weights called '{name}' are already installed ({other}); choose another --name, or add --replace"
        )


def name_taken(name: str, folder: Path | None = None) -> Path | None:
    """The card of other weights with this name, or None.

    folder  of a training, whose own published weights are ignored
    """
    own = _sha_of(folder / f"{name}.json") if folder is not None else ""
    for place in folders():
        card = place / f"{name}.json"
        elsewhere = folder is None or place.resolve() != folder.resolve()
        if card.exists() and elsewhere and not (own and _sha_of(card) == own):
            return card
    return None


def _sha_of(card: Path) -> str:
    try:
        return read_card(card).sha256
    except FileError:
        return ""


def install(name: str, folder: Path) -> Path:
    """Copy weights and card from a run folder to the user's folder; returns the copied card."""
    where = user_folder()
    where.mkdir(parents=True, exist_ok=True)
    for suffix in (".safetensors", ".json"):
        with atomic(where / f"{name}{suffix}") as part:
            part.write_bytes((folder / f"{name}{suffix}").read_bytes())
    return where / f"{name}.json"


def published() -> list[dict[str, Any]]:
    """Published weights that can be downloaded, from nets/_published.json."""
    path = Path(__file__).parent / "nets" / "_published.json"
    listed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return listed


def read_state(card: Checkpoint, path: Path, trust: bool = True) -> dict[str, Tensor]:
    """The tensors of a card and of the weights that it shares; the sha256 of every file is checked.

    trust  whether a cached hash is used where size and time of the file are unchanged
    """
    shared: dict[str, Tensor] = {}
    for name, sha256 in card.shares.items():
        shared |= read_state(*_shared(card, name, sha256), trust)
    return shared | _tensors(card, path, trust)


def _shared(card: Checkpoint, name: str, sha256: str) -> tuple[Checkpoint, Path]:
    """The weights with that name and sha256, in any folder."""
    for folder in folders():
        path = folder / f"{name}.json"
        if path.exists() and path.with_suffix(".safetensors").exists():
            other = read_card(path)
            if other.sha256 == sha256:
                return other, path.with_suffix(".safetensors")
    raise FileError(
        f"{card.name} shares the tensors of {name} ({sha256[:12]}), which are not installed; reinstall hdrq, which contains them"
    )


def _tensors(card: Checkpoint, path: Path, trust: bool) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as read_tensors

    if _sha256(path, trust) != card.sha256:
        raise FileError(
            f"{path} is not the file that its card describes (sha256 differs); {reinstall_hint(card, path)}"
        )
    try:
        state: dict[str, Tensor] = read_tensors(path)
    except (SafetensorError, OSError) as error:
        raise FileError(f"{path} is damaged ({error}); {reinstall_hint(card, path)}") from error
    return state


def reinstall_hint(card: Checkpoint, path: Path) -> str:
    """How to replace damaged weights, with a command that works for them."""
    if any(p["name"] == card.name for p in published()):
        return f"get them again: hdrq models fetch {card.name}"
    if path.parent != user_folder() and path.parent in folders():
        return "they are part of hdrq; reinstall it"
    if card.recipe.startswith("imported"):
        return f"import them again: hdrq models import FILE --as {card.net} --name {card.name} --replace"
    return f"train them again, or remove {path.with_suffix('.json').name} and {path.name}"


def _sha256(path: Path, trust: bool) -> str:
    """sha256 of a file; for a large file it is computed once and cached by size and time."""
    try:
        stat = path.stat()
        key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        if trust and key in _hashes:
            return _hashes[key]
        if not trust or stat.st_size < _REMEMBERED:
            _hashes[key] = digest(path)
            return _hashes[key]
        memory = _memory()
        stored = _remembered(memory)
        text = f"{key[0]}|{key[1]}|{key[2]}"
        if text not in stored:
            others = {k: v for k, v in stored.items() if not k.startswith(f"{key[0]}|")}
            stored = others | {text: digest(path)}
            _remember(memory, stored)
        _hashes[key] = stored[text]
        return _hashes[key]
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def _memory() -> Path:
    """The file that caches the hashes of large files."""
    return user_folder() / "hashes" / "sha256.json"


def _remembered(path: Path) -> dict[str, str]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return {str(k): str(v) for k, v in held.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember(path: Path, hashes: Mapping[str, str]) -> None:
    """Write the cache of hashes; where it cannot be written, hashes are computed again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as part:
            part.write_text(json.dumps(dict(hashes), indent=1) + "\n", encoding="utf-8")
    except (OSError, FileError):
        return
