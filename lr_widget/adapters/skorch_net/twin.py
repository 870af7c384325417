"""A copy of a net for a test."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from .rules import hears_gradients, is_a

_BEFORE_THE_MODULE = ("InputShapeSetter", "LoadInitState")  # callbacks that change the module when a fit begins
_ON_PARAMETERS = ("ParamMapper", "Freezer", "Unfreezer", "Initializer")


def twin_of(net: Any, X: Any, y: Any) -> tuple[Any, list[Any]]:
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
            if is_a(each, _BEFORE_THE_MODULE):
                each.on_train_begin(twin, X=X, y=y)
    twin.callbacks_ = [
        (name, each)
        for name, each in twin.callbacks_
        if hears_gradients(each) or is_a(each, _ON_PARAMETERS) or (net.initialized_ and is_a(each, _BEFORE_THE_MODULE))
    ]
    return twin, callbacks
