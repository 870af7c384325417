"""A widget on a framework's training: it shows what the adapter says, and its rate goes where the framework keeps it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import LRFinderWidget
from lr_widget.schedule import Sweep

from ..helpers import click, note
from ..trainings import Trainer, keywords_of, make_trainer

Open = Callable[..., LRFinderWidget]


@pytest.fixture(params=["from_transformers", "the keywords"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A function that opens a widget on a trainer, in both ways that there are."""
    monkeypatch.setattr("lr_widget.widget.inputs.trainers.transformers", keywords_of)
    made: list[LRFinderWidget] = []

    def open_(given: Trainer, **settings: Any) -> LRFinderWidget:
        if request.param == "from_transformers":
            widget = LRFinderWidget.from_transformers(given, **settings)
        else:
            widget = LRFinderWidget(**{**keywords_of(given), **settings})
        made.append(widget)
        return widget

    yield open_
    for widget in made:
        widget.close()


def test_the_widget_shows_what_the_adapter_says(opened: Open) -> None:
    """The bounds, the length and the schedule of the training are those of the framework."""
    widget = opened(make_trainer())
    assert (widget.sweep, widget.train_steps, widget.train_schedule) == (Sweep(1e-4, 10.0, 100), 60, "linear")


def test_settings_are_the_widgets_and_keywords_the_adapters(opened: Open) -> None:
    """Both are given in one call; a keyword wins over the framework."""
    widget = opened(
        make_trainer(),
        variable="best",
        smoothing=0.5,
        max_probe_steps=64,
        loss_scale="log",
        num_steps=12,
        train_steps=None,
    )
    shown = (widget.variable, widget.smoothing, widget.max_probe_steps, widget.loss_scale, widget.num_steps)
    assert shown == ("best", 0.5, 64, "log", 12)
    assert (widget.train_steps, widget.start_lr) == (None, 1e-4)


def test_apply_puts_the_rate_where_the_framework_keeps_it(opened: Open) -> None:
    """From Python and by the button: the rate as it is shown, and the status line names the place."""
    given = make_trainer()
    widget = opened(given, num_steps=20)
    widget.run()
    assert widget.apply() == given.args.learning_rate == float(widget.answer["selected"])
    assert note(widget) == f"Applied {widget.answer['selected']} to trainer.args.learning_rate."
    widget.selected_lr = 0.023451
    click(widget, "apply")
    assert given.args.learning_rate == 0.023451
    assert note(widget) == "Applied 0.023451 to trainer.args.learning_rate."
    assert widget.answer["receiver"] == "trainer"


def test_a_widget_without_a_framework_applies_to_its_optimizer() -> None:
    """As its button says."""
    given = make_trainer()
    optimizer = torch.optim.SGD(given.model.parameters(), lr=0.1)
    widget = LRFinderWidget(given.model, optimizer, nn.functional.mse_loss, keywords_of(given)["train_data"])
    widget.selected_lr = 0.02
    widget.apply()
    assert (optimizer.param_groups[0]["lr"], widget.answer["receiver"]) == (0.02, "optimizer")
    widget.close()


def test_a_place_is_told_in_text_that_can_be_sent(opened: Open) -> None:
    """Its name may be the user's."""
    given = make_trainer()
    given.place = "hparams['\udc80']"
    widget = opened(given)
    widget.selected_lr = 0.02
    widget.apply()
    assert note(widget) == "Applied 0.02 to hparams['�']."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("the module keeps no learning rate; name it"), "The module keeps no learning rate; name it."),
        (KeyError("lr"), "KeyError: 'lr'."),
        (ValueError("no such \udc80 rate \x1b[31m"), "No such � rate ."),
    ],
)
def test_an_error_of_the_framework_is_told(opened: Open, error: Exception, said: str) -> None:
    """It propagates from Python, and a click shows it as text."""
    given = make_trainer()
    given.error = error
    widget = opened(given)
    widget.selected_lr = 0.02
    with pytest.raises(type(error), match=r"lr|rate"):
        widget.apply()
    click(widget, "apply")
    assert (widget.view_state["note"], given.args.learning_rate) == ({"kind": "warning", "text": said}, 5e-5)


def test_no_rate_is_applied_while_a_test_runs(opened: Open) -> None:
    """The framework's place is left alone, too."""
    given = make_trainer()
    widget = opened(given, num_steps=20)
    errors: list[str] = []

    def apply(change: Any) -> None:
        if change["new"] == "running":
            widget.selected_lr = 0.02
            with pytest.raises(RuntimeError, match="a range test is running") as caught:
                widget.apply()
            errors.append(str(caught.value))

    widget.observe(apply, "status")
    widget.run()
    assert (len(errors), given.args.learning_rate) == (1, 5e-5)


def test_probes_work_on_the_adapters_keywords(opened: Open) -> None:
    """Their rate is applied as the other one."""
    given = make_trainer()
    widget = opened(given, num_steps=20, max_probe_steps=64)
    widget.run()
    widget.probe()
    assert widget.rule == "probe"
    assert widget.apply() == given.args.learning_rate


def test_an_unknown_setting_is_refused_by_the_name_of_the_call(opened: Open) -> None:
    """Before the adapter makes anything of the framework's objects."""
    with pytest.raises(
        TypeError, match=r"LRFinderWidget(\.from_transformers)? got an .* 'num_iter'; did you mean 'num_st"
    ):
        opened(make_trainer(), num_iter=3)
    with pytest.raises(TypeError, match=r"LRFinderWidget\.from_fastai got an unexpected keyword argument 'colour'"):
        LRFinderWidget.from_fastai(object(), colour="red")


def test_a_closed_widget_lets_go_of_the_framework(opened: Open) -> None:
    """The trainer is freed, although the widget is still referred to, and a rate is refused."""
    given = make_trainer()
    gone = weakref.ref(given)
    widget = opened(given, num_steps=5)
    widget.run()
    widget.selected_lr = 0.01
    widget.close()
    with pytest.raises(ValueError, match="this widget is closed and has let go of its model"):
        widget.apply()
    del given
    gc.collect()
    assert gone() is None
