"""A widget notices that the notebook's names of its objects belong to others."""

from __future__ import annotations

from typing import Any

import pytest

from lr_widget.widget.inputs.replaced import NamedObjects

from ..helpers import Make, Training, note

MODEL, OPTIMIZER = object(), object()


def remark(notebook: dict[str, Any], before: dict[str, Any], now: dict[str, Any], objects: list[Any]) -> str:
    """Return the remark on objects that were given when the variables were those of `before`."""
    notebook.update(before)
    named = NamedObjects(objects)
    notebook.clear()
    notebook.update(now)
    return named.remark()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"model": MODEL, "optimizer": OPTIMIZER}, ""),
        (
            {"model": MODEL, "optimizer": object()},
            "The notebook's optimizer is another object by now; to test it, run this cell again.",
        ),
        (
            {"model": object(), "optimizer": object()},
            "The notebook's model and optimizer are other objects by now; to test them, run this cell again.",
        ),
        ({"model": MODEL}, ""),  # deleted
        ({"model": MODEL, "optimizer": None}, ""),  # likewise
        ({"model": MODEL, "optimizer": object(), "old": OPTIMIZER}, ""),  # a name of a loop, perhaps
        ({"model": MODEL, "optimizer": object(), "_": OPTIMIZER}, "The notebook's optimizer is another"),
    ],
)
def test_a_name_of_another_object_is_told(notebook: dict[str, Any], now: dict[str, Any], said: str) -> None:
    """Only where the widget's own object has no name of the user's left."""
    text = remark(notebook, {"model": MODEL, "optimizer": OPTIMIZER}, now, [MODEL, OPTIMIZER, None, (1, 2)])
    assert text.startswith(said)
    assert bool(text) == bool(said)


def test_members_of_a_list_are_told_by_their_own_names(notebook: dict[str, Any]) -> None:
    """As several models and optimizers are given."""
    text = remark(notebook, {"net_d": MODEL}, {"net_d": object()}, [[MODEL, OPTIMIZER], OPTIMIZER])
    assert text == "The notebook's net_d is another object by now; to test it, run this cell again."


def test_plain_values_are_no_objects(notebook: dict[str, Any]) -> None:
    """A variable that held None may get a rate while the widget has no loss_fn."""
    text = remark(notebook, {"lr": None, "n": 3}, {"lr": 3e-3, "n": 4}, [MODEL, None, [3, "text"]])
    assert text == ""


def test_without_a_notebook_nothing_is_said() -> None:
    """As in a script."""
    assert NamedObjects([MODEL]).remark() == ""


@pytest.mark.parametrize("action", ["run", "probe"])
def test_the_end_of_a_run_says_that_it_was_of_the_old_optimizer(
    make_widget: Make, notebook: dict[str, Any], training: Training, action: str
) -> None:
    """In yellow, after the usual words; the next widget has nothing to say."""
    notebook["opt"] = training.optimizer
    widget = make_widget(num_steps=20, max_probe_steps=40)
    widget.run()
    assert note(widget).endswith("as before.")
    notebook["opt"] = object()
    getattr(widget, action)()
    said = "as before. The notebook's opt is another object by now; to test it, run this cell again."
    assert note(widget).endswith(said)
    assert widget.view_state["note"]["kind"] == "warning"
    again = make_widget(num_steps=20)
    again.run()
    assert note(again).endswith("as before.")
