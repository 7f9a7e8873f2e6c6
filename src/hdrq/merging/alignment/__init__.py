"""Alignment of frames: threshold bitmaps, correlation, feature matching, optical flow.

align             Alignment of a stack: neighbouring exposures are registered, and their motions are chained to the reference
ecc               Subpixel registration of frames: translation, rotation, affine transform or homography
feature_matching  Initial homography from matched corners, for frames too far apart or too rotated for bitmaps and correlation
mtb               Translations between exposures from median threshold bitmaps, which are nearly independent of exposure
optical_flow      Dense displacement between two aligned frames, for parallax and moving objects
placement         Where the pixels of every frame of an aligned stack lie
registration      Registration of two neighbouring exposures, and the chain of such motions to the reference frame
resample          Strips of a frame, resampled to the reference
"""
