"""One torch thread for every test, modes that no failing test leaves behind, and a Ctrl-C that is heard."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell that starts a command in the background lets it ignore Ctrl-C, and its child processes do, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The models are tiny: on busy cores, torch's threads would only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_grad_enabled(True)
