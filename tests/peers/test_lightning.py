"""The cases of Lightning (tests/tests_pytorch/tuner/test_lr_finder.py) as calls of ours; see `Suite` for their count.

A module with a `training_step` of its own is tested with a `train_step` that calls it. Nothing of ours writes into the
attribute of a module; where theirs does, the caller does it here.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import NoSuggestionError, NotebookError, suggest_lr
from lr_widget.suggest.peers import steepest_in_rate
from lr_widget.widget.kernel import hosts

from .ranks import of_two_ranks
from .suite import Suite
from .trainings import Training, classes, line

SUITE = Suite(
    "lightning",
    {
        "test_lr_finder_training_step_none_output": (
            "a step without a loss is refused with a sentence that names the step; "
            "left out, it would be a hole in the curve that nobody sees"
        ),
    },
)

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1.0, "num_steps": 12, "diverge_factor": None}
NAN, INF = math.nan, math.inf


class Boring(nn.Module):
    """One layer that brings its training step, its optimizer and its rate along."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(32, 2)
        for name, value in attributes.items():
            setattr(self, name, value)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return (self.layer(batch) - 1).square().mean()


def rows() -> DataLoader[Any]:
    return DataLoader(torch.randn(64, 32, generator=torch.Generator().manual_seed(4)), batch_size=4)


def boring(optimizer: Any = torch.optim.SGD, lr: float = 0.1, **attributes: Any) -> Training:
    model = Boring(**attributes)
    return Training(model, optimizer(model.parameters(), lr=lr), by_itself, rows())


def by_itself(model: Any, batch: Any) -> Any:
    """The train_step for a module that has one."""
    return model.training_step(batch, 0)


def step_by_step(model: Any, optimizer: torch.optim.Optimizer, data: Any, steps: int) -> list[float]:
    """Train a module that has a training step, and return its losses."""
    losses: list[float] = []
    while len(losses) < steps:
        for batch in data:
            optimizer.zero_grad()
            loss = model.training_step(batch, 0)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses[:steps]


