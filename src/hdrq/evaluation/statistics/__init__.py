"""Correlations, curve fits, confidence intervals and tests.

agreement        Agreement of a metric with subjective scores: the record, and the statistics that fill it
bootstrap        Confidence intervals of correlations by a bootstrap over scenes (sampling with replacement)
correlation      Rank and linear correlation of two samples, and of many weighted copies of them at once
curves           Curves from a metric's scale to the scale of the subjective scores, fitted by least squares
resolving_power  Resolving power: how well a metric detects differences between images and tells which image is better
tsne             t-SNE: points of many dimensions on a plane, so that neighbours stay neighbours
"""
