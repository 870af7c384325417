"""Take the steps of sweeps, keep them, and show how far they are; whatever comes between, the sweeps are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..results.records import StepRecord
from .sweep import Sweep

Show = Callable[[StepRecord], None]


def keep(sweep: Sweep, steps: list[StepRecord]) -> Sweep:
    """Yield the steps of the sweep, each put into ``steps`` before, and return its stop reason."""
    try:
        try:
            while True:
                try:
                    record = next(sweep)
                except StopIteration as end:
                    return str(end.value)
                steps.append(record)
                yield record
        finally:
            sweep.close()
    finally:
        sweep.close()  # again, where a Ctrl-C came just before the first one; closing twice does nothing


def drain(sweeps: Sweep, show: Show) -> str:
    """Take all steps and return the stop reason: "interrupted" at a Ctrl-C, which is raised before the first step."""
    has_begun = False
    try:
        try:
            while True:
                record = next(sweeps)
                has_begun = True
                show(record)
        except StopIteration as end:
            return str(end.value)
        except KeyboardInterrupt:
            if not has_begun:
                raise
            return "interrupted"
        finally:
            sweeps.close()
    finally:
        sweeps.close()


@contextmanager
def progress_bar(what: str, total: int, *, enabled: bool) -> Iterator[Show]:
    """Yield what shows a step in a tqdm bar of so many steps."""
    if not enabled:
        yield lambda record: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=what, unit="step") as bar:

        def show(record: StepRecord) -> None:
            bar.set_postfix_str(f"lr {record.lr:.1e}, loss {record.loss:.4g}", refresh=False)
            bar.update()

        yield show
