"""Distillation: train a small network to predict a metric (samples, distortions, teacher scores, student, report)."""
