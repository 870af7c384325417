"""Small fastai learners on data made by code, for the tests of their adapter."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import uses much that others have deprecated
    from fastai.tabular import all as fai
    from fastai.text.models.awdlstm import AWD_LSTM
    from fastai.text.models.core import LinearDecoder, SequentialRNN


def seed_everything(seed: int = 0) -> None:
    """Seed the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def tabular(**settings: Any) -> fai.Learner:
    """Return a tabular learner with categories, missing numbers, dropout and batch norm."""
    seed_everything()
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(40, 9, 192), "hours": rng.normal(size=192), "job": rng.choice([*"abc"], 192)}
    )
    frame.loc[::9, "hours"] = np.nan
    frame["rich"] = np.where(frame["age"] + 5 * (frame["job"] == "a") > 42, "yes", "no")  # about half
    dls = fai.TabularDataLoaders.from_df(
        frame,
        procs=[fai.Categorify, fai.FillMissing, fai.Normalize],
        cat_names=["job"],
        cont_names=["age", "hours"],
        y_names="rich",
        valid_idx=[*range(160, 192)],
        bs=16,
        device=torch.device("cpu"),
    )
    return fai.tabular_learner(dls, layers=[16, 8], n_out=2, config={"ps": 0.1}, **settings)


def net() -> nn.Sequential:
    """Return a small convolutional classifier of 8 by 8 pictures in two parts."""
    body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(4))
    return nn.Sequential(body, nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(16, 3)))


def pictures(model: nn.Module | None = None, **settings: Any) -> fai.Learner:
    """Return a learner of pictures in three classes, made by hand as in the guide to training."""
    seed_everything()
    x, y = torch.randn(192, 1, 8, 8), torch.randint(3, (192,))
    x[:, 0, 0] += y[:, None] * 2.0
    rows = [*zip(x, y, strict=True)]
    dls = fai.DataLoaders(fai.DataLoader(rows[:160], bs=16, shuffle=True), fai.DataLoader(rows[160:], bs=16))
    return fai.Learner(dls, net() if model is None else model, loss_func=fai.CrossEntropyLossFlat(), **settings)


def halves(model: Any) -> list[Any]:
    """Split the model of `pictures` into its body and its head."""
    return [[*model[0].parameters()], [*model[1].parameters()]]


class Noted(fai.Callback):  # type: ignore[misc]  # fastai has no types
    """The losses, rates and weights of a fit, a batch each."""

    def before_fit(self) -> None:
        """Begin anew."""
        self.losses: list[float] = []
        self.rates: list[list[float]] = []

    def after_batch(self) -> None:
        """Note a batch of the training."""
        if self.training:
            self.losses.append(self.learn.loss_grad.item())
            self.rates.append([float(hypers["lr"]) for hypers in self.opt.hypers])


class Frozen(fai.Callback):  # type: ignore[misc]  # likewise
    """Freezes the body of the model of `pictures` at an event."""

    def __init__(self, event: str) -> None:
        setattr(self, event, self._freeze)

    def _freeze(self) -> None:
        for parameter in self.model[0].parameters():
            parameter.requires_grad_(False)


class Clamped(fai.Callback):  # type: ignore[misc]  # likewise
    """Brightens the pictures from batch to batch, as it counts them, and clamps the weights after each update."""

    run_valid = False

    def __init__(self) -> None:
        self.seen = 0

    def before_batch(self) -> None:
        """Brighten the pictures."""
        self.learn.xb = (self.xb[0] + 0.1 * self.seen,)

    def after_batch(self) -> None:
        """Count the batch, and clamp the weights."""
        self.seen += 1
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.clamp_(-0.1, 0.1)


def fit(learner: fai.Learner, n_epoch: int = 1, how: str = "fit", **settings: Any) -> Noted:
    """Train a learner by one of its own methods without a word, and return what was noted."""
    noted = Noted()
    with learner.no_bar(), learner.no_logging():
        getattr(learner, how)(n_epoch, cbs=noted, **settings)
    return noted


def language(**settings: Any) -> fai.Learner:
    """Return a learner of a recurrent language model with the callbacks of fastai's own."""
    seed_everything()
    words = torch.randint(12, (64, 11))
    rows = [(row[:-1], row[1:]) for row in words]
    dls = fai.DataLoaders(fai.DataLoader(rows, bs=4, drop_last=True), fai.DataLoader(rows[:8], bs=4))
    model = SequentialRNN(AWD_LSTM(12, 6, 8, 2), LinearDecoder(12, 6))
    return fai.Learner(dls, model, loss_func=fai.CrossEntropyLossFlat(), cbs=fai.rnn_cbs(alpha=2, beta=1), **settings)
