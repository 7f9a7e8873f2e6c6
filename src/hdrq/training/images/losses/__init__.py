"""Losses on images, one a file. See hdrq.training.images.loss."""
