"""Rules for tensor names: conversion of the state_dict of another program to ours, and back.

A table is a tuple of rules. In a pattern, `{i}` (one letter) matches a number, `{leaf}` (a word) matches
one word between dots, and `{key}` any name. Every tensor must match exactly one rule;
a tensor without a rule is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hdrq.errors import FileError
from hdrq.image.caching import cached

State = dict[str, Tensor]
Many = tuple[Tensor, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of a table.

    theirs  patterns of one or several of their tensors, which are combined to one of ours
    ours    our pattern; None where the tensor is not kept
    read    conversion of their tensors to ours
    write   conversion of ours to their tensors; None where it is not possible (such layouts can only be imported)
    keeps   of `theirs`, those that a later rule needs too
    """

    theirs: tuple[str, ...]
    ours: str | None
    read: Callable[[Many], Tensor | None]
    write: Callable[[Tensor | None], Many] | None
    keeps: tuple[str, ...] = ()


def rename(
    theirs: str,
    ours: str,
    read: Callable[[Tensor], Tensor] = lambda t: t,
    write: Callable[[Tensor], Tensor] = lambda t: t,
) -> Rule:
    """A tensor with another name; `read` and its inverse `write` may change its shape."""
    return Rule((theirs,), ours, lambda ts: read(ts[0]), lambda t: (write(_whole(t)),))


def join(
    theirs: tuple[str, ...],
    ours: str,
    read: Callable[[Tensor], Tensor] = lambda t: t,
    write: Callable[[Tensor], Tensor] = lambda t: t,
) -> Rule:
    """Several equally shaped tensors concatenated along the first dimension (for example query, key and value)."""
    return Rule(
        theirs,
        ours,
        lambda ts: torch.cat([read(t) for t in ts]),
        lambda t: tuple(write(part) for part in _whole(t).chunk(len(theirs))),
    )


def duplicates(theirs: tuple[str, ...], ours: str) -> Rule:
    """One tensor registered under several names; where they differ, the last one is used, as in torch."""
    return Rule(theirs, ours, lambda ts: ts[-1], lambda t: (_whole(t),) * len(theirs))


def constant(theirs: str, value: Tensor) -> Rule:
    """A tensor with known values, which is computed instead of stored."""

    def read(ts: Many) -> None:
        if ts[0].shape != value.shape or not torch.allclose(ts[0].float(), value, rtol=1e-4, atol=1e-6):
            raise FileError(f"'{theirs}' does not have the constant value of this layout")

    return Rule((theirs,), None, read, lambda _: (value,))


def drop(theirs: str) -> Rule:
    """A tensor that is not needed (for example of a backbone's classifier); such a layout can only be imported."""
    return Rule((theirs,), None, lambda ts: None, None)


def convert(table: Iterable[Rule], state: Mapping[str, Tensor]) -> State:
    """Their tensors under our names. Raises FileError for a name without a rule, or an incomplete group."""
    ours: State = {}
    left = dict.fromkeys(state)
    for rule in table:
        for found in _matches(rule.theirs[0], left):
            names = [p.format(**found) for p in rule.theirs]
            missing = [n for n in names if n not in left]
            if missing:
                raise FileError(f"the file contains '{names[0]}' but not the corresponding '{missing[0]}'")
            made = rule.read(tuple(state[n] for n in names))
            if made is not None and rule.ours is not None:
                ours[rule.ours.format(**found)] = made
            shared_names = {p.format(**found) for p in rule.keeps}
            for n in names:
                if n not in shared_names:
                    del left[n]
    if left:
        raise FileError(f"{len(left)} tensors do not belong to this network: {some(left)}")
    return ours


def restore(table: Iterable[Rule], state: Mapping[str, Tensor]) -> State:
    """Our tensors under their names; inverse of `convert`."""
    theirs: State = {}
    left = dict.fromkeys(state)
    for rule in table:
        if rule.write is None:
            raise FileError("this layout can be read but not written: some of its tensors are not kept")
        if rule.ours is None:
            theirs.update(zip(rule.theirs, rule.write(None)))
            continue
        for found in _matches(rule.ours, left):
            name = rule.ours.format(**found)
            theirs.update(zip((p.format(**found) for p in rule.theirs), rule.write(state[name])))
            del left[name]
    if left:
        raise FileError(f"{len(left)} tensors are not part of this layout: {some(left)}")
    return {name: t.contiguous() for name, t in theirs.items()}


def some(names: Iterable[str], n: int = 3) -> str:
    """The first names, for a one-line message."""
    names = list(names)
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")


def _whole(t: Tensor | None) -> Tensor:
    if t is None:
        raise FileError("a tensor is missing")
    return t


_HOLE = re.compile(r"\{(\w+)\}")


@cached(None)
def _regex(pattern: str) -> re.Pattern[str]:
    def hole(m: re.Match[str]) -> str:
        name = m[1]
        return f"(?P<{name}>{r'[0-9]+' if len(name) == 1 else '.+' if name == 'key' else r'[A-Za-z_]+'})"

    parts = re.split(r"(\{\w+\})", pattern)
    return re.compile("".join(_HOLE.sub(hole, p) if p.startswith("{") else re.escape(p) for p in parts))


def _matches(pattern: str, names: Iterable[str]) -> list[dict[str, str]]:
    return [m.groupdict() for name in names if (m := _regex(pattern).fullmatch(name))]
