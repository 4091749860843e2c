"""Benchmarks: of the tasks, a script each, and of speed, `benchmarks.speed`."""
