"""Pairing of reference and test images, from two files or two folders."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from hdrq.errors import FileError, UsageError
from hdrq.io import by_suffix
from hdrq.io.folders import files_below
from hdrq.io.remote import address_of, is_folder, listed
from hdrq.records import Pair


@dataclass(frozen=True)
class Matched:
    """Pairs, and the files of either folder without a matching file."""

    pairs: Collection[Pair]
    unmatched: list[str]


def image_files(folder: Path, clips: bool = False) -> list[Path]:
    """Every image file below a folder, sorted; hidden files and raw files are skipped, and clips unless asked for."""
    left_out = ("raw",) if clips else ("raw", "clip")
    known = ((p, by_suffix(p)) for p in files_below(folder) if not p.name.startswith("."))
    found = [p for p, format in known if format and format.name not in left_out]
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def _by_stem(folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for p in image_files(folder, clips=True):
        stem = normalize("NFC", p.relative_to(folder).with_suffix("").as_posix())
        if stem in named:
            raise UsageError(
                f"{folder} contains both {named[stem].name} and {p.name}; give the pairs with --pairs"
            )
        named[stem] = p
    return named


def pair_folders(ref: Path, dist: Path) -> Matched:
    """Files of two folders with the same relative name, regardless of the extension."""
    refs, dists = _by_stem(ref), _by_stem(dist)
    pairs = [Pair(dist=dists[s], ref=refs[s], scene=s) for s in refs if s in dists]
    unmatched = [str(refs[s]) for s in refs if s not in dists] + [
        str(dists[s]) for s in dists if s not in refs
    ]
    if not pairs:
        raise UsageError(f"no image of {ref} has a matching name in {dist}; rename the files or use --pairs")
    return Matched(pairs, unmatched)


def numbered(folder: Path) -> dict[int | str, Path]:
    """Frames of a sequence in order of the last number in their names, or of the names where numbers are ambiguous."""
    found = image_files(folder)
    numbers = [re.findall(r"\d+", p.stem) for p in found]
    keys = [int(n[-1]) if n else -1 for n in numbers]
    if all(numbers) and len(set(keys)) == len(keys):
        return dict(sorted(zip(keys, found)))
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in found}


def is_sequence(path: str | Path) -> bool:
    """Whether a path is a folder of frames, and not of clips."""
    folder = Path(path)
    return folder.is_dir() and len(image_files(folder, clips=True)) == len(image_files(folder))


def pair_frames(ref: Path, dist: Path) -> tuple[list[Path], list[Path], list[str]]:
    """(reference frames, test frames, names without a match) of two sequences, paired by number.

    Two sequences of the same length without a common number are paired in order.
    """
    refs, dists = numbered(ref), numbered(dist)
    common = [key for key in refs if key in dists]
    if not common and len(refs) == len(dists):
        return list(refs.values()), list(dists.values()), []
    unmatched = [str(p) for key, p in refs.items() if key not in dists]
    unmatched += [str(p) for key, p in dists.items() if key not in refs]
    return [refs[key] for key in common], [dists[key] for key in common], unmatched


def pair_paths(ref: str, *dists: str) -> Matched:
    """A reference and test images, each a file or a folder of them; or a folder of references and of test images.

    Each may be remote.
    """
    found = [_paired(ref, dist) for dist in dists]
    return Matched(
        [pair for one in found for pair in one.pairs],
        list(dict.fromkeys(name for one in found for name in one.unmatched)),
    )


def _paired(ref: str, dist: str) -> Matched:
    if address_of(ref) is not None or address_of(dist) is not None:
        return _pair_remote(ref, dist)
    a, b = Path(ref), Path(dist)
    if a.is_dir() and b.is_dir():
        return pair_folders(a, b)
    if a.is_dir():
        raise UsageError(f"{ref} is a folder and {dist} is not; give two files or two folders")
    if b.is_dir():
        return Matched([Pair(dist=p, ref=a) for p in _some(b)], [])
    return Matched([Pair(dist=b, ref=a)], [])


def _pair_remote(ref: str, dist: str) -> Matched:
    folders = is_folder(ref), is_folder(dist)
    if folders == (True, True):
        refs, dists = _named(ref), _named(dist)
        pairs = [Pair(dist=dists[s], ref=refs[s], scene=s) for s in refs if s in dists]
        unmatched = [str(refs[s]) for s in refs if s not in dists] + [
            str(dists[s]) for s in dists if s not in refs
        ]
        if not pairs:
            raise UsageError(
                f"no image of {ref} has a matching name in {dist}; rename the files or use --pairs"
            )
        return Matched(pairs, unmatched)
    if folders == (True, False):
        raise UsageError(f"{ref} is a folder and {dist} is not; give two files or two folders")
    a = address_of(ref) or Path(ref)
    if folders[1]:
        return Matched([Pair(dist=p, ref=a) for p in _named(dist).values()], [])
    return Matched([Pair(dist=address_of(dist) or Path(dist), ref=a)], [])


def _named(folder: str) -> dict[str, str | Path]:
    """The images of a folder, local or remote, by their place in it without the suffix."""
    url = address_of(folder)
    if url is None:
        return dict(_by_stem(Path(folder)))
    named: dict[str, str | Path] = {}
    for p in remote_image_files(url):
        stem = normalize("NFC", p[len(url.rstrip("/")) + 1 :].rsplit(".", 1)[0])
        if stem in named:
            raise UsageError(f"{folder} holds both {named[stem]} and {p}; which one is meant? Use --pairs")
        named[stem] = p
    return named


def remote_image_files(url: str) -> list[str]:
    """Every image below a remote folder, sorted, as `image_files` has those of a local one."""
    base = len(url.rstrip("/")) + 1
    shown = (p for p in listed(url) if not any(part.startswith(".") for part in p[base:].split("/")))
    found = [p for p in shown if (f := by_suffix(p)) is not None and f.name not in ("raw", "clip")]
    if not found:
        raise FileError(f"{url} holds no image hdrq reads; see: hdrq list formats")
    return found


def alone(paths: Iterable[str]) -> list[Pair]:
    """Images without references: files, and every image of folders."""
    return [Pair(dist=p) for name in paths for p in _all_of(name)]


def _all_of(name: str) -> Sequence[str | Path]:
    if (url := address_of(name)) is not None:
        return remote_image_files(url) if is_folder(url) else [url]
    return _some(Path(name)) if Path(name).is_dir() else [Path(name)]


def _some(folder: Path) -> list[Path]:
    found = image_files(folder, clips=True)
    if not found:
        raise FileError(f"{folder} contains no image that hdrq can read; see: hdrq list formats")
    return found
