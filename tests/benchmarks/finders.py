"""The bare loop, our tests and the other finders, each as a call on the same model, batches and optimizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice, pairwise
from typing import Any

import torch
from torch import nn

from lr_widget import LRFinderWidget, iter_range_test, range_test

START_LR, END_LR = 1e-7, 1e-5
HAS_CUDA = torch.cuda.is_available()
DEVICE = "cuda" if HAS_CUDA else "cpu"

Call = Callable[[], object]


# Of a list that a loss_fn refers to, a range test lets new members stay; an object's attributes it puts back.
TICKS: list[tuple[float, float]] = []
MARKED_CALLS: list[int] = []


def begin(num_steps: int) -> None:
    """Get ready for a run of so many steps."""
    TICKS.clear()
    MARKED_CALLS[:] = [0, num_steps - 1]


def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Note the time of the first and of the last call, and count the others."""
    TICKS.append(now() if len(TICKS) in MARKED_CALLS else (0.0, 0.0))
    return nn.functional.cross_entropy(outputs, targets)


def step_times(num_steps: int) -> tuple[float, float]:
    """Return the wall and the CPU time of a step.

    Raises:
        RuntimeError: the run took more steps, or fewer.
    """
    if len(TICKS) != num_steps:
        raise RuntimeError(f"took {len(TICKS)} steps instead of {num_steps}")
    wall, cpu = ((last - first) / (num_steps - 1) for first, last in zip(TICKS[0], TICKS[-1]))
    return wall, cpu


def now() -> tuple[float, float]:
    if HAS_CUDA:
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


class Loader:
    """Batches in memory; no list, which Lightning would take for several loaders."""

    def __init__(self, batches: list[Any], num_steps: int) -> None:
        self.batches = list(islice(cycle(batches), num_steps))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


@dataclass
class Case:
    """A model, its batches, the steps of a test, and how often all run; the optimizer is new in each run and has state."""

    name: str
    model: nn.Module
    batches: list[Any]
    num_steps: int
    num_rounds: int
    folder: str = ""
    loader: Loader = field(init=False)
    optimizer: torch.optim.SGD = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(DEVICE)
        self.batches = [tuple(part.to(DEVICE) for part in batch) for batch in self.batches]
        self.loader = Loader(self.batches, self.num_steps)
        self.start = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def renew(self) -> None:
        """Begin anew; a finder may have left something."""
        self.model.train().load_state_dict(self.start)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=START_LR, momentum=0.9)
        inputs, targets = self.batches[0]
        nn.functional.cross_entropy(self.model(inputs), targets).backward()
        self.optimizer.step()

    @property
    def sweep(self) -> dict[str, Any]:
        """The keywords of our tests."""
        return {"start_lr": START_LR, "end_lr": END_LR, "num_steps": self.num_steps}

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of our tests."""
        return self.model, self.optimizer, loss_fn, self.loader


class Classifier(nn.Module):
    """A transformer of 21 million parameters that classifies texts."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.words = nn.Embedding(4096, width)
        layer = nn.TransformerEncoderLayer(width, 8, 4 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.words(tokens)).mean(1))


def mlp_case() -> Case:
    sizes = (64, 256, 256, 256)
    hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    batches = [(torch.randn(64, 64), torch.randint(10, (64,))) for _ in range(10)]
    return Case("MLP, 0.15 M parameters", nn.Sequential(*hidden, nn.Linear(256, 10)), batches, 200, 21)


def lenet_case() -> Case:
    parts = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    parts += [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    batches = [(torch.randn(64, 1, 28, 28), torch.randint(10, (64,))) for _ in range(10)]
    return Case("LeNet, batches of 64 images", nn.Sequential(*parts), batches, 50, 14)


def transformer_case(num_steps: int = 20) -> Case:
    batches = [(torch.randint(4096, (4, 16)), torch.randint(10, (4,))) for _ in range(10)]
    return Case("transformer, 21 M parameters", Classifier(), batches, num_steps, 7)


CASES: dict[str, Callable[[], Case]] = {"mlp": mlp_case, "lenet": lenet_case, "transformer": transformer_case}

# --- the finders: each prepares what a training needs anyway, and returns the call ------------------------------------


def bare_loop(case: Case) -> Call:
    model, optimizer = case.model, case.optimizer

    def run() -> None:
        losses = []
        for step, (inputs, targets) in enumerate(case.loader, 1):
            optimizer.param_groups[0]["lr"] = START_LR * (END_LR / START_LR) ** (step / case.num_steps)
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        torch.stack(losses).tolist()

    return run


def ours(case: Case) -> Call:
    return lambda: range_test(*case.arguments, **case.sweep)


def ours_step_by_step(case: Case) -> Call:
    return lambda: list(iter_range_test(*case.arguments, **case.sweep))


def ours_live(case: Case) -> Call:
    from IPython.display import display

    widget = LRFinderWidget(*case.arguments, **case.sweep)
    display(widget)
    return widget.run


def torch_lr_finder(case: Case) -> Call:
    from torch_lr_finder import LRFinder, TrainDataLoaderIter

    def run() -> None:
        finder = LRFinder(case.model, case.optimizer, loss_fn)
        finder.range_test(TrainDataLoaderIter(case.loader), end_lr=END_LR, num_iter=case.num_steps)
        finder.reset()

    return run


def ignite(case: Case) -> Call:
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import FastaiLRFinder

    trainer = create_supervised_trainer(case.model, case.optimizer, loss_fn, device=DEVICE)
    finder = FastaiLRFinder()
    kept = {"model": case.model, "optimizer": case.optimizer}

    def run() -> None:
        with finder.attach(trainer, kept, start_lr=START_LR, end_lr=END_LR, num_iter=case.num_steps) as test:
            test.run(case.loader)

    return run


def fastai(case: Case) -> Call:
    import fastai.callback.schedule  # noqa: F401  # adds lr_find
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    loaders = DataLoaders(case.loader, case.loader)
    learner = Learner(
        loaders, case.model, loss_fn, opt_func=lambda params, **_: OptimWrapper(opt=case.optimizer), path=case.folder
    )
    return lambda: learner.lr_find(start_lr=START_LR, end_lr=END_LR, num_it=case.num_steps, show_plot=False)


def lightning(case: Case) -> Call:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.tuner import Tuner

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.lr = case.model, START_LR

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            inputs, targets = batch
            return loss_fn(self.model(inputs), targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return case.optimizer

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    accelerator = "gpu" if HAS_CUDA else "cpu"
    trainer = Trainer(accelerator=accelerator, devices=1, default_root_dir=case.folder, **quiet)
    module = Module()
    sweep = {"min_lr": START_LR, "max_lr": END_LR, "num_training": case.num_steps}
    return lambda: Tuner(trainer).lr_find(module, train_dataloaders=case.loader, **sweep)


LIVE = "**`LRFinderWidget.run`, live**"

# Each one's name in the tables, the library that it needs, and the function that prepares its call.
FINDERS: dict[str, tuple[str, Callable[[Case], Call]]] = {
    "**`range_test`**": ("lr_widget", ours),
    "**`iter_range_test`**": ("lr_widget", ours_step_by_step),
    LIVE: ("ipykernel", ours_live),
    "torch-lr-finder": ("torch_lr_finder", torch_lr_finder),
    "ignite `FastaiLRFinder`": ("ignite", ignite),
    "fastai `lr_find`": ("fastai", fastai),
    "Lightning `Tuner.lr_find`": ("lightning", lightning),
}
