"""The hooks of a LightningModule in a step of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import SGD

from lr_widget import adapters, range_test

from ..lit import (
    TEST,
    L,
    assert_no_trace,
    curve,
    loader,
    loss_of,
    losses_of_fit,
    records_of_test,
    regression,
    seeded,
    steady,
    trainer,
)

# Lightning's own: few workers, short epochs, no validation loader, deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


# --- hooks --------------------------------------------------------------------------------------------------------------


def test_hooks_at_the_beginning_and_around_batches_are_called() -> None:
    """In the order of `fit`, once or once a batch, and anew in each test; the last batch has no end."""
    calls: list[str] = []

    def hook(name: str) -> Any:
        return lambda self, *arguments: calls.append(name)

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        calls.append("training_step")
        return loss_of(self, batch)

    names = ["on_fit_start", "on_train_start", "on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"]
    module = regression(training_step=training_step, **{name: hook(name) for name in names})()
    setup = adapters.lightning(module, loader())
    assert calls == []
    for _ in range(2):
        range_test(**setup, num_steps=2, progress=False)
        each = ["on_train_batch_start", "training_step"]
        assert calls == [*names[:3], *each, "on_train_batch_end", *each]
        calls.clear()


def test_a_teacher_that_follows_at_the_end_of_a_batch_does_so() -> None:
    """An average of the weights that `on_train_batch_end` keeps has a part in the loss."""

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        return functional.mse_loss(self.net(batch[0]), self.teacher(batch[0]))

    def on_train_batch_end(self: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        assert outputs["loss"].requires_grad is False
        with torch.no_grad():
            for mine, its in zip(self.teacher.parameters(), self.net.parameters(), strict=True):
                mine.lerp_(its, 0.5)

    def make() -> Any:
        module = regression(training_step=training_step, on_train_batch_end=on_train_batch_end)()
        module.net, module.teacher = nn.Linear(4, 1), nn.Linear(4, 1).requires_grad_(False)
        return module

    module = seeded(make)
    losses, by_hand = curve(module), []
    batches = loader()
    torch.manual_seed(1)
    optimizer, rates = SGD(module.net.parameters(), lr=0.1), range_test(**adapters.lightning(make(), loader()), **TEST)
    torch.manual_seed(1)
    for step, batch in zip(range(10), batches, strict=True):
        optimizer.param_groups[0]["lr"] = rates.lr[step]
        loss = functional.mse_loss(module.net(batch[0]), module.teacher(batch[0]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        module.on_train_batch_end({"loss": loss.detach()}, batch, 0)
        by_hand.append(loss.item())
    assert losses[:10] == pytest.approx(by_hand, rel=1e-5)


def test_an_epoch_that_is_to_end_at_once_is_refused() -> None:
    """`on_train_batch_start` may return -1 in `fit`."""
    module = regression(on_train_batch_start=lambda self, batch, batch_idx: -1)()
    with pytest.raises(ValueError, match="on_train_batch_start returned -1, which ends an epoch of fit, but"):
        curve(module)


def test_hooks_for_the_transfer_of_a_batch_are_those_of_the_data_module_first(tmp_path: Path) -> None:
    """As Lightning chooses them; the data module has the trainer meanwhile, and not afterwards."""

    class Data(L.LightningDataModule):  # type: ignore[misc, name-defined]  # imported by its name
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def prepare_data(self) -> None:
            self.calls.append("prepare_data")

        def setup(self, stage: str) -> None:
            self.calls.append("setup" if stage == "fit" else "")
            self.batches = loader()

        def train_dataloader(self) -> Any:
            assert self.trainer is not None
            return self.batches

        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            assert self.trainer.training
            return [2 * batch[0], batch[1]]

    def on_after_batch_transfer(self: Any, batch: Any, dataloader_idx: int) -> Any:
        raise AssertionError

    module = seeded(regression(on_after_batch_transfer=on_after_batch_transfer))
    data = Data()
    losses = range_test(**adapters.lightning(module, data), **TEST, seed=1).loss
    assert data.calls == ["prepare_data", "setup"]
    assert data.trainer is None
    twice = seeded(regression(on_before_batch_transfer=lambda self, batch, dataloader_idx: [2 * batch[0], batch[1]]))
    assert (losses == curve(twice)).all()
    assert_no_trace(regression(), Data, folder=tmp_path)


# --- hooks with a part in the update ------------------------------------------------------------------------------------


def _halve(self: Any) -> None:
    for parameter in self.parameters():
        if parameter.grad is not None:
            parameter.grad.mul_(0.5)


def _step(self: Any, epoch: int, batch_idx: int, optimizer: Any, closure: Any) -> None:
    optimizer.step(closure=closure)


def _clip(self: Any, optimizer: Any, gradient_clip_val: Any, gradient_clip_algorithm: Any) -> None:
    self.clip_gradients(optimizer, gradient_clip_val=0.3, gradient_clip_algorithm="norm")


def _backward(self: Any, loss: torch.Tensor) -> None:
    (loss / 2).backward()


OWN_UPDATES = {
    "nothing changed": ({"on_before_zero_grad": lambda self, optimizer: None}, {}, {}),
    "step": ({"optimizer_step": _step}, {}, {}),
    "halved": ({"on_after_backward": _halve}, {}, {"weight": 0.5}),
    "halved late": ({"on_before_optimizer_step": lambda self, optimizer: _halve(self)}, {}, {"weight": 0.5}),
    "backward": ({"backward": _backward}, {}, {"weight": 0.5}),
    "clipped": ({"configure_gradient_clipping": _clip}, {}, {"max_grad_norm": 0.3}),
    "zeroed": ({"optimizer_zero_grad": lambda self, e, i, optimizer: optimizer.zero_grad()}, {}, {}),
    "accumulated": ({"on_before_zero_grad": lambda self, optimizer: None}, {"accumulate_grad_batches": 4}, {}),
    "accumulated step": ({"optimizer_step": _step}, {"accumulate_grad_batches": 3}, {}),
}


@pytest.mark.parametrize("case", OWN_UPDATES)
def test_a_hook_with_a_part_in_the_update_has_it_in_a_test_too(case: str, tmp_path: Path) -> None:
    """Lightning's loop then makes the updates: the curve is that of an engine that does the same, and no trace."""
    methods, settings, same = OWN_UPDATES[case]
    module = seeded(regression(**methods))
    losses = curve(module, trainer(**settings))
    weight = same.get("weight", 1.0)  # of the gradient, which is one of the loss as well
    plain = range_test(
        module,
        SGD(module.parameters(), lr=0.1),
        None,
        loader(),
        train_step=lambda model, batch: weight * loss_of(model, batch),
        accumulation_steps=settings.get("accumulate_grad_batches", 1),
        max_grad_norm=same.get("max_grad_norm"),
        **TEST,
        seed=1,
    )
    assert losses == pytest.approx(plain.loss / weight, rel=1e-4)
    if same:
        assert losses != pytest.approx(curve(seeded(regression())), rel=1e-3)
    assert_no_trace(regression(**methods), folder=tmp_path, **settings)


