"""The script of *Copy code*: it runs, it makes the same test, and it sets the user's own optimizer as Apply does."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import LRFinderWidget
from lr_widget.schedule import Sweep
from lr_widget.widget.script import script

from .helpers import Make, Training

mse = nn.functional.mse_loss


def linear() -> nn.Linear:
    """A model whose weights do not depend on the test before."""
    torch.manual_seed(0)
    return nn.Linear(2, 1)


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """One batch that a line fits."""
    return [(torch.tensor([[0.0, 1.0], [1.0, 0.5], [2.0, 1.0]]), torch.tensor([[1.0], [2.0], [4.0]]))]


def script_of(optimizer: Any, *arguments: str, model: Any = None, loss_fn: Any = mse, **keywords: Any) -> str:
    """The script of a widget with 0.02 picked."""
    keywords = {"start_lr": 1e-4, "end_lr": 1e-2, "num_steps": 12} | keywords
    widget = LRFinderWidget(model, optimizer, loss_fn, batches(), *arguments, **keywords)
    widget.selected_lr = 0.02
    code = str(widget.view_state["code"])
    widget.close()
    return code


def rates(*optimizers: torch.optim.Optimizer) -> list[Any]:
    """The rates of all groups."""
    return [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]


def test_the_script_assigns_the_variable_that_the_widget_copies_to() -> None:
    """Not the name lr, whatever the user has chosen."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    code = script_of(optimizer, "best_rate", model=model)
    assert "\nbest_rate = 2.0e-02\n" in code
    names = {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": batches()}
    exec(code, names)
    assert names["best_rate"] == 0.02
    assert "lr" not in names
    assert rates(optimizer) == [0.02]
    assert (len(names["records"]), names["records"].start_lr) == (12, 1e-4)


@pytest.mark.parametrize(("mode", "expected"), [("ratio", [0.02, 0.002]), ("equal", [0.02, 0.02])])
def test_the_script_keeps_the_proportions_of_the_groups_as_apply_does(mode: str, expected: list[float]) -> None:
    """A tenth of the rate for the bias stays a tenth; with group_lrs="equal", both get the rate."""
    model = linear()
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.01}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    code = script_of(optimizer, model=model, group_lrs=mode)
    exec(code, {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": batches()})
    assert rates(optimizer) == pytest.approx(expected)
    before = rates(optimizer)
    widget = LRFinderWidget(model, optimizer, mse, batches(), group_lrs=mode)
    widget.selected_lr = 0.02
    widget.apply()
    widget.close()
    assert rates(optimizer) == pytest.approx(before)


def test_the_script_sets_a_rate_in_a_tensor_in_place() -> None:
    """A captured or compiled step reads this very tensor."""
    model = linear()
    groups = [{"params": [model.weight], "lr": torch.tensor(0.1)}, {"params": [model.bias], "lr": 0.01}]
    optimizer = torch.optim.Adam(groups, lr=0.1)
    tensor = optimizer.param_groups[0]["lr"]
    code = script_of(optimizer, model=model)
    exec(code, {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": batches()})
    assert optimizer.param_groups[0]["lr"] is tensor
    assert [float(rate) for rate in rates(optimizer)] == pytest.approx([0.02, 0.002])


def test_the_script_knows_several_optimizers_and_a_train_step() -> None:
    """A list that the widget was given is a list in the script, and functions go by their keywords' names."""
    model = linear()
    optimizers = [torch.optim.SGD([model.weight], lr=0.1), torch.optim.SGD([model.bias], lr=0.05)]

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        return mse(model(batch[0]), batch[1])

    code = script_of(optimizers, model=model, loss_fn=None, train_step=train_step)
    assert "model, optimizers, None, train_data" in code
    names = {"model": model, "optimizers": optimizers, "train_step": train_step, "train_data": batches()}
    exec(code, names)
    assert rates(*optimizers) == pytest.approx([0.02, 0.01])


def test_the_script_makes_the_same_test() -> None:
    """Every keyword that the widget was given is in it, so the losses are the widget's."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    options = {"schedule": "linear", "accumulation_steps": 2, "max_grad_norm": 0.5, "seed": 3, "repeats": 2}
    data = (torch.randn(64, 2), torch.randn(64, 1))
    sweep = {"start_lr": 1e-3, "end_lr": 0.1, "num_steps": 15}
    widget = LRFinderWidget(model, optimizer, mse, data, **sweep, **options, dataloader_options={"batch_size": 8})
    records = widget.run()
    widget.selected_lr = 0.02
    code = str(widget.view_state["code"])
    widget.close()
    names = {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": data}
    exec(code, names)
    assert names["records"].loss.tolist() == records.loss.tolist()
    assert names["records"].schedule == "linear"


def test_without_a_rate_there_is_no_script(make_widget: Make, training: Training) -> None:
    """There is nothing to copy yet."""
    assert make_widget().view_state["code"] == ""


@pytest.mark.parametrize("variable", ["share", "group", "optimizer", "model", "train_data", "records", "seed"])
def test_a_variable_that_the_script_needs_for_something_else_gets_an_ending(variable: str) -> None:
    """Under its own name it would give the groups wrong rates, or overwrite the model."""
    model = linear()
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.05}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    code = script_of(optimizer, variable, model=model)
    names = {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": batches()}
    exec(code, names)
    assert names[f"{variable}_lr"] == 0.02
    assert rates(optimizer) == pytest.approx([0.02, 0.01])
    assert names["model"] is model


@pytest.mark.parametrize("make", [dict, MappingProxyType])
def test_the_script_knows_a_mapping_of_optimizers(make: Any) -> None:
    """Its values are the optimizers."""
    model = linear()
    first, second = torch.optim.SGD([model.weight], lr=0.1), torch.optim.SGD([model.bias], lr=0.05)
    optimizers = make({"a": first, "b": second})
    code = script_of(optimizers, model=model)
    exec(code, {"model": model, "optimizers": optimizers, "loss_fn": mse, "train_data": batches()})
    assert rates(first, second) == pytest.approx([0.02, 0.01])


@pytest.mark.parametrize("is_one", [True, False])
def test_the_script_has_the_optimizers_alone_where_schedulers_were_given_with_them(is_one: bool) -> None:
    """In the form of Lightning's configure_optimizers; the script runs with the plain optimizer or a list of them."""
    model = linear()
    first, second = torch.optim.SGD([model.weight], lr=0.1), torch.optim.SGD([model.bias], lr=0.05)
    scheduler = torch.optim.lr_scheduler.StepLR(first, 1)
    config = {"optimizer": first, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
    code = script_of(config if is_one else [config, {"optimizer": second}], model=model)
    names = {"optimizer": first} if is_one else {"optimizers": [first, second]}
    assert f"model, {next(iter(names))}, loss_fn, train_data" in code
    exec(code, {"model": model, "loss_fn": mse, "train_data": batches(), **names})
    assert rates(first, second) == pytest.approx([0.02, 0.05 if is_one else 0.01])


def test_the_script_has_the_val_step_by_its_name() -> None:
    """Beside the validation data."""
    model = linear()

    def val_step(model: Any, batch: Any) -> torch.Tensor:
        return mse(model(batch[0]), batch[1])

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    code = script_of(optimizer, model=model, val_data=batches(), val_step=val_step)
    assert "    val_data=val_data,\n    val_step=val_step,\n" in code


@pytest.mark.parametrize(
    ("keyword", "value", "written"),
    [
        ("max_grad_norm", float("inf"), 'max_grad_norm=float("inf"),'),
        ("max_grad_norm", np.float64(4.0), "max_grad_norm=4.0,"),
        ("seed", np.int64(3), "seed=3,"),
        ("dataloader_options", {"drop_last": True, "batch_size": 2}, 'dataloader_options={"drop_last": True, '),
        ("autocast", torch.bfloat16, "autocast=autocast,"),
        ("stop", None, None),
        ("also_restore", [], None),
        ("group_lrs", "ratio", None),
        ("diverge_factor", np.float32(4.0), None),
        ("diverge_factor", None, "diverge_factor=None,"),
    ],
)
def test_keywords_are_written_as_python_reads_them(keyword: str, value: Any, written: str | None) -> None:
    """Plain values in full, objects by the keyword's name, defaults not at all."""
    model = linear()
    code = script(
        (model, torch.optim.SGD(model.parameters(), lr=0.1), mse, batches()),
        {keyword: value},
        Sweep(1.2345678e-7, 1.0, 9),
        1,
        variable="lr",
        lr=0.02,
        shares=(1.0,),
    )
    compile(code, "script", "exec")
    assert "start_lr=1.2345678e-07, end_lr=1.0, num_steps=9," in code
    assert (f"{keyword}=" in code) is (written is not None)
    assert written is None or written in code
