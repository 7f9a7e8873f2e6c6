"""PU21 fitted to banding without glare."""

from hdrq.encoding.curves import pu21_encoding

pu21_banding = pu21_encoding(
    "pu21-banding",
    (1.070275272, 0.4088273932, 0.153224308, 0.2520326168, 1.063512885, 1.14115047, 521.4527484),
    "fitted to banding",
)
