"""Every kind of training that the engine must leave no trace in: models, their data and their steps, optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize
from torch.utils.data import DataLoader, TensorDataset

from lr_widget.errors import LRWidgetError  # noqa: F401  # the package is imported before any line is traced

Step = Callable[[Any, Any], torch.Tensor]


@dataclass
class Kind:
    """One training: the model, a step that gives a loss, the data, the parameters of each optimizer."""

    model: Any
    step: Step
    data: Iterable[Any]
    params: list[list[nn.Parameter]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.params = self.params or [[p for m in self.modules for p in m.parameters()]]

    @property
    def modules(self) -> list[nn.Module]:
        return [self.model] if isinstance(self.model, nn.Module) else list(self.model)


def _classify(model: Any, batch: Any) -> torch.Tensor:
    inputs, targets = batch
    return F.cross_entropy(model(inputs).float(), targets)


def _loader(*shape: int, dtype: torch.dtype = torch.float32) -> DataLoader[Any]:
    inputs, targets = torch.randn(12, *shape).to(dtype), torch.randint(3, (12,))
    generator = torch.Generator().manual_seed(5)
    return DataLoader(TensorDataset(inputs, targets), batch_size=4, shuffle=True, generator=generator)


def _dense(model: nn.Module) -> Kind:
    return Kind(model, _classify, _loader(6))


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


def cnn() -> Kind:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(36, 3)
    )
    return Kind(model, _classify, _loader(2, 5, 5))


def frozen_batchnorm() -> Kind:
    model = _mlp()
    model[1].eval()
    return _dense(model)


def frozen_parameters() -> Kind:
    model = _mlp()
    model[0].requires_grad_(False)
    return _dense(model)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(6, 3, bias=False), nn.Linear(6, 3, bias=False)
        self.out.weight = self.into.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(torch.tanh(self.into(x) @ self.into.weight))
        return out


def tied() -> Kind:
    return _dense(Tied())


def flattened() -> Kind:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    start = 0
    for p in model.parameters():
        p.data = flat[start : start + p.numel()].view_as(p)
        start += p.numel()
    return _dense(model)


def weight_norm_new() -> Kind:
    return _dense(nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)))


class OldWeightNorm(nn.Module):
    """The mechanism of the deprecated `nn.utils.weight_norm`: a pre-hook rewrites a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.weight_v, self.weight_g = nn.Parameter(torch.randn(3, 6)), nn.Parameter(torch.ones(3, 1))
        self.weight = torch._weight_norm(self.weight_v, self.weight_g)
        self.register_forward_pre_hook(
            lambda module, args: setattr(module, "weight", torch._weight_norm(module.weight_v, module.weight_g))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight)


def weight_norm_old() -> Kind:
    return _dense(OldWeightNorm())


def spectral_norm() -> Kind:
    return _dense(nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)))


def spectral_norm_old() -> Kind:
    return _dense(nn.Sequential(nn.utils.spectral_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3)))


class Symmetric(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.triu() + x.triu(1).T


def parametrized() -> Kind:
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    parametrize.register_parametrization(model[0], "weight", Symmetric())
    return _dense(model)


def lazy() -> Kind:
    return _dense(nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3)))


