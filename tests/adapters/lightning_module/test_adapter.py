"""The adapter of LightningModules, on the real packages."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.optim import SGD, Adam, lr_scheduler

from lr_widget import adapters, range_test

from ..lit import LIBRARIES, TEST, L, assert_no_trace, gan, loader, loss_of, regression, seeded, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("settings", [{}, {"accumulate_grad_batches": 3, "gradient_clip_val": 0.5}])
def test_the_curve_is_that_of_the_plain_engine(name: str, settings: dict[str, Any]) -> None:
    """On the same module and batches, to the last bit, with the trainer's accumulation and clipping."""
    library = import_module(name)
    module, batches = seeded(regression(library)), loader()
    records = range_test(**adapters.lightning(module, batches, trainer(library, **settings)), **TEST, seed=1)
    keywords = {"accumulation_steps": settings.get("accumulate_grad_batches", 1)}
    keywords |= {"max_grad_norm": settings.get("gradient_clip_val")}
    optimizer = SGD(module.parameters(), lr=0.1)
    plain = range_test(module, optimizer, None, batches, train_step=loss_of, **keywords, **TEST, seed=1)
    assert len(records) == 12
    assert (records.loss == plain.loss).all()


@pytest.mark.parametrize("name", LIBRARIES)
def test_fit_after_a_test_is_fit_without_one(name: str, tmp_path: Path) -> None:
    """Weights, metrics, the logger's files, counters and random state are bit for bit the same."""
    library = import_module(name)
    _, setup, after = assert_no_trace(
        regression(library), folder=tmp_path, library=library, enable_checkpointing=True, seed=None
    )
    assert setup["train_steps"] == after.global_step == 20
    assert any(path.suffix == ".ckpt" for path in (tmp_path / "True").rglob("*"))


def _one_cycle(self: Any) -> Any:
    optimizer = Adam(self.parameters(), lr=1e-3)
    steps = self.trainer.estimated_stepping_batches
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=self.hparams.lr, total_steps=steps)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _plateau(self: Any) -> Any:
    optimizer = SGD(self.parameters(), lr=self.hparams.lr)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer)
    return {"optimizer": optimizer, "lr_scheduler": scheduler, "monitor": "train_loss"}


def _groups(self: Any) -> Any:
    groups = [{"params": self.net[0].parameters(), "lr": self.hparams.lr / 10}, {"params": self.net[4].parameters()}]
    optimizer = SGD(groups, lr=self.hparams.lr)
    return [optimizer], [lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)]


