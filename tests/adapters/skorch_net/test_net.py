"""The adapter of skorch: the losses are those of the plain engine, and those of a net's own fit."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.helper import predefined_split
from torch import nn
from torch.optim import lr_scheduler as torchs

from lr_widget import adapters, range_test
from lr_widget.adapters.skorch_net import net as net_module
from tests.no_trace.state import Look

from ..accelerated_loop import new_accelerator
from ..nets import Careful, Columns, Halved, Halves, Net, Pair, Plain, X, Y, classifier, noted, seed_everything, skorch

# Warnings of skorch and of torch about it are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1.0, "num_steps": 12, "progress": False}
callbacks = skorch.callbacks


def at_one_rate(net: Any, X: Any = X, y: Any = Y, lr: float = 0.1) -> list[float]:
    """Return the losses of a test whose rate stays as it is in a fit, of an epoch's batches."""
    setup = adapters.skorch(net, X, y, num_steps=7, schedule=lambda step: lr, diverge_factor=None)
    return list(range_test(**setup, progress=False).loss)


def of_partial_fit(net: Any, X: Any = X, y: Any = Y) -> list[float]:
    """Return the losses of the first epoch of a fit that goes on."""
    return noted(net.partial_fit(X, y)).losses[:7]


@pytest.mark.parametrize("is_initialized", [True, False])
def test_the_curve_is_that_of_the_plain_engine(is_initialized: bool) -> None:
    """The losses are those that the module gives without skorch, on the part of the data that is for training."""
    net = classifier()
    if is_initialized:
        net.initialize()
    setup = adapters.skorch(net, X, Y)
    seed_everything(1)
    records = range_test(**setup, **SWEEP)
    seed_everything()
    model = Net()
    seed_everything(1)
    data, _ = skorch.dataset.ValidSplit(5, stratified=True)(skorch.dataset.Dataset(X, Y), Y)
    loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True)

    def loss_fn(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.nll_loss(torch.log(output + torch.finfo(output.dtype).eps), targets)

    expected = range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), loss_fn, loader, **SWEEP)
    assert list(records.loss) == list(expected.loss)


NETS: dict[str, Any] = {
    "plain": classifier,
    "Adam": lambda: classifier(optimizer=torch.optim.Adam, optimizer__betas=(0.8, 0.9)),
    "LBFGS": lambda: classifier(optimizer=torch.optim.LBFGS),
    "all data": lambda: classifier(train_split=None),
    "clipped": lambda: classifier(callbacks=[callbacks.GradientNormClipping(0.01)]),
    "clipped by a parameter": lambda: classifier(
        callbacks=[("clip", callbacks.GradientNormClipping)], callbacks__clip__gradient_clip_value=0.01
    ),
    "clipped by another norm": lambda: classifier(callbacks=[callbacks.GradientNormClipping(0.01, 1)]),
    "frozen": lambda: classifier(callbacks=[callbacks.Freezer("hidden.*")]),
    "begun anew": lambda: classifier(callbacks=[callbacks.Initializer("hidden.weight", fn=nn.init.zeros_)]),
    "regularized": lambda: classifier(Careful),
    "with a step of its own": lambda: classifier(Pair),
    "with gradients of its own": lambda: classifier(Halved),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("is_trained", [False, True])
def test_the_losses_are_those_of_a_fit_that_goes_on(name: str, is_trained: bool) -> None:
    """Optimizers, callbacks that act on gradients and parameters, and methods of the net count, in later fits, too."""
    net, other = NETS[name](), NETS[name]()
    for each in (net, other):
        seed_everything(2)
        each.fit(X, Y) if is_trained else each.initialize()
    found = at_one_rate(net)
    assert found == of_partial_fit(other)
    assert len(set(found)) == 7


@pytest.mark.parametrize("is_an_instance", [True, False])
def test_a_new_net_is_tested_with_the_weights_that_fit_would_make(is_an_instance: bool) -> None:
    """The first loss, before any update and without dropout and shuffling, is that of the fit that follows."""
    seed_everything(4)
    module = nn.Sequential(nn.Linear(64, 10), nn.Softmax(-1)) if is_an_instance else Plain
    net = classifier(module=module, iterator_train__shuffle=False)
    first = range_test(**adapters.skorch(net, X, Y), **SWEEP).loss[0]
    assert noted(net.fit(X, Y)).losses[0] == first


def inputs_of(kind: str) -> tuple[Any, Any]:
    """Return the digits in a form that skorch takes."""
    left, right = X[:, :32].copy(), X[:, 32:].copy()
    forms: dict[str, tuple[Any, Any]] = {
        "tensors": (torch.tensor(X), torch.tensor(Y)),
        "mapping": ({"left": left, "right": right}, Y),
        "frame": (pd.DataFrame({f"c{index}": X[:, index] for index in range(64)}), Y),
        "dataset": (torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), None),
        "dataset and targets": (skorch.dataset.Dataset(X, Y), Y),
    }
    return forms[kind]


