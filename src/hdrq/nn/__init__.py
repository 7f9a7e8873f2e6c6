"""Networks: layers, nets (one per file), their weights, and import of other programs' checkpoints."""
