"""The package's exceptions, and notes on those of others, also where Python has no method for it."""

from __future__ import annotations

import pickle
import traceback

import pytest

from lr_widget.errors import OverwriteError, add_note


class Old(Exception):
    """An exception as Python 3.10 has them, without `add_note`."""

    def __getattribute__(self, name: str) -> object:
        if name == "add_note":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("kind", [Exception, Old])
def test_notes_are_added_in_their_order(kind: type[Exception]):
    """The notes stand in `__notes__`, the first one first, and the message is as before."""
    error = kind("message")
    add_note(error, "one")
    add_note(error, "two")
    assert error.__notes__ == ["one", "two"]  # type: ignore[attr-defined]
    assert str(error) == "message"


def test_a_note_is_shown_below_the_message():
    """A traceback ends in the message and the note, from Python 3.11 on."""
    error = ValueError("message")
    add_note(error, "note")
    shown = "".join(traceback.format_exception(error))
    assert shown.endswith("ValueError: message\nnote\n") or not hasattr(error, "add_note")


def test_an_exception_whose_notes_are_no_list_stays_the_exception_that_it_is():
    """Anybody can assign to `__notes__`; the user's error must not be lost over a note of ours."""
    for kind in (Exception, Old):
        error = kind("message")
        error.__notes__ = 5
        add_note(error, "note")
        assert error.__notes__ == 5


def test_a_refused_overwriting_can_be_pickled():
    """As every exception that comes back from another process."""
    error = pickle.loads(pickle.dumps(OverwriteError("epochs", "10")))
    assert (error.name, error.held) == ("epochs", "10")
    assert str(error).startswith("epochs is 10 and was not written by this widget")
