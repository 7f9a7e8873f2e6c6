"""Export of a set as image files for other programs: OpenEXR in cd/m² and a manifest."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hdrq import io
from hdrq.distillation.rendering import capture_of, kind_of, reference, render
from hdrq.distillation.rows import Row
from hdrq.distillation.sources import Sources
from hdrq.errors import FileError
from hdrq.io import atomic
from hdrq.records import Image
from hdrq.work import Needs, Spread, here


def write_images(
    rows: Sequence[Row], folder: Path, spread: Spread = here, captures: bool = False
) -> Iterator[Path]:
    """Write the test image of every row, and every reference once; yields the files, the manifest pairs.csv last.

    spread    divides the rows among other processes
    captures  also write the frames or the mosaic of every capture, to a folder of its own
    """
    folder.mkdir(parents=True, exist_ok=True)
    refs: dict[tuple[object, ...], str] = {}
    todo: list[Rendering] = []
    for row in rows:
        view = (row.source, *row.view)
        new = view not in refs
        refs.setdefault(view, f"{row.number:06d}_reference.exr")
        todo.append(
            Rendering(row, refs[view], f"{row.number:06d}_{row.distortion.replace(':', '-')}.exr", new)
        )
    for name in spread(RenderJob(folder, captures), todo, total=len(todo)):
        yield folder / name
    with atomic(folder / "pairs.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("ref", "dist", "scene", "distortion", "level", "seed"))
        for r in todo:
            row = r.row
            writer.writerow((r.ref, r.dist, row.scene, row.distortion, row.level, row.seed))
    yield folder / "pairs.csv"


@dataclass(frozen=True)
class Rendering:
    """A row and the files of its images; first: whether it is the first that has this reference, and writes it."""

    row: Row
    ref: str
    dist: str
    first: bool


@dataclass(frozen=True)
class RenderJob:
    """Images of rows as files, as `hdrq.work.Job` of Rendering; a result is the name of the test image."""

    folder: Path
    captures: bool = False

    def begin(self) -> Callable[[Sequence[Rendering]], Iterator[str]]:
        """Sources are decoded as they are needed."""
        sources = Sources()
        return lambda items: (self.written(item, sources) for item in items)

    def lost(self, item: Rendering, reason: str) -> str:
        """A row without images ends the set."""
        raise FileError(f"row {item.row.number} of the set cannot be rendered: {reason}")

    def needs(self, item: Rendering) -> Needs:
        """The source, and the folder of the images."""
        return Needs((item.row.source,), (str(self.folder),))

    def written(self, item: Rendering, sources: Sources) -> str:
        """Write what is not there yet."""
        wanted = [
            name
            for name in ((item.ref,) if item.first else ()) + (item.dist,)
            if not (self.folder / name).exists()
        ]
        if wanted:
            ref, dist = render(item.row, sources)
            for name in wanted:
                io.write(self.folder / name, Image(ref if name == item.ref else dist))
        place = self.folder / item.dist.removesuffix(".exr")
        if self.captures and kind_of(item.row) and not (place / "capture.json").exists():
            capture_of(item.row, reference(item.row, sources)[0]).write(place)
        return item.dist
