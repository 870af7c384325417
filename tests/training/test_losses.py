"""Every kind of training step against a plain loop written out by hand: same losses, same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lr_widget import iter_range_test

from ..no_trace.state import Look

mse = nn.functional.mse_loss
NUM_STEPS = 6
SWEEP: dict[str, Any] = {"start_lr": 1e-3, "end_lr": 0.3, "num_steps": NUM_STEPS, "diverge_factor": None}
RATES = [1e-3 * (0.3 / 1e-3) ** (k / NUM_STEPS) for k in range(1, NUM_STEPS)] + [0.3]

Curve = tuple[list[float], list[list[float]]]  # the losses, and all weights after each step


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def batches(number: int = 8, size: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    made = torch.Generator().manual_seed(1)
    return [
        (torch.randn(size, 3, generator=made).double(), 3 * torch.randn(size, 1, generator=made).double())
        for _ in range(number)
    ]


def weights(*models: nn.Module) -> list[float]:
    return [value for model in models for p in model.parameters() for value in p.detach().flatten().tolist()]


def swept(model: Any, optimizer: Any, loss_fn: Any, data: Any, **options: Any) -> Curve:
    """Return what a range test shows and does step by step; and assert that it leaves no trace."""
    models = [model] if isinstance(model, nn.Module) else list(model.values())
    losses, moved, before = [], [], Look(model, optimizer)
    for record in iter_range_test(model, optimizer, loss_fn, data, **SWEEP, **options):
        losses.append(record.loss)
        moved.append(weights(*models))
    before.assert_unchanged("after a range test")
    return losses, moved


def bare_loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_of: Callable[[Any], torch.Tensor],
    data: Iterable[Any],
    *,
    accumulation_steps: int = 1,
    clip: float | None = None,
    context: Callable[[], Any] = nullcontext,
) -> Curve:
    """Train as a person would by hand, at the rates of the sweep, starting over with the data when it ends."""
    losses, moved, endless = [], [], cycle(data)
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        total = 0.0
        for batch in islice(endless, accumulation_steps):
            with context():
                loss = loss_of(batch) / accumulation_steps
            loss.backward()
            total += loss.item()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(total)
        moved.append(weights(model))
    return losses, moved


def assert_same(curve: Curve, expected: Curve, rel: float = 1e-12) -> None:
    assert curve[0] == pytest.approx(expected[0], rel=rel)
    assert len(curve[1]) == len(expected[1]) == NUM_STEPS
    for values, wanted in zip(curve[1], expected[1]):
        assert values == pytest.approx(wanted, rel=rel, abs=rel)


def assert_different(curve: Curve, other: Curve) -> None:
    assert curve[1][-1] != pytest.approx(other[1][-1], rel=1e-3)


def supervised(model: nn.Module) -> Callable[[Any], torch.Tensor]:
    return lambda batch: mse(model(batch[0]), batch[1])


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


# --- clipping and the scaler -----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_a_scaler_trains_as_the_recipe_for_it_does(clip: float | None, accumulation_steps: int) -> None:
    """Scale, backward, unscale, clip, step, update: the losses and weights of torch's own recipe, written out."""
    model, bare, unscaled = net(), net(), net()
    options: dict[str, Any] = {"accumulation_steps": accumulation_steps}
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    curve = swept(model, optimizer, mse, batches(), grad_scaler=scaler, max_grad_norm=clip, **options)

    losses, moved, endless = [], [], cycle(batches())
    scaler, optimizer = (
        torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2),
        torch.optim.SGD(bare.parameters(), lr=0.1),
    )
    for rate in RATES:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        total = 0.0
        for inputs, targets in islice(endless, accumulation_steps):
            loss = mse(bare(inputs), targets) / accumulation_steps
            scaler.scale(loss).backward()
            total += loss.item()
        if clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(bare.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        losses.append(total)
        moved.append(weights(bare))
    assert_same(curve, (losses, moved))

    sgd = torch.optim.SGD(unscaled.parameters(), lr=0.1)
    assert_same(curve, bare_loop(unscaled, sgd, supervised(unscaled), batches(), clip=clip, **options), rel=1e-6)


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


# --- forms of batches ------------------------------------------------------------------------------------------------


class TwoInputs(nn.Module):
    """Wants two inputs, ``forward(a, b)``, and shows at which of its two weights each arrived."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, 1).double(), nn.Linear(2, 1).double()

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.first(a) * self.second(b)


class Answers(nn.Module):
    """Takes the batch by keywords and answers as Hugging Face models do, in the form that ``answer`` makes."""

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


def named_batches() -> list[dict[str, torch.Tensor]]:
    return [{"inputs": inputs, "labels": labels} for inputs, labels in batches()]


def test_longer_tuples_give_the_model_all_but_the_last() -> None:
    """A batch (a, b, targets) is ``loss_fn(model(a, b), targets)``; a list does as well as a tuple."""
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
    """A batch {"inputs": …, "labels": …} without loss_fn is ``model(**batch).loss`` or its ``["loss"]``."""
    model, bare = Answers(answer), net()
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), None, named_batches())
    assert_same(curve, bare_loop(bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches()))


def test_a_mapping_with_loss_fn_gives_it_the_output_and_the_batch() -> None:
    """With a loss_fn the mapping is ``loss_fn(model(**batch), batch)``, and the model's own loss does not count."""
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


def test_gradients_from_before_do_not_leak_into_the_first_step() -> None:
    """What lies in `.grad` when the test starts is not added to the first gradient, and lies there again afterwards."""
    model, bare = net(), net()
    mse(model(batches()[0][0]), batches()[0][1]).backward()
    before = [p.grad.clone() for p in model.parameters()]
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, batches())
    assert_same(curve, bare_loop(bare, torch.optim.SGD(bare.parameters(), lr=0.1), supervised(bare), batches()))
    assert [p.grad.tolist() for p in model.parameters()] == [grad.tolist() for grad in before]


