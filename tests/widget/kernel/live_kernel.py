"""A real kernel of this environment, spoken to as a notebook's page does: cells and messages to widgets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

import lr_widget

WAIT_S = 60


class LiveKernel:
    """The kernel, its client and all that it published so far."""

    def __init__(self, ipython_dir: Path) -> None:
        package = str(Path(lr_widget.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": package, "IPYTHONDIR": str(ipython_dir)}
        self._manager, self._client = start_new_kernel(startup_timeout=WAIT_S, env=environment)
        self.published: list[dict[str, Any]] = []

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def begin(self, code: str, cell: str = "") -> str:
        """Send a cell and return the id of its message; `cell` is its id, which JupyterLab and VS Code send along."""
        session = self._client.session
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = session.msg("execute_request", content, metadata={"cellId": cell} if cell else {})
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def send(self, comm_id: str, data: Any, *, is_signed: bool = True) -> str:
        """Send a message to a widget and return its id."""
        session = self._client.session
        message = session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        frames = session.serialize(message)
        if not is_signed:
            frames[1] = b"0" * 64
        self._client.shell_channel.socket.send_multipart(frames)
        return str(message["header"]["msg_id"])

    def click(self, comm_id: str, **command: Any) -> str:
        """Send a command of lr_widget."""
        return self.send(comm_id, {"method": "custom", "content": {"serial": "1", **command}})

    def wait_for(self, wanted: Any) -> dict[str, Any]:
        """Read on until a published message fulfils a condition, and return it."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            message = self._client.get_iopub_msg(timeout=WAIT_S)
            self.published.append(message)
            if wanted(message):
                return dict(message)
        raise AssertionError("the kernel did not publish it")

    def end(self, message_id: str) -> str:
        """Wait for the end of a cell and return what it printed."""
        self.wait_for(lambda m: _parent(m) == message_id and m["content"].get("execution_state") == "idle")
        of_cell = [m["content"] for m in self.published if _parent(m) == message_id]
        return "".join(content.get("text", "") + "\n".join(content.get("traceback", [])) for content in of_cell)

    def run(self, code: str, cell: str = "") -> str:
        """Run a cell and return what it printed."""
        return self.end(self.begin(code, cell))

    def states(self, message_id: str) -> list[str]:
        """Return the states of the kernel that it published for a message."""
        own = [m for m in self.published if _parent(m) == message_id and m["msg_type"] == "status"]
        return [m["content"]["execution_state"] for m in own]


def _parent(message: dict[str, Any]) -> Any:
    return message["parent_header"].get("msg_id")
