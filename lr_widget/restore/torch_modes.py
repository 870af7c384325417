"""Undo for torch's gradient and autocast modes."""

from __future__ import annotations

from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from .containers import Undo


def torch_modes_undo() -> Undo:
    """Return an undo that resets torch's gradient and autocast modes to their present values.

    Leaving a `with torch.autocast(...)` or `with torch.no_grad()` runs several lines of Python, and a Ctrl-C between
    them leaves the mode on for good.
    """
    grad_enabled, cache_enabled = torch.is_grad_enabled(), torch.is_autocast_cache_enabled()
    device_types = {"cpu", *(("cuda",) if torch.cuda.is_initialized() else ())}
    autocast = [(kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in device_types]
    nesting = _autocast_nesting()

    def undo() -> None:
        torch.set_grad_enabled(grad_enabled)
        for kind, is_enabled, dtype in autocast:
            torch.set_autocast_enabled(kind, is_enabled)
            torch.set_autocast_dtype(kind, dtype)
        torch.set_autocast_cache_enabled(cache_enabled)
        while _autocast_nesting() > nesting:
            torch.autocast_decrement_nesting()

    return undo


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
    return list(map(_CALL, _NESTING_CALLS))[-1] if _NESTING_CALLS else 0
