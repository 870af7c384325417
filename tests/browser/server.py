"""A Jupyter server on a free loopback port, with settings and folders of its own."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environments import KEPT, NEWEST, PACKAGE_ROOT, Environment
from .lab import Lab

SERVER_START_S = 90
HOST_PAGES = Path(__file__).with_name("hosts")


@contextmanager
def serve(app: str, private: Path, environment: Environment = NEWEST) -> Iterator[Lab]:
    """Run `jupyterlab` or `notebook` with the front ends of an environment's widgets."""
    root = private / "notebooks"
    root.mkdir()
    port, token = free_port(), secrets.token_hex(16)
    variables = os.environ | {
        f"JUPYTER_{kind}_DIR": str(private / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
    }
    variables |= {"JUPYTERLAB_SETTINGS_DIR": str(private / "settings"), "IPYTHONDIR": str(private / "ipython")}
    variables |= {"JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces")}
    # The kernels import the package under test, whether it is installed or not.
    variables |= {"PYTHONPATH": str(PACKAGE_ROOT), "JUPYTER_PATH": str(KEPT / "jupyter")}
    news = private / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false, "doNotDisturbMode": true}')
    command = [str(environment.python), "-m", app, "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={token}", "--expose-app-in-browser", f"--ServerApp.root_dir={root}"]
    if app == "jupyterlab":  # the app is shared by all environments, and only in the folders of this one
        command += [f"--app-dir={Path(sys.prefix, 'share', 'jupyter', 'lab')}"]
    # The pages of other hosts are there, too, under /static/.
    command += [f"--ServerApp.extra_static_paths={[str(HOST_PAGES)]}"]
    log_path = private / "server.log"
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(server, f"{url}/api/status?token={token}", log_path)
            yield Lab(url, token, root)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(timeout=30)


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until a server answers, or fail with its log."""
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, f"The server ended while starting:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"The server was not up within {SERVER_START_S} s:\n{log.read_text()}")
