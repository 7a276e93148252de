"""Convolution, normalization and ReLU in one layer."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import (
    LARGEST_KERNEL,
    MOST_CHANNELS,
    map_channels,
    one_of,
    positive_integer,
)
from keras_osnet.layers import initializers
from keras_osnet.layers.batch_norm import BatchNorm
from keras_osnet.layers.kernels import convolve, relu


@keras.saving.register_keras_serializable(package="keras_osnet")
class ConvNorm2D(keras.layers.Layer):
    """Bias-free convolution, normalization and (if asked) ReLU.

    The stem, the transitions, the 1×1 layers of the omni-scale block and its full 3×3
    convolutions (Table 5) are all of this form.

    Padding is `kernel_size // 2` zeros on every side, whatever the stride. At stride 2 this
    differs from `padding="same"` in Keras, which pads even sizes on the right and bottom only.

    Args:
        filters: Output channels.
        kernel_size: Height and width of the kernel, odd.
        strides: Step in both directions.
        normalization: `"batch"`, `"instance"` or None.
        activation: `"relu"` or None.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Input shape: (batch, height, width, channels).

    Output shape: (batch, ⌈height / strides⌉, ⌈width / strides⌉, filters).

    Raises:
        ValueError: An argument is not among the values above, or the input is not a batch of
            feature maps.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import ConvNorm2D
        >>> stem = ConvNorm2D(64, kernel_size=7, strides=2)
        >>> tuple(stem(np.zeros((1, 256, 128, 3), "float32")).shape)
        (1, 128, 64, 64)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 1,
        strides: int = 1,
        *,
        normalization: str | None = "batch",
        activation: str | None = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive_integer("filters", filters, MOST_CHANNELS)
        self.kernel_size = positive_integer("kernel_size", kernel_size, LARGEST_KERNEL)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: {kernel_size!r}")
        self.strides = positive_integer("strides", strides, LARGEST_KERNEL)
        self.normalization = one_of("normalization", normalization, ("batch", "instance", None))
        self.activation = one_of("activation", activation, ("relu", None))

        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            self.strides,
            padding="valid",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=initializers.kernel_initializer(),
            dtype=self.dtype_policy,
            name="convolution",
        )
        self.norm = None
        if normalization == "batch":
            self.norm = initializers.batch_norm(dtype=self.dtype_policy, name="norm")
        elif normalization == "instance":
            self.norm = initializers.instance_norm(dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the variables for feature maps of this shape."""
        channels = map_channels("ConvNorm2D", input_shape)
        # The input is padded first, so a small feature map is not too small for the kernel.
        self.convolution.build((None, None, None, channels))
        if self.norm is not None:
            self.norm.build(self.compute_output_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Map (batch, height, width, channels) to (batch, height', width', filters)."""
        kernel = ops.convert_to_tensor(self.convolution.kernel)
        if isinstance(self.norm, BatchNorm) and self.norm.folds(training):
            outputs = convolve(inputs, *self.norm.folded_into(kernel), self.strides)
        else:
            outputs = convolve(inputs, kernel, strides=self.strides)
            if isinstance(self.norm, BatchNorm):
                outputs = self.norm.call(outputs, training)
            elif self.norm is not None:
                outputs = self.norm(outputs)
        return relu(outputs) if self.activation else outputs

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return (batch, ⌈height / strides⌉, ⌈width / strides⌉, filters)."""
        batch, height, width, _ = input_shape
        return (
            batch,
            None if height is None else -(-height // self.strides),
            None if width is None else -(-width // self.strides),
            self.filters,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "normalization": self.normalization,
            "activation": self.activation,
        }
