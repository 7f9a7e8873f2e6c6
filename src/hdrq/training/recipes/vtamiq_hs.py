"""VTAMIQ adapted to HDR with labels: KADID-10k simulated on HDR displays, with its scores from SDR displays."""

from hdrq.training.adaptation_recipes import adapted

vtamiq_hs = adapted(
    "vtamiq-hs",
    "S_HS",
    ("adapt",),
    target="kadid",
    target_display="hdr",
    target_labels="kadid",
    epochs=4,
)
