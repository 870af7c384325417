"""The place where a LightningModule keeps its rate, and the rate that `fit` then begins with."""

from __future__ import annotations

from typing import Any

import pytest
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import CyclicLR

from lr_widget import adapters, range_test

from ..lit import TEST, gan, loader, regression, trainer

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


def rates_of_fit(module: Any) -> list[float]:
    """Return the rates of the first step of a `fit`."""
    seen: list[float] = []
    train = trainer(max_steps=1)
    module.on_train_batch_start = lambda batch, batch_idx: seen.extend(
        group["lr"] for optimizer in train.optimizers for group in optimizer.param_groups
    )
    train.fit(module, loader())
    return seen


def kept(configure: Any, **attributes: Any) -> Any:
    """Return a module without hyperparameters but with these attributes."""
    module = regression(configure_optimizers=configure)()
    module.hparams.clear()
    for name, value in attributes.items():
        setattr(module, name, value)
    return module


def test_a_rate_goes_into_the_hyperparameters_and_the_attribute() -> None:
    """All usual places that there are, under either usual name; `fit` uses it, before and after another `fit`."""
    module = regression()()
    setup = adapters.lightning(module, loader(), trainer())
    assert setup.apply(range_test(**setup, **TEST).lr[5]) == ["hparams.lr"]
    assert setup.apply(0.025) == ["hparams.lr"]
    assert rates_of_fit(module) == [0.025]
    assert setup.apply(0.05) == ["hparams.lr"]
    assert rates_of_fit(module) == [0.05]
    both = kept(lambda self: SGD(self.parameters(), lr=self.learning_rate), learning_rate=1.0)
    both.hparams["learning_rate"] = 1.0
    assert adapters.lightning(both, loader()).apply(0.3) == ["learning_rate", "hparams.learning_rate"]
    assert (both.learning_rate, both.hparams.learning_rate, rates_of_fit(both)) == (0.3, 0.3, [0.3])


def test_a_place_may_be_named() -> None:
    """With dots, through attributes and mappings."""
    module = kept(lambda self: SGD(self.parameters(), lr=self.hparams.optimizer["rate"]))
    module.hparams["optimizer"] = {"rate": 1.0}
    setup = adapters.lightning(module, loader(), rate_name="hparams.optimizer.rate")
    assert setup.apply(0.02) == ["hparams.optimizer.rate"]
    assert rates_of_fit(module) == [0.02]
    with pytest.raises(
        ValueError, match=r"rate_name must lead to .* of Regression, got 'hparams.rate', but there is no"
    ):
        adapters.lightning(module, loader(), rate_name="hparams.rate")


def test_a_rate_that_is_written_into_the_module_is_said_to_be_there() -> None:
    """With or without an attribute that has nothing to do with it; the attribute stays."""
    with pytest.raises(ValueError, match=r"keeps no learning rate as lr or .*; name the place .* or write 0.3 into"):
        adapters.lightning(kept(lambda self: SGD(self.parameters(), lr=0.7)), loader()).apply(0.3)
    module = kept(lambda self: SGD(self.parameters(), lr=0.7), lr=0.1)
    with pytest.raises(ValueError, match=r"does not take its rate from lr, as it makes one with 0.7; name the place"):
        adapters.lightning(module, loader()).apply(0.3)
    assert module.lr == 0.1


def _two_groups(self: Any) -> Any:
    groups = [{"params": self.net[0].parameters(), "lr": self.lr / 10}, {"params": self.net[4].parameters()}]
    return Adam(groups, lr=self.lr)


def test_groups_keep_their_proportions() -> None:
    """The rate is the first group's, as on record; the attribute is then ten times as large."""
    module = kept(_two_groups, lr=1.0)
    assert adapters.lightning(module, loader()).apply(0.02) == ["lr"]
    assert rates_of_fit(module) == pytest.approx([0.02, 0.2])
    assert module.lr == pytest.approx(0.2)


