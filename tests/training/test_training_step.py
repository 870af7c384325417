"""Updates that ask for more than one backward pass: several losses, closures; groups that are replaced; modes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lr_widget import iter_range_test

BATCH = (torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
SWEEP: dict[str, Any] = {"num_steps": 2, "start_lr": 0.1, "end_lr": 0.2, "schedule": "linear", "diverge_factor": None}


def scale(start: float = 1.0) -> nn.Linear:
    """One weight w: the output for the input x is w·x."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, start)
    return model


def sgd(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0, **options)


# --- a loss for each of several optimizers ---------------------------------------------------------------------------


class Pair:
    """A generator g and a critic c, both one weight of 1, whose losses pull the product g·c in opposite directions."""

    def __init__(self) -> None:
        self.models = {"g": scale(), "c": scale()}
        self.optimizers = [sgd(model) for model in self.models.values()]

    def step(self, models: Any, batch: Any) -> list[torch.Tensor]:
        score = models["c"](models["g"](batch[0])).mean()  # 2·g·c for the inputs 1 and 3
        return [-score, 3 * score]

    def sweep(self, data: Any = (BATCH,), **options: Any) -> Any:
        step = options.pop("train_step", self.step)
        return iter_range_test(self.models, self.optimizers, None, list(data), train_step=step, **SWEEP, **options)

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


def test_the_same_optimizer_twice_is_refused() -> None:
    """It would step twice at each step."""
    model = scale()
    optimizer = sgd(model)
    with pytest.raises(ValueError, match="each optimizer must be given once, got the same SGD twice; leave the second"):
        iter_range_test(model, [optimizer, optimizer], F.mse_loss, [BATCH])


def test_a_teacher_that_nothing_trains_stays_in_eval_mode() -> None:
    """Of two models in eval mode, the one with an optimizer is put into train mode."""
    student, teacher, modes = scale().eval(), scale().eval(), []

    def step(models: Any, batch: Any) -> torch.Tensor:
        modes.append([model.training for model in models])
        return F.mse_loss(models[0](batch[0]), models[1](batch[0]).detach() + 1)

    list(iter_range_test([student, teacher], sgd(student), None, [BATCH], train_step=step, **SWEEP))
    assert modes == [[True, False]] * 2
    assert (student.training, teacher.training) == (False, False)


def test_frozen_optimized_parameters_are_refused() -> None:
    """Nothing would be learnt at any rate."""
    model = scale().requires_grad_(False)
    with pytest.raises(
        ValueError, match="at least one optimized parameter must require grad, but all 1 are frozen; call"
    ):
        iter_range_test(model, sgd(model), F.mse_loss, [BATCH])


# --- closures --------------------------------------------------------------------------------------------------------


class SharpnessAware(torch.optim.Optimizer):
    """SAM: up the gradient by rho, then down the gradient found there."""

    def __init__(self, params: Any, lr: float = 1.0) -> None:
        super().__init__(params, {"lr": lr, "rho": 0.5})

    @torch.no_grad()
    def step(self, closure: Any) -> torch.Tensor:  # type: ignore[override]
        [weight] = self.param_groups[0]["params"]
        push = self.param_groups[0]["rho"] * weight.grad.sign()
        weight.add_(push)
        loss: torch.Tensor = closure()
        weight.sub_(push).sub_(self.param_groups[0]["lr"] * weight.grad)
        return loss


def test_a_sharpness_aware_step_uses_the_gradient_of_the_pushed_weight() -> None:
    """Loss 5w²: at w = 1 the push is +0.5, the gradient there is 10·1.5 = 15, so w = 1 - 0.15·15 = -1.25."""
    model = scale()
    sweep = iter_range_test(model, SharpnessAware(model.parameters()), F.mse_loss, [BATCH], **SWEEP)
    record = next(sweep)
    assert (record.loss, model.weight.item()) == (5.0, pytest.approx(-1.25))
    sweep.close()
    assert model.weight.item() == 1.0


def test_the_pass_already_made_answers_lbfgs() -> None:
    """Of two evaluations of LBFGS a step, the first one is the pass that gave the loss on record."""
    model, calls = scale(), []
    model.register_forward_hook(lambda *_: calls.append(1))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    next(iter_range_test(model, optimizer, F.mse_loss, [BATCH], **SWEEP))
    assert len(calls) == 2


def test_a_scaler_with_an_optimizer_that_requires_a_closure_is_refused() -> None:
    """The error names the optimizer, whichever it is."""
    model, scaler = scale(), torch.amp.GradScaler("cpu")
    with pytest.raises(ValueError, match="SharpnessAware needs a closure, which a grad_scaler cannot serve; leave"):
        iter_range_test(model, SharpnessAware(model.parameters()), F.mse_loss, [BATCH], grad_scaler=scaler)


# --- param groups and modes ------------------------------------------------------------------------------------------


def test_the_rate_reaches_groups_that_load_state_dict_has_replaced() -> None:
    """load_state_dict puts new groups in the place of the old ones; the rate on record is the one applied."""
    model = scale()
    optimizer, applied = sgd(model), []
    optimizer.register_step_pre_hook(lambda optimizer, args, keywords: applied.append(optimizer.param_groups[0]["lr"]))

    def step(model: Any, batch: Any) -> torch.Tensor:
        optimizer.load_state_dict(optimizer.state_dict())
        return F.mse_loss(model(batch[0]), batch[1])

    sweep = iter_range_test(model, optimizer, None, [BATCH], train_step=step, **SWEEP)
    optimizer.load_state_dict(optimizer.state_dict())
    assert [record.lr for record in sweep] == applied == [pytest.approx(0.15), 0.2]


def test_another_number_of_groups_is_refused() -> None:
    """A group that a step adds has no proportion to the others; the error says when to add it."""
    model, late = scale(), nn.Parameter(torch.ones(1))
    optimizer = sgd(model)

    def step(model: Any, batch: Any) -> torch.Tensor:
        optimizer.add_param_group({"params": [late]})
        return F.mse_loss(model(batch[0]), batch[1])

    with pytest.raises(
        ValueError, match="param groups must stay as it was at first, 1, got 2; add or remove groups before"
    ):
        next(iter_range_test(model, optimizer, None, [BATCH], train_step=step))
    assert len(optimizer.param_groups) == 1


class Merging(nn.Linear):
    """Low-rank adapters as in loralib: eval() adds the adapter to the weight, train() takes it out again."""

    def __init__(self) -> None:
        super().__init__(1, 1, bias=False)
        nn.init.ones_(self.weight)
        self.weight.requires_grad_(False)
        self.adapter, self.is_merged = nn.Parameter(torch.ones(1, 1)), False

    def train(self, mode: bool = True) -> Merging:
        super().train(mode)
        if self.is_merged is mode:
            self.weight.data += -self.adapter if mode else self.adapter
            self.is_merged = not mode
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight if self.is_merged else self.weight + self.adapter)


def test_a_module_that_does_more_than_set_a_flag_trains_on_after_validation() -> None:
    """With validation after each step the losses are those without: the adapter is taken out again each time."""
    model = Merging()
    optimizer = torch.optim.SGD([model.adapter], lr=0.1)
    curves = [
        [r.loss for r in iter_range_test(model, optimizer, F.mse_loss, [BATCH], val_data=val, val_every=1, **SWEEP)]
        for val in (None, [BATCH])
    ]
    assert curves[0] == pytest.approx(curves[1], rel=1e-6)
    assert (model.is_merged, model.weight.item(), model.training) == (False, 1.0, True)
