"""HDR to a display and SDR back to HDR: operators, expanders, optimisation of their parameters."""
