"""The part of the widget's interface that opens it on the objects of a framework's training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ...adapters import Adapted, accelerate, fastai, lightning, skorch, transformers
from ...engine import refuse_trainer_alone, refuse_unknown
from .arguments import KEYWORDS, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

T = TypeVar("T")


class Trainers:
    """Open the widget on the objects of a framework's training; the rate goes back to the place of its own."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Self:
        """Tell a trainer that is given in place of the widget's arguments, with the call that takes it."""
        refuse_trainer_alone(cls.__name__, arguments[:4], keywords)  # the fifth is `variable`
        make: Any = super().__new__
        made: Self = make(cls, *arguments, **keywords)
        return made

    @classmethod
    def from_lightning(
        cls,
        module: Any,
        data: Any = None,
        trainer: Any = None,
        *,
        rate_name: str | Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """Open a widget on a `LightningModule`, before `trainer.fit()`.

        Args:
            module, data, trainer, rate_name: as for `lr_widget.adapters.lightning`.
            **settings: those of a widget and of `lr_widget.range_test`, in place of what Lightning says.

        Raises:
            ImportError, TypeError, ValueError: as `lr_widget.adapters.lightning`.
        """
        return _opened(cls, lightning, (module, data, trainer), {"rate_name": rate_name}, settings)

    @classmethod
    def from_transformers(cls, trainer: Any, **settings: Any) -> Self:
        """Open a widget on a Hugging Face `Trainer`, before its `train()`.

        Args:
            trainer: as for `lr_widget.adapters.transformers`.
            **settings: those of a widget and of `lr_widget.range_test`, in place of what the trainer says.

        Raises:
            ImportError, TypeError, ValueError: as `lr_widget.adapters.transformers`.
        """
        return _opened(cls, transformers, (trainer,), {}, settings)

    @classmethod
    def from_accelerate(
        cls,
        accelerator: Any,
        model: Any,
        optimizer: Any,
        loss_fn: Callable[..., Any] | None,
        loader: Any,
        **settings: Any,
    ) -> Self:
        """Open a widget on the objects of a loop with an `Accelerator`.

        Args:
            accelerator, model, optimizer, loss_fn, loader: as for `lr_widget.adapters.accelerate`.
            **settings: those of a widget and of `lr_widget.range_test`, in place of what the accelerator says.

        Raises:
            ImportError, TypeError, ValueError: as `lr_widget.adapters.accelerate`.
        """
        return _opened(cls, accelerate, (accelerator, model, optimizer, loss_fn, loader), {}, settings)

    @classmethod
    def from_fastai(cls, learner: Any, n_epoch: int | None = None, **settings: Any) -> Self:
        """Open a widget on a fastai `Learner`, before its `fit` methods.

        Args:
            learner, n_epoch: as for `lr_widget.adapters.fastai`.
            **settings: those of a widget and of `lr_widget.range_test`, in place of what the learner says.

        Raises:
            ImportError, TypeError, ValueError: as `lr_widget.adapters.fastai`.
        """
        return _opened(cls, fastai, (learner, n_epoch), {}, settings)

    @classmethod
    def from_skorch(cls, net: Any, X: Any, y: Any = None, **settings: Any) -> Self:
        """Open a widget on an skorch net and the data that its `fit` takes.

        Args:
            net, X, y: as for `lr_widget.adapters.skorch`.
            **settings: those of a widget and of `lr_widget.range_test`, in place of what the net says.

        Raises:
            ImportError, TypeError, ValueError: as `lr_widget.adapters.skorch`.
        """
        return _opened(cls, skorch, (net, X, y), {}, settings)


def _opened(
    cls: type[T],
    adapter: Callable[..., Adapted],
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    settings: dict[str, Any],
) -> T:
    """Make a widget of an adapter's keywords; the settings that are none of a range test are the widget's."""
    refuse_unknown(f"{cls.__name__}.from_{adapter.__name__}", settings, [*KEYWORDS, *SETTINGS])
    of_a_test = {name: value for name, value in settings.items() if name not in SETTINGS}
    of_the_widget = {name: value for name, value in settings.items() if name in SETTINGS}
    make: Any = cls
    opened: T = make(**adapter(*arguments, **options, **of_a_test), **of_the_widget)
    return opened
