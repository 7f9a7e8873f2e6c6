"""Solvers used by operators: Poisson, contrast pyramids, weighted least squares, a network optimised on one image.

contrast_pyramid           Reconstruction of an image from contrasts between neighbours at every scale, by weighted least squares
contrast_pyramid_opencv    The same with the simplifications of OpenCV 5.0
contrast_pyramid_pfstools  The same with the solver of pfstools 2.2
display_curve              The tone curve that keeps contrasts visible on a display (Mantiuk 2008)
poisson                    Poisson's equation with Neumann boundary conditions, by cosine transforms
self_supervised            A small network of exposures, optimised on the image that it then tone-maps (SelfTMO)
wls                        Edge-preserving propagation: weighted least squares on the pixel grid, by conjugate gradients
"""
