"""Notice what somebody else does to the parameters of a test, and updates that an optimizer left out."""

from __future__ import annotations

from operator import attrgetter
from threading import get_ident, main_thread
from typing import TYPE_CHECKING, Any
from weakref import ref

from torch.nn.parameter import is_lazy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ..errors import RestoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch.utils.hooks import RemovableHandle

# torch has no public name for the count of writes to a tensor. Where a version lacks it, only the steps of optimizers
# are seen: test_watch.py, test_without_the_version_counter_steps_are_still_seen.
_COUNT = "_version"
_VERSION = attrgetter(_COUNT)


class Watch:
    """Keep others from training the parameters of a test, and notice what they wrote to them.

    A step of any torch optimizer on these parameters is refused before it changes anything, while the test is suspended
    between two of its steps, or when it comes from the main thread and the test runs in another one. Other writes
    between two steps, such as those of `load_state_dict()`, show in torch's counts of writes. A write through `.data`
    that is not an optimizer's does not.

    Args:
        parameters: the parameters that the test trains.

    Attributes:
        updates: the number of optimizer steps on these parameters that were the test's own.
        newer: the parameters that somebody else has written to.
        modes: torch's modes before the step that is being taken; None between two steps.
    """

    def __init__(self, parameters: Iterable[torch.Tensor]) -> None:
        parameters = list(parameters)
        self._ids = {id(p) for p in parameters}
        # torch refuses to be asked anything about a lazy one.
        self._counted = [p for p in parameters if not is_lazy(p) and not p.is_inference() and hasattr(p, _COUNT)]
        self._is_ours: dict[torch.optim.Optimizer, bool] = {}
        self._handle: RemovableHandle | None = None
        self.thread: int | None = None  # the one that is in a step; None between two steps
        self._counts: list[int] = []
        self.updates = 0
        self.newer: list[torch.Tensor] = []
        self.modes: tuple[Any, ...] | None = None

    def begin(self) -> None:
        """Look out for the steps of optimizers; those of this thread are the test's own."""
        self._counts = list(map(_VERSION, self._counted))
        self.thread = get_ident()
        # Weak: where an interrupt comes before the handle is kept, what is left does nothing.
        this, is_ours = ref(self), self._is_ours

        def before_step(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            watch = this()
            if watch is None:
                return
            if is_ours.get(optimizer) and watch.thread == get_ident():  # asked here, as a call costs
                watch.updates += 1
            else:
                watch.before_step(optimizer)

        self._handle = register_optimizer_step_pre_hook(before_step)

    def end(self) -> None:
        """Look no longer; calling it twice does nothing."""
        self._is_ours.clear()
        self._ids.clear()
        if self._handle is not None:
            self._handle.remove()

    def suspend(self) -> None:
        """Note the counts of writes; from now on nobody trains these parameters."""
        self._counts = list(map(_VERSION, self._counted))
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
        changes = zip(self._counted, counts, self._counts, strict=True)
        self.newer += [parameter for parameter, now, before in changes if now != before]
        raise RestoreError(
            f"somebody else wrote to {len(self.newer)} of the model's parameters between two steps of the range test; "
            "these stay as they are now, and all else is as before the test; end a test before you change its model"
        )

    def has_written(self) -> bool:
        """Return True if a parameter was written to since the last `begin` or `suspend`, or if torch does not tell."""
        return not self._counted or list(map(_VERSION, self._counted)) != self._counts

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count a step of the test's own, or refuse that of another."""
        is_ours = self._is_ours.get(optimizer)
        if is_ours is None:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            is_ours = self._is_ours[optimizer] = any(id(p) in self._ids for p in parameters)
        if not is_ours:
            return
        # Not any other thread: on an accelerator, hooks in the backward pass, which may step, run in autograd's own.
        if self.thread is None or (self.thread != get_ident() == main_thread().ident):
            raise RuntimeError(
                "a range test is in progress on these parameters, and what this optimizer step changes would be lost "
                "when it ends; end the test first: leave its `with` block, close() it, or press Stop in its widget"
            )
        self.updates += 1
