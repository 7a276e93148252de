"""How a convolution is computed: in the form that a backend runs fastest.

The layers hold the variables; what is done with them is here. Every form gives the numbers of
`keras.ops.conv` and `keras.ops.depthwise_conv`; tests/layers/test_forms.py compares them in
float64, tests/benchmarks/model_speed.py measures what they are worth.
"""

from typing import Any

import keras
from keras import ops


def convolve(maps: Any, kernel: Any, bias: Any = None, strides: int = 1) -> Any:
    """Convolve maps, `kernel_size // 2` zeros on every side of them.

    Args:
        maps: Tensor (batch, height, width, channels).
        kernel: Tensor (kernel_size, kernel_size, channels, filters), of odd size.
        bias: Tensor (filters,) or None.
        strides: Step in both directions.

    Returns:
        Tensor (batch, ⌈height / strides⌉, ⌈width / strides⌉, filters).
    """
    if keras.backend.backend() == "torch":
        return _on_torch(maps, kernel, bias, strides)
    size = kernel.shape[0]
    if size == strides == maps.shape[0] == 1:
        return _as_product(maps, kernel, bias)
    return _plus(ops.conv(_framed(maps, size), kernel, strides, "valid", "channels_last"), bias)


def convolve_depthwise(maps: Any, kernel: Any, bias: Any = None) -> Any:
    """Convolve each channel with a kernel of its own, `kernel_size // 2` zeros around it.

    Args:
        maps: Tensor (batch, height, width, channels).
        kernel: Tensor (kernel_size, kernel_size, channels, 1), of odd size.
        bias: Tensor (channels,) or None.

    Returns:
        Tensor (batch, height, width, channels).
    """
    backend = keras.backend.backend()
    if backend == "torch":
        return _on_torch(maps, ops.transpose(kernel, (0, 1, 3, 2)), bias, groups=maps.shape[-1])
    if backend == "jax" and _on_cpu():
        return _as_shifts(maps, kernel, bias)
    return _plus(ops.depthwise_conv(maps, kernel, 1, "same", "channels_last"), bias)


def _as_product(maps: Any, kernel: Any, bias: Any) -> Any:
    """A 1×1 convolution of one picture, as the product of two matrices.

    TensorFlow's convolution spends longer on its preparations than on the maps of one picture.
    """
    rows = ops.reshape(maps, (-1, maps.shape[-1])) @ kernel[0, 0]
    return ops.reshape(_plus(rows, bias), (*ops.shape(maps)[:-1], kernel.shape[-1]))


def _as_shifts(maps: Any, kernel: Any, bias: Any) -> Any:
    """A depthwise convolution as a sum of shifted maps, which XLA makes one loop of.

    Its own depthwise convolution on a processor takes some ten times as long.
    """
    height, width = maps.shape[1:3]
    framed = _framed(maps, kernel.shape[0])
    total = 0.0 if bias is None else bias
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            shifted = framed[:, row : row + height, column : column + width]
            total = total + shifted * kernel[row, column, :, 0]
    return total


def _on_torch(maps: Any, kernel: Any, bias: Any, strides: int = 1, groups: int = 1) -> Any:
    """Torch's convolution on the maps where they lie, which Keras copies twice before it."""
    from torch.nn import functional

    outputs = functional.conv2d(
        maps.permute(0, 3, 1, 2),
        kernel.permute(3, 2, 0, 1),
        bias,
        strides,
        kernel.shape[0] // 2,
        groups=groups,
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
        # Its own operation, which TensorFlow computes together with the convolution and the ReLU.
        import tensorflow as tf

        return tf.nn.bias_add(outputs, bias)
    return outputs + bias


def _on_cpu() -> bool:
    import jax

    return bool(jax.default_backend() == "cpu")
