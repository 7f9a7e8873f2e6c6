"""Values of clips: streamed to metrics of sequences, and the mean over the frames for metrics of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from hdrq.cards import Reading
from hdrq.encoding.photometry import Photometry
from hdrq.errors import HdrqError, PixelError, UsageError
from hdrq.image.caching import sharing
from hdrq.records import BT709, Image, Pair
from hdrq.scoring.clips import Sides, both_sides, frame_files, frame_pairs, moves
from hdrq.scoring.gradient_maps import read_with_map
from hdrq.scoring.pairs import label
from hdrq.scoring.scorer import Scorer

# notes of frames that are repeated in a row
_NOTED = 4

Numbered = tuple[int, Image | None, Image]
Drawn = Callable[[Scorer, Reading, int, Image | None, Image], str]


def numbered_frames(pair: Pair, selects: Sides) -> Iterator[Numbered]:
    """(number, reference frame, test frame) as long as there are any; a side that ends first is a PixelError."""
    refs, dists = both_sides(pair, selects)
    if refs is None:
        for number, frame in dists:
            yield number, None, frame
        return
    for many, one in ((pair.ref, pair.dist), (pair.dist, pair.ref)):
        if isinstance(many, str | Path) and Path(many).is_dir() and not moves(one, selects[0]):
            raise PixelError(
                f"{many} holds {len(frame_files(many))} images and {label(one)} one; give as many of each"
            )
    for dist, ref in frame_pairs(dists, refs):
        yield dist[0], ref[1], dist[1]


@dataclass
class Clip:
    """A pair of clips and the metrics that score it; every side is read once for all metrics of images.

    first     the first frame of either side
    prepare   applied to the images of a frame, or of the whole, before a metric is computed
    draw      called for each map of a metric of images: metric, its reading, frame number, its images; None: no maps
    at_once   whether metrics of sequences need the whole clip in memory (for maps, or to match a response)
    """

    pair: Pair
    selects: Sides
    bound: Sequence[Scorer]
    first: tuple[Image | None, Image]
    prepare: Callable[[Image | None, Image], tuple[Image | None, Image]]
    draw: Drawn | None = None
    at_once: bool = False

    def reading(self, s: Scorer) -> tuple[Reading, Image]:
        """The Reading of one of the metrics, and the image that its map lies over."""
        ref, dist = self.first
        if s.streams and not self.at_once:
            refs, dists = both_sides(self.pair, self.selects)
            if refs is None:
                raise UsageError(f"{s} compares two clips; give a reference and a test clip")
            return s.read_frames((f for _, f in refs), (f for _, f in dists)), ref or dist
        if s.metric.card.stack:
            return s.read(self._stack, dist, maps=self.draw is not None), dist
        if s.sequence:
            ref, dist = self._whole
            return s.read(ref, dist, maps=self.draw is not None), ref or dist
        found = self._means[str(s)]
        if isinstance(found, HdrqError):
            raise found
        return found, ref or dist

    @cached_property
    def _whole(self) -> tuple[Image | None, Image]:
        return self.prepare(*frame_batches(numbered_frames(self.pair, self.selects)))

    @cached_property
    def _stack(self) -> Image | None:
        """The reference's frames as one batch: the exposures of a scene."""
        refs, _ = both_sides(self.pair, self.selects)
        return _batch([frame for _, frame in refs]) if refs is not None else None

    @cached_property
    def _means(self) -> dict[str, Reading | HdrqError]:
        of_images = [s for s in self.bound if not s.sequence and not s.metric.card.stack]
        same = [replace(s, photometry=of_a_clip(s.photometry, *self.first)) for s in of_images]
        frames = numbered_frames(self.pair, self.selects)
        found = mean_over_frames(same, frames, self.prepare, self.draw)
        return dict(zip(map(str, of_images), found, strict=True))


