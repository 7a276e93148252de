"""Convolution kernels: each is computed in the form that runs fastest on the active backend.

The results are those of `keras.ops.conv` and `keras.ops.depthwise_conv`.
tests/layers/test_kernels.py compares them in float64; tests/benchmarks/model_speed.py measures the
speed.
"""

import math
from typing import Any

import keras
from keras import ops

SMALL = 4e6
"""Mult-adds up to which a matrix product is faster than a 1×1 convolution on TensorFlow, whose
convolution has an overhead of at least 20 µs."""


def convolve(maps: Any, kernel: Any, bias: Any = None, strides: int = 1) -> Any:
    """Convolve feature maps, padded with `kernel_size // 2` zeros on every side.

    Args:
        maps: Tensor (batch, height, width, channels).
        kernel: Tensor (kernel_size, kernel_size, channels, filters), of odd size.
        bias: Tensor (filters,) or None.
        strides: Step in both directions.

    Returns:
        Tensor (batch, ⌈height / strides⌉, ⌈width / strides⌉, filters).
    """
    size = kernel.shape[0]
    if keras.backend.backend() == "torch":
        return _on_torch(maps, kernel, bias, strides)
    if size == strides == 1 and _better_as_product(maps, kernel):
        return _as_product(maps, kernel, bias)
    return _plus(ops.conv(_framed(maps, size), kernel, strides, "valid", "channels_last"), bias)


def convolve_depthwise(maps: Any, kernel: Any, bias: Any = None) -> Any:
    """Convolve each channel with its own kernel, padded with `kernel_size // 2` zeros.

    Args:
        maps: Tensor (batch, height, width, channels).
        kernel: Tensor (kernel_size, kernel_size, channels, 1), of odd size.
        bias: Tensor (channels,) or None.

    Returns:
        Tensor (batch, height, width, channels).
    """
    backend = keras.backend.backend()
    if backend == "torch":
        return _on_torch(maps, kernel.permute(0, 1, 3, 2), bias, groups=maps.shape[-1])
    if backend == "jax" and _on_cpu():
        import jax

        from keras_osnet.layers import kernels_jax

        # Compiled even in eager use, where each shift would otherwise be a separate call.
        return _plus(jax.jit(kernels_jax.convolve_depthwise)(maps, kernel), bias)
    return _plus(ops.depthwise_conv(maps, kernel, 1, "same", "channels_last"), bias)


def relu(maps: Any) -> Any:
    """Apply ReLU. Calls torch directly: `keras.ops.relu` has a high per-call overhead there."""
    return maps.relu() if keras.backend.backend() == "torch" else ops.relu(maps)


def _better_as_product(maps: Any, kernel: Any) -> bool:
    if keras.backend.backend() == "jax":
        return True
    # With a dynamic batch size the product is not known, and may be large.
    return None not in maps.shape and math.prod((*maps.shape, kernel.shape[-1])) <= SMALL


def _as_product(maps: Any, kernel: Any, bias: Any) -> Any:
    """Compute a 1×1 convolution as a matrix product."""
    rows = ops.reshape(maps, (-1, maps.shape[-1])) @ kernel[0, 0]
    return ops.reshape(_plus(rows, bias), (*ops.shape(maps)[:-1], kernel.shape[-1]))


def _on_torch(maps: Any, kernel: Any, bias: Any, strides: int = 1, groups: int = 1) -> Any:
    """Call torch directly: Keras would copy the feature maps twice."""
    from torch.nn import functional

    size = kernel.shape[0]
    if size == strides == groups == 1:
        return _plus(maps @ kernel[0, 0], bias)
    outputs = functional.conv2d(
        maps.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), bias, strides, size // 2, 1, groups
    )
    return outputs.permute(0, 2, 3, 1)


def _framed(maps: Any, size: int) -> Any:
    margin = size // 2
    frame = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    return ops.pad(maps, frame) if margin else maps


def _plus(outputs: Any, bias: Any) -> Any:
    if bias is None:
        return outputs
    if keras.backend.backend() == "tensorflow":
        # TensorFlow fuses this operation with the convolution and the ReLU.
        import tensorflow as tf

        return tf.nn.bias_add(outputs, bias)
    return outputs + bias


def _on_cpu() -> bool:
    import jax

    return bool(jax.default_backend() == "cpu")
