"""Whatever ends the test on one rank ends it on all, at once, with a word of why; and nobody hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test, range_test

from .team import Team
from .trained import SHARDED, Trained, interrupt, outcome, untouched

mse = nn.functional.mse_loss
Test = Callable[[Trained], Any]


def run(ours: Trained, loss_fn: Any = mse, data: Any = None, **keywords: Any) -> Any:
    keywords = {"num_steps": 20, "diverge_factor": None, "progress": False, **keywords}
    return range_test(ours.model, ours.optimizer, loss_fn, ours.data if data is None else data, **keywords)


class Countdown:
    """Calls `action` at the n-th call on one rank, and does nothing otherwise."""

    def __init__(self, action: Callable[[], object], n: int, *, here: bool) -> None:
        self.left = n if here else -1
        self.action = action

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.action()


def boom() -> None:
    raise ValueError("boom")


class Failing(TensorDataset):
    def __init__(self, data: Any, tick: Countdown) -> None:
        super().__init__(*(torch.cat(parts) for parts in zip(*data)))
        self.tick = tick

    def __getitem__(self, index: Any) -> Any:
        if index % 6 == 0:
            self.tick()
        return super().__getitem__(index)


# --- exceptions ------------------------------------------------------------------------------------------------------


def in_the_dataset(ours: Trained, tick: Countdown) -> Any:
    return run(ours, data=DataLoader(Failing(ours.data, tick), batch_size=6))


def in_forward(ours: Trained, tick: Countdown) -> Any:
    handle = next(ours.model.children()).register_forward_hook(lambda *_: tick())
    try:
        return run(ours)
    finally:
        handle.remove()


def in_the_loss(ours: Trained, tick: Countdown) -> Any:
    return run(ours, lambda output, targets: (tick(), mse(output, targets))[1])


def in_the_train_step(ours: Trained, tick: Countdown) -> Any:
    def train_step(model: nn.Module, batch: Any) -> torch.Tensor:
        loss = mse(model(batch[0]), batch[1])
        tick()
        return loss

    return run(ours, None, train_step=train_step)


def in_stop(ours: Trained, tick: Countdown) -> Any:
    return run(ours, stop=lambda record: tick())


def in_validation(ours: Trained, tick: Countdown) -> Any:
    class Val:
        def __iter__(self) -> Any:
            for batch in ours.data:
                tick()
                yield batch

    return run(ours, val_data=Val(), val_every=1)


def in_the_optimizer(ours: Trained, tick: Countdown) -> Any:
    handle = ours.optimizer.register_step_post_hook(lambda *_: tick())
    try:
        return run(ours)
    finally:
        handle.remove()


def in_the_dataset_before_a_validation(ours: Trained, tick: Countdown) -> Any:
    data = DataLoader(Failing(ours.data, tick), batch_size=6)
    return run(ours, data=data, val_data=ours.data[:2], val_every=1)


PLACES = [in_the_dataset, in_the_dataset_before_a_validation, in_forward, in_the_loss, in_the_train_step, in_stop]
PLACES += [in_validation, in_the_optimizer]


def failures(rank: int, size: int) -> Any:
    results = {}
    for place in PLACES:
        begun = time.monotonic()
        tick = Countdown(boom, 5, here=rank == 1)
        results[place.__name__] = untouched("ddp", rank, size, lambda ours: place(ours, tick))  # noqa: B023  # called at once
        assert time.monotonic() - begun < 30
    return results


@pytest.mark.parametrize("team", ["pair", "four"])
def test_an_exception_on_one_rank_ends_all(request: pytest.FixtureRequest, team: str) -> None:
    """Rank 1 raises its own exception, the others say what it was; training goes on everywhere as a twin's does."""
    one, failed, *others = request.getfixturevalue(team).run(failures)
    for place in PLACES:
        kind, name, text, notes = failed[place.__name__]
        assert (kind, name, text) == ("raised", "ValueError", "boom")
        assert "while lr_widget was in step" in notes[0]
        assert len(notes) == 1
        for result in [one, *others]:
            kind, name, text, _ = result[place.__name__]
            assert (kind, name) == ("raised", "RuntimeError")
            assert text == "rank 1 failed: ValueError: boom; the range test has ended on every rank"


def failure_in_the_first_step(rank: int, size: int) -> Any:
    return [
        untouched("ddp", rank, size, lambda ours: place(ours, Countdown(boom, 1, here=rank == 0)))  # noqa: B023  # called at once
        for place in (in_the_dataset, in_forward, in_the_loss)
    ]


def test_an_exception_in_the_first_step_ends_all(pair: Team) -> None:
    """Before anything is on record, too."""
    failed, other = pair.run(failure_in_the_first_step)
    assert [result[:3] for result in failed] == [("raised", "ValueError", "boom")] * 3
    assert all(result[2].startswith("rank 0 failed: ValueError: boom") for result in other)


def failures_on_two(rank: int, size: int) -> Any:
    return untouched("ddp", rank, size, lambda ours: in_the_loss(ours, Countdown(boom, 3, here=rank in (1, 2))))


