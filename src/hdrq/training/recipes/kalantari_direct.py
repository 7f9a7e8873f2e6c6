"""Kalantari's direct network on synthesised brackets: radiance of three frames."""

from hdrq.training.images.merge_teaching import merging

kalantari_direct = merging(
    "kalantari-direct",
    net="kalantari-direct",
    source="Kalantari & Ramamoorthi 2017, doi:10.1145/3072959.3073609: L2 of mu-law code, Adam at 1e-4",
    loss={"mu:l2": 1.0},
    shift=1.0,  # what optical flow leaves
    speed=3.0,
)
