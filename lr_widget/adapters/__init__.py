"""A framework's objects as keywords of `range_test`; each framework is imported when its function is called.

`range_test`, `probe` and `LRFinderWidget` take them alike, and `apply` puts the chosen rate where the framework keeps
its own:

    setup = adapters.lightning(module, datamodule, trainer)
    records = range_test(**setup)
    setup.apply(records.suggest())
"""

from .accelerated import accelerate
from .adapted import Adapted
from .fastai_learner import fastai
from .hf_trainer import transformers
from .lightning_module import lightning
from .origin import Origin, origin_of
from .skorch_net import skorch

__all__ = [
    "Adapted",
    "Origin",
    "accelerate",
    "fastai",
    "lightning",
    "origin_of",
    "skorch",
    "transformers",
]
