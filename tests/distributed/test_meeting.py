"""Before anything is changed, the ranks meet: one that is alone says so, and differing arguments are refused by all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lr_widget import distributed as ours
from lr_widget import probe, range_test

from .team import Team
from .trained import Trained, outcome, untouched

mse = nn.functional.mse_loss
APART = ": nobody else came in time; call it on every rank, after a barrier() if they come apart"


def run(trained: Trained, **keywords: Any) -> Any:
    keywords = {"num_steps": 6, "progress": False, **keywords}
    return range_test(trained.model, trained.optimizer, mse, trained.data, **keywords)


def impatient(call: Callable[[], Any]) -> Any:
    """Call with a rank's patience for the others cut down to two seconds."""
    patience, ours.HANDSHAKE_SECONDS = ours.HANDSHAKE_SECONDS, 2.0
    try:
        return call()
    finally:
        ours.HANDSHAKE_SECONDS = patience


def alone_then_together(rank: int, size: int) -> Any:
    """Rank 0 (and with four ranks rank 2) calls alone, and then all call."""

    def test(trained: Trained) -> Any:
        results = []
        if rank % 2 == 0:
            results.append(impatient(lambda: outcome(lambda: run(trained))))
        torch.distributed.barrier()
        return [*results, outcome(lambda: run(trained))]

    return untouched("ddp", rank, size, test)[1]


def test_a_rank_that_calls_alone_says_so(pair: Team) -> None:
    """After some seconds, instead of waiting for ever; a proper call then works."""
    (alone, together), (there,) = pair.run(alone_then_together)
    assert alone[:3] == ("raised", "RuntimeError", f"range_test was called on rank 0 alone{APART}")
    assert together == there
    assert together[2] == "completed"


def test_two_of_four_ranks_name_each_other(four: Team) -> None:
    """Both ranks that came are named by both."""
    results = four.run(alone_then_together)
    text = f"range_test was called on ranks 0 and 2 alone{APART}"
    assert [results[rank][0][2] for rank in (0, 2)] == [text, text]
    assert len({repr(result[-1]) for result in results}) == 1


def late(rank: int, size: int) -> Any:
    """Rank 1 comes when rank 0 has given up, and waits for itself."""

    def test(trained: Trained) -> Any:
        if rank == 1:
            time.sleep(3)
        first = impatient(lambda: outcome(lambda: run(trained)))
        torch.distributed.barrier()
        return first, outcome(lambda: run(trained))

    return untouched("ddp", rank, size, test)[1]


def test_ranks_that_miss_each_other_both_say_so(pair: Team) -> None:
    """And they meet the next time."""
    (first, then), (first_there, then_there) = pair.run(late)
    assert first[2] == f"range_test was called on rank 0 alone{APART}"
    assert first_there[2] == f"range_test was called on rank 1 alone{APART}"
    assert then == then_there
    assert then[2] == "completed"


DIFFERENT: list[tuple[str, Any, Any]] = [
    ("num_steps", 6, 7),
    ("start_lr", 1e-6, 1e-5),
    ("schedule", "exponential", "linear"),
    ("schedule", lambda step: 0.1 * step, lambda step: 0.2 * step),
    ("seed", None, 0),
    ("accumulation_steps", 1, 2),
    ("diverge_factor", 4.0, None),
    ("repeats", 2, 1),
    ("groups", "together", 0),
    ("train_steps", None, 1000),
    ("train_schedule", "constant", "cosine"),
    ("val_data", None, [(torch.ones(6, 4), torch.ones(6, 1))]),
]


def differing(rank: int, size: int) -> Any:
    results = []
    for name, *values in DIFFERENT:
        keywords = {name: values[rank == 1]}
        results.append(untouched("ddp", rank, size, lambda trained: run(trained, **keywords)))  # noqa: B023  # called at once
    return results


def test_differing_arguments_are_refused_everywhere(pair: Team) -> None:
    """By the same ValueError on every rank, with the keyword and both values."""
    one, other = pair.run(differing)
    assert [result[:3] for result in one] == [result[:3] for result in other]
    for (name, *_), (_, kind, text, _) in zip(DIFFERENT, one):
        assert kind == "ValueError"
        assert text.startswith(f"{name} must be the same on every rank, got ")
    assert one[0][2] == (
        "num_steps must be the same on every rank, got 6 on rank 0 and 7 on rank 1; give every rank the same"
    )


def different_functions(rank: int, size: int) -> Any:
    def test(trained: Trained) -> Any:
        if rank == 0:
            return run(trained)
        return probe(trained.model, trained.optimizer, mse, trained.data, around=0.1, progress=False)

    return untouched("ddp", rank, size, test)


def test_a_probe_does_not_meet_a_range_test(pair: Team) -> None:
    """It is no use if one rank probes and the other one sweeps."""
    texts = {result[2] for result in pair.run(different_functions)}
    assert texts == {
        "test must be the same on every rank, got range_test on rank 0 and probe on rank 1; give every rank the same"
    }


def differing_probes(rank: int, size: int) -> Any:
    def test(ours: Trained) -> Any:
        return probe(ours.model, ours.optimizer, mse, ours.data, progress=False, **{"around": 0.1, **mine})

    results = []
    for name, value in (("around", 0.2), ("max_steps", 200), ("probe_steps", 75), ("train_steps", 50)):
        mine = {name: value} if rank else {}
        results.append(untouched("ddp", rank, size, test)[2])
    return results


def test_differing_arguments_of_probes_are_refused_everywhere(pair: Team) -> None:
    """By their own names, before the first step of a training."""
    one, other = pair.run(differing_probes)
    assert one == other
    refused = "{} must be the same on every rank, got {} on rank 0 and {} on rank 1; give every rank the same"
    assert one[0] == refused.format("around", 0.1, 0.2)
    assert one[1] == refused.format("max_steps", 300, 200)
    assert one[2] == refused.format("probe_steps", None, 75)
    assert one[3].startswith("num_steps must be the same on every rank, got 75 on rank 0 and 50 on rank 1; ")


def wrong_on_one(rank: int, size: int) -> Any:
    def test(trained: Trained) -> Any:
        result = impatient(lambda: outcome(lambda: run(trained, start_lr=-1.0 if rank == 0 else 1e-7)))
        torch.distributed.barrier()
        return result, outcome(lambda: run(trained))

    return untouched("ddp", rank, size, test)[1]


def test_a_wrong_argument_on_one_rank_hangs_nobody(pair: Team) -> None:
    """Rank 0 says what is wrong, and rank 1 that it was alone."""
    (wrong, then), (alone, then_there) = pair.run(wrong_on_one)
    assert wrong[1] == "ValueError"
    assert alone[2] == f"range_test was called on rank 1 alone{APART}"
    assert then == then_there
    assert then[2] == "completed"
