"""Several processes of torch.distributed that run one test together; in one process, nothing of this is used."""

from __future__ import annotations

import json
import math
import re
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore

from .checks import text_of, type_name
from .errors import add_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import nn

HANDSHAKE_SECONDS = 20.0  # so long a rank waits alone for the others to call the same function
GRACE_SECONDS = 5.0  # so long, at least, a rank that failed waits for the others to come to the next exchange
LAST_SECONDS = 10.0  # and so long after it has cut them loose
_POLL_SECONDS = 0.01
_LOOK_UP = timedelta(seconds=0.5)  # a wait in C++ ends so often, for Python to hear of Ctrl-C

# Words of gloo and NCCL for a peer that has gone. There is no class of exceptions for it.
_LOST = re.compile(r"gloo|nccl|connection|socket|closed|broken pipe|pair closure|timed out", re.IGNORECASE)
_CUT = "the ranks had begun different operations, so their connections were closed; start the processes anew"
_TAG_OF_NOBODY = 2**30 + 7

# The number of the next test. It goes on in a process group that is made again: its store may still hold old tests.
_next_number = 0


class Exchange(NamedTuple):
    """The sums over the ranks of what each has told: how many failed, and so on, and the mean of their losses."""

    failed: float = 0.0
    interrupted: float = 0.0
    stopped: float = 0.0
    next_failed: float = 0.0
    next_ended: float = 0.0
    loss: float = 0.0


def is_alone() -> bool:
    """Return True if this process is the only one."""
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1


def is_first_rank() -> bool:
    """Return True on rank 0 of several processes, and in one process."""
    return is_alone() or distributed.get_rank() == 0


def of_first_rank(number: int) -> int:
    """Return the number that rank 0 has given; to be called on every rank, after a `join`."""
    if is_alone():
        return number
    store, key = _store(), f"{_next_number}/of_first_rank"
    if distributed.get_rank() == 0:
        store.set(key, str(number))
    store.wait([key], timedelta(seconds=HANDSHAKE_SECONDS))  # rank 0 may have left meanwhile
    return int(store.get(key))


def join(call: Mapping[str, Any], modules: Iterable[nn.Module]) -> Ranks:
    """Meet the other processes before a test; to be called on every rank.

    Args:
        call: "test", the name of the function that the user has called, and the keywords that must be the same
            everywhere, as values that JSON knows.
        modules: the models, for the process groups that they use.

    Raises:
        RuntimeError: other ranks did not come, or one of them left again.
        ValueError: keywords differ; the same on every rank.
    """
    global _next_number  # noqa: PLW0603  # it counts for the process
    everybody = _meet(_next_number, call)
    _next_number += 1
    for name, value in everybody[0].items():
        for rank, other in enumerate(everybody):
            if other[name] != value:
                raise ValueError(
                    f"{name} must be the same on every rank, got {value} on rank 0 and {other[name]} on rank {rank}; "
                    "give every rank the same"
                )
    return Ranks(_next_number, _gloo_groups(modules))


