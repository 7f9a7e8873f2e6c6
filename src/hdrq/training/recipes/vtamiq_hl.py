"""VTAMIQ adapted to HDR with labels, on the HDR part of UPIQ."""

from hdrq.training.adaptation_recipes import configured

vtamiq_hl = configured("vtamiq-hl", "vtamiq", "S_HL", ("adapt:upiq",))
