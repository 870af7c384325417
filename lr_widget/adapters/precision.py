"""Mixed precision as `accelerator.prepare` gives it to a model: autocast in the forward pass, float32 outside."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn


def in_half_precision(forward: Callable[..., Any], autocast: Callable[[], Any]) -> Callable[..., Any]:
    """Wrap a forward pass: it computes in autocast, and its outputs are converted to float32.

    Args:
        forward: the forward pass.
        autocast: makes the context, as `accelerator.autocast`.
    """

    @wraps(forward)
    def in_autocast(*args: Any, **kwargs: Any) -> Any:
        with autocast():
            return forward(*args, **kwargs)

    in_single: Callable[..., Any] = import_module("accelerate.utils").convert_outputs_to_fp32(in_autocast)
    return in_single


@contextmanager
def half_precision(models: Sequence[nn.Module], autocast: Callable[[], Any]) -> Iterator[None]:
    """Wrap the forward passes of models as long as the context lasts.

    Args:
        models: not prepared.
        autocast: makes the context of their forward passes.
    """
    with ExitStack() as undo:
        for model in models:
            undo.enter_context(_wrapped_forward(model, autocast))
        yield


@contextmanager
def _wrapped_forward(model: nn.Module, autocast: Callable[[], Any]) -> Iterator[None]:
    own = {name: value for name, value in vars(model).items() if name == "forward"}  # empty where it is the class's
    model.forward = in_half_precision(model.forward, autocast)
    try:
        yield
    finally:
        del model.forward
        vars(model).update(own)
