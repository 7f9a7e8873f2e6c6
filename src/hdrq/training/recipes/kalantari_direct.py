"""Kalantari's direct network on synthesised brackets: radiance of three frames."""

from hdrq.training.images.merging_recipes import merging_after_flow

kalantari_direct = merging_after_flow("kalantari-direct", net="kalantari-direct")
