"""The keywords of a range test: names, types and defaults in one place, for the engine, help() and type checkers."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from ..checks import adapter_hint
from .divergence import DEFAULT_DIVERGE_FACTOR

if TYPE_CHECKING:
    import torch

    from ..results import StepRecord
    from ..schedule import Schedule


class Keywords(TypedDict, total=False):
    """The keywords of a range test, for `iter_range_test`, `range_test`, `probe` and the widget.

    Attributes:
        start_lr, end_lr, num_steps, schedule: the sweep; see `lr_widget.schedule`. A schedule may also be a function of
            the step 1 … `num_steps` that gives its rate; then the bounds do not count.
        train_step: `train_step(model, batch)` → scalar loss, in place of `loss_fn`. With several optimizers it may
            return a list of losses, one for each in their order: each then gives gradients to the parameters of its own
            optimizer alone, as a generator and a critic want it, and their sum is on record. A loss may also come as
            `{"loss": …}` or as an object with a `.loss`.
        val_data: in the forms of `train_data`; its loss is recorded every `val_every` steps, under no_grad and in
            eval mode: the mean over the batches, each counting the same, a smaller last one, too.
        val_step: `val_step(model, batch)` → scalar loss of a batch of `val_data`, where `loss_fn` or `train_step`
            cannot give it, as with detection models, which have a loss in train mode only. It may call
            `model.train()`; the flags of the modules and their buffers come back.
        val_every: steps between two evaluations of `val_data`.
        dataloader_options: keywords for the DataLoader made for a Dataset or tensors, e.g. `{"batch_size": 64}`.
        device: where batches are moved; None for the model's own device, if it is on one.
        accumulation_steps: batches per optimizer step; the loss on record is their mean.
        autocast: a dtype such as `torch.bfloat16`, a context such as `torch.autocast(...)`, or True.
        grad_scaler: a `torch.amp.GradScaler`; steps that it skips are marked in the records.
        max_grad_norm: clip the total norm of the gradients to this.
        group_lrs: "ratio" keeps the proportions of the param groups, with the swept rate on the first; "equal" gives
            the swept rate to all.
        also_restore: more to put back: objects with `state_dict()` and `load_state_dict()` (schedulers, averaged
            models, stateful loaders and samplers) and random generators.
        diverge_factor: the test ends as "diverged" when three losses in a row lie above the best one by more than this
            times the range that the curve has covered; None for never.
        stop: called with each record; a true answer ends the test as "stopped".
        seed: seeds Python, NumPy, torch and every generator that comes back, which makes two tests identical.
        snapshot_device: where the copy of the state is kept, e.g. "cpu" for a model that fills the accelerator; None
            for beside the original.
        train_steps: length, in optimizer steps, of the training that the rate is for: the rule "auto" and probes move
            their rate as the best rate moves with the length. None where it is not known; the suggestion then says for
            what length it holds.
        train_schedule: the schedule of that training, with the rate as its top: "constant", "one_cycle", "cosine" or
            "linear" (both down to 0), or "constant_with_warmup", "cosine_with_warmup" or "linear_with_warmup",
            whose warm-up is the first tenth of the steps.
    """

    start_lr: float
    end_lr: float
    num_steps: int
    schedule: str | Schedule
    train_step: Callable[[Any, Any], torch.Tensor] | None
    val_data: Any
    val_step: Callable[[Any, Any], torch.Tensor] | None
    val_every: int
    dataloader_options: Mapping[str, Any] | None
    device: torch.device | str | None
    accumulation_steps: int
    autocast: Any
    grad_scaler: Any
    max_grad_norm: float | None
    group_lrs: str
    also_restore: Iterable[Any]
    diverge_factor: float | None
    stop: Callable[[StepRecord], bool] | None
    seed: int | None
    snapshot_device: torch.device | str | None
    train_steps: int | None
    train_schedule: str


DEFAULTS: Keywords = {
    "start_lr": 1e-7,
    "end_lr": 10.0,
    "num_steps": 100,
    "schedule": "exponential",
    "train_step": None,
    "val_data": None,
    "val_step": None,
    "val_every": 5,
    "dataloader_options": None,
    "device": None,
    "accumulation_steps": 1,
    "autocast": None,
    "grad_scaler": None,
    "max_grad_norm": None,
    "group_lrs": "ratio",
    "also_restore": (),
    "diverge_factor": DEFAULT_DIVERGE_FACTOR,
    "stop": None,
    "seed": None,
    "snapshot_device": None,
    "train_steps": None,
    "train_schedule": "constant",
}


# The names that torch-lr-finder, ignite, fastai, Lightning, transformers and accelerate have for our keywords.
_NAMES_OF_OTHERS = {
    "loss_fn": "criterion loss_func loss_function loss",
    "train_data": "train_loader train_dataloader train_dataloaders train_dataset dataloader data_loader loader data",
    "train_step": "training_step step_fn forward_fn update_fn",
    "val_data": "val_loader val_dataloader val_dataloaders valid_loader eval_dataset valid_data validation_data",
    "val_step": "validation_step eval_step",
    "start_lr": "min_lr init_value init_lr start_value lr_min lr_start",
    "end_lr": "max_lr final_value final_lr end_value lr_max lr_end",
    "num_steps": "num_iter num_it num_iters num_iterations num_training iterations n_iter max_iter",
    "schedule": "step_mode mode lr_mode",
    "accumulation_steps": "gradient_accumulation_steps accumulate_grad_batches accumulate_steps grad_accum",
    "autocast": "amp use_amp mixed_precision fp16 bf16 amp_dtype precision",
    "grad_scaler": "scaler amp_scaler",
    "max_grad_norm": "gradient_clip_val clip_grad_norm grad_clip max_norm",
    "diverge_factor": "diverge_th diverge_threshold early_stop_threshold stop_factor",
    "stop": "callback should_stop",
    "train_steps": "num_training_steps num_train_steps total_steps max_train_steps training_steps",
    "train_schedule": "lr_scheduler_type scheduler_type lr_schedule train_scheduler profile",
}
_REQUIRED = ("model", "optimizer", "loss_fn", "train_data")
_OPTIONS_OF_THE_LOADER = ("batch_size", "shuffle", "num_workers", "drop_last", "collate_fn", "sampler", "pin_memory")
_SMOOTHING_HINT = "the records keep the raw loss; smooth it with records.smoothed_loss(beta=…)"
_SCHEDULER_HINT = (
    "a test steps no scheduler; name the one that you will train with by train_schedule, and to have one put back that "
    "your train_step steps, give also_restore=[…]"
)
# The names of others for what is done in another way here, with that way.
_HINTS = {
    "smooth_f": _SMOOTHING_HINT,
    "beta": _SMOOTHING_HINT,
    "scheduler": _SCHEDULER_HINT,
    "lr_scheduler": _SCHEDULER_HINT,
    "max_steps": "num_steps is the length of the test, and train_steps that of the training that the rate is for",
    "groups": "range_test(…, groups=…) sweeps the param groups one by one",  # of the widget, which does not
    "stop_div": "give diverge_factor=None for a test that does not end when the loss explodes",
    **{name: f"did you mean dataloader_options={{{name!r}: …}}?" for name in _OPTIONS_OF_THE_LOADER},
    **{name: f"did you mean {ours!r}?" for ours, names in _NAMES_OF_OTHERS.items() for name in names.split()},
}


def refuse_unknown(caller: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise a TypeError for an unknown keyword, with the one that is meant or else the closest known one."""
    known = [*known]
    for name in names:
        if name not in known:
            close = [f"did you mean {near!r}?" for near in difflib.get_close_matches(name, known, n=1)]
            hint = _hint(name, known) or (close[0] if close else f"see help({caller})")
            raise TypeError(f"{caller} got an unexpected keyword argument {name!r}; {hint}")


