"""VTAMIQ adapted to HDR with labels, on the HDR part of UPIQ."""

from hdrq.training.adaptation_recipes import adapted

vtamiq_hl = adapted(
    "vtamiq-hl",
    "S_HL",
    ("adapt:upiq",),
    source_display="sdr-constant",
    target="upiq",
    target_subset="hdr",
    target_display="nits",
    target_labels="jod",
    target_repeat=8,
    held_from="target",
    epochs=15,
)
