"""Stages of HDR-VDP: from light on the retina to responses whose differences may be visible.

colour (spectra) -> eye (optics, photoreceptors) -> retina (adaptation) -> features/steerable.py -> contrast (sensitivity,
masking); civdm compares bands for DRIM, deghosting and the task civdm.
Source: Mantiuk et al. 2011, doi:10.1145/2010324.1964935; HDR-VDP 2.2.1 and 3.0.7.

civdm     Structure that is visible in one image but not in the other, independent of their dynamic ranges
colour    Colours of HDR-VDP: from pixels to light of a display's channels
contrast  Contrast sensitivity, masking, constants of the tasks
eye       The optics of the eye and the response of cones and rods, as HDR-VDP models them
retina    From light to the retina's response: optics, cones and rods, adaptation (HDR-VDP 3)
"""