@contextmanager
def watched_folder() -> Iterator[None]:
    """Work in an empty folder, and assert that it is empty at the end."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield
        assert list(Path(folder).iterdir()) == []


@SUITE.case("test_error_with_multiple_optimizers")
def steps_two_optimizers() -> None:
    """Theirs refuses two; ours steps both at the swept rate, as a loop by hand does."""

    def make() -> Training:
        training = boring(lr=1e-2)
        parameters = training.model.parameters()
        training.optimizer = [training.optimizer, torch.optim.Adam(parameters, lr=1e-2)]
        return training

    records, twin = make().test(**SWEEP, train_step=by_itself), make()
    expected = []
    for lr, batch in zip(records.lr, twin.data):
        for optimizer in twin.optimizer:
            optimizer.param_groups[0]["lr"] = lr
        loss = by_itself(twin.model, batch)
        twin.model.zero_grad()
        loss.backward()
        for optimizer in twin.optimizer:
            optimizer.step()
        expected.append(loss.item())
    assert records.loss.tolist() == expected
    np.testing.assert_array_equal(records.group_lrs, np.column_stack([records.lr, records.lr]))


@SUITE.case("test_model_reset_correctly")
def puts_the_model_back_and_writes_no_file() -> None:
    """The copy of the model is in memory; nothing is left in the folder, and nothing was there."""
    training = boring()
    before = copy.deepcopy(training.model.state_dict())
    with watched_folder():
        training.test(**{**SWEEP, "num_steps": 5}, train_step=by_itself)
    assert all(torch.equal(before[name], tensor) for name, tensor in training.model.state_dict().items())


@SUITE.case("test_trainer_reset_correctly")
def puts_a_trainer_back() -> None:
    """What a loop writes into the trainer that its model holds is as before, and it is the same trainer."""
    trainer = SimpleNamespace(global_step=7, current_epoch=1, should_stop=False, callbacks=["progress"], max_steps=-1)
    training = boring(trainer=trainer)
    before = copy.deepcopy(vars(trainer))
    during = []

    def train_step(model: Any, batch: Any) -> Any:
        model.trainer.global_step += 1
        model.trainer.should_stop = True
        model.trainer.callbacks.append("finder")
        during.append(model.trainer.global_step)
        return by_itself(model, batch)

    training.test(**{**SWEEP, "num_steps": 5}, train_step=train_step)
    assert during == [8, 9, 10, 11, 12]
    assert training.model.trainer is trainer
    assert vars(trainer) == before


@SUITE.case("test_tuner_lr_find: an attribute", lambda model: model, "lr")
@SUITE.case("test_tuner_lr_find: a hyperparameter", lambda model: model.hparams, "lr")
@SUITE.case("test_trainer_arg_str: a hyperparameter", lambda model: model.hparams, "my_fancy_lr")
def gives_a_rate_to_train_with(holder: Any, name: str) -> None:
    """The rate is above the old one and below 1, where SGD diverges, and 20 steps with it learn more."""
    training = line(lr=1e-2)
    training.model.hparams = SimpleNamespace()
    setattr(holder(training.model), name, 1e-2)
    losses = copy.deepcopy(training).train(20)
    records = training.test()
    setattr(holder(training.model), name, float(records.suggest()))
    lr = getattr(holder(training.model), name)
    assert 1e-2 < lr < 1
    training.optimizer = torch.optim.SGD(training.model.parameters(), lr=lr)
    assert training.train(20)[-1] < 0.1 * losses[-1]


@SUITE.case("test_trainer_arg_str: an attribute")
def gives_the_rate_a_name() -> None:
    """The widget puts the rate into a variable of the notebook, of the name that it was given."""
    variables: dict[str, Any] = {"my_fancy_lr": 1e-2, "lr": 0.5}
    shell = SimpleNamespace(user_ns=variables, push=variables.update, kernel=object())
    with pytest.MonkeyPatch.context() as patch, line().widget(variable="my_fancy_lr") as widget:
        suggestion = widget.run().suggest()
        patch.setattr(hosts, "shell", lambda: shell)
        widget.copy_to_notebook(overwrite=True)  # the variable holds a rate of the user's own
    assert variables == {"my_fancy_lr": pytest.approx(float(suggestion), rel=0.05), "lr": 0.5}


@SUITE.case("test_call_to_trainer_method: Adam", torch.optim.Adam)
@SUITE.case("test_call_to_trainer_method: Adagrad", torch.optim.Adagrad)
def works_again_with_its_own_suggestion(optimizer: Any) -> None:
    """A linear sweep, then an exponential one after the rate was changed: the rate to begin with does not matter."""
    training = classes(optimizer, lr=1e-2)
    first = float(training.test(schedule="linear").suggest())
    assert first != 1e-2
    training.optimizer.param_groups[0]["lr"] = first
    again = training.test(seed=1)
    assert float(again.suggest()) != first
    assert training.optimizer.param_groups[0]["lr"] == first
    assert again.loss.tolist() == classes(optimizer, lr=1e-2).test(seed=1).loss.tolist()


@SUITE.case("test_datamodule_parameter")
def takes_the_loaders_of_a_datamodule() -> None:
    """What it makes for training and for validation is the data of a test."""
    training = classes(lr=1e-3)
    loader = training.data
    module = SimpleNamespace(train_dataloader=lambda: loader, val_dataloader=lambda: DataLoader(loader.dataset, 64))
    training.data = module.train_dataloader()
    records = training.test(val_data=module.val_dataloader())
    for of in ("loss", "val_loss"):
        assert 1e-3 < float(records.suggest(of=of)) < 10


@SUITE.case("test_accumulation_and_early_stopping")
def accumulates_and_goes_on_to_the_end() -> None:
    """Two batches a step without the stop rule: 100 steps of 200 batches."""
    calls: list[int] = []
    training = boring(lr=1e-3)

    def train_step(model: Any, batch: Any) -> Any:
        calls.append(len(batch))
        return by_itself(model, batch)

    records = training.test(train_step=train_step, accumulation_steps=2, diverge_factor=None, end_lr=1.0)
    assert len(records.lr) == len(records.loss) == 100
    assert calls == [4] * 200
    assert float(records.suggest("steepest")) != 1e-3


@SUITE.case("test_suggestion_parameters_work")
def suggests_from_a_part() -> None:
    """A caller who leaves out 70 points instead of 10 gets another rate, of the points that are left."""
    records = classes().test(start_lr=1e-8, end_lr=1.0)
    few, many = (suggest_lr(records.lr[skip:], records.loss[skip:], "lightning").lr for skip in (0, 60))
    assert few < many
    assert few in records.lr[10:-1]
    assert many in records.lr[70:-1]


@SUITE.case("test_suggestion_with_non_finite_values")
def leaves_out_what_is_not_finite() -> None:
    """A last loss of NaN changes no suggestion, by their rule and by ours."""
    records = line().test()
    losses = records.loss.copy()
    losses[-1] = math.nan
    for rule in ("lightning", "steepest"):
        before, after = suggest_lr(records.lr, records.loss, rule), suggest_lr(records.lr, losses, rule)
        assert float(before) == pytest.approx(float(after), rel=1e-3)


@SUITE.case("test_lr_finder_fails_fast_on_bad_config")
def fails_before_it_begins() -> None:
    """An optimizer that has no rate to sweep is an error at once, before a batch is taken."""
    training = boring()
    training.optimizer.param_groups[0]["lr"] = None
    training.data = Untouchable()
    with pytest.raises(ValueError, match="param group 0 has lr None, so its optimizer sets its own rate"):
        training.test(**SWEEP, train_step=by_itself)


class Untouchable:
    """Data that must not be iterated."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("the data was touched")


