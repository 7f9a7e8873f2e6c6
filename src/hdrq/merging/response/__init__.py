"""Camera response: estimation, calibration of a stack, and files.

estimators/      Camera response estimators, one per file; the file name is the name for --response
calibration      Calibration from pixels: the camera's response, the true exposures, the noise
curve            Camera response: the exposure (light x time, relative) of every code
exposure_ratios  Exposure ratios estimated from the pixels
files            Camera response files: hdrq's JSON, tables of numbers, and Radiance's .rsp polynomials
samples          Samples of the same scene points in all frames of a stack, for all estimates from pixels
telling          Channels from which a response can be estimated, and the response of those that are black or clipped
"""
