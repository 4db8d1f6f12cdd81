"""Comparisons and timings at the real size; the test suite runs none.

`python -m tests.benchmarks` runs the tables against others; prefix and untouched are commands of
their own.
"""
