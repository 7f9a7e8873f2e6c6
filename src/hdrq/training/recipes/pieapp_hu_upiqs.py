"""PieAPP adapted without labels to the SDR part of UPIQ in absolute luminance (.exr files)."""

from hdrq.training.adaptation_recipes import configured

pieapp_hu_upiqs = configured("pieapp-hu-upiqs", "pieapp", "S_HU_UPIQS")
