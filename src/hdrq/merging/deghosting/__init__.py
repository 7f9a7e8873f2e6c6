"""Deghosting: detection of moving objects, and their removal.

bitmap_ghosts         Factors on the weights of frames where threshold bitmaps contradict each other
code_tables           What every code of a frame says of the scene's radiance, as tables
expected_deviation    How far frames deviate from each other where nothing moves
ghost_detection       Detection of motion between exposures, and choice of the frame to use there
ghost_weights         Factors on the weights of frames that contradict the reference
patch_match           Hole filling by patches from elsewhere, coarse to fine
patch_reconstruction  Reconstruction of frames as if nothing had moved since the reference was taken
"""
