"""Records are kept, drained and shown, and the steps are closed whatever comes between."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
import tqdm.notebook
from torch import nn

from lr_widget import StepRecord, range_test
from lr_widget.engine.progress import drain, drain_in_bar, keep

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
    """The steps are taken all the same."""
    inner = Steps(3)
    assert drain_in_bar(inner(), "range test", 3, enabled=False) == "completed"
    assert inner.closed == 1
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All bars of a notebook that are made from now on, in the order in which they are."""
    made: list[Any] = []

    class Kept(tqdm.notebook.tqdm):  # type: ignore[misc]  # tqdm has no types
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append(self)
            super().__init__(*args, **options, display=False)

    monkeypatch.setattr("tqdm.auto.tqdm", Kept)
    return made


@pytest.mark.parametrize("count", [0, 1, 3, 300])
def test_a_test_that_ends_by_itself_fills_the_bar(bars: list[Any], count: int) -> None:
    """In a notebook it would turn red otherwise, as after an error; the time it took stays."""
    drain_in_bar(Steps(count)(), "range test", 300, enabled=True)
    (bar,) = bars
    _, inner, right = bar.container.children
    assert (bar.n, bar.total, inner.value, inner.max, inner.bar_style) == (count, count, count, count, "success")
    assert f"{count}/{count}" in right.value or count == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("mine")])
def test_a_test_that_was_broken_off_leaves_the_bar_red_where_it_stood(bars: list[Any], error: BaseException) -> None:
    """By Ctrl-C or by an exception."""
    with suppress(ZeroDivisionError):
        drain_in_bar(Steps(3, error)(), "range test", 12, enabled=True)
    (bar,) = bars
    _, inner, right = bar.container.children
    assert (inner.value, inner.max, inner.bar_style) == (3, 12, "danger")
    assert "3/12" in right.value


def test_a_full_bar_keeps_its_time_and_its_last_words(bars: list[Any]) -> None:
    """Three steps that take a minute each, by a clock of our own."""

    def slow() -> Generator[StepRecord, None, str]:
        now = bars[0].start_t + 180.0
        bars[0]._time = lambda: now
        yield from Steps(3)()
        return "diverged"

    assert drain_in_bar(slow(), "range test", 100, enabled=True) == "diverged"
    right = bars[0].container.children[2].value.replace("\u2007", " ")  # newer ones write spaces of another kind
    assert "03:00" in right
    assert "lr 0.1, loss 0.3333" in right


def test_a_bar_that_the_user_has_switched_off_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variable of tqdm's own."""
    monkeypatch.setattr("tqdm.auto.tqdm", partial(tqdm.tqdm, disable=True))
    assert drain_in_bar(Steps(3)(), "range test", 100, enabled=True) == "completed"


def test_a_test_that_diverges_ends_with_a_full_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """`range_test` in a terminal: all steps that it took, of these."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    records = range_test(model, optimizer, nn.functional.mse_loss, data, end_lr=1e6, num_steps=60)
    assert records.stop_reason == "diverged"
    assert 0 < len(records) < 60
    last = capsys.readouterr().err.rstrip().split("\r")[-1]
    assert f"100%|{'█' * 10}| {len(records)}/{len(records)} " in last


def test_the_progress_bar_counts_the_steps_and_shows_rate_and_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """As `range_test` shows it by default."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.ones(4, 2), torch.ones(4, 1))]
    range_test(model, optimizer, nn.functional.mse_loss, data, end_lr=1.0, num_steps=10, diverge_factor=None)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "lr 1, loss " in shown
