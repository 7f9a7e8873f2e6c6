"""Scores of images: a metric bound to what it needs, batches, error maps, resumption."""
