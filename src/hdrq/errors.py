"""What can go wrong, said in one line: the fact, then the way out."""

from __future__ import annotations


class HdrqError(Exception):
    """Anything hdrq refuses. Its text is one line a user can act on."""


class FileError(HdrqError):
    """A file that is missing, damaged or not what its name says."""


class PixelError(HdrqError):
    """Pixels that cannot be scored as they are: NaN, Inf, mismatched or too small frames."""


class UsageError(HdrqError):
    """A request that cannot be carried out whatever the files hold: unknown names, impossible options."""


class DomainError(UsageError):
    """Numbers handed to something that reads another domain (light to a metric of code, say)."""


class UnknownName(UsageError):
    """A name that is on no shelf."""


class MissingPart(UsageError):
    """An optional package or a weights file that is not installed."""


class TooLarge(HdrqError):
    """Work that would not fit in memory, refused before it starts."""
