"""Export of a set as image files for other programs: OpenEXR in cd/m² and a manifest."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

from hdrq import io
from hdrq.distillation.rendering import render
from hdrq.distillation.samples import Row
from hdrq.distillation.sources import Sources
from hdrq.io import atomic
from hdrq.records import Image


def write_pictures(rows: Sequence[Row], folder: Path) -> Iterator[Path]:
    """Write the test image of every row and each reference once; yields the files, the manifest pairs.csv last."""
    folder.mkdir(parents=True, exist_ok=True)
    sources, refs = Sources(), dict[tuple[object, ...], str]()
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(("ref", "dist", "scene", "distortion", "level", "seed"))
    for row in rows:
        name, view = f"{row.number:06d}_{row.distortion}.exr", (row.source, *row.view)
        new = view not in refs
        if new:
            refs[view] = f"{row.number:06d}_reference.exr"
        if new or not (folder / name).exists():
            ref, dist = render(row, sources)
            for file, light in ((refs[view], ref), (name, dist)):
                if not (folder / file).exists():
                    io.write(folder / file, Image(light))
        writer.writerow((refs[view], name, row.scene, row.distortion, row.level, row.seed))
        yield folder / name
    with atomic(folder / "pairs.csv") as part:
        part.write_text(text.getvalue(), encoding="utf-8")
    yield folder / "pairs.csv"
