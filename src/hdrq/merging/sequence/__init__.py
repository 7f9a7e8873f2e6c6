"""Capture of more range than one exposure has: exposures that alternate over frames, or differ between pixels.

alternating    Each frame of a video merged with its neighbours of other exposures
assorted       Mosaics whose pixels have different exposures, each merged to radiance
capture        How a sequence was captured: settings, and which of them contradict each other
interpolation  Radiance at every pixel of a mosaic, from its own value and its neighbours of other exposures
layout         Which exposure and which colour every pixel of a mosaic has
shots          Frames of a sequence in order, each read when it is needed, with its exposure
"""
