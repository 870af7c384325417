"""Only one test works on a model at a time, and a test that has ended in whatever way stands in no other's way."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.errors import RestoreError
from lr_widget.restore import Guard

from ..no_trace.endings import interrupting, lines_run
from ..no_trace.state import Look

ANOTHER = "another range test is running on this model or its optimizer, .*; let that one end, or stop it"
BATCH = (torch.ones(4, 6), torch.tensor([0, 1, 2, 0]))


class Session:
    def __init__(self) -> None:
        self.model = nn.Linear(6, 3)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

    def sweep(self, **options: Any) -> Any:
        loss_fn = options.pop("loss_fn", nn.functional.cross_entropy)
        return iter_range_test(self.model, self.optimizer, loss_fn, [BATCH], num_steps=6, end_lr=1.0, **options)


def test_a_second_test_of_the_same_model_is_refused_and_the_first_goes_on():
    """The refused one changes nothing; when the first has ended, all is as before, and the next may run."""
    session = Session()
    before = Look(session.model, session.optimizer)
    first, second = session.sweep(), session.sweep()
    next(first)
    with pytest.raises(RuntimeError, match=ANOTHER):
        next(second)
    assert len(list(first)) == 5
    before.assert_unchanged("after two tests at once")
    assert len(list(session.sweep())) == 6


def test_a_test_of_a_part_of_the_model_is_refused():
    """A model around the first layer shares its parameters, and so would restore them."""
    session = Session()
    part = nn.Sequential(session.model, nn.Linear(3, 3))
    first = session.sweep()
    next(first)
    other = torch.optim.SGD(part.parameters(), lr=0.1)
    with pytest.raises(RuntimeError, match=ANOTHER):
        next(iter_range_test(part, other, nn.functional.cross_entropy, [BATCH]))
    first.close()


def test_tests_of_two_models_may_take_turns():
    """Nothing is shared between them, so both run."""
    one, other = Session(), Session()
    before = Look(one.model, other.model)
    pairs = list(zip(one.sweep(), other.sweep(), strict=True))
    assert len(pairs) == 6
    before.assert_unchanged("after two tests in turns")


def test_of_many_threads_one_runs():
    """Eight threads that start at once: one test runs, seven are refused, and the weights are as before."""
    session, barrier, ends = Session(), threading.Barrier(8), []
    weight = session.model.weight.clone()
    is_refused = threading.Event()

    def run() -> None:
        barrier.wait()
        try:
            sweep = session.sweep()
            next(sweep)
            assert is_refused.wait(10)
            ends.append(len(list(sweep)))
        except RuntimeError as error:
            ends.append(str(error)[:24])
            if len(ends) == 7:
                is_refused.set()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, ends)) == ["5", *["another range test is ru"] * 7]
    assert torch.equal(session.model.weight, weight)


def never_started(session: Session) -> None:
    session.kept = session.sweep()  # type: ignore[attr-defined]


def closed(session: Session) -> None:
    sweep = session.sweep()
    next(sweep)
    sweep.close()


def forgotten(session: Session) -> None:
    next(session.sweep())


def forgotten_in_a_circle(session: Session) -> None:
    circle: list[Any] = [session.sweep()]
    circle.append(circle)
    next(circle[0])


def failed(session: Session) -> None:
    def fail(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        next(session.sweep(loss_fn=fail))
    session.kept = caught.value  # type: ignore[attr-defined]


class Broken:
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise OSError("cannot load")


def failed_to_restore(session: Session) -> None:
    with pytest.raises(RestoreError, match="cannot load"):
        list(session.sweep(also_restore=[Broken()]))


def failed_in_the_snapshot(session: Session) -> None:
    broken = Broken()
    broken.state_dict = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(ZeroDivisionError, match="division by zero") as caught:
        next(session.sweep(also_restore=[broken]))
    session.kept = caught.value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "end",
    [never_started, closed, forgotten, forgotten_in_a_circle, failed, failed_to_restore, failed_in_the_snapshot],
)
def test_a_test_that_has_ended_blocks_no_other(end: Any):
    """However the first one ended, and whatever still holds on to it, the next one runs."""
    session = Session()
    gc.disable()  # a generator in a circle is still there when the next test begins
    try:
        end(session)
        assert len(list(session.sweep())) == 6
    finally:
        gc.enable()


# --- exceptions and a restore that fails -----------------------------------------------------------------------------


def test_the_users_exception_comes_out_with_a_note_where_restoring_fails():
    """ZeroDivisionError stays ZeroDivisionError; its notes name the step and the object that could not be put back."""
    session = Session()

    def fail(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError("by the user")

    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        next(session.sweep(loss_fn=fail, start_lr=1e-6, also_restore=[Broken()]))
    assert caught.value.__notes__ == [  # type: ignore[attr-defined]
        "while lr_widget was in step 1 of 6, at learning rate 1e-05",
        "could not put back after the range test: Broken.state_dict() (OSError: cannot load)",
    ]


@pytest.mark.parametrize("end", [lambda sweep: sweep.close(), list], ids=["closed", "completed"])
def test_without_an_exception_of_the_users_the_restore_error_comes_out(end: Any):
    """To close a test, or to let it end, is no exception that could carry a note."""
    sweep = Session().sweep(also_restore=[Broken()])
    next(sweep)
    with pytest.raises(RestoreError, match=r"Broken\.state_dict"):
        end(sweep)


def test_an_interrupt_in_a_load_costs_no_other_part():
    """A load_state_dict that raises KeyboardInterrupt is named as lost; weights and momentum are back."""

    class Interrupted(Broken):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            raise KeyboardInterrupt

    session = Session()
    before = Look(session.model, session.optimizer)
    with pytest.raises(RestoreError, match=r"Interrupted.state_dict\(\) \(KeyboardInterrupt: \)"):
        list(session.sweep(also_restore=[Interrupted()]))
    before.assert_unchanged("after an interrupt in a load")


def test_an_interrupt_that_strikes_once_in_a_load_is_raised_and_the_load_done_again():
    """The second load succeeds, so nothing is lost, and the interrupt is the user's."""
    loads = []

    class Once(Broken):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            loads.append(state)
            if len(loads) == 1:
                raise KeyboardInterrupt("once")

    with pytest.raises(KeyboardInterrupt, match="once"):
        list(Session().sweep(also_restore=[Once()]))
    assert len(loads) == 2


