"""The script of *Copy code*: it runs, it makes the same test, and it sets the user's own optimizer as Apply does."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lr_widget import LRFinderWidget
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep, rate_text
from lr_widget.suggest import RULES
from lr_widget.training import RateSetter
from lr_widget.widget.takeaway import Choice, script

from .helpers import batches, linear, mse, rates, script_of


def test_the_script_assigns_the_variable_that_the_widget_copies_to() -> None:
    """Not the name lr, whatever the user has chosen."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    code = script_of(optimizer, model=model, variable="best_rate")
    assert "\nbest_rate = 0.02  # picked\n" in code
    names = {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": batches()}
    exec(code, names)
    assert names["best_rate"] == 0.02
    assert "lr" not in names
    assert rates(optimizer) == [0.02]
    assert (len(names["records"]), names["records"].start_lr) == (12, 1e-4)


@pytest.mark.parametrize(
    ("choice", "origin"),
    [
        (Choice(0.02), "picked"),
        (Choice(0.02, "auto"), "float(records.suggest()) in two digits"),
        (Choice(0.02, "steepest"), 'float(records.suggest("steepest")) in two digits'),
        (Choice(0.02, "auto", "val_loss"), 'float(records.suggest(of="val_loss")) in two digits'),
        (Choice(0.02, "minimum/10", "val_loss"), 'float(records.suggest("minimum/10", of="val_loss")) in two digits'),
    ],
)
def test_the_script_says_where_the_rate_is_from(choice: Choice, origin: str) -> None:
    """By the rule and the losses that were chosen, or by hand."""
    model = linear()
    assert f"\nlr = 0.02  # {origin}\n" in script_of(torch.optim.SGD(model.parameters()), model=model, choice=choice)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("of", ["loss", "val_loss"])
def test_the_origin_of_the_rate_is_code_that_gives_it(rule: str, of: str) -> None:
    """What stands behind the number is a suggestion of the same rule."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    options: dict[str, Any] = {"seed": 1, "val_data": batches(), "val_every": 1}
    choice = Choice(0.02, rule, of)
    code = script_of(optimizer, model=model, choice=choice, sweep=Sweep(1e-4, 10.0, 60), **options)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "train_data": batches(), "val_data": batches()}
    exec(code, names)
    origin = code.partition("# float(")[2].partition(") in two digits")[0]
    found = eval(origin, names)
    assert (found.rule, found) == (rule, names["records"].suggest(rule, of))


def test_the_script_makes_the_probes_whose_rate_it_is() -> None:
    """From the rate that they began with, with their budget and the keywords of the test that they know."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    choice = Choice(0.02, "probe", around=5e-3, max_steps=64)
    options: dict[str, Any] = {"seed": 3, "accumulation_steps": 2, "schedule": "linear", "val_every": 2}
    code = script_of(optimizer, model=model, choice=choice, **options)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "train_data": batches()}
    exec(code, names)
    evidence = names["evidence"]
    assert (evidence.suggested, evidence.num_steps) == (5e-3, 64)
    assert "\nlr = 0.02  # float(evidence.suggestion) in two digits\n" in code
    probes = code.partition("probe(\n")[2].partition(")\n")[0]
    assert "seed=3" in probes
    assert "accumulation_steps=2" in probes
    assert "schedule" not in probes
    assert "val_every" not in probes


def test_probes_are_those_that_were_made_and_their_rate_is_for_the_training_of_now() -> None:
    """They trained for another one: the call says that one, the line of the rate names the later one."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    choice = Choice(0.02, "probe", around=5e-3, max_steps=64, probed_for=Horizon(200, "linear"))
    code = script_of(optimizer, model=model, choice=choice, train_steps=4000, train_schedule="cosine")
    test, probes = (code.partition(f"{name}(\n")[2].partition(")\n")[0] for name in ("range_test", "probe"))
    assert 'train_steps=4000,\n    train_schedule="cosine",' in test
    assert 'train_steps=200,\n    train_schedule="linear",' in probes
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "train_data": batches()}
    exec(code, names)
    origin = code.partition("# float(")[2].partition(") in two digits")[0]
    assert eval(origin, names) == names["evidence"].suggest(train_steps=4000, train_schedule="cosine")
    assert names["evidence"].horizon == Horizon(200, "linear")


def test_the_rate_of_records_of_elsewhere_is_set_without_a_test() -> None:
    """This model's test would give another rate; the line names the run, on one line whatever its name."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    code = script_of(optimizer, model=model, choice=Choice(0.02, "auto", source="batch 64\n# of 'elsewhere'"))
    assert "range_test" not in code
    [line] = [line for line in code.splitlines() if line.startswith("lr = ")]
    assert line.startswith("lr = 0.02  # ")
    assert "batch 64 # of" in line
    exec(code, {"model": model, "optimizer": optimizer})
    assert rates(optimizer) == [0.02]


