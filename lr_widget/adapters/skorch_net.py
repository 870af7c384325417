"""An skorch net as keywords of `range_test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..restore import keep_rng
from .adapted import Adapted, adapted, framework
from .rates import put_rate

if TYPE_CHECKING:
    import torch

_SCHEDULES = {"OneCycleLR": "one_cycle", "CosineAnnealingLR": "cosine", "LinearLR": "linear"}


def skorch(net: Any, X: Any, y: Any = None, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from an skorch net and the data that its `fit` takes.

    A net that is not initialized stays so: the test runs on a copy of it. The loss is that of the net's `infer` and
    `get_loss`, on the part of the data that its `train_split` leaves for training.

    Args:
        net: the `NeuralNet`, classifier or regressor; one that is initialized is tested as `partial_fit` goes on.
        X, y: as for `net.fit`.
        **keywords: those of `lr_widget.range_test`, in place of what the net says.

    Returns:
        The keywords; their `apply` sets `net.lr`, or `net.optimizer__lr` where that was given, and the optimizer of an
        initialized net.

    Raises:
        ImportError: skorch is not installed.
        ValueError: the net has a `train_step` of its own, which computes the gradients by itself.
    """
    library = framework("skorch", "skorch")
    for name in ("train_step", "train_step_single"):
        if getattr(type(net), name) is not getattr(library.NeuralNet, name):
            raise ValueError(
                f"{type(net).__name__} has a {name} of its own, which computes the gradients by itself; for its loss "
                "override get_loss, or call range_test with a train_step"
            )
    with keep_rng():
        twin = _twin(net)
        data, _ = twin.get_split_datasets(X, y)
        loader = twin.get_iterator(data, training=True)
    modules = [getattr(twin, f"{name}_") for name in twin._modules]  # noqa: SLF001  # there is no public list
    optimizers = [getattr(twin, f"{name}_") for name in twin._optimizers]  # noqa: SLF001  # likewise
    found = {
        "model": modules[0] if len(modules) == 1 else modules,
        "optimizer": optimizers[0] if len(optimizers) == 1 else optimizers,
        "loss_fn": None,
        "train_data": loader,
        "train_step": NetStep(twin),
        "max_grad_norm": _clipping(twin),
        "train_steps": max(1, twin.max_epochs * len(loader)) if hasattr(loader, "__len__") else None,
        "train_schedule": _schedule(twin),
    }

    def put(lr: float) -> list[str]:
        place = "optimizer__lr" if hasattr(net, "optimizer__lr") else "lr"
        setattr(net, place, lr)  # not set_params, which would make a new optimizer
        if not net.initialized_:
            return [place]
        put_rate(optimizers, (), lr)
        return [place, "optimizer_"]

    return adapted(("skorch", {"net": net, "X": X, "y": y}), found, keywords, put)


class NetStep:
    """A training step of a net up to its loss."""

    def __init__(self, net: Any) -> None:
        self._net = net

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch with its graph."""
        inputs, targets = batch
        loss: torch.Tensor = self._net.get_loss(self._net.infer(inputs), targets, X=inputs, training=True)
        return loss


def _twin(net: Any) -> Any:
    """Return an initialized copy of the net that prints nothing; of an initialized one, with the same modules."""
    if getattr(net, "initialized_", False):
        twin = object.__new__(type(net))  # copy.copy would write the modules to a file and read new ones
        vars(twin).update(vars(net), verbose=0)
        return twin
    twin = framework("sklearn.base", "skorch").clone(net)
    twin.verbose = 0
    return twin.initialize()


def _callbacks(net: Any) -> list[Any]:
    return [callback for _, callback in getattr(net, "callbacks_", ())]


def _clipping(net: Any) -> float | None:
    norms = [each.gradient_clip_value for each in _callbacks(net) if type(each).__name__ == "GradientNormClipping"]
    return norms[0] if norms else None


def _schedule(net: Any) -> str:
    policies = [each.policy for each in _callbacks(net) if type(each).__name__ == "LRScheduler"]
    name = getattr(policies[0], "__name__", policies[0]) if policies else ""
    return _SCHEDULES.get(name, "constant")
