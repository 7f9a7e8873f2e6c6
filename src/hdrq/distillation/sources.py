"""The source images that rows are cropped from."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from hdrq.encoding.code_images import clipped, srgb_code
from hdrq.encoding.reading import AS_STATED, Reading, parsed
from hdrq.errors import FileError, HdrqError
from hdrq.image.color import luminance
from hdrq.image.statistics import quantile
from hdrq.io.manifest import Manifest
from hdrq.io.pairing import image_files, remote_image_files
from hdrq.io.remote import address_of, is_folder
from hdrq.io.remote_cache import local

# pixel values kept decoded in memory
_HELD = 2**28
_TABLES = (".csv", ".tsv", ".parquet")
# quantile of luminance that counts as the peak, so that hot pixels do not
_BRIGHTEST = 0.999


@dataclass(frozen=True)
class Source:
    """A file: its scene, its size, whether it holds light or sRGB code, and a hash of its content.

    clipped  how many of its values were outside BT.709, as text; "" also for a file that an earlier run has read
    """

    path: Path
    scene: str
    size: tuple[int, int]
    light: bool
    sha256: str
    clipped: str = ""


@dataclass(frozen=True)
class Opened:
    """A decoded file: light with its 99.9 % luminance, or code 0..1; (1, 3, H, W).

    clipped  how many of its values were outside BT.709, as text
    """

    pixels: Tensor
    brightest: float
    light: bool
    clipped: str = ""


class Sources:
    """Decoded images; the most recent ones are kept. Thread-safe."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Opened] = OrderedDict()
        self._one_at_a_time = Lock()

    def get(self, path: str | Path, reads: str = "") -> Opened:
        """A decoded file; reads: the text of how it is read, `hdrq.encoding.reading.Reading.text`."""
        key = f"{path}|{reads}"
        with self._one_at_a_time:
            found = self._held.pop(key, None) or opened(Path(path), parsed(reads))
            self._held[key] = found
            while len(self._held) > 1 and sum(o.pixels.numel() for o in self._held.values()) > _HELD:
                self._held.popitem(last=False)
        return found


def opened(path: Path, reading: Reading = AS_STATED) -> Opened:
    """A file as light (any scale) or sRGB code, both BT.709; code of other encodings is converted to light."""
    image = reading.image(path)
    if image.domain in ("srgb", "gamma"):
        image = srgb_code(image)
        return Opened(image.pixels.expand(-1, 3, -1, -1).float(), 1.0, False, clipped(image))
    emitted = reading.light(image)
    pixels = emitted.pixels.expand(-1, 3, -1, -1).float()
    brightest = float(quantile(luminance(pixels), _BRIGHTEST))
    if not brightest > 0:
        raise FileError(f"{path} is black; remove it from --images")
    return Opened(pixels, brightest, True, clipped(emitted))


def find_sources(
    where: Path,
    known: Callable[[Path, str], Source | None],
    keep: Callable[[Source, str], None],
    reading: Reading = AS_STATED,
) -> tuple[list[Source], list[str]]:
    """(usable images of a folder, file or CSV manifest with columns dist [scene]; skipped files with the reason).

    known, keep  read from and write to a store of the properties of files
    """
    found, left = [], []
    for path, scene in _listed(where):
        source = known(path, reading.text)
        if source is None:
            try:
                image = opened(path, reading)
            except HdrqError as error:
                left.append(str(error))
                continue
            size = (int(image.pixels.shape[-2]), int(image.pixels.shape[-1]))
            source = Source(path, "", size, image.light, _sha256(path), image.clipped)
            keep(source, reading.text)
        found.append(replace(source, path=path, scene=scene))
    if not found:
        raise FileError(f"{where} holds no usable image" + (f": {left[0]}" if left else ""))
    return found, left


def _listed(where: Path) -> list[tuple[Path, str]]:
    """(file, scene) of every image that a path names."""
    if (url := address_of(where)) is not None and where.suffix.lower() not in _TABLES:
        found = remote_image_files(url) if is_folder(url) else [url]
        return [(Path(p), Path(p).stem) for p in found]
    if where.is_dir():
        return [(p.resolve(), p.stem) for p in image_files(where)]
    if where.suffix.lower() not in _TABLES:
        return [(where.resolve(), where.stem)]
    pairs = Manifest(where)
    return [(_place(p.dist), p.carried.get("scene") or Path(str(p.dist)).stem) for p in pairs]


def _place(path: object) -> Path:
    """An absolute path, or a remote one as it is."""
    return Path(str(path)) if address_of(path) is not None else Path(str(path)).resolve()


def _sha256(path: Path) -> str:
    with local(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shrunk(pixels: Tensor, factor: int) -> Tensor:
    """Means over factor x factor pixels."""
    return pixels if factor == 1 else torch.nn.functional.avg_pool2d(pixels, factor)
