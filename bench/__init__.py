"""The benchmark: measured beside peers, with its method (README.md) and results (RESULTS.md)."""
