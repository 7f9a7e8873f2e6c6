"""UPIQ: four datasets, SDR and HDR, on one scale of just-objectionable differences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.protocols import Split, kfold
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair

COLUMNS = ("condition_id", "dataset", "content_id", "dist_id", "dist_level", "is_hdr", "test_file",
           "reference_file", "pix_per_deg", "distortion_name", "repeating_content_id", "JOD")  # fmt: skip

# LIVE's scenes that are TID2013's scenes, by number; the other ten of LIVE's 29 are LIVE's alone.
# Chubarau et al. 2024. Both copies are one scene, so that no split can separate them.
LIVE_IS_TID = {1: 5, 3: 8, 4: 3, 11: 22, 12: 19, 13: 21, 16: 16, 17: 24, 18: 23, 19: 20, 20: 14, 21: 6, 22: 9,
               23: 10, 24: 11, 25: 17, 26: 13, 28: 18, 29: 4}  # fmt: skip


def scene_of(content: str) -> str:
    """The scene a content id shows: l-i01 is t-i05, for LIVE's first scene is TID2013's fifth."""
    live = re.fullmatch(r"l-i0*(\d+)", content)
    twin = LIVE_IS_TID.get(int(live.group(1))) if live else None
    return f"t-i{twin:02d}" if twin else content


# LIVE's scenes that are not TID2013's
_LIVE_ALONE = (2, 5, 6, 7, 8, 9, 10, 14, 15, 27)


def upiq_folds(scenes: Sequence[str], folds: int = 5, seed: int = 0) -> list[Split]:
    """The papers' folds of UPIQ, or their part in a subset of it: 35 SDR scenes are cut first, then 30 HDR ones.

    Folds depend on places in the sorted list of scenes; where a subset lacks some, their places are kept.
    """
    present = set(scenes)
    whole = {
        "l-": [f"l-i{i:02d}" for i in _LIVE_ALONE],
        "t-": [f"t-i{i:02d}" for i in range(1, 26)],
        "k-": [f"k-{i:02d}" for i in range(20)],
        "n-": [f"n-{i:02d}" for i in range(10)],
    }
    for source, names in whole.items():
        own = sorted(s for s in present if s.startswith(source))
        if own and source in ("k-", "n-"):
            if len(own) != len(names):
                raise UsageError(
                    f"UPIQ's folds need all {len(names)} scenes of {source}, there are {len(own)}"
                )
            whole[source] = own
        elif not set(own) <= set(names):
            raise UsageError(f"'{sorted(set(own) - set(names))[0]}' is no scene of UPIQ")
    cut = kfold(whole["l-"] + whole["t-"], whole["k-"] + whole["n-"], folds=folds, seed=seed)
    return [Split(s.name, s.train & present, s.validate & present, s.test & present) for s in cut]


@dataset(
    title="UPIQ, unified photometric image quality: 4,159 conditions of four datasets, 380 of them HDR",
    home="https://doi.org/10.17863/CAM.62369",
    licence="stated on its home page; the images keep their four sources' terms",
    source="doi:10.1109/TIP.2021.3087322",
    scale="JOD, -8.85 .. 0.94, higher is better",
    better="higher",
    span=(-8.854307636, 0.943130668),
    domain="nits",
    display="absolute",
    references=65,
    # counted by source: 24 + 5 + 1 + 3
    distortions=33,
    images=4159,
    folds=upiq_folds,
    marks=("upiq_subjective_scores.csv",),
    folders=("UPIQ", "upiq"),
    layout=(
        "upiq_subjective_scores.csv (twelve columns)",
        "images/ (png for SDR, exr in cd/m² for HDR or for all)",
    ),
    subsets=("sdr", "hdr", "tid2013", "live", "narwaria", "korshunov", "sdr-luminance", "full-luminance"),
)
def upiq(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Subset "sdr-luminance" is the SDR part as .exr in cd/m², "full-luminance" everything so."""
    path = folder.need("upiq_subjective_scores.csv")
    wanted = {
        "sdr": ("tid2013", "live"),
        "hdr": ("narwaria", "korshunov"),
        "sdr-luminance": ("tid2013", "live"),
    }
    sources = wanted.get(
        subset or "", (subset,) if subset in ("tid2013", "live", "narwaria", "korshunov") else ()
    )
    as_light = subset in ("sdr-luminance", "full-luminance")
    for i, row in enumerate(read_csv(path, COLUMNS), 2):
        source = row["dataset"].strip().lower()
        if sources and source not in sources:
            continue
        hdr = as_light or source in ("narwaria", "korshunov")

        def image(name: str, hdr: bool = hdr) -> str:
            name = name.strip().replace("\\", "/")
            return f"images/{name.removesuffix('.png') + '.exr' if hdr and name.endswith('.png') else name}"

        yield Pair(
            dist=folder.need(image(row["test_file"])),
            ref=folder.need(image(row["reference_file"])),
            scene=scene_of(row["content_id"].strip()),
            mos=number(row["JOD"], f"{path}: line {i}, JOD"),
            distortion=row["distortion_name"].strip(),
            level=number(row["dist_level"], f"{path}: line {i}, dist_level"),
            carried={"condition": row["condition_id"], "source": source, "ppd": row["pix_per_deg"].strip()},
        )
