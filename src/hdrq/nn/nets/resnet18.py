"""ResNet-18 with torchvision's names, with or without its classifier."""

from hdrq.nn.layers.resnet import Basic, torchvision_resnet

resnet18 = torchvision_resnet("resnet18", Basic, (2, 2, 2, 2), "layer1.0.conv1.weight")
