"""torch's modes: autocast, gradients on or off, and the train or eval mode of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, _GeneratorContextManager, contextmanager, nullcontext
from types import BuiltinFunctionType
from typing import Any, cast

import torch
from torch import nn

_CALL = cast(Callable[[Callable[[], int]], int], BuiltinFunctionType.__call__)

AutocastFactory = Callable[[], AbstractContextManager[Any]]


def make_autocast(autocast: Any, device: torch.device | None) -> AutocastFactory:
    """Return a maker of autocast contexts from what the user gave: None, True, a dtype, a context, or a maker.

    Raises:
        TypeError: it is none of these.
    """
    device_type = device.type if device is not None else "cpu"
    if autocast is None or autocast is False:
        return nullcontext
    if autocast is True:
        return lambda: torch.autocast(device_type)
    if isinstance(autocast, torch.dtype):
        return lambda: torch.autocast(device_type, dtype=autocast)
    if isinstance(autocast, _GeneratorContextManager):
        raise TypeError(
            "autocast must be a context that can be entered once a step, got one of a @contextmanager function, which "
            "serves only once; give the function that makes it, without calling it"
        )
    if hasattr(autocast, "__enter__") and hasattr(autocast, "__exit__") and not isinstance(autocast, type):
        return lambda: autocast
    if callable(autocast):
        return cast(AutocastFactory, autocast)
    raise TypeError(
        "autocast must be a dtype such as torch.bfloat16, a context such as torch.autocast(...) or True, "
        f"got {autocast!r:.60} of type {type(autocast).__name__}"
    )


@contextmanager
def evaluating(models: Sequence[nn.Module]) -> Iterator[None]:
    """Put every module into eval mode without gradients, and each one's own flag back afterwards."""
    flags = [(module, module.training) for model in models for module in model.modules()]
    try:
        for model in models:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, was_training in flags:
            if type(module).train is not nn.Module.train:  # it does more than set a flag: LoRA merges its weights
                module.train(was_training)
        for module, was_training in flags:
            module.training = was_training


def torch_modes_undo() -> Callable[[], None]:
    """Return what puts torch's gradient and autocast modes back as they are now.

    Leaving a ``with torch.autocast(...)`` or ``with torch.no_grad()`` takes several lines of Python, and a Ctrl-C in
    the midst of them leaves the mode on for good.
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


def _autocast_nesting() -> int:
    # There is no call that only reads it. Both in one go of C, so that no Ctrl-C comes between them.
    up_and_down = (torch.autocast_increment_nesting, torch.autocast_decrement_nesting)
    return list(map(_CALL, up_and_down))[-1]
