"""Exposures of one scene merged to radiance, or fused to a displayable image.

alignment/      Alignment of frames: threshold bitmaps, correlation, feature matching, optical flow
deghosting/     Deghosting: detection of moving objects, and their removal
response/       Camera response: estimation, calibration of a stack, and files
rules/          Averaging rules from frames to radiance, one per file; the file name is the name for --rule
sequence/       Videos of alternating exposures, and mosaics whose pixels have different exposures
api             hdrq.merge, settings, reports: what commands import
averaging       Weighted averaging of frames to radiance: every frame is added to running sums, strip by strip
brackets        Merging of many brackets, each to a file, as a job that may be divided
cards           Averaging rules and response estimators: a pure function and its card
exposure_stack  Frames of one scene as codes or floats of their files, with what they have in common
file_settings   What the files of a stack hold, where they do not say so themselves
fusion          Exposure fusion of a stack, frame by frame
merge           Merge exposures of one scene to radiance, or fuse them to an image
merged          The result of a merge
network         Merging and fusion by a network: --method NET or NET@WEIGHTS
noise           Noise model of a camera: variance of the exposure that a code stands for
output          The files of a merge: radiance with its provenance, PQ code where the format holds code
raw_render      Conversion of merged sensor values to an image: demosaicing, white balance, BT.709, orientation
report          The findings of a merge as one record
report_page     The report of a merge: its table of frames and its facts as text, an HTML page, and a plot of the response
scale           The unit of a merge: cd/m² where time, aperture and ISO are known, or ratios
sequence_files  Merging of a sequence to a folder: one file for each frame, streamed and resumed
settings        Settings of a merge, and which of them contradict each other
stages          Names of the steps of a merge, for progress messages
weights         Weights of codes by their distance to black and to clipping
"""
