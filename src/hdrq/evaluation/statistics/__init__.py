"""Correlations, fits, intervals and tests."""