def test_without_a_rate_of_their_own_probes_begin_with_the_suggestion_of_the_test() -> None:
    """The records are what they go on from."""
    model = linear()
    code = script_of(torch.optim.SGD(model.parameters()), model=model, choice=Choice(0.02, "probe"))
    assert "    around=records, max_steps=300,\n" in code


@pytest.mark.parametrize("mode", ["ratio", "equal"])
@pytest.mark.parametrize("held", ["numbers", "tensors", "both"])
@pytest.mark.parametrize("seconds", [0.01, 0.1 / 3, 0.1])
def test_every_group_gets_the_rate_that_apply_gives_it(mode: str, held: str, seconds: float) -> None:
    """To the last bits, in the proportions of the test; a tensor stays the same one."""
    model = linear()
    first: Any = torch.tensor(0.1, dtype=torch.float64) if held != "numbers" else 0.1
    second: Any = torch.tensor(seconds, dtype=torch.float64) if held == "tensors" else seconds
    groups = [{"params": [model.weight], "lr": first}, {"params": [model.bias], "lr": second}]
    optimizer = torch.optim.Adam(groups, foreach=False)
    code = script_of(optimizer, model=model, mode=mode)
    before = rates(optimizer)
    exec(code, {"model": model, "optimizer": optimizer, "train_data": batches()})
    given = [float(rate) for rate in rates(optimizer)]
    assert [new is old for new, old in zip(rates(optimizer), before)] == [hasattr(old, "fill_") for old in before]
    optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = 0.1, seconds
    RateSetter([optimizer], mode)(0.02)
    assert given == pytest.approx(rates(optimizer), rel=1e-12)


def test_a_rate_in_a_tensor_is_set_in_place() -> None:
    """A captured or compiled step reads this very tensor; the other group has a number."""
    model = linear()
    groups = [{"params": [model.weight], "lr": torch.tensor(0.1)}, {"params": [model.bias], "lr": 0.01}]
    optimizer = torch.optim.Adam(groups, lr=0.1)
    tensor = optimizer.param_groups[0]["lr"]
    exec(script_of(optimizer, model=model), {"model": model, "optimizer": optimizer, "train_data": batches()})
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
    code = str(widget.answer["code"])
    widget.close()
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "loss_fn": mse, "train_data": data}
    exec(code, names)
    assert names["records"].loss.tolist() == records.loss.tolist()
    assert names["records"].schedule == "linear"


@pytest.mark.parametrize("variable", ["share", "group", "optimizer", "model", "train_data", "records", "seed", "torch"])
def test_a_variable_that_the_script_needs_for_something_else_gets_an_ending(variable: str) -> None:
    """Under its own name it would give the groups wrong rates, or overwrite the model."""
    model = linear()
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.05}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    code = script_of(optimizer, model=model, variable=variable)
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
    widget = LRFinderWidget(model, config if is_one else [config, {"optimizer": second}], mse, batches(), num_steps=5)
    widget.selected_lr = 0.02
    code = str(widget.answer["code"])
    widget.close()
    names = {"optimizer": first} if is_one else {"optimizers": [first, second]}
    assert f"model, {next(iter(names))}, torch.nn.functional.mse_loss, train_data" in code
    exec(code, {"model": model, "train_data": batches(), **names})
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
        ("group_lrs", "equal", 'group_lrs="equal",'),
        ("dataloader_options", {"drop_last": True, "batch_size": 2}, 'dataloader_options={"drop_last": True, '),
        ("dataloader_options", {"batch_size": 2, "sampler": object()}, '={"batch_size": 2, "sampler": sampler},'),
        ("dataloader_options", {"not a name": object()}, "dataloader_options=dataloader_options,"),
        ("autocast", torch.bfloat16, "autocast=torch.bfloat16,"),
        ("device", torch.device("cuda", 1), 'device="cuda:1",'),
        ("grad_scaler", torch.amp.GradScaler("cpu"), "grad_scaler=grad_scaler,"),
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
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    code = script_of(optimizer, model=model, sweep=Sweep(1.2345678e-7, 1.0, 9), **{keyword: value})
    compile(code, "script", "exec")
    assert "start_lr=1.2345678e-7, end_lr=1.0, num_steps=9," in code
    assert (f"{keyword}=" in code) is (written is not None)
    assert written is None or written in code
    assert ("\nimport torch\n" in f"\n{code}") is True  # of the loss


