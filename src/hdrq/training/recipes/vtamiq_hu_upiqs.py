"""VTAMIQ adapted without labels to the SDR part of UPIQ in absolute luminance (.exr files)."""

from hdrq.training.adaptation_recipes import configured

vtamiq_hu_upiqs = configured("vtamiq-hu-upiqs", "vtamiq", "S_HU_UPIQS")