def test_gradients_are_clipped_by_value_as_fit_does() -> None:
    """The engine clips by norm only, so Lightning's loop makes these updates."""
    module = seeded(regression())
    train = trainer(gradient_clip_val=0.05, gradient_clip_algorithm="value")
    setup = adapters.lightning(module, loader(), train)
    records = range_test(**setup, **TEST, seed=1)
    assert setup["train_step"].makes_update

    def training_step(self: Any, batch: Any) -> torch.Tensor:
        return loss_of(self, batch)

    for parameter in module.parameters():
        parameter.register_hook(lambda grad: grad.clamp(-0.05, 0.05))
    plain = range_test(
        module, SGD(module.parameters(), lr=0.1), None, loader(), train_step=training_step, **TEST, seed=1
    )
    assert records.loss == pytest.approx(plain.loss, rel=1e-5)


def _of_the_head(self: Any) -> Any:
    return SGD(self.net[2].parameters(), lr=self.hparams.lr)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_norm_is_that_of_the_optimizers_parameters(frozen: bool) -> None:
    """The engine clips all of a module's, so Lightning's loop makes the updates of a body that is in no optimizer."""

    def make() -> Any:
        module = steady(configure_optimizers=_of_the_head)()
        module.net[0].requires_grad_(not frozen)
        return module

    setup = adapters.lightning(make(), loader(), trainer(gradient_clip_val=0.3))
    assert setup["train_step"].makes_update is not frozen
    assert setup.get("max_grad_norm") == (0.3 if frozen else None)
    records = records_of_test(seeded(make), gradient_clip_val=0.3)
    assert records.loss == pytest.approx(losses_of_fit(seeded(make), records.lr, gradient_clip_val=0.3), rel=1e-5)


class Ascending(SGD):
    """A sharpness-aware optimizer, whose `step` says nothing of its closure."""

    def step(self, closure: Any = None) -> Any:
        """Step with the gradients at a point further up."""
        assert closure is not None
        with torch.enable_grad():
            loss = closure()
        parameters = [p for group in self.param_groups for p in group["params"]]
        moves = [0.1 * p.grad for p in parameters]
        torch._foreach_add_([p.data for p in parameters], moves)
        with torch.enable_grad():
            closure()
        torch._foreach_sub_([p.data for p in parameters], moves)
        super().step()
        return loss


@pytest.mark.parametrize("optimizer", [lambda p, lr: torch.optim.LBFGS(p, lr=lr, max_iter=3), Ascending])
@pytest.mark.parametrize("every", [1, 2])
def test_an_optimizer_that_calls_its_closure_again_counts_no_batch(optimizer: Any, every: int, tmp_path: Path) -> None:
    """Each call of `training_step` has the index that it has in `fit`; the loss on record is the first one."""
    seen: list[Any] = []

    def training_step(self: Any, batch: Any, batch_idx: int) -> Any:
        loss = loss_of(self, batch) * (1 + batch_idx % 3)
        seen.append((batch_idx, float(loss)))
        self.log("train_loss", loss)
        return loss

    def on_train_batch_end(self: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        seen.append((batch_idx, float(outputs["loss"])))

    module_class = steady(
        training_step=training_step,
        on_train_batch_end=on_train_batch_end,
        configure_optimizers=lambda self: optimizer(self.parameters(), lr=self.hparams.lr),
    )
    records = records_of_test(seeded(module_class), accumulate_grad_batches=every, max_epochs=1)
    ours = [*seen]
    firsts = [loss for (before, _), (index, loss) in zip([(-1, 0.0), *ours], ours, strict=False) if index != before]
    assert records.loss == pytest.approx([sum(firsts[i : i + every]) / every for i in range(0, 12 * every, every)])
    seen.clear()
    losses_of_fit(seeded(module_class), records.lr, accumulate_grad_batches=every)
    assert len(ours) > 30
    assert [index for index, _ in ours] == [index for index, _ in seen[: len(ours)]]
    assert [loss for _, loss in ours] == pytest.approx([loss for _, loss in seen[: len(ours)]], rel=1e-4)
    assert_no_trace(module_class, folder=tmp_path, accumulate_grad_batches=every)
