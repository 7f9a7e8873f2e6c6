"""Which formats there are, and what a file really is, told by its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdrq.errors import FileError
from hdrq.io.atomic import why


@dataclass(frozen=True)
class Format:
    """One file format. `name` is also the module in this folder that reads and writes it."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    reads: str
    writes: str = ""


FORMATS = (
    Format(
        "exr",
        "OpenEXR",
        (".exr",),
        "half, float, uint; parts, layers, views, tiles, luma/chroma, deep",
        "half, float",
    ),
    Format(
        "radiance",
        "Radiance HDR",
        (".hdr", ".pic", ".rgbe", ".xyze"),
        "RGBE and XYZE, every orientation",
        "RGBE",
    ),
    Format("pfm", "Portable float map", (".pfm",), "float, both byte orders", "float"),
    Format(
        "png",
        "PNG",
        (".png",),
        "1 to 16 bits; cICP, sRGB, gAMA, cHRM, iCCP",
        "8, 16 bits; cICP for PQ and HLG",
    ),
    Format("tiff", "TIFF", (".tif", ".tiff"), "8, 16 bits, half, float", "8, 16 bits, half, float"),
    Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), "8 bits; Ultra HDR gain maps", "8 bits"),
    Format("bmp", "Windows bitmap", (".bmp", ".dib"), "8 bits"),
    Format("avif", "AVIF", (".avif",), "8 to 12 bits; nclx"),
    Format("jxl", "JPEG XL", (".jxl",), "8 to 16 bits, half, float"),
    Format("jxr", "JPEG XR", (".jxr", ".wdp", ".hdp"), "8, 16 bits, half, float"),
)


def by_suffix(path: str | Path) -> Format | None:
    """The format a name promises."""
    suffix = Path(path).suffix.lower()
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def sniff(start: bytes) -> Format | None:
    """The format of a file that begins with `start` (32 bytes are enough)."""
    name = ""
    if start[:4] == b"\x76\x2f\x31\x01":
        name = "exr"
    elif start[:2] == b"#?":
        name = "radiance"
    elif start[:2] in (b"PF", b"Pf") and start[2:3].isspace():
        name = "pfm"
    elif start[:8] == b"\x89PNG\r\n\x1a\n":
        name = "png"
    elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        name = "tiff"
    elif start[:3] == b"\xff\xd8\xff":
        name = "jpeg"
    elif start[:2] == b"BM":
        name = "bmp"
    elif start[4:8] == b"ftyp" and (b"avif" in start[8:32] or b"avis" in start[8:32]):
        name = "avif"
    elif start[:2] == b"\xff\x0a" or start[:12] == b"\0\0\0\x0cJXL \r\n\x87\n":
        name = "jxl"
    elif start[:3] == b"II\xbc":
        name = "jxr"
    return next((f for f in FORMATS if f.name == name), None)


def identify(path: str | Path) -> Format:
    """The format of a file on disk, by what it holds; a name that promises another format is refused."""
    file = Path(path)
    try:
        if file.is_dir():
            raise FileError(f"{path} is a folder; name a file in it")
        if file.exists() and not file.is_file():
            raise FileError(f"{path} is no regular file; save what it gives and read that")
        with file.open("rb") as f:
            start = f.read(32)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist; check the name") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {why(error)}") from error
    except ValueError as error:  # a NUL in the name
        raise FileError(f"{str(path)!r} is no file name") from error
    if not start:
        raise FileError(f"{path} is empty (0 bytes); write it again")
    held, promised = sniff(start), by_suffix(file)
    if held is None:
        known = " ".join(f.suffixes[0] for f in FORMATS)
        kind = f"no {promised.title} file" if promised else "no image hdrq can read"
        raise FileError(f"{path} is {kind}: its first bytes are of no known format; hdrq reads {known}")
    if promised is not None and promised is not held:
        raise FileError(
            f"{path} holds {held.title} data; rename it to {file.with_suffix(held.suffixes[0]).name}"
        )
    return held