def of_a_clip(photometry: Photometry, ref: Image | None, dist: Image) -> Photometry:
    """The photometry for every frame of a clip: what would depend on each frame's content is fixed for all of them.

    Frames of wide primaries are compared in BT.2020, since later ones may have colours that the first lacks.
    """
    if photometry.peak is not None:
        raise UsageError("--peak needs the whole clip at once; give the luminance of 1.0 with --scale")
    wide = any(i is not None and i.primaries != BT709 and i.pixels.shape[1] == 3 for i in (ref, dist))
    return replace(photometry, primaries="bt2020") if wide and not photometry.primaries else photometry


def mean_over_frames(
    bound: Sequence[Scorer],
    frames: Iterator[Numbered],
    prepare: Callable[[Image | None, Image], tuple[Image | None, Image]],
    draw: Drawn | None = None,
) -> list[Reading | HdrqError]:
    """A Reading for each metric, the mean over the frames, or the error that it met first; each frame is read once.

    prepare  applied to the images of a frame before any metric is computed
    draw     called for each map: metric, its reading, frame number, its images; returns a note or ""
    extra    of the Reading: the value of every frame ("frame 0", "frame 10"), and the means of the metric's own numbers
    """
    found: list[list[tuple[int, Reading]]] = [[] for _ in bound]
    failed: dict[int, HdrqError] = {}
    try:
        for number, ref, dist in frames:
            with sharing(fresh=True), torch.inference_mode():
                ref, dist = prepare(ref, dist)
                for place, s in enumerate(bound):
                    if place in failed:
                        continue
                    try:
                        reading = read_with_map(s, ref, dist) if draw else s.read(ref, dist, maps=False)
                    except HdrqError as error:
                        failed[place] = type(error)(f"frame {number}: {error}")
                        continue
                    note = draw(s, reading, number, ref, dist) if draw and reading.map is not None else ""
                    said = (*reading.notes, note) if note else reading.notes
                    found[place].append((number, replace(reading, map=None, notes=said)))
            if len(failed) == len(bound):
                break
    except HdrqError as error:
        return [error] * len(bound)
    return [failed.get(place) or _mean(readings) for place, readings in enumerate(found)]


def _mean(readings: list[tuple[int, Reading]]) -> Reading:
    values = torch.stack([r.value.reshape(-1)[0] for _, r in readings])
    extra: dict[str, Tensor] = {
        key: torch.stack([r.extra[key].reshape(-1)[0] for _, r in readings]).mean()[None]
        for key in readings[0][1].extra
        if all(key in r.extra for _, r in readings)
    }
    extra |= {f"frame {number}": value[None] for (number, _), value in zip(readings, values)}
    notes = (f"mean of {len(readings)} frames", *_infinite(values), *_notes(readings))
    return Reading(values.mean()[None], None, extra, notes)


def _infinite(values: Tensor) -> tuple[str, ...]:
    """A note where some frames are identical and have infinitely many decibels, which make the mean infinite."""
    finite = values[torch.isfinite(values)]
    if torch.isnan(values).any() or len(finite) in (0, len(values)):
        return ()
    count = len(values) - len(finite)
    return (
        f"infinite because of {count} identical frames; the mean of the other {len(finite)} is {finite.mean().item():.6g}",
    )


def _notes(readings: list[tuple[int, Reading]]) -> Iterator[str]:
    """The metric's notes on the frames, each once, with the first frame that it concerns."""
    first: dict[str, int] = {}
    for number, reading in readings:
        for note in reading.notes:
            first.setdefault(note, number)
    always = [n for n in first if all(n in r.notes for _, r in readings)]
    yield from always
    some = [f"frame {number}: {note}" for note, number in first.items() if note not in always]
    yield from some[:_NOTED]
    if len(some) > _NOTED:
        yield f"and {len(some) - _NOTED} notes on other frames"


def frame_batches(frames: Iterator[Numbered]) -> tuple[Image | None, Image]:
    """The frames of both sides as one batch each, for metrics of sequences that need them at once."""
    both = list(frames)
    dist = _batch([d for _, _, d in both])
    return (_batch([r for _, r, _ in both if r is not None]) if both[0][1] is not None else None), dist


def _batch(images: list[Image]) -> Image:
    return images[0].with_pixels(torch.cat([i.pixels for i in images]))
