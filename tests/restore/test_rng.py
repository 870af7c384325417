"""Random generators of every kind are kept, restored and seeded."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lr_widget.restore import keep_rng, seed_all
from lr_widget.restore.rng import global_rng_undos, is_global, rng_undo

GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], float]]] = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda rng: torch.rand(1, generator=rng).item()),
    "Python": (lambda: random.Random(1), lambda rng: rng.random()),
    "old NumPy": (lambda: np.random.RandomState(1), lambda rng: rng.random_sample()),
    "NumPy": (lambda: np.random.default_rng(1), lambda rng: rng.random()),
    "bits of NumPy": (lambda: np.random.MT19937(1), lambda rng: float(rng.random_raw())),
}


def draw_from_all() -> list[float]:
    return [random.random(), np.random.random(), torch.rand(1).item()]


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generator_repeats_itself_after_its_undo(kind: str):
    """The undo can be called again and again: each time the same numbers follow."""
    make, draw = GENERATORS[kind]
    generator = make()
    undo = rng_undo(generator)
    assert undo is not None
    first = [draw(generator), draw(generator)]
    for _ in range(2):
        undo()
        assert [draw(generator), draw(generator)] == first


@pytest.mark.parametrize("value", [1, None, random.SystemRandom(), torch.ones(1)])
def test_nothing_is_kept_of_other_things(value: Any):
    """The system's generator has no state."""
    assert rng_undo(value) is None


def test_the_global_generators_repeat_themselves():
    """Python's, NumPy's and torch's, each with a name for an error."""
    undos = dict(global_rng_undos())
    assert {"Python's random state", "NumPy's random state", "torch's random state"} <= undos.keys()
    first = draw_from_all()
    for undo in undos.values():
        undo()
    assert draw_from_all() == first


def test_a_block_leaves_no_trace_in_generators_also_where_it_raises():
    """The global ones and those that were named go on as if the block had not been."""
    named = np.random.default_rng(1)
    twin = np.random.default_rng(1)
    seed_all(1)
    expected = draw_from_all()
    seed_all(1)
    with pytest.raises(ZeroDivisionError, match="in the block"), keep_rng([named, "no generator"]):
        draw_from_all()
        named.random()
        raise ZeroDivisionError("in the block")
    assert draw_from_all() == expected
    assert named.random() == twin.random()


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("seed", [0, 3, 2**40])
def test_a_seed_seeds_every_generator(kind: str, seed: int):
    """Twice the same seed gives twice the same numbers, another seed others; NumPy's 32 bits are no limit."""
    make, draw = GENERATORS[kind]
    generator = make()
    drawn = []
    for each in (seed, seed, seed + 1):
        seed_all(each, [generator])
        drawn.append([draw(generator), *draw_from_all()])
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[1], drawn[2], strict=True))


def test_generators_get_different_seeds():
    """The first has the seed itself, and no two of them give the same numbers."""
    generators = [torch.Generator() for _ in range(3)]
    seed_all(5, generators)
    assert generators[0].initial_seed() == 5
    assert len({torch.rand(1, generator=rng).item() for rng in generators}) == 3


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_the_seeds_of_several_generators_fit(seed: int):
    """The largest seed is no limit for the second generator and those after it, of whatever kind."""
    generators = [make() for make, _ in GENERATORS.values()] * 2
    seed_all(seed, generators)


def test_the_global_generators_are_known():
    """They are kept and seeded as such; a generator of the user's is none of them."""
    assert is_global(random.random.__self__)  # type: ignore[attr-defined]
    assert is_global(np.random.normal.__self__)  # type: ignore[attr-defined]
    assert is_global(torch.default_generator)
    assert not any(is_global(make()) for make, _ in GENERATORS.values())
