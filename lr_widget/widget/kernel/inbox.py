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

_HEADER, _CONTENT = 1, 4  # places in a message of Jupyter's protocol, behind its addresses


class Inbox:
    """The messages to one comm that wait in the kernel.

    Args:
        comm_id: returns the id of the comm, or None where there is none.
    """

    def __init__(self, comm_id: Callable[[], str | None]) -> None:
        self._comm_id = comm_id

    def reader(self) -> Callable[[], None] | None:
        """Return a function that takes what waits for this thread, or None if nothing here can be read."""
        kernel = getattr(hosts.shell(), "kernel", None)
        stream = _cells_stream(kernel)
        return None if stream is None else lambda: self._read(kernel, stream)

    def _read(self, kernel: Any, stream: Any) -> None:
        import zmq

        while stream.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            with uninterrupted():  # a message that was taken and then forgotten would be a cell that never runs
                frames = stream.socket.recv_multipart(zmq.NOBLOCK, copy=False)
                if self._is_ours(kernel.session, frames):
                    _handle(kernel, stream, frames)
                else:
                    # As the stream does with what it receives. There is no public way to it.
                    stream._run_callback(stream._recv_callback, frames)  # noqa: SLF001

    def _is_ours(self, session: Any, frames: list[Any]) -> Any:
        """Look into a message without the check of its signature, which can be made only once."""
        try:
            _, parts = session.feed_identities(frames, copy=False)
            header, content = (session.unpack(parts[place].bytes) for place in (_HEADER, _CONTENT))
        except (ValueError, IndexError):  # ipykernel 7 sends itself some messages that are none of the protocol
            return False
        return header.get("msg_type") == "comm_msg" and content.get("comm_id") == self._comm_id()


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
    return stream if is_known and hasattr(kernel, "comm_manager") else None


def _handle(kernel: Any, stream: Any, frames: list[Any]) -> None:
    """Handle a message to a comm as the kernel would, but let what is printed afterwards belong to the cell."""
    session = kernel.session
    idents, parts = session.feed_identities(frames, copy=False)
    try:
        message = session.deserialize(parts, content=True, copy=False)
    except (ValueError, TypeError):  # a wrong signature; the kernel drops such messages, too
        return

    def tell(state: str, **parent: Any) -> None:
        session.send(kernel.iopub_socket, "status", {"execution_state": state}, **parent)

    tell("busy", parent=message)
    kernel.comm_manager.comm_msg(stream, idents, message)
    tell("idle", parent=message)  # the page takes the message for done
    tell("busy", parent=kernel.get_parent("shell"))  # but not the cell
