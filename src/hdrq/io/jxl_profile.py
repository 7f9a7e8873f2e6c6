"""The ICC profile of a JPEG XL, by the libjxl within imagecodecs (imagecodecs itself does not return it).

Source: libjxl, decode.h (its public interface since 0.9).
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

_BASIC_INFO, _COLOR_ENCODING = 0x40, 0x100
_ORIGINAL = 0  # the profile of the file, not of the decoded pixels
_OLDEST = 9_000  # version 0.9.0, the first with this form of the calls
_LARGEST = 4 << 20  # bytes


def profile_of(data: bytes) -> bytes:
    """The profile's bytes; empty where the library is not found or reports that there is none."""
    library = _libjxl()
    if library is None:
        return b""
    decoder = library.JxlDecoderCreate(None)
    if not decoder:
        return b""
    try:
        library.JxlDecoderSubscribeEvents(decoder, _BASIC_INFO | _COLOR_ENCODING)
        library.JxlDecoderSetInput(decoder, data, len(data))
        library.JxlDecoderCloseInput(decoder)
        while (event := library.JxlDecoderProcessInput(decoder)) == _BASIC_INFO:
            pass
        size = ctypes.c_size_t()
        if event != _COLOR_ENCODING or library.JxlDecoderGetICCProfileSize(
            decoder, _ORIGINAL, ctypes.byref(size)
        ):
            return b""
        if not 128 < size.value < _LARGEST:
            return b""
        out = ctypes.create_string_buffer(size.value)
        failed = library.JxlDecoderGetColorAsICCProfile(decoder, _ORIGINAL, out, size)
        return b"" if failed else out.raw
    finally:
        library.JxlDecoderDestroy(decoder)


@cache
def _libjxl() -> Any:
    """The shared library within imagecodecs' wheel, or None (on systems where it is linked statically)."""
    import imagecodecs
    import imagecodecs._jpegxl  # loads the library and its dependencies

    home = Path(imagecodecs.__file__).parent
    for folder in (home.parent / "imagecodecs.libs", home / ".dylibs"):
        for path in sorted(folder.glob("libjxl[-.]*")):
            try:
                library = ctypes.CDLL(str(path))
                if library.JxlDecoderVersion() < _OLDEST:
                    continue
            except (OSError, AttributeError):
                continue
            pointer, size = ctypes.c_void_p, ctypes.c_size_t
            library.JxlDecoderCreate.restype = pointer
            library.JxlDecoderCreate.argtypes = [pointer]
            library.JxlDecoderDestroy.argtypes = [pointer]
            library.JxlDecoderDestroy.restype = None
            library.JxlDecoderSubscribeEvents.argtypes = [pointer, ctypes.c_int]
            library.JxlDecoderSetInput.argtypes = [pointer, ctypes.c_char_p, size]
            library.JxlDecoderCloseInput.argtypes = [pointer]
            library.JxlDecoderCloseInput.restype = None
            library.JxlDecoderProcessInput.argtypes = [pointer]
            library.JxlDecoderGetICCProfileSize.argtypes = [pointer, ctypes.c_int, ctypes.POINTER(size)]
            library.JxlDecoderGetColorAsICCProfile.argtypes = [pointer, ctypes.c_int, ctypes.c_char_p, size]
            return library
    return None
