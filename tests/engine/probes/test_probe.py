"""Short trainings around a suggestion: the right rate wins, the cost is kept, and nothing is left behind."""

from __future__ import annotations

import builtins
import inspect
import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lr_widget import NoSuggestionError, Suggestion, probe, range_test
from lr_widget.engine.probes import Probing, make_probe_plan, rate_of
from lr_widget.results import CLOSE

from ...no_trace.endings import interrupting, lines_run
from ...no_trace.models import Training
from ...no_trace.state import Look
from .helpers import bowl_options


@pytest.mark.parametrize("start", [0.01, 0.1, 1.0, 10.0])
def test_the_rate_that_trains_best_is_found_wherever_the_suggestion_is(start: float):
    """In a bowl of curvature 1 that is the rate 1, at the bottom after one step; 3.2 explodes.

    The range has it, and the suggestion is close to the bottom after 8 steps, too: at most a tenth of the way is left.
    """
    evidence = probe(**bowl_options(), around=start, probe_steps=8, train_steps=8)
    assert evidence.suggested == start
    assert evidence.best is not None
    assert evidence.best.lr == pytest.approx(1.0)
    suggestion = evidence.suggestion
    assert suggestion.low <= 1.0 <= suggestion.high < 10**0.5
    assert np.mean([(1 - suggestion.lr) ** (2 * step) for step in range(4, 8)]) < 0.1


@pytest.mark.parametrize("start", [0.01, 0.1, 1.0, 10.0])
def test_the_longer_round_finds_it_from_its_own_start(start: float):
    """To the nearest quarter of a decade from there: 1/8 at most is between."""
    evidence = probe(**bowl_options(), around=start, probe_steps=8)
    assert [len(list(runs)) for _, runs in itertools.groupby(run.num_steps for run in evidence.runs)] == [4, 7]
    assert evidence.best in evidence.runs[4:]
    assert abs(math.log10(evidence.best.lr)) <= 1 / 8
    suggestion = evidence.suggestion
    assert suggestion.low <= 1.0 <= suggestion.high < 10**0.5
    assert np.mean([(1 - suggestion.lr) ** (2 * step) for step in range(16, 32)]) < 0.1


def test_every_training_starts_from_the_same_state():
    """The same first loss to the last bit, the same batches, and the rate of each training in its steps."""
    training = Training("cnn", "adamw_amsgrad", 2)
    kind = training.kind
    evidence = probe(
        kind.model, training.optimizers[0], None, kind.data, train_step=kind.step, around=1e-3, progress=False
    )
    assert len(evidence.runs) >= 3
    assert len({run.loss[0] for run in evidence.runs}) == 1
    again = probe(
        kind.model, training.optimizers[0], None, kind.data, train_step=kind.step, around=1e-3, progress=False
    )
    assert [run.loss.tolist() for run in again.runs] == [run.loss.tolist() for run in evidence.runs]


@settings(max_examples=25, deadline=None)
@given(probe_steps=st.integers(8, 30), extra=st.integers(0, 100), start=st.sampled_from([1e-4, 0.1, 1.0, 100.0]))
def test_the_cost_is_kept(probe_steps: int, extra: int, start: float):
    """However the trainings go, all their steps together are at most max_steps, and that many are really taken."""
    options = bowl_options()
    taken = itertools.count()
    options["train_step"] = lambda model, batch: (next(taken), model(batch))[1]
    evidence = probe(**options, around=start, probe_steps=probe_steps, max_steps=probe_steps + extra)
    assert 1 <= evidence.num_steps <= probe_steps + extra
    assert next(taken) == evidence.num_steps


def test_a_clear_loser_is_stopped_early_and_an_exploding_one_ends():
    """The steps saved are on record."""
    by_rate = {round(run.lr, 4): run for run in probe(**bowl_options(), around=0.1, max_steps=600).runs}
    assert by_rate[0.1].stop_reason == "completed"
    assert by_rate[3.1623].stop_reason in ("diverged", "stopped")
    assert by_rate[3.1623].loss.size < 75


