"""sRGB code of light relative to the display's white."""

from hdrq.encoding.curves import relative
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear

srgb = relative("srgb", linear_to_srgb, srgb_to_linear, source="IEC 61966-2-1:1999")
