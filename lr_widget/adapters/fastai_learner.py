"""A fastai `Learner` as keywords of `range_test`."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from ..distributed import is_alone
from ..restore import keep_rng
from .adapted import Adapted, adapted, framework
from .rates import scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_TRANSLATED = ("MixedPrecision", "GradientClip", "GradientAccumulation")  # their work is that of our keywords
# Classes and modules of callbacks that show, log, schedule or save, beside the training.
_BESIDE = (
    *("fastai.callback.progress", "fastai.callback.tracker", "fastai.callback.schedule", "fastai.callback.hook"),
    *("fastai.callback.data", "fastai.callback.preds", "fastai.callback.core.GatherPredsCallback"),
    *("fastai.callback.wandb", "fastai.callback.tensorboard", "fastai.callback.neptune", "fastai.callback.comet"),
    *("fastai.callback.captum", "fastai.callback.azureml", "fastai.learner.Recorder", "fastai.learner.SkipToEpoch"),
)
_AT_THE_START = ("before_fit", "before_epoch")
_UP_TO_THE_LOSS = ("before_train", "before_batch", "after_pred", "after_loss")
_AFTER_THE_LOSS = ("before_backward", "after_backward", "before_step", "after_step")
_UPDATING = ("_do_grad_opt", "_backward", "_step")


def fastai(learner: Any, n_epoch: int | None = None, **keywords: Any) -> Adapted:
    """Make the keywords of a range test from a fastai `Learner`.

    The loss is that of the learner's `loss_func` on batches of `learner.dls.train`, with the callbacks that take part
    in it, such as MixUp, or that prepare the fit or the epoch, as one of yours that freezes; `MixedPrecision`,
    `GradientClip` and `GradientAccumulation` become keywords. The learner's own callbacks, recorder and progress bar
    hear nothing of the test: copies take part. The end of a batch, `after_batch`, is heard only by callbacks that also
    take part up to its loss; what others do after an update, such as clamping weights or stopping, plays no part.

    Args:
        learner: the learner; its optimizer is made for the test where it has none yet.
        n_epoch: epochs of the `fit_one_cycle` that the rate is for; None for a rate for a training of unknown length.
        **keywords: those of `lr_widget.range_test`, in place of what the learner says.

    Returns:
        The keywords; their `apply` sets `learner.lr`, with which `fit` and `fit_one_cycle` start; `fine_tune` has a
        rate of its own, so give it `base_lr=learner.lr`. Of rates for several groups, as in `lr=slice(1e-5, 1e-3)`, it
        is the first one, and the others keep their proportions.

    Raises:
        ImportError: fastai is not installed.
        ValueError: a callback or the learner's class takes part in the update itself; there are several processes; or
            model and data are on different devices.
    """
    library = framework("fastai.learner", "fastai")
    _refuse(learner, library.Learner)
    loader = learner.dls.train
    with keep_rng():
        twin = _twin(learner, loader, n_epoch or 1)
    found = {
        "model": learner.model,
        "optimizer": SteppingFastai(twin.opt, _rates(twin.lr, len(twin.opt.param_lists)), twin.wd),
        "loss_fn": None,
        "train_data": loader,
        "train_step": LearnerStep(twin),
        **_of_callbacks(learner),
    }
    if n_epoch is not None:
        steps = len(loader) * n_epoch // found.get("accumulation_steps", 1)
        found |= {"train_steps": max(1, steps), "train_schedule": "one_cycle"}

    def put(lr: float) -> list[str]:
        return _put(learner, len(found["optimizer"].param_groups), lr)

    return adapted(("fastai", {"learner": learner, "n_epoch": n_epoch}), found, keywords, put)


class SteppingFastai(torch.optim.Optimizer):
    """A fastai optimizer as one of torch: fastai makes a new list of its groups at each look.

    Args:
        inner: the fastai optimizer.
        rates: one a group, with which `fit` would start.
        wd: the weight decay that `fit` would set; None for that of the optimizer.
    """

    def __init__(self, inner: Any, rates: Sequence[float], wd: float | None) -> None:
        groups = zip(inner.param_lists, rates, strict=True)
        super().__init__([{"params": [*params], "lr": rate} for params, rate in groups], {})
        self.inner = inner
        self._wd = wd

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # it gives no loss back
        """Make the update of the fastai optimizer at the groups' rates."""
        if self._wd is not None:
            self.inner.set_hyper("wd", self._wd)
        self.inner.set_hyper("lr", [group["lr"] for group in self.param_groups])
        self.inner.step()


