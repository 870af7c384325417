"""The adapter of skorch: the rate in the net's own fit, and the scripts of the first tutorials."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from lr_widget import adapters, range_test

from ..nets import Net, Pair, X, Y, classifier, noted, seed_everything, skorch

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


@pytest.mark.parametrize(
    ("policy", "keywords"),
    [
        (torch.optim.lr_scheduler.OneCycleLR, {"max_lr": 0.5, "total_steps": 40}),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5}),
        ("WarmRestartLR", {}),
    ],
)
def test_a_schedule_with_a_top_of_its_own_is_refused(policy: Any, keywords: dict[str, Any]) -> None:
    """The net would train with that, whatever its lr is; nothing is changed."""
    scheduler = skorch.callbacks.LRScheduler(policy, **keywords)
    net = classifier(callbacks=[scheduler])
    with pytest.raises(
        ValueError,
        match=r"an LRScheduler with (OneCycle|Cyclic|WarmRestart)LR, whose max_lr is .*; give it max_lr=0.003$",
    ):
        adapters.skorch(net, X, Y).apply(3e-3)
    assert net.lr == 0.1


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
    setup = adapters.skorch(net, X, Y)
    net.fit(X, Y)
    with pytest.raises(ValueError, match=r"with the rate 0.7 and not with its lr, 0.1"):
        setup.apply(3e-3)


def test_a_rate_may_be_applied_again() -> None:
    """The second rate takes the place of the first, also after the user's own, with the proportions as they were."""
    net = classifier(optimizer__param_groups=GROUPS)
    setup = adapters.skorch(net, X, Y)
    setup.apply(0.2)
    assert setup.apply(0.05) == ["lr", "optimizer__param_groups"]
    assert noted(net.fit(X, Y)).rates[0] == pytest.approx([0.05, 0.0125, 0.0125])
    net = classifier()
    setup = adapters.skorch(net, X, Y)
    net.set_params(lr=0.02)
    assert setup.apply(0.05) == ["lr"]
    assert noted(net.fit(X, Y)).rates[0] == [0.05]


@pytest.mark.parametrize("is_trained", [False, True])
def test_the_rate_goes_to_the_optimizer_that_the_net_has_by_then(is_trained: bool) -> None:
    """A fit or new parameters after the test have made another optimizer than that of the test."""
    net = classifier()
    if is_trained:
        net.fit(X, Y)
    setup = adapters.skorch(net, X, Y)
    range_test(**setup, num_steps=10, progress=False)
    net.set_params(lr=0.02) if is_trained else net.fit(X, Y)
    assert setup.apply(3e-3) == ["lr", "optimizer_"]
    assert net.optimizer_.param_groups[0]["lr"] == 3e-3
    assert noted(net.partial_fit(X, Y)).rates[0] == [3e-3]


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
