"""The networks of the tasks. All of them can be stacked: no kernels without a batching rule, no running statistics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Build = Callable[[], nn.Module]


def dense(*widths: int, act: type[nn.Module] = nn.ReLU, drop: float = 0.0) -> Build:
    """Return the builder of a multi-layer perceptron."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            layers.append(nn.Linear(inputs, outputs))
            if index < len(widths) - 2:
                layers += [act(), nn.Dropout(drop)] if drop else [act()]
        return nn.Sequential(*layers)

    return build


def convolutions(classes: int = 10, width: int = 8) -> nn.Module:
    """Return a network of two convolutions for images of 8 x 8 points."""
    return nn.Sequential(
        *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.GroupNorm(4, 2 * width), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(8 * width, classes)),
    )


class Residual(nn.Module):
    """Blocks of a normalised hidden layer around the identity."""

    def __init__(self, inputs: int, classes: int, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, classes)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.last(hidden)


class Attention(nn.Module):
    """A causal transformer with learnt places over a window of codes; predicts every next code."""

    def __init__(self, codes: int, length: int, width: int = 24, blocks: int = 2) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(codes, width), nn.Linear(width, codes)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * blocks))
        self.mixes = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(blocks))
        self.maps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(blocks)
        )

    def forward(self, codes: Tensor) -> Tensor:
        hidden = self.embed(codes) + self.place
        hidden_part = torch.full((codes.shape[1],) * 2, -1e9, device=codes.device).triu(1)
        for index, (mix, to_output) in enumerate(zip(self.mixes, self.maps, strict=True)):
            query, key, value = mix(self.norms[2 * index](hidden)).chunk(3, -1)
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + hidden_part
            hidden = hidden + scores.softmax(-1) @ value
            hidden = hidden + to_output(self.norms[2 * index + 1](hidden))
        return self.out(hidden)


class Gated(nn.Module):
    """A gated recurrent unit, written out, over a sequence; the last state is mapped to the output."""

    def __init__(self, inputs: int, outputs: int, width: int = 24, codes: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(codes, inputs) if codes else nn.Identity()
        self.x, self.h = nn.Linear(inputs, 3 * width), nn.Linear(width, 3 * width)
        self.out, self.width = nn.Linear(width, outputs), width

    def forward(self, x: Tensor) -> Tensor:
        given = self.x(self.embed(x))
        state = given.new_zeros(given.shape[0], self.width)
        for at in range(given.shape[1]):
            update, reset, new = given[:, at].chunk(3, -1)
            update_h, reset_h, new_h = self.h(state).chunk(3, -1)
            gate = torch.sigmoid(update + update_h)
            state = gate * state + (1 - gate) * torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
        return self.out(state)


class Variational(nn.Module):
    """A Gaussian variational autoencoder with a learnt noise level; gives its -ELBO per example."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(size, 48), nn.ReLU(), nn.Linear(48, 16))
        self.decode = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, size))
        self.log_noise = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        mean, log_var = self.encode(x).chunk(2, 1)
        drawn = mean + torch.randn_like(mean) * (log_var / 2).exp()
        divergence = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
        error = 0.5 * (self.decode(drawn) - x) ** 2 * (-2 * self.log_noise).exp() + self.log_noise
        return error.sum(1) + divergence


class Factors(nn.Module):
    """Matrix factorisation: the product of a user's and an item's factors, and an offset."""

    def __init__(self, users: int, items: int, rank: int) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, rank), nn.Embedding(items, rank)
        self.offset = nn.Parameter(torch.zeros(()))
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.user(pairs[:, 0]) * self.item(pairs[:, 1])).sum(1, keepdim=True) + self.offset


class LowRank(nn.Module):
    """A frozen linear layer and a trained low-rank change of it, at first zero (LoRA, arXiv 2106.09685)."""

    def __init__(self, frozen: nn.Linear, rank: int, scale: float = 2.0) -> None:
        super().__init__()
        self.frozen, self.scale = frozen.requires_grad_(False), scale
        self.down = nn.Parameter(torch.randn(rank, frozen.in_features) / math.sqrt(frozen.in_features))
        self.up = nn.Parameter(torch.zeros(frozen.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + self.scale * F.linear(F.linear(x, self.down), self.up)


def with_adapters(model: nn.Module, rank: int = 4) -> nn.Module:
    """Replace every linear layer of a sequence but the last by a frozen one with an adapter; the last one is trained."""
    layers = list(model)
    *hidden, _ = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    for index in hidden:
        layers[index] = LowRank(layers[index], rank)
    return nn.Sequential(*layers)


def freeze(parts: Sequence[nn.Module]) -> None:
    """Freeze all parameters of some modules."""
    for part in parts:
        part.requires_grad_(False)
