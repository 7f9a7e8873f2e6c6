"""Agreement of metrics with subjective scores: datasets, statistics, protocols, reports."""