FORMS = {
    "one": (lambda self: SGD(self.parameters(), lr=self.hparams.lr), "constant"),
    "list": (lambda self: [Adam(self.parameters(), lr=self.hparams.lr)], "constant"),
    "dict": (lambda self: {"optimizer": SGD(self.parameters(), lr=self.hparams.lr)}, "constant"),
    "one cycle": (_one_cycle, "one_cycle"),
    "plateau": (_plateau, "constant"),
    "two lists, two groups": (_groups, "cosine"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_configure_optimizers_with_one_optimizer(form: str, tmp_path: Path) -> None:
    """Each leaves no trace, names its schedule, takes the chosen rate, and `fit` begins with it."""
    configure, schedule = FORMS[form]
    module_class = regression(configure_optimizers=configure)
    _, setup, _ = assert_no_trace(module_class, folder=tmp_path)
    assert (setup["train_steps"], setup["train_schedule"]) == (20, schedule)
    module = module_class()
    assert adapters.lightning(module, loader(), trainer()).apply(0.03) == ["hparams.lr"]
    module.trainer = trainer(limit_train_batches=1, max_epochs=1)
    module.trainer.fit(module, loader())
    group = module.trainer.optimizers[0].param_groups[0]
    assert group.get("max_lr", group.get("initial_lr", group["lr"])) == pytest.approx(0.03)


def _dicts(self: Any) -> Any:
    optimizers = [Adam(each.parameters(), lr=self.lr) for each in (self.generator, self.critic)]
    return [{"optimizer": each, "lr_scheduler": lr_scheduler.StepLR(each, 100)} for each in optimizers]


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("methods", [{}, {"configure_optimizers": _dicts}])
def test_two_optimizers_under_manual_optimization_leave_no_trace(
    name: str, methods: dict[str, Any], tmp_path: Path
) -> None:
    """The module makes its updates itself; a step of the test is a call of `training_step`."""
    library = import_module(name)
    records, setup, after = assert_no_trace(gan(library, **methods), folder=tmp_path, library=library)
    assert setup["train_steps"] == 20
    assert after.global_step == 40  # Lightning counts the steps of both
    assert records.group_lrs.shape == (12, 2)


def test_the_curve_of_manual_optimization_is_that_of_a_loop_by_hand() -> None:
    """Two losses and two updates a batch, as the module makes them, at the swept rates."""
    module, batches = seeded(gan()), list(loader(shuffle=False))
    setup = adapters.lightning(module, batches)
    torch.manual_seed(7)
    records = range_test(**setup, **TEST)
    torch.manual_seed(7)
    losses = []
    by_generator, by_critic = (Adam(each.parameters()) for each in (module.generator, module.critic))
    for step, lr in enumerate(records.lr):
        for group in (*by_generator.param_groups, *by_critic.param_groups):
            group["lr"] = lr
        real = batches[step % 10][0]
        noise = torch.randn(6, 2)
        loss = functional.softplus(-module.critic(module.generator(noise))).mean()
        by_generator.zero_grad()
        loss.backward()
        by_generator.step()
        scores = module.critic(real), module.critic(module.generator(noise).detach())
        loss_of_critic = functional.softplus(-scores[0]).mean() + functional.softplus(scores[1]).mean()
        by_critic.zero_grad()
        loss_of_critic.backward()
        torch.nn.utils.clip_grad_norm_(module.critic.parameters(), 0.5)
        by_critic.step()
        losses.append(float(loss.detach() + loss_of_critic.detach()))
    assert records.loss == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"max_epochs": 3}, 30),
        ({"max_epochs": 3, "accumulate_grad_batches": 4}, 9),
        ({"max_epochs": 3, "accumulate_grad_batches": 25}, 3),
        ({"max_epochs": 3, "max_steps": 7}, 7),
        ({"max_epochs": -1, "max_steps": 5}, 5),
        ({"max_epochs": None, "max_steps": 5}, 5),
        ({"limit_train_batches": 4}, 8),
        ({"limit_train_batches": 0.5}, 10),
    ],
)
def test_the_length_of_the_training_is_that_of_fit(settings: dict[str, Any], steps: int) -> None:
    """As many steps as the trainer then makes."""
    module, train = regression()(), trainer(**settings)
    setup = adapters.lightning(module, loader(), train)
    assert setup["train_steps"] == steps
    assert setup["accumulation_steps"] == min(settings.get("accumulate_grad_batches", 1), 10)  # batches of an epoch
    train.fit(module, loader())
    assert train.global_step == steps


@pytest.mark.parametrize("settings", [{"max_epochs": -1}, {"max_epochs": None}, {"fast_dev_run": True}])
def test_a_trainer_without_a_planned_end_gives_no_length(settings: dict[str, Any]) -> None:
    """Neither does a trial of one batch, nor a test without a trainer."""
    assert adapters.lightning(regression()(), loader(), trainer(**settings))["train_steps"] is None
    assert adapters.lightning(regression()(), loader())["train_steps"] is None


def test_the_steps_of_two_optimizers_count_for_max_steps() -> None:
    """Lightning's limit is of the steps of all of them, our length of calls of `training_step`."""
    module, train = gan()(), trainer(max_steps=10)
    assert adapters.lightning(module, loader(), train)["train_steps"] == 5
    train.fit(module, loader())
    assert train.global_step == 10


def test_keywords_of_the_user_win() -> None:
    """They stand in place of the trainer's, and what a step needs follows them."""
    setup = adapters.lightning(
        regression()(), loader(), trainer(gradient_clip_val=1.0), accumulation_steps=4, max_grad_norm=0.2, num_steps=7
    )
    assert (setup["accumulation_steps"], setup["max_grad_norm"], setup["train_steps"]) == (4, 0.2, 6)
    assert len(range_test(**setup, progress=False)) == 7
    with pytest.raises(TypeError, match=r"adapters.lightning.*num_step"):
        adapters.lightning(regression()(), loader(), num_step=7)


