"""The data of the tasks: plenty of it, so that 6,400 steps do not overfit, and held-out examples. All offline."""

from __future__ import annotations

from functools import cache
from pydoc_data.topics import topics

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

NUM_HELD_OUT = 1000
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,:;()'\"\n-=_0123456789"

Split = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""(training tensors, held-out tensors), the first dimension of each is the example."""


def split(*columns: np.ndarray) -> Split:
    """Return a split; whole numbers become codes or classes. The examples are drawn at random already."""
    tensors = [torch.tensor(c, dtype=torch.int64 if c.dtype.kind in "iu" else torch.float32) for c in columns]
    return tuple(t[NUM_HELD_OUT:] for t in tensors), tuple(t[:NUM_HELD_OUT] for t in tensors)


@cache
def digits(low: int = 0, high: int = 10, size: int = 20_000) -> Split:
    """Return shifted, dimmed and noisy copies of 8 x 8 digits in [low, high), labelled from 0.

    Held-out copies are made of other digits than those for training.
    """
    rng = np.random.default_rng(11)
    images, labels = datasets.load_digits(return_X_y=True)
    chosen = rng.permutation(np.flatnonzero((labels >= low) & (labels < high)))
    held_out, training = chosen[: len(chosen) // 5], chosen[len(chosen) // 5 :]
    drawn = np.concatenate([rng.choice(held_out, NUM_HELD_OUT), rng.choice(training, size)])
    padded = np.pad(images[drawn].reshape(-1, 8, 8) / 16, ((0, 0), (1, 1), (1, 1)))
    shift = rng.integers(0, 3, size=(len(drawn), 2))
    moved = np.stack([image[a : a + 8, b : b + 8] for image, (a, b) in zip(padded, shift, strict=True)])
    moved = moved * rng.uniform(0.7, 1.1, size=(len(drawn), 1, 1)) + 0.1 * rng.normal(size=moved.shape)
    return split(moved.reshape(-1, 64), labels[drawn] - low)


@cache
def gratings() -> Split:
    """Return noisy 8 x 8 gratings of eight orientations, of random phase and spacing."""
    rng = np.random.default_rng(12)
    number, (row, column) = 21_000, np.indices((8, 8))
    labels = rng.integers(0, 8, number)
    angle = (labels + rng.uniform(-0.3, 0.3, number)) * np.pi / 8
    along = np.cos(angle)[:, None, None] * row + np.sin(angle)[:, None, None] * column
    phase, spacing = rng.uniform(0, 2 * np.pi, (number, 1, 1)), rng.uniform(3, 6, (number, 1, 1))
    images = np.sin(2 * np.pi * along / spacing + phase) + 0.8 * rng.normal(size=along.shape)
    return split(images.reshape(-1, 64), labels)


@cache
def text(part: int, length: int = 16) -> Split:
    """Return windows of Python's documentation topics as character codes, one longer than `length`, in random order."""
    whole = "".join(topics[key] for key in sorted(topics)).lower()[part * 150_000 :][:150_000]
    codes = np.array([max(ALPHABET.find(char), 0) for char in whole])
    windows = np.lib.stride_tricks.sliding_window_view(codes, length + 1)[::4]
    return split(np.random.default_rng(13).permutation(windows))


@cache
def chain(states: int = 20, length: int = 16) -> Split:
    """Return walks of a random Markov chain of second order as codes, one longer than `length`."""
    rng = np.random.default_rng(14)
    steps = np.cumsum(rng.dirichlet(np.full(states, 0.15), size=(states, states)), axis=2)
    walks = np.empty((15_000, length + 1), dtype=np.int64)
    walks[:, :2] = rng.integers(0, states, (len(walks), 2))
    for at in range(2, length + 1):
        draw = rng.uniform(size=(len(walks), 1))
        walks[:, at] = (steps[walks[:, at - 2], walks[:, at - 1]] < draw).sum(1).clip(max=states - 1)
    return split(walks)