def test_two_ranks_that_fail_at_once_raise_their_own(four: Team) -> None:
    """And the others name one of them."""
    results = four.run(failures_on_two)
    assert [result[1] for result in results] == ["RuntimeError", "ValueError", "ValueError", "RuntimeError"]


# --- ends without an exception ---------------------------------------------------------------------------------------


def interrupted(rank: int, size: int) -> Any:
    return [
        untouched("ddp", rank, size, lambda ours: place(ours, Countdown(interrupt, 5, here=rank == 1)))  # noqa: B023  # called at once
        for place in (in_the_dataset, in_forward, in_the_loss, in_stop, in_the_optimizer)
    ]


def test_ctrl_c_on_one_rank_interrupts_all(pair: Team) -> None:
    """A real signal, wherever it comes: all ranks return the same records, as interrupted."""
    one, other = pair.run(interrupted)
    assert one == other
    assert [result[2] for result in one] == ["interrupted"] * 5
    assert [len(result[1]) for result in one] == [3, 4, 4, 5, 5]


def interrupted_at_once(rank: int, size: int) -> Any:
    return untouched("ddp", rank, size, lambda ours: in_the_loss(ours, Countdown(interrupt, 1, here=rank == 0)))


def test_ctrl_c_before_the_first_record_is_raised_everywhere(pair: Team) -> None:
    """As in one process."""
    assert [result[1] for result in pair.run(interrupted_at_once)] == ["KeyboardInterrupt"] * 2


def interrupted_in_the_bar(rank: int, size: int) -> Any:
    """Between two steps, where the records are shown."""
    from unittest import mock

    tick = Countdown(interrupt, 4, here=rank == 0)
    with mock.patch("tqdm.auto.tqdm.update", side_effect=tick):
        return outcome(lambda: run(Trained("ddp", rank, size), progress=True))


def test_ctrl_c_between_two_steps_interrupts_all(pair: Team) -> None:
    """Where rank 0 draws its bar."""
    one, other = pair.run(interrupted_in_the_bar)
    assert one == other
    assert (len(one[1]), one[2]) == (4, "interrupted")


def stopped(rank: int, size: int) -> Any:
    return [
        untouched("ddp", rank, size, lambda ours: run(ours, stop=lambda record: rank == 1 and record.step == at))  # noqa: B023  # called at once
        for at in (1, 6, 20)
    ]


def test_stop_on_one_rank_stops_all(pair: Team) -> None:
    """After the first, the sixth and the last step, with the same records everywhere."""
    one, other = pair.run(stopped)
    assert one == other
    assert [(len(result[1]), result[2]) for result in one] == [(1, "stopped"), (6, "stopped"), (20, "stopped")]


def uneven(rank: int, size: int) -> Any:
    """A stream that ends after 3 batches on rank 0, after 5 elsewhere; accumulation makes 1 step of it, and 2."""
    lengths = [3 if rank == 0 else 5, 0 if rank == 0 else 5]
    return [
        untouched("ddp", rank, size, lambda ours: run(ours, data=iter(ours.data[:length]), accumulation_steps=several))  # noqa: B023  # called at once
        for length, several in [(lengths[0], 1), (lengths[0], 2), (lengths[1], 1)]
    ]


def test_data_that_ends_on_one_rank_ends_all(pair: Team) -> None:
    """As exhausted, after as many steps as every rank has batches for; without a batch on one rank, it says so."""
    one, other = pair.run(uneven)
    assert one[:2] == other[:2]
    assert [(len(result[1]), result[2]) for result in one[:2]] == [(3, "exhausted"), (1, "exhausted")]
    assert "yielded no batch" in one[2][2]
    assert other[2][2].startswith("rank 0 failed: ValueError: train_data yielded no batch")


def closed(rank: int, size: int) -> Any:
    """The generator is closed on rank 1 after its fourth record."""

    def test(ours: Trained) -> Any:
        seen = []
        with iter_range_test(ours.model, ours.optimizer, mse, ours.data, num_steps=20, diverge_factor=None) as test:
            for record in test:
                seen.append(record.loss)
                if rank == 1 and record.step == 4:
                    break
        return seen, test.stop_reason

    return {kind: untouched(kind, rank, size, test) for kind in ("ddp", *SHARDED)}


def test_a_generator_that_is_closed_on_one_rank_ends_on_all(pair: Team) -> None:
    """With the same records; the others see the test as stopped."""
    one, other = pair.run(closed)
    for kind in one:
        (seen, reason), (seen_there, reason_there) = one[kind][1], other[kind][1]
        assert seen == seen_there
        assert len(seen) == 4
        assert (reason, reason_there) == ("stopped", None)


def failures_of_shards(rank: int, size: int) -> Any:
    places = [in_the_dataset, in_the_loss, in_stop]
    return [
        untouched(kind, rank, size, lambda ours: place(ours, Countdown(boom, 4, here=rank == 1)))  # noqa: B023  # called at once
        for kind in SHARDED
        for place in places
    ]


def test_shards_come_back_after_an_exception_on_one_rank(pair: Team) -> None:
    """Outside of the wrapped model's own forward and backward pass, the process group goes on."""
    one, failed = pair.run(failures_of_shards)
    assert {result[1] for result in failed} == {"ValueError"}
    assert {result[2][:14] for result in one} == {"rank 1 failed:"}
