"""The selected rate: the chosen rule's, or the user's pick."""

from __future__ import annotations

import numpy as np

from lr_widget import Evidence, LRRecords, ProbeRun, Suggestion
from lr_widget.widget.selection import Selection

from .helpers import Make, click


def records(bottom: float) -> LRRecords:
    """A clear curve with its lowest loss at a rate."""
    lr = np.logspace(-6, 1, 100)
    loss = 2 - 1 / (1 + (bottom / lr) ** 2) + (lr / (30 * bottom)) ** 4
    return LRRecords(lr, loss)


def evidence(*ends: float, reason: str = "completed") -> Evidence:
    """Trainings at 0.01, 0.03 … with these ends."""
    runs = tuple(ProbeRun(0.01 * 3**index, np.array([5.0, *[end] * 9]), reason) for index, end in enumerate(ends))
    return Evidence(0.01, runs, 10)


def test_nothing_is_selected_at_first() -> None:
    """No suggestion, no rate."""
    selection = Selection()
    assert (selection.rule, selection.suggestion, selection.lr) == ("auto", None, None)


def test_a_pick_wins_over_the_suggestion_until_it_is_taken_back() -> None:
    """Another rule does not change it either."""
    selection = Selection()
    selection.take_records(records(1e-2))
    suggested = selection.suggestions["auto"].lr
    assert selection.lr == suggested
    selection.pick = 5e-3
    selection.rule = "steepest"
    assert selection.lr == 5e-3
    selection.pick = None
    assert selection.lr == selection.suggestions["steepest"].lr


def test_new_records_take_the_probes_away() -> None:
    """They belong to another curve; the default rule is chosen again, any other rule stays chosen."""
    selection = Selection()
    selection.take_records(records(1e-2))
    assert selection.take_evidence(evidence(1.0, 2.0))
    assert (selection.rule, selection.suggestion.rule) == ("probe", "probe")
    selection.take_records(records(1e-3))
    assert (selection.rule, "probe" in selection.suggestions) == ("auto", False)
    selection.rule = "steepest"
    selection.take_records(records(1e-2))
    assert selection.rule == "steepest"


def test_evidence_with_a_rate_replaces_a_pick_and_without_one_leaves_it() -> None:
    """A user who probes around a pick wants the outcome; no outcome is no reason to lose the pick."""
    selection = Selection(pick=2e-3)
    assert selection.take_evidence(evidence(np.nan))
    assert (selection.rule, selection.pick, selection.lr) == ("probe", 2e-3, 2e-3)
    assert selection.take_evidence(evidence(1.0))
    assert (selection.pick, selection.lr) == (None, 0.01)


def test_probes_that_were_stopped_before_any_end_change_nothing() -> None:
    """Somebody pressed Stop: that is no answer."""
    selection = Selection()
    selection.take_records(records(1e-2))
    before = dict(selection.suggestions)
    assert not selection.take_evidence(evidence(1.0, reason="interrupted"))
    assert not selection.take_evidence(evidence())
    assert (selection.suggestions, selection.rule) == (before, "auto")


def test_a_rule_may_have_no_suggestion_yet() -> None:
    """Probes around a pick need no range test; another rule then has nothing to say."""
    selection = Selection({"probe": Suggestion(0.1, "probe", "Ended lowest.")}, rule="auto")
    assert (selection.suggestion, selection.lr) == (None, None)


def test_picking_and_choosing_a_rule(make_widget: Make) -> None:
    """A pick wins over the suggestion until it is taken back; a rule changes the suggestion."""
    widget = make_widget(num_steps=30)
    widget.run()
    suggested = widget.suggestion.lr
    click(widget, "set", name="selected_lr", value="2e-3")
    assert (widget.selected_lr, widget.view_state["is_picked"]) == (2e-3, True)
    click(widget, "set", name="rule", value="steepest")
    assert widget.suggestion.rule == "steepest"
    assert widget.selected_lr == 2e-3
    click(widget, "set", name="rule", value="auto")
    click(widget, "set", name="selected_lr", value=None)
    assert (widget.selected_lr, widget.view_state["is_picked"]) == (suggested, False)
    widget.selected_lr = 5e-3
    assert widget.view_state["selected"] == "5.0e-03"


def test_probes_after_a_failed_test_are_of_now_and_the_other_rules_are_not() -> None:
    """Their suggestions stay those of the earlier test."""
    selection = Selection()
    selection.begin()
    assert not selection.is_earlier
    selection.take_records(records(1e-2))
    selection.begin()
    assert selection.is_earlier
    assert selection.take_evidence(evidence(1.0, 2.0))
    assert (selection.rule, selection.is_earlier) == ("probe", False)
    selection.rule = "auto"
    assert selection.is_earlier
    selection.take_records(records(1e-2))
    assert not selection.is_earlier
