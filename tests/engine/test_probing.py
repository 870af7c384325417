"""Short trainings around a suggestion: the right rate wins, the cost is kept, and nothing is left behind."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lr_widget import NoSuggestionError, Suggestion, probe, range_test
from lr_widget.engine.probing import Probing, make_probe_plan, rate_of
from lr_widget.schedule import one_cycle

from ..no_trace.endings import interrupting, lines_run
from ..no_trace.models import Training
from ..no_trace.state import Look


class Bowl(nn.Module):
    """A weight that should be 0; gradient descent multiplies it by (1 - lr) at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return 0.5 * self.weight**2


def bowl_options() -> dict[str, Any]:
    """The arguments of a probe in a bowl."""
    model = Bowl()
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.5),
        "loss_fn": None,
        "train_data": [torch.zeros(1)],
        "train_step": lambda model, batch: model(batch),
        "progress": False,
    }


@pytest.mark.parametrize("start", [0.01, 0.1, 1.0, 10.0])
def test_the_rate_that_trains_best_is_found_wherever_the_suggestion_is(start: float):
    """In a bowl of curvature 1 that is the rate 1, at the bottom after one step; 3.2 explodes.

    The range has it, and the suggestion is close to the bottom after 8 steps, too: at most a tenth of the way is left.
    """
    evidence = probe(**bowl_options(), around=start, probe_steps=8)
    assert evidence.suggested == start
    assert evidence.best is not None
    assert evidence.best.lr == pytest.approx(1.0)
    suggestion = evidence.suggestion
    assert suggestion.low <= 1.0 <= suggestion.high < 10**0.5
    assert np.mean([(1 - suggestion.lr) ** (2 * step) for step in range(4, 8)]) < 0.1


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


def test_the_steps_run_at_the_rate_or_on_its_cycle():
    """A spy in the step sees the constant rate, or the 1cycle schedule of torch."""
    for profile, expected in (("constant", lambda k: 0.1), ("one_cycle", one_cycle(0.1, 20))):
        seen: list[float] = []
        options = bowl_options()
        optimizer = options["optimizer"]
        optimizer.register_step_post_hook(lambda opt, *_: seen.append(opt.param_groups[0]["lr"]))  # noqa: B023
        evidence = probe(**options, around=0.1, probe_steps=20, max_steps=20, profile=profile)
        assert evidence.profile == profile
        assert seen == [expected(k) for k in range(1, 21)]


def test_under_one_cycle_nobody_is_stopped_for_being_behind():
    """The loss of a high rate falls at the end of the cycle."""
    evidence = probe(**bowl_options(), around=0.1, profile="one_cycle", max_steps=600)
    assert {run.stop_reason for run in evidence.runs} <= {"completed", "diverged", "non_finite"}
    assert len([run for run in evidence.runs if run.stop_reason == "completed"]) >= 3


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
    """A suggestion without a rate is refused with its reason; records fall back on the other rules."""
    assert rate_of(Suggestion(0.02, "steepest", "")) == 0.02
    with pytest.raises(NoSuggestionError, match=r"^flat$"):
        rate_of(Suggestion(None, "auto", "flat"))
    options = bowl_options()
    records = range_test(**options, start_lr=1e-4, end_lr=0.05)
    assert records.suggest().lr is None
    assert 1e-4 < rate_of(records) < 0.05
    flat = range_test(**options, start_lr=1e-30, end_lr=1e-29)
    with pytest.raises(NoSuggestionError, match="no rate to probe around: The loss is the same"):
        rate_of(flat)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"around": 0.0}, ValueError, r"around must be a positive, finite learning rate, got 0.0"),
        ({"around": "1e-3"}, TypeError, r"around must be a number, got '1e-3'"),
        ({"probe_steps": 7}, ValueError, r"probe_steps must be at least 8, got 7"),
        ({"max_steps": 50}, ValueError, r"max_steps must be at least 75, got 50"),
        ({"profile": "cosine"}, ValueError, r'profile must be "constant" or "one_cycle", got \'cosine\''),
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
    """They may end by themselves, be closed in the middle, raise, or be interrupted at any 97th line."""
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
        plan = make_probe_plan(training.kind.model, optimizers, None, data, train_step=step)
        return Probing(plan, 1e-3, **{"probe_steps": 8, "max_steps": 40, **more})

    def run(steps: Any) -> None:
        for _ in steps:
            pass

    run(probing().steps())
    before.assert_unchanged("after the end")
    steps = probing().steps()
    for _ in range(11):
        next(steps)
    steps.close()
    before.assert_unchanged("after closing")
    calls, fail_at = itertools.count(1), 12
    with pytest.raises(ZeroDivisionError, match="in the step"):
        run(probing().steps())
    before.assert_unchanged("after an exception")
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
        *("around", "probe_steps", "max_steps", "profile"),
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

    def step(model: nn.Module, batch: Any) -> torch.Tensor:
        counter.__dict__["count"] += 1
        return model(batch)

    probe(**{**options, "train_step": step}, also_restore=iter([counter]), end_lr=0.5, num_steps=20)
    assert counter.count == 0
