"""PieAPP fine-tuned on PU21 code of KADID-10k shown on SDR displays, without domain adaptation."""

from hdrq.training.adaptation_recipes import on_light

pieapp_pu = on_light("pieapp-pu", "pieapp")
