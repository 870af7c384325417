"""The keywords of a range test are known to help(), to completion and to the check for unknown ones, from one place."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import LRFinderWidget, iter_range_test, probe, range_test
from lr_widget.engine.keywords import _HINTS, _NAMES_OF_OTHERS, DEFAULTS, Keywords, spelled_out

GIVEN = ("model", "optimizer", "loss_fn", "train_data")


def test_every_keyword_has_a_type_and_a_default() -> None:
    """In the same order, so that neither list can be forgotten."""
    assert [*Keywords.__annotations__] == [*DEFAULTS]


def test_help_shows_every_keyword_of_range_test() -> None:
    """With its default; the two that it has of its own are there once."""
    parameters = inspect.signature(range_test).parameters
    assert list(parameters)[:7] == ["model", "optimizer", "loss_fn", "train_data", "start_lr", "end_lr", "num_steps"]
    assert parameters["num_steps"].default == 100
    assert set(parameters) - set(inspect.signature(iter_range_test).parameters) == {"repeats", "progress"}


@pytest.mark.parametrize("function", [iter_range_test, range_test, probe])
def test_the_docstring_describes_every_keyword(function: Any) -> None:
    """Also those that come through **options; nothing of the machinery is left in it."""
    doc = inspect.getdoc(function)
    section = doc[doc.index("Args:") : doc.index("Returns:")]
    names = [name for line in section.splitlines() for name in line.partition(":")[0].strip().split(", ")]
    assert set(inspect.signature(function).parameters) - set(names) == set()
    assert "**options" not in doc


def test_a_spelled_out_function_keeps_its_own_parameters_and_puts_them_in_place() -> None:
    """First and last frame the rest; positional parameters stay in front."""

    @spelled_out(first=("own",), last=("seed",))
    def function(model: Any, *, own: int = 3, **options: Any) -> int:
        """Return nothing."""

    parameters = inspect.signature(function).parameters
    assert list(parameters)[:3] == ["model", "own", "start_lr"]
    assert list(parameters)[-1] == "seed"
    assert parameters["own"].default == 3
    assert parameters["model"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert parameters["start_lr"].kind is inspect.Parameter.KEYWORD_ONLY
    assert str(parameters["start_lr"]) == "start_lr: 'float' = 1e-07"


@pytest.mark.parametrize("function", [iter_range_test, range_test, probe])
def test_an_unknown_keyword_is_refused_with_the_closest_one(function: Any) -> None:
    """Before anything runs."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    given = (model, optimizer, nn.functional.mse_loss, [(torch.ones(4, 2), torch.ones(4, 1))])
    name = function.__name__
    with pytest.raises(TypeError, match=rf"^{name} got an unexpected .* 'num_stepz'; did you mean 'num_steps'\?$"):
        function(*given, num_stepz=3)
    with pytest.raises(TypeError, match=rf"^{name} got an unexpected keyword argument 'colour'; see help\({name}\)$"):
        function(*given, colour="red")


@pytest.mark.parametrize(
    ("function", "wrong", "meant"),
    [(range_test, "repeat", "repeats"), (range_test, "progres", "progress"), (probe, "probe_step", "probe_steps")],
)
def test_the_closest_keyword_may_be_one_of_the_functions_own(function: Any, wrong: str, meant: str) -> None:
    """Those that are not in `Keywords` are known, too."""
    with pytest.raises(TypeError, match=rf"'{wrong}'; did you mean '{meant}'\?"):
        function(None, None, None, None, **{wrong: 1})


def test_repeats_are_none_of_iter_range_test() -> None:
    """A generator is one sweep."""
    with pytest.raises(TypeError, match=r"^iter_range_test got an unexpected keyword argument 'repeats'"):
        iter_range_test(None, None, None, None, repeats=3)


@pytest.mark.parametrize("function", [iter_range_test, range_test, probe])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        # torch-lr-finder, LRFinder(…) and its range_test(…)
        ("criterion", "loss_fn"),
        ("train_loader", "train_data"),
        ("val_loader", "val_data"),
        ("num_iter", "num_steps"),
        ("step_mode", "schedule"),
        ("diverge_th", "diverge_factor"),
        ("amp", "autocast"),
        # ignite, FastaiLRFinder.attach(…)
        ("min_lr", "start_lr"),
        ("max_lr", "end_lr"),
        # Lightning, lr_find(…) and Trainer(…)
        ("num_training", "num_steps"),
        ("train_dataloaders", "train_data"),
        ("val_dataloaders", "val_data"),
        ("mode", "schedule"),
        ("early_stop_threshold", "diverge_factor"),
        ("accumulate_grad_batches", "accumulation_steps"),
        ("gradient_clip_val", "max_grad_norm"),
        # fastai, lr_find(…)
        ("num_it", "num_steps"),
        # luz and the oldest scripts
        ("init_value", "start_lr"),
        ("final_value", "end_lr"),
        # transformers and accelerate
        ("gradient_accumulation_steps", "accumulation_steps"),
        ("dataloader", "train_data"),
        ("num_training_steps", "train_steps"),
        ("lr_scheduler_type", "train_schedule"),
        # torch, OneCycleLR(…)
        ("total_steps", "train_steps"),
    ],
)
def test_the_name_of_another_library_is_refused_with_ours(function: Any, theirs: str, ours: str) -> None:
    """One sentence that names the function and the keyword."""
    if (function, ours) == (probe, "num_steps"):
        ours = "probe_steps"  # a probe has no use for the other
    message = f"{function.__name__} got an unexpected keyword argument {theirs!r}; did you mean {ours!r}?"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        function(None, None, None, None, **{theirs: 1})


@pytest.mark.parametrize("theirs", ["batch_size", "shuffle", "num_workers"])
def test_an_option_of_the_loader_is_refused_with_its_place(theirs: str) -> None:
    """A range test makes the loader itself where it is given tensors or a dataset."""
    message = (
        f"range_test got an unexpected keyword argument {theirs!r}; did you mean dataloader_options={{{theirs!r}: …}}?"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        range_test(None, None, None, None, **{theirs: 1})


@pytest.mark.parametrize(
    ("theirs", "remedy"),
    [
        ("smooth_f", r"the records keep the raw loss; smooth it with records.smoothed_loss\(beta=…\)"),
        ("stop_div", "give diverge_factor=None for a test that does not end"),
        (
            "scheduler",
            r"a test steps no scheduler; name the one that you will train with by train_schedule, .* also_restore=\[…\]",
        ),
        ("max_steps", "num_steps is the length of the test, and train_steps that of the training"),
    ],
)
def test_a_name_for_what_is_done_in_another_way_is_refused_with_that_way(theirs: str, remedy: str) -> None:
    """There is no keyword for it."""
    with pytest.raises(TypeError, match=f"^range_test got an unexpected keyword argument '{theirs}'; {remedy}"):
        range_test(None, None, None, None, **{theirs: 1})


def test_no_keyword_of_ours_stands_among_the_names_of_others() -> None:
    """A keyword that all of them know is never refused, so such an entry would be dead; all the others lead to one."""
    callers = (range_test, probe, LRFinderWidget)
    of_test, of_probe, of_widget = ({*inspect.signature(caller).parameters} for caller in callers)
    assert not set(_HINTS) & of_test & of_probe & of_widget
    assert set(_NAMES_OF_OTHERS) <= of_test | of_probe