def test_groups_whose_rates_come_from_elsewhere_are_refused() -> None:
    """Their proportion would not be the one that was tested; the attribute stays, and the rates to write are said."""

    def configure_optimizers(self: Any) -> Any:
        groups = [{"params": self.net[0].parameters()}, {"params": self.net[4].parameters(), "lr": 0.5}]
        return SGD(groups, lr=self.lr)

    module = kept(configure_optimizers, lr=1.0)
    message = r"takes the rate of param group 1 not from lr, so that it would stay at 0.5, .* write 0.2 and 0.1 into"
    with pytest.raises(ValueError, match=message):
        adapters.lightning(module, loader()).apply(0.2)
    assert module.lr == 1.0


def test_two_optimizers_take_the_rate_together() -> None:
    """They are the groups of a test, in their order."""
    module = gan()()
    assert adapters.lightning(module, loader()).apply(0.01) == ["lr"]
    assert rates_of_fit(module) == [0.01, 0.01]


def test_a_rate_must_be_one() -> None:
    """Neither zero nor a flag named like a rate is taken."""
    module = kept(lambda self: SGD(self.parameters(), lr=0.1), lr=True)
    setup = adapters.lightning(module, loader())
    with pytest.raises(ValueError, match="keeps no learning rate"):
        setup.apply(0.1)
    with pytest.raises(ValueError, match="lr must be a positive"):
        setup.apply(0.0)


def _two_rates(self: Any) -> Any:
    return [
        SGD(self.generator.parameters(), lr=self.hparams.lr_g),
        SGD(self.critic.parameters(), lr=self.hparams.lr_d),
    ], []


def test_several_rates_are_scaled_alike() -> None:
    """One for each optimizer; without their names the error says them, and with one of them that it is too few."""
    module = gan(configure_optimizers=_two_rates)()
    del module.lr
    module.hparams.update(lr_g=0.1, lr_d=0.4)
    setup = adapters.lightning(module, loader(), rate_name=["hparams.lr_g", "hparams.lr_d"])
    assert setup.apply(0.02) == ["hparams.lr_g", "hparams.lr_d"]
    assert rates_of_fit(module) == pytest.approx([0.02, 0.08])
    with pytest.raises(ValueError, match=r'rate_name=\["hparams.lr_g", "hparams.lr_d"\], or write 0.2 into'):
        adapters.lightning(module, loader()).apply(0.2)
    with pytest.raises(
        ValueError, match=r"takes the rate of param group 1 not from hparams.lr_g, .* name all places with"
    ):
        adapters.lightning(module, loader(), rate_name="hparams.lr_g").apply(0.2)


def test_loggers_write_down_the_rate_that_was_applied() -> None:
    """They take Lightning's copy of the hyperparameters as they were at first."""
    module = regression()()
    adapters.lightning(module, loader()).apply(0.03)
    assert module.hparams_initial["lr"] == 0.03


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            3,
            TypeError,
            "rate_name must be the name of an attribute or a list of names, got 3 of type int; name it as in",
        ),
        ([], TypeError, "rate_name must be the name of an attribute or a list of names, got"),
        ("net", ValueError, "rate_name must lead to a number, got 'net', which is"),
        ("hparams.nothing", ValueError, "rate_name must lead to an attribute or a hyperparameter of Regression, got"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_when_it_is_given(name: Any, error: Any, message: str) -> None:
    """Not only when a rate is applied."""
    with pytest.raises(error, match=message):
        adapters.lightning(regression()(), loader(), rate_name=name)


def _cyclic(self: Any) -> Any:
    groups = [{"params": self.net[0].parameters()}, {"params": self.net[4].parameters()}]
    optimizer = SGD(groups, lr=1e-4, momentum=0.9)
    tops = [self.lr, self.top or 2 * self.lr]
    return [optimizer], [{"scheduler": CyclicLR(optimizer, [1e-4, 1e-4], tops), "interval": "step"}]


def test_the_top_of_a_cycle_is_known_to_the_scheduler_alone() -> None:
    """It is the rate that the module's goes into; each group has one of its own."""
    module = kept(_cyclic, lr=1.0, top=None)
    assert adapters.lightning(module, loader()).apply(0.02) == ["lr"]
    assert module.lr == 0.02
    module.top = 0.5
    with pytest.raises(ValueError, match=r"takes the rate of param group 1 not from lr, so that it would stay at 0.5"):
        adapters.lightning(module, loader()).apply(0.2)
    assert module.lr == 0.02
