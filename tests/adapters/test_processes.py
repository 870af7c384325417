"""Models of several processes; tests/distributed/test_trainers.py has them in a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lr_widget.adapters import processes


def test_a_process_alone_keeps_its_model() -> None:
    """Nothing is wrapped or moved."""
    model = nn.Linear(2, 1)
    assert processes.wrapped(model, torch.device("cpu"), find_unused_parameters=True) is model


@pytest.mark.skipif(not (distributed.is_available() and distributed.is_gloo_available()), reason="needs gloo")
def test_one_of_several_processes_gets_a_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options of the framework; the group here has one process that takes itself for one of several."""
    monkeypatch.setattr(processes, "is_alone", lambda: False)
    with tempfile.TemporaryDirectory() as folder:
        distributed.init_process_group("gloo", init_method=f"file://{Path(folder) / 'store'}", rank=0, world_size=1)
        try:
            model = nn.Linear(2, 1)
            wrapper = processes.wrapped(model, torch.device("cpu"), find_unused_parameters=True)
            assert isinstance(wrapper, DistributedDataParallel)
            assert wrapper.module is model
            assert wrapper.find_unused_parameters
            assert wrapper.device_ids is None
        finally:
            distributed.destroy_process_group()
