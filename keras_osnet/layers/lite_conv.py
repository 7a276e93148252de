"""The lite 3×3 convolution."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import (
    LARGEST_KERNEL,
    MOST_CHANNELS,
    map_channels,
    positive_integer,
)
from keras_osnet.layers import initializers
from keras_osnet.layers.kernels import convolve, convolve_depthwise, relu


@keras.saving.register_keras_serializable(package="keras_osnet")
class LiteConv2D(keras.layers.Layer):
    """Lite 3×3 convolution: pointwise, depthwise, batch norm, ReLU (paper, Section 3.1, Fig. 3b).

    A full convolution's kernel is factorized into a 1×1 convolution across channels followed by
    a depthwise one, in this order (MobileNet has it the other way round), with no normalization
    between the two.

    Args:
        filters: Output channels.
        kernel_size: Height and width of the depthwise kernel, odd.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Input shape: (batch, height, width, channels).

    Output shape: (batch, height, width, filters).

    Raises:
        ValueError: `filters` or `kernel_size` is not a positive whole number, `kernel_size` is
            even, or the input is not a batch of feature maps.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import LiteConv2D
        >>> lite = LiteConv2D(32)
        >>> tuple(lite(np.zeros((1, 64, 32, 16), "float32")).shape)
        (1, 64, 32, 32)
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = positive_integer("filters", filters, MOST_CHANNELS)
        self.kernel_size = positive_integer("kernel_size", kernel_size, LARGEST_KERNEL)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: {kernel_size!r}")

        self.pointwise = keras.layers.Conv2D(
            self.filters,
            1,
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=initializers.kernel_initializer(),
            dtype=self.dtype_policy,
            name="pointwise",
        )
        self.depthwise = keras.layers.DepthwiseConv2D(
            self.kernel_size,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            depthwise_initializer=initializers.depthwise_initializer(
                self.kernel_size, self.filters
            ),
            dtype=self.dtype_policy,
            name="depthwise",
        )
        self.norm = initializers.batch_norm(dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the variables for feature maps of this shape."""
        map_channels("LiteConv2D", input_shape)
        output_shape = self.compute_output_shape(input_shape)
        self.pointwise.build(input_shape)
        self.depthwise.build(output_shape)
        self.norm.build(output_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Map (batch, height, width, channels) to (batch, height, width, filters)."""
        outputs = convolve(inputs, ops.convert_to_tensor(self.pointwise.kernel))
        kernel = ops.convert_to_tensor(self.depthwise.kernel)
        if self.norm.folds(training):
            outputs = convolve_depthwise(outputs, *self.norm.folded_into(kernel))
        else:
            outputs = self.norm.call(convolve_depthwise(outputs, kernel), training)
        return relu(outputs)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return (batch, height, width, filters)."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
        }
