"""Where outputs go: none replaces an input, and no two of a run are one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from unicodedata import normalize

from hdrq.errors import UsageError
from hdrq.io.formats import by_suffix
from hdrq.io.remote import address_of

Jobs = list[tuple[Path, Path]]


def identity(path: str | Path) -> Hashable:
    """What is equal for two names of one file: its inode, through links and on file systems that ignore case."""
    if (url := address_of(path)) is not None:
        return url
    place = Path(path)
    try:
        found = place.stat()
    except OSError:
        return place.resolve()
    return (found.st_dev, found.st_ino) if found.st_ino else place.resolve()


def name_key(path: Path) -> str:
    """Equal for names that some file systems take for one: whatever their case and Unicode form."""
    return normalize("NFC", str(path)).casefold()


def dotted(suffix: str) -> str:
    """The suffix of output files with its dot; raises UsageError for text that cannot end a file's name, such as "."."""
    found = suffix if suffix.startswith(".") else f".{suffix}"
    if found.endswith(".") or Path("x" + found).name != "x" + found:
        raise UsageError(f"--suffix is the end of a file's name such as .png, not '{suffix}'")
    return found


def is_folder_for(target: Path, many: bool) -> bool:
    """Whether outputs go into `target` as a folder: it is one, or there are several, for which it is made.

    raises  UsageError where several outputs would go to one file, or to a new folder that is named like a file
    """
    remote, named = address_of(target) is not None, by_suffix(target) is not None
    folder = not named if remote else target.is_dir()
    if many and not folder and (named or target.exists()):
        raise UsageError(f"{target} names a file, but there are several inputs; name an output folder")
    return folder or many


def distinct_outputs(jobs: Jobs, suffix: str) -> Jobs:
    """The same (input, output); outputs of one name get the input's suffix, then its folders, then a number in their name.

    raises  UsageError where an input is listed twice
    """
    if twice := [p for p, count in Counter(identity(p) for p, _ in jobs).items() if count > 1]:
        name = next(p for p, _ in jobs if identity(p) == twice[0])
        raise UsageError(f"the input {name} is given twice; leave one out")
    for depth in range(_DEPTH):
        same = Counter(name_key(out) for _, out in jobs)
        jobs = [(p, out if same[name_key(out)] == 1 else _longer(p, out, depth, suffix)) for p, out in jobs]
    same, number, unique = (
        Counter(name_key(out) for _, out in jobs),
        Counter[str](),
        list[tuple[Path, Path]](),
    )
    for p, out in jobs:
        number[name_key(out)] += 1
        alone = same[name_key(out)] == 1
        unique.append((p, out if alone else out.with_name(f"{number[name_key(out)]}-{out.name}")))
    return unique


# the suffix, and up to three folders
_DEPTH = 4


def _longer(source: Path, out: Path, depth: int, suffix: str) -> Path:
    """An output with the input's suffix and that many of its folders in its name."""
    folders = [part for part in source.parts[:-1] if part not in ("/", "..", ".")][::-1][:depth][::-1]
    return out.with_name("-".join((*folders, source.name)) + suffix)


def refuse_inputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Raise where an output is the file of an input, under whatever name."""
    known = {identity(p) for p in inputs}
    for out in outputs:
        if identity(out) in known:
            raise _replaced(out)


def refuse_listed(outputs: Iterable[str | Path | None], inputs: Iterable[object]) -> None:
    """`refuse_inputs` for a table of inputs of any length, which is read only where an output exists already."""
    there = {identity(p): p for p in outputs if p is not None and Path(p).is_file()}
    for path in inputs if there else ():
        if isinstance(path, (str, Path)) and (out := there.get(identity(path))) is not None:
            raise _replaced(out)


def _replaced(out: str | Path) -> UsageError:
    return UsageError(f"{out} is an input and would be overwritten; write to another folder or name")
