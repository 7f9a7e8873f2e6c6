"""Alignment of frames: threshold bitmaps, correlation, feature matching, optical flow."""
