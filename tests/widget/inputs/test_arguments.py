"""The arguments of a widget are checked when it is made, and become its jobs and its script."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import traitlets
from torch import nn

from lr_widget import LRRecords
from lr_widget.engine import Round
from lr_widget.horizon import Horizon
from lr_widget.schedule import Sweep
from lr_widget.widget.inputs.arguments import LEAST_PROBE_BUDGET, Arguments, probe_plan
from lr_widget.widget.takeaway import Choice

from ..helpers import Make, Training


def given(**keywords: Any) -> Arguments:
    """Arguments with two param groups, the second at a tenth of the rate of the first."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD([{"params": [model.weight], "lr": 0.1}, {"params": [model.bias], "lr": 0.01}])
    return Arguments((model, optimizer, nn.functional.mse_loss, [(torch.ones(4, 2), torch.ones(4, 1))]), keywords)


def test_wrong_arguments_are_refused_when_the_widget_is_made(make_widget: Make) -> None:
    """Before anything is shown."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'start'; did you mean 'start_lr'"):
        make_widget(start=1e-3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'; see help\\(LRFinderWidget\\)"):
        make_widget(colour="red")
    with pytest.raises(TypeError, match=r"LRFinderWidget got an .* 'num_iter'; did you mean 'num_steps'\?"):
        make_widget(num_iter=3)
    with pytest.raises(TypeError, match=r"did you mean dataloader_options=\{'batch_size': …\}\?"):
        make_widget(batch_size=3)
    with pytest.raises(TypeError, match="val_step is for the batches of val_data"):
        make_widget(val_step=print)
    with pytest.raises(ValueError, match="start_lr"):
        make_widget(start_lr=1.0, end_lr=0.1)
    with pytest.raises(traitlets.TraitError, match="identifier, got 'my lr'"):
        make_widget("my lr")
    with pytest.raises(ValueError, match="group_lrs"):
        make_widget(group_lrs="none")
    with pytest.raises(ValueError, match="train_steps must be at least 1, got 0; 1000 is usual"):
        make_widget(train_steps=0)
    with pytest.raises(ValueError, match=r"train_schedule must be one of .*, got 'cosine_annealing'"):
        make_widget(train_schedule="cosine_annealing")


def test_a_schedule_of_ones_own_is_refused(make_widget: Make) -> None:
    """The sliders would have no meaning."""
    with pytest.raises(TypeError, match="sliders set the sweep, so schedule must be"):
        make_widget(schedule=lambda step: 1e-3)


def test_what_an_iterator_names_is_put_back_in_every_run(make_widget: Make, training: Training) -> None:
    """An iterator can be walked once, and every run needs its items."""
    scheduler = torch.optim.lr_scheduler.StepLR(training.optimizer, 1)
    training.at_step = lambda call: setattr(scheduler, "last_epoch", call)
    widget = make_widget(num_steps=5, also_restore=iter([scheduler]))
    for _ in range(2):
        widget.run()
        assert scheduler.last_epoch == 0


def test_schedulers_given_with_the_optimizer_are_put_back_in_every_run(training: Training) -> None:
    """As Lightning's configure_optimizers returns them."""
    scheduler = torch.optim.lr_scheduler.StepLR(training.optimizer, 1)
    training.at_step = lambda call: setattr(scheduler, "last_epoch", call)
    given = ([training.optimizer], [scheduler])
    arguments = Arguments((training.model, given, training.loss_fn(), training.data), {"num_steps": 5})
    for _ in range(2):
        drained = list(arguments.range_test(arguments.sweep, 1, Horizon()).test.steps())
        assert (len(drained), scheduler.last_epoch) == (5, 0)


def test_bounds_length_and_repeats_become_traits_and_leave_the_keywords() -> None:
    """They can change between two runs, while the schedule and all other keywords stay."""
    arguments = given(start_lr=1e-5, num_steps=50, repeats=2, schedule="linear", seed=3, train_steps=5000)
    training = {"train_steps": 5000, "train_schedule": "constant"}
    assert arguments.traits() == {"start_lr": 1e-5, "end_lr": 10.0, "num_steps": 50, "repeats": 2, **training}
    assert arguments.keywords == {"schedule": "linear", "seed": 3}
    assert arguments.sweep == Sweep(1e-5, 10.0, 50, "linear")


