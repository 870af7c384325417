"""The adapter of skorch: the rate in the net's own fit, refusals, and the scripts of the first tutorials."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.hf import AccelerateMixin
from torch import nn

from lr_widget import adapters, range_test
from lr_widget.adapters import skorch_net

from .accelerated_loop import new_accelerator
from .nets import Net, Pair, X, Y, classifier, noted, seed_everything, skorch

# Warnings of skorch and of torch about it are theirs; that of our own is none of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error:the functions and the data of this range test"),
]

GROUPS = [("last.*", {"lr": 0.4}), ("hidden.bias", {"momentum": 0.5})]

# --- the rate ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["lr", "optimizer__lr"])
@pytest.mark.parametrize("train", ["fit", "partial_fit"])
@pytest.mark.parametrize("is_initialized", [True, False])
def test_the_net_trains_with_the_rate(place: str, train: str, is_initialized: bool) -> None:
    """Both ways of training begin with the rate, wherever it was given, and the net's weights stay."""
    net = classifier(**{place: 0.5})
    if is_initialized:
        net.initialize()
        weight = net.module_.last.weight
    places = adapters.skorch(net, X, Y).apply(3e-3)
    assert places == [place, *(["optimizer_"] if is_initialized else [])]
    assert net.get_params()[place] == 3e-3
    getattr(net, train)(X, Y)
    assert noted(net).rates[0] == [3e-3]
    if is_initialized and train == "partial_fit":
        assert net.module_.last.weight is weight


@pytest.mark.parametrize("is_initialized", [True, False])
def test_param_groups_keep_their_proportions(is_initialized: bool) -> None:
    """The rate is that of the first group; what the user gave is not written to."""
    net = classifier(lr=0.1, optimizer__param_groups=GROUPS)
    if is_initialized:
        net.initialize()
    setup = adapters.skorch(net, X, Y)
    records = range_test(**setup, num_steps=10, end_lr=1.0, progress=False)
    assert records.group_lrs[-1].tolist() == pytest.approx([1, 0.25, 0.25])
    assert setup.apply(0.02)[:2] == ["lr", "optimizer__param_groups"]
    assert GROUPS[0][1] == {"lr": 0.4}
    assert noted(net.fit(X, Y)).rates[0] == pytest.approx([0.02, 0.005, 0.005])


def test_several_optimizers_follow_the_first() -> None:
    """A rate for the second optimizer keeps its proportion."""
    net = classifier(Pair, optimizer2__lr=0.3)
    assert adapters.skorch(net, X, Y).apply(0.01) == ["lr", "optimizer2__lr"]
    assert (net.lr, net.optimizer2__lr) == pytest.approx((0.01, 0.03))


def test_a_schedule_has_the_rate_as_its_top() -> None:
    """A schedule that goes on is that of the rate, and so is one that begins anew."""

    def trained() -> Any:
        scheduler = skorch.callbacks.LRScheduler("CosineAnnealingLR", T_max=20, step_every="batch")
        return classifier(callbacks=[scheduler]).fit(X, Y)

    net, other = trained(), trained()
    assert net.optimizer_.param_groups[0]["lr"] < 0.1
    adapters.skorch(net, X, Y).apply(3e-3)
    expected = [rate * 0.03 for (rate,) in noted(other.partial_fit(X, Y)).rates]
    assert [rate for (rate,) in noted(net.partial_fit(X, Y)).rates] == pytest.approx(expected)
    assert noted(net.fit(X, Y)).rates[0] == [3e-3]


def test_a_rate_in_the_code_of_the_net_is_refused() -> None:
    """Where `net.lr` is not used, a sentence says where the rate stands."""

    class Own(skorch.NeuralNetClassifier):
        def initialize_optimizer(self) -> Any:
            self.optimizer_ = torch.optim.SGD(self.module_.parameters(), lr=0.7)
            return self

    net = classifier(Own)
    with pytest.raises(ValueError, match=r"with the rate 0.7 and not with its lr, 0.1; .* or set 0.003 there"):
        adapters.skorch(net, X, Y).apply(3e-3)
    assert net.lr == 0.1


# --- refusals ------------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(skorch_net, "is_alone", lambda: False)
    with pytest.raises(ValueError, match="runs in one process; start it without a launcher"):
        adapters.skorch(classifier(), X, Y)


def test_a_step_of_its_own_with_an_accelerator_is_refused() -> None:
    """Its updates would be the accelerator's."""

    class Own(AccelerateMixin, skorch.NeuralNetClassifier):
        def train_step_single(self, batch: Any, **more: Any) -> Any:
            """Train in another way."""

    net = classifier(Own, accelerator=new_accelerator(), device=None)
    with pytest.raises(ValueError, match="must make its updates as skorch does, got Own with train_step_single; find"):
        adapters.skorch(net, X, Y)


# --- the scripts of the first tutorials ----------------------------------------------------------------------------------


def test_the_quick_start_with_one_line_added() -> None:
    """A classifier of the digits learns with the rate that the added lines have found, alone and in a grid search."""
    seed_everything()
    net = skorch.NeuralNetClassifier(
        Net, max_epochs=10, lr=1e-5, optimizer=torch.optim.Adam, iterator_train__shuffle=True, verbose=0
    )
    setup = adapters.skorch(net, X, Y)
    setup.apply(range_test(**setup, progress=False).suggest())
    net.fit(X, Y)
    assert net.score(X, Y) > 0.9
    search = GridSearchCV(net, {"lr": [net.lr / 300, net.lr]}, cv=2, refit=False, scoring="accuracy")
    assert search.fit(X, Y).best_params_ == {"lr": net.lr}


def test_the_two_moons_in_a_pipeline_with_one_line_added() -> None:
    """The last step of a pipeline learns with the rate that the added lines have found."""
    seed_everything()
    points, moons = make_moons(400, noise=0.1, random_state=0)
    points, moons = points.astype("float32"), moons.astype("float32")
    module = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    net = skorch.NeuralNetBinaryClassifier(module, max_epochs=20, lr=1e-4, batch_size=32, verbose=0)
    pipe = make_pipeline(StandardScaler(), net)
    setup = adapters.skorch(pipe[-1], pipe[:-1].fit_transform(points), moons)
    setup.apply(range_test(**setup, progress=False).suggest())
    pipe.fit(points, moons)
    assert pipe.score(points, moons) > 0.9
