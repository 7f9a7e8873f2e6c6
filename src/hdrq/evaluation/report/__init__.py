"""The HTML report of an evaluation, with tables and figures."""