class Ranks:
    """The processes that run one sweep together, and their channel: a process group of their own.

    The channel is apart from the process groups of the model, so that a rank that has left cannot be taken for one that
    takes part in an operation of the model. It is on the CPU, so no operation of an accelerator waits behind it.

    Args:
        number: of the test, the same on every rank.
        groups: the process groups of the model over gloo, which can be cut.

    Attributes:
        has_parted: True from the moment when all ranks know that they end.
    """

    def __init__(self, number: int, groups: list[Any]) -> None:
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.has_parted = False
        self._number = number
        self._groups = groups
        self._store = _store()
        store = PrefixStore(f"{number}/channel", self._store)
        timeout = distributed.default_pg_timeout
        self._channel: Any = distributed.ProcessGroupGloo(store, self.rank, self.size, timeout)
        self._is_cut = False
        self._longest = 0.0
        self._last = time.monotonic()

    def exchange(self, told: Exchange) -> Exchange:
        """Tell the others and be told: one small all-reduce.

        Raises:
            RuntimeError: a process has ended.
        """
        tensor = torch.tensor(told, dtype=torch.float64, device="cpu")
        self._wait(self._channel.allreduce([tensor]))
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        told = Exchange(*tensor.tolist())
        return told._replace(loss=told.loss / self.size)

    def announce(self, error: BaseException) -> None:
        """Let the others read about a failure, before they hear in an exchange that there is one."""
        with suppress(Exception):  # the store may have gone with its process, and the failure itself matters more
            self._store.set(f"{self._number}/failure/{self.rank}", f"{type_name(error)}: {text_of(error)}")

    def failure_of_another(self) -> RuntimeError | None:
        """Return an error that says how another rank has failed; None where none has said so."""
        with suppress(Exception):
            for rank in range(self.size):
                key = f"{self._number}/failure/{rank}"
                if rank != self.rank and self._store.check([key]):
                    text = self._store.get(key).decode(errors="replace")
                    return RuntimeError(f"rank {rank} failed: {text}; the range test has ended on every rank")
        return None

    def part(self, error: BaseException) -> RuntimeError | None:
        """Leave before the end because of an error, and return that of another rank where it is the cause.

        The others hear of it in their next exchange. They may never come to it, but wait for this rank in a collective
        operation of the model: in a backward pass, say. They wait in C++ and hear nothing; so, after some seconds,
        this rank cuts its connections to them, on which their operations fail. Then the process groups are of no use
        any more.
        """
        if self.has_parted:
            return None
        self.has_parted = True
        is_lost = isinstance(error, RuntimeError) and _LOST.search(text_of(error)) is not None
        cause = self.failure_of_another() if is_lost else None
        if cause is None:
            self.announce(error)
        if is_lost:
            self._cut()
        has_met = False
        with suppress(RuntimeError):  # others have gone, too
            work = self._channel.allreduce([torch.tensor(Exchange(failed=1.0), dtype=torch.float64, device="cpu")])
            if not self._wait(work, max(GRACE_SECONDS, 3 * self._longest)):
                self._cut()
            has_met = self._wait(work, LAST_SECONDS)
            if has_met:
                self.settle()
        if not has_met:
            _cut(self._channel)  # or it would wait at its own end for what is under way
        self.note_cut(cause or error)
        return cause

    def settle(self) -> None:
        """After a failure, see if all ranks have begun as many operations of the model, and cut them loose if not.

        One that has begun more would have its partners in the next operation of the others, which wait for ever or take
        its numbers for theirs.
        """
        counts = [group._get_sequence_number_for_group() for group in self._groups if group.size() == self.size]  # noqa: SLF001  # there is no public count
        tensor = torch.tensor([sum(counts), sum(counts) ** 2], dtype=torch.float64, device="cpu")
        if self._wait(self._channel.allreduce([tensor]), LAST_SECONDS):
            total, squares = tensor.tolist()
            if total**2 != self.size * squares:
                self._cut()

    def note_cut(self, error: BaseException) -> None:
        """Add a note to an error that says so, if the process groups of the model were cut."""
        if self._is_cut:
            add_note(error, _CUT)

    def _cut(self) -> None:
        if self._groups and not self._is_cut:
            self._is_cut = True
            for group in self._groups:
                _cut(group)

    def _wait(self, work: Any, seconds: float = math.inf) -> bool:
        """Wait for an operation, and return True if it is done in time.

        Raises:
            RuntimeError: it has failed.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                work.wait(_LOOK_UP)
            except RuntimeError:
                if work.is_completed():
                    raise
            else:
                return True
            if time.monotonic() >= end:
                return False


def _meet(number: int, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Wait until every rank has come with its call, and return those of all.

    There is one verdict, written by the first rank that knows it: all have come, or some have not. A rank that comes
    after the second one finds it and begins the next attempt.
    """
    store, rank, size = _store(), distributed.get_rank(), distributed.get_world_size()
    while True:
        attempt = f"{number}/{store.add(f'{number}/attempt', 0)}"
        keys = [f"{attempt}/{other}" for other in range(size)]
        store.set(keys[rank], json.dumps(call))
        end = time.monotonic() + HANDSHAKE_SECONDS
        try:
            while not (store.check(keys) or store.check([f"{attempt}/verdict"]) or time.monotonic() > end):
                time.sleep(_POLL_SECONDS)
        except BaseException as error:  # Ctrl-C
            _verdict(store, attempt, keys, call["test"], error)
            raise
        verdict = _verdict(store, attempt, keys, call["test"], None)
        if verdict["message"] is None:
            return [json.loads(store.get(key)) for key in keys]
        if rank in verdict["here"]:
            raise RuntimeError(verdict["message"])
        time.sleep(_POLL_SECONDS)


def _verdict(store: Any, attempt: str, keys: list[str], test: str, left_by: BaseException | None) -> dict[str, Any]:
    """Write the verdict on an attempt, unless there is one, and return the one that holds."""
    rank, here, message = distributed.get_rank(), [rank for rank, key in enumerate(keys) if store.check([key])], None
    if left_by is not None:
        message = f"{test} was left on rank {rank} by {type(left_by).__name__}"
    elif len(here) < len(keys):
        names = f"rank{'s' if len(here) > 1 else ''} {' and '.join(map(str, here))}"
        remedy = "call it on every rank, after a barrier() if they come apart"
        message = f"{test} was called on {names} alone: nobody else came in time; {remedy}"
    mine = {"by": rank, "here": here, "message": message}
    holds: dict[str, Any] = json.loads(store.compare_set(f"{attempt}/verdict", "", json.dumps(mine)))
    if holds == mine and message is not None:
        store.add(f"{attempt.partition('/')[0]}/attempt", 1)
    return holds


def _store() -> Any:
    """Return the store of the default process group, which has no public name, with a prefix of our own."""
    return PrefixStore("lr_widget", distributed.distributed_c10d._get_default_store())  # noqa: SLF001  # see above


def _gloo_groups(modules: Iterable[nn.Module]) -> list[Any]:
    """List the gloo groups that models communicate in: the default one and those of wrappers and meshes."""
    groups = [distributed.group.WORLD]
    for root in modules:
        groups += [getattr(module, "process_group", None) for module in root.modules()]
        for parameter in root.parameters():
            mesh = getattr(parameter, "device_mesh", None)
            groups += mesh.get_all_groups() if mesh is not None else []
    unique = {id(group): group for group in groups if isinstance(group, distributed.ProcessGroup)}
    return [group for group in unique.values() if _is_gloo(group)]


def _is_gloo(group: Any) -> bool:
    """Tell a group over gloo, also beside another backend, as a bare `init_process_group()` makes it."""
    with suppress(RuntimeError):  # no backend for the CPU
        return isinstance(group._get_backend(torch.device("cpu")), distributed.ProcessGroupGloo)  # noqa: SLF001  # there is no public way
    return False


def _cut(group: Any) -> None:
    """Close the connections of a gloo group to its other ranks.

    There is no call for it: `abort` of a gloo group ends no operation. But gloo closes them all when a wait for a
    message times out, and nobody sends this one. From a rank that has gone, the wait fails, and nothing is closed.
    """
    for other in range(group.size()):
        if other != group.rank():
            with suppress(RuntimeError):
                group.recv([torch.empty(1, device="cpu")], other, _TAG_OF_NOBODY).wait(timedelta(milliseconds=1))
