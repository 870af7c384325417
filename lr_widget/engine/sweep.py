"""One sweep: its steps, and the putting back of everything around them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import torch

from ..checks import refuse_inference_mode
from ..restore.guard import Restoring, add_note
from ..restore.rng import generators_of, keep_rng, seed_all
from ..restore.snapshot import Snapshot
from ..results.records import StepRecord
from ..schedule import Schedule
from ..training.batches import Batches
from ..training.modes import torch_modes_undo
from ..training.rates import RateSetter
from ..training.training_step import Training
from .divergence import Divergence

READ_LAG_STEPS = 4  # losses on an accelerator are read so many steps late, so that no step waits for the device

Sweep = Generator[StepRecord, None, str]


@dataclass
class Plan:
    """A range test that is ready to run, its arguments checked."""

    training: Training
    train: Batches
    val: Batches | None
    val_every: int
    schedule: Schedule
    num_steps: int
    set_rate: RateSetter
    accumulation_steps: int
    stateful: Sequence[Any]
    has_diverged: Divergence
    stop: Callable[[StepRecord], bool] | None
    seed: int | None
    snapshot_device: torch.device | None

    @property
    def sources(self) -> list[Any]:
        """The loaders, and what they draw from."""
        return [*self.train.sources, *(self.val.sources if self.val is not None else ())]

    @cached_property
    def generators(self) -> list[Any]:
        """The random generators of the sources."""
        return generators_of(self.sources)

    def snapshot(self) -> Snapshot:
        """Take the state of everything that the test may touch."""
        train = self.training
        trained = (train.modules, train.optimizers, self.stateful)
        return Snapshot(*trained, self.sources, train.functions, self.snapshot_device)

    def close(self) -> None:
        """Shut down what the test started."""
        self.train.close()
        if self.val is not None:
            self.val.close()


def run_sweep(plan: Plan) -> Sweep:
    """Yield a record a step and put everything back at the end, whatever the end is; return the stop reason.

    Raises:
        RuntimeError: another test is running on the same model, or torch is in inference mode.
        RestoreError: something could not be put back; the rest was. It does not take the place of the user's own
            exception, but is a note to it.
    """
    refuse_inference_mode()
    restoring = Restoring(plan.snapshot, plan.close, plan.training.trained)
    try:
        try:
            restoring.begin()
            return (yield from _steps(plan))
        except BaseException as error:
            restoring.failure = error
            raise
        finally:
            restoring.put_back()
    finally:
        restoring.end()


def _steps(plan: Plan) -> Sweep:
    if plan.seed is not None:
        seed_all(plan.seed, plan.generators)
    plan.training.prepare()
    lag = _read_lag(plan.training.device)
    batches = iter(plan.train)
    unread: deque[_Unread] = deque()
    reason, failure = "completed", None
    for step in range(1, plan.num_steps + 1):
        try:
            taken = _take_step(plan, step, batches)
        except Exception as error:  # noqa: BLE001, PERF203, RUF100  # raised below, when the steps before it are on record
            failure = error
            break
        if taken is None:
            reason = "exhausted"
            break
        unread.append(taken)
        if len(unread) > lag and (found := (yield from _read(plan, unread))) is not None:
            return found
    while unread:
        if (found := (yield from _read(plan, unread))) is not None:
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
    """A step that was taken, and how to read its record."""

    step: int
    lr: float
    record: Callable[[], StepRecord]


def _take_step(plan: Plan, step: int, batches: Iterator[Any]) -> _Unread | None:
    """Train one step; return what reads its record, or None where the data has ended."""
    lr = plan.schedule(step)
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


def _read(plan: Plan, unread: deque[_Unread]) -> Generator[StepRecord, None, str | None]:
    """Yield the oldest unread record and return the reason to stop after it, if any."""
    oldest = unread.popleft()
    try:
        record = oldest.record()
    except Exception as error:
        _add_note(error, plan, oldest.step, oldest.lr)
        raise
    yield record
    if not math.isfinite(record.loss):
        return "non_finite"
    if plan.has_diverged(record.loss):
        return "diverged"
    return "stopped" if _wants_to_stop(plan, record) else None


def _wants_to_stop(plan: Plan, record: StepRecord) -> bool:
    try:
        return plan.stop is not None and bool(plan.stop(record))
    except Exception as error:
        _add_note(error, plan, record.step, record.lr)
        raise


def _start_reading(loss: torch.Tensor) -> Callable[[], float]:
    """Return what reads the loss; a copy from a CUDA device starts now and is waited for only when it is read."""
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
    add_note(error, f"while lr_widget was in step {step} of {plan.num_steps}, at learning rate {lr:.3g}")
