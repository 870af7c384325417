"""How good are the suggestion rules? See `python -m tests.benchmarks.rules --help` and RESULTS.md."""