PAIR = batches(1)[0]


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
        (net, mse, PAIR[0], TypeError, r"a batch must be a pair .*, got a torch.float64 tensor of shape \(4, 3\)"),
        (net, mse, "digits", TypeError, r"a batch must be a pair .*, got 'digits' of type str"),
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
            lambda output, batch: output,
            named_batches()[0],
            TypeError,
            r"the loss must be a scalar tensor, got .* of type dict; return the loss of the batch",
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


def test_several_models_without_a_train_step_are_refused_at_once() -> None:
    """There is no saying how two models make one loss; the error asks for a train_step."""
    models = [net(), net()]
    with pytest.raises(TypeError, match="several models need a train_step=callable"):
        iter_range_test(models, torch.optim.SGD(models[0].parameters(), lr=0.1), mse, batches())


# --- closures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line_search_fn", [None, "strong_wolfe"])
@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_lbfgs_goes_the_way_of_a_bare_loop_with_a_closure(
    line_search_fn: str | None, accumulation_steps: int, clip: float | None
) -> None:
    """Losses and weights are those of ``optimizer.step(closure)`` with the closure of torch's documentation."""

    def lbfgs(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=5, line_search_fn=line_search_fn)

    model, bare = net(), net()
    curve = swept(model, lbfgs(model), mse, batches(), accumulation_steps=accumulation_steps, max_grad_norm=clip)

    optimizer, endless = lbfgs(bare), cycle(batches())
    losses, moved = [], []
    for rate in RATES:
        optimizer.param_groups[0]["lr"] = rate
        micro = list(islice(endless, accumulation_steps))
        evaluated = []

        def closure(micro: Sequence[Any] = micro, evaluated: list[float] = evaluated) -> torch.Tensor:
            optimizer.zero_grad()
            loss = sum(mse(bare(inputs), targets) for inputs, targets in micro) / len(micro)
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(bare.parameters(), clip)
            evaluated.append(loss.item())
            return loss

        optimizer.step(closure)
        losses.append(evaluated[0])
        moved.append(weights(bare))
    assert_same(curve, (losses, moved), rel=1e-6)


