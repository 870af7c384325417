"""An skorch net as keywords of `range_test`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..distributed import is_alone
from ..restore import Snapshot, keep_rng
from .accelerated import unprepared
from .adapted import Adapted, Held, adapted, framework
from .rates import put_rate

_SCHEDULES = {"OneCycleLR": "one_cycle", "CosineAnnealingLR": "cosine", "LinearLR": "linear"}
_BEFORE_THE_MODULE = ("InputShapeSetter", "LoadInitState")  # callbacks that change the module when a fit begins
_ON_PARAMETERS = ("ParamMapper", "Freezer", "Unfreezer", "Initializer")
_UPDATING = ("train_step", "train_step_single", "_step_optimizer", "_zero_grad_optimizer")


def skorch(net: Any, X: Any, y: Any = None, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from an skorch net and the data that its `fit` takes.

    A net that is not initialized stays so: the test runs on a copy of it. The loss is that of the net's `infer` and
    `get_loss`, on the part of the data that its `train_split` leaves for training; a net with a `train_step` of its
    own makes its updates itself. Callbacks that freeze, initialize or clip take part as copies, the others hear
    nothing of the test. Of an `AccelerateMixin`, the precision counts.

    Args:
        net: the `NeuralNet`, classifier or regressor; one that is initialized is tested as `partial_fit` goes on. Of a
            Pipeline, it is the last step, with the data as it comes there.
        X, y: as for `net.fit`.
        **keywords: those of `lr_widget.range_test`, in place of what the net says.

    Returns:
        The keywords; their `apply` sets `net.lr`, or `net.optimizer__lr` where that was given, the rates in
        `net.optimizer__param_groups`, and the optimizer of an initialized net.

    Raises:
        ImportError: skorch is not installed.
        TypeError: this is no net.
        ValueError: there are several processes, or an accelerator with more than its precision.
    """
    library = framework("skorch", "skorch")
    _refuse(net, library.NeuralNet)
    accelerator = getattr(net, "accelerator", None)
    with keep_rng():
        twin, callbacks = _twin(net, X, y)
        loader = _loader(twin, X, y)
    optimizers = [unprepared(getattr(twin, f"{name}_")) for name in twin._optimizers]  # noqa: SLF001  # there is no public list
    modules = [getattr(twin, f"{name}_") for name in twin._modules]  # noqa: SLF001  # likewise
    step = NetStep(twin, getattr(loader, "dataset", None))
    found = {
        "model": modules[0] if len(modules) == 1 else modules,
        "optimizer": optimizers[0] if len(optimizers) == 1 else optimizers,
        "loss_fn": None,
        "train_data": loader,
        "train_step": step,
    }
    if _updates_itself(net, library, callbacks, optimizers):
        step.makes_update = True
        found |= {"val_step": step.loss} if "val_data" in keywords else {}
    else:
        found |= {"max_grad_norm": _clipping(callbacks)} | _of_accelerator(accelerator, keywords)
        twin.callbacks_ = [(name, each) for name, each in twin.callbacks_ if not _is_clipping(each)]
    if hasattr(loader, "__len__"):
        steps = twin.max_epochs * len(loader) // found.get("accumulation_steps", 1)
        found |= {"train_steps": max(1, steps), "train_schedule": _schedule(callbacks)}

    return adapted(("skorch", {"net": net, "X": X, "y": y}), found, keywords, _Rate(net, twin, optimizers))


class NetStep:
    """A training step of a net up to its loss, or with its update.

    Args:
        net: a copy of the net, with copies of the callbacks that take part.
        data: of the training, for the callbacks.

    Attributes:
        makes_update: the net computes the gradients and steps its optimizers.
    """

    def __init__(self, net: Any, data: Any) -> None:
        self.makes_update = False
        self._net = net
        self._data = data  # a dataset, which is not copied as X and y would be
        self._has_begun = False

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch, with its graph where it makes no update."""
        net = self._net
        if not self._has_begun:
            self._has_begun = True
            net.notify("on_train_begin", X=self._data, y=None)
            net.notify("on_epoch_begin", dataset_train=self._data, dataset_valid=None)
        if self.makes_update:
            made: torch.Tensor = net.train_step(batch)["loss"]
            return made
        return self.loss(model, batch)

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch, of training or validation data as the mode of the model says."""
        net, (inputs, targets) = self._net, batch
        is_training = (model[0] if isinstance(model, list) else model).training
        net._set_training(is_training)  # noqa: SLF001  # skorch does so before every batch
        predicted = net.infer(inputs)
        if getattr(net, "accelerator", None) is not None:
            predicted = framework("accelerate.utils", "accelerate").convert_to_fp32(predicted)
        loss: torch.Tensor = net.get_loss(predicted, targets, X=inputs, training=is_training)
        return loss


