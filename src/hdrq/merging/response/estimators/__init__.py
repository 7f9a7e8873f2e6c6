"""Camera response estimators, one per file; the file name is the name for --response."""
