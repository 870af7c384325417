"""Modes of a step: autocast around the forward pass, eval mode around validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import nn

from ..checks import describe

AutocastFactory = Callable[[], AbstractContextManager[Any]]


def make_autocast(autocast: Any, device: torch.device | None) -> AutocastFactory:
    """Return a maker of autocast contexts from the user's choice: None, True, a dtype, a context, or a maker.

    Raises:
        TypeError: it is none of these, or a context that can be entered only once.
    """
    device_type = device.type if device is not None else "cpu"
    if autocast is None or autocast is False:
        return nullcontext
    if autocast is True:
        return lambda: torch.autocast(device_type)
    if isinstance(autocast, torch.dtype):
        return lambda: torch.autocast(device_type, dtype=autocast)
    if isinstance(autocast, _ONE_SHOT_CONTEXT):
        raise TypeError(
            "autocast must be a context that can be entered once a step, got one of a @contextmanager function, which "
            "serves only once; give the function that makes it, without calling it"
        )
    if hasattr(autocast, "__enter__") and hasattr(autocast, "__exit__") and not isinstance(autocast, type):
        return lambda: autocast
    if callable(autocast):
        return cast("AutocastFactory", autocast)
    raise TypeError(
        "autocast must be a dtype such as torch.bfloat16, a context such as torch.autocast(...) or True, "
        f"got {describe(autocast)}"
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
        for module, was_training in flags:  # last, because a train() sets the flags of submodules, too
            module.training = was_training


# The class of every context that a @contextmanager function makes; contextlib has no public name for it.
_ONE_SHOT_CONTEXT = type(evaluating(()))
