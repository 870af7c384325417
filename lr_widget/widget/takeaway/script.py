"""The script that *Copy code* puts into the clipboard: the same test, and the selected rate in the same optimizer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...engine import DEFAULT_MAX_STEPS, DEFAULTS
from ...horizon import Horizon
from ...schedule import rate_text
from ...suggest import PROBE, RULES
from .names import Names, literal
from .optimizers import Rates, is_several, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...schedule import Sweep

# Names of the script itself, besides those of its keywords.
_TAKEN = {"range_test", "probe", "records", "evidence", "model", "models", "optimizer", "optimizers", "loss_fn"}
_TAKEN |= {"train_data", "group", "share", "scheduler", "schedulers", "torch", "math", "step"}
# Keywords that probes have no use for, or others of.
_OTHER_FOR_PROBES = ("schedule", "stop", "val_every", "train_steps", "train_schedule")


@dataclass(frozen=True)
class Choice:
    """The rate that was chosen, and how.

    Attributes:
        lr: the rate of the first param group, as it is shown.
        rule: the rule that suggests it, "probe" for short trainings; None for a rate that somebody picked.
        of: "loss" or "val_loss", the losses that the rule reads.
        around: the rate that the short trainings began from.
        max_steps: what they may cost together.
        probed_for: the training that they were for.
        source: the name of the records of elsewhere that the rate is read off, or an empty text.
    """

    lr: float
    rule: str | None = None
    of: str = "loss"
    around: float | None = None
    max_steps: int = DEFAULT_MAX_STEPS
    probed_for: Horizon = field(default_factory=Horizon)
    source: str = ""


def script(
    arguments: tuple[Any, Any, Any, Any],
    keywords: Mapping[str, Any],
    sweep: Sweep,
    repeats: int,
    choice: Choice,
    *,
    variable: str,
    shares: Sequence[float],
    namespace: Mapping[str, Any] | None = None,
) -> str:
    """Write the test and the choice as a script.

    Args:
        arguments: model, optimizer, loss_fn and train_data of the widget.
        keywords: the other keywords of the widget; numbers and texts are written out, objects by their names.
        sweep, repeats: the settings.
        choice: the rate, and how it was chosen.
        variable: the name that gets the rate; one that the script needs for something else gets the ending "_lr".
        shares: each param group's rate as a share of it.
        namespace: the variables of the notebook, whose names for the objects are used; others go by the names of
            their keywords.
    """
    names = Names(namespace or {})
    model, optimizer, loss_fn, train_data = arguments
    the_model = names.of(model, "models" if is_several(model) else "model")
    the_optimizer = names.of(optimizer, "optimizers" if is_several(optimizer) else "optimizer")
    first, options = "", dict[str, str]()
    if not choice.source:
        first = f"{the_model}, {the_optimizer}, {names.of(loss_fn, 'loss_fn')}, {names.of(train_data, 'train_data')}"
        options = _options(names, keywords)
    models, optimizers = listed(model, the_model, names), listed(optimizer, the_optimizer, names)
    variable = f"{variable}_lr" if variable in _TAKEN | DEFAULTS.keys() | names.used else variable

    def local(name: str) -> str:
        while name in names.used:
            name += "_"
        return name

    records, evidence = local("records"), local("evidence")
    settings = [f"start_lr={rate_code(sweep.start_lr)}, end_lr={rate_code(sweep.end_lr)}, num_steps={sweep.num_steps}"]
    settings[0] += f", repeats={repeats}" if repeats != 1 else ""
    body = _call(records, "range_test", first, [*settings, *_equal(options)]) if first else []
    if choice.rule == PROBE:
        around = records if choice.around is None else rate_code(choice.around)
        probed = {name: text for name, text in options.items() if name not in _OTHER_FOR_PROBES}
        probed |= _options(names, choice.probed_for.as_recorded())
        limits = f"around={around}, max_steps={choice.max_steps}"
        body += _call(evidence, "probe", first, [limits, *_equal(probed)])
    horizon = Horizon(keywords.get("train_steps"), keywords.get("train_schedule") or "constant")
    body.append(f"{variable} = {rate_code(choice.lr)}{_origin(choice, horizon, records, evidence)}")
    rates = Rates(optimizer, the_optimizer, variable, shares, local)
    body += rates.assignment(is_scheduled=horizon.schedule != "constant")
    anew = rates.anew(optimizers, models)
    body += ["", f"# The same optimizer{'s' * (len(anew) > 1)}, made with this rate:"] if anew else []
    body += [f"# {line}" for lines in anew for line in lines]
    scheduler = rates.scheduler(horizon)
    body += ["", *scheduler] if scheduler else []
    return "\n".join([*_imports(body), "", *_missing(names), *body]) + "\n"


def _options(names: Names, keywords: Mapping[str, Any]) -> dict[str, str]:
    return {name: _written(names, name, value) for name, value in keywords.items() if not _is_default(name, value)}


def _equal(options: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in options.items()]


def _written(names: Names, name: str, value: Any) -> str:
    """Write a keyword's value; of the options for a loader each one, as most are plain."""
    found = names.known(value, name)
    if found is None and name == "dataloader_options" and all(map(_is_name, value)):
        return "{" + ", ".join(f'"{key}": {names.of(item, key)}' for key, item in value.items()) + "}"
    return names.of(value, name)


def _call(result: str, function: str, first: str, keywords: list[str]) -> list[str]:
    return [f"{result} = {function}(", f"    {first},", *(f"    {keyword}," for keyword in keywords), ")"]


def _origin(choice: Choice, horizon: Horizon, records: str, evidence: str) -> str:
    """Say where the rate is from, behind its line."""
    if choice.rule is None:
        return "  # picked"
    if choice.source:
        return f"  # read off the records named {' '.join(choice.source.split())!r}"
    if choice.rule == PROBE and choice.probed_for != horizon:
        training = f'train_steps={horizon.steps}, train_schedule="{horizon.schedule}"'
        return f"  # float({evidence}.suggest({training})) in two digits"
    if choice.rule == PROBE:
        return f"  # float({evidence}.suggestion) in two digits"
    arguments = [literal(choice.rule)] if choice.rule != RULES[0] else []
    arguments += ['of="val_loss"'] if choice.of == "val_loss" else []
    return f"  # float({records}.suggest({', '.join(map(str, arguments))})) in two digits"


def _imports(body: list[str]) -> list[str]:
    code = "\n".join(body)  # with the comments, as some are lines to be used
    modules = [name for name in ("math", "torch") if re.search(rf"(?<![\w.]){name}\.", code)]
    functions = [name for name in ("probe", "range_test") if f" = {name}(" in code]
    ours = [f"from lr_widget import {', '.join(functions)}"] if functions else []
    return [*(f"import {name}" for name in modules), *ours]


def _missing(names: Names) -> list[str]:
    if not names.missing:
        return []
    *rest, last = names.missing
    return [
        f"# Put your own in place of {', '.join(rest)} and {last}." if rest else f"# Put your own in place of {last}."
    ]


def _is_default(name: str, value: Any) -> bool:
    """Return True for a keyword that can be left out."""
    default = dict(DEFAULTS)[name]
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and not value
    return value is default or (literal(value) is not None and literal(value) == literal(default))


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier()


def rate_code(lr: float) -> str:
    """Write a rate as a float of Python that is exactly this one."""
    text = next(text for digits in (15, 17) if float(text := rate_text(lr, digits)) == lr)
    return text if "e" in text or "." in text else f"{text}.0"
