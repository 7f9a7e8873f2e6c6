"""Channels from which a response can be estimated, and the response of those that are black or clipped."""

from __future__ import annotations

import numpy as np

# range of codes that are well exposed
LOW, HIGH = 5, 250


def exposed(codes: np.ndarray) -> np.ndarray:
    """Whether 8-bit codes are well exposed, same shape, bool."""
    return (codes > LOW) & (codes < HIGH)


def telling(samples: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """(C,) whether some pixel of a channel has different codes in two neighbouring exposures that expose it well.

    samples  (P, N, C) codes 0..255;  seconds (P,) relative exposures
    """
    z = np.rint(samples[np.argsort(seconds, kind="stable")])
    result: np.ndarray = (exposed(z[:-1]) & exposed(z[1:]) & (z[:-1] != z[1:])).any((0, 1))
    return result


def with_others(known: np.ndarray, tells: np.ndarray) -> np.ndarray:
    """(levels, C) curves: those `known`, (levels, K), of the K channels that tell one, and their mean for the others."""
    every: np.ndarray = np.repeat(known.mean(1, keepdims=True), len(tells), 1)
    every[:, tells] = known
    return every


def untold(tells: np.ndarray) -> list[str]:
    """A note on the channels that tell no response where others do, at most one line."""
    names = [("red", "green", "blue")[c] for c in np.flatnonzero(~tells)]
    if not names or tells.size == len(names):
        return []
    which, verb, theirs = (
        (f"the {names[0]} channel", "is", "its response is")
        if len(names) == 1
        else (f"the {' and '.join(names)} channels", "are", "their responses are")
    )
    source = "the mean response of the others" if tells.sum() > 1 else "that of the other"
    return [
        f"{which} {verb} black, clipped or the same in every frame, so that {theirs} unknown: {source} is assumed; "
        "give --response if it is known"
    ]
