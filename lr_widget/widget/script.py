"""The script that *Copy code* puts into the clipboard: the same test, and the selected rate in the same optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from ..engine import DEFAULTS
from .words import pick

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch

    from ..schedule import Sweep

# Names of the script itself, besides those of its keywords.
_TAKEN = (
    "range_test",
    "records",
    "model",
    "models",
    "optimizer",
    "optimizers",
    "loss_fn",
    "train_data",
    "group",
    "share",
)


def script(
    arguments: tuple[Any, Any, Any, Any],
    keywords: Mapping[str, Any],
    sweep: Sweep,
    repeats: int,
    *,
    variable: str,
    lr: float,
    shares: Sequence[float],
) -> str:
    """Write the test and the choice as a script.

    Args:
        arguments: model, optimizer, loss_fn and train_data of the widget.
        keywords: the other keywords of the widget; numbers and texts are written out, objects by the keyword's name.
        sweep, repeats: the settings.
        variable: the name that gets the rate; one that the script needs for something else gets the ending "_lr".
        lr: the selected rate, of the first param group.
        shares: each param group's rate as a share of it.
    """
    model, optimizer, loss_fn, _ = arguments
    names = [
        "models" if _is_several(model) else "model",
        "optimizers" if _is_several(optimizer) else "optimizer",
        "None" if loss_fn is None else "loss_fn",
        "train_data",
    ]
    settings = f"start_lr={sweep.start_lr!r}, end_lr={sweep.end_lr!r}, num_steps={sweep.num_steps}"
    settings += f", repeats={repeats}" if repeats != 1 else ""
    variable = f"{variable}_lr" if variable in (*_TAKEN, *DEFAULTS) else variable
    lines = [
        "from lr_widget import range_test",
        "",
        "records = range_test(",
        f"    {', '.join(names)},",
        f"    {settings},",
        *(f"    {name}={_written(name, value)}," for name, value in keywords.items() if not _is_default(name, value)),
        ")",
        f"{variable} = {pick(lr)}",
        *_assignment(optimizer, variable, shares),
    ]
    return "\n".join(lines) + "\n"


def _assignment(optimizer: Any, variable: str, shares: Sequence[float]) -> list[str]:
    """Write the loop that gives every param group its rate, a rate in a tensor in place."""
    groups = "optimizer.param_groups"
    if _is_several(optimizer):
        listed = "optimizers.values()" if isinstance(optimizer, Mapping) else "optimizers"
        groups = f"[group for optimizer in {listed} for group in optimizer.param_groups]"
    head, value = f"for group in {groups}:", variable
    if any(share != 1 for share in shares):
        written = ", ".join(f"{share:.6g}" for share in shares)
        head, value = f"for group, share in zip({groups}, [{written}]):", f"{variable} * share"
    are_tensors = {hasattr(group["lr"], "fill_") for each in _listed(optimizer) for group in each.param_groups}
    if are_tensors == {False}:
        return [head, f'    group["lr"] = {value}']
    if are_tensors == {True}:
        return [head, f'    group["lr"].fill_({value})']
    return [
        head,
        '    if hasattr(group["lr"], "fill_"):',
        f'        group["lr"].fill_({value})',
        "    else:",
        f'        group["lr"] = {value}',
    ]


def _is_default(name: str, value: Any) -> bool:
    """Return True for a keyword that can be left out."""
    default = dict(DEFAULTS)[name]
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and not value
    return value is default or (_plain(value) is not None and _plain(value) == _plain(default))


def _written(name: str, value: Any) -> str:
    """Write a plain value out, and any other by its keyword's name."""
    if isinstance(value, Mapping):
        items = {key: _plain(item) for key, item in value.items()}
        if all(isinstance(key, str) and item is not None for key, item in items.items()):
            return "{" + ", ".join(f'"{key}": {item}' for key, item in items.items()) + "}"
    return _plain(value) or name


def _plain(value: Any) -> str | None:
    """Return a number, a text, True, False or None as Python writes it; None for anything else."""
    if value is None or isinstance(value, (bool, str)):
        return repr(value)
    if isinstance(value, Integral):
        return repr(int(value))
    if isinstance(value, Real):
        number = repr(float(value))
        return number if number[-1].isdigit() else f'float("{number}")'
    return None


def _is_several(given: Any) -> bool:
    return isinstance(given, (list, tuple, Mapping))


def _listed(optimizer: Any) -> Iterable[torch.optim.Optimizer]:
    if isinstance(optimizer, Mapping):
        return optimizer.values()
    return optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]
