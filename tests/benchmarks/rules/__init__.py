"""The regret of the suggestion rules; see `python -m tests.benchmarks.rules --help` and RESULTS.md."""
