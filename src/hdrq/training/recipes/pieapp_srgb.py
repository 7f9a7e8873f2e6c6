"""PieAPP trained on sRGB code of KADID-10k from VGG16 weights, as initial weights for HDR."""

from hdrq.training.adaptation_recipes import RETRAINED_PIEAPP, pretrained

pieapp_srgb = pretrained(
    "pieapp-srgb",
    "pieapp",
    fits=("plain",),
    options=RETRAINED_PIEAPP,
    start="vgg16",
    batch=8,
    patches=96,
    test_patches=1024,
)
