"""The package's own exceptions; wrong arguments raise plain `ValueError` and `TypeError`.

LRWidgetError
├── NoSuggestionError   a rate was asked of a suggestion that has none (also a ValueError)
├── RestoreError        something could not be put back after a test; the rest was (also a RuntimeError)
└── NotebookError       a value could not be put into the notebook (name taken, no notebook; also a ValueError)
    └── OverwriteError  the name holds a number of the user's own; only asked for by name is it overwritten
"""

from __future__ import annotations

from contextlib import suppress


class LRWidgetError(Exception):
    """Base of every exception that this package defines.

    >>> from lr_widget import suggest_lr
    >>> try:
    ...     float(suggest_lr([0.001, 0.01], [2.0, 1.0]))
    ... except LRWidgetError as error:
    ...     print(type(error).__name__)
    NoSuggestionError
    """


class NoSuggestionError(LRWidgetError, ValueError):
    """The curve gave no rate; the message is the suggestion's reason.

    >>> from lr_widget import suggest_lr
    >>> flat = suggest_lr([0.001, 0.003, 0.01, 0.03, 0.1], [2.0] * 5)
    >>> float(flat)
    Traceback (most recent call last):
    lr_widget.errors.NoSuggestionError: The loss is the same at every rate; check that the optimizer trains this model.
    """


class RestoreError(LRWidgetError, RuntimeError):
    """After a range test, something could not be put back; the message names it. Everything else was restored.

    A note below the message names the section of the README that says what a test cannot put back.

    >>> import torch
    >>> from lr_widget import iter_range_test
    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> test = iter_range_test(model, optimizer, torch.nn.functional.mse_loss, [(torch.ones(4, 1), torch.ones(4, 1))])
    >>> _ = next(test)
    >>> _ = torch.nn.init.zeros_(model.bias)  # written to in the middle of the test, so it stays
    >>> try:
    ...     test.close()
    ... except RestoreError as error:
    ...     print(str(error).partition(";")[0])
    somebody else wrote to 1 of the model's parameters between two steps of the range test
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        add_note(self, "see “What cannot be put back” in the README")


class NotebookError(LRWidgetError, ValueError):
    """A value could not be put into the notebook's namespace; the message has the reason and the remedy.

    >>> from lr_widget import LRFinderWidget, LRRecords
    >>> widget = LRFinderWidget.from_records(LRRecords([0.001, 0.01], [2.0, 1.0]))
    >>> widget.selected_lr = 0.005
    >>> widget.copy_to_notebook()
    Traceback (most recent call last):
    lr_widget.errors.NotebookError: there is no notebook to put 'lr' into; outside of one, read widget.selected_lr
    >>> widget.close()
    """


class OverwriteError(NotebookError):
    """A variable of the notebook holds a number that is not from here, and nobody has said that it may be overwritten.

    Args:
        name: of the variable.
        held: its value, in words.
    """

    def __init__(self, name: str, held: str) -> None:
        super().__init__(
            f"{name} is {held} and was not written by this widget, so it was kept; type another name for the variable, "
            "or pass overwrite=True"
        )
        self.name, self.held = name, held

    def __reduce__(self) -> tuple[type[OverwriteError], tuple[str, str]]:
        """Pickle the arguments; an exception would give its message to `__init__`."""
        return type(self), (self.name, self.held)


def add_note(error: BaseException, note: str) -> None:
    """Add a note to the exception, unless its notes are no list; tracebacks show it below the message."""
    with suppress(TypeError, AttributeError):  # no more, as a signal handler may raise anything at any line
        if hasattr(error, "add_note"):
            error.add_note(note)
        else:  # Python 3.10: the attribute that 3.11's add_note writes
            error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
