"""Which models a range test is running on: two at once would each put back what the other has trained."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from contextlib import suppress
from weakref import ReferenceType, ref

# In the order in which they were made. No lock: a Ctrl-C can leave one locked for good, and to append is atomic.
_CLAIMS: list[ReferenceType[Claim]] = []


class Claim:
    """A test's claim to be the only one that works on some objects, until ``is_over`` is set.

    Args:
        things: parameters and optimizers.
    """

    def __init__(self, things: Iterable[object]) -> None:
        self._things = {id(thing): thing for thing in things}
        self.is_over = False

    def make(self) -> None:
        """Enter the claim.

        Raises:
            RuntimeError: another one in progress has some of these objects.
        """
        _remove_ended()
        _CLAIMS.append(ref(self))
        if self._is_contested():
            gc.collect()  # a test that nobody holds any more ends when it is collected
        if self._is_contested():
            self.is_over = True
            raise RuntimeError(
                "another range test is running on this model or its optimizer, and each would put back what the other "
                "has trained; let that one end, or stop it: close() its generator, or press Stop in its widget"
            )

    def _is_contested(self) -> bool:
        """Say whether a claim from before this one has some of the same things."""
        for claim in (entry() for entry in list(_CLAIMS)):
            if claim is self:
                break
            if claim is not None and not claim.is_over and self._things.keys() & claim._things.keys():
                return True
        return False


def _remove_ended() -> None:
    for entry in list(_CLAIMS):
        claim = entry()
        if claim is None or claim.is_over:
            with suppress(ValueError):  # another thread was here first
                _CLAIMS.remove(entry)
