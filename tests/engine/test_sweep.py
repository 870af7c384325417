"""One sweep of a plan: made once, run as often as wanted, restored every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lr_widget import iter_range_test, probe, range_test
from lr_widget.engine.plan import Plan, make_plan
from lr_widget.engine.sweep import run_sweep
from lr_widget.schedule import Sweep
from lr_widget.training import Batches, Training

from ..no_trace.state import Look

mse = nn.functional.mse_loss


def given(**loader: Any) -> tuple[nn.Module, torch.optim.Optimizer, Any, DataLoader[Any]]:
    """A model, its optimizer with state, a loss and a loader."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = DataLoader(TensorDataset(torch.randn(24, 3), torch.randn(24, 1)), batch_size=6, **loader)
    return model, optimizer, mse, data


def curve(plan: Plan) -> list[tuple[float, float]]:
    """Rates and losses of one sweep."""
    return [(record.lr, record.loss) for record in run_sweep(plan)]


def test_a_plan_can_be_run_again_and_gives_the_same_sweep() -> None:
    """It holds no state of a sweep: neither the losses of the stop rule nor a place in the data."""
    model, optimizer, loss_fn, data = given(shuffle=True)
    plan = make_plan(model, optimizer, loss_fn, data, num_steps=9, end_lr=0.1, seed=1)
    before = Look(model, optimizer)
    first = curve(plan)
    before.assert_unchanged()
    assert curve(plan) == first
    before.assert_unchanged()
    assert len(first) == 9


def test_a_plan_survives_a_sweep_that_was_closed_in_the_middle() -> None:
    """The next one starts at the beginning of the data."""
    plan = make_plan(*given(), num_steps=9, end_lr=0.1, seed=1)
    first = curve(plan)
    steps = run_sweep(plan)
    next(steps)
    steps.close()
    assert curve(plan) == first


def test_a_plan_with_another_sweep_runs_at_its_rates() -> None:
    """As the probes do, on the same loader and from the same state."""
    plan = make_plan(*given(), num_steps=9, seed=1)
    lower = replace(plan, sweep=Sweep(1e-4, 1e-2, 4, "linear"))
    assert [lr for lr, _ in curve(lower)] == pytest.approx([2.575e-3, 5.05e-3, 7.525e-3, 1e-2])


def test_the_workers_of_a_persistent_loader_serve_every_sweep_of_a_plan() -> None:
    """Its iterator is shut down at the end of each and made anew for the next."""
    loader = {"num_workers": 1, "persistent_workers": True}
    plan = make_plan(*given(**loader), num_steps=5, end_lr=0.1, seed=1)
    assert curve(plan) == curve(plan)


@pytest.mark.parametrize(
    ("run", "plans"),
    [
        (lambda *arguments, **options: range_test(*arguments, repeats=3, progress=False, **options), 1),
        (lambda *arguments, **options: list(iter_range_test(*arguments, **options)), 1),
        (lambda *arguments, **options: probe(*arguments, around=1e-3, probe_steps=8, max_steps=40, progress=False), 1),
        # A range test first: one plan for each of the two jobs.
        (lambda *arguments, **options: probe(*arguments, probe_steps=8, max_steps=40, progress=False, **options), 2),
    ],
)
def test_a_job_makes_its_batches_and_its_training_once(run: Any, plans: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sweeps it has: they are checked once, not built and thrown away to see if they can be."""
    made: list[str] = []
    for kind in (Batches, Training):
        make = kind.__init__

        def counted(self: Any, *arguments: Any, make: Any = make, **options: Any) -> None:
            made.append(type(self).__name__)
            make(self, *arguments, **options)

        monkeypatch.setattr(kind, "__init__", counted)
    run(*given(), num_steps=30, seed=0)
    assert sorted(made) == ["Batches"] * plans + ["Training"] * plans


def test_data_that_turns_gradients_off_does_no_harm() -> None:
    """A generator of batches inside no_grad, and a data set that leaves it off."""

    class Off(Dataset[Any]):
        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> Any:
            torch.set_grad_enabled(False)
            return torch.ones(3), torch.ones(1)

    def drawn() -> Iterator[Any]:
        with torch.no_grad():
            for _ in range(3):
                yield torch.ones(2, 3), torch.ones(2, 1)

    for data in (Off(), drawn()):
        model = nn.Linear(3, 1)
        records = range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, data, num_steps=3, progress=False)
        assert len(records) == 3
        assert torch.is_grad_enabled()


def test_a_mode_of_the_users_between_two_steps_stays_when_the_test_is_closed_in_it() -> None:
    """The modes of the last step are over by then."""
    with iter_range_test(*given(), num_steps=3) as test:
        next(test)
        with torch.no_grad():
            test.close()
            assert not torch.is_grad_enabled()


def test_what_stop_takes_down_stays_and_its_generator_comes_back() -> None:
    """It looks on: the lists and the attributes of a logger are the user's."""

    class Logger:
        def __init__(self) -> None:
            self.losses: list[float] = []
            self.last, self.rng = 0.0, np.random.default_rng(0)

        def __call__(self, record: Any) -> bool:
            self.losses.append(record.loss)
            self.last = record.loss
            return bool(self.rng.random() > 2)

    logger = Logger()
    records = range_test(*given(), num_steps=5, end_lr=0.1, stop=logger, progress=False)
    assert (logger.losses, logger.last) == (records.loss.tolist(), records.loss[-1])
    assert logger.rng.random() == np.random.default_rng(0).random()