def test_the_call_is_kept_as_it_was_given() -> None:
    """By the names of the arguments, for those who write it down again."""
    module, batches, train = regression()(), loader(), trainer()
    name, arguments = adapters.lightning(module, batches, train, rate_name="hparams.lr").call
    assert name == "lightning"
    assert arguments == {"module": module, "data": batches, "trainer": train, "rate_name": "hparams.lr"}


def test_validation_data_are_measured_by_training_step() -> None:
    """In eval mode, without counting as a batch of training."""
    seen: list[tuple[bool, int]] = []

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        seen.append((self.training, batch_idx))
        return loss_of(self, batch)

    module = regression(training_step=training_step)()
    setup = adapters.lightning(module, loader(), val_data=loader(12), val_every=2)
    records = range_test(**setup, **{**TEST, "num_steps": 4})
    assert [index for is_training, index in seen if is_training] == [0, 1, 2, 3]
    assert sum(not is_training for is_training, _ in seen) == 4
    assert records.val_loss[1] > 0


def test_without_data_the_modules_own_are_taken_or_it_is_said() -> None:
    """A module with a `train_dataloader` needs none."""
    module = regression(train_dataloader=lambda self: loader())()
    assert len(range_test(**adapters.lightning(module), **TEST)) == 12
    with pytest.raises(TypeError, match="data is missing, and Regression has no train_dataloader of its own; give a"):
        adapters.lightning(regression()())


def test_a_module_without_optimizers_of_its_own_is_refused_as_fit_refuses_it() -> None:
    """Lightning's own sentence says it."""

    class Bare(L.LightningModule):  # type: ignore[misc, name-defined]  # imported by its name
        def training_step(self, batch: Any) -> None:
            """Do nothing."""

    with pytest.raises(Exception, match="No `configure_optimizers\\(\\)` method defined"):
        adapters.lightning(Bare(), loader())


def test_a_module_that_makes_its_layers_in_setup_is_trained_as_without_a_test(tmp_path: Path) -> None:
    """`fit` makes them anew, from the same random state."""

    def setup(self: Any, stage: str) -> None:
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.1), torch.nn.Linear(8, 1))

    ends = []
    for is_tested in (False, True):
        module, train = seeded(regression(setup=setup)), trainer()
        torch.manual_seed(5)
        if is_tested:
            assert len(range_test(**adapters.lightning(module, loader(), train), **TEST)) == 12
        train.fit(module, loader())
        ends.append([p.tolist() for p in module.parameters()])
    assert ends[0] == ends[1]


def test_layers_of_configure_model_stay() -> None:
    """They are made once; `fit` finds them as they were at the beginning of the test."""

    def configure_model(self: Any) -> None:
        if self.net is None:
            self.net = torch.nn.Linear(4, 1)

    module = regression(configure_model=configure_model)()
    module.net = None
    setup = adapters.lightning(module, loader(), trainer())
    made = module.net
    before = made.weight.clone()
    range_test(**setup, **TEST)
    assert module.net is made
    assert torch.equal(made.weight, before)


def test_a_trainer_may_have_fitted_before(tmp_path: Path) -> None:
    """The module then belongs to it, before and after; a training that goes on is the same as without the test."""
    ends = []
    for is_tested in (False, True):
        module, train = seeded(regression()), trainer()
        train.fit(module, loader())
        torch.manual_seed(5)
        if is_tested:
            setup = adapters.lightning(module, loader(), train)
            range_test(**setup, **TEST)
            assert module.trainer is train
            assert (train.global_step, train.current_epoch) == (20, 2)
        train.fit_loop.max_epochs = 4
        train.fit(module, loader())
        ends.append(([p.tolist() for p in module.parameters()], train.global_step))
    assert ends[0] == ends[1]
    assert ends[0][1] == 40


def test_the_lambda_of_a_scheduler_that_steps_by_epochs_is_asked_for_epochs() -> None:
    """Lightning's default: a line over ten epochs is one, however many steps these have."""

    def configure_optimizers(self: Any) -> Any:
        optimizer = SGD(self.parameters(), lr=self.hparams.lr)
        return [optimizer], [lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / 10)]

    module = regression(configure_optimizers=configure_optimizers)()
    setup = adapters.lightning(module, loader(), trainer(max_epochs=10))
    assert (setup["train_steps"], setup["train_schedule"]) == (100, "linear")
