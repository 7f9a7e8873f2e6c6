"""Any metric into a small, fast network: samples, distortions, teacher scores, student, report."""
