"""The data of the benchmark's tasks: bundled with scikit-learn or Python, or drawn from a fixed seed. All offline."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

NUM_TEST = 256
SEQUENCE = 12
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,:;()'\"\n-=_0123456789"

Split = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""(training tensors, test tensors), the first dimension of each is the example."""


def split(*tensors: Tensor, seed: int = 0) -> Split:
    """Shuffle and hold out the test examples, at most a fifth."""
    order = torch.randperm(len(tensors[0]), generator=torch.Generator().manual_seed(seed))
    num_test = min(NUM_TEST, len(order) // 5)
    return tuple(t[order[num_test:]] for t in tensors), tuple(t[order[:num_test]] for t in tensors)


def standardise(values: np.ndarray) -> Tensor:
    return torch.tensor((values - values.mean(0)) / (values.std(0) + 1e-8), dtype=torch.float32)


@cache
def digits(low: int = 0, high: int = 10) -> Split:
    """Return 8x8 images in [0, 1] of the digits in [low, high), labelled from 0."""
    images, labels = datasets.load_digits(return_X_y=True)
    chosen = (labels >= low) & (labels < high)
    pixels = torch.tensor(images[chosen] / 16, dtype=torch.float32)
    return split(pixels, torch.tensor(labels[chosen] - low, dtype=torch.int64))


@cache
def tabular(name: str) -> Split:
    """Return a bundled table with standardised columns; targets of a regression are standardised, too."""
    loaders = {"breast_cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}
    if name == "diabetes":
        columns, target = datasets.load_diabetes(return_X_y=True)
        return split(standardise(columns), standardise(target[:, None]))
    columns, target = loaders[name](return_X_y=True)
    return split(standardise(columns), torch.tensor(target, dtype=torch.int64))


@cache
def friedman(scale: float = 1.0) -> Split:
    """Return Friedman's first regression problem, the target in its own unit (mean 14, variance 25) times a factor."""
    columns, target = datasets.make_friedman1(2000, noise=1.0, random_state=0)
    return split(torch.tensor(columns, dtype=torch.float32), torch.tensor(scale * target[:, None], dtype=torch.float32))


@cache
def least_squares(condition: float, noise: float) -> Split:
    """Return a linear regression whose Hessian has the given condition number."""
    rng = np.random.default_rng(0)
    spectrum = np.logspace(0, -0.5 * math.log10(condition), 20)
    columns = rng.normal(size=(2000, 20)) * spectrum @ np.linalg.qr(rng.normal(size=(20, 20)))[0]
    target = columns @ rng.normal(size=(20, 1)) / spectrum[-1] * 0.1 + noise * rng.normal(size=(2000, 1))
    return split(torch.tensor(columns, dtype=torch.float32), torch.tensor(target, dtype=torch.float32))


@cache
def unscaled_columns() -> Split:
    """Return a classification whose columns have scales from 0.1 to 30."""
    columns, target = datasets.make_classification(2000, 16, n_informative=10, class_sep=0.8, random_state=1)
    return split(
        torch.tensor(columns * np.logspace(-1, 1.5, 16), dtype=torch.float32), torch.tensor(target, dtype=torch.int64)
    )


def _split_numbers(columns: np.ndarray, target: np.ndarray) -> Split:
    """Return a split; integer targets are classes, others a column."""
    is_class = target.dtype.kind in "iu"
    wanted = torch.tensor(target, dtype=torch.int64) if is_class else torch.tensor(target[:, None], dtype=torch.float32)
    return split(torch.tensor(columns, dtype=torch.float32), wanted)


@cache
def moons() -> Split:
    """Return two noisy half-moons in the plane."""
    return _split_numbers(*datasets.make_moons(3000, noise=0.25, random_state=3))


@cache
def swiss_roll() -> Split:
    """Return noisy points of a rolled sheet, and the place along it."""
    points, place = datasets.make_swiss_roll(3000, noise=0.5, random_state=1)
    return _split_numbers(points / 10, (place - place.mean()) / place.std())


@cache
def parity() -> Split:
    """Return eight bits, and 1 where the sum of the first three is odd."""
    bits = np.random.default_rng(5).integers(0, 2, (4000, 8))
    return _split_numbers(bits, bits[:, :3].sum(1) % 2)


@cache
def six_classes() -> Split:
    """Return six classes in thirty columns, twelve of them informative."""
    return _split_numbers(
        *datasets.make_classification(3000, 30, n_informative=12, n_classes=6, class_sep=1.5, random_state=7)
    )


@cache
def counts() -> Split:
    """Return Poisson counts around the exponential of a linear function."""
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(3000, 6))
    rates = np.exp(columns @ np.array([0.5, -0.4, 0.3, 0, 0, 0.2]) + 1)
    return _split_numbers(columns, rng.poisson(rates).astype(float))


@cache
def odd_digits() -> Split:
    """Return images of digits beside their negatives, and 1 where the digit is odd."""
    images, labels = datasets.load_digits(return_X_y=True)
    return _split_numbers(np.concatenate([images / 16, 1 - images / 16], 1), labels % 2)


@cache
def heteroscedastic() -> Split:
    """Return a curve with small noise that grows along x, so that its log-likelihood turns positive."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(2000, 1))
    y = np.sin(2 * x) + (0.02 + 0.05 * np.abs(x)) * rng.normal(size=x.shape)
    return split(torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32))


@cache
def text(part: int = 0) -> Split:
    """Return windows of Python's own documentation topics as character codes: (SEQUENCE codes, the next code)."""
    from pydoc_data.topics import topics

    whole = "".join(topics[key] for key in sorted(topics)).lower()[part * 200_000 :][:40_000]
    codes = torch.tensor([max(ALPHABET.find(char), 0) for char in whole])
    windows = codes.unfold(0, SEQUENCE + 1, 3)
    return split(windows[:, :-1].contiguous(), windows[:, -1].contiguous())


@cache
def waves() -> Split:
    """Return noisy sums of two sines, 20 points each, and the point that follows."""
    rng = np.random.default_rng(0)
    time = np.arange(21)[None, :]
    phase, speed = rng.uniform(0, 6, size=(2, 2000, 1)), rng.uniform(0.2, 0.8, size=(2, 2000, 1))
    series = np.sin(speed[0] * time + phase[0]) + 0.5 * np.sin(2 * speed[1] * time + phase[1])
    series += 0.05 * rng.normal(size=series.shape)
    tensor = torch.tensor(series, dtype=torch.float32)
    return split(tensor[:, :20, None], tensor[:, 20:])


@cache
def marked_sums() -> Split:
    """Return the adding problem: ten numbers, two of them marked; the target is the marked ones' sum."""
    rng = np.random.default_rng(0)
    numbers, marks = rng.uniform(size=(4000, 10)), np.zeros((4000, 10))
    for row in marks:
        row[rng.choice(10, 2, replace=False)] = 1
    target = (numbers * marks).sum(1, keepdims=True)
    return split(
        torch.tensor(np.stack([numbers, marks], 2), dtype=torch.float32), torch.tensor(target, dtype=torch.float32)
    )


@cache
def ratings() -> Split:
    """Return (user, item) pairs and noisy ratings around 3.5 from four hidden factors."""
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(200, 4)), rng.normal(size=(100, 4))
    pairs = np.stack([rng.integers(200, size=8000), rng.integers(100, size=8000)], 1)
    values = 3.5 + 0.5 * (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) + 0.3 * rng.normal(size=8000)
    return split(torch.tensor(pairs), torch.tensor(values, dtype=torch.float32))
