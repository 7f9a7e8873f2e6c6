"""PU21 fitted to the peaks of the contrast sensitivity function, with glare."""

from hdrq.encoding.curves import pu21_encoding

pu21_peaks_glare = pu21_encoding(
    "pu21-peaks-glare",
    (816.885024, 1479.463946, 0.001253215609, 0.9329636822, 0.06746643971, 1.573435413, 419.6006374),
    "fitted to peak sensitivity with glare",
)
