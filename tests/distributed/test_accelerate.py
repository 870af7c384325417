"""A loop of accelerate in two processes: one curve, of the loop itself at the same rates, and the loop goes on as without."""

from __future__ import annotations

from typing import Any

import pytest

from .team import Team
from .test_trainers import _as_torchrun

BOUNDS: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 6, "diverge_factor": None, "progress": False}


def loops(rank: int, size: int) -> Any:
    """Sweep, train at the rates of the sweep, train after a test, and train without one."""
    from lr_widget import adapters, range_test
    from tests.adapters.accelerated_loop import loss_fn, parts, prepared, train

    with _as_torchrun(rank, size):
        records = range_test(**adapters.accelerate(*prepared().given), **BOUNDS)

        loop = prepared()
        batches, means = iter(loop.loader), []
        for rate in records.lr.tolist():
            inputs, targets = next(batches, None) or next(batches := iter(loop.loader))
            for group in loop.optimizer.param_groups:
                group["lr"] = rate
            loss = loss_fn(loop.model(inputs), targets)
            loop.accelerator.backward(loss)
            loop.optimizer.step()
            loop.optimizer.zero_grad()
            means.append(float(loop.accelerator.gather(loss.detach().reshape(1)).mean()))

        tested = prepared()
        range_test(**adapters.accelerate(*tested.given), **BOUNDS)
        after, without = train(tested, 5), train(prepared(), 5)

        model, optimizer, loader = parts()
        try:
            adapters.accelerate(prepared().accelerator, model, optimizer, loss_fn, loader)
        except ValueError as error:
            refusal = str(error)
    return records.loss.tolist(), means, after, without, refusal


def test_both_ranks_have_the_curve_of_the_loop_itself(pair: Team) -> None:
    """The mean over the ranks at each rate; the training afterwards is that without a test; an unprepared model is refused."""
    first, second = pair.run(loops, patience=120)
    assert first[0] == second[0]
    assert first[0] == pytest.approx(first[1], rel=1e-5)
    for _, _, after, without, refusal in (first, second):
        assert after == without
        assert refusal.endswith("; give what accelerator.prepare(model, optimizer, loader) has returned")
    assert first[2] != second[2]  # each rank has batches of its own
