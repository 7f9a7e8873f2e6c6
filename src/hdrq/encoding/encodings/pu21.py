"""PU21, variant "banding and glare": the default perceptually uniform encoding of absolute light."""

from hdrq.encoding.curves import pu21_encoding

pu21 = pu21_encoding(
    "pu21",
    (0.353487901, 0.3734658629, 8.277049286e-5, 0.9062562627, 0.09150303166, 0.9099517204, 596.3148142),
    "fitted to banding with glare",
)
