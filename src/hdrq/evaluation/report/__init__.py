"""An evaluation as one HTML page, with tables and figures."""
