"""Optimizers in every form that users have them in, those that need a closure, and those with modes of their own."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import schedulefree
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from lr_widget.training.optimizers import asks_for_closure, has_modes, needs_closure, put_into_train_mode, unpacked

from .helpers import one_weight, sgd

A, B = sgd(one_weight()), sgd(one_weight())
STEP, PLATEAU = StepLR(A, 1), ReduceLROnPlateau(B)


@pytest.mark.parametrize(
    ("given", "optimizers", "schedulers"),
    [
        (A, [A], []),
        ([B, A], [B, A], []),
        ((A, B), [A, B], []),
        ({"generator": B, "critic": A}, [B, A], []),
        (MappingProxyType({"a": A, "b": B}), [A, B], []),
        # configure_optimizers of Lightning
        (([A], [STEP]), [A], [STEP]),
        (([A, B], []), [A, B], []),
        (([A, B], [STEP, {"scheduler": PLATEAU, "monitor": "val_loss"}]), [A, B], [STEP, PLATEAU]),
        ({"optimizer": A}, [A], []),
        ({"optimizer": A, "lr_scheduler": STEP}, [A], [STEP]),
        (
            {
                "optimizer": A,
                "lr_scheduler": {
                    "scheduler": PLATEAU,
                    "interval": "epoch",
                    "frequency": 1,
                    "monitor": "val_loss",
                    "strict": True,
                    "name": None,
                },
            },
            [A],
            [PLATEAU],
        ),
        (
            (
                {"optimizer": A, "lr_scheduler": STEP, "frequency": 1},
                {"optimizer": B, "lr_scheduler": {"scheduler": PLATEAU, "monitor": "loss", "reduce_on_plateau": True}},
            ),
            [A, B],
            [STEP, PLATEAU],
        ),
        # a pair as other trainers take it
        ((A, STEP), [A], [STEP]),
    ],
)
def test_optimizers_and_schedulers_are_told_apart_in_every_form(
    given: Any, optimizers: list[Any], schedulers: list[Any]
) -> None:
    """Both in the order in which they stand there; settings beside them are left out."""
    assert unpacked(given) == (optimizers, schedulers)


def test_an_object_around_an_optimizer_serves_as_one() -> None:
    """The wrapper of schedulefree is no torch optimizer, but has its groups and steps."""
    wrapper = schedulefree.ScheduleFreeWrapper(sgd(one_weight()))
    assert unpacked([A, wrapper]) == ([A, wrapper], [])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            None,
            TypeError,
            r"^optimizer must be a torch.optim.optimizer.Optimizer or several, got None of type NoneType; m",
        ),
        ("adam", TypeError, "got 'adam' of type str; make one first"),
        (
            torch.optim.SGD,
            TypeError,
            r"got <class .*> of type type; make one first, as torch.optim.SGD\(model.parameters",
        ),
        ([A, 1], TypeError, "got 1 of type int"),
        ({"generator": A, "critic": None}, TypeError, "got None of type NoneType"),
        ([], ValueError, "optimizer is empty; give at least one"),
        (([], [STEP]), ValueError, "optimizer is empty; give at least one"),
    ],
)
def test_what_is_no_optimizer_is_refused(given: Any, error: type[Exception], message: str) -> None:
    """Something else, something else among several, or none at all."""
    with pytest.raises(error, match=message):
        unpacked(given)


class Fleeting(torch.optim.SGD):
    """An optimizer that makes its param groups anew at each look."""

    @property
    def param_groups(self) -> Any:
        return [{**group} for group in self.held]

    @param_groups.setter
    def param_groups(self, groups: Any) -> None:
        self.held = groups


def test_an_optimizer_that_forgets_its_rates_is_refused() -> None:
    """A rate set in its groups is gone with the next look, so that all steps would be made at one rate."""
    message = (
        "must keep its param_groups, but tests.training.test_optimizers.Fleeting makes new ones .*; give the optimiz"
    )
    optimizer = Fleeting.__new__(Fleeting)
    optimizer.held = [{"params": [torch.ones(1)], "lr": 0.1}]
    with pytest.raises(TypeError, match=message):
        unpacked([A, optimizer])


class Optional(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class Required(torch.optim.SGD):
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        return super().step(closure)


class Anything(torch.optim.SGD):
    def step(self, *closure: Any) -> Any:
        return super().step(*closure)


@pytest.mark.parametrize(
    ("kind", "is_needed"),
    [(torch.optim.LBFGS, True), (Required, True), (torch.optim.SGD, False), (Optional, False), (Anything, False)],
)
def test_a_closure_is_needed_where_step_requires_it(kind: Any, is_needed: bool) -> None:
    """LBFGS by name, others by the signature of their step."""
    assert needs_closure(kind(one_weight().parameters(), lr=0.1)) is is_needed


class NoClosureError(Exception):
    """As that of pytorch_optimizer."""


def call_none() -> None:
    none: Any = None
    none()


def error_of(raising: Any) -> Exception:
    """Return the exception that a function raises."""
    try:
        raising()
    except Exception as error:  # noqa: BLE001  # any is looked at
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("error", "asks"),
    [
        (NoClosureError("SAM"), True),
        (RuntimeError("SAM requires closure, but it was not provided"), True),
        (AssertionError("Sharpness Aware Minimization requires closure, but it was not provided"), True),
        (AssertionError(), True),
        (error_of(call_none), True),
        (AssertionError("No inf checks were recorded for this optimizer."), False),
        (RuntimeError("out of memory"), False),
        (TypeError("'int' object is not callable"), False),
        (ValueError("'NoneType' object is not callable"), False),
    ],
)
def test_an_exception_that_asks_for_a_closure_is_told_by_its_words(error: Exception, asks: bool) -> None:
    """An assertion without words and a call of None count, other exceptions are the user's."""
    assert asks_for_closure(error) is asks


def test_only_methods_of_both_names_are_modes() -> None:
    """An attribute `train` of an optimizer is none."""
    assert has_modes(schedulefree.SGDScheduleFree(one_weight().parameters()))
    assert not has_modes(A)
    for lacking in (SimpleNamespace(train=True, eval=False), SimpleNamespace(train=print)):
        assert not has_modes(lacking)  # type: ignore[arg-type]


def test_train_mode_comes_without_a_warm_up() -> None:
    """Optimizers with modes are put into train mode and step at their whole rate; others are left alone."""
    free = schedulefree.SGDScheduleFree(one_weight().parameters(), warmup_steps=100)
    other = sgd(one_weight())
    other.param_groups[0]["warmup_steps"] = 100
    put_into_train_mode([free, other])
    assert free.param_groups[0]["train_mode"] is True
    assert (free.param_groups[0]["warmup_steps"], other.param_groups[0]["warmup_steps"]) == (0, 100)
