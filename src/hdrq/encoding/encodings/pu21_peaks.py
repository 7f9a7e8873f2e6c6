"""PU21 fitted to the peaks of the contrast sensitivity function."""

from hdrq.encoding.curves import pu21_encoding

pu21_peaks = pu21_encoding(
    "pu21-peaks",
    (1.043882782, 0.6459495343, 0.3194584211, 0.374025247, 1.114783422, 1.095360363, 384.9217577),
    "fitted to peak sensitivity",
)