class LearnerStep:
    """A training step of a learner up to its loss.

    Args:
        twin: a copy of the learner, with copies of the callbacks that take part.
    """

    def __init__(self, twin: Any) -> None:
        self._twin = twin
        self._num_batches = 0

    def __call__(self, model: Any, batch: Any) -> torch.Tensor:
        """Return the loss of a batch with its graph.

        Raises:
            ValueError: a callback has cancelled the batch.
        """
        twin = self._twin
        if self._num_batches == 0:  # here and not before: what the callbacks begin comes back after the test
            for event in (*_AT_THE_START, "before_train"):
                twin(event)
        elif twin.training:
            twin("after_batch")  # of the last batch, for its update has been made by now
        twin.training, twin.loss_grad = model.training, None
        twin.one_batch(self._num_batches % twin.n_iter, batch)
        self._num_batches += 1
        loss: torch.Tensor | None = twin.loss_grad
        if loss is None:
            raise ValueError(
                "a callback of the learner has cancelled the batch before its loss; leave it out for the test, as in "
                "`with learner.removed_cbs(callback): …`"
            )
        return loss


def _refuse(learner: Any, known: Any) -> None:
    """Raise a ValueError for a learner whose updates a test cannot make.

    Args:
        learner: the learner.
        known: the class `Learner` of fastai.
    """
    if not is_alone():
        raise ValueError(
            "a range test of a fastai learner runs in one process; make it before torch.distributed is initialized, "
            "with the batches of all processes as one, through accumulation_steps"
        )
    for name in _UPDATING:
        if getattr(type(learner), name) is not getattr(known, name):
            raise ValueError(
                f"{type(learner).__name__} has a {name} of its own, which takes part in the update that the test makes "
                "by itself; call range_test with the learner's model, a torch optimizer and a train_step"
            )
    place = next((parameter.device for parameter in learner.model.parameters()), None)
    on = getattr(learner.dls, "device", None)
    if place is not None and on is not None and place.type != torch.device(on).type:
        raise ValueError(f"the model is on {place}, the data on {on}; call learner.model.to(learner.dls.device)")


def _twin(learner: Any, loader: Any, n_epoch: int) -> Any:
    """Return a copy of the learner that goes as far as the loss, with an optimizer; it leads to no other data."""
    twin: Any = copy.copy(learner)
    twin.cbs, twin.dls = type(learner.cbs)(), copy.copy(learner.dls)
    twin.dls.loaders = [loader]
    twin._do_grad_opt = _nothing  # noqa: SLF001  # fastai has no public way to end a batch at its loss
    twin._with_events = partial(_without_end, twin)  # noqa: SLF001  # likewise
    twin._end_cleanup()  # noqa: SLF001  # a fit that was interrupted has left its last batch
    for callback in learner.cbs:
        own, events = copy.copy(callback), _events(callback)
        if not any(event in _UP_TO_THE_LOSS for event in events):
            vars(own)["after_batch"] = _nothing  # one that logs or stops
        own.learn = twin
        setattr(twin, callback.name, own)
        if events:
            twin.cbs.append(own)
    if isinstance(learner.opt_func, framework("fastai.optimizer", "fastai").OptimWrapper):
        twin.opt = learner.opt_func  # it is the optimizer already, whose state create_opt would clear
    elif learner.opt is None:
        twin.create_opt()
    twin.dl, twin.n_epoch, twin.epoch, twin.n_iter = loader, n_epoch, 0, max(1, len(loader))
    return twin


def _nothing() -> None:
    """Take the place of the backward pass and the update."""


def _without_end(twin: Any, work: Callable[[], Any], event: str, cancelled: type[Exception], *more: Any) -> None:
    """Take the place of `Learner._with_events`, and leave the end of a batch to the time after its update."""
    if event != "batch" or not twin.training:
        type(twin)._with_events(twin, work, event, cancelled, *more)  # noqa: SLF001  # in its place
        return
    try:
        twin("before_batch")
        work()
    except cancelled:
        twin.loss_grad = None


