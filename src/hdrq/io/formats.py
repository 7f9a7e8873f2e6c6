"""The table of file formats, and recognition of a file's format by its first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdrq.errors import FileError
from hdrq.io import foreign
from hdrq.io.atomic import why

RAW_SUFFIXES = (
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".rwl", ".pef", ".srw",
    ".3fr", ".fff", ".iiq", ".mef", ".mos", ".erf", ".kdc", ".dcr", ".gpr",
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """One file format. The module `module` of this package, by default `name`, reads and writes it."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    reads: str
    writes: str = ""
    module: str = ""

    @property
    def home(self) -> str:
        """The module that reads and writes this format."""
        return f"hdrq.io.{self.module or self.name}"


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
        "1 to 16 bits; cICP, iCCP, sRGB, gAMA, cHRM",
        "8, 16 bits; cICP, mDCV and cLLI for PQ and HLG",
    ),
    Format(
        "tiff",
        "TIFF",
        (".tif", ".tiff"),
        "8, 16 bits, half, float, LogLuv; pages, sub-images; ICC",
        "8, 16 bits, half, float",
    ),
    Format(
        "jpeg",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        "8, 12 bits; ICC, CMYK; gain maps (Ultra HDR, ISO 21496-1, Apple)",
        "8 bits; gain maps",
    ),
    Format("avif", "AVIF", (".avif", ".avifs"), "8 to 12 bits; nclx, ICC; gain maps", "8, 10, 12 bits; nclx"),
    Format(
        "jxl",
        "JPEG XL",
        (".jxl",),
        "8 to 16 bits, half, float; gain maps",
        "8 to 16 bits, tagged",
    ),
    Format("jxr", "JPEG XR", (".jxr", ".wdp", ".hdp"), "8, 16 bits, half, float"),
    Format(
        "jp2",
        "JPEG 2000",
        (".jp2", ".j2k", ".jpx", ".j2c", ".jpc", ".jph"),
        "1 to 16 bits; palettes, sYCC, ICC, code points",
    ),
    Format("webp", "WebP", (".webp",), "8 bits; ICC", module="imageio_formats"),
    Format("gif", "GIF", (".gif",), "8 bits, first frame", module="imageio_formats"),
    Format("bmp", "Windows bitmap", (".bmp", ".dib"), "1 to 8 bits a channel; ICC"),
    Format(
        "clip",
        "Video",
        (".mp4", ".mov", ".mkv", ".webm", ".y4m", ".m4v", ".avi"),
        "8 to 16 bits; PQ, HLG, SDR; frames one by one (pip install 'hdrq[video]')",
    ),
    Format("raw", "Camera raw", RAW_SUFFIXES, "developed to linear light (pip install 'hdrq[raw]')"),
)

_CLIP_BRANDS = (
    b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"mp41", b"mp42", b"avc1", b"qt  ",
    b"M4V ", b"M4VH", b"M4VP", b"dash", b"hvc1", b"av01", b"MSNV", b"XAVC", b"3gp4", b"3gp5", b"3gp6", b"3g2a",
)  # fmt: skip


def by_suffix(path: str | Path) -> Format | None:
    """The format that a file name's suffix stands for."""
    suffix = Path(path).suffix.lower()
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def sniff(start: bytes) -> Format | None:
    """The format of a file with the first bytes `start` (512 bytes suffice)."""
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
    # which is JPEG-LS
    elif start[:3] == b"\xff\xd8\xff" and start[3:4] != b"\xf7":
        name = "jpeg"
    elif start[:2] == b"BM":
        name = "bmp"
    elif {b"avif", b"avis"}.intersection(foreign.brands(start)) and start[8:12] != b"mif3":
        name = "avif"
    elif start[:2] == b"\xff\x0a" or start[:12] == b"\0\0\0\x0cJXL \r\n\x87\n":
        name = "jxl"
    elif start[:3] == b"II\xbc":
        name = "jxr"
    elif start[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or start[:4] == b"\xff\x4f\xff\x51":
        name = "jp2"
    elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        name = "webp"
    elif start[:4] == b"GIF8":
        name = "gif"
    elif _is_clip(start):
        name = "clip"
    return next((f for f in FORMATS if f.name == name), None)


def _is_clip(start: bytes) -> bool:
    """Whether it is y4m, AVI, Matroska, or ISO media with a video brand."""
    if (
        start[:9] == b"YUV4MPEG2"
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or start[:4] == b"\x1aE\xdf\xa3"
        or start[4:8] in (b"moov", b"mdat", b"wide")
    ):
        return True
    brands = foreign.brands(start)
    images = set(foreign.BRANDS).intersection(brands)
    return not images and bool(set(_CLIP_BRANDS).intersection(brands))


def is_clip(path: str | Path) -> bool:
    """Whether a file holds a video; False where it cannot be read."""
    try:
        return Path(path).is_file() and identify(path).name == "clip"
    except FileError:
        return False


def identify(path: str | Path) -> Format:
    """The format of a file on disk, by its content. A suffix of another format is accepted (read adds a note)."""
    file = Path(path)
    try:
        if file.is_dir():
            raise FileError(f"{path} is a folder; give the path of a file in it")
        if file.exists() and not file.is_file():
            raise FileError(f"{path} is not a regular file; save its contents to a file first")
        with file.open("rb") as f:
            start = f.read(foreign.START)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist; check the name") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {why(error)}") from error
    # a NUL in the name
    except ValueError as error:
        raise FileError(f"{str(path)!r} is not a file name") from error
    if not start:
        raise FileError(f"{path} is empty (0 bytes); write it again")
    held, promised = sniff(start), by_suffix(file)
    if promised is not None and promised.name == "raw" and (held is None or held.name in ("tiff", "clip")):
        # many raw formats are TIFF files
        return promised
    if held is not None:
        return held
    if (kind := foreign.name_of(start, file.suffix.lower())) is not None:
        if kind in foreign.OTHER_KINDS:
            raise FileError(f"{path} is no image ({kind}); hdrq reads images and clips")
        raise FileError(f"{path}: {kind} is not supported; convert it to PNG, TIFF or EXR")
    known = " ".join(f.suffixes[0] for f in FORMATS)
    what = f"no {promised.title} file" if promised else "not an image that hdrq can read"
    raise FileError(f"{path} is {what}: its first bytes match no known format; hdrq reads {known}")
