"""Coupled weight decay: L2 regularization in the gradient, as in torch's `weight_decay`."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number


class CoupledWeightDecay:
    """Mixin for a Keras optimizer that adds `l2 * variable` to the gradient of every variable.

    Loshchilov and Hutter (AdamW, arXiv:1711.05101) call this coupled weight decay, as opposed to
    decoupled. It is torch's `weight_decay`, with which every OSNet was trained (5e-4, biases and
    norms included): the term goes through momentum and Adam's normalization like the gradient
    itself. Keras's own `weight_decay` is decoupled, as in AdamW: it shrinks the variables beside
    the update, needs other values, and is refused here.

    The term is added last: after the loss scale is removed, accumulated gradients are averaged,
    gradients are clipped (so that clipping applies to the loss alone, as with torch's
    `clip_grad_norm_`) and replicas are summed. A variable without a gradient does not change.
    Frozen variables are not passed to the optimizer.

    Put it before the optimizer's class, and register the new class with Keras to save it:
    `class CoupledRMSprop(CoupledWeightDecay, keras.optimizers.RMSprop)`.

    Args:
        *args: The optimizer's own arguments.
        l2: Factor of the variable in the gradient, at least 0; half of it is the factor of the
            squared norm in the loss.
        **kwargs: The optimizer's own arguments.

    Raises:
        ValueError: `l2` is not a number of at least 0, or `weight_decay` is given.
    """

    def __init__(self, *args: Any, l2: float = 5e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.l2 = number("l2", l2, low=0)
        weight_decay = getattr(self, "weight_decay", None)
        if weight_decay is not None:
            raise ValueError(
                f"{type(self).__name__} has coupled weight decay, `l2`; the decoupled "
                "`weight_decay` must not be given as well. "
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
    """SGD with coupled weight decay: exactly torch's `SGD(momentum=0.9, weight_decay=5e-4)`.

    The momentum is torch's, too: a sum of gradients that is multiplied by the current learning
    rate. Keras's is a sum of gradients times the learning rates of their own steps, and so
    continues at the old rate for some ten steps after the rate has dropped.

    Args:
        *args: The arguments of `keras.optimizers.SGD` except `weight_decay`.
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
