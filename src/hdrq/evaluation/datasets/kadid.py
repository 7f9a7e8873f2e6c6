"""KADID-10k: 81 pristine photographs, 25 distortions at five levels, rated by crowdsourcing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair

KINDS = ("gaussian-blur", "lens-blur", "motion-blur", "colour-diffusion", "colour-shift",
         "colour-quantisation", "saturation-hsv", "saturation-lab", "jpeg2000", "jpeg", "white-noise",
         "white-noise-ycbcr", "impulse-noise", "multiplicative-noise", "denoising", "brighten",
         "darken", "mean-shift", "jitter", "non-eccentricity-patch", "pixelate", "quantisation",
         "colour-block", "high-sharpen", "contrast")  # fmt: skip


@dataset(
    title="KADID-10k: 81 references, 25 distortions x 5 levels, 10,125 images",
    home="https://database.mmsp-kn.de/kadid-10k-database.html",
    licence="stated on its home page; photographs from Pixabay",
    source="doi:10.1109/QoMEX.2019.8743252",
    scale="DMOS 1 .. 5 of degradation category rating, higher is better",
    better="higher",
    span=(1.0, 5.0),
    domain="srgb",
    display="sdr",
    references=81,
    distortions=25,
    images=10125,
    marks=("dmos.csv",),
    folders=("kadid10k", "kadid", "KADID-10k"),
    layout=("dmos.csv (dist_img,ref_img,dmos,var)", "images/I01.png .. I81.png", "images/I01_01_01.png .."),
    spread="sd",
    observers=30,
)
def kadid(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """`var` is the variance of the subjective scores; a pair carries its square root."""
    path = folder.need("dmos.csv")
    for i, row in enumerate(read_csv(path, ("dist_img", "ref_img", "dmos", "var")), 2):
        name = row["dist_img"].strip()
        parts = re.fullmatch(r"(i\d+)_(\d\d)_(\d\d)\.\w+", name, re.IGNORECASE)
        if parts is None or not 1 <= int(parts[2]) <= len(KINDS):
            raise FileError(f"{path}: line {i}: '{name}' is not named as I01_01_01.png")
        yield Pair(
            dist=folder.need(f"images/{name}"),
            ref=folder.need(f"images/{row['ref_img'].strip()}"),
            scene=parts[1].upper(),
            mos=number(row["dmos"], f"{path}: line {i}, dmos"),
            spread=max(number(row["var"], f"{path}: line {i}, var"), 0.0) ** 0.5,
            distortion=KINDS[int(parts[2]) - 1],
            level=float(parts[3]),
        )
