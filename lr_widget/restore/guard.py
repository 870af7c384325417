"""Claim the model, snapshot it, restore it afterwards."""

from __future__ import annotations

import gc
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import ReferenceType, ref

from ..checks import text_of, type_name
from ..errors import RestoreError, add_note
from ..interrupts import insist
from .torch_modes import read_torch_modes, reset_torch_modes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import torch

    from .snapshot import Snapshot
    from .torch_modes import TorchModes

# The guards that have made a claim, the oldest first. There is no lock, which a Ctrl-C could leave locked for good:
# to append is atomic, and of two guards that claim the same thing the later entry is refused.
_CLAIMS: list[ReferenceType[Guard]] = []
_RESTORED_LATER = "after the range test, everything was put back, but not before this had come in between:"


class Guard:
    """The claim of one test on its model and optimizers, and their snapshot.

    A test calls `begin` and `put_back` in the inner and `end` in the outer of two nested `try` … `finally`: an
    exception of a signal handler or of another thread can cut one `finally` short, and the other one finishes its work.
    tests/restore/test_guard.py, test_an_exception_at_any_line_of_the_guard, fails with either of them alone.

    Args:
        take: takes the snapshot.
        close: shuts down the workers that the test has started.
        claimed: the parameters and optimizers that no other test may work on meanwhile.
        newer: tensors that somebody else has written to meanwhile, which stay as they are; it may grow until the end.

    Attributes:
        claimed: the claimed objects by their id.
        is_over: whether everything is restored, so that the claim no longer holds.
        failure: the exception that has ended the test, or None; to be set before `put_back`.
        modes: torch's modes that `put_back` resets; None for those at its beginning. To be set before, likewise.
    """

    def __init__(
        self,
        take: Callable[[], Snapshot],
        close: Callable[[], None],
        claimed: Iterable[object],
        newer: Sequence[torch.Tensor] = (),
    ) -> None:
        self._take = take
        self._close = close
        self._newer = newer
        self._snapshot: Snapshot | None = None
        self._errors: list[BaseException] = []  # of the tries to restore: one if the second try succeeded, two if not
        self.claimed = {id(thing): thing for thing in claimed}
        self.is_over = False
        self.failure: BaseException | None = None
        self.modes: TorchModes | None = None

    def begin(self) -> None:
        """Claim the model and take the snapshot.

        Raises:
            RuntimeError: another test is running on the same model.
        """
        self._claim()
        self._snapshot = self._take()
        self._snapshot.keep_state_dicts()
        self._snapshot.clear_gradients()

    def put_back(self) -> None:
        """Restore everything; leave it to `end` to report failures and to finish a restore that was cut short."""
        insist(self._restore)

    def end(self) -> None:
        """Finish a restore that was cut short, then report failures.

        Raises:
            RestoreError: something could not be put back, and there is no exception of the user's to add a note to.
            BaseException: it came while everything was put back, and everything is; likewise.
        """
        try:
            insist(self._restore)
        finally:
            self.is_over = True
            if self._snapshot is not None:
                self._snapshot.forget()
            self._report()

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
        """Restore, and once more if anything failed; if cut short, the claim stays, and the next call starts over.

        The failure may be an exception that will not come again: of a handler that a user's `load_state_dict` installs,
        or sent by another thread, as some timeouts are. To put back a second time does no harm.
        """
        if self.is_over:
            return
        # Noted once: a load that an exception has cut may have left a mode on when this is called again.
        self.modes = self.modes or read_torch_modes()
        self._errors.clear()
        try:
            self._try_to_restore()
            if self._errors:
                self._try_to_restore()
        finally:
            reset_torch_modes(self.modes)
        self.is_over = True

    def _try_to_restore(self) -> None:
        try:
            try:
                self._close()
            finally:
                if self._snapshot is not None:
                    if self._newer:
                        self._snapshot.leave(self._newer)
                    self._snapshot.restore()
        except BaseException as error:  # noqa: BLE001  # `_report` raises it
            self._errors.append(error)

    def _report(self) -> None:
        """Raise the error of the restore, or add it to the failure of the test."""
        error, failure = self._errors[-1] if self._errors else None, self.failure
        if len(self._errors) == 1 and isinstance(error, RestoreError):
            error = error.__cause__ or error  # the second try succeeded: nothing is lost
        # Held on to, exceptions would keep their tracebacks alive, and with them this guard, the model and the data:
        # test_guard.py, test_a_failed_test_is_freed_at_once.
        self._errors, self.failure = [], None
        try:
            if isinstance(failure, Exception) and isinstance(error, Exception):
                is_lost = isinstance(error, RestoreError)
                text = text_of(error)
                add_note(failure, text if is_lost else f"{_RESTORED_LATER} {type_name(error)}: {text}")
            elif error is not None:  # an interrupt is often taken for an answer, and its notes never seen
                raise error
        finally:
            del error, failure


def _remove_ended_claims() -> None:
    for entry in list(_CLAIMS):
        guard = entry()
        if guard is None or guard.is_over:
            with suppress(ValueError):  # another thread was here first
                _CLAIMS.remove(entry)
