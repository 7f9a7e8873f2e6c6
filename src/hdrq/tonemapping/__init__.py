"""Tone mapping and inverse tone mapping: operators, expanders, optimisation of their parameters.

expanders/        Inverse tone mapping operators (expanders), one per file
operators/        Tone mapping operators, one per file
solvers/          Solvers used by operators: Poisson, contrast pyramids, weighted least squares
adaptation        Visual adaptation: thresholds of cones and rods, and scotopic luminance
api               hdrq.tonemap, hdrq.expand, files and folders: what commands import
color_correction  Correction towards the colours of the scene, and gamut mapping
contact_sheet     Contact sheet: one scene by many operators, side by side, with their names and scores
enhance           Reconstruction of an image at a requested quality, by a network
expansion         Functions shared by expanders: light of code, mask of clipped pixels, and light relative to white
exposure          Automatic exposure; key, white and curve of the photographic operators
file_names        The output file of every input of a call
files             Tone mapping and expansion of files: reading, processing and writing, as jobs that may be divided
networks          Networks as tone mapping operators and expanders, by the names NET and NET@WEIGHTS
operator          Tone mapping operators and expanders: a pure function, and a card that states its input and output
optimize          Optimisation of an operator's parameters for one image by a metric, with or without gradients
parameter_search  Parameter ranges, and searches within them: by gradient, by evolution, along a line
plan              Operators with their checked settings for a display, and both as a file of JSON
prediction        Parameters of an operator predicted by a network: `--auto`
tonemap           Tone mapping of images for a display, and expansion of code to light
ultra_hdr         Ultra HDR JPEG: an SDR image with a gain map to HDR
"""
