"""Tensor operations on images: colour, transfer functions, filters, resizing, pyramids, warping, statistics.

adaptive_log     The logarithm whose steepness gives a scene the histogram of ordinary photographs
arithmetic       Powers and roots with finite gradients, a check for NaN and Inf, searches, and codes: whole numbers, counts
blur             Gaussian blurs of any width, and point spread functions of lenses and motion
caching          Results that are remembered: tables for all calls, and transforms that the metrics of one call share
color            Colour spaces, luminance and luma, and the primaries in which operators compute
dct              The discrete cosine transform (DCT-II), computed by real FFTs of the same length
devices          The device that a name means
edge_preserving  Edge-preserving smoothing: bilateral filters and grids, guided filter
exposure_fusion  Exposure fusion: images of different exposures are blended in Laplacian pyramids
filters          Kernels, separable filtering, gradients, borders
pyramids         Laplacian pyramid with binomial filters and mirrored borders (the edge sample is not repeated)
render           A small synthetic HDR scene: a dim room with a bright window, a lamp and three balls
resize           Resizing as MATLAB's imresize, as scikit-image's anti-aliased resize, and by box averages
sampled          Sampled functions: integrals, interpolation, and lengths that Fourier transforms like
segments         Groups of connected pixels of one category, the nearest larger group, and means over groups
statistics       Averages, extremes and quantiles for tone mapping, and their blending over the frames of a video
transfer         Transfer functions of displays: sRGB, PQ and HLG, both directions
warp             Image warping: homographies, dense displacement and subpixel shifts
"""
