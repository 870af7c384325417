"""One update out of several batches or losses, clipped or not: same losses and weights as a loop by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test

from .helpers import (
    BATCH,
    TWO_STEPS,
    assert_different,
    assert_same,
    bare_loop,
    batches,
    mse,
    net,
    one_weight,
    sgd,
    supervised,
    swept,
)

# --- accumulation ----------------------------------------------------------------------------------------------------


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_accumulated_micro_batches_update_as_one_large_batch_does(name: str, clip: float | None) -> None:
    """Four micro-batches of 4 give the loss and the update of one batch of 16, clipped or not."""
    micro = batches(8)
    large = [tuple(torch.cat(parts) for parts in zip(*micro[begin : begin + 4])) for begin in (0, 4)]
    model, twin, bare = net(), net(), net()
    accumulated = swept(
        model, OPTIMIZERS[name](model.parameters(), lr=0.1), mse, micro, accumulation_steps=4, max_grad_norm=clip
    )
    at_once = swept(twin, OPTIMIZERS[name](twin.parameters(), lr=0.1), mse, large, max_grad_norm=clip)
    by_hand = bare_loop(bare, OPTIMIZERS[name](bare.parameters(), lr=0.1), supervised(bare), large, clip=clip)
    assert_same(accumulated, at_once, rel=1e-9)
    assert_same(accumulated, by_hand, rel=1e-9)


def test_the_loss_on_record_is_the_mean_over_the_micro_batches_by_hand() -> None:
    """Losses of 1, 2 and 6 times the weight make a record of 3 times the weight, before the update."""
    model = nn.ParameterList([nn.Parameter(torch.tensor(2.0).double())])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    sweep = iter_range_test(
        model,
        optimizer,
        None,
        [1.0, 2.0, 6.0],
        train_step=lambda model, batch: model[0] * batch,
        accumulation_steps=3,
        schedule=lambda step: 0.1,
        num_steps=3,
        diverge_factor=None,
    )
    seen = [(record.loss, model[0].item()) for record in sweep]
    # the gradient is the mean 3 in every step: 2 → 1.7 → 1.4 → 1.1
    assert seen == [pytest.approx(pair) for pair in [(6.0, 1.7), (5.1, 1.4), (4.2, 1.1)]]


def test_accumulation_runs_across_the_end_of_the_data() -> None:
    """With three batches and two a step, the second step takes the last and the first, as a cycling loop does."""
    model, bare = net(), net()
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, batches(3), accumulation_steps=2)
    expected = bare_loop(
        bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches(3), accumulation_steps=2
    )
    assert_same(curve, expected)


def test_gradients_from_before_do_not_leak_into_the_first_step() -> None:
    """Old gradients are not added to the first one of the test, and are there again afterwards."""
    model, bare = net(), net()
    mse(model(batches()[0][0]), batches()[0][1]).backward()
    before = [p.grad.clone() for p in model.parameters()]
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, batches())
    assert_same(curve, bare_loop(bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches()))
    assert [p.grad.tolist() for p in model.parameters()] == [grad.tolist() for grad in before]


# --- clipping --------------------------------------------------------------------------------------------------------


def test_a_clipped_gradient_moves_the_weights_by_hand() -> None:
    """Gradients of 3 and 4 have the norm 5; clipped to 1 they are 0.6 and 0.8."""
    model = nn.ParameterList([nn.Parameter(torch.zeros(()).double()) for _ in range(2)])
    sweep = iter_range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        None,
        [0],
        train_step=lambda model, batch: 3 * model[0] + 4 * model[1],
        max_grad_norm=1.0,
        schedule=lambda step: 0.1,
        num_steps=2,
    )
    moves = [(model[0].item(), model[1].item()) for _ in sweep]
    assert moves == [pytest.approx((-0.06 * k, -0.08 * k), rel=1e-5) for k in (1, 2)]


@pytest.mark.parametrize("accumulation_steps", [1, 3])
def test_max_grad_norm_is_clip_grad_norm_of_a_bare_loop(accumulation_steps: int) -> None:
    """Clipped training follows the bare loop that clips, and not the one that does not."""
    model, bare, unclipped = net(), net(), net()
    options = {"accumulation_steps": accumulation_steps}
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, batches(), max_grad_norm=0.3, **options)
    sgd = torch.optim.SGD(bare.parameters(), lr=0.1)
    assert_same(curve, bare_loop(bare, sgd, supervised(bare), batches(), clip=0.3, **options))
    sgd = torch.optim.SGD(unclipped.parameters(), lr=0.1)
    assert_different(curve, bare_loop(unclipped, sgd, supervised(unclipped), batches(), **options))


def test_the_norm_is_taken_over_all_models_together() -> None:
    """Two models are clipped as one: their gradients 3 and 4 become 0.6 and 0.8, not 1 and 1."""
    models = [nn.ParameterList([nn.Parameter(torch.zeros(()).double())]) for _ in range(2)]
    sweep = iter_range_test(
        models,
        [torch.optim.SGD(model.parameters(), lr=1.0) for model in models],
        None,
        [0],
        train_step=lambda models, batch: 3 * models[0][0] + 4 * models[1][0],
        max_grad_norm=1.0,
        schedule=lambda step: 1.0,
        num_steps=2,
    )
    next(sweep)
    assert [model[0].item() for model in models] == pytest.approx([-0.6, -0.8], rel=1e-5)
    sweep.close()


# --- a loss for each of several optimizers ---------------------------------------------------------------------------


class Pair:
    """A generator g and a critic c, both one weight of 1, whose losses pull the product g·c in opposite directions."""

    def __init__(self) -> None:
        self.models = {"g": one_weight(), "c": one_weight()}
        self.optimizers = [sgd(model) for model in self.models.values()]

    def step(self, models: Any, batch: Any) -> list[torch.Tensor]:
        score = models["c"](models["g"](batch[0])).mean()  # 2·g·c for the inputs 1 and 3
        return [-score, 3 * score]

    def sweep(self, data: Any = (BATCH,), **options: Any) -> Any:
        step = options.pop("train_step", self.step)
        return iter_range_test(self.models, self.optimizers, None, list(data), train_step=step, **TWO_STEPS, **options)

    @property
    def weights(self) -> list[float]:
        return [model.weight.item() for model in self.models.values()]


@pytest.mark.parametrize("options", [{}, {"grad_scaler": torch.amp.GradScaler("cpu", init_scale=4.0)}])
def test_each_loss_trains_its_own_optimizers_parameters(options: dict[str, Any]) -> None:
    """At rate 0.15: d(-2gc)/dg = -2, so g = 1.3; d(6gc)/dc = 6, so c = 0.1; on record is -2 + 6 = 4."""
    pair = Pair()
    sweep = pair.sweep(**options)
    record = next(sweep)
    assert (record.loss, pair.weights) == (4.0, pytest.approx([1.3, 0.1]))
    sweep.close()
    assert pair.weights == [1.0, 1.0]


def test_accumulated_losses_are_means_for_each_optimizer() -> None:
    """Inputs of mean 2 and of mean 4: the gradients are -3 and 9, the sum of the losses is -3 + 9."""
    pair, larger = Pair(), (torch.tensor([[3.0], [5.0]]), BATCH[1])
    sweep = pair.sweep([BATCH, larger], accumulation_steps=2)
    assert (next(sweep).loss, pair.weights) == (6.0, pytest.approx([1.45, -0.35]))


def test_clipping_takes_the_norm_over_all_optimizers() -> None:
    """The gradients -2 and 6 have the norm √40; clipped to 1, they are -0.3162 and 0.9487."""
    pair = Pair()
    next(sweep := pair.sweep(max_grad_norm=1.0))
    assert pair.weights == pytest.approx([1 + 0.15 * 0.316228, 1 - 0.15 * 0.948683], rel=1e-5)
    sweep.close()


def test_the_validation_loss_of_several_is_their_sum() -> None:
    """After the step of above g·c = 0.13; -2·0.13 + 6·0.13 = 0.52."""
    record = next(Pair().sweep(val_data=[BATCH], val_every=1))
    assert record.val_loss == pytest.approx(0.52, rel=1e-5)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            lambda losses: [*losses, losses[0]],
            ValueError,
            "one for each of the 2 optimizers in their order, got a list of",
        ),
        (lambda losses: (losses[0],), ValueError, "got a tuple of length 1; add up those that belong to one optimizer"),
        (lambda losses: [losses[0], 1.0], TypeError, "the loss must be a scalar tensor, got 1.0 of type float"),
        (lambda losses: [losses[0], losses[1].detach()], ValueError, "the loss has no gradient"),
    ],
)
def test_losses_that_do_not_fit_the_optimizers_are_refused(answer: Any, error: type[Exception], message: str) -> None:
    """Too many, too few, no tensor, no gradient: one clear error, and no weight has moved."""
    pair = Pair()
    with pytest.raises(error, match=message):
        next(pair.sweep(train_step=lambda models, batch: answer(pair.step(models, batch))))
    assert pair.weights == [1.0, 1.0]


# --- modes before the first step -------------------------------------------------------------------------------------


def test_a_teacher_that_nothing_trains_stays_in_eval_mode() -> None:
    """Of two models in eval mode, the one with an optimizer is put into train mode."""
    student, teacher, modes = one_weight().eval(), one_weight().eval(), []

    def step(models: Any, batch: Any) -> torch.Tensor:
        modes.append([model.training for model in models])
        return mse(models[0](batch[0]), models[1](batch[0]).detach() + 1)

    list(iter_range_test([student, teacher], sgd(student), None, [BATCH], train_step=step, **TWO_STEPS))
    assert modes == [[True, False]] * 2
    assert (student.training, teacher.training) == (False, False)