@pytest.mark.parametrize("kind", ["tensors", "mapping", "frame", "dataset", "dataset and targets"])
def test_the_data_may_have_any_form_that_fit_takes(kind: str) -> None:
    """The losses are those of a fit on the same data."""
    module = {"mapping": Halves, "frame": Columns}.get(kind, Net)
    split = None if kind == "dataset" else skorch.dataset.ValidSplit(5)
    net, other = (classifier(module=module, train_split=split).initialize() for _ in range(2))
    given = inputs_of(kind)
    assert at_one_rate(net, *given) == of_partial_fit(other, *given)


def test_a_predefined_split_leaves_all_data_for_training() -> None:
    """The validation data of `predefined_split` is no part of a test."""
    split = predefined_split(skorch.dataset.Dataset(X[:40], Y[:40]))
    setup = adapters.skorch(classifier(train_split=split), X, Y)
    assert len(setup["train_data"].dataset) == len(X)


@pytest.mark.parametrize("cls", [skorch.NeuralNetRegressor, skorch.NeuralNetBinaryClassifier])
def test_other_nets_have_their_own_loss(cls: Any) -> None:
    """Regressors and binary classifiers are tested with the loss that they fit with."""
    module, y = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1)), (Y > 4).astype("float32")
    y = y[:, None] if cls is skorch.NeuralNetRegressor else y
    net, other = (classifier(cls, module=module).initialize() for _ in range(2))
    found = at_one_rate(net, y=y)
    assert found == of_partial_fit(other, y=y)


def test_targets_that_the_net_refuses_are_refused_by_the_net() -> None:
    """The sentence is skorch's own."""
    with pytest.raises(ValueError, match=r"No y-values are given \(y=None\)"):
        adapters.skorch(classifier(skorch.NeuralNetRegressor, module=nn.Linear(64, 1)), X)


class Accelerated(skorch.hf.AccelerateMixin, skorch.NeuralNetClassifier):
    """A classifier with an accelerator, as in skorch's guide."""


def accelerated(**settings: Any) -> Any:
    """Return such a classifier, whose losses do not depend on random numbers."""
    accelerator = new_accelerator(**settings)
    return classifier(Accelerated, module=Plain, iterator_train__shuffle=False, accelerator=accelerator, device=None)


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("is_initialized", [True, False])
def test_a_net_with_an_accelerator_has_its_precision(precision: str, is_initialized: bool) -> None:
    """The losses are those of a fit of the net, and the accelerator is as it was."""
    net = accelerated(mixed_precision=precision)
    if is_initialized:
        net.initialize()
    look = Look(net.accelerator)
    found = at_one_rate(net)
    look.assert_unchanged()
    assert found == pytest.approx(noted(accelerated(mixed_precision=precision).fit(X, Y)).losses[:7], rel=1e-6)
    assert found != pytest.approx(
        at_one_rate(accelerated(mixed_precision="bf16" if precision == "no" else "no")), rel=1e-6
    )


