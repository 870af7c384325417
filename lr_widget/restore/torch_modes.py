"""Read and reset torch's gradient and autocast modes."""

from __future__ import annotations

from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

TorchModes = tuple[Any, ...]

# By names of this module: torch's own dict is so large that each look into it is a miss in the processor's cache.
_has_grad, _has_cache = torch.is_grad_enabled, torch.is_autocast_cache_enabled
_has_autocast, _dtype = torch.is_autocast_enabled, torch.get_autocast_dtype


def read_torch_modes() -> TorchModes:
    """Return torch's present gradient and autocast modes, for `reset_torch_modes`.

    Leaving a `with torch.autocast(...)` or `with torch.no_grad()` runs several lines of Python, and a Ctrl-C between
    them leaves the mode on for good.
    """
    # Few and plain calls: this is done twice a step.
    modes = (_has_grad(), _has_cache(), _autocast_nesting(), _has_autocast("cpu"), _dtype("cpu"))
    if not torch.cuda.is_initialized():
        return modes
    return (*modes, torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda"))


def reset_torch_modes(modes: TorchModes) -> None:
    """Reset torch's gradient and autocast modes to those that `read_torch_modes` returned."""
    if read_torch_modes() == modes:  # nearly always, after each step
        return
    grad_enabled, cache_enabled, nesting, *autocast = modes
    torch.set_grad_enabled(grad_enabled)
    for kind, is_enabled, dtype in zip(("cpu", "cuda"), autocast[::2], autocast[1::2], strict=False):
        torch.set_autocast_enabled(kind, is_enabled)
        torch.set_autocast_dtype(kind, dtype)
    torch.set_autocast_cache_enabled(cache_enabled)
    while _autocast_nesting() > nesting:
        torch.autocast_decrement_nesting()


def _nesting_calls() -> tuple[Any, ...]:
    """Return torch's two calls that raise and lower the count of nested autocast blocks; none where they are gone.

    torch empties its cache of cast weights when the count comes back to 0. A count left too high would keep old casts
    alive, and training under autocast would go on with the old weights: tests/restore/test_torch_modes.py,
    test_casts_of_old_weights_are_not_used_after_an_interrupt. torch documents no way to read the count. Where these
    calls are gone, or are no longer functions in C, it is not corrected.
    """
    calls = [getattr(torch, name, None) for name in ("autocast_increment_nesting", "autocast_decrement_nesting")]
    return tuple(calls) if all(isinstance(call, BuiltinFunctionType) for call in calls) else ()


_NESTING_CALLS = _nesting_calls()
_CALL = cast("Callable[[Any], int]", BuiltinFunctionType.__call__)


def _autocast_nesting() -> int:
    """Return how deep autocast blocks are nested; 0 where torch does not say."""
    # Up and down again within one call into C: between two lines a Ctrl-C would leave the count too high.
    if not _NESTING_CALLS:
        return 0
    _, nesting = map(_CALL, _NESTING_CALLS)
    return nesting
