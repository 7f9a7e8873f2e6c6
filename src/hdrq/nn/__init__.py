"""Networks: layers, nets (one per file), their weights, and import of other programs' checkpoints.

layers/                Building blocks of networks
nets/                  Networks, one per file
api                    Weights of learned metrics, installed or published; import, download, verification: what commands import
download               Download of files, with resumption
feature_contrast       Masked contrasts of the features of VGG16, by which a tone-mapped image is compared with its scene
foreign_files          Read weight files of other programs without executing code from them
image_networks         What networks that make images share: their use, tiles, three exposures as input
import_weights         Import of weights of other programs: recognise the layout, convert every tensor, write a card
keys                   Rules for tensor names: conversion of the state_dict of another program to ours, and back
net                    Entries of nn/nets: how a network is built, trained and loaded from the files of other programs
network_input          Input of networks: code scaled by the white of the training, then by mean and standard deviation
networks               Networks that make images, by the names NET and NET@WEIGHTS
tensorflow_checkpoint  Checkpoints of TensorFlow 1 (NAME.index beside NAME.data-00000-of-00001), read without TensorFlow
vit_names              Tensor names of vision transformers in other programs: timm, torchvision and the JAX original
weight_files           Files of weights: the folders that contain them, their cards, and their sha256
weights                Weights and their cards: loading, verification against the card, saving
"""
