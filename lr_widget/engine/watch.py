"""Notice what somebody else does to the parameters of a test, and updates that an optimizer left out."""

from __future__ import annotations

from operator import attrgetter
from threading import get_ident, main_thread
from typing import TYPE_CHECKING, Any
from weakref import ref

from torch.nn.parameter import is_lazy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ..errors import RestoreError
from ..training import optimized_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import nn
    from torch.utils.hooks import RemovableHandle

# torch has no public name for the count of writes to a tensor. Where a version lacks it, only the steps of optimizers
# are seen: test_watch.py, test_without_the_version_counter_steps_are_still_seen.
_COUNT = "_version"
_VERSION = attrgetter(_COUNT)


class Watch:
    """Keep others from training the model of a test, and notice what they wrote to it.

    A step of any torch optimizer on its parameters is refused before it changes anything, while the test is suspended
    between two of its steps, or when it comes from the main thread and the test runs in another one. Other writes
    between two steps, such as those of `load_state_dict()`, show in torch's counts of writes. A write through `.data`
    that is not an optimizer's does not, nor does a parameter that takes the place of another.

    Args:
        parameters: the parameters that the test trains.
        modules: the models.

    Attributes:
        thread: the one that is in a step; None between two steps.
        stepped: the optimizers that have stepped in this thread; to be emptied before each update.
        newer: the parameters and buffers that somebody else has written to.
        modes: torch's modes before the step that is being taken; None between two steps.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], modules: Iterable[nn.Module]) -> None:
        parameters, modules = list(parameters), list(modules)
        self._ids = {id(p) for p in parameters}
        self._modules = modules
        self._counted = _with_counts(parameters)
        self._buffers = _with_counts(buffer for module in modules for buffer in module.buffers())
        self._handle: RemovableHandle | None = None
        self._counts: list[int] = []
        self._buffer_counts: list[int] = []
        self.thread: int | None = None
        self.stepped: list[torch.optim.Optimizer] = []
        self.newer: list[torch.Tensor] = []
        self.modes: tuple[Any, ...] | None = None

    def begin(self) -> None:
        """Look out for the steps of optimizers; those of this thread are the test's own."""
        self._counts = list(map(_VERSION, self._counted))
        self.thread = get_ident()
        # Weak: where an interrupt comes before the handle is kept, what is left does nothing.
        this = ref(self)

        def before_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            watch = this()
            if watch is None:
                return
            if watch.thread == get_ident():
                watch.stepped.append(optimizer)
            else:
                watch.refuse(optimizer)

        self._handle = register_optimizer_step_pre_hook(before_step)

    def end(self) -> None:
        """Look no longer; calling it twice does nothing."""
        self._ids.clear()
        self._modules.clear()
        self.stepped.clear()
        if self._handle is not None:
            self._handle.remove()

    def suspend(self) -> None:
        """Note the counts of writes; from now on nobody trains these parameters."""
        self._counts = list(map(_VERSION, self._counted))
        if self._buffers:
            self._buffer_counts = list(map(_VERSION, self._buffers))
        self.thread = None

    def resume(self) -> None:
        """Go on in this thread.

        Raises:
            RestoreError: parameters were written to since `suspend`; they are now among `newer`.
        """
        self.thread = get_ident()
        counts = list(map(_VERSION, self._counted))
        if counts == self._counts:
            return
        parameters = _changed(self._counted, counts, self._counts)
        # Written to together with the weights, as by a `load_state_dict()`; alone, they may be a forward pass's.
        self.newer += parameters + _changed(self._buffers, map(_VERSION, self._buffers), self._buffer_counts)
        raise RestoreError(
            f"somebody else wrote to {len(parameters)} of the model's parameters between two steps of the range test; "
            "these stay as they are now, and all else is as before the test; end a test before you change its model"
        )

    def left_out(self, optimizers: Iterable[torch.optim.Optimizer]) -> list[torch.optim.Optimizer]:
        """Return those of the optimizers that neither have stepped nor written to a parameter of theirs.

        One whose steps torch does not tell of, or whose writes it does not count, has the benefit of the doubt.
        """
        return [optimizer for optimizer in optimizers if not (self._has_stepped(optimizer) or self._wrote(optimizer))]

    def refuse(self, optimizer: torch.optim.Optimizer) -> None:
        """Raise a RuntimeError where the step of this optimizer would change the model of the test."""
        if not self._ids:  # the test is over
            return
        # What somebody has put into the model meanwhile will go with the end of the test, too.
        ids = self._ids | {id(p) for module in self._modules for p in module.parameters()}
        if not any(id(p) in ids for p in optimized_by(optimizer)):
            return
        # Not any other thread: on an accelerator, hooks in the backward pass, which may step, run in autograd's own.
        if self.thread is None or get_ident() == main_thread().ident:
            raise RuntimeError(
                "a range test is in progress on these parameters, and what this optimizer step changes would be lost "
                "when it ends; end the test first: leave its `with` block, close() it, or press Stop in its widget"
            )

    def _has_stepped(self, optimizer: torch.optim.Optimizer) -> bool:
        inner = getattr(optimizer, "optimizer", optimizer)  # of a wrapper such as accelerate's
        if any(other is optimizer or other is inner for other in self.stepped):
            return True
        if not getattr(type(inner).step, "hooked", False):  # torch wraps the `step` of each class that it makes known
            return True
        own = {id(p) for p in optimized_by(optimizer)}
        return any(id(p) in own for other in self.stepped for p in optimized_by(other))

    def _wrote(self, optimizer: torch.optim.Optimizer) -> bool:
        own = {id(p) for p in optimized_by(optimizer)}
        written = _changed(self._counted, map(_VERSION, self._counted), self._counts)
        return not self._counted or any(id(p) in own for p in written)


def _with_counts(tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    # torch refuses to be asked anything about a lazy one.
    return [t for t in tensors if not is_lazy(t) and not t.is_inference() and hasattr(t, _COUNT)]


def _changed(tensors: list[torch.Tensor], counts: Iterable[int], before: Iterable[int]) -> list[torch.Tensor]:
    return [tensor for tensor, now, then in zip(tensors, counts, before, strict=False) if now != then]
