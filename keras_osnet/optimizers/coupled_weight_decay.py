"""Coupled weight decay: L2 regularization in the gradient, as in torch's `weight_decay`."""

from typing import Any

from keras import ops

from keras_osnet._utils.checks import number


class CoupledWeightDecay:
    """Mixin for a Keras optimizer that adds `l2 * variable` to the gradient of every variable.

    Loshchilov and Hutter (AdamW, arXiv:1711.05101) call this coupled weight decay, as opposed to
    decoupled. It is torch's `weight_decay`, with which every OSNet was trained (5e-4, biases and
    norms included): the term goes through momentum and Adam's normalization like the gradient
    itself. Keras's own `weight_decay` is decoupled, as in AdamW: it shrinks the variables beside
    the update, needs other values, and cannot be set here.

    The term is added last: after the loss scale is removed, accumulated gradients are averaged,
    gradients are clipped (so that clipping applies to the loss alone, as with torch's
    `clip_grad_norm_`) and replicas are summed. A variable without a gradient does not change.
    Frozen variables are not passed to the optimizer, and `exclude_from_weight_decay` exempts others
    from the term.

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
        gradient = ops.cast(gradient, value.dtype)
        return gradient + self.l2 * value if self._use_weight_decay(variable) else gradient  # type: ignore[attr-defined]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "l2": self.l2}  # type: ignore[misc]
