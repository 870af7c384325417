"""The lines of a script that are about the optimizer: its rates, its scheduler, and how to make it anew."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ...horizon import WARMUP_SHARE
from .names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...horizon import Horizon

_UNKNOWN = "..."
_MAX_LINE = 100
_MAX_GROUPS = 12  # of an optimizer that is made anew


def is_several(given: Any) -> bool:
    """Return True for several models or optimizers in a collection."""
    return isinstance(given, (list, tuple, Mapping))


def listed(given: Any, written: str, names: Names) -> list[tuple[str, Any]]:
    """Return each of one or several models or optimizers with its expression; `written` is that of all of them."""
    if not is_several(given):
        return [(written, given)]
    items = given.items() if isinstance(given, Mapping) else enumerate(given)
    return [(names.known(item) or f"{written}[{key!r}]", item) for key, item in items]


@dataclass(frozen=True)
class Rates:
    """The rate in a script, and the param groups that get their shares of it.

    Args:
        given: the optimizer, or several in a collection.
        written: the expression for it.
        variable: the name of the rate.
        shares: each param group's rate as a share of it.
        local: gives a name of the script's own another form where it is used for something else.
    """

    given: Any
    written: str
    variable: str
    shares: Sequence[float]
    local: Callable[[str], str]

    def assignment(self, *, is_scheduled: bool) -> list[str]:
        """Write the loop that gives every param group its rate, a rate in a tensor in place.

        Args:
            is_scheduled: a new scheduler comes next; it would begin with the rate that an older one has left.
        """
        groups, one, share = f"{self.written}.param_groups", self.local("group"), self.local("share")
        if is_several(self.given):
            groups = f"[group for optimizer in {self._each} for group in optimizer.param_groups]"
        head, value = f"for {one} in {groups}:", self.variable
        if any(each != 1 for each in self.shares):
            written = ", ".join(map(_number, self.shares))
            head, value = f"for {one}, {share} in zip({groups}, [{written}]):", f"{self.variable} * {share}"
        all_groups = [group for optimizer in _all(self.given) for group in optimizer.param_groups]
        first = f'    {one}["initial_lr"] = {value}'
        lines = [head, first] if is_scheduled and any("initial_lr" in group for group in all_groups) else [head]
        are_tensors = {hasattr(group["lr"], "fill_") for group in all_groups}
        if are_tensors == {False}:
            return [*lines, f'    {one}["lr"] = {value}']
        if are_tensors == {True}:
            return [*lines, f'    {one}["lr"].fill_({value})']
        return [
            *lines,
            f'    if hasattr({one}["lr"], "fill_"):',
            f'        {one}["lr"].fill_({value})',
            "    else:",
            f'        {one}["lr"] = {value}',
        ]

    def scheduler(self, horizon: Horizon) -> list[str]:
        """Write the scheduler of the training that the rate is for; nothing for a constant rate."""
        if horizon.schedule == "constant":
            return []
        if horizon.steps is None:
            return [f"# {self.variable} is the top of the schedule; with train_steps, the scheduler would stand here."]
        is_one = not is_several(self.given)
        name = self.local("scheduler" if is_one else "schedulers")
        step = f"{name}.step()" if is_one else "step() of each"
        head = f"# For {horizon.words}; call {step} after every step."
        max_lr = ", ".join(self._times(share) for share in self.shares)
        max_lr = f"[{max_lr}]" if len(self.shares) > 1 else max_lr
        if not is_one:
            max_lr = '[float(group["lr"]) for group in optimizer.param_groups]'
        kind, arguments = _scheduler(horizon.schedule, horizon.steps, max_lr)
        made = _call(f"torch.optim.lr_scheduler.{kind}", f"{self.written if is_one else 'optimizer'}, {arguments}")
        if is_one:
            return [head, f"{name} = {made[0]}", *made[1:]]
        return [head, f"{name} = [", *(f"    {line}" for line in made), f"    for optimizer in {self._each}", "]"]

    def anew(self, optimizers: Sequence[tuple[str, Any]], models: Sequence[tuple[str, Any]]) -> list[list[str]]:
        """Write how the optimizers would be made with these rates, each in lines; none whose class does not tell that.

        Args:
            optimizers, models: each with its expression.
        """
        made: list[list[str]] = []
        shares = [*self.shares]
        for name, optimizer in optimizers:
            number = len(optimizer.param_groups)
            rates, shares = [self._times(share) for share in shares[:number]], shares[number:]
            held = zip(rates, optimizer.param_groups, strict=True)
            rates = [f"torch.tensor({rate})" if hasattr(group["lr"], "fill_") else rate for rate, group in held]
            if number <= _MAX_GROUPS:
                with suppress(Exception):  # classes of the user's own can have any form
                    made.append(_constructor(name, optimizer, rates, models))
        return [lines for lines in made if lines]

    @property
    def _each(self) -> str:
        return f"{self.written}.values()" if isinstance(self.given, Mapping) else self.written

    def _times(self, share: float) -> str:
        return self.variable if share == 1 else f"{self.variable} * {_number(share)}"


def _scheduler(schedule: str, steps: int, max_lr: str) -> tuple[str, str]:
    """Return torch's scheduler for a schedule of `lr_widget.horizon`, and its arguments behind the optimizer."""
    if schedule == "one_cycle":
        return "OneCycleLR", f"max_lr={max_lr}, total_steps={steps}, cycle_momentum=False"
    if schedule == "cosine":
        return "CosineAnnealingLR", f"T_max={steps}"
    if schedule == "linear":
        return "PolynomialLR", f"total_iters={steps}"
    warmup = math.ceil(WARMUP_SHARE * steps)
    left = max(steps - warmup, 1)
    rest = {
        "constant_with_warmup": "1",
        "cosine_with_warmup": f"0.5 * (1 + math.cos(math.pi * (step - {warmup}) / {left}))",
        "linear_with_warmup": f"max(0, 1 - (step - {warmup}) / {left})",
    }[schedule]
    return "LambdaLR", f"lambda step: (step + 1) / {warmup} if step < {warmup} else {rest}"


