"""Several sweeps one after another leave no trace either, also where they are cut short."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
import torch

from lr_widget import range_test

from ..restore.helpers import BESIDE, SWEEP, Training
from .state import values


def test_an_interrupt_in_the_third_of_five_sweeps_keeps_the_first_two() -> None:
    """Ctrl-C in step 4 of sweep 3: two whole sweeps and their mean are the records, and nothing has changed."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 2 * 8 + 4:
            raise KeyboardInterrupt
        return training.loss(batch)

    records = range_test(
        training.model,
        training.optimizer,
        None,
        training.loader,
        train_step=train_step,
        repeats=5,
        progress=False,
        **SWEEP,
    )
    assert [len(repeat) for repeat in records.repeats] == [8, 8]
    assert records.stop_reason == "interrupted"
    curves = [repeat.loss for repeat in records.repeats]
    assert records.loss.tolist() == pytest.approx(((curves[0] + curves[1]) / 2).tolist(), rel=1e-12)
    assert next(calls) == 21
    before.assert_unchanged("after an interrupt in the third sweep")


def test_an_interrupt_in_the_first_of_five_sweeps_keeps_its_steps() -> None:
    """Ctrl-C in step 4 of sweep 1: three steps, "interrupted"."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return training.loss(batch)

    options: dict[str, Any] = {"train_step": train_step, "repeats": 5, "progress": False, **SWEEP}
    records = range_test(training.model, training.optimizer, None, training.loader, **options)
    assert (len(records), records.stop_reason, records.repeats) == (3, "interrupted", ())
    before.assert_unchanged("after an interrupt in the first sweep")


@pytest.mark.parametrize("kind", [None, "moving average"])
@pytest.mark.parametrize("seed", [None, 3])
def test_repeats_leave_no_trace_and_start_from_the_same_weights(kind: str | None, seed: int | None) -> None:
    """Each of three sweeps starts where training stood, in another order, and after them all is as before."""
    training = Training(BESIDE[kind]) if kind else Training()
    things = [training.beside] if kind else []
    before, weights, starts = training.look(), values(training.model), []

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        starts.append(values(model)[:4] == weights[:4])
        loss = training.loss(batch)
        training.after_step(loss)
        return loss

    records = range_test(
        training.model,
        training.optimizer,
        None,
        training.loader,
        train_step=train_step,
        also_restore=things,
        repeats=3,
        seed=seed,
        progress=False,
        **SWEEP,
    )
    assert starts == ([True] + [False] * 7) * 3
    assert len({tuple(repeat.loss) for repeat in records.repeats}) == 3
    before.assert_unchanged("after three sweeps")


def test_an_exception_in_a_later_sweep_leaves_no_trace() -> None:
    """The user's exception in sweep 2 comes through, with everything as before the first sweep."""
    training, calls = Training(), count(1)
    before = training.look()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == 11:
            raise ZeroDivisionError("in sweep 2")
        return training.loss(batch)

    options: dict[str, Any] = {"train_step": train_step, "repeats": 3, "progress": False, **SWEEP}
    with pytest.raises(ZeroDivisionError, match="in sweep 2") as caught:
        range_test(training.model, training.optimizer, None, training.loader, **options)
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 8, at learning rate 5.6e-3"]  # type: ignore[attr-defined]
    before.assert_unchanged("after an exception in the second sweep")
