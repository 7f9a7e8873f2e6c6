"""Distilling: what a set is (rows), what it is cut from (sources), how a row becomes light (rendering), what the
teacher says of it (teaching), whether that can be learnt (checks), who learns it (pupil), and how well (account).

From top to bottom it is hdrq.engine.distill.
"""
