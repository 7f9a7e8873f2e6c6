"""A line of JSON in files written by hdrq, which states domain, primaries and scale."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hdrq.io.arrange import MOST_CEILING
from hdrq.io.color import flat, primaries_of
from hdrq.records import Image, Primaries

DOMAIN = re.compile(r"[a-z][a-z0-9.-]{0,30}$")


@dataclass(frozen=True)
class Tag:
    """What a file of hdrq states: domain, primaries, and the value that its largest code stands for."""

    domain: str
    primaries: Primaries
    ceiling: float


def domain_of(text: object, otherwise: str) -> str:
    """The tag as text for a header, where the domain needs one."""
    return text if isinstance(text, str) and DOMAIN.match(text) else otherwise


def compose(image: Image, ceiling: float, provenance: Mapping[str, Any] | None) -> str:
    """ASCII, one line."""
    meaning = {
        "domain": image.domain,
        "ceiling": ceiling,
        "primaries": [round(v, 6) for v in flat(image.primaries)],
    }
    return json.dumps({"hdrq": meaning, **{str(k): str(v) for k, v in (provenance or {}).items()}})


def parse(text: str) -> Tag | None:
    """The parsed tag, or None for any other text."""
    if '"hdrq"' not in text[:20]:
        return None
    try:
        meaning = json.loads(text)["hdrq"]
        primaries = primaries_of(meaning["primaries"])
        ceiling, domain = float(meaning["ceiling"]), str(meaning["domain"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = primaries is not None and 0 < ceiling < MOST_CEILING and DOMAIN.match(domain)
    return Tag(domain, primaries, ceiling) if sound and primaries else None