def _events(callback: Any) -> list[str]:
    """Return the events with which a callback takes part in the loss, none for one that does not.

    Raises:
        ValueError: it takes part in the update itself.
    """
    name = type(callback).__name__
    if name in _TRANSLATED:
        return []
    if type(callback).__module__ == "fastai.distributed":
        raise ValueError(f"{name} trains on several devices, the test on one; leave it out for the test")
    own = [*_own_events(callback)]
    if any(event in _AFTER_THE_LOSS for event in own):
        raise ValueError(
            f"the callback {name} takes part in the update (with {own[-1]}), which the test makes by itself; leave it "
            f"out for the test, as in `with learner.removed_cbs(learner.{callback.name}): …`"
        )
    return own


def _own_events(callback: Any) -> Iterator[str]:
    """Yield the events up to the update that a callback hears, but for those of showing and logging."""
    for event in (*_AT_THE_START, *_UP_TO_THE_LOSS, *_AFTER_THE_LOSS):
        method = vars(callback).get(event) or getattr(type(callback), event, None)
        where = f"{getattr(method, '__module__', '')}.{getattr(method, '__qualname__', '')}"
        if method is not None and not where.startswith(_BESIDE):
            yield event


def _of_callbacks(learner: Any) -> dict[str, Any]:
    """Return the keywords in place of the callbacks for precision, clipping and accumulation.

    Raises:
        ValueError: a callback does something that no keyword does.
    """
    translated = {type(each).__name__: each for each in learner.cbs}
    found: dict[str, Any] = {}
    precision = translated.get("MixedPrecision")
    if precision is not None and next(learner.model.parameters()).device.type == "cuda":  # elsewhere it does nothing
        is_half = str(precision.amp_mode).endswith("FP16")
        found["autocast"] = torch.autocast("cuda", dtype=torch.float16 if is_half else torch.bfloat16)
        if is_half:
            found["grad_scaler"] = torch.amp.GradScaler("cuda", **{**precision.kwargs, "enabled": True})
    clip = translated.get("GradientClip")
    if clip is not None:
        if clip.norm_type != 2:
            raise ValueError(f"GradientClip must clip the 2-norm for a range test, got norm_type={clip.norm_type!r}")
        found["max_grad_norm"] = clip.max_norm
    accumulation = translated.get("GradientAccumulation")
    if accumulation is not None:
        num_batches, rest = divmod(accumulation.n_acc, learner.dls.train.bs)
        if rest:
            raise ValueError(
                f"GradientAccumulation must add up whole batches of {learner.dls.train.bs}, or their gradients are no "
                f"mean, got n_acc={accumulation.n_acc}; give a multiple"
            )
        found["accumulation_steps"] = num_batches
    return found


def _rates(lr: Any, num_groups: int) -> list[float]:
    """Return the rate of each group as fastai reads a learner's `lr`: a number, one for each, or a slice."""
    if not isinstance(lr, slice):
        listed = [float(each) for each in lr] if hasattr(lr, "__len__") else [float(lr)]
        return listed * num_groups if len(listed) == 1 else listed
    if not lr.start:
        return [lr.stop / 10] * (num_groups - 1) + [lr.stop]
    if num_groups == 1:
        return [lr.stop]
    return [lr.start * (lr.stop / lr.start) ** (index / (num_groups - 1)) for index in range(num_groups)]


def _put(learner: Any, num_groups: int, lr: float) -> list[str]:
    """Make `lr` the first group's rate of a learner, and return the places."""
    keywords = getattr(learner.opt_func, "keywords", {})
    held = keywords.get("lr", learner.lr) if learner.opt is None else learner.lr
    first = _rates(held, num_groups)[0]
    if isinstance(held, slice):
        learner.lr = slice(*(rate and scaled(rate, first, lr) for rate in (held.start, held.stop)))
    else:
        learner.lr = [scaled(rate, first, lr) for rate in held] if hasattr(held, "__len__") else lr
    if "lr" not in keywords:
        return ["lr"]
    function = learner.opt_func  # whose own rate would take the place of the learner's with a new optimizer
    learner.opt_func = type(function)(function.func, *function.args, **{**keywords, "lr": learner.lr})
    return ["lr", "opt_func"]