@pytest.mark.parametrize("rate", [0.1, 1 / 3, 2.5e-7, 0.30000000000000004, 5e-324, 12345.678, 10.0])
def test_rates_are_written_to_the_last_bit_and_as_floats(rate: float) -> None:
    """The bounds are those of the test, whatever their digits."""
    model = linear()
    code = script_of(torch.optim.SGD(model.parameters()), model=model, sweep=Sweep(rate, 1e6, 9), choice=Choice(rate))
    start, lr = code.partition("start_lr=")[2].partition(",")[0], code.partition("\nlr = ")[2].partition(" ")[0]
    assert [eval(start), eval(lr)] == [rate, rate]
    assert {type(eval(start)), type(eval(lr))} == {float}
    assert "e-0" not in start


# --- in the notebook's own names --------------------------------------------------------------------------------------


def test_the_script_uses_the_names_that_the_notebook_has() -> None:
    """So it runs there as it is: the whole namespace is all that it needs."""
    net = linear()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    loader, criterion = batches(), nn.MSELoss()
    stateful = torch.Generator()
    notebook: dict[str, Any] = {"net": net, "opt": opt, "loader": loader, "criterion": criterion, "valid": batches()}
    notebook |= {"_": net, "_12": opt, "gen": stateful, "records": "of somebody else"}
    code = script(
        (net, opt, criterion, loader),
        {"val_data": notebook["valid"], "also_restore": [stateful]},
        Sweep(1e-4, 1e-2, 12),
        1,
        Choice(0.02),
        variable="rate",
        shares=(1.0,),
        namespace=notebook,
    )
    assert "    net, opt, criterion, loader,\n" in code
    assert "    val_data=valid,\n    also_restore=[gen],\n" in code
    assert "Put your own" not in code
    exec(code, notebook)
    assert (rates(opt), notebook["rate"]) == ([0.02], 0.02)


def test_in_a_notebook_the_code_gives_the_run_and_the_choice_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same losses, the same short trainings, and the rates that Apply gives; copied and run as it is."""
    net = linear()
    opt = torch.optim.SGD([{"params": [net.weight]}, {"params": [net.bias], "lr": 0.02}], lr=0.1)
    data = (torch.randn(64, 2), torch.randn(64, 1))
    notebook: dict[str, Any] = {"net": net, "opt": opt, "loss": nn.MSELoss(), "data": data}
    monkeypatch.setattr("lr_widget.widget.browser.answer.shell", lambda: SimpleNamespace(user_ns=notebook))
    options: dict[str, Any] = {"seed": 1, "dataloader_options": {"batch_size": 8}, "train_steps": 500}
    widget = LRFinderWidget(net, opt, notebook["loss"], data, num_steps=60, max_probe_steps=64, **options)
    records = widget.run()
    widget.selected_lr = 0.05
    evidence = widget.probe()
    code = str(widget.answer["code"])
    widget.apply()
    applied, lr = rates(opt), widget.selected_lr
    widget.close()
    exec(code, notebook)
    assert notebook["records"].loss.tolist() == records.loss.tolist()
    assert notebook["evidence"].suggestion == evidence.suggestion
    assert notebook["lr"] == float(rate_text(lr))
    assert rates(opt) == pytest.approx(applied, rel=1e-12)


def test_objects_without_a_name_are_those_to_fill_in() -> None:
    """They go by the names of their keywords, and a line says so."""
    net = linear()
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    given = (net, opt, nn.MSELoss(), batches())
    choice, namespace = Choice(0.02), {"net": net, "opt": opt, "model": nn.Linear(1, 1)}
    code = script(given, {}, Sweep(1e-4, 1e-2, 12), 1, choice, variable="lr", shares=(1.0,), namespace=namespace)
    assert (
        "\n# Put your own in place of loss_fn and train_data.\nrecords = range_test(\n    net, opt, loss_fn, " in code
    )
    one = script((net, opt, None, batches()), {}, Sweep(1e-4, 1e-2, 12), 1, choice, variable="lr", shares=(1.0,))
    assert "\n# Put your own in place of model, optimizer and train_data.\n" in one


@pytest.mark.parametrize("taken", ["records", "group", "share", "scheduler", "evidence"])
def test_a_name_of_the_script_makes_way_for_one_of_the_notebook(taken: str) -> None:
    """A model that is called "group" is still the model afterwards."""
    model = linear()
    groups = [{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.05}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    notebook: dict[str, Any] = {taken: model, "optimizer": optimizer, "train_data": batches()}
    code = script(
        (model, optimizer, mse, notebook["train_data"]),
        {"train_steps": 50, "train_schedule": "cosine"},
        Sweep(1e-4, 1e-2, 12),
        1,
        Choice(0.02, "probe", around=0.01, max_steps=32),
        variable=taken,
        shares=(1.0, 0.5),
        namespace=notebook,
    )
    exec(code, notebook)
    assert notebook[taken] is model
    assert notebook[f"{taken}_lr"] == 0.02
    assert rates(optimizer) == pytest.approx([0.02, 0.01])
