"""VTAMIQ adapted to HDR with labels: KADID-10k as if shown on HDR displays, with its scores of SDR ones."""

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
