"""Numbers of a JPEG XL header: read from a bit stream.

Source: ISO/IEC 18181-1:2024, annex B.
"""

from __future__ import annotations

import struct


class Bits:
    """Reads numbers from a bit stream, least significant bit first. `at` is the position in bits."""

    def __init__(self, data: bytes) -> None:
        self.number, self.size, self.at = int.from_bytes(data, "little"), 8 * len(data), 0

    def u(self, count: int) -> int:
        if count > self.size - self.at:
            raise ValueError("the header is incomplete")
        value = (self.number >> self.at) & ((1 << count) - 1)
        self.at += count
        return value

    def u32(self, *choices: tuple[int, int]) -> int:
        """A number in one of four forms (bits, offset)."""
        bits, offset = choices[self.u(2)]
        return self.u(bits) + offset

    def u64(self) -> int:
        kind = self.u(2)
        if kind == 0:
            return 0
        if kind < 3:
            return self.u(4) + 1 if kind == 1 else self.u(8) + 17
        value, shift = self.u(12), 12
        while self.u(1):
            if shift == 60:
                return value | self.u(4) << shift
            value, shift = value | self.u(8) << shift, shift + 8
        return value

    def enum(self) -> int:
        return self.u32((0, 0), (0, 1), (4, 2), (6, 18))

    def f16(self) -> float:
        result: float = struct.unpack("<e", struct.pack("<H", self.u(16)))[0]
        return result

    def xy(self) -> tuple[float, float]:
        """A signed number in millionths."""
        raw = [self.u32((19, 0), (19, 524288), (20, 1048576), (21, 2097152)) for _ in range(2)]
        x, y = ((v >> 1) ^ -(v & 1) for v in raw)
        return x / 1e6, y / 1e6
