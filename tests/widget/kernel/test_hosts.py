"""The host that shows the notebook is told by its marks."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lr_widget.widget.kernel import hosts


def test_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host is told by its marks in the kernel's process."""
    namespace: dict[str, Any] = {}
    shell = SimpleNamespace(user_ns=namespace, kernel=object())
    monkeypatch.setattr(hosts, "shell", lambda: shell)
    monkeypatch.delenv("VSCODE_PID", raising=False)
    assert hosts.current_host().name == "jupyter"
    namespace["__vsc_ipynb_file__"] = "a.ipynb"
    assert hosts.current_host().name == "vscode"
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert hosts.current_host().name == "colab"


def test_a_script_has_no_host() -> None:
    """No shell, no host."""
    assert hosts.current_host().name == "none"


def test_every_host_has_its_row() -> None:
    """A host is found by its own name, and only Colab does not show messages of a thread."""
    assert all(name == host.name for name, host in hosts.HOSTS.items())
    assert [name for name, host in hosts.HOSTS.items() if not host.shows_threads] == ["colab"]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (None, False),
        (SimpleNamespace(), False),
        (SimpleNamespace(kernel=SimpleNamespace(eventloop=None)), False),
        (SimpleNamespace(kernel=SimpleNamespace(eventloop=lambda kernel: None)), True),
    ],
)
def test_the_loop_of_a_gui_is_told_by_the_kernel(monkeypatch: pytest.MonkeyPatch, shell: Any, expected: bool) -> None:
    """`%gui qt` sets it; a script has no kernel at all."""
    monkeypatch.setattr(hosts, "shell", lambda: shell)
    assert hosts.has_gui_loop() is expected
