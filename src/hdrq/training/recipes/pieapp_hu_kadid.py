"""PieAPP adapted to HDR without labels: KADID-10k simulated on HDR displays."""

from hdrq.training.adaptation_recipes import configured

pieapp_hu_kadid = configured("pieapp-hu-kadid", "pieapp", "S_HU_KADID", ("adapt:kadid",))
