"""Generalized-mean pooling."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import map_channels, number

EPSILON = 1e-6
"""Floor for the values that are pooled, as in the authors' code: the power of a negative is NaN."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class AtLeastOne(keras.constraints.Constraint):
    """Keep a variable at 1 or above."""

    def __call__(self, value: Any) -> Any:
        """Return the value to assign."""
        return ops.maximum(value, 1.0)


@keras.saving.register_keras_serializable(package="keras_osnet")
class GeM(keras.layers.Layer):
    """Generalized-mean pooling with a learned exponent (Radenović et al., arXiv:1711.02512).

    f_c = (1/N Σ x^p)^(1/p) over the N positions of channel c: p = 1 is average pooling, p → ∞ max
    pooling. One p for all channels is learned, and kept at 1 or above: weight decay pulls it
    towards 0, where f is undefined. Values below 1e-6 count as 1e-6, as in the authors' code.

    The values are divided by the largest of their channel before they are raised to the power, and
    the result multiplied by it, so that no power overflows: 400³ is infinite in float16.

    Args:
        exponent: Initial p, at least 1. The paper starts at 3.
        **kwargs: `name` and the like, for `keras.layers.Layer`. The layer is float32 under every
            precision policy.

    Input shape: (batch, height, width, channels), of values of at least 0, as after a ReLU.

    Output shape: (batch, channels) float32.

    Raises:
        ValueError: `exponent` is below 1, or the input is not a batch of feature maps.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import GeM
        >>> pooled = GeM()(np.reshape([1.0, 2.0, 3.0, 4.0], (1, 2, 2, 1)))
        >>> round(float(pooled[0, 0]), 4)  # the third root of (1 + 8 + 27 + 64) / 4
        2.924
    """

    def __init__(self, exponent: float = 3.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.initial_exponent = number("exponent", exponent, low=1)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the exponent for feature maps of this shape."""
        map_channels("GeM", input_shape)
        self.exponent = self.add_weight(
            name="exponent",
            shape=(1,),
            initializer=keras.initializers.Constant(self.initial_exponent),
            constraint=AtLeastOne(),
        )

    def call(self, inputs: Any) -> Any:
        """Map feature maps (batch, height, width, channels) to vectors (batch, channels)."""
        exponent = ops.convert_to_tensor(self.exponent)
        maps = ops.maximum(ops.cast(inputs, "float32"), EPSILON)
        # The result does not depend on it, so neither does its gradient.
        largest = ops.stop_gradient(ops.max(maps, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.power(maps / largest, exponent), axis=(1, 2))
        return ops.power(mean, 1.0 / exponent) * largest[:, 0, 0, :]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return (batch, channels)."""
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "exponent": self.initial_exponent}
