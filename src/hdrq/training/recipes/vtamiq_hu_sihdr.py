"""VTAMIQ adapted to HDR without labels: the scenes of SI-HDR on HDR displays."""

from hdrq.training.adaptation_recipes import configured

vtamiq_hu_sihdr = configured("vtamiq-hu-sihdr", "vtamiq", "S_HU_SIHDR", ("adapt:sihdr",))
