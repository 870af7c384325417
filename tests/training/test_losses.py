"""The loss of every form of batch against a plain loop; wrong twins of each form are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test

from ..no_trace.state import Look
from .helpers import (
    RATES,
    SWEEP,
    assert_same,
    bare_loop,
    batches,
    mse,
    named_batches,
    net,
    supervised,
    swept,
    weights,
)

PAIR = batches(1)[0]


class TwoInputs(nn.Module):
    """A model of two inputs, `forward(a, b)`, with a weight for each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 1).double(), nn.Linear(2, 1).double()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.first(a) * self.second(b)


class Answers(nn.Module):
    """Takes the batch by keywords and answers as Hugging Face models do, in the form that `answer` makes."""

    def __init__(self, answer: Callable[[torch.Tensor, torch.Tensor | None], Any]) -> None:
        super().__init__()
        self.net, self.answer = net(), answer

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
        logits = self.net(inputs)
        return self.answer(logits, mse(logits, labels) if labels is not None else None)


def as_object(logits: torch.Tensor, loss: torch.Tensor | None) -> Any:
    return SimpleNamespace(loss=loss, logits=logits)


def as_dict(logits: torch.Tensor, loss: torch.Tensor | None) -> Any:
    return {"loss": loss, "logits": logits}


def test_longer_tuples_give_the_model_all_but_the_last() -> None:
    """A batch (a, b, targets) is `loss_fn(model(a, b), targets)`; a list does as well as a tuple."""
    made = torch.Generator().manual_seed(2)
    sizes = (3, 2, 1)
    data = [tuple(torch.randn(4, size, generator=made).double() for size in sizes) for _ in range(5)]
    expected_model = TwoInputs()
    expected = bare_loop(
        expected_model,
        torch.optim.SGD(expected_model.parameters(), lr=0.1),
        lambda batch: mse(expected_model.first(batch[0]) * expected_model.second(batch[1]), batch[2]),
        data,
    )
    for form in (tuple, list):
        model = TwoInputs()
        curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, [form(batch) for batch in data])
        assert_same(curve, expected)


@pytest.mark.parametrize("answer", [as_object, as_dict])
def test_a_mapping_is_given_by_keywords_and_the_models_own_loss_is_trained(answer: Any) -> None:
    """A batch {"inputs": …, "labels": …} without loss_fn is `model(**batch).loss` or its `["loss"]`."""
    model, bare = Answers(answer), net()
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), None, named_batches())
    assert_same(curve, bare_loop(bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches()))


def test_a_mapping_with_loss_fn_gives_it_the_output_and_the_batch() -> None:
    """With a loss_fn the mapping is `loss_fn(model(**batch), batch)`, and the model's own loss does not count."""
    model, bare = Answers(as_dict), net()

    def ten_times(output: Mapping[str, torch.Tensor], batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return 10 * mse(output["logits"], batch["labels"])

    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), ten_times, named_batches())
    sgd = torch.optim.SGD(bare.parameters(), lr=0.1)
    assert_same(curve, bare_loop(bare, sgd, lambda batch: 10 * mse(bare(batch[0]), batch[1]), batches()))


def test_a_train_step_is_given_the_models_as_they_came_and_the_batch() -> None:
    """Two models in a mapping with two optimizers: the losses and weights of the loop written out."""
    models, bare = {"encode": net()[0], "decode": net()[2]}, {"encode": net()[0], "decode": net()[2]}
    data = [(inputs, targets, "any", 3) for inputs, targets in batches()]
    curve = swept(
        models,
        [torch.optim.Adam(models["encode"].parameters(), lr=0.1), torch.optim.SGD(models["decode"].parameters(), 0.1)],
        None,
        data,
        train_step=lambda models, batch: mse(models["decode"](models["encode"](batch[0])), batch[1]) / batch[3],
    )
    adam, sgd = (
        torch.optim.Adam(bare["encode"].parameters(), lr=0.1),
        torch.optim.SGD(bare["decode"].parameters(), lr=0.1),
    )
    losses, moved = [], []
    for rate, (inputs, targets, *_) in zip(RATES, cycle(data)):
        adam.param_groups[0]["lr"] = sgd.param_groups[0]["lr"] = rate
        adam.zero_grad()
        sgd.zero_grad()
        loss = mse(bare["decode"](bare["encode"](inputs)), targets) / 3
        loss.backward()
        adam.step()
        sgd.step()
        losses.append(loss.item())
        moved.append(weights(*bare.values()))
    assert_same(curve, (losses, moved))


