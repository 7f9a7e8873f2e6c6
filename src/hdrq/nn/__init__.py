"""Networks: layers, nets (one a file), their weights, and checkpoints of other programs."""