@SUITE.case("test_lr_candidates_between_min_and_max")
def stays_between_the_bounds() -> None:
    """Downwards, too, as theirs goes with its bounds changed over: as a function, for as bounds that is refused."""
    down = [1e-8 ** (k / 3) for k in (1, 2, 3)]
    assert boring().test(train_step=by_itself, num_steps=3, schedule=lambda k: down[k - 1]).lr.tolist() == down
    up = boring().test(train_step=by_itself, num_steps=3, start_lr=1e-8, end_lr=1.0).lr
    assert up.tolist() == pytest.approx([1e-8 ** (2 / 3), 1e-8 ** (1 / 3), 1])
    with pytest.raises(ValueError, match="start_lr must be below end_lr, got 1 and 1e-8"):
        boring().test(train_step=by_itself, num_steps=3, start_lr=1.0, end_lr=1e-8)


@SUITE.case("test_lr_finder_ends_before_num_training")
def makes_no_step_too_many() -> None:
    """Three steps are three updates."""
    training, updates = boring(), []
    hook = training.optimizer.register_step_pre_hook(lambda *args: updates.append(1))
    training.test(**{**SWEEP, "num_steps": 3}, train_step=by_itself)
    hook.remove()
    assert len(updates) == 3


@SUITE.case("test_multiple_lr_find_calls_gives_same_results")
def gives_the_same_each_time() -> None:
    """Three tests of one training, shuffled batches included."""
    training = classes()
    first, *others = (training.test() for _ in range(3))
    assert len(first) > 10
    for records in others:
        assert (records.lr.tolist(), records.loss.tolist()) == (first.lr.tolist(), first.loss.tolist())


FEW_FINITE = [NAN, NAN, 0, INF, 1, 2, 3, INF, 2, NAN, 1]


@SUITE.cases(
    {
        f"test_suggestion_not_enough_finite_points: {name}": args
        for name, args in {
            "no loss": (0, 0, [], None),
            "no loss, ten skipped": (10, 1, [], None),
            "one of three": (0, 2, [0, 1, 2], None),
            "two of three": (0, 1, [0, 1, 2], 1.0),
            "the middle one of three": (1, 1, [0, 1, 2], None),
            "the middle two of four": (1, 1, [0, 1, 2, 3], 2.0),
            "five finite ones": (0, 1, FEW_FINITE, 9.0),
            "the last four finite ones": (4, 1, FEW_FINITE, 9.0),
        }.items()
    }
)
def needs_points(begin: int, end: int, losses: list[float], rate: float | None) -> None:
    """Their rule on two points or more gives the rate worked out by hand; `suggest_lr` asks for more and says so."""
    part = slice(begin, len(losses) - end)
    lrs, kept = np.arange(1.0, len(losses) + 1)[part], np.array(losses, dtype=float)[part]
    finite = np.isfinite(kept)
    assert steepest_in_rate(lrs[finite], kept[finite]) == rate
    for rule in ("lightning", "auto"):
        suggestion = suggest_lr(lrs, kept, rule)
        assert suggestion.lr is None
        few = "1 rate has" if finite.sum() == 1 else f"{finite.sum()} rates have"
        start = f"Only {few} a finite loss; a suggestion needs at least 5: "
        if not finite.any():
            start = "No rate has a finite loss; look for the cause in the data, the model or the loss."
        assert suggestion.reason.startswith(start) == (finite.sum() < 5)