def _refuse(net: Any, known: type) -> None:
    if not isinstance(net, known):
        raise TypeError(
            f"net must be a NeuralNet of skorch, got {type(net).__name__}; of a Pipeline give the last step, pipe[-1], "
            "with the data as it comes there, pipe[:-1].fit_transform(X)"
        )
    if not is_alone() or getattr(getattr(net, "accelerator", None), "num_processes", 1) > 1:
        raise ValueError(
            "a range test of an skorch net runs in one process; start it without a launcher, with the batches of all "
            "processes as one, through accumulation_steps"
        )


def _twin(net: Any, X: Any, y: Any) -> tuple[Any, list[Any]]:
    """Return an initialized copy of the net that prints nothing, and its callbacks; the net itself is not touched.

    The copy of an initialized net has the same modules and optimizers; another one gets those that `fit` would make.
    """
    twin = object.__new__(type(net))  # copy.copy would write the modules to a file and read new ones
    vars(twin).update(vars(net), verbose=0)
    if getattr(net, "accelerator", None) is not None:
        twin._wrapped_with_accelerator = True  # prepare() would change modules and the accelerator
    if net.initialized_:
        twin.callbacks_ = [(name, copy.copy(each)) for name, each in net.callbacks_]
        twin.history_ = type(net.history_)({**row, "batches": []} for row in net.history_)
    else:
        for name, value in vars(net).items():
            if isinstance(value, nn.Module):  # given as an instance, which initialize() would move
                vars(twin)[name] = copy.deepcopy(value)  # past skorch's check of who sets modules
        if isinstance(net.callbacks, (list, tuple)):  # instances and classes, some with a name
            twin.callbacks = [(c[0], copy.copy(c[1])) if isinstance(c, tuple) else copy.copy(c) for c in net.callbacks]
        twin.initialize()
        if getattr(net, "accelerator", None) is not None and net.accelerator.device_placement:
            for name in (*twin._modules, *twin._criteria):  # there is no public list
                getattr(twin, f"{name}_").to(net.accelerator.device)
    callbacks = [each for _, each in twin.callbacks_]
    if not net.initialized_:
        for each in callbacks:
            if _is_a(each, _BEFORE_THE_MODULE):
                each.on_train_begin(twin, X=X, y=y)
    twin.callbacks_ = [
        (name, each)
        for name, each in twin.callbacks_
        if _hears_gradients(each)
        or _is_a(each, _ON_PARAMETERS)
        or (net.initialized_ and _is_a(each, _BEFORE_THE_MODULE))
    ]
    return twin, callbacks


def _loader(twin: Any, X: Any, y: Any) -> Any:
    """Return the loader of the part of the data that is for training; accelerate does not list it as one of its own."""
    twin.check_data(X, y)
    drawing = Snapshot(called=[twin.train_split])  # it may have a generator of its own
    try:
        data, _ = twin.get_split_datasets(X, y)
    finally:
        drawing.restore()
    accelerator = getattr(twin, "accelerator", None)
    listed = [] if accelerator is None else [*accelerator._dataloaders]  # noqa: SLF001  # there is no public list
    loader = twin.get_iterator(data, training=True)
    if accelerator is not None:
        accelerator._dataloaders[:] = listed  # noqa: SLF001  # likewise
    return loader


def _updates_itself(net: Any, library: Any, callbacks: list[Any], optimizers: list[Any]) -> bool:
    """Return True for a net whose updates are its own: by its methods, by its callbacks or one optimizer after another.

    Raises:
        ValueError: it has both an accelerator and such updates.
    """
    cls, accelerated = type(net), framework("skorch.hf", "skorch").AccelerateMixin
    known = (library.NeuralNet, *((accelerated,) if isinstance(net, accelerated) else ()))
    own = [name for name in _UPDATING if all(getattr(cls, name) is not getattr(base, name, None) for base in known)]
    own += [type(each).__name__ for each in callbacks if _hears_gradients(each) and not _is_clipping(each)]
    own += ["several optimizers"] if len(optimizers) > 1 else []
    if own and isinstance(net, accelerated):
        raise ValueError(
            f"a net with an accelerator must make its updates as skorch does, got {cls.__name__} with {own[0]}; find "
            "the rate with a net without AccelerateMixin"
        )
    return bool(own)


