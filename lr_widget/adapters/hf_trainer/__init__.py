"""A `transformers.Trainer` as keywords of `range_test`."""

from .trainer import transformers

__all__ = ["transformers"]
