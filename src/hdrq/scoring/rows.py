"""Output rows: a score with everything needed to compute it again, and the names of the files of its error map."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import hdrq
from hdrq.cards import Reading
from hdrq.encoding.displays import is_linear_code
from hdrq.encoding.photometry import LIGHT, Photometry, looks_relative, screen_of
from hdrq.errors import HdrqError
from hdrq.records import Image, Pair, Score
from hdrq.scoring.calibration import anchored
from hdrq.scoring.comparison import takes_code
from hdrq.scoring.pairs import label
from hdrq.scoring.scorer import Scorer

# the pair (reference, test image) of every name given so far
Owners = dict[Path, tuple[str, str]]


def remarks(ref: Image | None, dist: Image, photometry: Photometry) -> tuple[str, ...]:
    """Notes on the light, for the reader of the score."""
    said = []
    for image, side in ((ref, photometry.ref), (dist, photometry.dist)):
        if image is not None:
            said += [f"{Path(image.path or '').name}: {note}" for note in image.notes]
            said += filter(None, [looks_relative(image, photometry.of(side))])
            if side.scale is not None and image.domain in LIGHT:
                said.append(f"{Path(image.path or '').name}: 1.0 = {side.scale:g} cd/m²")
    if ref is not None and ref.primaries != dist.primaries:
        said.append(
            f"primaries differ: {ref.primaries.label} in the reference, {dist.primaries.label} in the test image"
        )
    if any(i is not None and i.domain in LIGHT for i in (ref, dist)):
        if photometry.scale or photometry.white:
            said.append(f"1.0 = {photometry.scale or photometry.white:g} cd/m²")
        if photometry.peak and (ref or dist).domain in LIGHT:
            said.append(f"brightest value = {photometry.peak:g} cd/m²")
    else:
        said += [
            f"--{name} not used, because no file holds light"
            for name in ("scale", "peak")
            if getattr(photometry, name) is not None
        ]
    return tuple(dict.fromkeys(said))


def _shown_on(ref: Image | None, dist: Image, s: Scorer, photometry: Photometry, stored: bool) -> str:
    """The displays of the reference and of the test image, once where they are the same."""
    used = [
        "code as stored" if stored and takes_code(spec) else screen_of(image, photometry.of(side)).name
        for image, spec, side in ((ref, s.ref, photometry.ref), (dist, s.dist, photometry.dist))
        if image is not None and spec is not None
    ]
    return " > ".join(dict.fromkeys(used))


def row_of(
    pair: Pair,
    s: Scorer,
    reading: Reading,
    ref: Image | None,
    dist: Image,
    how: tuple[str, ...],
    photometry: Photometry,
    matched: bool = False,
) -> Score:
    """The row of a reading; `matched`: the light was fitted to the reference's, so that no code is compared as stored."""
    value = float(reading.value.reshape(-1)[0])
    stored = not matched and s.takes_as_stored(ref, dist)
    return Score(
        ref=label(pair.ref),
        dist=label(pair.dist),
        metric=str(s),
        value=value,
        unit=s.unit,
        better=s.better,
        display=_shown_on(ref, dist, s, photometry, stored),
        viewing=_seen_at(s, photometry),
        weights=getattr(s.net, "label", ""),
        version=hdrq.__version__,
        how=joined(
            (*how, *(() if stored else _mismatch(ref, dist, s, photometry)), *_chosen(s), *reading.notes)
        ),
        status="failed" if math.isnan(value) else "ok",
        error=f"{s} gave NaN" if math.isnan(value) else "",
        extra={key: float(v.reshape(-1)[0]) for key, v in reading.extra.items()},
        carried=pair.carried,
    )


def joined(notes: Iterable[str]) -> str:
    """Notes as one cell, separated by "; ", which does not occur within a note."""
    return "; ".join(dict.fromkeys(note.replace("; ", ", ") for note in notes if note))


def _chosen(s: Scorer) -> tuple[str, ...]:
    """Notes where default weights of a student are used for a metric that it predicts, and where weights
    read code on which they were not trained."""
    card = getattr(s.net, "checkpoint", None)
    if card is None:
        return ()
    said = []
    if not s.request.weights and "teacher" in card.results:
        said.append(f"by default {card.name}, a small network {card.recipe.partition(',')[0]}")
    if s.full_reference and anchored(s.net):
        said.append("identical images have the best score")
    read = s.dist.encoding or card.encoding
    if read != card.encoding:
        said.append(f"{card.name} was trained on {card.encoding} code and reads {read} code here")
    return tuple(said)


def _mismatch(ref: Image | None, dist: Image, s: Scorer, photometry: Photometry) -> tuple[str, ...]:
    """A note where a metric of code is given light on one side and code on the other."""
    if ref is None or s.ref is None or s.ref != s.dist or (ref.domain in LIGHT) == (dist.domain in LIGHT):
        return ()
    (light, _), (code, side) = sorted(
        ((ref, photometry.ref), (dist, photometry.dist)), key=lambda held: held[0].domain not in LIGHT
    )
    if is_linear_code(light):
        return ()
    shown = screen_of(code, photometry.of(side))
    names = [Path(i.path or "").name for i in (light, code)]
    if shown.eotf == "absolute":
        return (f"{names[0]} is light, {names[1]} is {code.domain} code decoded to cd/m²",)
    span = f"black {shown.black_nits:g}, peak {shown.peak_nits:g} cd/m²"
    return (f"{names[0]} is light, {names[1]} is {code.domain} code shown on {shown.name} ({span})",)


def _seen_at(s: Scorer, photometry: Photometry) -> str:
    if "ppd" not in s.metric.card.needs:
        return ""
    return f"{float(s.options.get('ppd') or photometry.viewing.ppd):g} ppd"


def failed(pair: Pair, s: Scorer, error: HdrqError | None) -> Score:
    """The row of a pair that could not be scored; `error` says why."""
    return Score(
        ref=label(pair.ref),
        dist=label(pair.dist),
        metric=str(s),
        value=None,
        unit=s.unit,
        better=s.better,
        version=hdrq.__version__,
        status="failed",
        error=" ".join(str(error).split()),
        carried=pair.carried,
    )


def stem_of(folder: Path, ref: str, dist: str, metric: str, owners: Owners) -> Path:
    """FOLDER/TEST.METRIC, with folders and the reference before it where another pair of this run has that name."""
    *names, longer = _names(folder, ref, dist, metric)
    for path in (*names, longer):
        if owners.setdefault(path, (ref, dist)) == (ref, dist):
            return path
    return longer.with_name(f"{len(owners)}-{longer.name}")


def reserved(folder: Path, ref: str, dist: str, metrics: tuple[str, ...], owners: Owners) -> Owners:
    """Give names to the maps of a pair; the owners of all names that it might have had.

    Every process derives the same names from them, regardless of the other pairs that it processes.
    """
    found: Owners = {}
    for metric in metrics:
        stem_of(folder, ref, dist, metric, owners)
        found |= {path: owners[path] for path in _names(folder, ref, dist, metric) if path in owners}
    return found


def _names(folder: Path, ref: str, dist: str, metric: str) -> list[Path]:
    """Names that a map may have, shortest first."""
    path, label = Path(dist), re.sub(r"[^A-Za-z0-9+.=_-]+", "_", metric)
    longer = "-".join(part for part in (*path.parent.parts, path.name) if part not in ("/", "..", "."))
    names = (path.stem, f"{path.parent.name}-{path.stem}", longer, f"{longer}-{Path(ref).stem}")
    return [folder / f"{re.sub(r'[:*?<>|]', '_', name)}.{label}" for name in names]