def _hint(name: str, known: Sequence[str]) -> str | None:
    hint = _HINTS.get(name)
    if hint == _SMOOTHING_HINT and "smoothing" in known:  # a setting of the widget
        return "did you mean 'smoothing'?"
    if hint == "did you mean 'num_steps'?" and "probe_steps" in known:  # a probe has no use for the other
        return "did you mean 'probe_steps'?"
    return hint


def refuse_trainer_alone(caller: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    """Raise a TypeError for a framework's objects, or an adapter's keywords in a mapping, in place of arguments."""
    if arguments and isinstance(arguments[0], Mapping) and arguments[0].keys() >= {*_REQUIRED}:
        raise TypeError(f"{caller} takes the keywords of an adapter one by one; write {caller}(**setup)")
    given = {*_REQUIRED[: len(arguments)], *keywords}
    is_complete = given.issuperset(_REQUIRED) and len(arguments) <= len(_REQUIRED)
    if not is_complete and (hint := adapter_hint(*arguments, keywords.get("model"))):
        raise TypeError(f"{caller} takes {', '.join(_REQUIRED[:-1])} and {_REQUIRED[-1]}{hint}")


F = TypeVar("F", bound=Callable[..., Any])


def spelled_out(*, first: Sequence[str] = (), last: Sequence[str] = ()) -> Callable[[F], F]:
    """Give a function that takes `**options` the signature and the docstring of every keyword.

    help(), completion and Shift-Tab then list them; their descriptions replace the docstring's line `**options: …`.
    The function also tells a trainer that is given to it alone.

    Args:
        first: keywords in front of those of `Keywords`; the function's own parameters, or some of `Keywords`.
        last: keywords behind them.
    """

    def spell_out(function: F) -> F:
        given = inspect.signature(function)
        own = {
            name: parameter
            for name, parameter in given.parameters.items()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        }
        keywords = {
            name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_annotation(name))
            for name, default in DEFAULTS.items()
        }
        positional = [p for p in own.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        names = [*first, *(name for name in keywords if name not in (*first, *last)), *last]
        parameters = [*positional, *((own | keywords)[name] for name in names)]
        spelled = given.replace(parameters=parameters)
        if function.__doc__ and Keywords.__doc__:  # python -OO has none
            # Python 3.13 takes the indentation out of docstrings when it compiles them, older ones leave it in.
            described = inspect.cleandoc(Keywords.__doc__).partition("Attributes:\n")[2]
            function.__doc__ = inspect.cleandoc(function.__doc__).replace("    **options: {keywords}", described)

        @wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            refuse_trainer_alone(function.__name__, arguments, options)
            return function(*arguments, **options)

        checked.__signature__ = spelled  # type: ignore[attr-defined]  # functions take any attribute
        return cast("F", checked)

    return spell_out


def _annotation(name: str) -> str:
    """Return the type of a keyword as it is written above; a TypedDict wraps it in a ForwardRef."""
    annotation = Keywords.__annotations__[name]
    return str(getattr(annotation, "__forward_arg__", annotation))
