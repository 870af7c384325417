"""Messages to a widget while a cell keeps the kernel busy: taken between two steps instead of after the cell.

A kernel handles one message after another, and a cell is one of them, so a click on Stop waits until the cell with the
run has ended. ipykernel keeps what waits in a ZeroMQ socket of the thread that runs the cells. The messages to one
widget are taken out of it here; all others go, in their order, where the kernel would have put them itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...interrupts import uninterrupted
from . import hosts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipywidgets import DOMWidget

_HEADER, _CONTENT = 1, 4  # places in a message of Jupyter's protocol, behind its addresses


class Inbox:
    """The messages to one widget that wait in the kernel."""

    def __init__(self, widget: DOMWidget) -> None:
        self._widget = widget

    def reader(self) -> Callable[[], None] | None:
        """Return a function that takes what waits for this thread, or None if nothing here can be read."""
        kernel = getattr(hosts.shell(), "kernel", None)
        stream = _cells_stream(kernel)
        return None if stream is None else lambda: self._read(kernel, stream)

    def _read(self, kernel: Any, stream: Any) -> None:
        import zmq

        # Nothing may leave this loop before the socket is empty: a look at its events uses up the signal by which the
        # kernel would learn of the rest, and a message that was taken and forgotten would be a cell that never runs.
        with uninterrupted():
            while stream.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                frames = stream.socket.recv_multipart(zmq.NOBLOCK, copy=False)
                if self._is_ours(kernel.session, frames):
                    self._handle(kernel, frames)
                else:
                    # As the stream does with what it receives. There is no public way to it.
                    stream._run_callback(stream._recv_callback, frames)  # noqa: SLF001

    def _is_ours(self, session: Any, frames: list[Any]) -> bool:
        """Look into a message without the check of its signature, which can be made only once."""
        try:
            _, parts = session.feed_identities(frames, copy=False)
            header, content = (dict(session.unpack(parts[place].bytes)) for place in (_HEADER, _CONTENT))
        except (ValueError, TypeError, IndexError):  # ipykernel 7 sends itself messages that are none of the protocol
            return False
        comm = self._widget.comm  # None once the widget is closed
        is_to_comm = header.get("msg_type") == "comm_msg" and comm is not None
        return is_to_comm and bool(content.get("comm_id") == comm.comm_id)

    def _handle(self, kernel: Any, frames: list[Any]) -> None:
        """Handle a message as the kernel would, but as a part of the cell.

        What is printed afterwards belongs to the cell, and IPython's hooks for the end of a cell are not called, such
        as the one that shows and closes matplotlib's figures.
        """
        session = kernel.session
        _, parts = session.feed_identities(frames, copy=False)
        try:
            message = session.deserialize(parts, content=True, copy=False)
        except (ValueError, TypeError):  # a wrong signature; the kernel drops such messages, too
            return

        def tell(state: str, **parent: Any) -> None:
            session.send(kernel.iopub_socket, "status", {"execution_state": state}, **parent)

        tell("busy", parent=message)
        self._widget._handle_msg(message)  # noqa: SLF001  # what ipywidgets gives its comm to call
        tell("idle", parent=message)  # the page takes the message for done
        tell("busy", parent=kernel.get_parent("shell"))  # but not the cell


def _cells_stream(kernel: Any) -> Any:
    """Return the stream from which ipykernel reads messages to this thread, or None if it is not the cells' thread."""
    if kernel is None or not hosts.cells_run_here():
        return None
    stream = getattr(kernel, "shell_stream", None)
    shell_thread = getattr(kernel, "shell_channel_thread", None)
    if shell_thread is not None:  # ipykernel 7: another thread reads the socket and passes the messages on to this one
        find = getattr(shell_thread.manager, "get_shell_channel_to_subshell_pair", None)
        stream = None if find is None else find(None).to_stream
    # Another kernel may have neither: its runs are deaf then, and say so.
    is_known = all(hasattr(stream, name) for name in ("socket", "_recv_callback", "_run_callback"))
    return stream if is_known else None
