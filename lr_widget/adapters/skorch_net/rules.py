"""Updates that are the net's own, and the callbacks with a part in them."""

from __future__ import annotations

from typing import Any

from ..adapted import framework

_UPDATING = ("train_step", "train_step_single", "_step_optimizer", "_zero_grad_optimizer", "on_grad_computed")


def updates_itself(net: Any, library: Any, callbacks: list[Any], optimizers: list[Any]) -> bool:
    """Return True for a net whose updates are its own: by its methods, by its callbacks or one optimizer after another.

    Raises:
        ValueError: it has both an accelerator and such updates.
    """
    cls, accelerated = type(net), framework("skorch.hf", "skorch").AccelerateMixin
    known = (library.NeuralNet, *((accelerated,) if isinstance(net, accelerated) else ()))
    own = [name for name in _UPDATING if all(getattr(cls, name) is not getattr(base, name, None) for base in known)]
    own += [type(each).__name__ for each in callbacks if hears_gradients(each) and not is_clipping(each)]
    own += ["several optimizers"] if len(optimizers) > 1 else []
    if own and isinstance(net, accelerated):
        raise ValueError(
            f"a net with an accelerator must make its updates as skorch does, got {cls.__name__} with {own[0]}; find "
            "the rate with a net without AccelerateMixin"
        )
    return bool(own)


def refuse_other_top(callbacks: list[Any], lr: float) -> None:
    """Refuse a rate that a scheduler with a top of its own would not take.

    Raises:
        ValueError: the message says where it stands.
    """
    for each in callbacks:
        if type(each).__name__ != "LRScheduler":
            continue
        name = each.policy_.__name__
        if "max_lr" in each.kwargs or name == "WarmRestartLR":
            raise ValueError(
                f"the rates of fit must come from the net's lr, got an LRScheduler with {name}, whose max_lr is its "
                f"top; give it max_lr={lr:.3g}"
            )


def is_a(callback: Any, names: tuple[str, ...]) -> bool:
    """Return True for a callback of a class that has, or inherits from one that has, such a name."""
    return any(cls.__name__ in names for cls in type(callback).__mro__)


def hears_gradients(callback: Any) -> bool:
    """Return True for a callback that may change gradients before the update."""
    return type(callback).on_grad_computed is not framework("skorch.callbacks", "skorch").Callback.on_grad_computed


def is_clipping(callback: Any) -> bool:
    """Return True for a callback whose work is that of `max_grad_norm`."""
    return type(callback).__name__ == "GradientNormClipping" and callback.gradient_clip_norm_type == 2


def clipping(callbacks: list[Any]) -> float | None:
    """Return the norm that gradients are clipped to, or None."""
    norms = [each.gradient_clip_value for each in callbacks if is_clipping(each)]
    return norms[0] if norms else None
