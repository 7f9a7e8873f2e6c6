"""Checkpoints of TensorFlow 1 (NAME.index beside NAME.data-00000-of-00001), read without TensorFlow.

The index is a sorted table of LevelDB: blocks of entries with shared prefixes, and a block that lists them. Its values are
protocol buffers: the type, shape and place of a tensor in the data files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import FileError

_MAGIC = bytes.fromhex("57fb808b247547db")
# bytes
_FOOTER = 48
_KINDS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 10: "?", 19: "<f2"}
# Variables of the training: moments of Adam, powers of its rates, the number of steps.
_SLOTS = ("/Adam", "/Adam_1", "/Momentum", "/RMSProp", "/RMSProp_1")
_COUNTERS = ("beta1_power", "beta2_power", "global_step")


def is_checkpoint(path: Path) -> bool:
    """Whether a file ends as the index of a checkpoint does."""
    if path.suffix != ".index":
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_MAGIC)))
        return file.read() == _MAGIC


def read_checkpoint(index: Path) -> dict[str, Tensor]:
    """The variables by name, without those of an optimiser."""
    held = index.read_bytes()
    place = len(held) - _FOOTER
    # offset and size of the block of metadata, which is not used
    for _ in range(2):
        _, place = _varint(held, place)
    start, place = _varint(held, place)
    size, _ = _varint(held, place)
    found: dict[str, Tensor] = {}
    shards: dict[int, np.ndarray] = {}
    count = 1
    for _, handle in _entries(held, start, size):
        begin, after = _varint(handle, 0)
        length, _ = _varint(handle, after)
        for key, value in _entries(held, begin, length):
            message = _message(value)
            if not key:
                count = int(message.get(1, [1])[0])
                continue
            name = key.decode("utf-8")
            if name.endswith(_SLOTS) or name.rpartition("/")[2] in _COUNTERS:
                continue
            tensor = _tensor(index, name, message, shards, count)
            if tensor is not None:
                found[name] = tensor
    return found


Message = dict[int, list["int | bytes"]]


def _tensor(
    index: Path, name: str, message: Message, shards: dict[int, np.ndarray], count: int
) -> Tensor | None:
    """The tensor that an entry of the index describes; None for a text."""
    kind = _KINDS.get(_number(message, 1))
    if kind is None:
        return None
    if 7 in message:
        raise FileError(f"{index}: '{name}' is stored in slices, which hdrq does not read; save it whole")
    shard, offset, size = (_number(message, field) for field in (3, 4, 5))
    if shard not in shards:
        path = index.with_name(f"{index.stem}.data-{shard:05d}-of-{count:05d}")
        if not path.is_file():
            raise FileError(f"{index} belongs to {path.name}, which is not beside it; copy both")
        shards[shard] = np.fromfile(path, np.uint8)
    shape: list[int] = []
    for part in message.get(2, []):
        for dim in _message(part).get(2, []):  # type: ignore[arg-type]
            shape.append(_number(_message(dim), 1))  # type: ignore[arg-type]
    if offset + size > len(shards[shard]) or size != np.dtype(kind).itemsize * int(np.prod(shape)):
        raise FileError(f"{index}: '{name}' does not lie in its data file; it is damaged or truncated")
    values = shards[shard][offset : offset + size].view(kind).reshape(shape)
    return torch.from_numpy(values.copy())


def _number(message: Message, field: int) -> int:
    """An integer field; 0 where it is missing, as protocol buffers have it."""
    return int(message.get(field, [0])[0])


def _entries(held: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of a block."""
    if held[start + size] != 0:
        raise FileError("the index of this checkpoint is compressed, which hdrq does not read; save it again")
    block = held[start : start + size]
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _message(held: bytes) -> Message:
    """The fields of a protocol buffer: integers, and bytes of anything nested."""
    fields: Message = {}
    at = 0
    while at < len(held):
        tag, at = _varint(held, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(held, at)
            fields.setdefault(tag >> 3, []).append(value)
            continue
        if kind == 2:
            length, at = _varint(held, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise FileError("the index of this checkpoint is damaged")
        fields.setdefault(tag >> 3, []).append(held[at : at + length])
        at += length
    return fields


def _varint(held: bytes, at: int) -> tuple[int, int]:
    """(number, position after it): seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        byte = held[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
