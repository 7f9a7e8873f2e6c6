"""Import weights of other programs: recognise the layout, convert every tensor, write a card."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.encoding.photometry import LIGHT
from hdrq.errors import FileError, UsageError
from hdrq.nn import foreign_files as foreign
from hdrq.nn.download import digest, download
from hdrq.nn.net import Layout, Net
from hdrq.nn.weight_files import published, refuse_name, refuse_taken, user_folder
from hdrq.nn.weights import save, span
from hdrq.records import Checkpoint
from hdrq.registry import check, find


@checked
def import_checkpoint(
    files: Sequence[str | Path],
    net: str,
    *,
    name: str = "",
    encoding: str = "",
    white: str = "",
    layout: str = "",
    options: Mapping[str, Any] | None = None,
    licence: str = "",
    data: str = "",
    results: Mapping[str, Any] | None = None,
    half: bool = False,
    folder: Path | None = None,
    replace: bool = False,
    shares: Sequence[str] = (),
) -> tuple[Checkpoint, Path]:
    """Convert files that together contain one network's tensors; returns the new card and its path.

    net       the network they belong to; encoding, white  of its training, where the file does not state them
    options   build options that tensor shapes do not determine, such as the number of heads
    replace   whether weights of the same name may be replaced
    shares    names of weights that this network contains unchanged, which are referred to and not stored again
    """
    paths = [Path(file) for file in files]
    called = name or paths[0].stem
    refuse_name(called)
    if folder is None and not replace:
        refuse_taken(called)
    named: Net = find("net", net)
    state, nested = {}, False
    for file in paths:
        part, inner = foreign.read(file)
        state.update(part)
        nested = nested or inner
    found = _layout(named, layout) if layout else named.recognise(state, nested)
    made: Net = find("net", found.makes) if found.makes else named
    try:
        read = found.options(state)
    except (KeyError, IndexError) as error:
        raise FileError(f"{paths[0]} is not a complete {net}: '{error.args[0]}' is missing") from error
    chosen = _complete(made, {**read, **found.fixed}, options or {})
    try:
        module = made.filled(found.read(state, chosen), **chosen)
    # for example a tensor of the wrong rank
    except (RuntimeError, ValueError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise FileError(f"{paths[0]} does not match {made.name}: {first}") from error
    sources = ", ".join(f"{f.name} (sha256 {digest(f)})" for f in paths)
    code = encoding or found.encoding or "srgb"
    level = white or (found.white if code == found.encoding or not found.encoding else "sdr")
    if code not in LIGHT:
        check("encoding", code)
    # an invalid range fails here, before anything is written
    span(code, level)
    return save(
        module,
        name=called,
        net=made.name,
        options=chosen,
        encoding=code,
        white=level,
        recipe=f"imported as {found.name} from {sources}",
        data=data,
        licence=licence,
        results=results,
        half=half,
        folder=folder,
        shares=shares,
    )


@checked
def fetch_model(
    name: str,
    accept: Callable[[str, str], bool] = lambda file, sha256: False,
    sha256s: Sequence[str] = (),
) -> Iterator[tuple[str, int, int | None] | Checkpoint]:
    """Download published weights and convert them; yields progress (file, bytes, total bytes), then the card.

    accept   called with (file, its sha256) where no hash is known; a file that it refuses is deleted, by default every one
    sha256s  hashes given by the user, one per file, instead of calling `accept`
    """
    entry = next((p for p in published() if p["name"] == name), None)
    if entry is None:
        known = ", ".join(p["name"] for p in published())
        raise UsageError(f"there are no published weights called '{name}'; published are {known}")
    cache = user_folder() / "downloads"
    paths = []
    for number, (url, file, pinned) in enumerate(zip(entry["urls"], entry["files"], entry["sha256"])):
        path = cache / file
        if not path.exists():
            for have, total in download(url, path):
                yield file, have, total
        found = digest(path)
        wanted = sha256s[number] if number < len(sha256s) else pinned
        if wanted and not found.startswith(wanted.lower()):
            path.unlink()
            raise FileError(f"{file} from {url} has sha256 {found}, not {wanted}...; it was removed")
        if not wanted and not accept(file, found):
            path.unlink()
            raise UsageError(f"{file} was not accepted and was removed; nothing was installed")
        paths.append(path)
    card, _ = import_checkpoint(
        paths,
        entry["net"],
        name=name,
        encoding=entry["encoding"],
        white=entry["white"],
        licence=entry["licence"],
        data=entry["data"],
        results={"home": entry["home"]} | ({"default": entry["default"]} if "default" in entry else {}),
        replace=True,
    )
    yield card


def _layout(net: Net, name: str) -> Layout:
    for layout in net.layouts:
        if layout.name == name:
            return layout
    known = ", ".join(layout.name for layout in net.layouts)
    raise UsageError(f"{net.name} has no layout '{name}'; it has {known}")


def _complete(net: Net, found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """All build options; raises an error for one that is undetermined or unknown."""
    taken = inspect.signature(net.build).parameters
    known = [key for key, p in taken.items() if p.kind is not p.VAR_KEYWORD]
    known += [key for key in found if key not in known]
    if unknown := [key for key in given if key not in known]:
        raise UsageError(f"{net.name} has no option '{unknown[0]}'; it has {', '.join(known)}")
    options = {**found, **given}
    if unclear := [key for key, value in options.items() if value is None]:
        raise UsageError(
            f"the tensor shapes do not determine {unclear[0]} of this {net.name}; add --set {unclear[0]}=N"
        )
    return options
