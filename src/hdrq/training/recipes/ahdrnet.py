"""AHDRNet on synthesised brackets: three frames with motion, merged to the radiance of the middle one."""

from hdrq.training.images.merging_recipes import merging

ahdrnet = merging(
    "ahdrnet",
    net="ahdrnet",
    source="Yan et al. 2019, doi:10.1109/CVPR.2019.00185: L1 of mu-law code, Adam at 1e-4; its brackets were photographed",
)
