"""Alignment of exposures: threshold bitmaps, registration, optical flow."""
