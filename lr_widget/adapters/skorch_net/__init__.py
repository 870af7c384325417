"""An skorch net as keywords of `range_test`."""

from .net import skorch

__all__ = ["skorch"]
