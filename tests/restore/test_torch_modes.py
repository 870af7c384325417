"""torch's modes come back, also where a `with` block was never left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget.restore import read_torch_modes, reset_torch_modes, torch_modes


def nesting() -> int:
    torch.autocast_increment_nesting()
    return torch.autocast_decrement_nesting()


def modes() -> tuple[Any, ...]:
    cpu = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
    return torch.is_grad_enabled(), *cpu, torch.is_autocast_cache_enabled()


@pytest.fixture(autouse=True)
def _leave_autocast() -> Iterator[None]:
    before = nesting()
    yield
    while nesting() > before:
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()


def enter_and_never_leave() -> None:
    """Enter blocks as a step does that an interrupt cuts off before it can leave them."""
    torch.set_grad_enabled(False)
    torch.autocast("cpu", dtype=torch.float16, cache_enabled=False).__enter__()
    torch.autocast("cpu", dtype=torch.bfloat16).__enter__()


def test_all_modes_come_back():
    """Gradients, autocast, its dtype, its cache and how deep it is nested."""
    before = modes(), nesting()
    kept = read_torch_modes()
    enter_and_never_leave()
    assert (modes(), nesting()) != before
    assert nesting() == before[1] + 2
    reset_torch_modes(kept)
    assert (modes(), nesting()) == before


def test_modes_of_the_user_stay_on():
    """Inside the user's own autocast and no_grad, it is these that come back."""
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16):
        before = modes(), nesting()
        kept = read_torch_modes()
        torch.set_grad_enabled(True)
        torch.autocast("cpu", enabled=False).__enter__()
        reset_torch_modes(kept)
        assert (modes(), nesting()) == before


def outputs_around_an_update() -> tuple[float, float]:
    """Return the output of a linear layer under autocast with weight 1 and, in the next block, with weight 2."""
    layer, one, outputs = nn.Linear(1, 1, bias=False), torch.ones(1, 1), []
    for weight in (1.0, 2.0):
        nn.init.constant_(layer.weight, weight)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs.append(layer(one).item())
    return outputs[0], outputs[1]


def test_casts_of_old_weights_are_not_used_after_an_interrupt():
    """Each autocast block of the user's training casts the weights anew."""
    kept = read_torch_modes()
    enter_and_never_leave()
    reset_torch_modes(kept)
    assert outputs_around_an_update() == (1.0, 2.0)


def test_without_the_nesting_calls_casts_of_old_weights_are_used(monkeypatch: pytest.MonkeyPatch):
    """In a torch that does not tell the nesting, all other modes are back; its cache of casts goes on too long."""
    monkeypatch.setattr(torch_modes, "_NESTING_CALLS", ())
    before = modes()
    kept = read_torch_modes()
    enter_and_never_leave()
    reset_torch_modes(kept)
    assert modes() == before
    assert outputs_around_an_update() == (1.0, 1.0)


def test_nesting_calls_that_are_gone_or_not_in_c_are_not_used(monkeypatch: pytest.MonkeyPatch):
    """One that is missing, or that Python runs line by line, makes both useless."""
    assert len(torch_modes._nesting_calls()) == 2
    with monkeypatch.context() as patch:
        patch.delattr(torch, "autocast_increment_nesting")
        assert torch_modes._nesting_calls() == ()
    monkeypatch.setattr(torch, "autocast_decrement_nesting", lambda: 0)
    assert torch_modes._nesting_calls() == ()
