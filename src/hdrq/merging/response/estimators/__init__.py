"""Camera response estimators, one a file: the file name is the name in --response."""
