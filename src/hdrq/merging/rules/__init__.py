"""Rules that average frames to radiance, one a file: the file name is the name in --rule."""
