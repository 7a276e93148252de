"""SGD with coupled weight decay."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet._utils.checks import boolean, number
from keras_osnet.optimizers.coupled_weight_decay import FlatOptimizer


@keras.saving.register_keras_serializable(package="keras_osnet")
class CoupledSGD(FlatOptimizer):
    """SGD with coupled weight decay: exactly torch's `SGD(momentum=0.9, weight_decay=5e-4)`.

    The momentum is torch's, too: a sum of gradients that is multiplied by the current learning
    rate. Keras's is a sum of gradients times the learning rates of their own steps, and so
    continues at the old rate for some ten steps after the rate has dropped.

    Args:
        learning_rate: As in every Keras optimizer: a number, a schedule or a callable.
        momentum: Decay of the sum of gradients, 0 to 1; 0 is plain gradient descent.
        nesterov: Whether to use Nesterov's momentum.
        l2: Factor of the variable in the gradient, at least 0. See `CoupledWeightDecay`.
        **kwargs: Arguments of every Keras optimizer: `clipnorm`, `use_ema`,
            `gradient_accumulation_steps`, `name` and so on, but not `weight_decay`.

    Raises:
        ValueError: An argument is wrong.

    Example:
        >>> from keras_osnet.optimizers import CoupledSGD
        >>> optimizer = CoupledSGD(0.065, momentum=0.9)
        >>> optimizer.l2
        0.0005
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        l2: float = 5e-4,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, l2=l2, **kwargs)
        self.momentum = number("momentum", momentum, low=0, high=1)
        self.nesterov = boolean("nesterov", nesterov)
        self.slot_names = ("momentum",) if self.momentum else ()

    def update(
        self, gradient: Any, slots: Sequence[Any], learning_rate: Any
    ) -> tuple[Any, Sequence[Any]]:
        """Return the step, and the new momentum."""
        if not slots:
            return learning_rate * gradient, []
        total = self.momentum * slots[0] + gradient
        step = gradient + self.momentum * total if self.nesterov else total
        return learning_rate * step, [total]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
