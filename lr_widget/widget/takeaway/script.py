"""The script that *Copy code* puts into the clipboard: the same test, and the selected rate in the same optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...engine import DEFAULTS
from ...horizon import Horizon
from ...suggest import PROBE
from .lines import bounds, call, equal, free, imports, missing_names, named, options, rate_code, source_comment
from .names import Names
from .optimizers import Rates, is_several, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...schedule import Sweep
    from .lines import Choice

# Names of the script itself, besides those of its keywords.
_TAKEN = {"range_test", "probe", "records", "evidence", "model", "models", "optimizer", "optimizers", "loss_fn"}
_TAKEN |= {"train_data", "group", "share", "scheduler", "schedulers", "torch", "math", "step"}
# Keywords that probes have no use for, or others of.
_OTHER_FOR_PROBES = ("schedule", "stop", "val_every", "train_steps", "train_schedule")


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
    first, written = "", dict[str, str]()
    if not choice.source:
        first = f"{the_model}, {the_optimizer}, {names.of(loss_fn, 'loss_fn')}, {names.of(train_data, 'train_data')}"
        written = options(names, keywords)
    models, optimizers = listed(model, the_model, names), listed(optimizer, the_optimizer, names)
    variable, local = named(variable, _TAKEN | DEFAULTS.keys() | names.used), free(names)
    records, evidence = local("records"), local("evidence")
    settings = bounds(sweep) + (f", repeats={repeats}" if repeats != 1 else "")
    body = call(records, "range_test", first, [settings, *equal(written)]) if first else []
    if choice.rule == PROBE:
        around = records if choice.around is None else rate_code(choice.around)
        probed = {name: text for name, text in written.items() if name not in _OTHER_FOR_PROBES}
        probed |= options(names, choice.probed_for.as_recorded())
        limits = f"around={around}, max_steps={choice.max_steps}"
        body += call(evidence, "probe", first, [limits, *equal(probed)])
    horizon = Horizon(keywords.get("train_steps"), keywords.get("train_schedule") or "constant")
    body.append(f"{variable} = {rate_code(choice.lr)}{source_comment(choice, horizon, records, evidence)}")
    rates = Rates(optimizer, the_optimizer, variable, shares, local)
    body += rates.assignment(is_scheduled=horizon.schedule != "constant")
    anew = rates.anew(optimizers, models)
    body += ["", f"# The same optimizer{'s' * (len(anew) > 1)}, made with this rate:"] if anew else []
    body += [f"# {line}" for lines in anew for line in lines]
    scheduler = rates.scheduler(horizon)
    body += ["", *scheduler] if scheduler else []
    return "\n".join([*imports(body), "", *missing_names(names), *body]) + "\n"
