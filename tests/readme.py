"""The parts of our Markdown files: sections, blocks of code, links; and small objects for the README's examples."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@dataclass(frozen=True)
class Section:
    """A heading and the text below it, up to the next heading.

    Attributes:
        title: of the heading, without its signs.
        text: below it.
    """

    title: str
    text: str

    @property
    def anchor(self) -> str:
        """The end of a link to this section, as GitHub makes it."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")

    def blocks(self, language: str) -> list[str]:
        """Return the blocks of code in a language."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def prose(self) -> str:
        """Return the text without its blocks of code."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)


def sections(path: Path) -> list[Section]:
    """Return the sections of a Markdown file; a sign of a comment inside a block of code is no heading."""
    text = path.read_text(encoding="utf-8")
    is_code, title = False, ""
    found: list[Section] = []
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        is_code ^= line.startswith("```")
        heading = None if is_code else re.match(r"#+ (.+)", line)
        if heading:
            found.append(Section(title, "".join(lines)))
            title, lines = heading[1], []
        else:
            lines.append(line)
    return [*found[1:], Section(title, "".join(lines))]


def section(title: str) -> Section:
    """Return the README's section of this title."""
    [found] = [each for each in sections(README) if each.title == title]
    return found


def links(path: Path) -> list[str]:
    """Return the targets of all links of a Markdown file that lead to no other site."""
    text = "".join(each.prose() for each in sections(path))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]


# --- objects for the examples, named as the README names them ----------------------------------------------------------


def of_a_script() -> dict[str, Any]:
    """Return the objects of the section "In a script", which makes them itself."""
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    exec(section("In a script").blocks("python")[0], names)
    return names


def of_lightning() -> dict[str, Any]:
    from lightning.pytorch import LightningDataModule, LightningModule, Trainer

    data = of_a_script()

    class Module(LightningModule):
        def __init__(self, lr: float = 1e-3) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.net = data["model"]

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            inputs, targets = batch
            loss = nn.functional.mse_loss(self.net(inputs), targets)
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])

    class DataModule(LightningDataModule):
        def train_dataloader(self) -> Any:
            return data["loader"]

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = Trainer(max_epochs=1, accelerator="cpu", devices=1, **quiet)  # type: ignore[arg-type]  # bool is right
    return {"module": Module(), "datamodule": DataModule(), "trainer": trainer}


def of_transformers(folder: Path) -> dict[str, Any]:
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    torch.manual_seed(0)
    small: dict[str, Any] = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32}
    config = BertConfig(**small, num_hidden_layers=1, num_attention_heads=2)
    tokens = torch.randint(1, 64, (256, 8))
    data: Any = [{"input_ids": row, "labels": int((row > 32).sum() > 4)} for row in tokens]
    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=16, num_train_epochs=1, report_to=[], use_cpu=True
    )
    trainer = Trainer(model=BertForSequenceClassification(config), args=arguments, train_dataset=data)
    return {"trainer": trainer}


def of_accelerate() -> dict[str, Any]:
    from accelerate import Accelerator

    return {**of_a_script(), "accelerator": Accelerator(cpu=True)}


def of_fastai() -> dict[str, Any]:
    from fastai.callback import schedule  # noqa: F401  # adds fit_one_cycle
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

    data = of_a_script()
    loaders = DataLoaders(data["loader"], data["loader"])
    learner = Learner(loaders, data["model"], nn.functional.mse_loss)
    return {"learner": learner}


def of_skorch() -> dict[str, Any]:
    from skorch import NeuralNetRegressor

    data = of_a_script()
    inputs, targets = data["dataset"].tensors
    net = NeuralNetRegressor(
        data["model"], optimizer=torch.optim.Adam, max_epochs=2, batch_size=32, train_split=None, verbose=0
    )
    return {"net": net, "X": inputs.numpy(), "y": targets.numpy()}


# The sections whose examples need objects, and the function that makes them; {} for a section that makes its own.
OBJECTS: dict[str, Callable[..., dict[str, Any]]] = {
    "In a script": dict,
    "In a notebook": of_a_script,
    "Lightning": of_lightning,
    "Transformers": of_transformers,
    "accelerate": of_accelerate,
    "fastai": of_fastai,
    "skorch": of_skorch,
    "In several processes": of_a_script,
    "The widget": of_a_script,
}
