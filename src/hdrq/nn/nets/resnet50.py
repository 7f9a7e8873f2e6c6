"""ResNet-50 with torchvision's names, with or without its classifier."""

from hdrq.nn.layers.resnet import Bottleneck, torchvision_resnet

resnet50 = torchvision_resnet("resnet50", Bottleneck, (3, 4, 6, 3), "layer1.0.conv3.weight")
