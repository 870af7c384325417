"""The lines about the optimizer: they run, and what they make has the same rates, schedules and arguments."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget.horizon import TRAIN_SCHEDULES, Horizon
from lr_widget.training import RateSetter
from lr_widget.widget.takeaway import Choice

from .helpers import batches, linear, mse, rates, script_of

SCHEDULES = [name for name in TRAIN_SCHEDULES if name != "constant"]


class Network(nn.Module):
    """A body and a head, as they are fine-tuned."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3))
        self.head = nn.Linear(3, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return one number an input."""
        outputs: torch.Tensor = self.head(self.body(inputs))
        return outputs


def anew(code: str) -> str:
    """The lines that make the optimizer anew, as code."""
    lines = re.split("# The same optimizers?, made with this rate:\n", code)[-1].partition("\n\n")[0].splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines)


def made_anew(model: nn.Module, optimizer: Any, **names: Any) -> Any:
    """The optimizer that the script's comment makes, once its rate is there."""
    code = script_of(optimizer, model=model)
    namespace = {"torch": torch, "model": model, "lr": 0.02, **names}
    exec(anew(code), namespace)
    return namespace["optimizer"]


# --- schedulers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [10, 37, 200])
@pytest.mark.parametrize("held", ["numbers", "tensors"])
def test_the_scheduler_gives_the_rates_that_the_suggestion_is_for(schedule: str, steps: int, held: str) -> None:
    """Each group its share of them, from the first step to the last."""
    model = linear()
    first, second = (torch.tensor(lr, dtype=torch.float64) if held == "tensors" else lr for lr in (0.1, 0.05))
    optimizer = torch.optim.Adam(
        [{"params": [model.weight], "lr": first}, {"params": [model.bias], "lr": second}], foreach=False
    )
    code = script_of(optimizer, model=model, train_steps=steps, train_schedule=schedule)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "train_data": batches()}
    exec(code, names)
    given = []
    for _ in range(steps):
        given.append([float(rate) for rate in rates(optimizer)])
        optimizer.step()
        names["scheduler"].step()
    expected = Horizon(steps, schedule).over(0.02, steps)
    assert [pair[0] for pair in given] == pytest.approx([expected(k) for k in range(1, steps + 1)], abs=1e-12)
    assert [pair[1] for pair in given] == pytest.approx([expected(k) / 2 for k in range(1, steps + 1)], abs=1e-12)
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.999)  # only the rate moves, as in the test


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_new_scheduler_forgets_the_rate_of_an_older_one(schedule: str) -> None:
    """An optimizer that had a scheduler keeps its first rate, with which a new scheduler would begin."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.7)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    code = script_of(optimizer, model=model, train_steps=50, train_schedule=schedule)
    names: dict[str, Any] = {"model": model, "optimizer": optimizer, "train_data": batches()}
    exec(code, names)
    top = 0.0
    for _ in range(30):
        top = max(top, *rates(optimizer))
        optimizer.step()
        names["scheduler"].step()
    assert top == pytest.approx(0.02, rel=1e-2)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("form", [list, lambda given: dict(zip("ab", given))])
def test_several_optimizers_get_a_scheduler_each(schedule: str, form: Any) -> None:
    """Theirs together are a list."""
    model = linear()
    first, second = torch.optim.SGD([model.weight], lr=0.1), torch.optim.SGD([model.bias], lr=0.05)
    optimizers = form([first, second])
    code = script_of(optimizers, model=model, train_steps=20, train_schedule=schedule)
    names: dict[str, Any] = {"model": model, "optimizers": optimizers, "train_data": batches()}
    exec(code, names)
    expected = Horizon(20, schedule).over(0.02, 20)
    for step in range(1, 11):
        assert rates(first, second) == pytest.approx([expected(step), expected(step) / 2], abs=1e-12)
        first.step(), second.step()
        for scheduler in names["schedulers"]:
            scheduler.step()
    assert "call step() of each after every step" in code


@pytest.mark.parametrize("options", [{}, {"train_steps": 500}, {"train_schedule": "cosine"}])
def test_a_scheduler_needs_a_length_and_a_schedule_that_moves(options: dict[str, Any]) -> None:
    """A kept rate needs none, and without a length a comment says why there is none."""
    model = linear()
    code = script_of(torch.optim.SGD(model.parameters()), model=model, **options)
    assert "lr_scheduler" not in code
    assert ("\n# lr is the top of the schedule; with train_steps, " in code) is ("train_schedule" in options)


# --- the optimizer anew -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1), "optimizer = torch.optim.SGD(model.parameters(), lr=lr)"),
        (
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
            "optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)",
        ),
        (
            lambda p: torch.optim.AdamW(p, betas=(0.9, 0.95), weight_decay=0.1),
            "optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)",
        ),
        (
            lambda p: torch.optim.RMSprop(p, alpha=0.5, centered=True),
            "optimizer = torch.optim.RMSprop(model.parameters(), lr=lr, alpha=0.5, centered=True)",
        ),
    ],
)
def test_an_optimizer_is_written_with_the_arguments_that_are_not_the_default(make: Any, line: str) -> None:
    """The line makes one with the same arguments for the same parameters."""
    model = linear()
    optimizer = make(model.parameters())
    assert anew(script_of(optimizer, model=model)) == line
    new = made_anew(model, optimizer)
    assert type(new) is type(optimizer)
    assert new.defaults == {**optimizer.defaults, "lr": 0.02}
    assert [id(p) for p in new.param_groups[0]["params"]] == [id(p) for p in model.parameters()]


def test_param_groups_are_written_in_their_proportions() -> None:
    """With the modules whose parameters they have, and the arguments of their own."""
    model = Network()
    groups: list[dict[str, Any]] = [
        {"params": model.body[0].parameters(), "lr": 1e-4, "weight_decay": 0.0},
        {"params": model.body[2].parameters(), "lr": 1e-3},
        {"params": model.head.parameters(), "lr": 1e-4, "betas": (0.8, 0.9)},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, eps=1e-7)
    assert anew(script_of(optimizer, model=model)).splitlines() == [
        "optimizer = torch.optim.AdamW(",
        "    [",
        '        {"params": model.get_submodule("body.0").parameters(), "weight_decay": 0.0},',
        '        {"params": model.get_submodule("body.2").parameters(), "lr": lr * 10},',
        '        {"params": model.head.parameters(), "betas": (0.8, 0.9)},',
        "    ],",
        "    lr=lr,",
        "    eps=1e-07,",
        ")",
    ]
    new = made_anew(model, optimizer)
    RateSetter([optimizer])(0.02)
    for ours, theirs in zip(new.param_groups, optimizer.param_groups):
        assert [id(p) for p in ours.pop("params")] == [id(p) for p in theirs.pop("params")]
        assert ours.pop("lr") == pytest.approx(theirs.pop("lr"))
        assert ours == theirs


def test_an_optimizer_of_what_is_trained_is_written_with_the_filter() -> None:
    """A frozen body, as in transfer learning; where the rest is a module, by that."""
    model = Network()
    model.body[0].requires_grad_(False)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    line = "optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=lr)"
    assert anew(script_of(optimizer, model=model)) == line
    new = made_anew(model, optimizer)
    assert [id(p) for p in new.param_groups[0]["params"]] == [id(p) for p in optimizer.param_groups[0]["params"]]
    model.body.requires_grad_(False)
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.1)
    assert anew(script_of(optimizer, model=model)) == "optimizer = torch.optim.SGD(model.head.parameters(), lr=lr)"


def test_parameters_that_are_those_of_no_module_are_left_out_in_words() -> None:
    """Three dots stand for what cannot be written."""
    model = Network()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=0.1)
    lines = anew(script_of(optimizer, model=model)).splitlines()
    assert lines[2:4] == ['        {"params": ...},', '        {"params": ..., "weight_decay": 0.0},']


class Own(torch.optim.SGD):
    """An optimizer of the user's own, with an argument that has to be given and one that is no number."""

    def __init__(self, params: Any, rho: float, hook: Any = None, lr: float = 0.1, **more: Any) -> None:
        super().__init__(params, lr=lr, **more)
        self.defaults["rho"], self.defaults["hook"] = rho, hook


