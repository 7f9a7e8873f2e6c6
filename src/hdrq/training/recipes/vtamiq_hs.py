"""VTAMIQ adapted to HDR with labels: KADID-10k simulated on HDR displays, with its scores from SDR displays."""

from hdrq.training.adaptation_recipes import configured

vtamiq_hs = configured("vtamiq-hs", "vtamiq", "S_HS", ("adapt",))
