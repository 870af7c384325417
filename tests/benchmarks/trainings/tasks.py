"""The tasks, in pairs of a kind: the first helps to choose, the second only reports.

They were fixed beforehand, but for the pretraining of the two text models: see the introduction of RESULTS.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..rules.tasks import Batch, Batches
from . import datasets, networks
from .datasets import Split
from .networks import Attention, Factors, Gated, Residual, Variational, convolutions, dense

Loss = Callable[..., Tensor]  # (model, *batch) -> scalar

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
    "Adagrad": torch.optim.Adagrad,
}
HABITS = {"SGD": 0.1, "momentum": 0.1, "Adagrad": 1e-2}  # the rest 1e-3


@dataclass(frozen=True)
class Task:
    """One training problem: everything but the rate and the seed."""

    name: str
    kind: str
    data: Callable[[], Split]
    model: Callable[[], nn.Module]
    loss: Loss
    optimizer: str
    batch_size: int = 32
    longest: int = 6400

    @property
    def habit(self) -> float:
        """The rate that people take without a test."""
        return HABITS.get(self.optimizer, 1e-3)

    def start(self, seed: int) -> tuple[nn.Module, torch.optim.Optimizer, Batches]:
        """Return a fresh model, its optimizer and its data in the order of the seed."""
        torch.manual_seed(1000 + seed)
        model = self.model()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return model, OPTIMIZERS[self.optimizer](trained, lr=1e-3), Batches(self.data()[0], self.batch_size, seed)

    def step_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.loss(model, *batch)

    def held_out_loss(self, model: nn.Module) -> float:
        """Return the loss per batch of the usual size on the held-out examples, in eval mode."""
        torch.manual_seed(7)
        model.eval()
        with torch.no_grad():
            parts = [self.loss(model, *part) for part in self.held_out()]
        return float(torch.stack(parts).mean())

    def held_out(self) -> list[Batch]:
        """Return the held-out examples in batches of at least 50, so that a summed loss is that of a batch."""
        size = self.batch_size if self.batch_size >= 16 else 50
        columns = [tensor.split(size) for tensor in self.data()[1]]
        return [part for part in zip(*columns, strict=True) if len(part[0]) == size]


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y)


def summed_cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y, reduction="sum")


def next_code(model: nn.Module, codes: Tensor) -> Tensor:
    """Predict every code from those before it."""
    return F.cross_entropy(model(codes[:, :-1]).flatten(0, 1), codes[:, 1:].flatten())


def last_code(model: nn.Module, codes: Tensor) -> Tensor:
    return F.cross_entropy(model(codes[:, :-1]), codes[:, -1])


def mse(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(model(x), y)


def summed_poisson(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.poisson_nll_loss(model(x), y, reduction="sum")


def reconstruction(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return F.mse_loss(model(x), x)


def minus_elbo(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return model(x).mean()


def gaussian_nll(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    mean, log_std = model(x).chunk(2, 1)
    return (0.5 * ((y - mean) * (-log_std).exp()) ** 2 + log_std).mean()


def contrastive(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """InfoNCE between two noisy views of each image, minus the chance level: it starts near 0 and turns negative."""
    one, two = (F.normalize(model(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
    return F.cross_entropy(one @ two.T / 0.2, torch.arange(len(x), device=x.device)) - torch.tensor(float(len(x))).log()


@cache
def _pretrained(
    build: Callable[[], nn.Module], data: Callable[[], Split], loss: Loss, steps: int = 3000
) -> dict[str, Tensor]:
    """Return the weights of a network after some steps of AdamW with a cosine on other data than the task's."""
    state = torch.get_rng_state()
    torch.manual_seed(5)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _, batch in zip(range(steps), Batches(data()[0], 64, 5), strict=False):
        optimizer.zero_grad()
        loss(model, *batch).backward()
        optimizer.step()
        schedule.step()
    torch.set_rng_state(state)
    return model.state_dict()


