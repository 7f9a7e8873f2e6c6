"""VTAMIQ adapted to HDR without labels: KADID-10k simulated on HDR displays."""

from hdrq.training.adaptation_recipes import adapted

vtamiq_hu_kadid = adapted(
    "vtamiq-hu-kadid", "S_HU_KADID", ("adapt:kadid",), target="kadid", target_display="hdr"
)
