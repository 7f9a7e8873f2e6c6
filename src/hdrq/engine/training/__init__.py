"""Training: what a run is (run), what it looks at (pixels, screens, feed), who learns (learner), what is kept (checkpoint).

The loop itself is hdrq.engine.train.
"""
