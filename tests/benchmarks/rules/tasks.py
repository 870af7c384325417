"""The benchmark's tasks. The first of each kind helps to choose the rule, the second only reports; fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from . import data, models
from .data import Split
from .models import Characters, Recurrent, cross_entropy, mlp, mse

momentum = partial(SGD, momentum=0.9)
Batch = tuple[Tensor, ...]


@dataclass(frozen=True)
class Task:
    """One training problem: everything but the rate and the seed."""

    name: str
    kind: str
    data: Callable[[], Split]
    model: Callable[[], nn.Module]
    loss: Callable[..., Tensor]
    optimizer: Callable[..., Optimizer]
    batch_size: int = 32

    @property
    def habit(self) -> float:
        """The rate that people take without a test: 0.1 for SGD, 1e-3 for the rest (1e-2 is Adagrad's own default)."""
        return 0.1 if self.optimizer in (SGD, momentum) else 1e-2 if self.optimizer is Adagrad else 1e-3

    def start(self, seed: int) -> tuple[nn.Module, Optimizer, Batches]:
        """Return a fresh model, its optimizer and its data in the order of the seed."""
        tensors = self.data()[0]
        torch.manual_seed(1000 + seed)
        model = self.model()
        return model, self.optimizer(model.parameters(), lr=1e-3), Batches(tensors, self.batch_size, seed)

    def step_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.loss(model, *batch)

    def evaluate(self, model: nn.Module) -> float:
        """Return the loss on up to 1024 training examples in eval mode: the objective without the batch's noise."""
        torch.manual_seed(7)
        model.eval()
        with torch.no_grad():
            return float(self.loss(model, *(t[:1024] for t in self.data()[0])))


class Batches:
    """Endless shuffled batches; iterating again starts over with the same order."""

    def __init__(self, tensors: Batch, size: int, seed: int) -> None:
        self.tensors, self.size, self.seed = tensors, size, seed

    def indices(self) -> Iterator[Tensor]:
        """Yield the places of the examples of each batch."""
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            order = torch.randperm(len(self.tensors[0]), generator=generator)
            yield from order[: len(order) // self.size * self.size].view(-1, self.size)

    def __iter__(self) -> Iterator[Batch]:
        return (tuple(tensor[chosen] for tensor in self.tensors) for chosen in self.indices())


def tasks() -> list[Task]:
    """Return the tasks of both halves, in pairs of one kind."""
    return _images_and_text() + _numbers() + _special() + _noisy()


def halves() -> tuple[list[Task], list[Task]]:
    """Return (the tasks for choosing, the tasks for reporting)."""
    return tasks()[0::2], tasks()[1::2]


def later() -> list[Task]:
    """Return ten tasks that were made after the rule was fixed; how probes go on was chosen with them, too."""
    last_text = partial(data.text, 2)
    tanh, roll = mlp(2, 32, 32, 2, activation=nn.Tanh), data.swiss_roll
    return [
        Task("moons, Adam", "plane", data.moons, tanh, cross_entropy, Adam),
        Task("swiss roll, momentum", "plane", roll, mlp(3, 64, 64, 1), mse, momentum, 64),
        Task("parity, AdamW", "logic", data.parity, mlp(8, 64, 2), cross_entropy, AdamW, 16),
        Task("six classes, RMSprop", "tabular", data.six_classes, mlp(30, 48, 6, dropout=0.2), cross_entropy, RMSprop),
        Task("counts, SGD", "tabular", data.counts, mlp(6, 16, 1), models.poisson_nll, SGD),
        Task("odd digits, Adagrad", "vision", data.odd_digits, mlp(128, 32, 2), cross_entropy, Adagrad),
        Task("10 nll - 3, Adam", "negative", roll, mlp(3, 32, 32, 2), models.scaled_gaussian_nll, Adam),
        Task("moons in twos, SGD", "tiny batches", data.moons, mlp(2, 16, 2), cross_entropy, SGD, 2),
        Task("six in fours, Adam", "tiny batches", data.six_classes, mlp(30, 32, 6), cross_entropy, Adam, 4),
        Task("characters gru, Adam", "text", last_text, partial(Characters, "recurrent"), cross_entropy, Adam),
    ]


def newest() -> list[Task]:
    """Return twelve tasks that were made after rule and probes were fixed, so that nothing was chosen with them."""
    waves, sums, text, counts = data.waves, data.marked_sums, partial(data.text, 1), data.counts
    autoencoder, squares = mlp(64, 48, 12, 48, 64), partial(data.least_squares, 1e5, 0.1)
    return [
        Task("digits cnn, AdamW", "vision", data.digits, models.cnn, cross_entropy, AdamW, 16),
        Task("moons deep, Adagrad", "plane", data.moons, mlp(2, 24, 24, 24, 2), cross_entropy, Adagrad),
        Task("waves gru, RMSprop", "sequence", waves, partial(Recurrent, 1, nn.GRU), mse, RMSprop),
        Task("adding gru, AdamW", "sequence", sums, partial(Recurrent, 2, nn.GRU), mse, AdamW),
        Task("attention, momentum", "text", text, partial(Characters, "attention"), cross_entropy, momentum),
        Task("six classes linear, momentum", "tabular", data.six_classes, mlp(30, 6), cross_entropy, momentum),
        Task("contrastive, Adam", "negative", data.digits, mlp(64, 32, 16), models.contrastive, Adam),
        Task("autoencoder, momentum", "generative", data.digits, autoencoder, models.reconstruction, momentum),
        Task("least squares 1e5, Adam", "ill-conditioned", squares, mlp(20, 1), mse, Adam),
        Task("counts in threes, Adam", "tiny batches", counts, mlp(6, 16, 1), models.poisson_nll, Adam, 3),
        Task("friedman in ones, RMSprop", "tiny batches", data.friedman, mlp(10, 16, 1), mse, RMSprop, 1),
        Task("odd in fours, momentum", "tiny batches", data.odd_digits, mlp(128, 32, 2), cross_entropy, momentum, 4),
    ]


def everything() -> list[Task]:
    """Return the tasks of all groups."""
    return tasks() + later() + newest()


def _images_and_text() -> list[Task]:
    digits, text = data.digits, data.text
    return [
        Task("digits mlp, Adam", "vision", digits, mlp(64, 32, 10), cross_entropy, Adam),
        Task("digits cnn, momentum", "vision", digits, models.cnn, cross_entropy, momentum),
        Task("digits linear, SGD", "vision", digits, mlp(64, 10), cross_entropy, SGD),
        Task("digits residual, RMSprop", "vision", digits, models.Residual, cross_entropy, RMSprop),
        Task("characters window, AdamW", "text", text, partial(Characters, "window"), cross_entropy, AdamW),
        Task("characters bigram, Adagrad", "text", text, partial(Characters, "bigram"), cross_entropy, Adagrad),
        Task("characters attention, Adam", "text", text, partial(Characters, "attention"), cross_entropy, Adam),
        Task("characters gru, momentum", "text", text, partial(Characters, "recurrent"), cross_entropy, momentum, 16),
        Task("waves rnn, momentum", "sequence", data.waves, partial(Recurrent, 1, nn.RNN), mse, momentum),
        Task("adding lstm, Adam", "sequence", data.marked_sums, partial(Recurrent, 2, nn.LSTM), mse, Adam),
    ]


def _numbers() -> list[Task]:
    tabular, squares = data.tabular, data.least_squares
    return [
        Task("diabetes mlp, SGD", "tabular", partial(tabular, "diabetes"), mlp(10, 32, 1), mse, SGD),
        Task("cancer logistic, AdamW", "tabular", partial(tabular, "breast_cancer"), mlp(30, 2), cross_entropy, AdamW),
        Task("wine mlp, Adagrad", "tabular", partial(tabular, "wine"), mlp(13, 24, 3), cross_entropy, Adagrad, 16),
        Task("friedman raw mlp, momentum", "tabular", data.friedman, mlp(10, 32, 32, 1), mse, momentum),
        Task("least squares 1e3, momentum", "ill-conditioned", partial(squares, 1e3, 0.5), mlp(20, 1), mse, momentum),
        Task("unscaled columns, RMSprop", "ill-conditioned", data.unscaled_columns, mlp(16, 2), cross_entropy, RMSprop),
        Task("factors, Adagrad", "factors", data.ratings, partial(models.Factors, 4), mse, Adagrad, 64),
        Task("factors, SGD", "factors", data.ratings, partial(models.Factors, 8), mse, SGD, 64),
    ]


def _special() -> list[Task]:
    digits, tanh, dropout = data.digits, mlp(64, 32, 16, 64, activation=nn.Tanh), mlp(64, 64, 10, dropout=0.3)
    few, other = partial(data.digits, 5, 10), data.text
    noisy, huge = data.heteroscedastic, partial(data.friedman, 10.0)
    return [
        Task("autoencoder, RMSprop", "generative", digits, tanh, models.reconstruction, RMSprop),
        Task("vae -elbo, AdamW", "generative", digits, models.Variational, models.minus_elbo, AdamW),
        Task("gaussian nll, Adam", "negative", noisy, mlp(1, 32, 32, 2), models.gaussian_nll, Adam),
        Task("-cosine, SGD", "negative", digits, mlp(64, 32, 16), models.minus_cosine, SGD),
        Task("contrastive, momentum", "negative", digits, mlp(64, 32, 16), models.contrastive, momentum),
        Task("denoising, AdamW", "generative", digits, tanh, models.denoising, AdamW),
        Task("fine-tuned digits, momentum", "fine-tuning", few, models.pretrained_digits, cross_entropy, momentum),
        Task("fine-tuned characters, Adam", "fine-tuning", other, models.pretrained_text, cross_entropy, Adam),
        Task("digits in twos, SGD", "tiny batches", digits, mlp(64, 32, 10), cross_entropy, SGD, 2),
        Task("friedman in fours, AdamW", "tiny batches", huge, mlp(10, 32, 1), mse, AdamW, 4),
        Task("dropout in fours, Adam", "tiny batches", digits, dropout, cross_entropy, Adam, 4),
        Task("diabetes in ones, SGD", "tiny batches", partial(data.tabular, "diabetes"), mlp(10, 16, 1), mse, SGD, 1),
    ]


def _noisy() -> list[Task]:
    """Add more tiny batches, as their noise separates the rules most."""
    curve, squares = data.heteroscedastic, partial(data.least_squares, 10.0, 1.0)
    wine, cancer, text = partial(data.tabular, "wine"), partial(data.tabular, "breast_cancer"), data.text
    return [
        Task("curve in ones, SGD", "tiny batches", curve, mlp(1, 32, 1, activation=nn.Tanh), mse, SGD, 1),
        Task("cancer in twos, RMSprop", "tiny batches", cancer, mlp(30, 16, 2), cross_entropy, RMSprop, 2),
        Task("least squares in twos, momentum", "tiny batches", squares, mlp(20, 1), mse, momentum, 2),
        Task("bigram in fours, Adam", "tiny batches", text, partial(Characters, "bigram"), cross_entropy, Adam, 4),
        Task("wine in ones, Adam", "tiny batches", wine, mlp(13, 16, 3), cross_entropy, Adam, 1),
        Task("factors in eights, momentum", "tiny batches", data.ratings, partial(models.Factors, 4), mse, momentum, 8),
    ]
