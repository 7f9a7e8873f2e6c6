"""Building blocks of networks.

alexnet             Convolutional layers of AlexNet (torchvision's variant), with the output after every ReLU
channel_attention   Residual channel attention on vectors, as in the quality decoder of VTAMIQ
deep_distance       Differences of unit-normalised deep features with channel weights, as in LPIPS and ST-LPIPS
deformable          Modulated deformable convolution, and the alignment of features in a pyramid by such convolutions
dilated_dense       Dilated dense blocks and attention of a frame to the reference (AHDRNet, ADNet)
feature_tokens      Tokens of image pairs from a pretrained convolutional stem, in place of the linear patch embedding of a ViT
inception_resnet    Inception-ResNet-v2, fully convolutional
inverse_camera      The steps that undo a camera in SingleHDR: quantisation, response curve, and a last refinement
inverted_residuals  Inverted residual blocks with linear bottlenecks, the body of MobileNetV2 and EfficientNet-Lite
kalantari           The four convolutions of Kalantari & Ramamoorthi 2017
pieapp              The network of PieAPP: comparison of patches, and the layouts of its published weights
quality_stages      The network of NoR-VDPNet, NoR-VDPNet++ and DIQM
resnet              Residual networks of basic or bottleneck blocks, with torchvision's names
shift_tolerant      AlexNet and VGG16 with anti-aliased downsampling
squeezenet          Convolutional layers of SqueezeNet 1.1, with the outputs that LPIPS uses
tensorflow          Conventions of TensorFlow: SAME padding, kernels HWIO, batch norm
transformer         The vision transformer: tokens from patches, self-attention, pre-norm blocks
vgg                 Convolutional layers of VGG16, with the outputs of its stages
vgg_autoencoder     Autoencoder of highlights: VGG16 as encoder, and a decoder that is joined with every stage of it
"""
