"""Claim the model, snapshot it, restore it afterwards."""

from __future__ import annotations

import gc
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

from ..errors import RestoreError, add_note
from ..interrupts import uninterrupted
from .torch_modes import torch_modes_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .snapshot import Snapshot

# The guards that have made a claim, the oldest first. There is no lock, which a Ctrl-C could leave locked for good:
# to append is atomic, and of two guards that claim the same thing the later entry is refused.
_CLAIMS: list[ReferenceType[Guard]] = []


class Guard:
    """The claim of one test on its model and optimizers, and their snapshot.

    A test calls `begin` and `put_back` in the inner and `end` in the outer of two nested `try` … `finally`: an
    interrupt can cut one `finally` short, and the other one finishes its work. tests/restore/test_guard.py,
    test_an_interrupt_at_any_line_of_the_guard, fails with either of them alone.

    Args:
        take: takes the snapshot.
        close: shuts down the workers that the test has started.
        claimed: the parameters and optimizers that no other test may work on meanwhile.

    Attributes:
        claimed: the claimed objects by their id.
        is_over: whether everything is restored, so that the claim no longer holds.
        failure: the exception that has ended the test, or None; to be set before `put_back`.
    """

    def __init__(self, take: Callable[[], Snapshot], close: Callable[[], None], claimed: Iterable[object]) -> None:
        self._take = take
        self._close = close
        self._snapshot: Snapshot | None = None
        self._error: RestoreError | None = None
        self.claimed = {id(thing): thing for thing in claimed}
        self.is_over = False
        self.failure: BaseException | None = None

    def begin(self) -> None:
        """Claim the model and take the snapshot.

        Raises:
            RuntimeError: another test is running on the same model.
        """
        self._claim()
        self._snapshot = self._take()

    def put_back(self) -> None:
        """Restore everything; leave it to `end` to report failures and to finish an interrupted restore."""
        self._restore()
        if self._error is not None and not self.is_over:
            raise self._error.__cause__ or self._error

    def end(self) -> None:
        """Finish an interrupted restore, then report failures.

        Raises:
            RestoreError: something could not be put back, and there is no exception of the user's to add a note to.
        """
        # Held on to, the exception would keep its traceback alive, and with it this guard, the model and the data:
        # test_guard.py, test_a_failed_test_is_freed_at_once.
        failure, self.failure = self.failure, None
        try:
            self._restore()
        finally:
            self.is_over = True
            if self._snapshot is not None:
                self._snapshot.forget()
        if self._error is None:
            return
        if not isinstance(failure, Exception):  # an interrupt is often taken for an answer, and its notes never seen
            raise self._error
        add_note(failure, str(self._error))

    # --- the claim ------------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        _remove_ended_claims()
        _CLAIMS.append(ref(self))
        if self._is_contested():
            # A test that nobody holds any more, but that is part of a reference cycle, ends when it is collected:
            # test_guard.py, test_a_test_that_has_ended_blocks_no_other[forgotten_in_a_circle].
            gc.collect()
        if self._is_contested():
            self.is_over = True
            raise RuntimeError(
                "another range test is running on this model or its optimizer, and each would put back what the other "
                "has trained; let that one end, or stop it: close() its generator, or press Stop in its widget"
            )

    def _is_contested(self) -> bool:
        """Return True if an older claim that is not over has some of the same objects."""
        for guard in (entry() for entry in list(_CLAIMS)):
            if guard is self:
                break
            if guard is not None and not guard.is_over and self.claimed.keys() & guard.claimed.keys():
                return True
        return False

    # --- the restore ----------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        """Restore once and note a failure; after an interrupt the claim stays, and the next call restores again."""
        if self.is_over:
            return
        self._error = None
        put_modes_back = torch_modes_undo()  # a user's load_state_dict that is interrupted may leave one on
        try:
            with uninterrupted():
                try:
                    self._close_and_restore()
                except RestoreError as error:
                    self._error = error
                self.is_over = self._error is None or isinstance(self._error.__cause__, Exception)
        finally:
            put_modes_back()

    def _close_and_restore(self) -> None:
        try:
            self._close()
        finally:
            if self._snapshot is not None:
                self._snapshot.restore()


def _remove_ended_claims() -> None:
    for entry in list(_CLAIMS):
        guard = entry()
        if guard is None or guard.is_over:
            with suppress(ValueError):  # another thread was here first
                _CLAIMS.remove(entry)
