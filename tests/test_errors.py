"""Notes are added to exceptions, also where Python has no method for it."""

from __future__ import annotations

import traceback

import pytest

from lr_widget.errors import add_note


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
