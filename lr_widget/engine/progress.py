"""Drive steps from outside: keep the records, drain them, show a progress bar; the steps are always closed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ..distributed import is_first_rank
from ..errors import RestoreError, add_note
from ..schedule import rate_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from ..results import StepRecord
    from .sweep import Steps

    Show = Callable[[StepRecord], None]


class OpenRangeTest(Generator["StepRecord", None, str]):
    """The generator of a range test as a context manager: leaving the block, however, puts everything back.

    Args:
        steps: the generator of the test's steps.

    Attributes:
        stop_reason: why the test ended by itself; None before, and where it was closed.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.stop_reason: str | None = None

    def send(self, value: None) -> StepRecord:
        """Take the next step and return its record."""
        try:
            return self._steps.send(value)
        except StopIteration as end:
            self.stop_reason = self.stop_reason or end.value
            raise

    def throw(self, *exception: Any) -> StepRecord:
        """Raise an exception where the test is suspended, which ends it."""
        return self._steps.throw(*exception)

    def close(self) -> None:
        """End the test and put everything back; a test that has ended is left alone."""
        self._steps.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self.close()
        except RestoreError as failure:
            if not isinstance(error, Exception):  # an interrupt is often taken for an answer, and its notes never seen
                raise
            add_note(error, str(failure))
        finally:
            self.close()  # again, for a Ctrl-C that came just before the first one; closing twice does nothing


def keep(steps: Steps, records: list[StepRecord]) -> Steps:
    """Append each record to a list before it is yielded, and return the stop reason."""
    try:
        try:
            while True:
                try:
                    record = next(steps)
                except StopIteration as end:
                    return str(end.value)
                records.append(record)
                yield record
        finally:
            steps.close()
    finally:
        steps.close()  # again, for a Ctrl-C that came just before the first one; closing twice does nothing


def drain(steps: Steps, show: Show) -> str:
    """Take all steps and return the stop reason.

    Ctrl-C ends them as "interrupted"; before the first record it is raised.
    """
    has_begun = False
    try:
        try:
            while True:
                record = next(steps)
                has_begun = True
                show(record)
        except StopIteration as end:
            return str(end.value)
        except KeyboardInterrupt:
            if not has_begun:
                raise
            steps.close()  # while the interrupt is being handled: in several processes, the others hear why
            return "interrupted"
        finally:
            steps.close()
    finally:
        steps.close()  # again, as in `keep`


def drain_in_bar(steps: Steps, title: str, total: int, *, enabled: bool) -> str:
    """Take all steps, as `drain` does, and show each record in a tqdm bar of `total` steps, on rank 0 of several.

    Where the steps end early by themselves, those that were taken fill the bar. Nothing is shown unless enabled.
    """
    if not enabled or not is_first_rank():
        return drain(steps, lambda record: None)
    from tqdm.auto import tqdm

    last: StepRecord | None = None
    with tqdm(total=total, desc=title, unit="step") as bar:

        def show(record: StepRecord) -> None:
            nonlocal last
            last = record
            if bar.update():  # drawn, as it is some times a second; to make the words at each step would cost more
                bar.set_postfix_str(_words(record), refresh=False)

        reason = drain(steps, show)
        if reason != "interrupted" and bar.n < total and not bar.disable:
            _fill(bar)
        if last is not None:
            bar.set_postfix_str(_words(last))
    return reason


def _fill(bar: Any) -> None:
    """End a bar at what was done; a notebook's would turn red, as after an error."""
    done, begun = bar.n, bar.start_t
    bar.reset(total=done)  # not by `total` alone, as the bar in a notebook has a length of its own
    bar.n, bar.start_t = done, begun


def _words(record: StepRecord) -> str:
    return f"lr {rate_text(record.lr)}, loss {record.loss:.4g}"
