"""Training runs, one a file."""
