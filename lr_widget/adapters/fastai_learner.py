"""A fastai `Learner` as keywords of `range_test`."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch

from ..restore import keep_rng
from .adapted import Adapted, adapted, framework

if TYPE_CHECKING:
    from collections.abc import Callable

# Done by keywords of ours, or no part of a step.
_TRANSLATED = {"MixedPrecision", "GradientClip", "GradientAccumulation"}
_SCHEDULING = {"ParamScheduler"}
_TO_THE_LOSS = ("before_batch", "after_pred", "after_loss")
_AFTER_THE_LOSS = ("before_backward", "after_backward", "before_step", "after_step")


def fastai(learner: Any, n_epoch: int | None = None, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from a fastai `Learner`.

    The loss is that of the learner's `loss_func` on batches of `learner.dls.train`, with the callbacks that take part
    in it, such as MixUp; `MixedPrecision`, `GradientClip` and `GradientAccumulation` become keywords. The learner's
    callbacks, recorder and progress bar hear nothing of the test.

    Args:
        learner: the learner; its optimizer is made for the test where it has none yet.
        n_epoch: epochs of the `fit_one_cycle` that the rate is for; None for a rate for a training of unknown length.
        **keywords: those of `lr_widget.range_test`, in place of what the learner says.

    Returns:
        The keywords; their `apply` sets `learner.lr`, with which its `fit` methods start.

    Raises:
        ImportError: fastai is not installed.
        ValueError: a callback takes part in the update itself.
    """
    framework("fastai.learner", "fastai")
    translated = {type(each).__name__: each for each in learner.cbs if type(each).__name__ in _TRANSLATED}
    with keep_rng():
        twin = _twin(learner)
    loader = learner.dls.train
    found = {
        "model": learner.model,
        "optimizer": SteppingFastai(twin.opt),
        "loss_fn": None,
        "train_data": loader,
        "train_step": LearnerStep(twin),
        **_of_callbacks(translated, loader),
    }
    if n_epoch is not None:
        steps = math.ceil(len(loader) * n_epoch / found.get("accumulation_steps", 1))
        found |= {"train_steps": max(1, steps), "train_schedule": "one_cycle"}

    def put(lr: float) -> list[str]:
        learner.lr = lr
        return ["lr"]

    return adapted(("fastai", {"learner": learner, "n_epoch": n_epoch}), found, keywords, put)


class SteppingFastai(torch.optim.Optimizer):
    """A fastai optimizer as one of torch: fastai makes a new list of its groups at each look.

    Args:
        inner: the fastai optimizer.
    """

    def __init__(self, inner: Any) -> None:
        groups = zip(inner.param_lists, inner.hypers, strict=True)
        super().__init__([{"params": [*params], "lr": float(hypers["lr"])} for params, hypers in groups], {})
        self.inner = inner

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Make the update of the fastai optimizer at the groups' rates."""
        for hypers, group in zip(self.inner.hypers, self.param_groups, strict=True):
            hypers["lr"] = group["lr"]
        self.inner.step()


class LearnerStep:
    """A training step of a learner up to its loss.

    Args:
        twin: a copy of the learner, with copies of the callbacks that take part.
    """

    def __init__(self, twin: Any) -> None:
        self._twin = twin

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch with its graph."""
        twin = self._twin
        twin.loss_grad = None
        twin.one_batch(0, batch)
        loss: torch.Tensor = twin.loss_grad
        return loss


def _twin(learner: Any) -> Any:
    """Return a copy of the learner that goes as far as the loss, with an optimizer."""
    twin: Any = copy.copy(learner)
    twin.cbs = type(learner.cbs)()
    twin.training = True
    twin._do_grad_opt = _nothing  # noqa: SLF001  # fastai has no public way to end a batch at its loss
    for callback in learner.cbs:
        if _takes_part(callback):
            twin.add_cb(copy.copy(callback))
    if twin.opt is None:
        twin.create_opt()
        if twin.wd is not None:
            twin.opt.set_hypers(wd=twin.wd)
        twin.opt.set_hypers(lr=twin.lr)
    twin.dl, twin.n_epoch, twin.epoch, twin.n_iter = learner.dls.train, 1, 0, len(learner.dls.train)
    for event in ("before_fit", "before_epoch", "before_train"):
        twin(event)
    return twin


def _nothing() -> None:
    """Take the place of the backward pass and the update."""


def _takes_part(callback: Any) -> bool:
    """Return True for a callback that the loss depends on.

    Raises:
        ValueError: it takes part in the update itself.
    """
    name = type(callback).__name__
    if name in _TRANSLATED | _SCHEDULING:
        return False
    own = [event for event in (*_TO_THE_LOSS, *_AFTER_THE_LOSS) if hasattr(callback, event)]
    if any(event in _AFTER_THE_LOSS for event in own):
        raise ValueError(
            f"the callback {name} takes part in the update (with {own[-1]}), which the test makes by itself; leave it "
            f"out for the test, as in `with learner.removed_cbs(learner.{callback.name}): …`"
        )
    return bool(own)


def _of_callbacks(translated: dict[str, Any], loader: Any) -> dict[str, Any]:
    """Return the keywords in place of the callbacks for precision, clipping and accumulation."""
    found: dict[str, Any] = {}
    precision = translated.get("MixedPrecision")
    if precision is not None:
        found["autocast"] = True
    clip = translated.get("GradientClip")
    if clip is not None:
        found["max_grad_norm"] = clip.max_norm
    accumulation = translated.get("GradientAccumulation")
    if accumulation is not None:
        found["accumulation_steps"] = max(1, math.ceil(accumulation.n_acc / loader.bs))
    return found
