"""Errors, in one line: the fact, then the way out."""

from __future__ import annotations


class HdrqError(Exception):
    """Base class of all errors that hdrq raises. The text is one line that tells the user what to do."""


class FileError(HdrqError):
    """A file that is missing, damaged or not of the format in its name."""


class PixelError(HdrqError):
    """Pixels that cannot be scored as they are: NaN, Inf, mismatched or too small frames."""


class UsageError(HdrqError):
    """A request that is invalid for any file: unknown names, contradictory options."""


class DomainError(UsageError):
    """An image of another domain than needed (for example light for a metric of code)."""


class UnknownName(UsageError):
    """A name that no entry has."""


class MissingPart(UsageError):
    """An optional package or a weights file that is not installed."""


class TooLarge(HdrqError):
    """Work that would not fit in memory, refused before it starts."""
