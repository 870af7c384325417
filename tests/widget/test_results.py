"""Records and evidence become what is selected, suggested and listed; one run at a time is the current one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lr_widget import Evidence, LRRecords, ProbeRun
from lr_widget.horizon import Horizon
from lr_widget.schedule import rate_text
from lr_widget.widget.jobs import Place
from lr_widget.widget.results import Results


def records(lowest: float = 1e-2) -> LRRecords:
    """A loss that falls until about `lowest` and then rises."""
    lrs = 10.0 ** np.linspace(-7, 1, 100)
    losses = 2 - 1 / (1 + (lowest / lrs) ** 2) + (lrs / (30 * lowest)) ** 4
    return LRRecords(lrs, losses, start_lr=1e-7, end_lr=10.0, num_steps=100)


def validated() -> LRRecords:
    """Records whose validation loss is lowest at another rate."""
    return replace(records(1e-2), val_loss=records(1e-4).loss)


def evidence(*ends: float) -> Evidence:
    """Short trainings around 1e-2 that ended at these losses."""
    runs = [ProbeRun(lr, np.repeat([4.0, end], 4), "completed") for lr, end in zip((1e-2, 3e-3, 3e-2), ends)]
    return Evidence(1e-2, tuple(runs), 8)


@pytest.fixture
def owner() -> SimpleNamespace:
    """The part of a widget that shows the results."""
    return SimpleNamespace(
        rule="auto",
        horizon=Horizon(),
        suggest_from="loss",
        selected_lr=None,
        suggestion=None,
        records=None,
        evidence=None,
        history=(),
        hold_trait_notifications=nullcontext,
    )


@pytest.fixture
def results(owner: SimpleNamespace) -> Results:
    """The results of that widget before its first run."""
    return Results(owner, owner.horizon)


def test_a_run_is_kept_at_its_end(results: Results, owner: SimpleNamespace) -> None:
    """With the id and the colour in which it grew, and its facts; it is then the current one."""
    results.begin(Place(7, 3), {"batch": "16"})
    assert (results.growing, results.current, owner.history) == (Place(7, 3), None, ())
    found = records()
    assert results.keep_records(found) is True
    [kept] = results.runs.entries
    assert (kept.run_id, kept.color, kept.facts["batch"], kept.records) == (7, 3, "16", found)
    assert (results.growing, results.current, owner.history, owner.records) == (None, 7, (found,), found)
    assert (owner.suggestion, owner.selected_lr) == (found.suggest(), found.suggest().lr)
    assert results.rates == {7: rate_text(found.suggest().lr)}


def test_a_run_without_a_rate_is_kept_and_says_so(results: Results, owner: SimpleNamespace) -> None:
    """The reason is shown in the rate's place."""
    results.begin(Place(1, 0), {})
    assert results.keep_records(LRRecords([1e-3, 1e-2], [2.0, 3.0])) is False
    assert (owner.suggestion.lr, owner.selected_lr, results.rates) == (None, None, {1: "none"})


def test_the_history_keeps_the_latest_twenty_records(results: Results, owner: SimpleNamespace) -> None:
    """The widget of a long session does not grow without an end."""
    given = [LRRecords([1e-3, 1e-2], [2.0, 1.0]) for _ in range(22)]
    for run_id, each in enumerate(given, start=1):
        results.begin(Place(run_id, results.runs.next_color), {})
        results.keep_records(each)
    assert owner.history == tuple(given[2:])
    assert owner.records is given[-1]
    assert list(results.rates) == list(range(3, 23))


def test_records_of_elsewhere_do_not_change_the_suggestion(results: Results, owner: SimpleNamespace) -> None:
    """Unless there is none yet."""
    results.add(records(1e-3), "first")
    assert (owner.records.loss.tolist(), results.current) == (records(1e-3).loss.tolist(), -1)
    first = owner.suggestion
    assert first == records(1e-3).suggest()
    results.add(records(1e-2), "second")
    assert (owner.suggestion, results.current, len(owner.history)) == (first, -1, 2)
    assert results.rates[-2] == rate_text(records(1e-2).suggest().lr)


