"""The small models and the losses of the benchmark's tasks; a training step of any takes about a millisecond."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import ALPHABET, SEQUENCE, digits, text

Model = Callable[[], nn.Module]


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU, dropout: float = 0.0) -> Model:
    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for i in range(len(widths) - 1):
            layers.append(nn.Linear(widths[i], widths[i + 1]))
            if i < len(widths) - 2:
                layers += [activation(), nn.Dropout(dropout)] if dropout else [activation()]
        return nn.Sequential(*layers)

    return build


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(16, 10),
    )


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 32), nn.Linear(32, 10)
        self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU()) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.last(hidden)


class Characters(nn.Module):
    """Predicts the next character; `kind` is how the window is read."""

    def __init__(self, kind: str, width: int = 24) -> None:
        super().__init__()
        self.kind, size = kind, len(ALPHABET)
        self.embed = nn.Embedding(size, width)
        if kind == "bigram":
            self.out = nn.Linear(width, size)
        elif kind == "window":
            self.out = nn.Sequential(nn.Flatten(), nn.Linear(width * SEQUENCE, 64), nn.Tanh(), nn.Linear(64, size))
        elif kind == "recurrent":
            self.mix, self.out = nn.GRU(width, 32, batch_first=True), nn.Linear(32, size)
        else:
            self.place = nn.Parameter(0.1 * torch.randn(SEQUENCE, width))
            self.mix = nn.TransformerEncoderLayer(width, 2, 48, dropout=0.0, batch_first=True, norm_first=True)
            self.out = nn.Linear(width, size)

    def forward(self, codes: Tensor) -> Tensor:
        if self.kind == "bigram":
            return self.out(self.embed(codes[:, -1]))
        if self.kind == "window":
            return self.out(self.embed(codes))
        if self.kind == "recurrent":
            return self.out(self.mix(self.embed(codes))[0][:, -1])
        return self.out(self.mix(self.embed(codes) + self.place)[:, -1])


class Recurrent(nn.Module):
    def __init__(self, inputs: int, cell: type[nn.RNNBase], width: int = 24) -> None:
        super().__init__()
        self.cell, self.out = cell(inputs, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


class Variational(nn.Module):
    """A Gaussian VAE with a learnt noise level, so that its -ELBO turns negative."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))
        self.decode = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 64))
        self.log_noise = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        mean, log_var = self.encode(x).chunk(2, 1)
        drawn = mean + torch.randn_like(mean) * (log_var / 2).exp()
        divergence = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
        error = 0.5 * (self.decode(drawn) - x) ** 2 * (-2 * self.log_noise).exp() + self.log_noise
        return (error.sum(1) + divergence).mean()


class Factors(nn.Module):
    def __init__(self, rank: int) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(200, rank), nn.Embedding(100, rank)
        self.offset = nn.Parameter(torch.zeros(()))
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.user(pairs[:, 0]) * self.item(pairs[:, 1])).sum(1) + self.offset


def gaussian_nll(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    mean, log_std = model(x).chunk(2, 1)
    return (0.5 * ((y - mean) * (-log_std).exp()) ** 2 + log_std).mean()


def scaled_gaussian_nll(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Turn positive and large, negative and large: only the scale and the level of the loss differ."""
    return 10 * gaussian_nll(model, x, y) - 3


def poisson_nll(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.poisson_nll_loss(model(x), y)


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y)


def mse(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(model(x), y)


def reconstruction(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return F.mse_loss(model(x), x)


def minus_elbo(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return model(x)


def denoising(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    return F.mse_loss(model(x + 0.4 * torch.randn_like(x)), x)


def minus_cosine(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Align the embedding of an image with a fixed random direction of its class."""
    directions = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    return -F.cosine_similarity(model(x), directions[y]).mean()


def contrastive(model: nn.Module, x: Tensor, _: Tensor) -> Tensor:
    """InfoNCE between two noisy views of each image, minus the chance level: it starts near 0 and turns negative."""
    one, two = (F.normalize(model(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
    chance = torch.log(torch.tensor(float(len(x))))
    return F.cross_entropy(one @ two.T / 0.2, torch.arange(len(x))) - chance


def pretrained_digits() -> nn.Module:
    """Return a network trained on the digits 0-4, with a new last layer."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = mlp(64, 32, 32, 5)()
    fit(model, digits(0, 5)[0], torch.optim.Adam(model.parameters(), lr=3e-3))
    torch.random.set_rng_state(state)
    model[-1] = nn.Linear(32, 5)
    return model


def pretrained_text() -> nn.Module:
    """Return a character model trained on another part of the text."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = Characters("window")
    fit(model, text(1)[0], torch.optim.Adam(model.parameters(), lr=3e-3))
    torch.random.set_rng_state(state)
    return model


def fit(model: nn.Module, tensors: tuple[Tensor, ...], optimizer: torch.optim.Optimizer) -> None:
    for _ in range(400):
        chosen = torch.randint(len(tensors[0]), (64,))
        optimizer.zero_grad()
        cross_entropy(model, *(t[chosen] for t in tensors)).backward()
        optimizer.step()
