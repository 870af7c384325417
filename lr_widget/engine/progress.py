"""Drive steps from outside: keep the records, drain them, show a progress bar; the steps are always closed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..distributed import is_first_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..results import StepRecord
    from .sweep import Steps

    Show = Callable[[StepRecord], None]


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


@contextmanager
def progress_bar(title: str, total: int, *, enabled: bool) -> Iterator[Show]:
    """Yield a function that shows each record in a tqdm bar of `total` steps, on rank 0 of several processes.

    It does nothing unless enabled.
    """
    if not enabled or not is_first_rank():
        yield lambda record: None
        return
    from tqdm.auto import tqdm

    last: StepRecord | None = None
    with tqdm(total=total, desc=title, unit="step") as bar:

        def show(record: StepRecord) -> None:
            nonlocal last
            last = record
            if bar.update():  # drawn, as it is some times a second; to make the words at each step would cost more
                bar.set_postfix_str(_words(record), refresh=False)

        yield show
        if last is not None:
            bar.set_postfix_str(_words(last))


def _words(record: StepRecord) -> str:
    return f"lr {record.lr:.1e}, loss {record.loss:.4g}"
