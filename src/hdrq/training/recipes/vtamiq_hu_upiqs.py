"""VTAMIQ adapted without labels to the SDR part of UPIQ in absolute luminance (.exr files)."""

from hdrq.training.adaptation_recipes import adapted

vtamiq_hu_upiqs = adapted(
    "vtamiq-hu-upiqs", "S_HU_UPIQS", target="upiq", target_subset="sdr-luminance", target_display="nits"
)
