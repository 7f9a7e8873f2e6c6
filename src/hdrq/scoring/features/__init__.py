"""What several metrics share.

cvvdp/                What ColorVideoVDP is made of: pyramid, observer, pooling, heat maps
hdrvdp/               Stages of HDR-VDP: from light on the retina to responses whose differences may be visible
tables/               Numbers measured or trained by others; NOTICE states their origin
block_cosines         The 8x8 cosine transform of JPEG, and the weights that PSNR-HVS gives its coefficients
butteraugli_bands     Frequency bands of an image in the opponent space of Butteraugli
color_difference      Colour spaces of absolute light, and differences of colours in them
flip_error            The error map of FLIP: how different two images look when an observer alternates between them
hdrtools_light        XYZ, transfer functions and L*a*b* in the digits of HDRTools (JCT-VC/MPEG)
information           Models of the information metrics: the distortion channel and the Gaussian scale mixture
malta                 Butteraugli's Malta filter: differences along lines
natural_statistics    Normalised coefficients of natural images and their distributions (BRISQUE, NIQE, PIQE)
network_scores        Learned metrics: distances of deep features, shares of the best quality, patches
normalized_laplacian  The normalised Laplacian pyramid (NLPD)
phase                 Log-Gabor filters, phase congruency, and the phase agreement of FSITM
pixel_errors          Errors of pixels, decibels, and pooling: means, percentiles, weighted percentiles
similarity            Similarity of feature maps; luminance and structure of SSIM; features of FSIM
steerable             The steerable pyramid of spatial filters (Simoncelli & Freeman 1995), multiplied in the Fourier domain
tone_fidelity         What a tone-mapped image keeps of a scene's local structure, as TMQI and TMQI-II compare it
"""
