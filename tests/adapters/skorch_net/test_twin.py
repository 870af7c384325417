"""The adapter of skorch: net, callbacks, data and files are after a test as they were before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skorch.helper import predefined_split

from lr_widget import adapters, probe, range_test
from lr_widget.engine import make_plan
from tests.no_trace.state import Look, values

from ..nets import Careful, Halved, Net, Pair, X, Y, classifier, noted, seed_everything, skorch

# Warnings of skorch and of torch about it are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

SWEEP: dict[str, Any] = {"start_lr": 1e-4, "end_lr": 1.0, "num_steps": 12, "progress": False}
callbacks = skorch.callbacks

NETS: dict[str, Any] = {
    "plain": classifier,
    "Adam": lambda: classifier(optimizer=torch.optim.Adam),
    "random split": lambda: classifier(
        train_split=skorch.dataset.ValidSplit(0.25, random_state=np.random.RandomState(3))
    ),
    "callbacks": lambda: classifier(
        Careful,
        callbacks=[
            callbacks.GradientNormClipping(0.1, gradient_clip_norm_type=1),
            callbacks.Freezer("hidden.bias"),
            callbacks.Initializer("last.*", fn=torch.nn.init.zeros_),
            callbacks.LRScheduler("CosineAnnealingLR", T_max=9, step_every="batch"),
            callbacks.EpochScoring("accuracy", on_train=True),
        ],
    ),
    "with a step of its own": lambda: classifier(Pair),
    "with gradients of its own": lambda: classifier(Halved),
    "on and on": lambda: classifier(warm_start=True, optimizer=torch.optim.SGD, optimizer__momentum=0.9),
}


@pytest.mark.parametrize("state", ["new", "initialized", "trained"])
@pytest.mark.parametrize("name", NETS)
def test_the_net_is_as_it_was_and_trains_as_without_a_test(name: str, state: str) -> None:
    """After two tests, a fit and a fit that goes on give the history and the weights of a net without them."""
    net, other = NETS[name](), NETS[name]()
    for each in (other, net):
        seed_everything(5)
        if state != "new":
            each.fit(X, Y) if state == "trained" else each.initialize()
    look = Look(net)
    setup = adapters.skorch(net, X, Y)
    look.assert_unchanged("by the adapter")
    for _ in range(2):
        range_test(**setup, **SWEEP)
        look.assert_unchanged("by a test")
    assert net.initialized_ == (state != "new")
    for train in ("partial_fit", "fit", "partial_fit"):
        for each in (other, net):
            seed_everything(6)
            getattr(each, train)(X, Y)
        assert noted(net).losses == noted(other).losses
        assert noted(net).rates == noted(other).rates
        assert net.history[:, "valid_loss"] == other.history[:, "valid_loss"]
        assert values(net.module_) == values(other.module_)


@pytest.mark.parametrize("state", ["new", "trained"])
@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError("broken"), None])
def test_an_end_in_the_middle_leaves_no_trace(ending: Any, state: str) -> None:
    """An interrupt, an exception or a NaN in the fifth step leaves all as it was."""
    is_armed: list[bool] = []

    class Failing(skorch.NeuralNetClassifier):
        num_losses = 0

        def get_loss(self, *given: Any, **more: Any) -> Any:
            self.num_losses += 1
            loss = super().get_loss(*given, **more)
            if not is_armed or self.num_losses < 5:
                return loss
            if ending is None:
                return loss * torch.nan
            raise ending

    net = classifier(Failing)
    if state == "trained":
        net.fit(X, Y)
        net.num_losses = 0
    is_armed.append(True)
    look, setup = Look(net), adapters.skorch(net, X, Y)
    if isinstance(ending, ValueError):
        with pytest.raises(ValueError, match="broken"):
            range_test(**setup, **SWEEP)
    else:
        records = range_test(**setup, **SWEEP)
        assert (records.stop_reason, len(records)) == (("interrupted", 4) if ending else ("non_finite", 5))
    look.assert_unchanged()


def test_nothing_is_written_or_printed(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Callbacks that save and print hear nothing."""
    saving = [callbacks.Checkpoint(dirname=tmp_path), callbacks.TrainEndCheckpoint(dirname=tmp_path)]
    net = classifier(verbose=1, callbacks=[*saving, callbacks.ProgressBar()])
    range_test(**adapters.skorch(net, X, Y), **SWEEP)
    net.initialize()
    range_test(**adapters.skorch(net, X, Y), **SWEEP)
    assert ([*tmp_path.iterdir()], capsys.readouterr().out) == ([], "")


def test_a_checkpoint_is_loaded_for_the_test_alone(tmp_path: Any) -> None:
    """`LoadInitState` begins a fit from stored weights, and so it does with a test."""
    saved = callbacks.Checkpoint(dirname=tmp_path)
    trained = classifier(callbacks=[saved]).fit(X, Y)
    net = classifier(callbacks=[callbacks.LoadInitState(callbacks.Checkpoint(dirname=tmp_path))])
    look = Look(net)
    start = range_test(**adapters.skorch(net, X, Y), **SWEEP).loss[0]
    look.assert_unchanged()
    assert start < trained.history[0, "train_loss"] < range_test(**adapters.skorch(classifier(), X, Y), **SWEEP).loss[0]


def test_the_module_of_an_instance_is_not_touched(tmp_path: Any) -> None:
    """A module that was given as an instance is trained by fit, not by the test, and gets no stored weights from it."""
    saved = callbacks.Checkpoint(dirname=tmp_path)
    classifier(callbacks=[saved]).fit(X, Y)
    module = Net()
    net = classifier(module=module, callbacks=[callbacks.LoadInitState(callbacks.Checkpoint(dirname=tmp_path))])
    look = Look(module)
    setup = adapters.skorch(net, X, Y)
    look.assert_unchanged("by the adapter")
    range_test(**setup, **SWEEP)
    look.assert_unchanged("by a test")


def test_neither_data_nor_history_are_copied() -> None:
    """What is kept does not grow with the rows for training and validation."""

    def num_kept(num_rows: int) -> tuple[int, int]:
        many = np.random.default_rng(0).normal(size=(num_rows, 64)).astype("float32")
        data = skorch.dataset.Dataset(many, np.arange(num_rows) % 10)
        net = classifier(train_split=predefined_split(data)).fit(many, np.arange(num_rows) % 10)
        snapshot = make_plan(**adapters.skorch(net, many, np.arange(num_rows) % 10)).snapshot()
        return len(snapshot._structure), len(snapshot._tensors)

    assert num_kept(3000) == num_kept(200)


def test_probes_take_the_same_keywords() -> None:
    """Probes of nets come to a rate and leave no trace, of those with a step of their own, too."""
    for cls in (skorch.NeuralNetClassifier, Pair):
        net = classifier(cls).initialize()
        look = Look(net)
        evidence = probe(**adapters.skorch(net, X, Y), max_steps=60, progress=False)
        assert float(evidence.suggestion) > 0
        look.assert_unchanged()
