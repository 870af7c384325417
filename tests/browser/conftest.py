"""A real JupyterLab on a free loopback port, and a real browser that drives it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import lr_widget

from .lab import Lab, Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SERVER_START_S = 90
WAIT_MS = 60_000
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server with settings and folders of its own."""
    root = tmp_path_factory.mktemp("notebooks")
    private = tmp_path_factory.mktemp("jupyter")
    port, token = _free_port(), secrets.token_hex(16)
    environment = os.environ | {
        f"JUPYTER_{kind}_DIR": str(private / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(private / "settings"), "IPYTHONDIR": str(private / "ipython")}
    # The kernels import the package under test, whether it is installed or not.
    environment |= {"PYTHONPATH": str(Path(lr_widget.__file__).parents[1])}
    environment |= {"JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces")}
    news = private / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}')
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", "--expose-app-in-browser", f"--ServerApp.root_dir={root}"]
    log_path = private / "server.log"
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_up(server, f"{url}/api/status?token={token}", log_path)
            yield Lab(url, token, root)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


def _wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, f"JupyterLab ended while starting:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab was not up within {SERVER_START_S} s:\n{log.read_text()}")


@pytest.fixture(scope="module")  # Playwright runs an event loop in this thread, which other tests must not find
def browser() -> Iterator[Browser]:
    """A Chromium without a window, from the system where it has one, else Playwright's."""
    from playwright.sync_api import sync_playwright

    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(lab: Lab, browser: Browser) -> Iterator[Callable[..., Notebook]]:
    """A function that opens a notebook of code cells in a browser window of its own."""
    contexts = []

    def open_(cells: list[str], **options: Any) -> Notebook:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 1000}} | options))
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        notebook = Notebook(context.new_page(), lab, lab.write(cells))
        notebook.open()
        return notebook

    yield open_
    for context in contexts:
        context.close()
    _shut_kernels(lab)


def _shut_kernels(lab: Lab) -> None:
    headers = {"Authorization": f"token {lab.token}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{lab.url}/api/sessions", headers=headers), timeout=30
    ) as reply:
        sessions = json.load(reply)
    for session in sessions:
        request = urllib.request.Request(f"{lab.url}/api/sessions/{session['id']}", headers=headers, method="DELETE")
        with urllib.request.urlopen(request, timeout=30):
            pass