def test_a_class_of_the_users_own_goes_by_its_name() -> None:
    """With the arguments that it has to be given, and dots for those that are no numbers."""
    model = linear()
    optimizer = Own(model.parameters(), 0.05, hook=object(), momentum=0.9)
    assert anew(script_of(optimizer, model=model)) == "optimizer = Own(model.parameters(), lr=lr, rho=0.05, hook=...)"


def test_each_of_several_optimizers_is_made_anew() -> None:
    """By its place, with its share of the rate, and the model that it trains."""
    models = {"a": linear(), "b": Network()}
    optimizers = [
        torch.optim.SGD(models["a"].parameters(), lr=0.1),
        torch.optim.SGD(models["b"].parameters(), lr=0.05),
    ]
    code = script_of(optimizers, model=models)
    assert "# The same optimizers, made" in code
    assert anew(code).splitlines() == [
        "optimizers[0] = torch.optim.SGD(models['a'].parameters(), lr=lr)",
        "optimizers[1] = torch.optim.SGD(models['b'].parameters(), lr=lr * 0.5)",
    ]


def test_the_heading_counts_the_optimizers_that_are_written() -> None:
    """Of two, one has a class that does not say how it is made."""
    model = linear()
    optimizers = [torch.optim.SGD([model.weight], lr=0.1), Nameless([model.bias], lr=0.1)]
    code = script_of(optimizers, model=model)
    assert "# The same optimizer, made" in code
    assert len(anew(code).splitlines()) == 1


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_rate_in_a_tensor_is_made_as_a_tensor(share: float) -> None:
    """So that the new optimizer, too, can be captured or compiled without the rate as a constant."""
    model = linear()
    groups: list[dict[str, Any]] = [{"params": [model.weight]}, {"params": [model.bias], "lr": torch.tensor(share)}]
    optimizer = torch.optim.Adam(groups, lr=torch.tensor(1.0), foreach=False)
    rate = "torch.tensor(lr * 0.5)" if share == 0.5 else "torch.tensor(lr)"
    lines = anew(script_of(optimizer, model=model)).splitlines()
    assert lines[4:] == ["    ],", "    lr=torch.tensor(lr),", "    foreach=False,", ")"]
    assert (f'"lr": {rate}' in lines[3]) is (share != 1)
    new = made_anew(model, torch.optim.Adam(model.parameters(), lr=torch.tensor(1.0), foreach=False))
    (made,) = rates(new)
    assert torch.equal(made, torch.tensor(0.02))