@pytest.mark.parametrize("by", ["loss", "model"])
def test_a_stop_iteration_of_the_users_is_an_error_that_says_so(by: str):
    """next() on a list of two batches ends in step 3; a generator would otherwise seem to have ended."""
    session, left = Session(), iter(range(2))

    def take(*_: Any) -> None:
        next(left)

    def loss_fn(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if by == "loss":
            take()
        return nn.functional.cross_entropy(out, targets)

    hook = session.model.register_forward_hook(take) if by == "model" else None
    with pytest.raises(
        RuntimeError, match=r"raised StopIteration, as next\(\) does where an iterator has ended; "
    ) as caught:
        list(session.sweep(loss_fn=loss_fn, start_lr=1e-6))
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 6, at learning rate 0.001"]  # type: ignore[attr-defined]
    assert isinstance(caught.value.__cause__, StopIteration)
    if hook is not None:
        hook.remove()


# --- two nested finally ----------------------------------------------------------------------------------------------


class Counted:
    """Stands for a snapshot, and counts its restores."""

    restores = 0

    def restore(self) -> None:
        self.restores += 1

    def forget(self) -> None:
        pass


def run_guarded(guard: Guard, ends: tuple[str, ...]) -> None:
    try:
        guard.begin()
    finally:
        finish(guard, ends)


def finish(guard: Guard, ends: tuple[str, ...]) -> None:
    try:
        getattr(guard, ends[0])()
    finally:
        if ends[1:]:
            finish(guard, ends[1:])


def lines_that_leave_a_trace(*ends: str) -> Iterator[int]:
    """Interrupt a guard once at each line; yield the lines that leave it unrestored or with its claim."""

    taken: list[Counted] = []

    def guard(claimed: object) -> Guard:
        def take() -> Any:
            taken.append(Counted())
            return taken[-1]

        return Guard(take, lambda: None, [claimed])

    for line in range(lines_run(lambda: run_guarded(guard(object()), ends))):
        taken.clear()
        claimed = object()
        interrupted = guard(claimed)
        with pytest.raises(KeyboardInterrupt, match="at a line"), interrupting(line):
            run_guarded(interrupted, ends)
            raise KeyboardInterrupt("at a line after the last")
        is_restored = not taken or taken[0].restores > 0
        try:
            run_guarded(guard(claimed), ("put_back", "end"))
        except RuntimeError:
            is_restored = False
        if not is_restored:
            yield line


def test_an_interrupt_at_any_line_of_the_guard():
    """Be it in the first `finally` or in the second, the snapshot is restored and the claim is over."""
    assert list(lines_that_leave_a_trace("put_back", "end")) == []


@pytest.mark.parametrize("end", ["put_back", "end"])
def test_one_finally_alone_is_not_enough(end: str):
    """An interrupt at one of its lines would leave the model trained, and claimed for good."""
    assert next(lines_that_leave_a_trace(end), None) is not None


# --- what a guard leaves behind --------------------------------------------------------------------------------------


def test_a_failed_test_is_freed_at_once():
    """No circle holds the model's frame when its exception is dropped: a GPU's memory does not wait for the collector."""

    class Model:
        pass

    def run() -> None:
        model, guard = Model(), Guard(Counted, lambda: None, [])  # type: ignore[arg-type,return-value]
        weak.append(ref(model))
        try:
            try:
                guard.begin()
                raise ZeroDivisionError("by the user")
            except BaseException as error:
                guard.failure = error
                raise
            finally:
                guard.put_back()
        finally:
            guard.end()

    weak: list[ref[Model]] = []
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError, match="by the user") as caught:
            run()
        del caught
        assert weak[0]() is None
    finally:
        gc.enable()


def test_a_mode_that_a_load_leaves_on_is_off_again():
    """A load_state_dict that is interrupted in its no_grad() block switches no gradients off."""

    class Leaving(Broken):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            torch.set_grad_enabled(False)
            torch.autocast("cpu").__enter__()

    session = Session()
    before = Look(session.model)
    list(session.sweep(also_restore=[Leaving()]))
    before.assert_unchanged("after a load that leaves modes on")
