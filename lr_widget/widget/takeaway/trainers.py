"""The script of *Copy code* for a framework's training: its adapter, the test, and the rate where it keeps its own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ...adapters import Origin, accelerate, fastai, lightning, skorch, transformers
from ...engine import DEFAULTS
from ...horizon import Horizon
from ...suggest import PROBE
from .lines import bounds, call, equal, free, imports, missing_names, named, options, rate_code, source_comment
from .names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...schedule import Sweep
    from .lines import Choice

_ADAPTERS = {adapter.__name__: adapter for adapter in (accelerate, fastai, lightning, skorch, transformers)}
_FIRST = ("model", "optimizer", "loss_fn", "train_data")
_TAKEN = {"adapters", "range_test", "probe", "setup", "records", "evidence"}  # names of the script itself


def trainer_script(
    source: Origin,
    arguments: tuple[Any, Any, Any, Any],
    keywords: Mapping[str, Any],
    sweep: Sweep,
    repeats: int,
    choice: Choice,
    *,
    variable: str,
    namespace: Mapping[str, Any] | None = None,
) -> str:
    """Write the test and the choice as a script on the framework's objects.

    Args:
        source: the call of the adapter.
        arguments: model, optimizer, loss_fn and train_data of the widget; those that the adapter did not give stand in
            the call of the test.
        keywords, sweep, repeats, choice, variable, namespace: as for `script`.
    """
    names = Names(namespace or {})
    first = ", ".join(_arguments(source, names))
    written = options(names, {**keywords, "also_restore": source.given.get("also_restore", ())}, source.found)
    others = {
        name: names.of(value, name)
        for name, value in zip(_FIRST, arguments, strict=True)
        if value is not source.found.get(name)
    }
    variable, local = named(variable, _TAKEN | DEFAULTS.keys() | names.used), free(names)
    setup, records, evidence = local("setup"), local("records"), local("evidence")
    adapter = f"adapters.{source.adapter}"
    horizon = Horizon(keywords.get("train_steps"), keywords.get("train_schedule") or "constant")
    if choice.source:
        body = [f"{setup} = {adapter}({first})"]
    else:
        body = call(setup, adapter, first, [bounds(sweep), *equal(written)])
        body.append(f"{records} = range_test({_spread(setup, others)}{f', repeats={repeats}' if repeats != 1 else ''})")
    if choice.rule == PROBE:
        around = records if choice.around is None else rate_code(choice.around)
        if choice.probed_for != horizon:
            others |= {name: names.of(value, name) for name, value in choice.probed_for.as_recorded().items()}
        body.append(f"{evidence} = probe({_spread(setup, others)}, around={around}, max_steps={choice.max_steps})")
    body.append(f"{variable} = {rate_code(choice.lr)}{source_comment(choice, horizon, records, evidence)}")
    body.append(f"{setup}.apply({variable})")
    return "\n".join([*imports(body), "", *missing_names(names), *body]) + "\n"


def _arguments(source: Origin, names: Names) -> list[str]:
    """Write the arguments of an adapter, by position as far as none is left out before."""
    parameters = inspect.signature(_ADAPTERS[source.adapter]).parameters
    written, is_by_name = [], False
    for name, value in source.arguments.items():
        parameter = parameters[name]
        if value is parameter.default:
            is_by_name = True
            continue
        is_by_name = is_by_name or parameter.kind is parameter.KEYWORD_ONLY
        written.append(f"{name}={names.of(value, name)}" if is_by_name else names.of(value, name))
    return written


def _spread(setup: str, others: Mapping[str, str]) -> str:
    """Write the keywords of the adapter, with others in place of some."""
    if not others:
        return f"**{setup}"
    return f"**{{**{setup}, {', '.join(f'{chr(34)}{name}{chr(34)}: {text}' for name, text in others.items())}}}"
