"""Colour code points in an AV1 stream, for AVIF files without their own. Source: AV1 Bitstream Specification, 5.5."""

from __future__ import annotations

SEQUENCE_HEADER = 1


class _Bits:
    """Reads numbers from a bit stream, most significant bit first. Reading past the end raises IndexError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def u(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self.data[self.at >> 3] >> (7 - (self.at & 7)) & 1)
            self.at += 1
        return value

    def uvlc(self) -> int:
        zeros = 0
        while not self.u(1):
            zeros += 1
        return self.u(zeros) + (1 << zeros) - 1


def code_points_of(stream: bytes) -> tuple[int, int] | None:
    """(primaries, transfer) of the first sequence header; None without a header or colour description."""
    at = 0
    try:
        while at < len(stream):
            head = stream[at]
            at += 2 if head & 4 else 1
            size, shift = 0, 0
            if head & 2:
                while True:
                    byte = stream[at]
                    at += 1
                    size |= (byte & 127) << shift
                    shift += 7
                    if not byte & 128:
                        break
            else:
                size = len(stream) - at
            if head >> 3 & 15 == SEQUENCE_HEADER:
                return _colours(_Bits(stream[at : at + size]))
            at += size
    except IndexError:
        pass
    return None


def _colours(bits: _Bits) -> tuple[int, int] | None:
    """Parse sequence_header_obu() up to color_config()."""
    profile, _, reduced = bits.u(3), bits.u(1), bits.u(1)
    if reduced:
        bits.u(5)
    else:
        model = False
        # timing
        if bits.u(1):
            bits.u(64)
            if bits.u(1):
                bits.uvlc()
            model = bool(bits.u(1))
            if model:
                delay = bits.u(5) + 1
                bits.u(32 + 5 + 5)
        initial_delay = bits.u(1)
        for _ in range(bits.u(5) + 1):
            bits.u(12)
            if bits.u(5) > 7:
                bits.u(1)
            if model and bits.u(1):
                bits.u(2 * delay + 1)
            if initial_delay and bits.u(1):
                bits.u(4)
    wide, high = bits.u(4) + 1, bits.u(4) + 1
    bits.u(wide + high)
    # frame numbers
    if not reduced and bits.u(1):
        bits.u(7)
    # superblocks, filter intra, intra edge
    bits.u(3)
    if not reduced:
        # interintra, masked compound, warped motion, dual filter
        bits.u(4)
        # order hint
        if bits.u(1):
            order = True
            bits.u(2)
        else:
            order = False
        choose = bits.u(1)
        forced = 2 if choose else bits.u(1)
        if forced > 0 and not bits.u(1):
            bits.u(1)
        if order:
            bits.u(3)
    # superres, cdef, restoration
    bits.u(3)
    deep = bits.u(1)
    if profile == 2 and deep:
        bits.u(1)
    if profile != 1:
        # monochrome
        bits.u(1)
    if not bits.u(1):
        return None
    return bits.u(8), bits.u(8)
