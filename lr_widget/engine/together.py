"""A sweep in several processes: one loss on record and one end, whatever ends it and on whichever rank."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..distributed import Exchange
from ..results import StepRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import torch

    from ..distributed import Ranks
    from .plan import Plan

_Steps = Generator[StepRecord, None, str]


class AllPart(BaseException):  # no error, and no `except Exception` may take it for one
    """Raised on every rank when one of them ends the sweep; all know of it from the same exchange."""


def run_together(plan: Plan, ranks: Ranks, steps_of: Callable[[Meeting], _Steps]) -> _Steps:
    """Yield the records of a sweep and return the stop reason, the same on every rank.

    Args:
        plan, ranks, steps_of: the sweep, the processes, and what makes the steps for a meeting.

    Raises:
        RuntimeError: another rank has failed.
        KeyboardInterrupt: Ctrl-C on any rank.
        BaseException: this rank alone has failed, and has not yet told the others.
    """
    meeting, reason = Meeting(plan, ranks), ""
    with suppress(AllPart), closing(steps_of(meeting)) as steps:
        reason = yield from _until_all_part(steps, meeting)
    return meeting.outcome(reason)  # here, so that nothing is raised as if it came from an AllPart


def _until_all_part(steps: _Steps, meeting: Meeting) -> _Steps:
    while True:
        with meeting.holding_interrupts():
            try:
                record = next(steps)
            except StopIteration as end:
                return str(end.value)
        if not meeting.has_failed:
            try:
                yield record
            except BaseException as error:  # noqa: BLE001  # closed here, but not yet on the other ranks
                meeting.leave(error)


class Meeting:
    """The exchanges of one sweep with the other ranks, and the reasons to end it.

    There is one exchange a batch, between the forward and the backward pass: the loss is known then, and a backward
    pass in several processes ends on all of them or on none. It also says if this rank has the batches of the next
    step, so that no rank begins without the others a forward pass, which may wait for them, too. For the same reason a
    rank that wants to end between two steps goes on to the next exchange.

    Args:
        plan: of the sweep.
        ranks: the processes.

    Attributes:
        loss: the mean of the last step, over its batches and the ranks.
    """

    def __init__(self, plan: Plan, ranks: Ranks) -> None:
        self.loss = 0.0
        self._plan = plan
        self._ranks = ranks
        self._losses: list[float] = []
        self._step = 0
        self._undrawn_steps = plan.sweep.num_steps
        self._source: Iterator[Any] = iter(())
        self._drawn: list[Any] = []
        self._failed_draw: Exception | None = None
        self._is_next_failed = False  # on some rank
        self._wants_to_stop = False
        self._is_interrupted = False
        self._error: BaseException | None = None  # with it this rank leaves
        self._heard: Exchange | None = None  # the one at which all part

    # --- the batches of training and validation ---------------------------------------------------------------------

    def draw_ahead(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Draw the first step's batches, and yield those of each step, which every rank has.

        The steps that follow are drawn in the exchange of the step before.
        """
        self._source = batches
        self._draw()
        self._exchange(is_drawing=True)
        return self._each()

    def _each(self) -> Iterator[Any]:
        while True:
            if self._is_next_failed:
                self._ranks.has_parted = True
                raise AllPart if self._failed_draw is None else self._failed_draw
            if not self._drawn:
                return
            drawn, self._drawn = self._drawn, []
            yield from drawn

    def _draw(self) -> None:
        if self._undrawn_steps == 0:
            return
        self._undrawn_steps -= 1
        try:
            self._drawn = list(islice(self._source, self._plan.accumulation_steps))
        except Exception as error:  # noqa: BLE001  # raised when the step has come
            self._failed_draw = error
            self._ranks.announce(error)

    def each_everywhere(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield batches of validation as long as every rank has one."""
        source = iter(batches)
        while True:
            drawn: list[Any] = []
            try:
                drawn += islice(source, 1)
            except Exception as error:  # noqa: BLE001  # raised when all have heard of it
                self._leave_in_step(error)
            if self._exchange(is_over=not drawn).next_ended:
                return
            yield from drawn

    # --- exchanges --------------------------------------------------------------------------------------------------

    def before_backward(self, losses: Sequence[torch.Tensor]) -> None:
        """Exchange the losses of a batch.

        Raises:
            AllPart: some rank has ended the sweep.
        """
        is_last = len(self._losses) == self._plan.accumulation_steps - 1
        if is_last:
            self._draw()
        heard = self._exchange(sum(float(loss.detach()) for loss in losses), is_drawing=is_last)
        self._losses.append(heard.loss)
        if is_last:
            self.loss = fmean(self._losses)
            self._losses.clear()

    def mean(self, value: float) -> float:
        """Return the mean of the ranks' values."""
        return self._exchange(value).loss

    def _exchange(self, loss: float = 0.0, *, is_drawing: bool = False, is_over: bool = False) -> Exchange:
        has_too_few = is_drawing and self._failed_draw is None and len(self._drawn) < self._plan.accumulation_steps
        heard = self._ranks.exchange(
            Exchange(
                failed=self.has_failed,
                interrupted=self._is_interrupted,
                stopped=self._wants_to_stop,
                next_failed=is_drawing and self._failed_draw is not None,
                next_ended=has_too_few or is_over,
                loss=loss,
            )
        )
        if heard.failed or heard.interrupted or heard.stopped:
            self._heard = heard
            self._ranks.has_parted = True
            raise AllPart
        if is_drawing:
            self._is_next_failed = heard.next_failed > 0
            if heard.next_ended:
                self._drawn = []
        return heard

    def update(self, batches: Sequence[Any], before_update: Callable[[], object]) -> tuple[Any, bool]:
        """Make an update as `Training.update` does, with an exchange before each backward pass.

        A failure after the backward pass is that of this rank alone, and the others will begin the next forward pass.
        So it is kept until the next exchange, unless the optimizer, too, waits for the other ranks.
        """
        has_gradients = False

        def with_gradients() -> None:
            nonlocal has_gradients
            has_gradients = True
            before_update()

        self._step += 1
        training = self._plan.training
        try:
            return training.update(batches, with_gradients, self.before_backward)
        except Exception as error:
            if not has_gradients or training.steps_together:
                raise
            self._leave_in_step(error)
            return None, True

    # --- the end ----------------------------------------------------------------------------------------------------

    @property
    def has_failed(self) -> bool:
        """True where this rank will raise an exception with the next exchange."""
        return self._error is not None and not isinstance(self._error, GeneratorExit)

    def leave(self, error: BaseException) -> None:
        """Make this error the end of the sweep, on all ranks, with the next exchange."""
        self._error = error
        if not isinstance(error, GeneratorExit):
            self._ranks.announce(error)
        elif _is_due_to_interrupt(error):
            self._is_interrupted = True
        else:
            self._wants_to_stop = True

    def _leave_in_step(self, error: Exception) -> None:
        self._plan.note_step(error, self._step, self._plan.sweep.lr(self._step))
        self.leave(error)

    def heed(self, stop: Callable[[StepRecord], bool], record: StepRecord) -> None:
        """Ask the user's `stop`; a true answer, or its failure, ends the sweep with the next exchange."""
        try:
            self._wants_to_stop |= bool(stop(record))
        except Exception as error:  # noqa: BLE001  # raised when all have heard of it
            self._plan.note_step(error, record.step, record.lr)
            self.leave(error)

    def outcome(self, reason: str) -> str:
        """Return the stop reason, the same on every rank, or raise the error that has ended the sweep.

        Args:
            reason: of this rank, if it has come to the end; a last exchange then tells how the others have ended.
        """
        if not self._ranks.has_parted:
            with suppress(AllPart), self.holding_interrupts():
                self._exchange()
            self._ranks.has_parted = True
        heard, error = self._heard or Exchange(), self._error
        has_no_batch = not reason and self._heard is None  # of another rank, a draw has failed
        if error is None and (heard.failed or has_no_batch):
            error = self._ranks.failure_of_another() or RuntimeError("another rank failed; its own error says why")
        if error is not None and heard.failed:
            self._ranks.settle()
            self._ranks.note_cut(error)
        try:
            if error is not None:
                raise error
            if heard.interrupted or self._is_interrupted:  # the latter after its last word: no other rank knows of it
                raise KeyboardInterrupt
        finally:
            self._error = self._failed_draw = error = None  # held on to, they would keep their tracebacks alive
        return "stopped" if heard.stopped and reason not in ("diverged", "non_finite") else reason

    @contextmanager
    def holding_interrupts(self) -> Iterator[None]:
        """Keep Ctrl-C for the next exchange, so that no rank ends alone; the second one goes through."""
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler) or threading.current_thread() is not threading.main_thread():
            yield
            return

        def hold(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)  # one of the user's own may only set a flag
            except KeyboardInterrupt:
                if self._is_interrupted:
                    raise
                self._is_interrupted = True

        signal.signal(signal.SIGINT, hold)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)


def _is_due_to_interrupt(error: BaseException | None) -> bool:
    """Return True for the GeneratorExit of a generator that is closed because of Ctrl-C."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
