"""The host that shows the notebook is told by its marks."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lr_widget.widget.kernel import hosts

from ..helpers import in_another_thread


def test_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each host is told by its marks in the kernel's process."""
    namespace: dict[str, Any] = {}
    shell = SimpleNamespace(user_ns=namespace, kernel=object())
    monkeypatch.setattr(hosts, "shell", lambda: shell)
    monkeypatch.delenv("VSCODE_PID", raising=False)
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    assert hosts.current_host().name == "jupyter"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert hosts.current_host().name == "kaggle"
    namespace["__vsc_ipynb_file__"] = "a.ipynb"
    assert hosts.current_host().name == "vscode"
    monkeypatch.setitem(sys.modules, "marimo", ModuleType("marimo"))
    assert hosts.current_host().name == "vscode"  # a library like others there
    with monkeypatch.context() as without_ipython:
        without_ipython.setattr(hosts, "shell", lambda: None)
        assert hosts.current_host().name == "marimo"
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    assert hosts.current_host().name == "colab"


def test_a_script_has_no_host() -> None:
    """No shell, no host."""
    assert hosts.current_host().name == "none"


def test_every_host_has_its_row() -> None:
    """Each differs from JupyterLab in what was seen there."""
    assert list(hosts.HOSTS) == ["jupyter", "vscode", "colab", "kaggle", "marimo", "none"]
    assert [name for name, host in hosts.HOSTS.items() if not host.shows_threads] == ["colab"]
    assert [name for name, host in hosts.HOSTS.items() if not host.has_page] == ["none"]
    assert [name for name, host in hosts.HOSTS.items() if not host.mounts_chart] == ["marimo"]


@pytest.mark.parametrize(
    ("name", "in_main_thread", "elsewhere"), [("jupyter", True, False), ("marimo", True, True), ("none", False, False)]
)
def test_the_cells_thread_is_the_main_one_but_for_marimo(
    monkeypatch: pytest.MonkeyPatch, name: str, in_main_thread: bool, elsewhere: bool
) -> None:
    """Its kernel may be a thread of the server; a script has no cells."""
    monkeypatch.setattr(hosts, "_name", lambda: name)
    answers = [hosts.cells_run_here()]
    in_another_thread(lambda: answers.append(hosts.cells_run_here()))
    assert answers == [in_main_thread, elsewhere]


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