def _call(function: str, arguments: str) -> list[str]:
    """Write a call in one line, or in three where it is long."""
    line = f"{function}({arguments})"
    return [line] if len(line) <= _MAX_LINE else [f"{function}(", f"    {arguments}", ")"]


def _constructor(name: str, optimizer: Any, rates: Sequence[str], models: Sequence[tuple[str, Any]]) -> list[str]:
    """Write how an optimizer is made: its class, its groups, the arguments that are not the default.

    No lines for a class that takes no `lr`.
    """
    kind, groups, defaults = type(optimizer), optimizer.param_groups, optimizer.defaults
    if not _takes_rate(kind):
        return []
    path = f"torch.optim.{kind.__name__}" if getattr(torch.optim, kind.__name__, None) is kind else kind.__name__
    parameters = _parameters(kind)
    arguments = [f"lr={rates[0]}"]
    for key, default in parameters.items():
        value = defaults.get(key, default)
        arguments += [f"{key}={_text(value)}"] if _differ(value, default) else []
    if len(groups) == 1:
        return [f"{name} = {path}({', '.join([_parameters_of(groups[0], models), *arguments])})"]
    lines = []
    for group, rate in zip(groups, rates, strict=True):
        entries = {"params": _parameters_of(group, models)} | ({} if rate == rates[0] else {"lr": rate})
        own = [key for key in parameters if key in group and _differ(group[key], defaults.get(key))]
        entries |= {key: _text(group[key]) for key in own}
        lines.append("        {" + ", ".join(f'"{key}": {text}' for key, text in entries.items()) + "},")
    return [f"{name} = {path}(", "    [", *lines, "    ],", *(f"    {argument}," for argument in arguments), ")"]


def _takes_rate(kind: type) -> bool:
    given = inspect.signature(kind).parameters.values()
    return any(p.kind is p.VAR_KEYWORD or (p.name == "lr" and p.kind is not p.POSITIONAL_ONLY) for p in given)


def _parameters(kind: type) -> dict[str, Any]:
    """Return the arguments of an optimizer's class with their defaults, but its parameters and its rate."""
    given = list(inspect.signature(kind).parameters.values())[1:]
    return {p.name: p.default for p in given if p.name != "lr" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


def _differ(value: Any, default: Any) -> bool:
    if value is default:
        return value is inspect.Parameter.empty  # of an argument that has to be given
    return _text(value) != _text(default) or _text(value) == _UNKNOWN


def _text(value: Any) -> str:
    return Names({}).known(value) or _UNKNOWN


def _parameters_of(group: Mapping[str, Any], models: Sequence[tuple[str, Any]]) -> str:
    """Write the parameters of a group as those of a module, or as those that are trained, where they are that."""
    wanted = {id(parameter) for parameter in group["params"]}
    for written, model in models:
        first = next((name for name, parameter in model.named_parameters() if id(parameter) in wanted), "")
        names = first.split(".")[:-1]
        trained = None
        for end in range(len(names) + 1):
            path = _path(written, names[:end])
            module = model.get_submodule(".".join(names[:end]))
            is_trained = {id(parameter): parameter.requires_grad for parameter in module.parameters()}
            if wanted == is_trained.keys():
                return f"{path}.parameters()"
            if trained is None and wanted == {key for key, required in is_trained.items() if required}:
                trained = f"filter(lambda p: p.requires_grad, {path}.parameters())"
        if trained is not None:
            return trained
    return _UNKNOWN


def _path(written: str, names: Sequence[str]) -> str:
    if all(name.isidentifier() for name in names):
        return ".".join([written, *names])
    return f'{written}.get_submodule("{".".join(names)}")'


def _all(given: Any) -> list[Any]:
    return [*(given.values() if isinstance(given, Mapping) else given)] if is_several(given) else [given]


def _number(share: float) -> str:
    """Write a share in six digits, or in all of them where these say something else."""
    text = f"{share:.6g}"
    return text if math.isclose(float(text), share, rel_tol=1e-12) else repr(share)
