"""The frame around a test: nothing else on the same model, a snapshot before, everything back after."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import RestoreError
from ..interrupts import uninterrupted
from ..training.modes import torch_modes_undo
from .claim import Claim
from .snapshot import Snapshot


class Restoring:
    """Takes the snapshot of a test and puts it back.

    `put_back` and `end` belong into two nested ``finally``: an interrupt can cut the first one off.

    Args:
        take: makes the snapshot.
        close: shuts down what the test has started.
        trained: the parameters and optimizers that no other test may work on meanwhile.

    Attributes:
        failure: what has ended the test, if anything has; to be set before `put_back`.
    """

    def __init__(self, take: Callable[[], Snapshot], close: Callable[[], None], trained: Iterable[object]) -> None:
        self._take = take
        self._close = close
        self._claim = Claim(trained)
        self._snapshot: Snapshot | None = None
        self._error: RestoreError | None = None
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Claim the model and take the snapshot.

        Raises:
            RuntimeError: another test is running on the same model.
        """
        self._claim.make()
        self._snapshot = self._take()

    def put_back(self) -> None:
        """Put everything back; what fails is for `end` to report, and what is interrupted for `end` to try again."""
        self._attempt()
        if self._error is not None and not self._claim.is_over:
            raise self._error.__cause__ or self._error

    def end(self) -> None:
        """Put back what an interrupt has kept from it, and report what could not be put back.

        Raises:
            RestoreError: something could not be put back, and there is no exception of the user's that could say so.
        """
        failure, self.failure = self.failure, None  # held on to, it would keep its traceback and all in it alive
        try:
            self._attempt()
        finally:
            self._claim.is_over = True
            if self._snapshot is not None:
                self._snapshot.forget()
        if self._error is None:
            return
        if not isinstance(failure, Exception):  # an interrupt is often taken for an answer, and its notes never seen
            raise self._error
        add_note(failure, str(self._error))

    def _attempt(self) -> None:
        if self._claim.is_over:
            return
        self._error = None
        put_modes_back = torch_modes_undo()
        try:
            with uninterrupted():
                try:
                    self._restore()
                except RestoreError as error:
                    self._error = error
                self._claim.is_over = self._error is None or isinstance(self._error.__cause__, Exception)
        finally:
            put_modes_back()

    def _restore(self) -> None:
        try:
            self._close()
        finally:
            if self._snapshot is not None:
                self._snapshot.restore()


def add_note(error: BaseException, note: str) -> None:
    """Add a note to the exception, which tracebacks show below its message."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:  # Python 3.10: the attribute that 3.11's add_note writes
        error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
