"""Short real trainings around a suggested rate: is it right?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from inspect import signature
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, overload

from ...checks import check_rate
from ...errors import NoSuggestionError
from ...results import LRRecords
from ...suggest import Suggestion
from ..keywords import Keywords, refuse_unknown, spelled_out
from ..plan import Plan, make_plan, restorable
from ..progress import drain_in_bar
from ..range_test import RangeTest, run_to_end
from .probing import DEFAULT_MAX_STEPS, Probing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Unpack

    from ...results import Evidence

# The keywords of a range test that a probe has no use for.
_OF_THE_SWEEP = ("start_lr", "end_lr", "num_steps", "schedule", "stop", "val_every")

Around = float | Suggestion | LRRecords
_Start = tuple[float, LRRecords | None]


@overload
def probe(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    around: Around | None = None,
    probe_steps: int | None = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    progress: bool = True,
    groups: int | Literal["together"] = "together",
    repeats: int = 1,
    **options: Unpack[Keywords],
) -> Evidence: ...


@overload
def probe(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    around: Around | Sequence[Around | None] | None = None,
    probe_steps: int | None = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    progress: bool = True,
    groups: Literal["each"],
    repeats: int = 1,
    **options: Unpack[Keywords],
) -> tuple[Evidence, ...]: ...


@spelled_out(first=("around", "probe_steps", "max_steps", "progress"), last=("groups", "repeats", "seed"))
def probe(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    around: Around | Sequence[Around | None] | None = None,
    probe_steps: int | None = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    progress: bool = True,
    groups: int | Literal["together", "each"] = "together",
    repeats: int = 1,
    **options: Unpack[Keywords],
) -> Evidence | tuple[Evidence, ...]:
    """Train for a short while at a few rates around a suggestion, and compare their ends.

    Every training starts from the same state: the same weights, the same batches in the same order, the same random
    numbers; so their losses are compared step by step. The first one has the suggested rate, the next ones go on from
    there by half a decade to the side that is better, until rates on both sides are worse, then to quarters of a decade
    beside the best one. Where `max_steps` allows for it, a second round goes on from there with trainings of up to four
    times the length, and so on, up to that of the training that the rate is for (`train_steps`).

    The rates of the first round are kept constant, those of the longer ones follow `train_schedule`. At a constant
    rate, a training that is far behind the best one is stopped early. In another schedule its loss may fall late, and
    only trainings that diverge are stopped. The same holds with `val_data`, since a training loss does not predict the
    final validation loss.

    The suggestion is the middle of the rates that ended about as low as the best one in the longest trainings; with
    `val_data`, where the validation losses at the end are compared, it is the best one's rate. It is carried over to
    the training that the rate is for. Like a range test, probes leave model, optimizer, data order and random state
    bit for bit as they were.

    Args:
        model, optimizer, loss_fn, train_data: as for `lr_widget.range_test`.
        around: a rate, a suggestion, or the records of a range test, whose suggestion is taken, and also the training
            that it is for where `options` name none. None runs a range test first, which costs its steps besides
            `max_steps`. With `groups="each"` also a list of these, one a group.
        probe_steps: the length of the first trainings in optimizer steps, at least 8. None for 75, or for a quarter of
            `max_steps` where that does not suffice for longer ones. A training (`train_steps`) of at most twice that is
            probed whole.
        max_steps: what all of them together may cost; no training begins that could go beyond it.
        progress: show a tqdm bar.
        **options: {keywords}
        groups: "together" for all param groups, or the index of one, as for `lr_widget.range_test`; or "each" for one
            after another, each with `max_steps` of its own: those before it are held at the rates found for them.
        repeats: of the range test that comes first, where `around` is None.

    Returns:
        The `Evidence`; its `suggestion` is the outcome. With `groups="each"` a tuple, one for each group. Ctrl-C ends
        it early with the trainings so far.

    Raises:
        ValueError, TypeError, RestoreError: as `lr_widget.range_test`.
        NoSuggestionError: there is no rate to probe around.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> data = [(torch.ones(4, 2), torch.ones(4, 1))]
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> evidence = probe(model, optimizer, torch.nn.functional.mse_loss, data, around=0.01, progress=False)
    >>> evidence.suggestion.lr > 0.01, evidence.num_steps <= 300
    (True, True)
    """
    refuse_unknown("probe", options, signature(probe).parameters)
    options["also_restore"] = restorable(options.get("also_restore", ()))  # an iterator serves once
    options = {**_training_of(around), **options}
    first = 0 if groups == "each" else groups
    plan = make_probe_plan(model, optimizer, loss_fn, train_data, groups=first, **options)
    plans = plan.of_each_group() if groups == "each" else [plan]
    found: dict[int, float] = {}
    evidences: list[Evidence] = []
    for start, this in zip(_starts(around, len(plans), groups), plans, strict=True):
        group = this.set_rate.group
        only: int | Literal["together"] = "together" if group is None else group
        of_test = partial(make_plan, model, optimizer, loss_fn, train_data, groups=only, **options)
        test = partial(_tested, of_test, found, repeats, progress=progress)
        make = partial(Probing, this.holding(found) if found else this, probe_steps=probe_steps, max_steps=max_steps)
        try:
            evidence, reason = _probed(make, start, test, progress=progress)
        except KeyboardInterrupt:
            if not evidences:
                raise
            break
        evidences.append(evidence)
        lr = evidence.suggestion.lr
        if lr is not None and group is not None:
            found[group] = lr
        if reason == "interrupted":
            break
    return tuple(evidences) if groups == "each" else evidences[0]


def make_probe_plan(
    model: Any,
    optimizer: Any,
    loss_fn: Callable[..., Any] | None,
    train_data: Any,
    *,
    groups: int | str = "together",
    **options: Unpack[Keywords],
) -> Plan:
    """Check the arguments of probes and return their plan; the keywords that are about a sweep do not count.

    Raises:
        ValueError, TypeError, RuntimeError: as `make_plan`.
    """
    training: Any = {name: value for name, value in options.items() if name not in _OF_THE_SWEEP}
    return make_plan(model, optimizer, loss_fn, train_data, groups=groups, **training)


def rate_of(around: Around) -> float:
    """Return the rate to probe around; where "auto" has none for these records, the median of the other rules' rates.

    The records' rate is that for a training about as long as the test, since probes are short, too.

    Raises:
        NoSuggestionError: there is none.
        TypeError, ValueError: it is no rate.
    """
    if isinstance(around, Suggestion):
        return float(around)
    if not isinstance(around, LRRecords):
        return check_rate("around", around)
    suggestions = replace(around, train_steps=None, train_schedule="constant").suggestions()
    rates = [s.lr for s in suggestions.values() if s.lr is not None]
    if not rates:
        which = "" if around.group is None else f" param group {around.group}"
        raise NoSuggestionError(f"there is no rate to probe{which} around: {suggestions['auto'].reason}")
    return suggestions["auto"].lr or median(rates)


def _starts(around: Any, number: int, groups: int | str) -> list[_Start | None]:
    """Return the starts of the groups' probes, all checked; None for one that a range test is to find.

    Raises:
        ValueError: there are more or fewer than groups.
        NoSuggestionError, TypeError: as `rate_of`.
    """
    starts = list(around) if groups == "each" and isinstance(around, (list, tuple)) else [around] * number
    if len(starts) != number:
        raise ValueError(
            f"around must have one entry a param group, {number}, got {len(starts)}; give None for one that "
            "a range test is to find"
        )
    of = range(number) if groups == "each" else [None if groups == "together" else int(groups)]
    return [None if start is None else _start(start, group) for start, group in zip(starts, of, strict=True)]


def _training_of(around: Any) -> Keywords:
    """Return the training that records of a range test are for, as keywords; nothing where there are no records."""
    listed = around if isinstance(around, (list, tuple)) else [around]
    records = [each for each in listed if isinstance(each, LRRecords)]
    return {"train_steps": records[0].train_steps, "train_schedule": records[0].train_schedule} if records else {}


def _start(around: Around, group: int | None) -> _Start:
    """Return the rate to start from and the records that it comes from, unless they are of another param group."""
    if not isinstance(around, LRRecords):
        return rate_of(around), None
    if around.group not in (None, group):
        of = "all param groups" if group is None else f"param group {group}"
        raise ValueError(f"around must be records of {of}, got those of param group {around.group}; give a rate")
    return rate_of(around), around


def _tested(make: Callable[[], Plan], held: Mapping[int, float], repeats: int, *, progress: bool) -> LRRecords:
    """Run the range test that comes first, with rates held for other groups; its keywords are checked only here."""
    plan = make()
    test = RangeTest(plan.holding(held) if held else plan, repeats)
    return test.records(run_to_end(test, progress=progress))


def _probed(
    make: Callable[..., Probing], start: _Start | None, test: Callable[[], LRRecords], *, progress: bool
) -> tuple[Evidence, str]:
    """Probe one param group, or all together, and return the evidence and why it ended."""
    if start is None:
        make(1.0)  # raises for wrong arguments before the range test runs
        tested = test()
        if tested.stop_reason == "interrupted":
            raise KeyboardInterrupt
        start = rate_of(tested), tested
    probing = make(start[0], records=start[1])
    reason = drain_in_bar(probing.steps(), "probes", probing.num_steps, enabled=progress)
    return probing.evidence(), reason
