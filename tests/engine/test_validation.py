"""The validation loss: at the right steps, right by hand, and nothing of it in the training."""

from __future__ import annotations

import copy
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lr_widget import iter_range_test, probe, range_test

from ..no_trace.state import Look, values

mse = nn.functional.mse_loss
SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1e-1, "num_steps": 7, "diverge_factor": None}


class Noise(nn.Module):
    """Draws from the global generator in train and in eval mode, as a sampling layer does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x)


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Tanh(), *more, nn.Linear(8, 1))


def samples(number: int, seed: int) -> TensorDataset:
    made = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.randn(number, 3, generator=made), torch.randn(number, 1, generator=made))


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train_loader() -> DataLoader[Any]:
    return DataLoader(samples(24, seed=1), batch_size=8, shuffle=True)


@pytest.mark.parametrize(("val_every", "evaluated"), [(1, [1, 2, 3, 4, 5, 6, 7]), (3, [3, 6]), (7, [7]), (8, [])])
def test_the_validation_loss_is_on_record_at_every_kth_step(val_every: int, evaluated: list[int]) -> None:
    """With val_every=k it is there at the steps k, 2k …, and None, or NaN in the arrays, at the others."""
    model, val = net(), DataLoader(samples(8, seed=2), batch_size=4)
    sweep = iter_range_test(model, sgd(model), mse, train_loader(), val_data=val, val_every=val_every, **SWEEP)
    assert [record.step for record in sweep if record.val_loss is not None] == evaluated
    records = range_test(
        model, sgd(model), mse, train_loader(), val_data=val, val_every=val_every, progress=False, **SWEEP
    )
    if not evaluated:
        assert records.val_loss is None
        assert "val_loss" not in records.to_pandas()
        return
    assert records.val_loss is not None
    assert (np.flatnonzero(np.isfinite(records.val_loss)) + 1).tolist() == evaluated
    assert (records.to_pandas()["val_loss"].dropna().index + 1).tolist() == evaluated


def test_every_fifth_step_is_evaluated_by_default() -> None:
    """Without val_every a sweep of eleven steps is evaluated after its steps 5 and 10."""
    model = net()
    sweep = iter_range_test(
        model, sgd(model), mse, train_loader(), val_data=samples(8, seed=2), **(SWEEP | {"num_steps": 11})
    )
    assert [record.step for record in sweep if record.val_loss is not None] == [5, 10]


def test_the_validation_loss_is_the_mean_of_the_batches_under_eval_mode_after_the_step() -> None:
    """Dropout is off and BatchNorm uses its statistics: the mean over three batches by a copy in eval mode."""
    model, val = net(), DataLoader(samples(12, seed=2), batch_size=4)
    for record in iter_range_test(model, sgd(model), mse, train_loader(), val_data=val, val_every=2, **SWEEP):
        twin = copy.deepcopy(model).eval()
        with torch.no_grad():
            expected = sum(mse(twin(inputs), targets).item() for inputs, targets in val) / 3
        assert record.val_loss == (pytest.approx(expected, rel=1e-6) if record.step % 2 == 0 else None)


def test_a_validation_loss_by_hand() -> None:
    """A weight of 2 after the step, on batches of 1 and 5, has the losses 2 and 10: mean 6."""
    model = nn.ParameterList([nn.Parameter(torch.tensor(2.5))])
    sweep = iter_range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        None,
        [1.0],
        train_step=lambda model, batch: model[0] * batch,
        val_data=[1.0, 5.0],
        val_every=1,
        schedule=lambda step: 0.5,
        num_steps=2,
    )
    assert [(record.loss, record.val_loss) for record in sweep] == [(2.5, 6.0), (2.0, 4.5)]


def test_validation_runs_without_gradients_and_in_eval_mode_and_training_goes_on_in_its_modes() -> None:
    """Every module is in eval mode in validation; afterwards a submodule frozen in eval mode still is, the rest not."""
    model, seen = net(), []
    model[1].eval()
    in_training = [module.training for module in model.modules()]

    def look(module: nn.Module, args: Any, output: Any) -> None:
        seen.append((torch.is_grad_enabled(), [module.training for module in model.modules()]))

    model.register_forward_hook(look)
    list(
        iter_range_test(model, sgd(model), mse, train_loader(), val_data=[samples(8, seed=2)[:]], val_every=3, **SWEEP)
    )
    training, validation = (True, in_training), (False, [False] * 6)
    assert in_training == [True, True, False, True, True, True]
    assert seen == [training] * 3 + [validation] + [training] * 3 + [validation] + [training]
    assert [module.training for module in model.modules()] == in_training


def test_modes_are_those_of_the_test_again_where_validation_fails() -> None:
    """An exception in validation is the user's, with its note, and leaves no module in eval mode and no trace."""
    model = net()
    optimizer = sgd(model)
    before = Look(model, optimizer)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            raise ZeroDivisionError("in validation")
        return mse(output, targets)

    sweep = iter_range_test(
        model, optimizer, loss_fn, train_loader(), val_data=samples(8, seed=2), val_every=3, **SWEEP
    )
    with pytest.raises(ZeroDivisionError, match="in validation") as caught:
        list(sweep)
    assert caught.value.__notes__ == ["while lr_widget was in step 3 of 7, at learning rate 1.9e-3"]  # type: ignore[attr-defined]
    before.assert_unchanged("after an exception in validation")


