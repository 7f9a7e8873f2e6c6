"""PieAPP adapted to HDR with labels: KADID-10k simulated on HDR displays, with its scores from SDR displays."""

from hdrq.training.adaptation_recipes import configured

pieapp_hs = configured("pieapp-hs", "pieapp", "S_HS", ("adapt",))
