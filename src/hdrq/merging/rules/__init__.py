"""Averaging rules from frames to radiance, one per file; the file name is the name for --rule."""