class Recurrent(nn.Module):
    """An LSTM that carries its hidden state along, as stateful language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(3, 4, batch_first=True, dropout=0.2, num_layers=2), nn.Linear(4, 3)
        self.carried: tuple[torch.Tensor, ...] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, state = self.lstm(x, self.carried)
        self.carried = tuple(s.detach() for s in state)
        out: torch.Tensor = self.out(y[:, -1])
        return out


def lstm() -> Kind:
    return Kind(Recurrent(), _classify, _loader(2, 3))


def transformer() -> Kind:
    layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.1, batch_first=True)
    model = nn.Sequential(layer, nn.Flatten(), nn.Linear(16, 3))
    return Kind(model, _classify, _loader(2, 8))


def bf16() -> Kind:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).to(torch.bfloat16)
    return Kind(model, _classify, _loader(6, dtype=torch.bfloat16))


def sparse_embedding() -> Kind:
    def step(model: Any, batch: Any) -> torch.Tensor:
        loss: torch.Tensor = (model(batch[1]) * batch[0].mean()).pow(2).sum()
        return loss

    return Kind(nn.Embedding(5, 4, sparse=True), step, _loader(6))


def eval_mode() -> Kind:
    return _dense(_mlp().eval())


class Counter:
    """A plain object inside a model, such as an annealing schedule."""

    def __init__(self) -> None:
        self.calls = 0
        self.seen: list[int] = []

    def count(self) -> float:
        self.calls += 1
        self.seen.append(self.calls)
        return 1.0 / (10 + self.calls)


class Unregistered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 3)
        self.mean, self.calls, self.counts = torch.zeros(6), 0, np.zeros(3)
        self.seen: list[int] = []
        self.anneal = Counter()
        self.nested: dict[str, Any] = {"sums": [torch.zeros(6)]}
        self.rng = np.random.default_rng(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.seen.append(self.calls)
        self.mean += x.mean(0)
        self.counts += 1
        self.nested["sums"][0].add_(x.sum(0))
        self.nested[f"call {self.calls}"] = self.calls
        out: torch.Tensor = self.out(x - 0.01 * self.mean)
        return out * (1 + self.anneal.count() + 0.1 * self.rng.random())


def unregistered() -> Kind:
    return _dense(Unregistered())


class Hooked(nn.Module):
    """Registers hooks on a parameter when it first runs, and on a module."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.is_hooked = nn.Linear(6, 3), False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.is_hooked:
            self.is_hooked = True
            self.out.weight.register_hook(lambda grad: grad * 0.5)
            self.out.register_forward_hook(lambda module, args, out: out * 1.1)
        out: torch.Tensor = self.out(x)
        return out


def hooked() -> Kind:
    return _dense(Hooked())


def existing_grads() -> Kind:
    kind = _dense(_mlp())
    for p in kind.model.parameters():
        p.grad = torch.randn_like(p)
    return kind


def compiled() -> Kind:
    compile_eagerly: Any = torch.compile(backend="eager")
    return _dense(compile_eagerly(nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.1), nn.Linear(8, 3))))


class Quantised(nn.Module):
    codes: torch.Tensor
    small: torch.Tensor
    shared: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 3)
        self.register_buffer("codes", torch.zeros(6, dtype=torch.int8))
        self.register_buffer("small", torch.zeros(6, dtype=torch.float8_e4m3fn), persistent=False)
        self.register_buffer("shared", torch.zeros(1).expand(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.codes += 1
        self.small.copy_(x.mean(0))
        self.shared[:1] += 0.5
        out: torch.Tensor = self.out(x + self.small.float() + self.codes.float() * 0.1 + self.shared)
        return out


def quantised() -> Kind:
    return _dense(Quantised())


class Complex(nn.Module):
    phase: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3, dtype=torch.complex64))
        self.register_buffer("phase", torch.ones(6, dtype=torch.complex64).conj())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.phase.mul_(1j)
        return ((x * self.phase) @ self.weight).abs()


def complex_weights() -> Kind:
    return _dense(Complex())


class Rebinding(nn.Module):
    """Replaces buffers and `.data`, flips `requires_grad`, adds a layer, writes to a buffer from a graph."""

    average: torch.Tensor
    hidden: torch.Tensor
    frozen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 3)
        self.register_buffer("average", torch.zeros(6))
        self.register_buffer("hidden", torch.zeros(3))
        self.register_buffer("frozen", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.average = 0.9 * self.average + 0.1 * x.mean(0)
        self.frozen.requires_grad_(not self.frozen.requires_grad)
        self.out.bias.data = self.out.bias.data.clone() + 0.01
        if not hasattr(self, "late"):
            self.late = nn.BatchNorm1d(3)
        out: torch.Tensor = self.late(self.out(x - self.average))
        if not self.hidden.is_leaf:
            self.hidden.detach_()
        self.hidden.copy_(out.mean(0))
        return out + self.hidden


def rebinding() -> Kind:
    return _dense(Rebinding())


def gan() -> Kind:
    generator, critic = (
        nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)),
        nn.Sequential(nn.Linear(6, 1), nn.Dropout(0.2)),
    )

    def step(models: Any, batch: Any) -> torch.Tensor:
        real, (g, c) = batch[0], models
        fake = g(torch.randn(len(real), 4))
        loss_critic = F.softplus(-c(real)).mean() + F.softplus(c(fake.detach())).mean()
        return loss_critic + F.softplus(-c(fake)).mean()

    params = [list(generator.parameters()), list(critic.parameters())]
    return Kind([generator, critic], step, _loader(6), params)