def pretrained_digits(train: str, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    """Return a network for the digits 5 to 9 whose body has learnt 0 to 4, with a new last layer.

    Args:
        train: "all", "head" with a frozen body, "top" with a frozen first layer, or "adapters".
        act: the activation.
    """
    model = _built(64, 64, 64, 5, act=act)()
    model.load_state_dict(_pretrained(_built(64, 64, 64, 5, act=act), partial(datasets.digits, 0, 5), cross_entropy))
    model[-1] = nn.Linear(64, 5)
    networks.freeze({"all": [], "top": [model[0]], "head": [model[0], model[2]], "adapters": []}[train])
    return networks.with_adapters(model) if train == "adapters" else model


@cache
def _built(*widths: int, act: type[nn.Module] = nn.ReLU) -> Callable[[], nn.Module]:
    return dense(*widths, act=act)


def _text_model() -> nn.Module:
    return Attention(len(datasets.ALPHABET), 16)


_first_text, _other_text, _last_text = (partial(datasets.text, part) for part in range(3))


def pretrained_text() -> nn.Module:
    """Return a character model that has learnt another part of the text, longer than any task trains."""
    model = _text_model()
    model.load_state_dict(_pretrained(_text_model, _first_text, next_code, steps=12_000))
    return model


def tasks() -> list[Task]:
    """Return all tasks, in pairs of one kind."""
    return _images() + _sequences() + _numbers() + _special() + _fine_tuning()


def halves() -> tuple[list[Task], list[Task]]:
    """Return (the tasks for choosing, the tasks for reporting)."""
    return tasks()[0::2], tasks()[1::2]


def _images() -> list[Task]:
    digits, gratings, small = datasets.digits, datasets.gratings, convolutions
    drop = dense(64, 64, 64, 10, drop=0.2)
    return [
        Task("digits mlp, AdamW", "vision", digits, drop, cross_entropy, "AdamW", 64),
        Task("gratings mlp, Adam", "vision", gratings, dense(64, 96, 48, 8), cross_entropy, "Adam", 64),
        Task("gratings cnn, AdamW", "vision", gratings, partial(small, 8), cross_entropy, "AdamW", 32, 1600),
        Task("digits cnn, momentum", "vision", digits, small, cross_entropy, "momentum", 32, 1600),
        Task("digits residual, momentum", "vision", digits, partial(Residual, 64, 10), cross_entropy, "momentum", 64),
        Task("gratings residual, AdamW", "vision", gratings, partial(Residual, 64, 8), cross_entropy, "AdamW"),
    ]


def _sequences() -> list[Task]:
    chain, series, sums = datasets.chain, datasets.series, datasets.sums
    walks, letters = partial(Attention, 20, 16), partial(Gated, 16, len(datasets.ALPHABET), 32, len(datasets.ALPHABET))
    return [
        Task("chain attention, AdamW", "text", chain, walks, next_code, "AdamW", 16, 1600),
        Task("text attention, Adam", "text", _other_text, _text_model, next_code, "Adam", 16, 1600),
        Task("text gated, Adam", "text", _first_text, letters, last_code, "Adam", 32, 1600),
        Task("chain attention, momentum", "text", chain, walks, next_code, "momentum", 16, 1600),
        Task("sums gated, RMSprop", "sequence", sums, partial(Gated, 2, 1), mse, "RMSprop", 32, 1600),
        Task("series gated, momentum", "sequence", series, partial(Gated, 1, 1), mse, "momentum", 32, 1600),
    ]


def _numbers() -> list[Task]:
    friedman, teacher, squares = datasets.friedman, datasets.teacher, datasets.squares
    five, units = partial(datasets.classes, 5), partial(datasets.classes, 3, 2.0)
    tanh = dense(10, 48, 48, 1, act=nn.Tanh)
    return [
        Task("teacher, SGD", "tabular", teacher, dense(16, 64, 32, 1), mse, "SGD"),
        Task("friedman, Adam", "tabular", friedman, tanh, mse, "Adam", 64),
        Task("five classes, Adam", "tabular", five, dense(24, 64, 5, drop=0.1), cross_entropy, "Adam"),
        Task("five classes deep, momentum", "tabular", five, dense(24, 32, 32, 32, 5), cross_entropy, "momentum", 64),
        Task("squares 1e3, momentum", "ill-conditioned", partial(squares, 1e3, 0.3), dense(24, 1), mse, "momentum"),
        Task("squares 1e4, SGD", "ill-conditioned", partial(squares, 1e4, 0.1), dense(24, 1), mse, "SGD"),
        Task("friedman raw, RMSprop", "ill-conditioned", friedman, dense(10, 64, 1), mse, "RMSprop"),
        Task("three classes in other units, AdamW", "ill-conditioned", units, dense(24, 48, 3), cross_entropy, "AdamW"),
        Task("ratings, Adagrad", "factors", datasets.ratings, partial(Factors, 300, 150, 4), mse, "Adagrad", 64),
        Task("ratings, Adam", "factors", datasets.ratings, partial(Factors, 300, 150, 8), mse, "Adam", 128),
    ]


def _special() -> list[Task]:
    digits, spread, gratings = datasets.digits, datasets.spread, datasets.gratings
    coder = dense(64, 48, 12, 48, 64)
    return [
        Task("autoencoder, AdamW", "generative", digits, coder, reconstruction, "AdamW", 64),
        Task("variational, Adam", "generative", digits, Variational, minus_elbo, "Adam", 64),
        Task("gaussian, Adam", "negative", spread, dense(1, 48, 48, 2, act=nn.Tanh), gaussian_nll, "Adam"),
        Task("contrastive, momentum", "negative", gratings, dense(64, 64, 16), contrastive, "momentum", 64),
        Task("digits summed, momentum", "summed", digits, dense(64, 48, 10), summed_cross_entropy, "momentum"),
        Task("counts summed, SGD", "summed", datasets.counts, dense(8, 32, 1), summed_poisson, "SGD", 64),
        Task("teacher in twos, Adam", "tiny batches", datasets.teacher, dense(16, 48, 1), mse, "Adam", 2),
        Task("digits in twos, SGD", "tiny batches", digits, dense(64, 48, 10), cross_entropy, "SGD", 2),
    ]


def _fine_tuning() -> list[Task]:
    new = partial(datasets.digits, 5, 10)
    digits, smooth = pretrained_digits, partial(pretrained_digits, act=nn.Tanh)
    return [
        Task("tuned digits, AdamW", "fine-tuning", new, partial(digits, "all"), cross_entropy, "AdamW"),
        Task("tuned text, AdamW", "fine-tuning", _other_text, pretrained_text, next_code, "AdamW", 16, 1600),
        Task("tuned text, momentum", "fine-tuning", _last_text, pretrained_text, next_code, "momentum", 16, 1600),
        Task("tuned smooth digits, momentum", "fine-tuning", new, partial(smooth, "all"), cross_entropy, "momentum"),
        Task("tuned head, Adam", "fine-tuning", new, partial(digits, "head"), cross_entropy, "Adam"),
        Task("tuned top, AdamW", "fine-tuning", new, partial(digits, "top"), cross_entropy, "AdamW", 64),
        Task("tuned adapters, AdamW", "fine-tuning", new, partial(digits, "adapters"), cross_entropy, "AdamW"),
        Task("tuned smooth adapters, Adam", "fine-tuning", new, partial(smooth, "adapters"), cross_entropy, "Adam", 16),
    ]
