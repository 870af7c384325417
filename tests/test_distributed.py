"""In one process nothing of torch.distributed is used; several processes are in tests/distributed."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import torch
from torch import distributed, nn

from lr_widget import distributed as ours
from lr_widget import range_test


def test_one_process_is_alone_and_first() -> None:
    """Without a process group there are no ranks, and a number is one's own."""
    assert ours.is_alone()
    assert ours.is_first_rank()
    assert ours.of_first_rank(7) == 7


def test_a_process_group_of_one_is_alone(tmp_path: Any) -> None:
    """As under `torchrun --nproc-per-node 1`: there is nobody to wait for, and no operation of a group."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        assert ours.is_alone()
        model = nn.Linear(2, 1)
        data = [(torch.ones(4, 2), torch.ones(4, 1))]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with mock.patch.object(ours, "Ranks", side_effect=AssertionError("a meeting of one")):
            records = range_test(model, optimizer, nn.functional.mse_loss, data, num_steps=4, repeats=2, progress=False)
        assert records.stop_reason == "completed"
        assert distributed.group.WORLD._get_sequence_number_for_group() == 0
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize(
    "text",
    [
        "Connection closed by peer [127.0.0.1]:49793",
        "Timed out waiting 50ms for recv operation to complete",
        "Application timeout caused pair closure",
        "NCCL communicator was aborted on rank 1.",
    ],
)
def test_the_words_of_backends_for_a_rank_that_has_gone_are_known(text: str) -> None:
    """Sentences that gloo and NCCL have written; one of the user's own is not among them."""
    assert ours._LOST.search(text)
    assert not ours._LOST.search("mat1 and mat2 shapes cannot be multiplied (6x4 and 8x1)")
