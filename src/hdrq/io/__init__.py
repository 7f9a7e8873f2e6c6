"""Read files as Images with domain and primaries, and write Images to files.

exr/             OpenEXR: header, channels, reading, writing
arrange          Conversions between interleaved rows of pixels and channel planes, and between code and integers
atomic           Atomic writing: a file is complete or absent
av1              Colour code points in an AV1 stream, for AVIF files without their own
avif             AVIF of 8 to 12 bits, with gain maps
bmp              Windows bitmaps with palettes, run-length coding, bit fields and profiles
clip             Video clips (mp4, mov, mkv, webm, y4m), frame by frame at their bit depth
clip_header      The header of a clip: size, depth, meaning of its code, length
color            Meaning of a file's numbers: primaries from chromaticities, code points, transfer functions
exif             EXIF that affects pixels: the orientation, and two numbers of Apple's gain maps
exposures        Exposure of each frame of a bracket: from EXIF, a CSV, file names, or the user
folders          What folders hold
foreign          Formats that hdrq does not read, recognised so that an error can name them
formats          The table of file formats, and recognition of a file's format by its first bytes
frame_range      Ranges of frames as images, each written to a file of its own
gain_map         Gain maps: conversion of a base image to its alternate rendition, from SDR to HDR or the reverse
icc              ICC profiles of images: primaries, transfer function, or a complete transformation
imageio_formats  WebP and GIF, decoded by imageio
isobmff          Boxes of the ISO base media file format, and the items of its `meta` box
jp2              JPEG 2000, as a bare codestream or in the boxes of JP2
jpeg             JPEG: 8 or 12 bits of code, or linear light by a gain map
jpeg_write       Writing JPEG: 8 bits of code, or Ultra HDR, whose gain map is computed from the decoded base
jxl              JPEG XL, integers and floats, with gain maps
jxl_bits         Numbers of a JPEG XL header: read from a bit stream
jxl_header       Parser of the header of a JPEG XL codestream (size, depth, colour), and the header with changed fields
jxr              JPEG XR: integers are sRGB code, floats are scRGB light
manifest         Manifests: tables of pairs with the columns dist, ref and others, read row by row
memory           Free memory, checked before an image of the stated size is read
outputs          Where outputs go: none replaces an input, and no two of a run are one file
pairing          Pairing of reference and test images, from two files or two folders
pfm              Portable float maps
png              PNG of 1 to 16 bits
radiance         Radiance .hdr: four bytes per pixel, three mantissas and a shared exponent
raw              Raw files: sensor values between black and white level, or demosaiced by LibRaw
remote           Files elsewhere: s3://, gs://, https:// and zip:// by fsspec
remote_cache     Copies of remote files on this machine: a cache of bounded size, and the journals of remote tables
rows             Rows as CSV, JSON lines and Parquet, written and read one by one
tag              hdrq's own line of JSON in the files that it writes: domain, primaries, scale
tiff             TIFF: integers of code, half and float of light, LogLuv, LogL, and what libtiff converts to RGB
tiff_pages       Pages and sub-images of a TIFF: which one is the image, and checks before it is decoded
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from hdrq.arguments import checked, refuse_misfits
from hdrq.cards import options_of
from hdrq.errors import FileError, HdrqError, TooLarge, UsageError
from hdrq.io.atomic import atomic, refuse_unwritable
from hdrq.io.formats import FORMATS, Format, by_suffix, identify, is_clip, sniff
from hdrq.io.memory import afford_file
from hdrq.io.outputs import identity, refuse_inputs
from hdrq.io.remote import address_of
from hdrq.io.remote_cache import local
from hdrq.records import Image, Selection

__all__ = [
    "FORMATS",
    "Format",
    "atomic",
    "by_suffix",
    "identify",
    "identity",
    "is_clip",
    "read",
    "read_one",
    "read_selected",
    "refuse_inputs",
    "refuse_unwritable",
    "sniff",
    "write",
]


@checked
def read(
    path: str | Path,
    *,
    layer: str | None = None,
    view: str | None = None,
    part: str | int | None = None,
    frames: str | int | None = None,
    alpha: bool = False,
) -> Image:
    """One file, local or remote, as an Image (1, C, H, W) float32; its content determines the format, not its name.

    Floats are kept, including NaN, Inf and negative values; integers become code in [0, 1]. Nothing of the process is
    changed. Raises FileError for files that are damaged or not supported, UsageError for layers that do not exist.

    layer, view, part  which image of an EXR (part: its name or number), page of a TIFF (part), or "hdr", "sdr" or
                       "base" of a file with a gain map (layer); None for the main one
    frames             of a clip: 7, or "0:100:10" for several as one batch; None for the first
    alpha              keep alpha as an additional channel; colours are then straight, but premultiplied in an EXR
    """
    if (url := address_of(path)) is not None:
        return _read_remote(url, layer=layer, view=view, part=part, frames=frames, alpha=alpha)
    format = identify(path)
    # clips are read frame by frame
    if format.name != "clip":
        afford_file(path)
    module = import_module(format.home)
    options = _known(
        module, "read", format, path, {"layer": layer, "view": view, "part": part, "frames": frames}
    )
    try:
        image: Image = module.read(Path(path), alpha=alpha, **options)
    except HdrqError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{path} does not fit in memory; crop or shrink it") from error
    # codecs raise many classes for damaged files
    except Exception as error:
        raise FileError(f"{path}{_reason(error)}") from error
    promised = by_suffix(path)
    if promised is not None and promised is not format:
        note = f"{Path(path).suffix} is the suffix of {promised.title}, but the file holds {format.title}"
        image = replace(image, notes=(note, *image.notes))
    return image


def _read_remote(url: str, **options: Any) -> Image:
    """A remote file, read from its copy in the cache; errors name its URL."""
    copy = local(url)
    try:
        return replace(read(copy, **options), path=url)
    except HdrqError as error:
        raise type(error)(str(error).replace(str(copy), url)) from error


def read_selected(path: str | Path, select: Selection) -> Image:
    """`read` with the image that a Selection chooses."""
    return read(path, layer=select.layer, view=select.view, part=select.part, frames=select.frames)


def read_one(path: str | Path, select: Selection) -> Image:
    """`read_selected` for what takes one image of a file; UsageError where several frames of a clip are chosen."""
    image = read_selected(path, select)
    if len(image.pixels) > 1:
        raise UsageError(
            f"{path}: --frames {select.frames} chooses {len(image.pixels)} frames, and one is taken here; name it by number"
        )
    return image


@checked
def write(path: str | Path, image: Image, **options: Any) -> tuple[str, ...]:
    """Write one image (the first of the batch) to a file; the suffix chooses the format. The write is atomic.

    Returns one line for each property that the format could not store. Options, where the format has them:

    depth        "half", "float" (EXR, TIFF), "uint8", "uint16" (PNG, TIFF)
    bits         of AVIF (8, 10, 12) and JPEG XL (8 to 16)
    compression  of EXR (none, rle, zips, zip, piz, pxr24, b44, b44a, dwaa, dwab) or TIFF (none, zip)
    quality      of JPEG, AVIF and JPEG XL, 1 to 100
    base         of JPEG: the SDR image beneath a gain map; `image` is then the HDR light
    ceiling      code that the largest integer stands for (PNG, TIFF), where code exceeds 1
    display      of PNG: the mastering display (peak and black in cd/m²), written as mDCV
    provenance   mapping that describes how the image was made, stored in the header
    extra        additional planes of an EXR by layer name, (H, W) or (3, H, W) arrays
    """
    format = by_suffix(path)
    writers = [f for f in FORMATS if f.writes]
    if format not in writers:
        raise UsageError(
            f"{path}: hdrq writes {' '.join(f.suffixes[0] for f in writers)}; choose one of these suffixes"
        )
    module = import_module(format.home)
    known = _known(module, "write", format, path, options)
    try:
        notes: tuple[str, ...] = module.write(Path(path), image, **known)
    except HdrqError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{path} cannot be written: memory ran out") from error
    except Exception as error:
        raise FileError(f"{path} cannot be written: {_line(error)}") from error
    return notes


# parameters of a format's functions that are no choice of a user
_NOT_CHOSEN = (
    "path",
    "image",
    "provenance",
)
# stored where the format can, silently dropped otherwise
_OPTIONAL = ("provenance",)


def _known(
    module: ModuleType, act: str, format: Format, path: str | Path, options: dict[str, Any]
) -> dict[str, Any]:
    """The options that were given; UsageError where the format does not have one."""
    has = signature(getattr(module, act)).parameters
    given = {name: value for name, value in options.items() if value is not None}
    given = {name: value for name, value in given.items() if name in has or name not in _OPTIONAL}
    if unknown := sorted(set(given) - set(has)):
        others = [
            name for name in (options if act == "read" else has) if name in has and name not in _NOT_CHOSEN
        ]
        fact = f"{path}: {format.title} has no {' or '.join(unknown)} to choose"
        if act == "write":
            fact = f"{path}: {format.title} has no option {' or '.join(unknown)}"
        leave = " and ".join(f"--{name}" if act == "read" else name for name in unknown)
        instead = f", or choose from {', '.join(others)}" if others else ""
        raise UsageError(f"{fact}; leave {leave} out{instead}")
    options = options_of(getattr(module, act)) if given else {}
    for name in given.keys() & options.keys():
        words = options[name].choices
        if words and given[name] not in words:
            raise UsageError(
                f"{path}: {format.title} has no {name} '{given[name]}'; choose {' or '.join(map(str, words))}"
            )
    if act == "write":
        refuse_misfits(module.write, given)
    return given


_UNSUPPORTED = re.compile(r"not (yet )?(implemented|supported)|unsupported|can ?not handle", re.I)


def _reason(error: Exception) -> str:
    """The meaning of a decoder's error: an unsupported variant, or damage."""
    line = _line(error)
    if _UNSUPPORTED.search(line):
        return f": this variant is not supported by the decoder ({line}); convert it to PNG, TIFF or EXR"
    return f" is damaged: {line}"


def _line(error: Exception) -> str:
    """The error of another library in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
