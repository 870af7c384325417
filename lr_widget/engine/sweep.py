"""One sweep as a generator of records, inside a guard that restores everything at its end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..distributed import is_alone
from ..restore import Guard, drop_gathered, keep_rng, read_torch_modes, reset_torch_modes, seed_all
from ..results import StepRecord
from .divergence import Divergence
from .plan import meet, refuse_inference_mode
from .together import run_together
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .plan import Plan
    from .together import Meeting

READ_LAG_STEPS = 4  # losses on an accelerator are read so many steps late, so that no step waits for the device

Steps = Generator[StepRecord, None, str]  # yields a record a step and returns the stop reason

_RANGE_TEST = {"test": "range_test", "repeats": 1}


def run_sweep(plan: Plan, call: Mapping[str, Any] = _RANGE_TEST) -> Steps:
    """Yield a record a step, restore everything at the end, however it comes, and return the stop reason.

    Args:
        plan: of the sweep.
        call: for several processes; see `meet`.

    Raises:
        RuntimeError: another test is running on the same model, or torch is in inference mode, or another process has
            failed.
        ValueError: processes were given different keywords.
        RestoreError: something could not be put back; the rest was. It does not take the place of the user's own
            exception, but is a note to it. Or somebody else wrote to parameters between two steps; see `Watch`.
    """
    refuse_inference_mode()
    if plan.training.updates_itself and not is_alone():
        raise ValueError(
            "a train_step that makes the update itself (makes_update) cannot tell the other processes of a loss before "
            "it goes on, so it can be tested in one process only; run the test in one, or return the loss"
        )
    ranks = meet(plan, call)
    watch = Watch(plan.training.parameters, plan.training.modules)

    def close() -> None:
        watch.end()
        try:
            plan.close()
        finally:
            drop_gathered(plan.training.modules, has_failed=True)

    guard = Guard(plan.snapshot, close, plan.training.trained, watch.newer)
    try:
        try:
            drop_gathered(plan.training.modules)
            guard.begin()
            watch.begin()
            if ranks is None:
                return (yield from _steps(plan, watch))
            return (yield from run_together(plan, ranks, partial(_steps, plan, watch)))
        except BaseException as error:
            guard.failure, guard.modes = error, watch.modes
            cause = ranks.part(error) if ranks is not None else None
            if cause is None:
                raise
            guard.failure = cause
            raise cause from error
        finally:
            guard.put_back()
    finally:
        guard.end()


def _steps(plan: Plan, watch: Watch, meeting: Meeting | None = None) -> Steps:
    if plan.seed is not None:
        seed_all(plan.seed, plan.generators)
    plan.training.prepare()
    has_diverged = Divergence(plan.diverge_factor, plan.sweep.num_steps)
    lag, batches = _read_lag(plan.training.device), iter(plan.train)
    if meeting is not None:
        lag, batches = 0, meeting.draw_ahead(batches)
    unread: deque[_Unread] = deque()
    reason, failure = "completed", None
    for step in range(1, plan.sweep.num_steps + 1):
        try:
            taken = _take_step(plan, step, batches, watch, meeting)
        except Exception as error:  # noqa: BLE001, PERF203, RUF100  # raised below, when the steps before it are on record
            failure = error
            break
        if taken is None:
            reason = "exhausted"
            break
        unread.append(taken)
        if len(unread) > lag and (found := (yield from _read(plan, unread, has_diverged, watch, meeting))) is not None:
            return found
    while unread:
        if (found := (yield from _read(plan, unread, has_diverged, watch, meeting))) is not None:
            return found
    try:
        if failure is not None:
            raise failure
    finally:
        failure = None  # held on to, it would keep its traceback and all in it alive
    return reason


def _read_lag(device: torch.device | None) -> int:
    return 0 if device is None or device.type == "cpu" else READ_LAG_STEPS


class _Unread(NamedTuple):
    """A step that was taken, with a function that reads its loss."""

    step: int
    lr: float
    group_lrs: tuple[float, ...]
    read_loss: Callable[[], float]
    val_loss: float | None
    is_skipped: bool

    def record(self) -> StepRecord:
        """Read the loss, which may wait for an accelerator."""
        return StepRecord(self.step, self.lr, self.read_loss(), self.group_lrs, self.val_loss, self.is_skipped)


def _take_step(plan: Plan, step: int, batches: Iterator[Any], watch: Watch, meeting: Meeting | None) -> _Unread | None:
    """Train one step and return it unread, or None where the data has ended."""
    lr = plan.sweep.lr(step)
    modes = watch.modes = read_torch_modes()
    try:
        taken = list(islice(batches, plan.accumulation_steps))
        if len(taken) < plan.accumulation_steps:
            return None
        if not torch.is_grad_enabled():  # asked last: a generator of batches may be inside a `with torch.no_grad()`
            torch.set_grad_enabled(True)
        group_lrs = plan.set_rate(lr)

        def before_update() -> None:  # a user's step may have called a scheduler, and optimizers
            plan.set_rate(lr)
            watch.stepped.clear()

        update = plan.training.update if meeting is None else meeting.update
        loss, is_skipped = update(taken, before_update)
        is_all = watch.stepped == plan.training.optimizers or plan.training.updates_itself
        if not (is_all or is_skipped):
            _refuse_left_out(watch.left_out(plan.training.optimizers))
        val_loss = _validate(plan, step, meeting)
    except StopIteration as error:  # out of a generator it would say that the generator has ended
        ended = RuntimeError(
            "the model, the loss or the train_step raised StopIteration, as next() does where an iterator has ended; "
            "give that iterator as many items as the test has steps, or start it over"
        )
        plan.note_step(ended, step, lr)
        raise ended from error
    except Exception as error:
        plan.note_step(error, step, lr)
        raise
    finally:
        reset_torch_modes(modes)
        # Not where the line above is interrupted: tests/no_trace/test_interrupts.py,
        # test_an_exception_while_a_failed_step_unwinds_leaves_no_mode_on.
        watch.modes = None
    read_loss = partial(float, meeting.loss) if meeting is not None else _start_reading(loss)
    return _Unread(step, group_lrs[plan.set_rate.leader], group_lrs, read_loss, val_loss, is_skipped)


def _refuse_left_out(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    if not optimizers:
        return
    names = " and ".join(type(optimizer).__name__ for optimizer in optimizers)
    raise RuntimeError(
        f"step() of {names} left the update out, so that the rate has no effect and accumulated gradients would be "
        "lost; where accelerate accumulates (accelerator.accumulate), leave that out of the train_step and give "
        "accumulation_steps"
    )


def _validate(plan: Plan, step: int, meeting: Meeting | None) -> float | None:
    if plan.val is None or step % plan.val_every:
        return None
    with keep_rng(plan.generators):  # a shuffling val loader must not change what the training sees
        if meeting is None:
            return plan.training.evaluate(plan.val.one_pass())
        return meeting.mean(plan.training.evaluate(meeting.each_everywhere(plan.val.one_pass())))


def _read(
    plan: Plan, unread: deque[_Unread], has_diverged: Divergence, watch: Watch, meeting: Meeting | None
) -> Generator[StepRecord, None, str | None]:
    """Yield the oldest unread record and return the reason to stop after it, if there is one."""
    oldest = unread.popleft()
    try:
        record = oldest.record()
    except Exception as error:
        plan.note_step(error, oldest.step, oldest.lr)
        raise
    watch.suspend()
    try:
        yield record
    finally:
        watch.resume()
    if not math.isfinite(record.loss):
        return "non_finite"
    if has_diverged(record.loss):
        return "diverged"
    return "stopped" if _wants_to_stop(plan, record, meeting) else None


def _wants_to_stop(plan: Plan, record: StepRecord, meeting: Meeting | None) -> bool:
    if plan.stop is None:
        return False
    if meeting is not None:
        meeting.heed(plan.stop, record)
        return False
    try:
        return bool(plan.stop(record))
    except Exception as error:
        plan.note_step(error, record.step, record.lr)
        raise


def _start_reading(loss: torch.Tensor) -> Callable[[], float]:
    """Return a function that reads the loss; a copy from a CUDA device starts now and is awaited when it is read."""
    if loss.device.type == "cpu":
        return partial(float, loss.item())
    if loss.device.type != "cuda":
        return lambda: float(loss)
    host = torch.empty((), dtype=loss.dtype, device="cpu", pin_memory=True)
    host.copy_(loss, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record(torch.cuda.current_stream(loss.device))

    def read() -> float:
        copied.synchronize()
        return float(host)

    return read
