"""The table of the test cases of another finder: those that a call of ours expresses, and those that none can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

Check = TypeVar("Check", bound=Callable[..., None])


@dataclass
class Suite:
    """The cases of a finder's test suite.

    One function of theirs with parameters is as many cases as it has sets of them; one that makes several calls, each
    of which could be a test of its own, is as many cases as it makes calls.

    Attributes:
        finder: the library that the cases are from.
        inexpressible: the reason why no call of ours expresses a case, by its name.
        expressed: the check of each other case, by its name.
    """

    finder: str
    inexpressible: Mapping[str, str] = field(default_factory=dict)
    expressed: dict[str, Callable[[], None]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of all cases."""
        return len(self.expressed) + len(self.inexpressible)

    def case(self, name: str, *args: Any) -> Callable[[Check], Check]:
        """Enter a function as the check of one case, called with `args`.

        The name is that of their test function, and after a colon what tells the case from the function's others.
        """

        def enter(check: Check) -> Check:
            assert name not in {*self.expressed, *self.inexpressible}, f"{name!r} is there already"
            self.expressed[name] = partial(check, *args)
            return check

        return enter

    def cases(self, table: Mapping[str, tuple[Any, ...]]) -> Callable[[Check], Check]:
        """Enter a function as the check of several cases: {name: arguments}."""

        def enter(check: Check) -> Check:
            for name, args in table.items():
                self.case(name, *args)(check)
            return check

        return enter
