"""Solvers behind the operators: Poisson, contrast pyramids, weighted least squares."""
