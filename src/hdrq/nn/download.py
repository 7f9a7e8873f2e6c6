"""Download files, with resumption; their sha256 is checked by the caller."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from hdrq.errors import FileError

# bytes
_PIECE = 1 << 20
# seconds without a byte
_TIMEOUT = 60.0


def download(url: str, path: Path) -> Iterator[tuple[int, int | None]]:
    """Download to `path`, yielding (bytes so far, total size if known).

    An interrupted download remains in PATH.part and is continued where the server supports ranges.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            resumed = answer.status == 206
            have = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if resumed else "wb") as file:
                while piece := answer.read(_PIECE):
                    file.write(piece)
                    have += len(piece)
                    yield have, total
    except urllib.error.HTTPError as error:
        # nothing is left to send
        if error.code == 416 and have:
            part.replace(path)
            return
        raise FileError(f"{url} answered {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise FileError(
            f"{url} cannot be reached ({reason}); the part received is kept; try again"
        ) from error
    if total is not None and have < total:
        raise FileError(
            f"{url} was interrupted at {have} of {total} bytes; the part received is kept; try again"
        )
    part.replace(path)


def digest(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    found = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
