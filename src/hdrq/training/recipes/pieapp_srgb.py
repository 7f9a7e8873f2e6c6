"""PieAPP trained on sRGB code of KADID-10k from VGG16 weights, as initial weights for HDR."""

from hdrq.training.adaptation_recipes import pretrained

pieapp_srgb = pretrained("pieapp-srgb", "pieapp", fits=("plain",), start="vgg16")