@pytest.mark.parametrize(
    ("make_model", "loss_fn", "batch", "error", "message"),
    [
        (
            TwoInputs,
            mse,
            (PAIR[0],),
            TypeError,
            r"a batch must be a pair .* or a mapping, got a tuple of length 1; .*tr",
        ),
        (
            net,
            mse,
            PAIR[0],
            TypeError,
            r"a batch must be a pair .*, got a torch.float64 tensor of shape \(4, 3\); .* give train_step.*, and for .* a tuple \(x, y\)",
        ),
        (net, mse, "digits", TypeError, r"a batch must be a pair .*, got 'digits' of type str; .* -> loss(\n|$)"),
        (TwoInputs, mse, PAIR, TypeError, r"missing 1 required positional argument: 'b'"),
        (net, None, PAIR, TypeError, r"loss_fn is None, but the batches are \(inputs, targets\); give a loss_fn or a"),
        (
            lambda: Answers(as_object),
            None,
            {"inputs": PAIR[0]},
            TypeError,
            r"the model's output \(SimpleNamespace\) has no loss, and loss_fn is None; put the labels into the batch",
        ),
        (
            lambda: Answers(as_dict),
            None,
            {"inputs": PAIR[0]},
            TypeError,
            r"the model's output \(dict\) has no loss, and loss_fn is None",
        ),
        (net, None, {"pixels": PAIR[0]}, TypeError, r"unexpected keyword argument"),
        (
            lambda: Answers(as_dict),
            lambda output, batch: {"a": output["loss"], "b": output["loss"]},
            named_batches()[0],
            TypeError,
            r"a mapping of losses must have the key \"loss\", .* got the keys \['a', 'b'\]; return the loss itself, such as",
        ),
        (
            lambda: Answers(as_dict),
            lambda output, batch: output["logits"],
            named_batches()[0],
            ValueError,
            r"the loss must be one real number, got a torch.float64 tensor of shape \(4, 1\); reduce it",
        ),
        (
            lambda: Answers(as_dict),
            lambda output, batch: output["logits"].sum() * 1j,
            named_batches()[0],
            ValueError,
            r"the loss must be one real number, got a torch.complex128 tensor",
        ),
    ],
)
def test_a_batch_of_a_wrong_form_is_refused_before_any_update(
    make_model: Any, loss_fn: Any, batch: Any, error: type[Exception], message: str
) -> None:
    """The wrong twin of each form is one clear error, no update was made, and nothing has changed."""
    model = make_model()
    assert_refused(model, torch.optim.SGD(model.parameters(), lr=0.1), loss_fn, batch, error, message)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda loss: loss.item(), TypeError, r"the loss must be a scalar tensor, got .* of type float"),
        (lambda loss: None, TypeError, r"the loss must be a scalar tensor, got None of type NoneType"),
        (lambda loss: (loss, loss), TypeError, r"the loss must be a scalar tensor, got a tuple of length 2"),
        (lambda loss: {"loss": None}, TypeError, r"the loss must be a scalar tensor, got None of type NoneType"),
        (lambda loss: {"loss": loss.item()}, TypeError, r"the loss must be a scalar tensor, got .* of type float"),
        (lambda loss: {}, TypeError, r"a mapping of losses must have the key \"loss\", .*, got the keys \[\]; return"),
        (lambda loss: SimpleNamespace(losses=loss), TypeError, r"must be a scalar tensor, got namespace\(losses="),
        (lambda loss: loss.detach(), ValueError, r"the loss has no gradient, so nothing can be learnt from it; .*deta"),
    ],
)
def test_a_train_step_that_answers_with_no_loss_is_refused_before_any_update(
    answer: Any, error: type[Exception], message: str
) -> None:
    """A float, nothing, a tuple or a detached loss from the user's step: one clear error, nothing has changed."""
    model = net()

    def train_step(model: Any, batch: Any) -> Any:
        return answer(mse(model(batch[0]), batch[1]))

    assert_refused(
        model, torch.optim.SGD(model.parameters(), lr=0.1), None, PAIR, error, message, train_step=train_step
    )


