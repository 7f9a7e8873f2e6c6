"""The layout that TID2008 and TID2013 share."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder
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
            opinion=number(words[0], f"{path}: line {i}"),
            spread=spreads[place] if spreads else None,
            distortion=KINDS[int(parts[2]) - 1],
            level=float(parts[3]),
        )
