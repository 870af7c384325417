"""Every way a range test can end, each as a function that runs one on a training and makes it end so."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

import lr_widget
from lr_widget import iter_range_test

from .models import Training

PACKAGE = str(Path(lr_widget.__file__).parent)
NUM_STEPS = 14
# Ctrl-C, an alarm's or another thread's timeout, and the SIGTERM of programs that end in good order.
INTERRUPTS = (KeyboardInterrupt, TimeoutError, SystemExit)


class Boom(Exception):
    """Stands for whatever the user's code may raise."""


class _RaisingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        raise Boom("in backward")


def sweep(
    training: Training, *, data: Any = None, on_loss: Callable[[int, Any], Any] | None = None, **options: Any
) -> Any:
    """Return a range test of the training; `on_loss(call number from 1, loss)` may change the loss or raise."""
    kind, calls = training.kind, itertools.count(1)

    def step(model: Any, batch: Any) -> torch.Tensor:
        loss = kind.step(model, batch)
        return loss if on_loss is None else on_loss(next(calls), loss)

    options = {"start_lr": 1e-5, "end_lr": 0.1, "num_steps": NUM_STEPS, "diverge_factor": None, **options}
    optimizers = training.optimizers[0] if len(training.optimizers) == 1 else training.optimizers
    return iter_range_test(
        kind.model, optimizers, None, kind.data if data is None else data, train_step=step, **options
    )


def run(steps: Any) -> tuple[int, str]:
    """Return how many records a sweep yields, and its stop reason."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return count, end.value
        count += 1


def complete(training: Training, luck: random.Random) -> None:
    assert run(sweep(training)) == (NUM_STEPS, "completed")


def diverge(training: Training, luck: random.Random) -> None:
    steps = sweep(
        training, on_loss=lambda call, loss: loss * 0 + 1.0 + loss * 1e-9 + 10.0**call * (call > 10), diverge_factor=4.0
    )
    count, reason = run(steps)
    assert (reason, count < NUM_STEPS + 1) == ("diverged", True)


def non_finite(training: Training, luck: random.Random) -> None:
    at = luck.randint(1, 6)
    count, reason = run(sweep(training, on_loss=lambda call, loss: loss * (float("nan") if call >= at else 1.0)))
    assert reason == "non_finite"
    assert count <= at


def stopped(training: Training, luck: random.Random) -> None:
    at = luck.randint(1, 6)
    assert run(sweep(training, stop=lambda record: record.step == at)) == (at, "stopped")


def closed_half_way(training: Training, luck: random.Random) -> None:
    steps = sweep(training)
    for _ in range(luck.randint(1, 6)):
        next(steps)
    steps.close()


def raising_forward(training: Training, luck: random.Random) -> None:
    _expect(Boom, training, on_loss=_raise_at(luck.randint(1, 6), Boom("in forward")))


def raising_backward(training: Training, luck: random.Random) -> None:
    at = luck.randint(1, 6)
    raising: Callable[[Any], Any] = _RaisingBackward.apply
    _expect(Boom, training, on_loss=lambda call, loss: raising(loss) if call == at else loss)


def raising_loader(training: Training, luck: random.Random) -> None:
    def batches() -> Iterator[Any]:
        yield from itertools.islice(training.kind.data, luck.randint(0, 3))
        raise Boom("in the loader")

    class Loader:
        def __init__(self) -> None:
            self.loader = training.kind.data

        def __iter__(self) -> Iterator[Any]:
            return batches()

    _expect(Boom, training, data=Loader())


def raising_step(training: Training, luck: random.Random) -> None:
    with _after_updates(_raise_at(luck.randint(1, 6), Boom("in the step"))):
        _expect(Boom, training)


def interrupted_forward(training: Training, luck: random.Random) -> None:
    _expect(KeyboardInterrupt, training, on_loss=_raise_at(luck.randint(1, 6), KeyboardInterrupt("in forward")))


def interrupted_update(training: Training, luck: random.Random) -> None:
    with _after_updates(_raise_at(luck.randint(1, 6), KeyboardInterrupt("after the update"))):
        _expect(KeyboardInterrupt, training)


def interrupted_lines(training: Training, luck: random.Random, count: int = 3) -> None:
    """Interrupt at random lines of the package: one among all, one among the first and one among the last."""
    total = lines_run(lambda: run(sweep(training, num_steps=2)))
    for index in range(count):
        low, high = ((0, total), (0, total // 3), (2 * total // 3, total))[index % 3]
        interrupted_at_line(training, luck.randrange(low, high), luck.choice(INTERRUPTS))


def interrupted_at_line(training: Training, line: int, kind: type[BaseException]) -> None:
    with pytest.raises(kind, match="at a line"), interrupting(line, kind):
        run(sweep(training, num_steps=2))


ENDINGS = (
    complete, diverge, non_finite, stopped, closed_half_way, raising_forward, raising_backward, raising_loader,
    raising_step, interrupted_forward, interrupted_update, interrupted_lines,
)  # fmt: skip


def lines_run(action: Callable[[], object]) -> int:
    """Return how many lines of the package the action runs."""
    with interrupting(-1) as tracer:
        action()
    return tracer.lines


class _Tracer:
    """Counts the lines of the package as they run and raises an exception once, at the line of this number."""

    def __init__(self, line: int, kind: type[BaseException]) -> None:
        self.line, self.kind, self.lines = line, kind, 0

    def __call__(self, frame: Any, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.line + 1:
                raise self.kind(f"at a line: {Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        return self


@contextmanager
def interrupting(line: int, kind: type[BaseException] = KeyboardInterrupt) -> Iterator[_Tracer]:
    """Raise in the block before it runs the package's line of this number, counted from 0; -1 for never."""
    tracer, previous = _Tracer(line, kind), sys.gettrace()
    sys.settrace(tracer)
    try:
        yield tracer
    finally:
        sys.settrace(previous)


def _expect(kind: type[BaseException], training: Training, **options: Any) -> None:
    with pytest.raises(kind, match=r"^(in|after) "):
        run(sweep(training, **options))


def _raise_at(at: int, error: BaseException) -> Callable[..., Any]:
    calls = itertools.count(1)

    def maybe_raise(_call: Any, loss: Any) -> Any:
        if next(calls) == at:
            raise error
        return loss

    return maybe_raise


@contextmanager
def _after_updates(hook: Callable[[Any, Any], Any]) -> Iterator[None]:
    handle = register_optimizer_step_post_hook(lambda optimizer, args, kwargs: hook(optimizer, None) and None)
    try:
        yield
    finally:
        handle.remove()