def assert_refused(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Any,
    batch: Any,
    error: type[Exception],
    message: str,
    **options: Any,
) -> None:
    """Assert that a sweep over the batch ends in this error without an update and without a trace."""
    updates, before = [], Look(model, optimizer)
    optimizer.register_step_pre_hook(lambda optimizer, args, keywords: updates.append(optimizer))
    before = Look(model, optimizer)
    sweep = iter_range_test(model, optimizer, loss_fn, [batch], **SWEEP, **options)
    with pytest.raises(error, match=message) as caught:
        next(sweep)
    assert "\n" not in str(caught.value)
    assert updates == []
    before.assert_unchanged("after a batch of a wrong form")


class Named(NamedTuple):
    """A loss beside other things, as a tuple with names."""

    logits: torch.Tensor
    loss: torch.Tensor


FORMS: dict[str, Callable[[torch.Tensor], Any]] = {
    "a dict": lambda loss: {"loss": loss, "log": 1},
    "a mapping": lambda loss: MappingProxyType({"loss": loss}),
    "an object": lambda loss: SimpleNamespace(loss=loss, logits=0),
    "a named tuple": lambda loss: Named(loss, loss),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_loss_may_come_under_its_name(form: str) -> None:
    """The training_step of Lightning returns such dicts, and models of transformers such objects."""
    model, bare = net(), net()

    def train_step(model: Any, batch: Any) -> Any:
        return FORMS[form](mse(model(batch[0]), batch[1]))

    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), None, batches(), train_step=train_step)
    assert_same(curve, bare_loop(bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches()))


@pytest.mark.parametrize("form", FORMS)
def test_each_of_several_losses_may_come_under_its_name(form: str) -> None:
    """Each gives gradients to its own optimizer, as bare tensors do, and their sum is on record."""

    def curve(make: Callable[[torch.Tensor], Any]) -> Any:
        models = {"a": net(), "b": net()}
        optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models.values()]

        def train_step(models: Any, batch: Any) -> Any:
            return [make((k + 1) * mse(models[name](batch[0]), batch[1])) for k, name in enumerate("ab")]

        return swept(models, optimizers, None, batches(), train_step=train_step)

    assert curve(FORMS[form]) == curve(lambda loss: loss)


def test_one_named_loss_serves_several_optimizers() -> None:
    """It is the loss of all, not a list of its entries."""
    models = {"a": net(), "b": net()}
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models.values()]

    def train_step(models: Any, batch: Any) -> Any:
        loss = sum(mse(models[name](batch[0]), batch[1]) for name in "ab")
        return Named(loss, loss)

    inputs, targets = batches()[0]
    expected = 2 * mse(net()(inputs), targets).item()
    sweep = iter_range_test(models, optimizers, None, batches(), train_step=train_step, **SWEEP)
    assert next(sweep).loss == pytest.approx(expected)


def test_several_models_without_a_train_step_are_refused_at_once() -> None:
    """There is no saying how two models make one loss; the error asks for a train_step."""
    models = [net(), net()]
    message = r"several models need a train_step=callable.* go into torch.nn.Sequential\(\*layers\)$"
    with pytest.raises(TypeError, match=message):
        iter_range_test(models, torch.optim.SGD(models[0].parameters(), lr=0.1), mse, batches())


def test_a_container_of_layers_is_refused_at_once_but_for_a_train_step() -> None:
    """It cannot be called with the inputs."""
    layers = torch.nn.ModuleList([net()])
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.1)
    with pytest.raises(
        TypeError, match=r"called with the inputs, but ModuleList has no forward\(\); put its parts into"
    ):
        iter_range_test(layers, optimizer, mse, batches())
    step = iter_range_test(
        layers, optimizer, None, batches(), train_step=lambda model, batch: mse(model[0](batch[0]), batch[1])
    )
    assert next(step).loss == pytest.approx(mse(net()(batches()[0][0]), batches()[0][1]).item())


def test_a_forward_of_the_instance_is_one() -> None:
    """Some libraries set it there."""
    model = torch.nn.Module()
    model.layer, inner = torch.nn.Linear(2, 1), net()
    model.inner, model.forward = inner, inner.forward
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert next(iter_range_test(model, optimizer, mse, batches())).step == 1


def test_data_in_the_place_of_the_loss_are_told_theirs() -> None:
    """The two are easily swapped; a text is no data."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(
        TypeError, match=r"loss_fn must be callable, got a list of .*; the data come after it, as train_data$"
    ):
        iter_range_test(model, optimizer, batches(), mse)
    with pytest.raises(TypeError, match=r"loss_fn must be callable, got 'mse' of type str$"):
        iter_range_test(model, optimizer, "mse", batches())
