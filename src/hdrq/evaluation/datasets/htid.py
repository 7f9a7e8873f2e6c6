"""HTID of the Tampere group: photographs with mean subjective scores, one of the sets of IMQNet's tests."""

from hdrq.evaluation.tampere import imqnet_test_set

htid = imqnet_test_set("htid")
