"""Merging of a sequence to a folder: one file for each frame, streamed, and resumed after an interruption."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.errors import FileError, HdrqError, UsageError
from hdrq.image.devices import device_of
from hdrq.io import atomic, by_suffix
from hdrq.io.clip import describe
from hdrq.io.outputs import dotted
from hdrq.io.remote import address_of, join, make_folder
from hdrq.merging.exposure_stack import Source
from hdrq.merging.merge import merged_frames
from hdrq.merging.merged import Merged
from hdrq.merging.output import refuse_outputs, write_merged
from hdrq.merging.response.files import write_response
from hdrq.merging.sequence.shots import FrameSequence, sequence_of
from hdrq.merging.settings import Settings
from hdrq.work import Results

# of the folder: the settings that its frames were merged with
SETTINGS = "merge.json"
# settings that do not change a result
_FREE = ("device",)


@dataclass(frozen=True)
class MergedFrame:
    """One frame, merged and written, or why not."""

    name: str
    target: Path
    notes: tuple[str, ...] = ()
    error: str = ""


@checked
def merge_sequence(
    sources: Source | Sequence[Source],
    folder: str | Path,
    settings: Settings,
    *,
    suffix: str = ".exr",
    depth: str | None = None,
    resume: bool = False,
    save_response: str | None = None,
) -> Results[MergedFrame]:
    """Merge every frame of a sequence captured by settings.capture, and write each to FOLDER/NAME.SUFFIX, in order.

    sources        a folder, a clip, or frames in order;  NAME is that of the frame's file, or CLIP-000010
    resume         leave out frames that the folder has, and go on; the settings must be those of the folder. A frame is merged
                   again where its file or that of a neighbour is newer than its image
    save_response  file for the camera's response

    A frame that cannot be merged ends the sequence with its error; what was written stays.
    """
    suffix, folder = dotted(suffix), Path(folder)
    if settings.capture.pattern == "none":
        raise UsageError("a sequence needs pattern='alternating' or 'bayer-me'")
    settings = replace(settings, device=str(device_of(settings.device)))
    refuse_outputs(Path.cwd() / f"frame{suffix}", settings)
    sequence = sequence_of(sources, settings)
    targets = {name: folder / f"{name}{suffix}" for name in map(_stem, sequence.names)}
    if len({t.name.casefold() for t in targets.values()}) < len(sequence.names):
        raise UsageError("two frames have the same name and would be written to one file; rename one")
    frames = [Path(s).resolve() for s in sequence.sources if isinstance(s, (str, Path))]
    if taken := [t for t in targets.values() if t.resolve() in frames]:
        raise UsageError(f"{taken[0]} is one of the frames; write to another folder with -o")
    now = {"suffix": suffix, "depth": depth, **_stated(asdict(settings))}
    if resume:
        _refuse_changes(folder, now)

    def skip(name: str) -> bool:
        target = folder / f"{_stem(name)}{suffix}"
        return resume and target.exists() and target.stat().st_mtime_ns > sequence.changed(name)

    merged = merged_frames(sources, settings, skip)
    done = _written(merged, folder, now, save_response)
    return Results(done, _count(sequence, sources))


def _stem(name: str) -> str:
    """The name of a frame without the suffix of its file; that of a clip's frame may have points."""
    return Path(name).stem if by_suffix(name) is not None else name


def _count(sequence: FrameSequence, sources: Any) -> int:
    """How many frames there are; 0 for a clip that does not state it."""
    if sequence.sources:
        return sum(1 for _ in sequence.entries())
    first = sources if isinstance(sources, (str, Path)) else sources[0]
    return describe(first).count or 0


def _written(
    merged: Iterator[Merged], folder: Path, settings: dict[str, Any], save_response: str | None
) -> Iterator[MergedFrame]:
    """Write every frame, and before the first the settings."""
    name = ""
    try:
        for frame in merged:
            if not name:
                make_folder(folder)
                with atomic(join(folder, SETTINGS)) as part:
                    part.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
            name = frame.report.reference
            target = folder / f"{_stem(name)}{settings['suffix']}"
            notes = (*frame.report.notes, *write_merged(frame, target, settings["depth"]))
            if save_response and frame.response is not None:
                write_response(save_response, frame.response)
                save_response = None
            yield MergedFrame(name, target, notes)
    except UsageError:
        raise
    except (HdrqError, OSError) as error:
        after = f" (after {name})" if name else ""
        yield MergedFrame(name, folder, error=f"{error}{after}; --resume goes on from there")


def _refuse_changes(folder: Path, now: dict[str, Any]) -> None:
    """Raise UsageError where the frames of a folder were merged with other settings."""
    if address_of(folder) is not None:
        raise UsageError(f"{folder} is remote; --resume needs a folder of this machine")
    file = folder / SETTINGS
    if not file.exists():
        if found := sorted(folder.glob(f"*{now['suffix']}")):
            raise UsageError(
                f"{folder} has no {SETTINGS}, which says how {found[0].name} was merged; leave out --resume, or name another "
                "folder with -o"
            )
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{file} cannot be read: {error}") from error
    before, now = _leaves(before), _leaves(now)
    if changed := [k for k in now if before.get(k) != now[k]]:
        raise UsageError(
            f"{folder} was merged with other settings: {changed[0].rpartition('.')[2]} was {before.get(changed[0])} and is "
            f"{now[changed[0]]}; leave out --resume, or name another folder with -o"
        )


def _leaves(settings: dict[str, Any], group: str = "") -> dict[str, Any]:
    """Settings by their full names, such as capture.neighbours."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _leaves(value, f"{group}{name}.") if isinstance(value, dict) else {group + name: value}
    return found


def _stated(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them."""
    kept = {k: v for k, v in settings.items() if k not in _FREE}
    found: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return found
