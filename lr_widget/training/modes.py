"""Modes of a step: autocast around the forward pass, eval mode around validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import nn

from ..checks import describe
from .optimizers import has_modes
from .parameters import version_of

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
def evaluating(
    models: Sequence[nn.Module], optimizers: Sequence[torch.optim.Optimizer] = (), *, keeps_buffers: bool = False
) -> Iterator[None]:
    """Put every module, and optimizers with modes, into eval mode without gradients, and back afterwards.

    Each module gets its own flag back, and its buffers if `keeps_buffers`: a function of the user's may put modules
    into train mode, but the statistics of a BatchNorm are of the training data.
    """
    flags = [(module, module.training) for model in models for module in model.modules()]
    with_modes = [optimizer for optimizer in optimizers if has_modes(optimizer)]
    put_buffers_back = _buffers_undo(models if keeps_buffers else ())
    try:
        for optimizer in with_modes:
            optimizer.eval()  # type: ignore[attr-defined]
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
        put_buffers_back()
        for optimizer in with_modes:
            optimizer.train()  # type: ignore[attr-defined]


def _buffers_undo(models: Sequence[nn.Module]) -> Callable[[], None]:
    """Return a function that puts back the buffers that were written to or replaced since."""
    modules = [module for model in models for module in model.modules()]
    places = [(module, name, buffer) for module in modules for name, buffer in module.named_buffers(recurse=False)]
    buffers = {id(b): b for _, _, b in places if not nn.parameter.is_lazy(b) and not b.is_inference()}
    saved = [(buffer, buffer.detach().clone(), version_of(buffer)) for buffer in buffers.values()]

    def undo() -> None:
        for module, name, buffer in places:
            if getattr(module, name) is not buffer:
                setattr(module, name, buffer)
        with torch.no_grad():
            for buffer, value, version in saved:
                if version_of(buffer) != version:
                    buffer.copy_(value)

    return undo


# The class of every context that a @contextmanager function makes; contextlib has no public name for it.
_ONE_SHOT_CONTEXT = type(evaluating(()))