@SUITE.case("test_lr_attribute_when_suggestion_invalid")
def keeps_the_rate_where_there_is_no_suggestion() -> None:
    """Two steps suggest nothing: no number comes of it, and applying it is refused."""
    training = line(lr=0.123)
    with training.widget(num_steps=2) as widget:
        suggestion = widget.run().suggest()
        with pytest.raises(NotebookError, match="there is no rate to apply"):
            widget.apply()
    assert suggestion.lr is None
    with pytest.raises(NoSuggestionError, match="Only 2 rates have a finite loss"):
        float(suggestion)
    assert training.optimizer.param_groups[0]["lr"] == 0.123


@SUITE.case("test_lr_finder_callback_restarting")
def runs_at_milestones_of_a_training() -> None:
    """At the beginning of two of three epochs: 100 steps each, and training goes on as a twin does at those rates."""
    training, twin = line(lr=0.01), line(lr=0.01)
    losses, expected = [], []
    for epoch in range(3):
        if epoch < 2:
            records = training.test(diverge_factor=None, end_lr=1.0)
            assert len(records) == 100
            for optimizer in (training.optimizer, twin.optimizer):
                optimizer.param_groups[0]["lr"] = float(records.suggest("minimum/10"))
        losses += training.train(10)
        expected += twin.train(10)
    assert losses == expected


@SUITE.case("test_lr_finder_with_ddp")
def gives_every_rank_the_same_rate() -> None:
    """Two ranks with shards of the data have the same records and get the same rate, another than that before."""
    first, second = of_two_ranks("gloo")
    for name in ("lr", "loss"):
        assert getattr(first["records"], name).tolist() == getattr(second["records"], name).tolist()
    assert first["suggested"] == second["suggested"] != 1e-4


@SUITE.case("test_lr_finder_callback_val_batches")
def leaves_the_validation_its_batches() -> None:
    """After a test of five steps that validates, the validation loader has all of its 16 batches."""
    training, val = boring(), rows()
    training.test(**{**SWEEP, "num_steps": 5}, train_step=by_itself, val_data=val)
    assert len(list(val)) == len(val) == 16


class EarlyStopping:
    """Stops a training when the loss has not fallen for a while."""

    def __init__(self) -> None:
        self.best, self.wait = math.inf, 0

    def step(self, loss: float) -> None:
        self.wait = 0 if loss < self.best else self.wait + 1
        self.best = min(loss, self.best)

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


@SUITE.case("test_lr_finder_with_early_stopping")
def puts_early_stopping_and_a_scheduler_back() -> None:
    """Both see the losses of the test, and afterwards neither knows of it: 50 more steps are those of a twin."""

    def make() -> tuple[Training, EarlyStopping, ReduceLROnPlateau]:
        training = boring(torch.optim.Adam)
        return training, EarlyStopping(), ReduceLROnPlateau(training.optimizer, factor=0.5, patience=2)

    def train(training: Training, stopping: EarlyStopping, plateau: ReduceLROnPlateau) -> list[tuple[float, ...]]:
        seen = []
        for loss in step_by_step(training.model, training.optimizer, training.data, 50):
            stopping.step(loss)
            plateau.step(loss)
            seen.append((loss, stopping.best, stopping.wait, training.optimizer.param_groups[0]["lr"]))
        return seen

    training, stopping, plateau = make()

    def train_step(model: Any, batch: Any) -> Any:
        loss = by_itself(model, batch)
        stopping.step(loss.item())
        plateau.step(loss.item())
        return loss

    train(training, stopping, plateau)
    before = (stopping.state_dict(), copy.deepcopy(plateau.state_dict()))
    records = training.test(train_step=train_step, also_restore=[stopping, plateau], diverge_factor=None)
    assert records.lr[-1] == 10.0
    assert float(records.suggest("steepest")) > 0
    assert (stopping.state_dict(), plateau.state_dict()) == before
    twin = make()
    train(*twin)
    assert train(training, stopping, plateau) == train(*twin)


@SUITE.case("test_gradient_correctness")
def takes_the_spacing_of_the_rates() -> None:
    """The sine falls steepest at pi."""
    lrs = np.linspace(0, 2 * math.pi, 1000)[2:-2]
    assert steepest_in_rate(lrs, np.sin(lrs)) == pytest.approx(math.pi, abs=1e-2)


@SUITE.case("test_lr_finder_callback_applies_lr_after_restore")
def applies_a_rate_that_training_then_has() -> None:
    """The rate is written after everything was put back, so the next steps are those of a twin with that rate."""
    training = classes(torch.optim.Adam, lr=1e-5)
    torch.manual_seed(5)
    with training.widget() as widget:
        suggestion = widget.run().suggest()
        applied = widget.apply()
    assert applied == pytest.approx(float(suggestion), rel=0.05)
    losses = training.train(20)
    assert training.optimizer.param_groups[0]["lr"] == applied
    twin = classes(torch.optim.Adam, lr=applied)
    torch.manual_seed(5)
    assert losses == twin.train(20)