def test_records_that_come_while_a_curve_grows_are_not_the_current_ones(
    results: Results, owner: SimpleNamespace
) -> None:
    """The curve will be, at its end."""
    results.begin(Place(1, 0), {})
    results.add(records(1e-3), None)
    assert (results.current, owner.records, owner.suggestion) == (None, None, None)
    results.keep_records(records())
    assert (results.current, owner.suggestion) == (1, records().suggest())


def test_the_last_of_several_is_the_current_one(results: Results, owner: SimpleNamespace) -> None:
    """All of them have their names."""
    results.open([("a", records(1e-3)), ("b", records(1e-2))])
    assert (results.runs.names, results.current, owner.suggestion) == (("a", "b"), -2, records(1e-2).suggest())


def test_without_the_current_run_the_latest_of_the_others_is_current(results: Results, owner: SimpleNamespace) -> None:
    """A pick and evidence were on the run that is gone; without any run there is nothing to show."""
    results.open([("a", records(1e-3)), ("b", records(1e-2))])
    results.keep_evidence(evidence(1.0, 2.0, 3.0), 24)
    results.change("selected_lr", 0.5)
    results.remove(-2)
    assert (owner.suggestion, owner.selected_lr) == (records(1e-3).suggest(), records(1e-3).suggest().lr)
    assert (owner.evidence, owner.rule, results.current, len(owner.history)) == (None, "auto", -1, 1)
    assert list(results.rates) == [-1]
    results.remove(-1)
    assert (owner.suggestion, owner.selected_lr, owner.records, owner.history) == (None, None, None, ())
    assert (results.current, results.rates, results.drawn()) == (None, {}, (None, []))


def test_a_run_of_this_widget_comes_before_those_of_elsewhere(results: Results, owner: SimpleNamespace) -> None:
    """Where the current one goes; records that were added later are for comparison."""
    for run_id, lowest in ((1, 1e-4), (2, 1e-3)):
        results.begin(Place(run_id, 0), {})
        results.keep_records(records(lowest))
    results.add(records(1e-2), "of elsewhere")
    results.remove(2)
    assert (results.current, results.is_foreign, owner.suggestion) == (1, False, records(1e-4).suggest())
    results.remove(1)
    assert (results.current, results.is_foreign, owner.suggestion) == (-3, True, records(1e-2).suggest())
    assert results.current_name == "of elsewhere"


def test_a_run_that_is_being_probed_stays(results: Results, owner: SimpleNamespace) -> None:
    """The dots that come belong to it; other runs may go."""
    results.open([("a", records(1e-3)), ("b", records(1e-2))])
    results.is_probing = True
    with pytest.raises(ValueError, match="this run is being probed, so it was kept; stop the probes first"):
        results.remove(-2)
    results.remove(-1)
    assert (results.current, len(owner.history)) == (-2, 1)
    results.is_probing = False
    results.remove(-2)
    assert owner.history == ()


def test_a_test_that_gives_nothing_changes_nothing(results: Results, owner: SimpleNamespace) -> None:
    """The run before stays the current one, so records that are added do not take its place."""
    results.begin(Place(1, 0), {})
    results.keep_records(records(1e-3))
    results.begin(Place(2, 1), {})
    results.growing = None
    results.add(records(1e-2), None)
    assert (results.current, owner.suggestion, len(owner.history)) == (1, records(1e-3).suggest(), 2)
    results.remove(-2)
    results.remove(1)
    assert (results.current, owner.records, owner.suggestion, owner.selected_lr) == (None, None, None, None)


def test_the_current_run_stays_among_the_twenty(results: Results, owner: SimpleNamespace) -> None:
    """It is what the rate is from, so it is there to be seen; the oldest of the others makes room."""
    results.begin(Place(1, 0), {})
    results.keep_records(records())
    for number in range(22):
        results.add(records(1e-3), f"run of {number}")
    assert (results.current, results.runs.names[0], results.runs.names[1]) == (1, "run 1", "run of 3")
    assert (len(owner.history), owner.history[0], len(results.rates)) == (20, owner.records, 20)


def test_the_budget_of_probes_is_kept_with_them(results: Results) -> None:
    """The setting may be another one since; probes without any end have none."""
    results.add(records(), None)
    results.keep_evidence(evidence(1.0, 2.0, 3.0), 24)
    results.keep_evidence(Evidence(1e-2, (), 8), 48)
    assert results.max_probe_steps == 24


