"""Training of learned metrics: data, losses, domain adaptation, meta-learning, checkpoints."""
