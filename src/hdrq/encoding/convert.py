"""Encoding and decoding of files: light written as code, and code decoded to light."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hdrq import io
from hdrq.arguments import checked
from hdrq.encoding.display_choice import as_scene
from hdrq.encoding.display_model import hlg_code, without_black
from hdrq.encoding.displays import default_screen, is_linear_code
from hdrq.encoding.emission import in_float64
from hdrq.encoding.photometry import (
    LIGHT,
    Photometry,
    common_white,
    decode,
    emit,
    emit_for,
    encode,
    factor_of,
    looks_relative,
    refuse_unknown_primaries,
    relabel,
    screen_of,
    white_of,
)
from hdrq.errors import DomainError, FileError, HdrqError, UsageError
from hdrq.io import by_suffix
from hdrq.io.frame_range import read_each
from hdrq.io.outputs import distinct_outputs, dotted, is_folder_for, refuse_inputs
from hdrq.io.pairing import image_files, remote_image_files
from hdrq.io.remote import address_of, folders_of, is_folder, make_folder
from hdrq.records import MAIN_IMAGE, PRIMARIES, Display, Encoding, Image, Selection
from hdrq.registry import check, find
from hdrq.work import Needs, Results, Spread, here

# encodings of display signals
SIGNALS = ("pq", "hlg", "srgb", "gamma")
# formats without a field for the encoding
UNTAGGED = ("pfm", "radiance")


@dataclass(frozen=True)
class Converted:
    """One file, written or failed."""

    source: Path
    target: Path
    notes: tuple[str, ...] = ()
    error: str = ""


def targets(source: Path | Sequence[Path], target: Path, suffix: str) -> list[tuple[Path, Path]]:
    """(input, output) of one file, or of several files and every image of folders.

    Outputs with the same name are distinguished by the input's suffix or folder. No output is an input.

    raises  UsageError where an output would overwrite an input
    """
    sources = [source] if isinstance(source, Path) else list(source)
    if not sources:
        raise UsageError("no input is given")
    suffix = dotted(suffix)
    if not is_folder_for(target, many=len(sources) > 1 or is_folder(sources[0])):
        jobs = [(sources[0], target)]
    else:
        jobs = []
        for place in sources:
            folder = is_folder(place)
            found = _images_of(place) if folder else [place]
            if not found:
                raise FileError(f"{place} contains no image that hdrq can read; see: hdrq list formats")
            tops = place if folder else place.parent
            jobs += [(p, target / p.relative_to(tops).parent / (p.stem + suffix)) for p in found]
        jobs = distinct_outputs(jobs, suffix)
    refuse_inputs([out for _, out in jobs], [p for p, _ in jobs])
    return jobs


def _images_of(folder: Path) -> list[Path]:
    url = address_of(folder)
    return image_files(folder) if url is None else [Path(p) for p in remote_image_files(url)]


@checked
def convert_files(
    sources: str | Path | Sequence[str | Path],
    target: str | Path,
    to: str | None = None,
    *,
    decode: bool = False,
    suffix: str | None = None,
    photometry: Photometry | None = None,
    primaries: str | None = None,
    depth: str | None = None,
    compression: str | None = None,
    quality: int | None = None,
    select: Selection = MAIN_IMAGE,
    spread: Spread | None = None,
) -> Results[Converted]:
    """Encode the light of files and folders as `to`, or decode their code to light, cd/m².

        for done in hdrq.convert_files("scenes/", "codes/", "pq", suffix=".png"):
            print(done.target, done.error)

    target  the output: a file, or a folder, whose files get the suffix, .exr if none is given
    decode  write light; the files hold code of `to`, or of the encoding that they state
    depth, compression, quality  of the files written, as in `hdrq.write`
    """
    named = [Path(sources)] if isinstance(sources, str | Path) else [Path(s) for s in sources]
    jobs = targets(named, Path(target), suffix or ".exr")
    if suffix is not None and len(named) == 1 and jobs == [(named[0], Path(target))]:
        raise UsageError(f"--suffix is only for output folders; {target} has a suffix")
    done = convert(
        jobs,
        to=to,
        photometry=photometry or Photometry(),
        primaries=primaries,
        depth=depth,
        back=decode,
        compression=compression,
        quality=quality,
        select=select,
        spread=spread or here,
    )
    return Results(done, len(jobs))


def convert(
    jobs: list[tuple[Path, Path]],
    *,
    to: str | None,
    photometry: Photometry,
    primaries: str | None = None,
    depth: str | None = None,
    back: bool = False,
    compression: str | None = None,
    quality: int | None = None,
    select: Selection = MAIN_IMAGE,
    spread: Spread = here,
) -> Iterator[Converted]:
    """Encode each file's light to `to`, or (back=True) decode its code, taken as `to`, to light in cd/m².

    Integer formats (PNG ...) store display signals in 0..1; float files store the code without clipping.

    spread  divides the files among other processes
    """
    if to is not None:
        check("encoding", to)
    refuse_unknown_primaries(primaries)
    job = ConvertJob(to, photometry, primaries, depth, back, compression, select, quality)
    return spread(job, jobs, total=len(jobs))


@dataclass(frozen=True)
class ConvertJob:
    """`convert` as `hdrq.work.Job` of (input, output)."""

    to: str | None
    photometry: Photometry
    primaries: str | None = None
    depth: str | None = None
    back: bool = False
    compression: str | None = None
    select: Selection = MAIN_IMAGE
    quality: int | None = None

    def begin(self) -> Callable[[Sequence[tuple[Path, Path]]], Iterator[Converted]]:
        """Nothing needs loading."""
        return lambda items: (self.converted(source, target) for source, target in items)

    def lost(self, item: tuple[Path, Path], reason: str) -> Converted:
        """The record of a file that was not written."""
        return Converted(*item, error=f"{item[0]}: {reason}")

    def needs(self, item: tuple[Path, Path]) -> Needs:
        """The input, and the nearest existing folder of the output."""
        return Needs((str(item[0]),), folders_of(item[1]))

    def converted(self, source: Path, target: Path) -> Converted:
        """Read, convert and write one file."""
        try:
            format = by_suffix(target)
            if format is None or not format.writes:
                raise UsageError(
                    f"hdrq cannot write {target.name}; use the suffix .exr, .hdr, .pfm, .png or .tif"
                )
            notes: list[str] = []
            for image, place in read_each(source, target, self.select):
                notes += self._one(in_float64(relabel(image, self.photometry)), source, place)
            return Converted(source, target, tuple(dict.fromkeys(notes)))
        except HdrqError as error:
            return Converted(source, target, error=str(error))
        except OSError as error:
            return Converted(source, target, error=f"{target} cannot be written: {error.strerror}")

    def _one(self, image: Image, source: Path, target: Path) -> tuple[str, ...]:
        """Convert and write one image; notes on what was assumed and lost."""
        photometry = self.photometry
        relative = None if self.back else looks_relative(image, photometry)
        out = (
            _decoded(image, self.to, photometry, self.primaries)
            if self.back
            else _encoded(image, self.to or "pu21", photometry, self.primaries)
        )
        refuse_untagged(target, out)
        make_folder(target.parent)
        made = {"from": source.name, "domain": out.domain, "display": screen_of(image, photometry).name}
        lost = io.write(
            target,
            replace(out, pixels=out.pixels.float()),
            depth=self.depth,
            compression=self.compression,
            quality=self.quality,
            **({"provenance": made} if stores_provenance(target) else {}),
        )
        # the record names the file
        said = relative and relative.removeprefix(f"{image.path} ")
        return (*filter(None, [said]), *out.notes, *lost)


def stores_provenance(target: Path) -> bool:
    """Whether the format has a place for how an image was made."""
    format = by_suffix(target)
    return format is not None and format.name in ("exr", "png", "tiff")


def refuse_untagged(target: Path, image: Image) -> None:
    """Raise for code in a format without a field for its encoding, because it would be read as light."""
    format = by_suffix(target)
    if format is not None and format.name in UNTAGGED and image.domain not in LIGHT:
        raise UsageError(
            f"{target.name}: {format.title} cannot state that it holds {image.domain} code and would be read as light; "
            "write .exr, .tif or .png"
        )


def shows(d: Display, signal: str) -> bool:
    """Whether a display shows this signal."""
    if signal in ("pq", "hlg"):
        return d.eotf == signal
    return signal in SIGNALS and d.eotf not in ("absolute", "light", "pq", "hlg")


def _encoded(image: Image, to: str, photometry: Photometry, primaries: str | None) -> Image:
    """Code of the light, in the requested primaries or the file's.

    A display signal has neither the room's light nor the black of the display that shows it: shown there, it gives the light.
    """
    notes: tuple[str, ...] = ()
    shown = screen_of(image, photometry)
    if to in SIGNALS and shown.reflected_nits > 0:
        shown = replace(shown, reflectance=0.0)
        photometry = replace(photometry, display=shown)
        notes = (f"ambient light of {shown.name} not included: {to} is a display signal",)
    target = PRIMARIES[primaries] if primaries else image.primaries
    light = emit_for(image, photometry, factor_of(image, photometry), target)
    pixels = without_black(light.pixels, shown) if shows(shown, to) else light.pixels
    light = light.with_pixels(pixels.clamp(min=0))
    white = common_white(photometry)
    code = encode(light, to, white)
    if to == shown.eotf == "hlg":
        code = code.with_pixels(hlg_code(light.pixels, shown))
    found: Encoding = find("encoding", to)
    if not found.absolute:
        notes = (*notes, f"{to}: 1.0 = {white_of(found, None, white):g} cd/m²")
    usual = default_screen(code)
    if photometry.display is None and usual.black_nits > 0:
        notes = (
            *notes,
            f"{to}: 0 = 0 cd/m²; hdrq score shows such code on {usual.name}, black {usual.black_nits:g} cd/m², "
            f"for which --display {usual.name} encodes",
        )
    return replace(code, bits=None, notes=(*code.notes, *notes))


def _decoded(image: Image, domain: str | None, photometry: Photometry, primaries: str | None) -> Image:
    """Light of an image whose values are code; for a float file the encoding must be given.

    With a display, display code is shown on it, including black and ambient light; without one, the encoding is inverted.
    """
    if domain is None and image.domain in LIGHT and not is_linear_code(image):
        raise DomainError(f"{image.path} does not state the encoding of its code; give it with --to")
    code = replace(image, domain=domain) if domain else image
    target = PRIMARIES[primaries] if primaries else code.primaries
    if photometry.display is not None or is_linear_code(code):
        return emit_for(code, as_scene(code, photometry), factor_of(code, photometry), target)
    return emit(decode(code, common_white(photometry)), primaries=target)
