"""Autocast around the forward pass alone; eval mode around validation, undone module by module."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lr_widget import iter_range_test
from lr_widget.training.modes import evaluating, make_autocast

from .helpers import (
    BATCH,
    NUM_STEPS,
    SWEEP,
    TWO_STEPS,
    assert_same,
    bare_loop,
    batches,
    mse,
    net,
    supervised,
    swept,
)


@pytest.mark.parametrize(
    ("autocast", "dtype"),
    [
        (None, torch.float32),
        (False, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float16),
        (True, torch.bfloat16),  # the default of the CPU
        (torch.autocast("cpu", dtype=torch.float16), torch.float16),
        (lambda: torch.autocast("cpu", dtype=torch.bfloat16), torch.bfloat16),
        (nullcontext, torch.float32),
    ],
    ids=["none", "false", "bfloat16", "float16", "true", "context", "maker", "maker of nothing"],
)
def test_autocast_is_on_inside_the_model_and_off_outside(autocast: Any, dtype: torch.dtype) -> None:
    """The linear layers answer in the dtype asked for, in training and validation; between the steps it is off."""
    model = net().float()
    seen: list[torch.dtype] = []
    model[0].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    sweep = iter_range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        lambda output, targets: mse(output.float(), targets),
        data,
        autocast=autocast,
        val_data=data[:2],
        val_every=NUM_STEPS,
        **SWEEP,
    )
    for _ in sweep:
        assert not torch.is_autocast_enabled("cpu")
    assert seen == [dtype] * (NUM_STEPS + 2)
    assert not torch.is_autocast_enabled("cpu")


def test_autocast_follows_a_bare_loop_under_autocast() -> None:
    """Losses and weights are those of a loop that runs forward and loss under autocast and the rest outside."""
    model, bare = net().float(), net().float()
    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, data, autocast=torch.bfloat16)
    sgd = torch.optim.SGD(bare.parameters(), lr=0.1)
    expected = bare_loop(bare, sgd, supervised(bare), data, context=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    assert_same(curve, expected, rel=1e-5)
    full = net().float()
    sgd = torch.optim.SGD(full.parameters(), lr=0.1)
    assert curve[0] != pytest.approx(bare_loop(full, sgd, supervised(full), data)[0], rel=1e-4)


def test_an_error_under_autocast_does_not_leave_it_on() -> None:
    """The user's exception inside the autocast context finds its way out with autocast off."""
    model = net().float()

    def fail(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert torch.is_autocast_enabled("cpu")
        raise ZeroDivisionError("by the user")

    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    sweep = iter_range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), fail, data, autocast=True)
    with pytest.raises(ZeroDivisionError, match="by the user"):
        next(sweep)
    assert not torch.is_autocast_enabled("cpu")


class Merging(nn.Linear):
    """Low-rank adapters as in loralib: eval() adds the adapter to the weight, train() takes it out again."""

    def __init__(self) -> None:
        super().__init__(1, 1, bias=False)
        nn.init.ones_(self.weight)
        self.weight.requires_grad_(False)
        self.adapter, self.is_merged = nn.Parameter(torch.ones(1, 1)), False

    def train(self, mode: bool = True) -> Merging:
        super().train(mode)
        if self.is_merged is mode:
            self.weight.data += -self.adapter if mode else self.adapter
            self.is_merged = not mode
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight if self.is_merged else self.weight + self.adapter)


def test_a_module_that_does_more_than_set_a_flag_trains_on_after_validation() -> None:
    """With validation after each step the losses are those without: the adapter is taken out again each time."""
    model = Merging()
    optimizer = torch.optim.SGD([model.adapter], lr=0.1)
    curves = [
        [r.loss for r in iter_range_test(model, optimizer, mse, [BATCH], val_data=val, val_every=1, **TWO_STEPS)]
        for val in (None, [BATCH])
    ]
    assert curves[0] == pytest.approx(curves[1], rel=1e-6)
    assert (model.is_merged, model.weight.item(), model.training) == (False, 1.0, True)


def test_every_modules_own_flag_is_back_after_evaluation() -> None:
    """Also after an error: a submodule frozen in eval mode stays so in a model in train mode; gradients are on again."""
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout().eval()))
    with pytest.raises(ZeroDivisionError, match="in validation"), evaluating([model]):
        assert [module.training for module in model.modules()] == [False] * 4
        assert not torch.is_grad_enabled()
        raise ZeroDivisionError("in validation")
    assert [module.training for module in model.modules()] == [True, True, True, False]
    assert torch.is_grad_enabled()


@contextmanager
def one_shot() -> Any:
    yield


@pytest.mark.parametrize(
    ("autocast", "message"),
    [
        (
            one_shot(),
            "autocast must be a context that can be entered once a step, got one of a @contextmanager function",
        ),
        ("bf16", "autocast must be a dtype such as torch.bfloat16, .*, got 'bf16' of type str"),
        (16, "autocast must be a dtype such as torch.bfloat16, .*, got 16 of type int"),
    ],
)
def test_an_autocast_that_is_none_is_refused(autocast: Any, message: str) -> None:
    """A context that serves once would fail in the second step; a name or a number of bits is no dtype."""
    with pytest.raises(TypeError, match=message):
        make_autocast(autocast, None)


def test_the_function_that_makes_a_one_shot_context_is_taken() -> None:
    """It is called once a step, as the error for its context says."""
    maker = make_autocast(one_shot, None)
    for _ in range(2):
        with maker():
            pass


class Modal(torch.optim.SGD):
    """Has modes of its own and notes them, beside the mode of a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module.parameters(), lr=0.1)
        self.modes: list[tuple[str, bool]] = []
        self.module = module

    def train(self) -> None:
        self.modes.append(("train", self.module.training))

    def eval(self) -> None:
        self.modes.append(("eval", self.module.training))


def test_optimizers_with_modes_are_in_eval_mode_meanwhile() -> None:
    """They go before the modules and come back after them; one without modes is left alone."""
    module = nn.Linear(1, 1)
    modal, plain = Modal(module), torch.optim.SGD(module.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError, match="by zero"), evaluating([module], [plain, modal]):  # noqa: PT012, RUF100  # one block
        assert modal.modes == [("eval", True)]
        1 / 0  # noqa: B018  # raises
    assert modal.modes == [("eval", True), ("train", True)]


def test_buffers_that_were_written_to_come_back() -> None:
    """Also those shared by two modules; one that is only read is not written."""
    first, second = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    second.running_mean = first.running_mean
    untouched = first.running_var._version
    with evaluating([first, second], keeps_buffers=True):
        first.train()
        first.running_mean.add_(1)
        second.running_mean.add_(1)
        second.num_batches_tracked.add_(1)
    assert first.running_mean.tolist() == second.running_mean.tolist() == [0.0, 0.0]
    assert (int(second.num_batches_tracked), first.running_var._version) == (0, untouched)
    assert first.training
    assert second.training
