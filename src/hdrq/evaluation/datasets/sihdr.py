"""SI-HDR: 181 HDR photographs merged from exposures, for single-image reconstruction; no subjective scores."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.records import Pair


@dataset(
    title="SI-HDR: 181 HDR references merged from RAW stacks, without subjective scores",
    home="https://www.cl.cam.ac.uk/research/rainbow/projects/sihdr_benchmark/",
    licence="stated on its home page",
    source="doi:10.1145/3528233.3530729",
    scale="none: unlabelled",
    better="",
    span=None,
    domain="linear",
    display="hdr-linear-1500",
    references=181,
    distortions=0,
    images=181,
    marks=("reference/001.exr",),
    folders=("SI-HDR", "sihdr", "si-hdr", "SIHDR"),
    layout=("reference/001.exr .. 181.exr (relative light; divided by 65536 it is 0..1)",),
)
def sihdr(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Every image is listed alone, without a reference."""
    folder.need("reference")
    images = folder.listed("reference", ".exr")
    if not images:
        raise FileError(f"sihdr: reference/001.exr is missing from {folder.root}; see hdrq list datasets")
    for path in images:
        yield Pair(dist=path, scene=path.stem, carried={"scale": "1/65536"})
