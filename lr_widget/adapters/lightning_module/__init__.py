"""A LightningModule as keywords of `range_test`."""

from .adapter import lightning

__all__ = ["lightning"]
