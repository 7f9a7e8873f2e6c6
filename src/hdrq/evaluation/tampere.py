"""What datasets of the Tampere group share: the layout of TID2008 and TID2013, and the test sets of IMQNet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Dataset, Folder, dataset
from hdrq.evaluation.loose_archive import loose
from hdrq.evaluation.tables import number, read_words
from hdrq.records import Pair

KINDS = ("white-noise", "chroma-noise", "correlated-noise", "masked-noise", "high-frequency-noise",
         "impulse-noise",
         "quantisation-noise", "gaussian-blur", "denoising", "jpeg", "jpeg2000", "jpeg-transmission",
         "jpeg2000-transmission", "non-eccentricity-pattern", "local-blocks", "mean-shift", "contrast",
         "saturation", "multiplicative-noise", "comfort-noise", "compressed-noise", "colour-quantisation",
         "chromatic-aberration", "sparse-sampling")  # fmt: skip


def tampere(folder: Folder, kinds: int) -> Iterator[Pair]:
    """Pairs of mos_with_names.txt ("5.51429 I01_01_1.bmp"), with the deviations of mos_std.txt where it exists.

    Letter case differs between copies of the datasets (I01.BMP, i01_01_1.bmp) and is ignored.
    """
    path = folder.need("mos_with_names.txt")
    beside = folder.find("mos_std.txt")
    rows = list(read_words(path, 2))
    spreads = (
        [number(words[0], f"{beside}: line {i}") for i, words in read_words(beside, 1)] if beside else []
    )
    if beside and len(spreads) != len(rows):
        raise FileError(
            f"{beside}: {len(spreads)} deviations for the {len(rows)} subjective scores of {path.name}"
        )
    for place, (i, words) in enumerate(rows):
        parts = re.fullmatch(r"(i\d+)_(\d+)_(\d)\.bmp", words[1], re.IGNORECASE)
        if parts is None or not 1 <= int(parts[2]) <= kinds:
            raise FileError(f"{path}: line {i}: '{words[1]}' does not have the form I01_01_1.bmp")
        yield Pair(
            dist=folder.need(f"distorted_images/{words[1]}"),
            ref=folder.need(f"reference_images/{parts[1]}.bmp"),
            scene=parts[1].upper(),
            mos=number(words[0], f"{path}: line {i}"),
            spread=spreads[place] if spreads else None,
            distortion=KINDS[int(parts[2]) - 1],
            level=float(parts[3]),
        )


def imqnet_test_set(name: str) -> Dataset:
    """A set of photographs of IMQNet's tests. No description of it was available: any table of names and scores is read."""
    tables = ("mos_with_names.txt", "mos.txt", "mos.csv", f"{name}.txt", f"{name}.csv")

    def pairs(folder: Folder, subset: str | None) -> Iterator[Pair]:
        yield from loose(folder, tables)

    pairs.__name__ = name
    return dataset(
        title=f"{name.upper()}, Tampere database for no-reference quality, as used by IMQNet",
        home="https://www.ponomarenko.info",
        licence="stated on its home page",
        source="M. Ponomarenko et al., IMQNet, 2022",
        scale="MOS, higher is better",
        better="higher",
        span=None,
        domain="srgb",
        display="sdr",
        references=0,
        distortions=0,
        images=0,
        marks=tables[:1] + tables[3:],
        folders=(name.upper(), name),
        layout=(
            "images anywhere below",
            f"mos_with_names.txt (or mos.txt, mos.csv, {name}.txt): name and MOS a line",
        ),
    )(pairs)