def test_a_net_whose_accelerator_accumulates_is_refused() -> None:
    """skorch would train on the last batch of an update alone."""
    message = "must be 1, for skorch clears the gradients before the last batch of an update, got 2; use larger batches"
    with pytest.raises(ValueError, match=message):
        adapters.skorch(accelerated(gradient_accumulation_steps=2), X, Y)


def test_an_input_shape_that_is_set_when_a_fit_begins_is_set_for_the_test() -> None:
    """`InputShapeSetter` makes the module anew, in the copy alone."""
    net = classifier(
        module__inputs=3, callbacks=[callbacks.InputShapeSetter(param_name="inputs", module_name="module")]
    )
    records = range_test(**adapters.skorch(net, X, Y), **SWEEP)
    assert records.stop_reason == "completed"
    assert net.module__inputs == 3


SCHEDULERS: dict[str, Any] = {
    "cosine": ("cosine", {"policy": "CosineAnnealingLR", "T_max": 5}),
    "one cycle": ("one_cycle", {"policy": torchs.OneCycleLR, "max_lr": 0.1, "total_steps": 40, "step_every": "batch"}),
    "steps": ("constant", {"policy": "StepLR", "step_size": 2}),
    "plateau": ("constant", {"policy": "ReduceLROnPlateau"}),
    "warm-up": ("constant", {"policy": torchs.LinearLR}),
    "falling line": ("linear", {"policy": torchs.LinearLR, "start_factor": 1.0, "end_factor": 0.0}),
    "line of epochs": ("linear", {"policy": "LambdaLR", "lr_lambda": lambda step: max(0, 1 - step / 5)}),
    "line of batches": (
        "linear_with_warmup",
        {"policy": "LambdaLR", "lr_lambda": lambda step: min(step / 4, 1 - step / 40), "step_every": "batch"},
    ),
    "two groups": ("linear", {"policy": "LambdaLR", "lr_lambda": [lambda step: 1 - step / 5, lambda step: 1.0]}),
    "made by a function": ("linear", {"policy": lambda optimizer, **more: torchs.PolynomialLR(optimizer, 5)}),
}


@pytest.mark.parametrize("is_trained", [False, True])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_length_and_the_schedule_are_those_of_the_fit(name: str, is_trained: bool) -> None:
    """With 240 rows for training, 32 a batch, an epoch has 8 updates; the optimizer is as it was."""
    schedule, settings = SCHEDULERS[name]
    groups = {"optimizer__param_groups": [("last.*", {})]} if name == "two groups" else {}
    net = classifier(max_epochs=5, callbacks=[callbacks.LRScheduler(**settings)], **groups)
    if is_trained:
        net.fit(X, Y)
    look = Look(net)
    setup = adapters.skorch(net, X, Y)
    look.assert_unchanged("by the adapter")
    assert (setup["train_steps"], setup["train_schedule"]) == (40, schedule)


def test_a_pipeline_is_told_to_give_its_net() -> None:
    """The sentence has the two expressions, and they work."""
    pipe = make_pipeline(StandardScaler(), classifier())
    with pytest.raises(
        TypeError, match=r"got .*Pipeline.* the last step, pipe\[-1\], .* pipe\[:-1\].fit_transform\(X\)"
    ):
        adapters.skorch(pipe, X, Y)
    records = range_test(**adapters.skorch(pipe[-1], pipe[:-1].fit_transform(X), Y), num_steps=10, progress=False)
    assert records.stop_reason in ("completed", "diverged")


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs in one process."""
    monkeypatch.setattr(net_module, "is_alone", lambda: False)
    with pytest.raises(ValueError, match="runs in one process; start it without a launcher"):
        adapters.skorch(classifier(), X, Y)
