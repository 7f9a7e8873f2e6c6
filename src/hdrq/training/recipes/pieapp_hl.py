"""PieAPP adapted to HDR with labels, on the HDR part of UPIQ."""

from hdrq.training.adaptation_recipes import configured

pieapp_hl = configured("pieapp-hl", "pieapp", "S_HL", ("adapt:upiq",))
