"""What is said to the person stays as long as it is true: the status line, a refusal, a question."""

from __future__ import annotations

from typing import Any

import pytest

from lr_widget import LRFinderWidget
from lr_widget.widget.browser import Talk

from ..helpers import Make, click, note


@pytest.fixture
def shown() -> list[str]:
    """The texts of the status line, one after each change that was shown."""
    return []


@pytest.fixture
def talk(shown: list[str]) -> Talk:
    """A talk that is shown."""
    talk = Talk(lambda: shown.append(talk.note["text"]))
    return talk


def test_a_sentence_stays_until_the_next_one(talk: Talk, shown: list[str]) -> None:
    """Each is shown at once."""
    assert (talk.note, talk.refused, talk.question) == ({"kind": "info", "text": "Ready."}, "", None)
    talk.say("good", "Copied.")
    talk.say("info", "Paused.")
    assert (talk.note, shown) == ({"kind": "info", "text": "Paused."}, ["Copied.", "Paused."])


def test_a_right_value_takes_a_refusal_away(talk: Talk, shown: list[str]) -> None:
    """What was said before it stands again."""
    talk.say("good", "Copied.")
    talk.refuse("num_steps", "Too few.")
    assert (talk.note, talk.refused) == ({"kind": "warning", "text": "Too few."}, "num_steps")
    talk.accept()
    assert (talk.note["text"], talk.refused) == ("Copied.", "")
    assert shown == ["Copied.", "Too few.", "Copied."]


def test_a_sentence_on_a_rate_changes_once_another_one_is_selected(talk: Talk) -> None:
    """It stays for the same rate in any digits, and a refusal still stands before what takes its place."""
    talk.tell(0.005, "lr is now 5e-3.", "lr is still 5e-3.")
    talk.follow("5e-3")
    assert talk.note == {"kind": "good", "text": "lr is now 5e-3."}
    talk.refuse("num_steps", "Too few.")
    talk.follow("3.2e-3")
    assert talk.note["text"] == "Too few."
    talk.accept()
    assert talk.note == {"kind": "info", "text": "lr is still 5e-3."}
    talk.follow("5e-3")
    assert talk.note["text"] == "lr is still 5e-3."


@pytest.mark.parametrize("selected", ["3.2e-3", ""])
def test_other_sentences_do_not_follow_the_rate(talk: Talk, selected: str) -> None:
    """Also not one that has followed one on a rate; without a later sentence, the line is as at the beginning."""
    talk.tell(0.005, "Applied.")
    talk.say("good", "Done.")
    talk.follow(selected)
    assert talk.note == {"kind": "good", "text": "Done."}
    talk.tell(0.005, "Applied.")
    talk.follow(selected)
    assert talk.note == {"kind": "info", "text": "Ready."}


@pytest.mark.parametrize("method", ["say", "note_end", "begin"])
def test_another_sentence_takes_a_refusal_away(talk: Talk, method: str) -> None:
    """The field is not marked as wrong for ever."""
    talk.refuse("num_steps", "Too few.")
    if method == "begin":
        talk.begin("Running.")
    else:
        getattr(talk, method)("info", "Running.")
    assert (talk.note, talk.refused) == ({"kind": "info", "text": "Running."}, "")


@pytest.mark.parametrize("method", ["begin", "note_end", "drop_question"])
def test_what_the_caller_shows_is_not_shown_twice(talk: Talk, shown: list[str], method: str) -> None:
    """A run shows itself."""
    {"begin": lambda: talk.begin("a"), "note_end": lambda: talk.note_end("good", "a")}.get(method, talk.drop_question)()
    assert shown == []


def test_a_question_waits_for_an_answer(talk: Talk) -> None:
    """It can be answered once, and a new run takes it back."""
    talk.ask("Overwrite it?", "Yes")
    assert talk.question == {"text": "Overwrite it?", "yes": "Yes"}
    assert (talk.take_question(), talk.take_question(), talk.question) == (True, False, None)
    talk.ask("Overwrite it?", "Yes")
    talk.begin("Running.")
    assert (talk.question, talk.take_question()) == (None, False)


