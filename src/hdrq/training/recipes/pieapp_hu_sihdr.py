"""PieAPP adapted to HDR without labels: the scenes of SI-HDR on HDR displays."""

from hdrq.training.adaptation_recipes import configured

pieapp_hu_sihdr = configured("pieapp-hu-sihdr", "pieapp", "S_HU_SIHDR", ("adapt:sihdr",))
