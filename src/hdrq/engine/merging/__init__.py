"""The steps of a merge, in order: bracket, alignment, calibration, combination or fusion, report."""
