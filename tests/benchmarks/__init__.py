"""Comparisons and timings at the real size, each a command of its own; the test suite runs none."""
