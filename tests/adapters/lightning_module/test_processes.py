"""The strategy for one process or one of several; several are in `tests/distributed/test_lightning.py`."""

from __future__ import annotations

import torch

from lr_widget.adapters.lightning_module.processes import strategy_of

from ..lit import L


def test_in_one_process_the_strategy_is_lightnings_own() -> None:
    """For the device that is asked for."""
    strategy = strategy_of(L, torch.device("cpu"), {})
    assert type(strategy) is L.strategies.SingleDeviceStrategy
    assert (strategy.root_device, strategy.world_size) == (torch.device("cpu"), 1)
