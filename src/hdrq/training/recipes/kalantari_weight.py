"""Kalantari's network of weights on synthesised brackets: a weighted mean of three frames."""

from hdrq.training.images.merging_recipes import merging_after_flow

kalantari_weight = merging_after_flow("kalantari-weight", net="kalantari-weight")
