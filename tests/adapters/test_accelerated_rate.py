"""The adapter of accelerate: the rate where the loop uses it, refusals, and the loop of the first tutorial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, OneCycleLR

from lr_widget import adapters, range_test

from .accelerated_loop import Loop, loss_fn, new_accelerator, parts, prepared, train

SWEEP: dict[str, Any] = {"start_lr": 1e-5, "end_lr": 1.0, "num_steps": 12, "progress": False}


# --- the rate ------------------------------------------------------------------------------------------------------------


def test_the_loop_trains_with_the_rate() -> None:
    """The first updates of the loop are at the rate."""
    loop, rates = prepared(), []  # type: Loop, list[float]
    assert adapters.accelerate(*loop.given).apply(3e-3) == ["optimizer"]
    train(loop, 3, rates)
    assert rates == [3e-3] * 3


@pytest.mark.parametrize("split", [True, False])
def test_a_prepared_scheduler_starts_from_the_rate(split: bool) -> None:
    """The rates of the loop are those of a loop that was made with this rate."""
    expected: list[float] = []
    accelerator = new_accelerator(step_scheduler_with_optimizer=split)
    model, optimizer, loader = parts(3e-3)
    scheduler = CosineAnnealingLR(optimizer, T_max=40)
    train(Loop(accelerator, *accelerator.prepare(model, optimizer, loader, scheduler)), 10, expected)
    loop, rates = prepared(scheduled=True, step_scheduler_with_optimizer=split), []  # type: Loop, list[float]
    assert adapters.accelerate(*loop.given).apply(3e-3) == ["optimizer", "the scheduler"]
    train(loop, 10, rates)
    assert rates == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [lambda o: OneCycleLR(o, 0.1, total_steps=20), lambda o: LinearLR(o, 0.2, 1.0, 8)])
def test_a_scheduler_that_warms_up_has_the_rate_as_its_top(make: Any) -> None:
    """The highest rate of the loop is the one that was applied."""
    accelerator = new_accelerator()
    model, optimizer, loader = parts()
    loop = Loop(accelerator, *accelerator.prepare(model, optimizer, loader, make(optimizer)))
    rates: list[float] = []
    adapters.accelerate(*loop.given).apply(3e-3)
    train(loop, 19, rates)
    assert max(rates) == pytest.approx(3e-3)
    assert rates[0] < 1e-3  # in the warm-up


def test_a_scheduler_of_a_prepared_optimizer_is_found() -> None:
    """A scheduler may have been made for what `prepare` returned."""
    accelerator = new_accelerator()
    model, optimizer, loader = accelerator.prepare(*parts())
    scheduler = accelerator.prepare(CosineAnnealingLR(optimizer, T_max=40))
    setup = adapters.accelerate(accelerator, model, optimizer, loss_fn, loader)
    assert setup.apply(3e-3) == ["optimizer", "the scheduler"]
    assert scheduler.scheduler.base_lrs == [3e-3]


def test_a_scheduler_of_another_optimizer_keeps_its_rate() -> None:
    """Of several prepared schedulers, those that step this optimizer follow."""
    loop = prepared(scheduled=True)
    other = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.7)
    prepared_other = loop.accelerator.prepare(CosineAnnealingLR(other, T_max=3))
    adapters.accelerate(*loop.given).apply(3e-3)
    assert prepared_other.scheduler.base_lrs == [0.7]
    assert other.param_groups[0]["lr"] == pytest.approx(0.7)


def test_a_scheduler_that_is_not_prepared_is_asked_for() -> None:
    """One that would set the old rate again is refused in a sentence, and found in also_restore."""
    loop = prepared()
    scheduler = CosineAnnealingLR(loop.optimizer.optimizer, T_max=40)
    with pytest.raises(ValueError, match=r"AdamW has a scheduler that .* give it as also_restore=\[scheduler\]"):
        adapters.accelerate(*loop.given).apply(3e-3)
    assert loop.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    setup = adapters.accelerate(*loop.given, also_restore=iter([scheduler]))
    assert scheduler in setup["also_restore"]
    assert setup.apply(3e-3) == ["optimizer", "the scheduler"]
    assert scheduler.base_lrs == [3e-3]


def test_param_groups_keep_their_proportions() -> None:
    """The rate is that of the first group."""
    model, _, loader = parts()
    groups = [{"params": [*model[0].parameters()], "lr": 0.1}, {"params": [*model[3].parameters()], "lr": 0.4}]  # type: ignore[index]  # a Sequential
    accelerator = new_accelerator()
    loop = Loop(accelerator, *accelerator.prepare(model, torch.optim.SGD(groups), loader))
    setup = adapters.accelerate(*loop.given)
    assert range_test(**setup, **SWEEP).group_lrs[-1].tolist() == [1.0, 4.0]
    setup.apply(0.01)
    assert [group["lr"] for group in loop.optimizer.param_groups] == pytest.approx([0.01, 0.04])


# --- refusals ------------------------------------------------------------------------------------------------------------


def stand_in(**changed: Any) -> Any:
    """Return an accelerator that says something else of itself."""
    accelerator = new_accelerator()
    names = ("distributed_type", "num_processes", "device", "_models", "gradient_accumulation_steps")
    return SimpleNamespace(**{**{name: getattr(accelerator, name) for name in names}, **changed})


@pytest.mark.parametrize("kind", ["DEEPSPEED", "MEGATRON_LM", "XLA"])
def test_steps_elsewhere_are_refused(kind: str) -> None:
    """An accelerator whose steps are made by another engine is refused with the way out."""
    model, optimizer, loader = parts()
    with pytest.raises(ValueError, match=f"hands its steps to {kind}, .* make one without it for the test"):
        adapters.accelerate(stand_in(distributed_type=f"DistributedType.{kind}"), model, optimizer, loss_fn, loader)


def test_a_model_on_another_device_must_be_prepared() -> None:
    """Before `prepare`, the model is where it was made."""
    model, optimizer, loader = parts()
    message = (
        r"the model is on cpu, the accelerator on cuda:0; give what accelerator.prepare\(model, optimizer, loader\)"
    )
    with pytest.raises(ValueError, match=message):
        adapters.accelerate(stand_in(device=torch.device("cuda:0")), model, optimizer, loss_fn, loader)


def test_in_several_processes_all_must_be_prepared() -> None:
    """A model that does not share its gradients, and a loader with the same batches everywhere, are refused.

    Also the inner model of one that is prepared: accelerate lists that one.
    """
    model, optimizer, loader = parts()
    for models in ([], [model]):
        with pytest.raises(ValueError, match=r"does not share its gradients yet; give what accelerator.prepare"):
            adapters.accelerate(stand_in(num_processes=2, _models=models), model, optimizer, loss_fn, loader)
    wrapped = torch.nn.Module()
    wrapped.module = model
    with pytest.raises(ValueError, match=r"the same batches; give what accelerator.prepare"):
        adapters.accelerate(stand_in(num_processes=2, _models=[model]), wrapped, optimizer, loss_fn, loader)


# --- the loop of the first tutorial --------------------------------------------------------------------------------------


def test_the_quick_tour_with_one_line_added() -> None:
    """The loop of accelerate's quick tour learns with the rate that the added line has found."""
    accelerator = new_accelerator(gradient_accumulation_steps=2)
    torch.manual_seed(3)
    x = torch.randn(256, 10)
    y = (x[:, :3].sum(1) > 0).long()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    training_dataloader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, shuffle=True)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 100)
    loss_function = nn.CrossEntropyLoss()
    model, optimizer, training_dataloader, scheduler = accelerator.prepare(
        model, optimizer, training_dataloader, scheduler
    )

    setup = adapters.accelerate(accelerator, model, optimizer, loss_function, training_dataloader)
    setup.apply(range_test(**setup, num_steps=60, progress=False).suggest())

    for _ in range(5):
        for inputs, targets in training_dataloader:
            with accelerator.accumulate(model):
                outputs = model(inputs)
                loss = loss_function(outputs, targets)
                accelerator.backward(loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
    assert (model(x).argmax(1) == y).float().mean() > 0.9  # 0.5 where it had learnt nothing
