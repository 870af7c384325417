"""Gathered weights; real shards are in tests/distributed."""

from __future__ import annotations

from torch import nn

from lr_widget.restore import drop_gathered


def test_gathered_weights_are_dropped_only_where_there_is_a_process_group() -> None:
    """A method of the user's that happens to be named so is not called."""

    class Own(nn.Linear):
        def reset_iter_state(self) -> None:
            raise AssertionError("called")

    drop_gathered([Own(2, 1)], has_failed=True)
