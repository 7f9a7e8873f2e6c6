"""Solvers used by operators: Poisson, contrast pyramids, weighted least squares."""