def test_the_script_imports_what_the_lines_in_comments_need() -> None:
    """The loss is no function of torch here, and nothing else is."""
    model = linear()
    code = script_of(torch.optim.SGD(model.parameters(), lr=0.1), model=model, loss_fn=lambda *_: None)
    assert "import torch\n" in code
    own = script_of(Own(model.parameters(), 0.05), model=model, loss_fn=lambda *_: None)
    assert "= Own(" in own
    assert "import torch\n" not in own


class Nameless(torch.optim.SGD):
    """An optimizer whose signature cannot be read."""

    __signature__ = "nothing of use"


class Rateless(torch.optim.SGD):
    """An optimizer of the user's own that knows its rate by itself."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, lr=0.1)


class Renamed(torch.optim.SGD):
    """An optimizer of the user's own whose rate has another name."""

    def __init__(self, params: Any, eta: float, lr: float = 0.1, /) -> None:
        super().__init__(params, lr=eta)


class Passing(torch.optim.SGD):
    """An optimizer of the user's own that hands its arguments on."""

    def __init__(self, params: Any, **more: Any) -> None:
        super().__init__(params, **more)


def test_a_class_that_takes_no_rate_is_not_written() -> None:
    """The line would raise; a class that takes any keyword takes it."""
    model = linear()
    for optimizer in (Rateless(model.parameters()), Renamed(model.parameters(), 0.1)):
        assert "The same optimizer" not in script_of(optimizer, model=model)
    passing = Passing(model.parameters(), lr=0.1)
    assert anew(script_of(passing, model=model)) == "optimizer = Passing(model.parameters(), lr=lr)"
    new = made_anew(model, passing, Passing=Passing)
    assert rates(new) == [0.02]


@pytest.mark.parametrize("is_many", [False, True])
def test_an_optimizer_that_cannot_be_written_is_left_out(is_many: bool) -> None:
    """The rest of the script runs; so it does with dozens of groups, which nobody would read."""
    model = nn.Linear(30, 1) if is_many else linear()
    parameters: Any = model.parameters()
    if is_many:
        model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(7)), nn.Linear(2, 1))
        parameters = [{"params": [parameter]} for parameter in model.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1) if is_many else Nameless(parameters, lr=0.1)
    code = script_of(optimizer, model=model)
    assert "The same optimizer" not in code
    exec(code, {"model": model, "optimizer": optimizer, "train_data": batches()})
    assert set(rates(optimizer)) == {0.02}


def test_the_origin_does_not_change_the_lines() -> None:
    """Whatever the rule, the groups get the rate alike."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    picked, suggested = (script_of(optimizer, model=model, choice=Choice(0.02, rule)) for rule in (None, "auto"))
    assert picked.partition("for group")[2] == suggested.partition("for group")[2] != ""


def test_a_loss_is_that_of_torch_where_it_is_a_function_of_torch() -> None:
    """It needs no name of the user's."""
    model = linear()
    assert "    model, optimizer, torch.nn.functional.mse_loss, train_data," in script_of(
        torch.optim.SGD(model.parameters()), model=model, loss_fn=mse
    )
