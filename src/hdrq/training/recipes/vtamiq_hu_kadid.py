"""VTAMIQ adapted to HDR without labels: KADID-10k simulated on HDR displays."""

from hdrq.training.adaptation_recipes import configured

vtamiq_hu_kadid = configured("vtamiq-hu-kadid", "vtamiq", "S_HU_KADID", ("adapt:kadid",))
