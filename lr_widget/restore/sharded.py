"""Fully sharded models: the weights that they have gathered from other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Iterable


def drop_gathered(modules: Iterable[Any], *, has_failed: bool = False) -> None:
    """Let fully sharded models drop the weights that they have gathered; to be called before shards are put back.

    After a forward pass without a backward pass, the outermost wrapper keeps them, and the next forward pass would use
    these instead of the shards: tests/distributed/test_no_trace.py.

    Args:
        modules: the models.
        has_failed: true at the end of a test, which an exception may have cut in the middle of a pass.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    for root in modules:
        if has_failed and hasattr(root, "reset_iter_state"):  # FSDP2 of newer torch
            root.reset_iter_state()
        for module in root.modules():
            handle = getattr(module, "_handle", None)  # FSDP1, which has no public call for it
            if handle is not None and getattr(handle, "uses_sharded_strategy", False):
                handle.reshard(free_unsharded_flat_param=True)
                handle.post_reshard()
            elif hasattr(module, "_get_fsdp_state"):  # FSDP2
                module.reshard()
