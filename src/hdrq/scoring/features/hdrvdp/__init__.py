"""Stages of HDR-VDP: from light on the retina to responses whose differences may be visible.

colour (spectra) -> eye (optics, photoreceptors) -> retina (adaptation) -> features/steerable.py -> contrast (sensitivity,
masking); civdm compares bands for DRIM, deghosting and the task civdm.
Source: Mantiuk et al. 2011, doi:10.1145/2010324.1964935; HDR-VDP 2.2.1 and 3.0.7.
"""
