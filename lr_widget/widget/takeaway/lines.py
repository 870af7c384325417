"""The lines that every script of *Copy code* has: its calls, where the rate is from, imports, names to fill in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...engine import DEFAULT_MAX_STEPS, DEFAULTS
from ...horizon import Horizon
from ...schedule import rate_text
from ...suggest import PROBE, RULES
from .names import Names, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...schedule import Sweep


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


def options(
    names: Names, keywords: Mapping[str, Any], usual: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, str]:
    """Write the keywords that cannot be left out.

    Args:
        names: of the notebook.
        keywords: those of `range_test`.
        usual: the values of keywords that are left out, where they are not those of `range_test`.
    """
    defaults = {**DEFAULTS, **usual}
    kept = {name: value for name, value in keywords.items() if not _is_default(value, defaults[name])}
    return {name: _written(names, name, value) for name, value in kept.items()}


def equal(written: Mapping[str, str]) -> list[str]:
    """Join names and expressions to keyword arguments."""
    return [f"{name}={text}" for name, text in written.items()]


def bounds(sweep: Sweep) -> str:
    """Write the keywords of a sweep."""
    return f"start_lr={rate_code(sweep.start_lr)}, end_lr={rate_code(sweep.end_lr)}, num_steps={sweep.num_steps}"


def call(result: str, function: str, first: str, keywords: Iterable[str]) -> list[str]:
    """Write a call of a function with its first arguments in one line, and each of the others in one."""
    return [f"{result} = {function}(", f"    {first},", *(f"    {keyword}," for keyword in keywords), ")"]


def free(names: Names) -> Callable[[str], str]:
    """Return a function that gives a name of the script's own another form where it is used for something else."""

    def local(name: str) -> str:
        while name in names.used:
            name += "_"
        return name

    return local


def named(variable: str, taken: Iterable[str]) -> str:
    """Return the name for the rate, with an ending where the script needs it for something else."""
    return f"{variable}_lr" if variable in taken else variable


def source_comment(choice: Choice, horizon: Horizon, records: str, evidence: str) -> str:
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


def imports(body: Iterable[str]) -> list[str]:
    """Write the imports that the lines need, comments too, as some of them are lines to be used."""
    code = "\n".join(body)
    modules = [name for name in ("math", "torch") if re.search(rf"(?<![\w.]){name}\.", code)]
    patterns = {"adapters": " = adapters.", "probe": " = probe(", "range_test": " = range_test("}
    functions = [name for name, pattern in patterns.items() if pattern in code]
    ours = [f"from lr_widget import {', '.join(functions)}"] if functions else []
    return [*(f"import {name}" for name in modules), *ours]


def missing_names(names: Names) -> list[str]:
    """Ask for objects that have no name."""
    if not names.missing:
        return []
    *rest, last = names.missing
    return [
        f"# Put your own in place of {', '.join(rest)} and {last}." if rest else f"# Put your own in place of {last}."
    ]


def rate_code(lr: float) -> str:
    """Write a rate as a float of Python that is exactly this one."""
    text = next(text for digits in (15, 17) if float(text := rate_text(lr, digits)) == lr)
    return text if "e" in text or "." in text else f"{text}.0"


def _written(names: Names, name: str, value: Any) -> str:
    """Write a keyword's value; of the options for a loader each one, as most are plain."""
    found = names.known(value, name)
    if found is None and name == "dataloader_options" and all(map(_is_name, value)):
        return "{" + ", ".join(f'"{key}": {names.of(item, key)}' for key, item in value.items()) + "}"
    return names.of(value, name)


def _is_default(value: Any, default: Any) -> bool:
    """Return True for a keyword that can be left out."""
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and not value
    return value is default or (literal(value) is not None and literal(value) == literal(default))


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier()
