"""AMSGrad with coupled weight decay."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.optimizers.coupled_weight_decay import FlatOptimizer


@keras.saving.register_keras_serializable(package="keras_osnet")
class AMSGrad(FlatOptimizer):
    """AMSGrad with coupled weight decay: exactly torch's `Adam(amsgrad=True, weight_decay=5e-4)`.

    `keras.optimizers.Adam(amsgrad=True)` differs in the epsilon: Keras adds it to the root of the
    *uncorrected* second moment, so that the same 1e-8 weighs 32 times as much at the first step,
    and three times as much after a hundred. Where gradients are as small as 1e-6, Keras's first
    steps are shorter by a quarter.

    Args:
        learning_rate: As in every Keras optimizer: a number, a schedule or a callable.
        beta_1: Decay of the mean of the gradients, above 0 and below 1.
        beta_2: Decay of the mean of their squares, above 0 and below 1.
        epsilon: Added to the root of the bias-corrected largest mean square, at least 0.
        l2: Factor of the variable in the gradient, at least 0. See `CoupledWeightDecay`.
        **kwargs: Arguments of every Keras optimizer: `clipnorm`, `use_ema`,
            `gradient_accumulation_steps`, `name` and so on, but not `weight_decay`.

    Raises:
        ValueError: An argument is wrong.

    Example:
        >>> import keras
        >>> from keras_osnet.optimizers import AMSGrad
        >>> variable = keras.Variable([1.0, -2.0])
        >>> AMSGrad(learning_rate=0.5, l2=0.0).apply([keras.ops.array([3.0, -4.0])], [variable])
        >>> [round(float(value), 4) for value in keras.ops.convert_to_numpy(variable)]
        [0.5, -1.5]
    """

    slot_names = ("momentum", "velocity", "velocity_hat")

    def __init__(
        self,
        learning_rate: Any = 0.0015,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        l2: float = 5e-4,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, l2=l2, **kwargs)
        for name, value in (("beta_1", beta_1), ("beta_2", beta_2)):
            if number(name, value, low=0, high=1) in (0, 1):
                raise ValueError(f"`{name}` must be above 0 and below 1. Received: {value!r}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = number("epsilon", epsilon, low=0)

    def update(
        self, gradient: Any, slots: Sequence[Any], learning_rate: Any
    ) -> tuple[Any, Sequence[Any]]:
        """Return the step, and the new means and largest mean square."""
        mean, square, largest = slots
        mean = self.beta_1 * mean + (1 - self.beta_1) * gradient
        square = self.beta_2 * square + (1 - self.beta_2) * ops.square(gradient)
        largest = ops.maximum(largest, square)

        step = ops.cast(self.iterations + 1, gradient.dtype)
        # 1 - beta ** step, which in float32 would lose five digits at beta 0.999 and step 1.
        correction_1 = -ops.expm1(step * math.log(self.beta_1))
        correction_2 = -ops.expm1(step * math.log(self.beta_2))
        scale = ops.sqrt(largest / correction_2) + self.epsilon
        return learning_rate / correction_1 * mean / scale, [mean, square, largest]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