@cache
def teacher(inputs: int = 16, noise: float = 0.1) -> Split:
    """Return a regression on the output of a fixed random network, standardised, with noise."""
    rng = np.random.default_rng(15)
    x = rng.normal(size=(30_000, inputs))
    hidden = np.tanh(x @ rng.normal(size=(inputs, 24)) / 2)
    y = np.tanh(hidden @ rng.normal(size=(24, 12)) / 2) @ rng.normal(size=(12, 1))
    y = (y - y.mean()) / y.std()
    return split(x, y + noise * rng.normal(size=y.shape))


@cache
def friedman() -> Split:
    """Return Friedman's first regression problem in its own unit: mean 14, variance 25."""
    x, y = datasets.make_friedman1(30_000, noise=1.0, random_state=16)
    return split(x, y[:, None])


@cache
def classes(number: int = 5, scales: float = 0.0) -> Split:
    """Return classes in 24 columns, 12 of them informative; `scales` are the decades that the columns' units span."""
    x, y = datasets.make_classification(30_000, 24, n_informative=12, n_classes=number, class_sep=1.2, random_state=17)
    return split(x * np.logspace(-scales / 2, scales / 2, 24), y)


@cache
def squares(condition: float, noise: float) -> Split:
    """Return a linear regression whose Hessian has this condition number."""
    rng = np.random.default_rng(18)
    spectrum = np.logspace(0, -0.5 * np.log10(condition), 24)
    x = rng.normal(size=(30_000, 24)) * spectrum @ np.linalg.qr(rng.normal(size=(24, 24)))[0]
    y = x @ rng.normal(size=(24, 1)) / spectrum.mean()
    return split(x, y / y.std() + noise * rng.normal(size=y.shape))


@cache
def spread() -> Split:
    """Return a curve whose noise is small and grows, so that its log-likelihood turns positive."""
    rng = np.random.default_rng(19)
    x = rng.uniform(-2, 2, size=(30_000, 1))
    return split(x, np.sin(3 * x) * np.cos(x) + (0.02 + 0.05 * np.abs(x)) * rng.normal(size=x.shape))


@cache
def counts() -> Split:
    """Return Poisson counts around the exponential of a smooth function of eight columns."""
    rng = np.random.default_rng(20)
    x = rng.normal(size=(30_000, 8))
    return split(x, rng.poisson(np.exp(1 + 0.5 * np.sin(x[:, :1]) + 0.3 * x[:, 1:2] - 0.3 * x[:, 2:3])).astype(float))


@cache
def ratings() -> Split:
    """Return (user, item) pairs and noisy ratings around 3.5 from four hidden factors."""
    rng = np.random.default_rng(21)
    users, items = rng.normal(size=(300, 4)), rng.normal(size=(150, 4))
    pairs = np.stack([rng.integers(300, size=40_000), rng.integers(150, size=40_000)], 1)
    values = 3.5 + 0.5 * (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1) + 0.3 * rng.normal(size=len(pairs))
    return split(pairs, values[:, None])


@cache
def series() -> Split:
    """Return noisy sums of two sines, 16 points each, and the point that follows."""
    rng = np.random.default_rng(22)
    time, number = np.arange(17)[None, :], 15_000
    phase, speed = rng.uniform(0, 6, size=(2, number, 1)), rng.uniform(0.2, 0.9, size=(2, number, 1))
    values = np.sin(speed[0] * time + phase[0]) + 0.5 * np.sin(2 * speed[1] * time + phase[1])
    values += 0.05 * rng.normal(size=values.shape)
    return split(values[:, :16, None], values[:, 16:])


@cache
def sums() -> Split:
    """Return the adding problem: eight numbers, two of them marked; the target is the marked ones' sum."""
    rng = np.random.default_rng(23)
    numbers = rng.uniform(size=(20_000, 8))
    marks = (rng.uniform(size=numbers.shape).argsort(1) < 2).astype(float)
    return split(np.stack([numbers, marks], 2), (numbers * marks).sum(1, keepdims=True))
