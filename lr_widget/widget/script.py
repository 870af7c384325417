"""The script that *Copy code* puts into the clipboard: the same test, and the selected rate in the same optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .words import plain, rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from ..schedule import Sweep


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
        variable: the name that gets the rate.
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
    options = [f"start_lr={plain(sweep.start_lr)}", f"end_lr={plain(sweep.end_lr)}", f"num_steps={sweep.num_steps}"]
    options += [f"repeats={repeats}"] * (repeats != 1)
    lines = [
        "from lr_widget import range_test",
        "",
        "records = range_test(",
        f"    {', '.join(names)},",
        f"    {', '.join(options)},",
        *(f"    {name}={_written(name, value)}," for name, value in keywords.items()),
        ")",
        f"{variable} = {rate(lr)}",
        *_assignment(optimizer, variable, shares),
    ]
    return "\n".join(lines) + "\n"


def _assignment(optimizer: Any, variable: str, shares: Sequence[float]) -> list[str]:
    """Write the loop that gives every param group its rate, a rate in a tensor in place."""
    optimizers = _several(optimizer)
    groups = "optimizer.param_groups"
    if _is_several(optimizer):
        groups = "[group for optimizer in optimizers for group in optimizer.param_groups]"
    head, value = f"for group in {groups}:", variable
    if any(share != 1 for share in shares):
        written = ", ".join(f"{share:.6g}" for share in shares)
        head, value = f"for group, share in zip({groups}, [{written}]):", f"{variable} * share"
    are_tensors = {hasattr(group["lr"], "fill_") for each in optimizers for group in each.param_groups}
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


def _written(name: str, value: Any) -> str:
    """Write a plain value out, and any other by its keyword's name."""
    values = value.values() if isinstance(value, dict) else [value]
    is_plain = all(each is None or isinstance(each, (bool, int, float, str)) for each in values)
    return repr(value) if is_plain else name


def _is_several(given: Any) -> bool:
    return isinstance(given, (list, tuple, dict))


def _several(optimizer: Any) -> Sequence[torch.optim.Optimizer]:
    if isinstance(optimizer, dict):
        return [*optimizer.values()]
    return optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]
