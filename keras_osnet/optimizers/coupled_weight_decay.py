"""Weight decay as the reference has it: L2 in the gradient."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number


class CoupledWeightDecay:
    """Mixin for a Keras optimiser that adds `l2 * variable` to the gradient of every variable.

    This is torch's `weight_decay`, with which every OSNet was trained (5e-4, biases and norms
    included): the term goes through momentum and Adam's normalization like the gradient itself.
    Keras's own `weight_decay` shrinks the variables beside the update (AdamW's way), is another
    method with other good values, and is refused here.

    It is added last: after the loss scale is taken out, accumulated gradients are averaged,
    gradients are clipped (so that clipping sees the loss alone, as with torch's `clip_grad_norm_`)
    and replicas are summed. A variable without a gradient is left alone, and a frozen one is none
    of the optimiser's.

    Mix it in before the optimiser, and register the class with Keras to save it:
    `class L2RMSprop(CoupledWeightDecay, keras.optimizers.RMSprop)`.

    Args:
        *args: The optimiser's own arguments.
        l2: Factor of the variable in the gradient, at least 0; half of it is the factor of the
            squared norm in the loss.
        **kwargs: The optimiser's own arguments.

    Raises:
        ValueError: `l2` is not a number of at least 0, or `weight_decay` is given.
    """

    def __init__(self, *args: Any, l2: float = 5e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.l2 = number("l2", l2, low=0)
        weight_decay = getattr(self, "weight_decay", None)
        if weight_decay is not None:
            raise ValueError(
                f"{type(self).__name__} decays weights in the gradient, by `l2`; `weight_decay`, "
                "which shrinks them beside the update, must not be given as well. "
                f"Received: weight_decay={weight_decay!r}, l2={l2!r}"
            )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update the variable by its gradient with the L2 term."""
        super().update_step(  # type: ignore[misc]
            self.with_l2(gradient, variable), variable, learning_rate
        )

    def with_l2(self, gradient: Any, variable: Any) -> Any:
        """Return the gradient with the L2 term, in the variable's type."""
        value = ops.convert_to_tensor(variable)
        return ops.cast(gradient, value.dtype) + self.l2 * value

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "l2": self.l2}  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="keras_osnet")
class CoupledSGD(CoupledWeightDecay, keras.optimizers.SGD):
    """SGD with L2 in the gradient: torch's `SGD(momentum=0.9, weight_decay=5e-4)`, exactly.

    Beside the decay, the momentum is torch's: a sum of gradients, which the learning rate of the
    step multiplies. Keras's holds gradients times the rates of their own steps, and so runs on at
    the old rate for some ten steps after the rate has dropped.

    Args:
        *args: The arguments of `keras.optimizers.SGD`, all but `weight_decay`.
        l2: Factor of the variable in the gradient, at least 0.
        **kwargs: The arguments of `keras.optimizers.SGD`.

    Raises:
        ValueError: An argument is wrong.

    Example:
        >>> from keras_osnet.optimizers import CoupledSGD
        >>> optimizer = CoupledSGD(0.065, momentum=0.9)
        >>> optimizer.l2
        0.0005
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its momentum."""
        step = gradient = self.with_l2(gradient, variable)
        if self.momentum:
            momentum = self.momentums[self._get_variable_index(variable)]
            step = total = self.momentum * momentum + gradient
            if self.nesterov:
                step = gradient + self.momentum * total
            self.assign(momentum, total)
        self.assign_sub(variable, ops.cast(learning_rate, step.dtype) * step)
