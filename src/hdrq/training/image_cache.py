"""Images decoded once into memory-mapped files, so that an epoch decodes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.encoding.code_images import clipped, srgb_code
from hdrq.encoding.reading import AS_STATED, Reading
from hdrq.errors import FileError

# folder of the cache below the run folder
PIXELS = "pixels"


class ImageCache:
    """A folder of decoded images: sRGB code as 8- or 16-bit integers, light as float32 (BT.709).

    Code of other encodings (PQ, HLG, PU21 ...) is decoded to light, cd/m²; wide-gamut images are converted to BT.709.

    reading  what the user says of the files
    clipped  {path: how many values were outside BT.709}, of the files that this object has decoded
    """

    def __init__(self, folder: Path, reading: Reading = AS_STATED) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder} cannot be made: {error.strerror}") from error
        self.folder, self.reading = folder, reading
        self.clipped: dict[str, str] = {}

    def _place(self, path: Path) -> Path:
        try:
            stat = path.stat()
        except OSError as error:
            raise FileError(f"{path} does not exist; check the dataset or the manifest") from error
        key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{self.reading.text}|BT.709"
        return self.folder / (hashlib.sha256(key.encode()).hexdigest()[:24] + ".npy")

    def get(self, path: str | Path) -> np.ndarray:
        """(3, H, W), memory-mapped: uint8 or uint16 code, or float32 light. Greyscale images get three channels."""
        place = self._place(Path(path))
        if not place.exists():
            image = self.reading.image(path)
            if image.domain in ("srgb", "gamma"):
                image = srgb_code(image)
                depth = np.uint8 if image.bits and image.bits <= 8 else np.uint16
                pixels = image.pixels[0].expand(3, -1, -1)
                array = (
                    (pixels * np.iinfo(depth).max).round().clamp(0, np.iinfo(depth).max).numpy().astype(depth)
                )
            else:
                image = self.reading.light(image)
                array = image.pixels[0].expand(3, -1, -1).float().numpy()
            if count := clipped(image):
                self.clipped[str(path)] = count
            # other threads and processes may decode the same image
            with io.atomic(place) as part:
                np.save(part, array)
        mapped: np.ndarray = np.load(place, mmap_mode="r")
        return mapped

    def holds_light(self, path: str | Path) -> bool:
        """Whether a file holds linear light rather than code."""
        return self.get(path).dtype == np.float32

    def size(self, path: str | Path) -> tuple[int, int]:
        """(height, width)."""
        h, w = self.get(path).shape[-2:]
        return int(h), int(w)


def tensor(array: np.ndarray) -> Tensor:
    """Part of a mapped image as float32: code 0..1, or light in the unit of the file."""
    copied = torch.from_numpy(np.array(array))
    if array.dtype == np.float32:
        return copied
    return copied.float() / float(np.iinfo(array.dtype).max)
