"""The outputs of a cell: the view, and beside it what the notebook keeps, which is replaced in place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lr_widget.widget.kernel import Outputs, hosts

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, Any]]:
    """Everything that is displayed in a kernel: the display id and the data, `None` and the data for the view."""
    shown: list[tuple[str | None, Any]] = []

    class Handle:
        def __init__(self, name: str) -> None:
            self.name = name

        def update(self, data: Any, *, raw: bool) -> None:
            assert raw
            shown.append((self.name, data))

    def display(data: Any, *, raw: bool, display_id: bool = False) -> Handle | None:
        assert raw
        handle = Handle(f"output {len(shown)}") if display_id else None
        shown.append((handle.name if handle else None, data))
        return handle

    monkeypatch.setattr(hosts, "shell", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", display)
    return shown


def test_the_view_is_followed_by_what_the_notebook_keeps(published: list[Any]) -> None:
    """Two outputs, so that an update does not make the page draw the view anew."""
    outputs = Outputs()
    outputs.show("abc", {"text/plain": "idle"})
    [(no_id, view), (name, kept)] = published
    assert (no_id, view[VIEW]["model_id"], view["text/plain"]) == (None, "abc", "Learning-rate range test")
    assert kept == {"text/plain": "idle"}
    outputs.update({"text/plain": "done"})
    assert published[2:] == [(name, {"text/plain": "done"})]


def test_every_output_is_updated_and_old_ones_are_forgotten(published: list[Any]) -> None:
    """A cell that runs again and again does not make updates ever more expensive."""
    outputs = Outputs()
    for _ in range(20):
        outputs.show("abc", {"text/plain": "idle"})
    names = [name for name, _ in published if name]
    del published[:]
    outputs.update({"text/plain": "done"})
    assert [name for name, _ in published] == names[-3:]


def test_a_closed_widget_and_a_terminal_show_the_words_alone(
    published: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no view to show; a terminal would print every update, so it gets none."""
    Outputs().show(None, {"text/plain": "closed"})
    monkeypatch.setattr(hosts, "shell", SimpleNamespace)
    in_terminal = Outputs()
    in_terminal.show("abc", {"text/plain": "idle"})
    in_terminal.update({"text/plain": "done"})
    assert [data for _, data in published] == [{"text/plain": "closed"}, {"text/plain": "idle"}]


def test_a_copy_that_cannot_be_kept_is_no_error(monkeypatch: pytest.MonkeyPatch, published: list[Any]) -> None:
    """The run whose end it is about has its records all the same."""
    outputs = Outputs()
    outputs.show("abc", {"text/plain": "idle"})
    [handle] = outputs._handles

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(handle, "update", fail)
    outputs.update({"text/plain": "done"})
    assert len(published) == 2
