"""Benchmark of the rate for a training: how good it is after 100, 400, 1,600 and 6,400 steps, in three schedules."""
