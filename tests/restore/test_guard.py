"""Only one test works on a model at a time, and a test that has ended in whatever way stands in no other's way."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any
from weakref import ref

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test
from lr_widget.errors import RestoreError
from lr_widget.restore import Guard

from ..no_trace.endings import INTERRUPTS, interrupting, lines_run
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
        "while lr_widget was in step 1 of 6, at learning rate 1e-5",
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


class Once(Broken):
    """Raises in its first load, as a timeout may that comes from a handler of its own or from another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.calls = count(1)  # an int would be restored

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if next(self.calls) == 1:
            raise self.error


@pytest.mark.parametrize("kind", [*INTERRUPTS, OSError])
def test_an_exception_that_comes_once_in_a_load_is_raised_and_the_load_done_again(kind: type[BaseException]):
    """The second load succeeds, so nothing is lost, and the exception is the user's, unchanged."""
    once = Once(kind("once"))
    session = Session()
    before = Look(session.model, session.optimizer)
    with pytest.raises(kind, match=r"^once$") as caught:
        list(session.sweep(also_restore=[once]))
    assert caught.value is once.error
    assert next(once.calls) == 3
    before.assert_unchanged("after an exception in a load")
    assert len(list(session.sweep())) == 6


def test_a_load_that_fails_is_tried_twice_and_then_reported():
    """Twice in all, not twice in each `finally`."""

    class Always(Once):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            raise OSError(f"cannot load, try {next(self.calls)}")

    always = Always(OSError())
    with pytest.raises(RestoreError, match=r"Always\.state_dict\(\) \(OSError: cannot load, try 2\)"):
        list(Session().sweep(also_restore=[always]))
    assert next(always.calls) == 3


def fail_in_the_loss(out: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    raise ZeroDivisionError("by the user")


def test_the_users_exception_comes_out_with_a_note_where_a_load_fails_once():
    """The ZeroDivisionError of the loss is what the user has to mend; the note says that nothing is lost."""
    with pytest.raises(ZeroDivisionError, match="by the user") as caught:
        next(Session().sweep(loss_fn=fail_in_the_loss, also_restore=[Once(OSError("once"))]))
    assert caught.value.__notes__[1:] == [  # type: ignore[attr-defined]
        "after the range test, everything was put back, but not before this had come in between: OSError: once"
    ]


def test_an_interrupt_in_a_load_comes_out_though_the_test_has_failed():
    """A KeyboardInterrupt that became a note would be lost; the failure of the test is its context."""
    with pytest.raises(KeyboardInterrupt, match="once") as caught:
        next(Session().sweep(loss_fn=fail_in_the_loss, also_restore=[Once(KeyboardInterrupt("once"))]))
    chain = [caught.value.__context__, caught.value.__context__ and caught.value.__context__.__context__]
    assert any(isinstance(error, ZeroDivisionError) for error in chain)


class Ringing(Broken):
    """Is loaded while the signals of a user's timeout come."""

    def __init__(self, signals: Iterable[int]) -> None:
        self.signals = signals
        self.loads = count()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for number in self.signals:
            signal.raise_signal(number)
        next(self.loads)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", ["SIGALRM", "SIGTERM", "SIGUSR1", "SIGINT"])
def test_a_signal_whose_handler_raises_waits_for_the_end_of_the_restore(number: str):
    """The load is not cut, all is as before, and the user's timeout comes out."""

    def handle(*_: Any) -> None:
        raise TimeoutError(f"of {number}")

    session, ringing = Session(), Ringing([getattr(signal, number)])
    before = Look(session.model, session.optimizer)
    previous = signal.signal(getattr(signal, number), handle)
    try:
        with pytest.raises(TimeoutError, match=f"of {number}"):
            list(session.sweep(also_restore=[ringing]))
        assert signal.getsignal(getattr(signal, number)) is handle
    finally:
        signal.signal(getattr(signal, number), previous)
    assert next(ringing.loads) == 1
    before.assert_unchanged("after a signal in the restore")
    assert len(list(session.sweep())) == 6


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
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 6, at learning rate 1e-3"]  # type: ignore[attr-defined]
    assert isinstance(caught.value.__cause__, StopIteration)
    if hook is not None:
        hook.remove()


# --- two nested finally ----------------------------------------------------------------------------------------------


class Counted:
    """Stands for a snapshot, and counts its restores."""

    restores = 0

    def restore(self) -> None:
        self.restores += 1

    def keep_state_dicts(self) -> None:
        pass

    clear_gradients = forget = keep_state_dicts


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


def lines_that_leave_a_trace(kind: type[BaseException], *ends: str) -> Iterator[int]:
    """Raise in a guard once at each line; yield the lines that leave it unrestored or with its claim."""

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
        with pytest.raises(kind, match="at a line"), interrupting(line, kind):
            run_guarded(interrupted, ends)
            raise kind("at a line after the last")
        is_restored = not taken or taken[0].restores > 0
        try:
            run_guarded(guard(claimed), ("put_back", "end"))
        except RuntimeError:
            is_restored = False
        if not is_restored:
            yield line


@pytest.mark.parametrize("kind", INTERRUPTS)
def test_an_exception_at_any_line_of_the_guard(kind: type[BaseException]):
    """Be it in the first `finally` or in the second, the snapshot is restored and the claim is over."""
    assert list(lines_that_leave_a_trace(kind, "put_back", "end")) == []


def test_an_interrupt_while_the_state_dicts_are_kept_leaves_no_trace():
    """To ask for a state has drawn a random number; at each of the next 50 lines, the number is put back."""

    class Drawing(Broken):
        def state_dict(self) -> dict[str, Any]:
            tracer.line = tracer.lines + lines_on
            return {"number": torch.rand(1)}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass

    before = torch.get_rng_state()
    for lines_on in range(50):
        session = Session()
        torch.set_rng_state(before)
        with pytest.raises(KeyboardInterrupt, match="at a line"), interrupting(-1) as tracer:
            next(session.sweep(also_restore=[Drawing()]))
        assert torch.equal(torch.get_rng_state(), before), f"{lines_on} lines on"


@pytest.mark.parametrize("end", ["put_back", "end"])
def test_one_finally_alone_is_not_enough(end: str):
    """An interrupt at one of its lines would leave the model trained, and claimed for good."""
    assert next(lines_that_leave_a_trace(KeyboardInterrupt, end), None) is not None


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


@pytest.mark.parametrize("error", [None, OSError("once"), KeyboardInterrupt("once")])
def test_a_test_whose_restore_fails_is_freed_at_once(error: BaseException | None):
    """Neither the errors of the two tries nor the one that is raised lead back to the frames that hold the model."""
    session = Session()
    weak = ref(session.model)
    broken = Broken() if error is None else Once(error)
    gc.disable()
    try:
        with pytest.raises((RestoreError, OSError, KeyboardInterrupt), match=r"cannot load|once"):
            list(session.sweep(also_restore=[broken]))
        del session, broken
        if error is not None:
            error.__traceback__ = None
        assert weak() is None
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
