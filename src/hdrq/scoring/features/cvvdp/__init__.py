"""What ColorVideoVDP is made of: pyramid, observer, pooling, heat maps.

quality  Quality of ColorVideoVDP: differences of bands, masked, pooled and mapped to JOD, and the map drawn of them
vision   The observer: opponent colours, contrast sensitivity, masking; the pyramid
"""