@SUITE.case("test_exponential_vs_linear_mode_gradient_difference")
def suggests_from_both_schedules() -> None:
    """Both suggest a rate, and their rule minds the spacing: against the rates, not against the steps."""
    training = classes(lr=1e-3)
    for schedule in ("linear", "exponential"):
        records = training.test(start_lr=1e-6, end_lr=1.0, num_steps=50, schedule=schedule, seed=1)
        suggestion = records.suggest("lightning")
        assert 1e-6 < float(suggestion) < 1
        assert float(records.suggest("steepest")) > 0
        against_rates, against_steps = np.gradient(records.loss, records.lr), np.gradient(records.loss)
        assert float(suggestion) == steepest_in_rate(records.lr[10:-1], records.smoothed_loss(0.98)[10:-1])
        are_alike = np.allclose(against_rates / against_rates[0], against_steps / against_steps[0], rtol=0.1)
        assert are_alike == (schedule == "linear")


@SUITE.case("test_lr_finder_checkpoint_cleanup_on_error")
def puts_back_and_leaves_no_file_after_an_error() -> None:
    """The module's error in step 2 comes through, the scheduler's state and the module's counter are as before."""
    training = boring(failures=0)
    scheduler = StepLR(training.optimizer, step_size=1)

    def train_step(model: Any, batch: Any) -> Any:
        model.failures += 1
        if model.failures == 2:
            raise RuntimeError("on purpose")
        loss = by_itself(model, batch)
        scheduler.step()
        return loss

    before, state = training.look(), copy.deepcopy(scheduler.state_dict())
    with (
        watched_folder(),
        pytest.warns(UserWarning, match="lr_scheduler.step"),
        pytest.raises(RuntimeError, match="on purpose"),
    ):
        training.test(**SWEEP, train_step=train_step, also_restore=[scheduler])
    before.assert_unchanged("after an error")
    assert scheduler.state_dict() == state


class WithBackbone(Boring):
    """A frozen part below a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 32)).requires_grad_(False)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return super().training_step(self.backbone(batch), batch_idx)


@SUITE.case("test_lr_finder_with_backbone_finetuning_callback")
def leaves_a_frozen_part_for_later() -> None:
    """The frozen part stays frozen; thawed after an epoch, it is trained as a twin's is."""

    def make() -> Training:
        model = WithBackbone()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return Training(model, torch.optim.Adam(trained, lr=1e-3), by_itself, rows())

    def train(training: Training) -> list[float]:
        losses = step_by_step(training.model, training.optimizer, training.data, 16)
        training.model.backbone.requires_grad_(True)
        training.optimizer.add_param_group({"params": list(training.model.backbone.parameters())})
        return [*losses, *step_by_step(training.model, training.optimizer, training.data, 32)]

    training = make()
    assert len(training.test(**{**SWEEP, "num_steps": 5}, train_step=by_itself)) == 5
    assert not any(parameter.requires_grad for parameter in training.model.backbone.parameters())
    assert train(training) == train(make())
    assert all(parameter.requires_grad for parameter in training.model.parameters())


@SUITE.case("test_lr_finder_respects_weights_only")
def keeps_modules_that_are_hyperparameters() -> None:
    """A model that holds modules beside its layers, as saved arguments, is tested like any other."""
    coder, loss_fn = nn.Linear(4, 2), nn.MSELoss()
    model = nn.ModuleDict({"layer": coder, "loss": loss_fn})
    model.hparams = {"coder": coder, "loss": loss_fn, "lr": 1e-3}
    made = torch.Generator().manual_seed(6)
    data = TensorDataset(torch.randn(16, 4, generator=made), torch.randn(16, 2, generator=made))
    training = Training(model, torch.optim.Adam(model.parameters(), lr=1e-3), loss_fn, DataLoader(data, 4))
    records = training.test(
        **SWEEP, train_step=lambda model, batch: model["loss"](model.hparams["coder"](batch[0]), batch[1])
    )
    assert (len(records), records.loss[0] != records.loss[4]) == (12, True)
    assert model.hparams["coder"] is model["layer"] is coder


@pytest.mark.parametrize("name", SUITE.expressed)
def test_a_case_of_lightning(name: str) -> None:
    """Each of their cases holds for a call of ours."""
    SUITE.expressed[name]()