def test_lbfgs_with_a_scaler_is_refused_at_once() -> None:
    """A closure cannot be unscaled half-way; the error says to leave the scaler out."""
    model = net()
    with pytest.raises(ValueError, match="LBFGS needs a closure, which a grad_scaler cannot serve; leave grad_scaler"):
        iter_range_test(
            model,
            torch.optim.LBFGS(model.parameters()),
            mse,
            batches(),
            grad_scaler=torch.amp.GradScaler("cpu"),
        )


# --- autocast --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("autocast", "dtype"),
    [
        (None, torch.float32),
        (False, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.float16, torch.float16),
        (True, torch.bfloat16),  # the default of the CPU
        (torch.autocast("cpu", dtype=torch.float16), torch.float16),
        (lambda: torch.autocast("cpu", dtype=torch.bfloat16), torch.bfloat16),
        (nullcontext, torch.float32),
    ],
    ids=["none", "false", "bfloat16", "float16", "true", "context", "maker", "maker of nothing"],
)
def test_autocast_is_on_inside_the_model_and_off_outside(autocast: Any, dtype: torch.dtype) -> None:
    """The linear layers answer in the dtype asked for, in training and validation; between the steps it is off."""
    model = net().float()
    seen: list[torch.dtype] = []
    model[0].register_forward_hook(lambda module, args, output: seen.append(output.dtype))
    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    sweep = iter_range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        lambda output, targets: mse(output.float(), targets),
        data,
        autocast=autocast,
        val_data=data[:2],
        val_every=NUM_STEPS,
        **SWEEP,
    )
    for _ in sweep:
        assert not torch.is_autocast_enabled("cpu")
    assert seen == [dtype] * (NUM_STEPS + 2)
    assert not torch.is_autocast_enabled("cpu")


def test_autocast_follows_a_bare_loop_under_autocast() -> None:
    """Losses and weights are those of a loop that runs forward and loss under autocast and the rest outside."""
    model, bare = net().float(), net().float()
    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    curve = swept(model, torch.optim.SGD(model.parameters(), lr=0.1), mse, data, autocast=torch.bfloat16)
    sgd = torch.optim.SGD(bare.parameters(), lr=0.1)
    expected = bare_loop(bare, sgd, supervised(bare), data, context=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    assert_same(curve, expected, rel=1e-5)
    full = net().float()
    sgd = torch.optim.SGD(full.parameters(), lr=0.1)
    assert curve[0] != pytest.approx(bare_loop(full, sgd, supervised(full), data)[0], rel=1e-4)


def test_an_error_under_autocast_does_not_leave_it_on() -> None:
    """The user's exception inside the autocast context finds its way out with autocast off."""
    model = net().float()

    def fail(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert torch.is_autocast_enabled("cpu")
        raise ZeroDivisionError("by the user")

    data = [(inputs.float(), targets.float()) for inputs, targets in batches()]
    sweep = iter_range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), fail, data, autocast=True)
    with pytest.raises(ZeroDivisionError, match="by the user"):
        next(sweep)
    assert not torch.is_autocast_enabled("cpu")


def test_inputs_and_targets_go_to_the_device_asked_for() -> None:
    """With device="meta" the tensors of a pair and those of a mapping are there when the step gets them."""
    seen = set()

    def train_step(model: Any, batch: Any) -> torch.Tensor:
        seen.add(
            (type(batch), *(value.device.type for value in (batch.values() if isinstance(batch, dict) else batch)))
        )
        return model(PAIR[0]).sum()

    model = net()
    for data in ([PAIR], named_batches()):
        sgd = torch.optim.SGD(model.parameters(), lr=0.1)
        sweep = iter_range_test(model, sgd, None, data, train_step=train_step, device="meta", **SWEEP)
        next(sweep)
        sweep.close()
    assert seen == {(tuple, "meta", "meta"), (dict, "meta", "meta")}