# --- nothing of it in the training -----------------------------------------------------------------------------------


def plain(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    return DataLoader(data, batch_size=4)


def shuffling(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    return DataLoader(data, batch_size=4, shuffle=True)


def with_its_own_generator(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    return DataLoader(data, batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(3))


def with_the_training_loaders_generator(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    return DataLoader(data, batch_size=4, shuffle=True, generator=train.generator)


def a_dataset(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    return data


def drawing_from_numpy_and_python(data: TensorDataset, train: DataLoader[Any]) -> Iterable[Any]:
    import random

    class Batches:
        def __iter__(self) -> Iterator[Any]:
            for inputs, targets in DataLoader(data, batch_size=4):
                yield inputs * float(np.random.rand()) * random.random(), targets

    return Batches()


@pytest.mark.parametrize("train_generator", [None, 5], ids=["global", "own"])
@pytest.mark.parametrize(
    "make_val",
    [
        plain,
        shuffling,
        with_its_own_generator,
        with_the_training_loaders_generator,
        a_dataset,
        drawing_from_numpy_and_python,
    ],
)
def test_the_training_is_the_same_with_and_without_validation(
    make_val: Callable[..., Iterable[Any]], train_generator: int | None
) -> None:
    """Losses, weights, BatchNorm statistics and data order do not depend on val_data, whatever it draws from."""

    def run(is_validated: bool) -> list[Any]:
        model = net(Noise())
        optimizer = sgd(model)
        generator = torch.Generator().manual_seed(train_generator) if train_generator is not None else None
        train = DataLoader(samples(24, seed=1), batch_size=8, shuffle=True, generator=generator)
        val = make_val(samples(12, seed=2), train)
        torch.manual_seed(7)
        before = Look(model, optimizer, train, *([val] if isinstance(val, DataLoader) else []))
        options = {"val_data": val, "val_every": 2} if is_validated else {}
        sweep = iter_range_test(model, optimizer, mse, train, **options, **SWEEP)
        steps = [(record.loss, record.val_loss is not None, values(model)) for record in sweep]
        assert [has_val for _, has_val, _ in steps] == [is_validated and step % 2 == 0 for step in range(1, 8)]
        before.assert_unchanged("after a test with validation")
        return [(loss, weights) for loss, _, weights in steps]

    assert run(is_validated=True) == run(is_validated=False)


def test_the_validation_does_not_count_into_the_statistics_of_batch_norm() -> None:
    """After k steps BatchNorm has counted k batches, however often it was validated in between."""
    model = net()
    counted = [
        int(model[1].num_batches_tracked)
        for _ in iter_range_test(
            model, sgd(model), mse, train_loader(), val_data=samples(64, seed=2), val_every=1, **SWEEP
        )
    ]
    assert counted == [1, 2, 3, 4, 5, 6, 7]


def test_the_order_of_a_shuffling_validation_loader_is_the_users_again() -> None:
    """A loader with its own generator gives after the test the order that it would have given without it."""

    def order(after: Callable[[DataLoader[Any]], object]) -> list[float]:
        loader = DataLoader(samples(12, 2), batch_size=12, shuffle=True, generator=torch.Generator().manual_seed(3))
        after(loader)
        return next(iter(loader))[1].flatten().tolist()

    def validate(loader: DataLoader[Any]) -> None:
        model = net()
        list(iter_range_test(model, sgd(model), mse, train_loader(), val_data=loader, val_every=1, **SWEEP))

    assert order(validate) == order(lambda loader: None)


def test_validation_sees_the_whole_data_every_time() -> None:
    """Each evaluation is one pass over all samples, also with a loader that shuffles."""
    model, seen = net(), []
    val = DataLoader(TensorDataset(torch.randn(10, 3), torch.arange(10.0).reshape(10, 1)), batch_size=4, shuffle=True)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            seen.extend(targets.flatten().tolist())
        return mse(output, targets)

    list(iter_range_test(model, sgd(model), loss_fn, train_loader(), val_data=val, val_every=3, **SWEEP))
    assert len(seen) == 20
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))


def test_the_workers_of_the_validation_loader_are_gone_after_an_exception_in_it() -> None:
    """No worker process is left when validation fails half-way through its data and somebody keeps the traceback."""
    model = net()
    val = DataLoader(samples(16, seed=2), batch_size=4, num_workers=2)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            assert len(multiprocessing.active_children()) == 2
            raise ZeroDivisionError("in validation")
        return mse(output, targets)

    with pytest.raises(ZeroDivisionError, match="in validation") as caught:
        list(iter_range_test(model, sgd(model), loss_fn, train_loader(), val_data=val, val_every=1, **SWEEP))
    assert caught.tb is not None
    assert multiprocessing.active_children() == []


def test_with_accumulation_and_clipping_validation_comes_after_the_whole_step() -> None:
    """Two micro-batches make one step, and val_every counts steps and not batches."""
    model = net()
    sweep = iter_range_test(
        model,
        sgd(model),
        mse,
        train_loader(),
        val_data=samples(8, seed=2),
        val_every=3,
        accumulation_steps=2,
        max_grad_norm=1.0,
        **SWEEP,
    )
    counted = [(record.val_loss is not None, int(model[1].num_batches_tracked)) for record in sweep]
    assert counted == [(False, 2), (False, 4), (True, 6), (False, 8), (False, 10), (True, 12), (False, 14)]


def test_options_of_the_loader_are_for_the_validation_dataset_too() -> None:
    """Tensors as training and validation data are both loaded in batches of the size asked for."""
    model, sizes = net(), []
    x, y = samples(12, seed=1)[:]

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        sizes.append((torch.is_grad_enabled(), len(targets)))
        return mse(output, targets)

    options = {"dataloader_options": {"batch_size": 6}, "val_data": (x, y), "val_every": 2}
    list(iter_range_test(model, sgd(model), loss_fn, (x, y), **options, **(SWEEP | {"num_steps": 3})))
    assert sizes == [(True, 6)] * 2 + [(False, 6)] * 2 + [(True, 6)]


@pytest.mark.parametrize(
    ("val_data", "error", "message"),
    [
        (iter([1.0]), TypeError, "val_data is a one-shot iterator .*, but it is evaluated several times; give a"),
        ([], ValueError, "val_data has no batch; give data with at least one batch"),
        (3, TypeError, "val_data must be a DataLoader, .*, got int"),
        (torch.zeros(3), TypeError, "val_data must be a DataLoader, .*, got Tensor"),
    ],
)
def test_validation_data_of_a_wrong_form_is_refused_at_once(
    val_data: Any, error: type[Exception], message: str
) -> None:
    """The error speaks of val_data and comes before any step."""
    model = net()
    with pytest.raises(error, match=message):
        iter_range_test(model, sgd(model), mse, train_loader(), val_data=val_data)


# --- a way to say how to validate -----------------------------------------------------------------------------------


class Detector(nn.Module):
    """Has losses in train mode only, and answers with predictions in eval mode, as the detection models of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor | None = None) -> Any:
        output = self.body(inputs)
        if not self.training:
            return [{"boxes": row} for row in output]
        assert targets is not None
        return {"boxes": mse(output, targets), "classes": 2 * mse(output, targets)}


def sum_of_losses(model: nn.Module, batch: Any) -> torch.Tensor:
    """The training step of torchvision's tutorial."""
    losses: torch.Tensor = sum(model(*batch).values())
    return losses


def losses_in_train_mode(model: nn.Module, batch: Any) -> torch.Tensor:
    """The remedy for such models."""
    model.train()
    return sum_of_losses(model, batch)


def test_a_detection_model_is_validated_by_its_val_step() -> None:
    """In train mode and without gradients, on the whole data, and nothing of it is in the training."""
    model, modes = Detector(), []
    val = DataLoader(samples(12, seed=2), batch_size=4)

    def val_step(model: nn.Module, batch: Any) -> torch.Tensor:
        modes.append((model.training, model.body[1].training, torch.is_grad_enabled()))
        return losses_in_train_mode(model, batch)

    def run(**options: Any) -> list[tuple[float, float | None]]:
        torch.manual_seed(1)
        optimizer = sgd(model)
        before = Look(model, optimizer)
        sweep = iter_range_test(
            model, optimizer, None, train_loader(), train_step=sum_of_losses, seed=1, **options, **SWEEP
        )
        curve = [(record.loss, record.val_loss) for record in sweep]
        before.assert_unchanged("after a test with a val_step")
        return curve

    validated = run(val_data=val, val_step=val_step, val_every=2)
    assert [loss for loss, _ in validated] == [loss for loss, _ in run()]
    assert [val_loss is not None for _, val_loss in validated] == [False, True] * 3 + [False]
    assert modes == [(False, False, False), (True, True, False), (True, True, False)] * 3  # as the batch before left it


def test_the_flags_of_modules_and_their_statistics_are_those_of_the_training_after_a_val_step() -> None:
    """A frozen BatchNorm stays frozen, the other one has counted the training batches alone."""
    model = Detector()
    model.frozen = nn.BatchNorm1d(3).eval()
    val = DataLoader(samples(12, seed=2), batch_size=4)
    seen = [
        (int(model.body[1].num_batches_tracked), model.training, model.body[1].training, model.frozen.training)
        for _ in iter_range_test(
            model,
            sgd(model),
            None,
            train_loader(),
            train_step=sum_of_losses,
            val_data=val,
            val_step=losses_in_train_mode,
            val_every=1,
            **SWEEP,
        )
    ]
    assert seen == [(step, True, True, False) for step in range(1, 8)]


def test_a_val_step_takes_the_place_of_the_loss_fn() -> None:
    """Training goes by the mean square, validation by three times the mean distance: 3·|2 - 0| = 6."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    batch = (torch.ones(2, 1), torch.zeros(2, 1))
    sweep = iter_range_test(
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        mse,
        [batch],
        val_data=[batch],
        val_step=lambda model, batch: {"loss": 3 * (model(batch[0]) - batch[1]).abs().mean()},
        val_every=1,
        schedule=lambda step: 1e-30,
        num_steps=2,
    )
    assert [(record.loss, record.val_loss) for record in sweep] == [(4.0, 6.0), (4.0, 6.0)]


class Judge(nn.Module):
    """A loss with statistics, a generator and a count of its own; nothing but the val_step leads to it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.noise = torch.Generator().manual_seed(5)
        self.count = 0

    def step(self, model: nn.Module, batch: Any) -> torch.Tensor:
        assert not self.norm.training
        self.norm.train()
        self.count += 1
        return mse(self.norm(model(batch[0])), batch[1]) + torch.rand((), generator=self.noise)


def test_the_owner_of_a_val_step_comes_back() -> None:
    """With all that it holds; a module is in eval mode for the validation, as the model is."""
    model, judge = net(), Judge()
    optimizer = sgd(model)
    before = Look(model, optimizer, judge)
    options = {"val_data": samples(8, seed=2), "val_step": judge.step, "progress": False, **SWEEP}
    assert range_test(model, optimizer, mse, train_loader(), **options).val_loss is not None
    before.assert_unchanged("after a test with a val_step of an object")


def test_a_model_without_a_loss_in_eval_mode_gets_a_note_that_names_the_val_step() -> None:
    """The exception is the user's or ours, and says how to go on."""
    model = Detector()
    options = {"train_step": sum_of_losses, "val_data": samples(8, seed=2), "val_every": 1, **SWEEP}
    with pytest.raises(AttributeError, match="'list' object has no attribute 'values'") as caught:
        list(iter_range_test(model, sgd(model), None, train_loader(), **options))
    remedy, place = caught.value.__notes__  # type: ignore[attr-defined]
    assert remedy == (
        "this was with val_data, in eval mode; where the model has a loss in train mode only, "
        "give val_step=callable(model, batch) -> loss"
    )
    assert place == "while lr_widget was in step 1 of 7, at learning rate 2.7e-4"
    options["train_step"] = lambda model, batch: model(*batch) if not model.training else sum_of_losses(model, batch)
    with pytest.raises(TypeError, match="the loss must be a scalar tensor, got a list of length 8") as caught:
        list(iter_range_test(model, sgd(model), None, train_loader(), **options))
    assert caught.value.__notes__[0] == remedy  # type: ignore[attr-defined]


def test_an_error_of_the_val_step_itself_gets_no_such_note() -> None:
    """There is one already."""
    model = Detector()
    options = {"train_step": sum_of_losses, "val_data": samples(8, seed=2), "val_every": 1, **SWEEP}
    with pytest.raises(AttributeError, match="'list' object has no attribute 'values'") as caught:
        list(iter_range_test(model, sgd(model), None, train_loader(), val_step=sum_of_losses, **options))
    assert len(caught.value.__notes__) == 1  # type: ignore[attr-defined]


def test_probes_are_compared_by_the_val_step() -> None:
    """The loss at the end of each training is the one that it gives."""
    model = Detector()
    evidence = probe(
        model,
        sgd(model),
        None,
        train_loader(),
        train_step=sum_of_losses,
        val_data=samples(8, seed=2),
        val_step=lambda model, batch: torch.tensor(7.0),
        around=1e-3,
        probe_steps=8,
        max_steps=16,
        seed=0,
        progress=False,
    )
    assert [run.val_loss for run in evidence.runs] == [7.0, 7.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_step": sum_of_losses}, "val_step is for the batches of val_data; give val_data, too, or leave val_step"),
        ({"val_step": 3, "val_data": samples(8, seed=2)}, "val_step must be callable, got 3 of type int"),
        (
            {"val_step": Detector, "val_data": samples(8, seed=2)},
            r"val_step must be a function or an object that is called, got the class Detector; make one of it: Detector\(\)",
        ),
    ],
)
def test_a_val_step_that_cannot_serve_is_refused_at_once(options: Any, message: str) -> None:
    """Without data it would never be called."""
    model = net()
    with pytest.raises(TypeError, match=message):
        iter_range_test(model, sgd(model), mse, train_loader(), **options)
