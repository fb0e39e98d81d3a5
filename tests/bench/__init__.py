"""Benchmarks: each prints a ratio against a named peer of the same run; none of them is a test."""
