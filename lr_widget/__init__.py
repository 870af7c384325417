"""A learning-rate range test for PyTorch that leaves the model untouched, in scripts and live in notebooks."""

__version__ = "0.1.0"
