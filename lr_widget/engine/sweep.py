"""One sweep as a generator of records, inside a guard that restores everything at its end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from ..errors import add_note
from ..restore import Guard, keep_rng, seed_all, torch_modes_undo
from ..results import StepRecord
from .divergence import Divergence
from .plan import refuse_inference_mode

if TYPE_CHECKING:
    from .plan import Plan

READ_LAG_STEPS = 4  # losses on an accelerator are read so many steps late, so that no step waits for the device

Steps = Generator[StepRecord, None, str]  # yields a record a step and returns the stop reason


def run_sweep(plan: Plan) -> Steps:
    """Yield a record a step, restore everything at the end, however it comes, and return the stop reason.

    Raises:
        RuntimeError: another test is running on the same model, or torch is in inference mode.
        RestoreError: something could not be put back; the rest was. It does not take the place of the user's own
            exception, but is a note to it.
    """
    refuse_inference_mode()
    guard = Guard(plan.snapshot, plan.close, plan.training.trained)
    try:
        try:
            guard.begin()
            return (yield from _steps(plan))
        except BaseException as error:
            guard.failure = error
            raise
        finally:
            guard.put_back()
    finally:
        guard.end()


def _steps(plan: Plan) -> Steps:
    if plan.seed is not None:
        seed_all(plan.seed, plan.generators)
    plan.training.prepare()
    has_diverged = Divergence(plan.diverge_factor, plan.sweep.num_steps)
    lag = _read_lag(plan.training.device)
    batches = iter(plan.train)
    unread: deque[_Unread] = deque()
    reason, failure = "completed", None
    for step in range(1, plan.sweep.num_steps + 1):
        try:
            taken = _take_step(plan, step, batches)
        except Exception as error:  # noqa: BLE001, PERF203, RUF100  # raised below, when the steps before it are on record
            failure = error
            break
        if taken is None:
            reason = "exhausted"
            break
        unread.append(taken)
        if len(unread) > lag and (found := (yield from _read(plan, unread, has_diverged))) is not None:
            return found
    while unread:
        if (found := (yield from _read(plan, unread, has_diverged))) is not None:
            return found
    try:
        if failure is not None:
            raise failure
    finally:
        failure = None  # held on to, it would keep its traceback and all in it alive
    return reason


def _read_lag(device: torch.device | None) -> int:
    return 0 if device is None or device.type == "cpu" else READ_LAG_STEPS


@dataclass
class _Unread:
    """A step that was taken and the function that reads its record."""

    step: int
    lr: float
    record: Callable[[], StepRecord]


def _take_step(plan: Plan, step: int, batches: Iterator[Any]) -> _Unread | None:
    """Train one step and return it unread, or None where the data has ended."""
    lr = plan.sweep.lr(step)
    put_modes_back = torch_modes_undo()
    try:
        taken = list(islice(batches, plan.accumulation_steps))
        if len(taken) < plan.accumulation_steps:
            return None
        group_lrs = plan.set_rate(lr)
        # Once more just before the update: a user's step may call a scheduler.
        loss, is_skipped = plan.training.update(taken, before_update=lambda: plan.set_rate(lr))
        val_loss = _validate(plan, step)
    except StopIteration as error:  # out of a generator it would say that the generator has ended
        ended = RuntimeError(
            "the model, the loss or the train_step raised StopIteration, as next() does where an iterator has ended; "
            "give that iterator as many items as the test has steps, or start it over"
        )
        _add_note(ended, plan, step, lr)
        raise ended from error
    except Exception as error:
        _add_note(error, plan, step, lr)
        raise
    finally:
        put_modes_back()
    read_loss = _start_reading(loss)
    return _Unread(step, lr, lambda: StepRecord(step, group_lrs[0], read_loss(), group_lrs, val_loss, is_skipped))


def _validate(plan: Plan, step: int) -> float | None:
    if plan.val is None or step % plan.val_every:
        return None
    with keep_rng(plan.generators):  # a shuffling val loader must not change what the training sees
        return plan.training.evaluate(plan.val.one_pass())


def _read(plan: Plan, unread: deque[_Unread], has_diverged: Divergence) -> Generator[StepRecord, None, str | None]:
    """Yield the oldest unread record and return the reason to stop after it, if there is one."""
    oldest = unread.popleft()
    try:
        record = oldest.record()
    except Exception as error:
        _add_note(error, plan, oldest.step, oldest.lr)
        raise
    yield record
    if not math.isfinite(record.loss):
        return "non_finite"
    if has_diverged(record.loss):
        return "diverged"
    return "stopped" if _wants_to_stop(plan, record) else None


def _wants_to_stop(plan: Plan, record: StepRecord) -> bool:
    try:
        return plan.stop is not None and bool(plan.stop(record))
    except Exception as error:
        _add_note(error, plan, record.step, record.lr)
        raise


def _start_reading(loss: torch.Tensor) -> Callable[[], float]:
    """Return a function that reads the loss; a copy from a CUDA device starts now and is awaited when it is read."""
    if loss.device.type == "cpu":
        value = float(loss)
        return lambda: value
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


def _add_note(error: Exception, plan: Plan, step: int, lr: float) -> None:
    add_note(error, f"while lr_widget was in step {step} of {plan.sweep.num_steps}, at learning rate {lr:.3g}")
