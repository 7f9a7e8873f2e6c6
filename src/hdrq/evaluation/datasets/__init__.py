"""Archives as lists of pairs, one per file."""