@pytest.mark.parametrize("repeats", [0, -1])
def test_a_wrong_number_of_repeats_is_refused(repeats: int) -> None:
    """The first value of the trait is checked as later ones are."""
    with pytest.raises(ValueError, match=f"repeats must be at least 1, got {repeats}; 1 is usual"):
        given(repeats=repeats)


def test_a_range_test_has_the_sweep_and_the_repeats_that_are_set() -> None:
    """Those that the widget was made with do not count any more; two sweeps of 30 steps are 60 steps."""
    job = given(start_lr=1e-5, num_steps=50, seed=3).range_test(Sweep(1e-3, 0.1, 30), 2, Horizon(5000, "linear"))
    assert (job.test.plan.sweep, job.test.repeats, job.num_steps) == (Sweep(1e-3, 0.1, 30), 2, 60)
    assert (job.test.plan.seed, job.test.plan.horizon) == (3, Horizon(5000, "linear"))


@pytest.mark.parametrize(("max_steps", "probe_steps"), [(80, 20), (83, 20), (LEAST_PROBE_BUDGET, 8)])
def test_four_probes_can_go_to_their_end(max_steps: int, probe_steps: int) -> None:
    """Each probe of a small budget has a quarter of the steps that all of them may take."""
    job = given().probes(1e-2, max_steps, None, Horizon())
    assert (job.probing.round.num_steps, job.num_steps) == (probe_steps, max_steps)
    assert f"of {probe_steps} steps at a constant rate" in job.waiting
    job.probing.round = Round(300, "cosine", 900)
    assert "of 300 steps with a cosine schedule" in job.waiting  # those of now, not of the beginning


def test_probes_keep_the_training_and_the_records_that_they_are_given() -> None:
    """The evidence names the curve that the rate was read off, and the training that it is for."""
    records = LRRecords([1e-3, 1e-2], [2.0, 1.0])
    job = given().probes(1e-2, 40, records, Horizon(5000, "cosine"))
    evidence = job.probing.evidence()
    assert (evidence.suggested, evidence.records, evidence.horizon) == (1e-2, records, Horizon(5000, "cosine"))


def test_the_rates_of_a_job_keep_the_proportions_at_its_beginning() -> None:
    """The second group changes from a tenth to a half of the first, and the next job goes by that."""
    arguments = given()
    assert arguments.rates(1.0) == pytest.approx((1.0, 0.1))
    arguments.positional[1].param_groups[1]["lr"] = 0.5
    assert arguments.range_test(arguments.sweep, 1, Horizon()).rates(2.0) == pytest.approx((2.0, 1.0))
    assert arguments.probes(1e-2, 40, None, Horizon()).rates(2.0) == pytest.approx((2.0, 1.0))
    assert arguments.rates(2.0) == pytest.approx((2.0, 0.2))


def test_the_script_has_the_settings_the_rate_and_the_shares() -> None:
    """The settings are those of now, and the bias gets its tenth."""
    code = given(num_steps=50, seed=3).script(
        Choice(0.0123),
        sweep=Sweep(1e-3, 0.1, 30),
        repeats=2,
        horizon=Horizon(),
        variable="best",
        shares=(1.0, 0.1),
        namespace={},
    )
    assert "start_lr=1e-3, end_lr=0.1, num_steps=30, repeats=2," in code
    assert "seed=3," in code
    assert "\nbest = 0.0123  # picked\n" in code
    assert "for group, share in zip(optimizer.param_groups, [1, 0.1]):" in code
    assert 'group["lr"] = best * share' in code


def test_the_plan_of_the_probes_has_the_trainings_that_they_make() -> None:
    """Those of the job, and the longer ones that four times the steps would bring."""
    job = given().probes(1e-2, 83, None, Horizon(5000))
    assert f"trainings of {job.probing.round.num_steps} steps at a constant rate." in probe_plan(
        1e-2, 83, Horizon(5000)
    )
    plan = probe_plan(1e-2, 300, Horizon(5000, "cosine"))
    assert plan.endswith(
        "of 75 steps at a constant rate. With 1,200 steps, the longest would be of 300 steps with a cosine schedule."
    )
    plan = probe_plan(1e-2, 1200, Horizon(5000, "cosine"))
    assert "of 75 steps at a constant rate, then of 300 steps with a cosine schedule." in plan
