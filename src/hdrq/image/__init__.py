"""Tensor operations on images: colour, transfer functions, filters, resizing, pyramids, warping, statistics."""