# --- in a widget -----------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(make_widget: Make, notebook: dict[str, Any]) -> LRFinderWidget:
    """A widget with a pick that has asked if it may overwrite a number of the notebook's."""
    notebook["epochs"] = 10
    widget = make_widget("epochs", num_steps=10)
    widget.selected_lr = 0.01
    click(widget, "copy")
    return widget


def test_a_number_of_the_users_is_overwritten_after_a_yes_only(asked: LRFinderWidget, notebook: dict[str, Any]) -> None:
    """From then on it is the widget's, and nothing is asked any more."""
    question = {"text": "epochs is 10 and was not written by this widget. Overwrite it?", "yes": "Overwrite it"}
    assert (asked.view_state["question"], notebook) == (question, {"epochs": 10})
    click(asked, "confirm")
    assert (asked.view_state["question"], notebook) == (None, {"epochs": 0.01})
    assert note(asked) == "The notebook's variable epochs is now 0.01."
    asked.selected_lr = 0.02
    click(asked, "copy")
    assert (asked.view_state["question"], notebook) == (None, {"epochs": 0.02})


def test_no_leaves_the_number_as_it_is(asked: LRFinderWidget, notebook: dict[str, Any]) -> None:
    """And says so; a second click on Copy asks again."""
    click(asked, "dismiss")
    assert (asked.view_state["question"], notebook) == (None, {"epochs": 10})
    assert note(asked).startswith("epochs is as it was; ")
    click(asked, "copy")
    assert asked.view_state["question"] is not None


@pytest.mark.parametrize("change", ["variable", "selected_lr", "rule", "run"])
def test_a_question_goes_with_what_it_was_about(asked: LRFinderWidget, notebook: dict[str, Any], change: str) -> None:
    """Another variable, another rate, a new run; a yes that was on its way then does nothing."""
    if change == "run":
        asked.run()
    else:
        value = {"variable": "rate", "selected_lr": "0.5", "rule": "steepest"}[change]
        click(asked, "set", name=change, value=value)
    assert asked.view_state["question"] is None
    click(asked, "confirm")
    assert notebook == {"epochs": 10}


def test_another_suggestion_takes_the_question_away(make_widget: Make, notebook: dict[str, Any]) -> None:
    """A yes would else copy a rate that nobody has seen in the question's place."""
    notebook["epochs"] = 10
    widget = make_widget("epochs", num_steps=40)
    widget.run()
    click(widget, "copy")
    assert widget.view_state["question"] is not None
    click(widget, "set", name="train_steps", value="5000")
    assert widget.view_state["question"] is None


@pytest.mark.parametrize("where", ["cell", "button"])
def test_a_rate_that_was_copied_takes_the_question_away(
    asked: LRFinderWidget, notebook: dict[str, Any], where: str
) -> None:
    """By a cell that overwrites, or by Copy once the variable is gone; a yes that comes late does nothing."""
    if where == "cell":
        asked.copy_to_notebook(overwrite=True)
    else:
        del notebook["epochs"]
        click(asked, "copy")
    assert (asked.view_state["question"], notebook) == (None, {"epochs": 0.01})
    assert note(asked) == "The notebook's variable epochs is now 0.01."
    notebook["epochs"] = 30
    click(asked, "confirm")
    assert notebook == {"epochs": 30}


@pytest.mark.parametrize("command", ["confirm", "dismiss"])
def test_an_answer_without_a_question_does_nothing(make_widget: Make, command: str) -> None:
    """Not even say something."""
    widget = make_widget()
    widget.selected_lr = 0.01
    click(widget, command)
    assert note(widget) == "Ready."


def test_a_refused_entry_is_marked_until_it_is_right(make_widget: Make) -> None:
    """Or until there is something else to say."""
    widget = make_widget(num_steps=10)
    click(widget, "set", name="start_lr", value="fast")
    assert (widget.view_state["refused"], widget.view_state["note"]["kind"]) == ("start_lr", "warning")
    click(widget, "set", name="start_lr", value="1e-6")
    assert (widget.view_state["refused"], note(widget)) == ("", "Ready.")
    click(widget, "set", name="start_lr", value="fast")
    widget.run()
    assert (widget.view_state["refused"], widget.view_state["note"]["kind"] in ("good", "warning")) == ("", True)
    assert "fast" not in note(widget)