KINDS: dict[str, Callable[[], Kind]] = {
    make.__name__: make
    for make in (
        cnn, frozen_batchnorm, frozen_parameters, tied, flattened, weight_norm_new, weight_norm_old, spectral_norm,
        spectral_norm_old, parametrized, lazy, lstm, transformer, bf16, sparse_embedding, eval_mode, unregistered,
        hooked, existing_grads, compiled, quantised, complex_weights, rebinding, gan,
    )
}  # fmt: skip

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda params: torch.optim.SGD(params, lr=0.01),
    "momentum": lambda params: torch.optim.SGD(params, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda params: torch.optim.Adam(params, lr=0.01),
    "adam_tensor_lr": lambda params: torch.optim.Adam(params, lr=torch.tensor(0.01), foreach=False),
    "adamw_amsgrad": lambda params: torch.optim.AdamW(params, lr=0.01, amsgrad=True),
    "rmsprop": lambda params: torch.optim.RMSprop(params, lr=0.01, centered=True, momentum=0.5),
    "adagrad": lambda params: torch.optim.Adagrad(params, lr=0.01),
    "adadelta": lambda params: torch.optim.Adadelta(params, lr=0.5),
    "radam": lambda params: torch.optim.RAdam(params, lr=0.01),
    "nadam": lambda params: torch.optim.NAdam(params, lr=0.01),
    "asgd": lambda params: torch.optim.ASGD(params, lr=0.01),
    "lbfgs": lambda params: torch.optim.LBFGS(params, lr=0.1, max_iter=3),
    "sparse_adam": lambda params: torch.optim.SparseAdam(params, lr=0.01),
}

_SPARSE = {"sgd", "adagrad", "sparse_adam"}


def fits(kind: str, optimizer: str) -> bool:
    """Return True where torch itself lets the optimizer train this kind."""
    if kind == "sparse_embedding":
        return optimizer in _SPARSE
    if optimizer == "lbfgs":  # one parameter group, shapes known at the start, a model that a second pass leaves alone
        return kind not in {"lazy", "rebinding"}
    return optimizer != "sparse_adam" and not (kind == "lazy" and optimizer == "adagrad")


class Training:
    """A user's training: a kind, its optimizers and the user's own loop over them."""

    def __init__(self, kind: str, optimizer: str, warm_steps: int) -> None:
        torch.manual_seed(11)
        np.random.seed(11)
        self.kind = KINDS[kind]()
        self.optimizers = [OPTIMIZERS[optimizer](params) for params in self.kind.params]
        self.train(warm_steps)

    @property
    def everything(self) -> list[Any]:
        return [*self.kind.modules, *self.optimizers, self.kind.data]

    def train(self, num_steps: int) -> list[bytes]:
        """Train as a user would and return the losses, bit for bit."""
        losses: list[bytes] = []
        while len(losses) < num_steps:
            for batch in self.kind.data:
                losses.append(self._step(batch).detach().numpy().tobytes())
                if len(losses) == num_steps:
                    break
        return losses

    def _step(self, batch: Any) -> torch.Tensor:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = self.kind.step(self.kind.model, batch)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step(*((lambda: loss,) if isinstance(optimizer, torch.optim.LBFGS) else ()))
        return loss
