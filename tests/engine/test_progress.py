"""Records are kept, drained and shown, and the steps are closed whatever comes between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from lr_widget import StepRecord, range_test
from lr_widget.engine.progress import drain, keep, progress_bar

if TYPE_CHECKING:
    from collections.abc import Generator


class Steps:
    """Steps that note when they are closed and may raise."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.count, self.error = count, error
        self.closed = 0

    def __call__(self) -> Generator[StepRecord, None, str]:
        """Yield the records."""
        try:
            for step in range(1, self.count + 1):
                yield StepRecord(step, 0.1, 1.0 / step, (0.1,))
            if self.error is not None:
                raise self.error
            return "completed"
        finally:
            self.closed += 1


def test_keep_appends_each_record_before_it_is_yielded_and_returns_the_reason() -> None:
    """A consumer that stops in the middle has all records that it has seen."""
    kept: list[StepRecord] = []
    steps = keep(Steps(3)(), kept)
    assert [(next(steps).step, len(kept)) for _ in range(3)] == [(1, 1), (2, 2), (3, 3)]
    with pytest.raises(StopIteration, match="completed"):
        next(steps)


def test_keep_closes_the_steps_when_it_is_closed() -> None:
    """So that everything is restored at once."""
    inner, kept = Steps(3), []
    steps = keep(inner(), kept)
    next(steps)
    steps.close()
    assert (inner.closed, len(kept)) == (1, 1)


def test_drain_shows_every_record_and_returns_the_reason() -> None:
    """One call a record."""
    shown: list[int] = []
    assert drain(Steps(4)(), lambda record: shown.append(record.step)) == "completed"
    assert shown == [1, 2, 3, 4]


def test_ctrl_c_ends_a_drain_as_interrupted_but_is_raised_before_the_first_record() -> None:
    """Without a record there is nothing to keep."""
    inner = Steps(2, KeyboardInterrupt())
    assert drain(inner(), lambda record: None) == "interrupted"
    assert inner.closed == 1
    with pytest.raises(KeyboardInterrupt, match="early"):
        drain(Steps(0, KeyboardInterrupt("early"))(), lambda record: None)


def test_an_exception_of_the_users_goes_through_a_drain() -> None:
    """And the steps are closed."""
    inner = Steps(2, ZeroDivisionError("mine"))
    with pytest.raises(ZeroDivisionError, match="mine"):
        drain(inner(), lambda record: None)
    assert inner.closed == 1


def test_a_bar_that_is_not_enabled_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does it load tqdm's widgets."""
    with progress_bar("range test", 3, enabled=False) as show:
        show(StepRecord(1, 0.1, 1.0, (0.1,)))
    assert capsys.readouterr() == ("", "")


def test_the_progress_bar_counts_the_steps_and_shows_rate_and_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """As `range_test` shows it by default."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    range_test(model, optimizer, nn.functional.mse_loss, data, end_lr=1.0, num_steps=10, diverge_factor=None)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "lr 1, loss " in shown
