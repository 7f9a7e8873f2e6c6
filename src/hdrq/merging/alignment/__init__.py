"""Alignment of frames: threshold bitmaps, correlation, matched features, optical flow."""
