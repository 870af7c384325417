"""The selected rate: the chosen rule's, or the user's pick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lr_widget import Evidence, LRRecords, NotebookError, ProbeRun, Suggestion
from lr_widget.horizon import Horizon
from lr_widget.schedule import rate_text
from lr_widget.widget.choice import Selection

from ..helpers import Make, click


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
    assert (widget.selected_lr, widget.answer["is_picked"]) == (2e-3, True)
    click(widget, "set", name="rule", value="steepest")
    assert widget.suggestion.rule == "steepest"
    assert widget.selected_lr == 2e-3
    click(widget, "set", name="rule", value="auto")
    click(widget, "set", name="selected_lr", value=None)
    assert (widget.selected_lr, widget.answer["is_picked"]) == (suggested, False)
    widget.selected_lr = 5e-3
    assert widget.answer["selected"] == "5e-3"


def test_probes_after_a_failed_test_are_of_now_and_the_other_rules_are_not() -> None:
    """Their suggestions stay those of the earlier test."""
    selection = Selection()
    selection.begin()
    assert selection.reason == ""
    selection.take_records(records(1e-2))
    selection.begin()
    assert selection.reason.startswith("This is the suggestion of an earlier run. ")
    assert selection.take_evidence(evidence(1.0, 2.0))
    assert (selection.rule, selection.reason) == ("probe", selection.suggestion.reason)
    selection.rule = "auto"
    assert selection.reason.startswith("This is the suggestion of an earlier run. ")
    selection.take_records(records(1e-2))
    assert selection.reason == selection.suggestion.reason


def test_probes_after_probes_and_a_failed_test_are_of_now() -> None:
    """The earlier probes were of another run, these are not."""
    selection = Selection()
    selection.take_records(records(1e-2))
    assert selection.take_evidence(evidence(1.0, 2.0))
    selection.begin()
    assert selection.reason.startswith("This is the suggestion of an earlier run. ")
    assert selection.take_evidence(evidence(2.0, 1.0))
    assert selection.reason == selection.suggestion.reason


def test_another_training_reads_the_records_again() -> None:
    """All rules as the records give them for it; a longer constant training lowers the rate, a pick stays."""
    found, selection = records(1e-2), Selection(horizon=Horizon(5000))
    selection.take_records(found)
    assert selection.suggestions == found.suggestions(train_steps=5000)
    selection.pick = 5e-3
    short = selection.suggestions["auto"].lr
    selection.aim(Horizon(20_000, "constant"), found, None)
    assert selection.suggestions == found.suggestions(train_steps=20_000)
    assert selection.suggestions["auto"].lr < short
    assert selection.pick == 5e-3
    selection.aim(Horizon(), found, None)
    assert selection.suggestions == found.suggestions()


def test_the_training_on_record_does_not_count_where_another_one_is_set() -> None:
    """The records may be of a run before the length was taken back."""
    found, selection = replace(records(1e-2), train_steps=5000, train_schedule="cosine"), Selection()
    selection.take_records(found)
    assert selection.suggestions == records(1e-2).suggestions()


def test_another_training_reads_the_evidence_of_probes_again() -> None:
    """As the evidence gives it for that training, behind the other rules; also where there was no range test."""
    found, probed = records(1e-2), evidence(1.0, 2.0)
    for latest in (found, None):
        selection = Selection()
        if latest is not None:
            selection.take_records(latest)
        assert selection.take_evidence(probed)
        assert selection.suggestion == probed.suggestion
        selection.aim(Horizon(500), latest, probed)
        assert selection.suggestion == probed.suggest(train_steps=500)
        assert list(selection.suggestions)[-1] == "probe"
        assert selection.lr < probed.suggestion.lr


def test_evidence_is_read_for_the_training_that_is_set_when_it_comes() -> None:
    """The length may have been set, or taken back, since the probes began."""
    selection = Selection(horizon=Horizon(500))
    assert selection.take_evidence(evidence(1.0, 2.0))
    assert selection.suggestion == evidence(1.0, 2.0).suggest(train_steps=500)
    selection = Selection()
    assert selection.take_evidence(replace(evidence(1.0, 2.0), horizon=Horizon(500)))
    assert selection.suggestion == evidence(1.0, 2.0).suggestion


@pytest.mark.parametrize("steps", [5000, 10**9])
def test_probes_start_from_the_rate_for_a_short_training(steps: int) -> None:
    """They are short, too: not from one that is lowered for a long training, or not there for too long a one."""
    found, probed, selection = records(1e-2), evidence(1.0, 2.0), Selection(horizon=Horizon(steps))
    with pytest.raises(NotebookError, match="no rate to probe around yet"):
        selection.need_to_probe()
    selection.take_records(replace(found, train_steps=steps))
    assert selection.lr is None or selection.lr < found.suggest().lr
    assert selection.need_to_probe() == found.suggest().lr
    selection.rule = "steepest"
    assert selection.need_to_probe() == selection.lr
    assert selection.take_evidence(replace(probed, horizon=Horizon(steps)))
    assert selection.need_to_probe() == probed.suggestion.lr
    selection.pick = 5e-3
    assert selection.need_to_probe() == 5e-3


def test_the_start_of_probes_is_explained_where_another_rate_is_shown() -> None:
    """A large 3.2e-3 beside "around 5e-3" would read as a mistake."""
    selection = Selection(horizon=Horizon(5000))
    assert selection.around == "a picked or suggested rate"
    selection.take_records(replace(records(1e-2), train_steps=5000))
    assert selection.around == f"{rate_text(records(1e-2).suggest().lr)} (for short trainings)"
    selection.pick = 5.25e-3
    assert selection.around == "5.3e-3"
    alike = Selection()
    alike.take_records(records(1e-2))
    assert alike.around == alike.text


def test_probes_that_found_nothing_can_be_repeated_around_the_rate_of_the_curve() -> None:
    """Their own rule has none."""
    selection = Selection()
    selection.take_records(records(1e-2))
    assert selection.take_evidence(evidence(np.nan))
    assert (selection.rule, selection.lr) == ("probe", None)
    assert selection.need_to_probe() == records(1e-2).suggest().lr


def test_a_curve_without_any_rate_gives_no_start_for_probes() -> None:
    """Nor does that of the curve before it count."""
    selection = Selection(horizon=Horizon(10**9))
    selection.take_records(records(1e-2))
    assert selection.to_probe is not None
    selection.take_records(LRRecords([1e-3, 1e-2], [2.0, 3.0]))
    assert [found.lr for found in selection.suggestions.values() if found.lr is not None] == []
    assert selection.to_probe is None


def both_losses(bottom: float, val_bottom: float) -> LRRecords:
    """Training and validation losses, the latter in every fifth step, whose lowest points lie at different rates."""
    found = records(bottom)
    return replace(found, val_loss=np.where(np.arange(100) % 5 == 4, records(val_bottom).loss, np.nan))


def test_the_rules_read_the_loss_that_is_chosen() -> None:
    """As the records read it for that training; the reason says so, and probes start from that rate."""
    found, selection = both_losses(1e-2, 1e-4), Selection(horizon=Horizon(5000), suggest_from="val_loss")
    selection.take_records(found)
    assert selection.suggestions == found.suggestions("val_loss", train_steps=5000)
    assert selection.lr is not None
    assert selection.lr < found.suggest(train_steps=5000).lr / 10
    assert selection.reason == f"By the validation loss: b{selection.suggestion.reason[1:]}"
    assert selection.to_probe == found.suggest(of="val_loss").lr
    selection.suggest_from = "loss"
    selection.aim(Horizon(5000), found, None)
    assert selection.suggestions == found.suggestions(train_steps=5000)
    assert selection.reason == selection.suggestion.reason
    assert selection.to_probe == found.suggest().lr
    assert Selection(suggest_from="val_loss").reason == ""


def test_the_start_of_probes_is_forgotten_with_the_loss_that_gave_it() -> None:
    """A training loss that is flat gives none."""
    found, selection = both_losses(1e-2, 1e-4), Selection(suggest_from="val_loss")
    found = replace(found, loss=np.ones(100))
    selection.take_records(found)
    assert selection.to_probe is not None
    selection.suggest_from = "loss"
    selection.aim(Horizon(), found, None)
    assert selection.to_probe is None


def test_without_validation_losses_no_rule_has_a_rate_and_the_reason_says_why() -> None:
    """The training loss would be another answer than the one asked for; probes may start from it."""
    selection = Selection(suggest_from="val_loss")
    selection.take_records(records(1e-2))
    assert {found.lr for found in selection.suggestions.values()} == {None}
    assert list(selection.suggestions) == list(records(1e-2).suggestions())
    assert selection.reason == "This run has no validation losses; choose the training loss, or give val_data."
    assert selection.to_probe == records(1e-2).suggest().lr


def test_too_few_validation_losses_give_no_rate_but_a_start_for_probes() -> None:
    """A test that ended after a few evaluations."""
    found = both_losses(1e-2, 1e-4)
    found = replace(found, val_loss=np.where(np.arange(100) % 50 == 0, found.loss, np.nan))
    selection = Selection(suggest_from="val_loss")
    selection.take_records(found)
    assert (selection.lr, selection.to_probe) == (None, found.suggest().lr)
    assert selection.reason.startswith("By the validation loss: only 2 rates have a finite loss")


def test_the_suggestion_of_probes_is_not_of_the_validation_loss_of_the_test() -> None:
    """They have one of their own, or none; their reason says so itself."""
    selection = Selection(suggest_from="val_loss")
    selection.take_records(both_losses(1e-2, 1e-4))
    assert selection.take_evidence(evidence(1.0, 2.0))
    assert selection.reason == selection.suggestion.reason


def test_advice_is_for_the_chosen_rule_or_for_auto_where_that_one_is_lost() -> None:
    """None before a suggestion, and none for one of an earlier run."""
    few, selection = LRRecords([1e-3, 1e-2], [2.0, 3.0]), Selection()
    assert selection.to_improve is None
    selection.take_records(records(1e-2))
    selection.rule = "valley"
    assert selection.to_improve == selection.suggestions["valley"]
    selection.take_records(few)
    assert selection.to_improve == selection.suggestions["auto"]
    assert selection.take_evidence(evidence(np.nan))
    assert selection.to_improve == selection.suggestions["probe"]
    selection.begin()
    assert selection.to_improve is None
