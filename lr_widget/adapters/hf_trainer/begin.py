"""A model as `train()` has it before its first step."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import nn

from ..precision import in_half_precision
from ..processes import wrapped


def begun(twin: Any, model: nn.Module) -> nn.Module:
    """Prepare the model as `train()` does before its first step, and return it as the steps call it.

    All of it is in attributes of the model and its modules, so that a test that has begun before takes it back.

    Args:
        twin: a copy of the trainer.
        model: its model, not wrapped.
    """
    _checkpoint_activations(twin.args, model)
    _align_tokens(twin, model)
    _add_noise(twin, model)
    if twin.model_wrapped is not model and twin.accelerator.unwrap_model(twin.model_wrapped) is model:
        trained: nn.Module = twin.model_wrapped  # after a train()
        return trained
    if twin.accelerator.native_amp and not getattr(model, "_is_accelerate_prepared", False):
        model.forward = in_half_precision(model.forward, twin.accelerator.autocast)
    if twin.args.n_gpu > 1:
        return nn.DataParallel(model)
    handler = getattr(twin.accelerator, "ddp_handler", None)
    ready = wrapped(model, twin.args.device, **(handler.to_kwargs() if handler is not None else {}))
    if ready is not model and handler is not None:
        handler.register_comm_hook(ready)
    return ready


def _checkpoint_activations(args: Any, model: Any) -> None:
    for name in ("activation_checkpointing", "gradient_checkpointing"):  # of transformers 5 and 4
        if getattr(args, name, False) and hasattr(model, f"{name}_enable"):
            options = dict(getattr(args, f"{name}_kwargs", None) or {})
            own = {key: options.pop(key) for key in ("every_n_layers", "offload") if key in options}
            getattr(model, f"{name}_enable")(**{f"{name}_kwargs": options or None}, **own)
            return


def _align_tokens(twin: Any, model: Any) -> None:
    """Give the model's config the special tokens of the tokenizer; some models cannot pad without."""
    package, utils = import_module("transformers"), import_module("transformers.trainer_utils")
    processing = getattr(twin, "processing_class", None)
    has_tokens = isinstance(processing, (package.PreTrainedTokenizerBase, package.ProcessorMixin))
    if not has_tokens or not hasattr(model, "config"):
        return
    if hasattr(utils, "align_special_tokens"):  # transformers 5
        utils.align_special_tokens(model, processing)
    elif hasattr(twin, "_align_special_tokens"):  # since 4.56
        twin._align_special_tokens()  # noqa: SLF001  # there is no public name


def _add_noise(twin: Any, model: nn.Module) -> None:
    """Switch NEFTune on."""
    if getattr(twin, "neftune_noise_alpha", None) is None:
        return
    if hasattr(twin, "_activate_neftune"):  # before transformers 5
        twin._activate_neftune(model)  # noqa: SLF001  # there is no public name
        return
    neftune = import_module("transformers.integrations.neftune")
    neftune.activate_neftune(model, twin.neftune_noise_alpha, twin.accelerator)
