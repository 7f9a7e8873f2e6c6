"""Which files are read and written: the output of every input of a call with files, patterns and folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from hdrq import io
from hdrq.errors import FileError, UsageError
from hdrq.io.outputs import distinct_outputs, dotted, is_folder_for, refuse_inputs
from hdrq.io.pairing import image_files, remote_image_files
from hdrq.io.remote import address_of, is_folder

Jobs = list[tuple[Path, Path]]


def jobs(sources: Sequence[Path], target: Path, suffix: str) -> Jobs:
    """(input, output) of files, patterns such as *.exr, and folders, in natural order.

    Outputs with the same name are distinguished by the input's suffix or folder. No output is an input.

    suffix  of the outputs when the target is a folder, with or without its dot
    raises  UsageError if an output would overwrite an input, or has a suffix that is not written
    """
    if not sources:
        raise UsageError("no input is given")
    suffix = dotted(suffix)
    found = [(p, base) for source in sources for p, base in _inputs(source)]
    if is_folder_for(target, many=len(found) > 1 or any(is_folder(s) for s in sources)):
        named = [(p, (target / p.relative_to(base)).with_suffix(suffix)) for p, base in found]
        pairs = distinct_outputs(named, suffix)
    else:
        pairs = [(found[0][0], target)]
    format = io.by_suffix(pairs[0][1])
    if format is None or not format.writes:
        written = " ".join(f.suffixes[0] for f in io.FORMATS if f.writes)
        raise UsageError(f"hdrq cannot write {pairs[0][1].name}; use a suffix of {written}")
    refuse_inputs([out for _, out in pairs], [p for p, _ in pairs])
    return pairs


def _inputs(source: Path) -> list[tuple[Path, Path]]:
    """(file, base folder of its relative path) for a file, a pattern or a folder."""
    if (url := address_of(source)) is not None:
        found = (
            [(Path(p), source) for p in remote_image_files(url)]
            if is_folder(source)
            else [(source, source.parent)]
        )
        return sorted(found, key=lambda pair: natural(pair[0]))
    if source.is_dir():
        found = [(p, source) for p in image_files(source)]
        if not found:
            raise FileError(f"{source} contains no image that hdrq can read; see: hdrq list formats")
    elif not source.exists() and has_magic(str(source)):
        found = [(Path(p), Path(p).parent) for p in glob(str(source))]
        if not found:
            raise FileError(f"no file matches {source}")
    else:
        return [(source, source.parent)]
    return sorted(found, key=lambda pair: natural(pair[0]))


def natural(path: Path) -> list[tuple[int, int | str]]:
    """A natural sort key: f2 precedes f10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(p)) if p.isdigit() else (1, p.lower()) for p in parts if p]