def test_validation_data_decides():
    """Where every step raises the validation loss, the lowest rate that is tried wins over the training loss."""
    options = bowl_options()
    options["train_step"] = lambda model, batch: model(batch) if model.training else 10 - model(batch)
    evidence = probe(**options, around=0.1, val_data=[torch.zeros(1)], probe_steps=10, max_steps=200)
    assert evidence.suggestion.lr < 0.01
    assert all(run.val_loss is not None for run in evidence.runs if run.stop_reason == "completed")


def test_without_a_rate_a_range_test_comes_first():
    """Its records are kept, its suggestion is where the probes begin, and its own keywords reach it."""
    evidence = probe(**bowl_options(), start_lr=1e-4, end_lr=100.0, num_steps=60)
    assert evidence.records is not None
    assert evidence.records.num_steps == 60
    assert evidence.suggested == rate_of(evidence.records)
    assert evidence.suggestion.low <= 1.0 <= evidence.suggestion.high


def test_records_and_suggestions_say_where_to_begin():
    """A suggestion without a rate is refused with its reason; records fall back on the other rules.

    Probes are about as long as a range test, whatever the training is.
    """
    assert rate_of(Suggestion(0.02, "steepest", "")) == 0.02
    with pytest.raises(NoSuggestionError, match=r"^flat$"):
        rate_of(Suggestion(None, "auto", "flat"))
    options = bowl_options()
    records = range_test(**options, start_lr=1e-5, end_lr=0.01)
    assert records.suggest().lr is None
    assert 1e-5 < rate_of(records) < 0.01
    found = range_test(**options, start_lr=1e-4, end_lr=100.0)
    assert rate_of(replace(found, train_steps=5000, train_schedule="cosine")) == found.suggest().lr
    flat = range_test(**options, start_lr=1e-30, end_lr=1e-29)
    with pytest.raises(NoSuggestionError, match="no rate to probe around: The loss is the same"):
        rate_of(flat)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"around": 0.0}, ValueError, r"around must be a positive, finite learning rate, got 0.0"),
        ({"around": "1e-3"}, TypeError, r"around must be a number, got '1e-3'"),
        ({"probe_steps": 7}, ValueError, r"probe_steps must be at least 8, got 7"),
        ({"max_steps": 7}, ValueError, r"max_steps must be at least 8, got 7"),
        ({"max_steps": 50, "probe_steps": 75}, ValueError, r"max_steps must be at least 75, got 50"),
        ({"train_steps": 0}, ValueError, r"train_steps must be at least 1, got 0"),
        ({"train_schedule": "step"}, ValueError, r'train_schedule must be one of "constant", .*, got \'step\''),
        ({"groups": 1}, ValueError, r'groups must be "together", "each" or the index of one of the 1 param groups'),
        ({"profile": "constant"}, TypeError, r"unexpected keyword argument 'profile'"),
        ({"train_data": iter([torch.zeros(1)])}, TypeError, r"one-shot iterator .* every probe starts over"),
        ({"warmup": 3}, TypeError, r"unexpected keyword argument 'warmup'"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(wrong: dict[str, Any], error: type, message: str):
    """Also without a rate, where a range test would come first."""
    options = bowl_options()
    options["train_step"] = lambda model, batch: pytest.fail("a step was taken")
    with pytest.raises(error, match=message):
        probe(**{"around": 0.1, **options, **wrong})
    if "around" not in wrong:
        with pytest.raises(error, match=message):
            probe(**{**options, **wrong})


def test_ctrl_c_keeps_the_trainings_so_far():
    """The one that was cut short is on record; the best of the others is the suggestion."""
    options, calls = bowl_options(), itertools.count(1)

    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        if next(calls) == 90:
            raise KeyboardInterrupt
        return model(batch)

    evidence = probe(**{**options, "train_step": step}, around=0.1)
    assert [(run.stop_reason, run.loss.size) for run in evidence.runs] == [("completed", 75), ("interrupted", 14)]
    assert evidence.suggestion.lr == 0.1
    assert options["model"].weight.item() == 3.0


@pytest.mark.parametrize("kind", ["cnn", "tied", "gan"])
def test_probes_leave_no_trace(kind: str):
    """They may end by themselves, be closed in the middle, raise, or be interrupted at any 97th line.

    In the first round, of 8 steps each, and in the second one, of 16 or, where one was stopped early, 17.
    """
    training = Training(kind, "adam", warm_steps=2)
    before = Look(*training.everything)
    calls = itertools.count(1)
    fail_at = 0

    def step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == fail_at:
            raise ZeroDivisionError("in the step")
        return training.kind.step(model, batch)

    def probing(**more: Any) -> Probing:
        optimizers = training.optimizers[0] if len(training.optimizers) == 1 else training.optimizers
        data = training.kind.data
        horizon = {"train_steps": 1000, "train_schedule": "cosine"}
        plan = make_probe_plan(training.kind.model, optimizers, None, data, train_step=step, **horizon)
        return Probing(plan, 1e-3, **{"probe_steps": 8, "max_steps": 80, **more})

    def run(steps: Any) -> None:
        for _ in steps:
            pass

    complete = probing()
    run(complete.steps())
    assert [*dict.fromkeys(run.num_steps for run in complete.runs)] in ([8, 16], [8, 17])
    before.assert_unchanged("after the end")
    for taken in (11, 45):
        steps = probing().steps()
        for _ in range(taken):
            next(steps)
        steps.close()
        before.assert_unchanged(f"after closing it after {taken} steps")
        calls, fail_at = itertools.count(1), taken + 1
        with pytest.raises(ZeroDivisionError, match="in the step"):
            run(probing().steps())
        before.assert_unchanged(f"after an exception in step {taken + 1}")
    fail_at = 0
    total = lines_run(lambda: run(probing(max_steps=16).steps()))
    for line in range(0, total, 97):
        with pytest.raises(KeyboardInterrupt, match="at a line"), interrupting(line):
            run(probing(max_steps=16).steps())
        before.assert_unchanged(f"after an interrupt at line {line} of {total}")


def test_the_losses_are_finite_arrays():
    """One a step, raw."""
    run = probe(**bowl_options(), around=0.1).runs[0]
    assert run.loss == pytest.approx(0.5 * (3.0 * 0.9 ** np.arange(75)) ** 2, rel=1e-4)


def test_the_signature_names_every_keyword():
    """For help() and completion: its own ones and those of range_test, each once."""
    names = list(inspect.signature(probe).parameters)
    assert names[:8] == [
        *("model", "optimizer", "loss_fn", "train_data"),
        *("around", "probe_steps", "max_steps", "progress"),
    ]
    assert set(names) == {*names[:8], *inspect.signature(range_test).parameters}


class Counter:
    """An object of the user's with a state dict."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def test_what_an_iterator_names_is_put_back_after_every_training():
    """An iterator can be walked once, and the range test and each probe need its items."""
    options, counter = bowl_options(), Counter()
    hidden = f"_counter_{id(counter)}"  # where no reference that can be followed leads
    setattr(builtins, hidden, counter)

    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        getattr(builtins, "_" + hidden[1:]).__dict__["count"] += 1
        return model(batch)

    try:
        probe(**{**options, "train_step": step}, also_restore=iter([counter]), end_lr=0.5, num_steps=20)
    finally:
        delattr(builtins, hidden)
    assert counter.count == 0


# --- one param group after another -----------------------------------------------------------------------------------


def two_bowls() -> tuple[dict[str, Any], list[float]]:
    """The arguments of a probe in a bowl of curvature 100 and one of curvature 1, a group each, and the rates applied.

    By hand: a step multiplies a weight by 1 - lr·curvature, so that 0.01 and 1 are at the bottom after one step. Both
    start at the same height, 25/32.
    """
    model = nn.ParameterList([torch.tensor(0.125).double(), torch.tensor(1.25).double()])
    optimizer = torch.optim.SGD([{"params": [model[0]], "lr": 1e-4}, {"params": [model[1]], "lr": 2e-4}])
    applied: list[float] = []
    optimizer.register_step_post_hook(lambda opt, *_: applied.extend(group["lr"] for group in opt.param_groups))
    options = {
        "model": model,
        "optimizer": optimizer,
        "loss_fn": None,
        "train_data": [torch.zeros(1)],
        "train_step": lambda model, batch: (100 * model[0] ** 2 + model[1] ** 2) / 2,
        "progress": False,
        "probe_steps": 8,
        "train_steps": 8,
    }
    return options, applied


def test_each_group_has_its_probes_with_the_rates_found_before_held():
    """The steep one first, beside the other's own rate; then the flat one, which needs a hundred times the rate.

    While that is probed, the steep one falls, too, so that the same ends are half as far from the best one.
    """
    options, applied = two_bowls()
    before = Look(options["model"], options["optimizer"])

    def middle(fallen: int) -> float:
        """Of the rates around the best one, where the loss falls by so many heights; what counts is steps 5 to 8."""
        decades = np.array([-0.5, -0.25, 0.0, 0.25])
        ends = np.mean([(1 - 10**decades) ** (2 * step) for step in range(4, 8)], axis=0)
        return 10 ** np.average(decades, weights=(1 - ends / fallen / CLOSE).clip(0))

    steep, flat = probe(**options, groups="each", around=[0.001, 0.1])
    before.assert_unchanged("after the probes of both groups")
    assert (steep.group, flat.group) == (0, 1)
    assert (steep.best.lr, flat.best.lr) == pytest.approx((0.01, 1.0))
    assert steep.suggestion.lr == pytest.approx(0.01 * middle(fallen=1), rel=1e-3)
    assert flat.suggestion.lr == pytest.approx(1.0 * middle(fallen=2), rel=1e-3)
    expected = [(run.lr, 2e-4) for run in steep.runs for _ in run.loss]
    expected += [(steep.suggestion.lr, run.lr) for run in flat.runs for _ in run.loss]
    assert list(zip(applied[::2], applied[1::2], strict=True)) == expected
    assert repr(flat).startswith("<Evidence: 6 trainings from lr 0.1 on, 48 steps in all, param group 1, ")


def test_a_group_by_its_index_has_its_probes_alone():
    """As the first of each; a rate, which is no list, is where all groups begin."""
    options, _ = two_bowls()
    alone = probe(**options, groups=0, around=0.01)
    each = probe(**options, groups="each", around=0.01)
    assert [run.loss.tolist() for run in each[0].runs] == [run.loss.tolist() for run in alone.runs]
    assert alone.group == 0
    assert [evidence.suggested for evidence in each] == [0.01, 0.01]


def test_records_of_each_group_say_where_its_probes_begin():
    """Given, or made first where there are none; each evidence keeps those of its group."""
    options, _ = two_bowls()
    sweep = {"start_lr": 1e-5, "end_lr": 1e2, "num_steps": 60}
    data = {name: options[name] for name in ("model", "optimizer", "loss_fn", "train_data", "train_step", "progress")}
    tested = range_test(**data, groups="each", train_steps=8, **sweep)
    given = probe(**options, groups="each", around=tested)
    assert all(evidence.records is records for evidence, records in zip(given, tested, strict=True))
    made = probe(**options, groups="each", **sweep)
    assert made[0].records.loss.tolist() == tested[0].loss.tolist()
    assert set(made[1].records.group_lrs[:, 0]) == {made[0].suggestion.lr}  # held at the rate found for it, not its own
    assert [evidence.suggested for evidence in made] == [rate_of(evidence.records) for evidence in made]
    mixed = probe(**options, groups="each", around=(None, 0.5), **sweep)
    assert [evidence.suggested for evidence in mixed] == [made[0].suggested, 0.5]


@pytest.mark.parametrize(
    ("around", "error", "message"),
    [
        (
            [0.1],
            ValueError,
            r"^around must have one entry a param group, 2, got 1; give None for one that a range test is",
        ),
        ([0.1, 0.1, 0.1], ValueError, r"^around must have one entry a param group, 2, got 3; "),
        ([0.1, -1.0], ValueError, r"^around must be a positive, finite learning rate, got -1.0"),
        ([0.1, Suggestion(None, "auto", "flat")], NoSuggestionError, r"^flat$"),
    ],
)
def test_a_wrong_start_of_any_group_is_refused_before_anything_runs(around: list[Any], error: type, message: str):
    """Also that of the last one."""
    options, applied = two_bowls()
    with pytest.raises(error, match=message):
        probe(**options, groups="each", around=around)
    assert applied == []


def test_a_group_without_a_rate_to_begin_at_is_named():
    """Its weight has no part in the loss, whatever its rate."""
    options, _ = two_bowls()
    options["train_step"] = lambda model, batch: 50 * model[0] ** 2 + 0 * model[1]
    options["optimizer"].param_groups[0]["lr"] = 0.0
    with pytest.raises(
        NoSuggestionError, match=r"^there is no rate to probe param group 1 around: The loss is the same"
    ):
        probe(**options, groups=1)


def test_records_of_another_group_are_no_start():
    """Their rate is for that group alone."""
    options, _ = two_bowls()
    data = {name: options[name] for name in ("model", "optimizer", "loss_fn", "train_data", "train_step", "progress")}
    tested = range_test(**data, groups="each", num_steps=20)
    with pytest.raises(ValueError, match=r"around must be records of param group 0, got those of param group 1; give"):
        probe(**options, groups=0, around=tested[1])
    with pytest.raises(ValueError, match=r"around must be records of all param groups, got those of param group 1"):
        probe(**options, around=tested[1])


def test_a_group_begins_at_a_rate_that_is_tested_with_those_found_before():
    """The first group's own rate explodes; held at that, the second one's test would end at rates far too low."""
    options, _ = two_bowls()
    options["optimizer"].param_groups[0]["lr"] = 1.0
    steep, flat = probe(**{**options, "max_steps": 100}, groups="each")
    assert steep.suggestion.lr == pytest.approx(0.01, rel=0.5)
    assert flat.suggested > 0.1


@pytest.mark.parametrize(("before_it", "groups"), [("none", 0), ("one", 1), ("the first group", 1), ("one more", 2)])
def test_ctrl_c_keeps_the_groups_that_have_begun(before_it: str, groups: int):
    """Before the first step it is raised; before that of the second group, the first one's evidence is kept."""
    options, _ = two_bowls()
    first = probe(**options, groups=0, around=0.01).num_steps
    taken = {"none": 0, "one": 1, "the first group": first, "one more": first + 1}[before_it]
    before, calls, train_step = Look(options["model"], options["optimizer"]), itertools.count(), options["train_step"]

    def step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) == taken:
            raise KeyboardInterrupt
        return train_step(model, batch)

    options["train_step"] = step
    if groups == 0:
        with pytest.raises(KeyboardInterrupt, match=r"^$"):
            probe(**options, groups="each", around=[0.01, 1.0])
    else:
        each = probe(**options, groups="each", around=[0.01, 1.0])
        assert [evidence.group for evidence in each] == list(range(groups))
        assert sum(evidence.num_steps for evidence in each) == taken
    before.assert_unchanged("after Ctrl-C")


def test_ctrl_c_in_a_range_test_keeps_the_groups_before():
    """Where none comes before, it is raised, as a test that was cut short says nothing of its group."""
    options, _ = two_bowls()
    calls, train_step = itertools.count(1), options["train_step"]

    def step(model: Any, batch: Any) -> torch.Tensor:
        if next(calls) in (5, 100):
            raise KeyboardInterrupt
        return train_step(model, batch)

    options["train_step"] = step
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        probe(**options, groups="each")
    (steep,) = probe(**options, groups="each", around=[0.01, None])
    assert steep.group == 0
    assert steep.runs[-1].stop_reason != "interrupted"


def test_records_say_what_training_the_probes_are_for():
    """As the range test was told; keywords win, and a rate says nothing."""
    records = range_test(**bowl_options(), num_steps=30, train_steps=16, train_schedule="cosine")
    options = {**bowl_options(), "max_steps": 64}

    def told(**more: Any) -> tuple[int | None, str]:
        horizon = probe(**options, **more).horizon
        return horizon.steps, horizon.schedule

    assert told(around=records) == (16, "cosine")
    assert told(around=records, train_steps=8, train_schedule="linear") == (8, "linear")
    assert told(around=1.0) == (None, "constant")
