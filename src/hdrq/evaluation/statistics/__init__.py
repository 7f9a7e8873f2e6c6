"""Correlations, curve fits, confidence intervals and tests."""