def _of_accelerator(accelerator: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    if accelerator is None:
        return {}
    if accelerator.gradient_accumulation_steps > 1 and "accumulation_steps" not in keywords:
        raise ValueError(
            "gradient_accumulation_steps of a net's Accelerator must be 1, for skorch clears the gradients before the "
            f"last batch of an update, got {accelerator.gradient_accumulation_steps}; use larger batches"
        )
    return {
        "autocast": accelerator.autocast if accelerator.native_amp else None,
        "grad_scaler": accelerator.scaler,
        "also_restore": [Held(accelerator)],
    }


def _is_a(callback: Any, names: tuple[str, ...]) -> bool:
    return any(cls.__name__ in names for cls in type(callback).__mro__)


def _hears_gradients(callback: Any) -> bool:
    return type(callback).on_grad_computed is not framework("skorch.callbacks", "skorch").Callback.on_grad_computed


def _is_clipping(callback: Any) -> bool:
    return type(callback).__name__ == "GradientNormClipping" and callback.gradient_clip_norm_type == 2


def _clipping(callbacks: list[Any]) -> float | None:
    norms = [each.gradient_clip_value for each in callbacks if _is_clipping(each)]
    return norms[0] if norms else None


def _schedule(callbacks: list[Any]) -> str:
    policies = [each.policy for each in callbacks if type(each).__name__ == "LRScheduler"]
    name = getattr(policies[0], "__name__", policies[0]) if policies else ""
    return _SCHEDULES.get(name, "constant")


class _Rate:
    """The places of a net that hold its rates.

    Args:
        net: the net.
        twin: its copy with optimizers.
        optimizers: those of the copy; of an initialized net they are its own.
    """

    def __init__(self, net: Any, twin: Any, optimizers: list[torch.optim.Optimizer]) -> None:
        self._net = net
        self._names: list[str] = twin._optimizers  # noqa: SLF001  # there is no public list
        self._optimizers = optimizers
        self._made_with = None if net.initialized_ else float(optimizers[0].param_groups[0]["lr"])

    def __call__(self, lr: float) -> list[str]:
        """Make `lr` the rate of the first param group, and return the places; others keep their proportions to it.

        The rates are set as attributes, for `set_params` would make new optimizers.

        Raises:
            ValueError: the net makes its optimizer with a rate of its own.
        """
        net, first = self._net, self._first()
        if self._made_with not in (None, first):
            raise ValueError(
                f"{type(net).__name__} makes its optimizer with the rate {self._made_with:g} and not with its lr, "
                f"{first:g}; let its initialize_optimizer use get_params_for_optimizer, or set {lr:.3g} there"
            )
        places = dict.fromkeys(self._place(name) for name in self._names)
        for place in places:
            setattr(net, place, _scaled(getattr(net, place), first, lr))
        for name in (f"{name}__param_groups" for name in self._names):
            groups = getattr(net, name, ())
            if any("lr" in group for _, group in groups):
                setattr(net, name, [(pattern, _with_rate(group, first, lr)) for pattern, group in groups])
                places[name] = None
        if net.initialized_:
            put_rate(self._optimizers, (), lr)
            places["optimizer_"] = None
        return [*places]

    def _place(self, optimizer: str) -> str:
        """Return the name of the parameter with the rate of an optimizer."""
        return f"{optimizer}__lr" if hasattr(self._net, f"{optimizer}__lr") else "lr"

    def _first(self) -> float:
        """Return the rate of the first param group as the net's parameters say it."""
        groups = getattr(self._net, f"{self._names[0]}__param_groups", ())
        rate = groups[0][1].get("lr") if groups else None
        return float(getattr(self._net, self._place(self._names[0])) if rate is None else rate)


def _with_rate(group: dict[str, Any], first: float, lr: float) -> dict[str, Any]:
    return {**group, "lr": _scaled(group["lr"], first, lr)} if "lr" in group else group


def _scaled(rate: float, first: float, lr: float) -> float:
    return lr if rate == first else rate / first * lr
