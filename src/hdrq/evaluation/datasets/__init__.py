"""Archives as lists of pairs, one a file."""