@pytest.mark.parametrize(("suggest_from", "has"), [("loss", False), ("val_loss", True)])
def test_validation_losses_are_those_of_the_records(
    results: Results, owner: SimpleNamespace, suggest_from: str, has: bool
) -> None:
    """Drawn or not; the choice is also there where it was made without any."""
    owner.suggest_from = suggest_from
    assert results.has_validation is has
    results.open([("a", validated()), ("b", records())])
    assert results.has_validation is has
    results.remove(-2)
    results.runs.hide(-1)
    assert results.has_validation


def test_another_run_than_the_current_one_can_go(results: Results, owner: SimpleNamespace) -> None:
    """Rate, pick and evidence stay."""
    results.open([("a", records(1e-3)), ("b", records(1e-2))])
    results.keep_evidence(evidence(1.0, 2.0, 3.0), 24)
    results.change("selected_lr", 0.5)
    results.remove(-1)
    assert (owner.selected_lr, owner.rule, owner.records.loss.tolist()) == (0.5, "probe", records(1e-2).loss.tolist())
    assert owner.evidence is not None
    with pytest.raises(ValueError, match=r"run_id must be that of a kept run, got -1"):
        results.remove(-1)


def test_hidden_runs_are_not_drawn(results: Results) -> None:
    """The current one is drawn as such, the others thin, the oldest first."""
    results.open([("a", records(1e-4)), ("b", records(1e-3)), ("c", records(1e-2))])
    current, earlier = results.drawn()
    assert current is not None
    assert (current.run_id, [run.run_id for run in earlier]) == (-3, [-1, -2])
    results.runs.hide(-1)
    results.runs.hide(-3)
    current, earlier = results.drawn()
    assert (current, [run.run_id for run in earlier]) == (None, [-2])


def test_evidence_after_records_of_elsewhere_is_kept(results: Results, owner: SimpleNamespace) -> None:
    """A rate that was read elsewhere can be probed here."""
    results.add(records(), None)
    found = evidence(1.0, 2.0, 3.0)
    results.keep_evidence(found, 24)
    assert (owner.evidence, owner.rule, owner.suggestion) == (found, "probe", found.suggestion)


def test_evidence_without_any_end_is_not_kept(results: Results, owner: SimpleNamespace) -> None:
    """Probes that were stopped at once are no answer."""
    results.add(records(), None)
    results.keep_evidence(Evidence(1e-2, (), 8), 24)
    assert (owner.evidence, owner.rule, owner.suggestion) == (None, "auto", records().suggest())


def test_the_validation_loss_is_read_where_it_is_chosen(results: Results, owner: SimpleNamespace) -> None:
    """By the suggestion and by the rates of all runs; one without it has none."""
    results.open([("a", records()), ("b", validated())])
    owner.suggest_from = "val_loss"
    assert results.change("suggest_from", "val_loss") is True
    expected = validated().suggest(of="val_loss")
    assert owner.suggestion == expected
    assert results.rates == {-1: "none", -2: rate_text(expected.lr)}
    owner.suggest_from = "loss"
    results.change("suggest_from", "loss")
    assert owner.suggestion == validated().suggest()
    assert results.rates == {-1: rate_text(records().suggest().lr), -2: rate_text(validated().suggest().lr)}


def test_another_training_is_read_for_every_run(results: Results, owner: SimpleNamespace) -> None:
    """Its length moves all rates."""
    results.open([("a", records(1e-3)), ("b", records(1e-2))])
    owner.horizon = Horizon(5000)
    results.change("train_steps", 5000)
    for run_id, lowest in ((-1, 1e-3), (-2, 1e-2)):
        assert results.rates[run_id] == rate_text(records(lowest).suggest(train_steps=5000).lr)
    assert owner.suggestion == records(1e-2).suggest(train_steps=5000)


def test_a_setting_that_changes_no_result_is_left_to_others(results: Results) -> None:
    """The screen draws it, or only says it."""
    for name in ("smoothing", "num_steps", "variable", "loss_min"):
        assert results.change(name, 1) is False
