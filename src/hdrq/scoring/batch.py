"""Scores of pairs: bind first, then read, light, metric, one row at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from hdrq.cards import Metric, Reading
from hdrq.encoding.photometry import LIGHT, Photometry
from hdrq.encoding.settings import refuse_impossible_numbers, refuse_unknown_choices
from hdrq.errors import DomainError, HdrqError, TooLarge, UsageError
from hdrq.image.caching import sharing
from hdrq.image.devices import device_of
from hdrq.io import by_suffix
from hdrq.io.memory import free_for
from hdrq.records import MAIN_IMAGE, Image, Pair, Score, Selection
from hdrq.scoring.binding import metric
from hdrq.scoring.clip_scores import Clip
from hdrq.scoring.clips import Sides, moves
from hdrq.scoring.comparison import labelled, light_needs_encoding, moved_to
from hdrq.scoring.gradient_maps import COST, has_gradient_map, read_with_map
from hdrq.scoring.pairs import for_pair, refuse_without_reference, selections
from hdrq.scoring.prefetch import ImageReader, opened
from hdrq.scoring.request import Request, split_requests
from hdrq.scoring.response_match import matched_light
from hdrq.scoring.rows import Owners, failed, joined, remarks, row_of
from hdrq.scoring.scorer import Scorer

_LIGHT_FORMATS = ("exr", "radiance", "pfm")
# of what is free now
_SHARE = 0.9
# of that; gaps between blocks that are kept add up to two thirds
_LARGE = 0.5


@dataclass(frozen=True)
class Settings:
    """How a batch is scored, besides the light.

    match_response  fit the test image's tone and colour to the reference first (SI-HDR protocol)
    maps            folder for the error maps of metrics that have one, and gradient maps of no-reference networks
    map_colours     of probability maps: trichromatic, dichromatic, monochromatic
    jobs            pairs read ahead of the computing
    fail_fast       raise the first error instead of yielding it as a failed row
    max_memory      bytes a metric may take; None: what is free
    select          which image of a file is read; select_ref, select_dist: the same of the files of one side
    """

    device: str = "auto"
    dtype: torch.dtype = torch.float32
    match_response: bool = False
    maps: Path | None = None
    map_colours: Literal["trichromatic", "dichromatic", "monochromatic"] = "trichromatic"
    jobs: int = 1
    fail_fast: bool = False
    max_memory: float | None = None
    select: Selection = MAIN_IMAGE
    select_ref: Selection = MAIN_IMAGE
    select_dist: Selection = MAIN_IMAGE

    def __post_init__(self) -> None:
        refuse_unknown_choices(self)
        refuse_impossible_numbers(self, ("jobs", "max_memory"))


def scorers(
    metrics: Sequence[str | Request], photometry: Photometry | None = None, settings: Settings | None = None
) -> list[Scorer]:
    """Every metric bound; the first that cannot be is an error."""
    photometry, settings = photometry or Photometry(), settings or Settings()
    device = device_of(settings.device)
    texts = [m for m in metrics if isinstance(m, str)]
    requests = [*split_requests(texts), *(m for m in metrics if isinstance(m, Request))]
    if not requests:
        raise UsageError("no metric is given; add --metric, and see: hdrq list metrics")
    bound = [metric(r, photometry=photometry, device=device, dtype=settings.dtype) for r in requests]
    for s in bound if settings.match_response else ():
        if s.full_reference and s.compares_code_as_stored():
            raise DomainError(
                f"--match-response compares light, and {s} code as stored; write pu21:{s} or pq:{s}"
            )
    return bound


def requested(
    metrics: Sequence[str | Request], photometry: Photometry, settings: Settings, divided: bool = False
) -> list[Scorer]:
    """The metrics of a whole call, bound; what is said of references is refused where none reads any.

    divided  whether other processes will compute, each on its own device
    """
    bound = scorers(metrics, photometry, replace(settings, device="cpu") if divided else settings)
    if not any(s.full_reference for s in bound):
        refuse_without_reference(photometry.ref, settings.select_ref, settings.match_response)
    return bound


def score_bound(
    pairs: Iterable[Pair],
    bound: Sequence[Scorer],
    photometry: Photometry,
    settings: Settings,
    skip: Callable[[Pair, str], bool],
    map_owners: Owners | None = None,
    reader: ImageReader | None = None,
) -> Iterator[tuple[Pair, Score]]:
    """(pair, row) as `score` yields them, by scorers that were bound with the same settings.

    `skip` is asked about pairs as they were given, and they are yielded so; where no metric reads references, rows have none.

    map_owners  names of maps and the pairs that have them
    reader  of images, which outlasts these pairs
    """
    wants_ref = any(s.full_reference for s in bound)
    waiting: deque[tuple[Pair, list[Scorer]]] = deque()

    def needed() -> Iterator[Pair]:
        for pair in pairs:
            if todo := [s for s in bound if not skip(pair, str(s))]:
                waiting.append((pair, todo))
                yield pair if wants_ref or pair.ref is None else replace(pair, ref=None)

    map_owners = {} if map_owners is None else map_owners
    chosen = partial(selections, both=settings.select, ref=settings.select_ref, dist=settings.select_dist)
    for number, (pair, ref, dist, error) in enumerate(opened(needed(), settings.jobs, chosen, reader)):
        given, todo = waiting.popleft()
        if number == 0:
            _refuse_light(pair, (ref, dist), bound, photometry)
        if dist is None:
            if settings.fail_fast and error is not None:
                raise error
            yield from ((given, failed(pair, s, error)) for s in todo)
            continue
        with sharing(), torch.inference_mode():
            for row in _pair_rows(pair, ref, dist, todo, photometry, settings, map_owners, chosen(pair)):
                yield given, row


def _refuse_light(
    pair: Pair, images: Sequence[Image | None], bound: Sequence[Scorer], photometry: Photometry
) -> None:
    """Raise at once where metrics of code would get light of the first pair, whose files are likely like the others."""
    if _names_domains(pair, photometry):
        return
    for path, image in zip((pair.ref, pair.dist), images, strict=True):
        if image is None or path is None or isinstance(path, Image):
            continue
        format = by_suffix(path)
        for s in bound if format is not None and format.name in _LIGHT_FORMATS else ():
            if s.compares_code_as_stored() and not s.metric.card.light and image.domain in LIGHT:
                raise DomainError(light_needs_encoding(s.metric.name, str(path)))


def _names_domains(pair: Pair, photometry: Photometry) -> bool:
    """Whether the user states what some file holds, so that its suffix is not evidence."""
    said = (photometry.domain, photometry.ref.domain, photometry.dist.domain)
    return any(said) or any(key.endswith("domain") for key in pair.carried)


def _pair_rows(
    pair: Pair,
    ref: Image | None,
    dist: Image,
    bound: list[Scorer],
    photometry: Photometry,
    settings: Settings,
    taken: Owners,
    selects: Sides,
) -> Iterator[Score]:
    device = device_of(settings.device)
    moving = any(moves(side, select) for side, select in zip((pair.ref, pair.dist), selects, strict=True))
    try:
        photometry = for_pair(photometry, pair)
        ref, dist = _labelled(ref, dist, photometry, device, settings.dtype)
        how = remarks(ref, dist, photometry)
        held, matched = (ref, dist), settings.match_response and ref is not None
        if matched:
            how = (*how, "response matched to the reference")
            if not moving:
                ref, dist = matched_light(ref, dist, photometry)
    except HdrqError as error:
        if settings.fail_fast:
            raise
        yield from (failed(pair, s, error) for s in bound)
        return
    bound = [s if s.photometry == photometry else replace(s, photometry=photometry) for s in bound]

    def prepare(ref: Image | None, dist: Image) -> tuple[Image | None, Image]:
        if not settings.match_response or ref is None:
            return ref, dist
        shown, test = _labelled(ref, dist, photometry, device, settings.dtype)
        return matched_light(shown, test, photometry)

    def draw(s: Scorer, reading: Reading, number: int, ref: Image | None, dist: Image) -> str:
        named = row_of(pair, s, reading, ref, dist, (), photometry, matched)
        return _drawn(settings, named, s, reading, ref or dist, taken, f".{number:05d}")

    at_once = settings.match_response or settings.maps is not None
    drawn = draw if settings.maps is not None else None
    clip = Clip(pair, selects, bound, (ref, dist), prepare, drawn, at_once) if moving else None
    for s in bound:
        try:
            mapped = settings.maps is not None
            times = COST if mapped and has_gradient_map(s) else 1.0
            refuse_too_large(dist, s.metric, device, settings.max_memory, times)
            behind = ref or dist
            if clip is None:
                reading = read_with_map(s, ref, dist) if mapped else s.read(ref, dist, maps=False)
            else:
                reading, behind = clip.reading(s)
            row = row_of(pair, s, reading, *held, how, photometry, matched)
            if mapped and (reading.map is not None or clip is None):
                note = _drawn(settings, row, s, reading, behind, taken)
                row = replace(row, how="; ".join(filter(None, (row.how, joined([note])))))
        except HdrqError as error:
            if settings.fail_fast:
                raise
            # which names frames that were skipped
            row = replace(failed(pair, s, error), how=joined(how))
        except (MemoryError, RuntimeError) as error:
            if settings.fail_fast or not out_of_memory(error):
                raise
            row = failed(
                pair, s, PixelsDoNotFit(f"{pair.dist}: {s} ran out of memory; score a smaller image")
            )
        yield row


def _drawn(
    settings: Settings,
    row: Score,
    s: Scorer,
    reading: Reading,
    behind: Image,
    taken: dict[Path, tuple[str, str]],
    number: str = "",
) -> str:
    """Write the map, and a note where there is none; one that cannot be written does not invalidate the value."""
    # imported here, for what draws maps takes as long to import as many a score
    from hdrq.scoring.error_maps import write_map

    if settings.maps is None:
        return ""
    if reading.map is None:
        return f"{s.metric.name} has no map"
    try:
        write_map(settings.maps, row, s, reading, behind, settings.map_colours, number, taken)
    except (HdrqError, OSError) as error:
        return f"map not written: {error}"
    return ""


def _labelled(
    ref: Image | None, dist: Image, photometry: Photometry, device: torch.device, dtype: torch.dtype
) -> tuple[Image | None, Image]:
    """Both images on the device, in the domains that the user states."""
    images = tuple(moved_to(i, device, dtype) for i in (ref, dist) if i is not None)
    images = labelled(images, photometry)
    return (images[0] if ref is not None else None), images[-1]


def refuse_too_large(
    image: Image, metric: Metric, device: torch.device | None, limit: float | None, times: float = 1.0
) -> None:
    """TooLarge if the metric's peak, `times` that of its card, is beyond what is free (or beyond `limit` bytes)."""
    h, w = image.size
    wants = times * metric.card.planes * h * w * image.pixels.element_size()
    cuda = device is not None and device.type == "cuda"
    free = int(torch.cuda.mem_get_info(device)[0]) if cuda else free_for(wants, _LARGE)
    has = min(_SHARE * free, limit or float("inf"))
    if wants > has:
        raise TooLarge(
            f"{image.path or 'the image'} is {w}x{h}: {metric.name} would take about {wants / 2**30:.1f} GiB "
            f"and {has / 2**30:.1f} GiB may be taken; score a crop or a smaller copy, or use a machine with more memory"
        )


class PixelsDoNotFit(HdrqError):
    """Memory ran out in the middle."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory is exhausted."""
    return isinstance(error, MemoryError) or "memory" in str(error).lower()
