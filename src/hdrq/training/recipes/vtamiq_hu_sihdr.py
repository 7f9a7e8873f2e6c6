"""VTAMIQ adapted to HDR without labels: the scenes of SI-HDR on HDR displays."""

from hdrq.training.adaptation_recipes import adapted

vtamiq_hu_sihdr = adapted(
    "vtamiq-hu-sihdr", "S_HU_SIHDR", ("adapt:sihdr",), target="sihdr", target_display="hdr-linear"
)
