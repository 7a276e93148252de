"""Round weights to int8 so that a layer's results change least."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers
from numpy.typing import NDArray

LEVELS = 255
"""Steps from the lowest to the highest int8."""

LARGEST = 127
"""Largest weight; -128 is not used, because TFLite's kernels require a symmetric grid."""

PIXELS = (0.0, 255.0)
"""Range of uint8 pixels, even if the images do not cover it."""

MOST = 160
"""Calibration images that are used; more change little, and all feature maps of a layer are in
memory at once."""

_MARGIN = 0.25
"""Share by which measured ranges are widened when there are hardly any images: other images exceed
the range of a few, and clipping harms them more than coarser steps do. With `MOST` images, ranges
are not widened."""

_NOTHING = 1e-6
"""Tensors with a range below this are treated as zero."""

_NO_POWER = 1e-12
"""Mean variance below which inputs are treated as constant."""

_DAMPING = 0.01
"""Share of the mean of the diagonal that is added to it for a stable inverse."""

_PATCHES = 1 << 24
"""Numbers in the patches that are in memory at once: 64 MB."""

_ENOUGH = 65536
"""Pixels that are enough for second moments; of more, some images are skipped."""

_FEWEST = 32
"""Images that are used in any case, if there are as many."""


def widened(low: float, high: float, count: int) -> tuple[float, float]:
    """Return the range of a tensor that was measured on `count` images, for other images."""
    margin = 1 + _MARGIN * max(0.0, 1 - count / MOST)
    return told_range(low * margin, high * margin)


def told_range(low: float, high: float) -> tuple[float, float]:
    """Return a range that has a grid, also for tensors that are (nearly) zero everywhere."""
    return (low, high) if max(-low, high) > _NOTHING else (0.0, 1.0)


@dataclass(frozen=True)
class Grid:
    """256 evenly spaced numbers, zero among them.

    Attributes:
        scale: The distance between two adjacent numbers.
        zero_point: The int8 value of zero.
    """

    scale: float
    zero_point: int

    @classmethod
    def spanning(cls, low: float, high: float) -> "Grid":
        """Return the grid from `low` or below to `high` or above, extended to contain zero."""
        low, high = told_range(min(float(low), 0.0), max(float(high), 0.0))
        scale = (high - low) / LEVELS
        return cls(scale, int(np.clip(round(-128 - low / scale), -128, 127)))

    def nearest(self, values: Any) -> Any:
        """Round every number of a tensor to the nearest of the grid."""
        import tensorflow as tf

        codes = tf.round(values / self.scale) + self.zero_point
        return (tf.clip_by_value(codes, -128.0, 127.0) - self.zero_point) * self.scale


def weight_scales(kernel: NDArray) -> NDArray:
    """Return the step of each output channel's grid.

    Args:
        kernel: Array (inputs, outputs).

    Returns:
        Array (outputs,), above 0. A channel whose weights are all (nearly) zero gets a step
        of the others' magnitude, because XNNPACK refuses steps near zero.
    """
    largest = np.abs(kernel).max(axis=0)
    top = largest.max()
    if top == 0:
        return np.full(kernel.shape[1], 1 / LARGEST)
    floor = np.median(largest[largest > top * 1e-6]) * 1e-3
    return np.maximum(largest, floor) / LARGEST


def rounded(kernel: NDArray, scales: NDArray, inputs: NDArray) -> NDArray:
    """Round a kernel one input at a time; later inputs compensate the errors of earlier ones.

    This is the method of GPTQ (Frantar et al., ICLR 2023), with the inputs of most power first.

    Args:
        kernel: Array (..., inputs, outputs).
        scales: The outputs' steps, (..., 1, outputs).
        inputs: Second moments of the inputs, (..., inputs, inputs).

    Returns:
        Whole numbers from -127 to 127, of the kernel's shape.
    """
    power = np.diagonal(inputs, axis1=-2, axis2=-1)
    # One order for all, so that stacked kernels (one per channel) stay stacked.
    order = np.argsort(-power.reshape(-1, power.shape[-1]).mean(axis=0), kind="stable")
    inputs = _damped(inputs)[..., order, :][..., :, order]
    upper = np.swapaxes(np.linalg.cholesky(np.linalg.inv(inputs)), -1, -2)
    left = kernel[..., order, :].copy()
    codes = np.empty_like(left)
    for row in range(left.shape[-2]):
        codes[..., row, :] = np.clip(
            np.round(left[..., row, :] / scales[..., 0, :]), -LARGEST, LARGEST
        )
        lost = left[..., row, :] - codes[..., row, :] * scales[..., 0, :]
        lost = lost / upper[..., row, row, None]
        left[..., row + 1 :, :] -= upper[..., row, row + 1 :, None] * lost[..., None, :]
    result = np.empty_like(codes)
    result[..., order, :] = codes
    return result


def compute(layer: Any, inputs: Any, kernel: NDArray, bias: NDArray) -> Any:
    """Return the layer's result with other weights, before its activation function."""
    import tensorflow as tf

    if isinstance(layer, layers.Dense):
        return tf.matmul(inputs, kernel) + bias
    strides, padding = layer.strides, layer.padding.upper()
    if isinstance(layer, layers.DepthwiseConv2D):
        return tf.nn.depthwise_conv2d(inputs, kernel, (1, *strides, 1), padding) + bias
    return tf.nn.conv2d(inputs, kernel, strides, padding) + bias


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments over images and pixels that determine a layer's best weights.

    A layer is a matrix product with the k inputs of an output. A depthwise layer is one such
    product per channel, hence a leading axis of channels, and one output.

    Attributes:
        mean: Mean of the inputs, (..., k).
        inputs: Covariance of the inputs, (..., k, k).
        missing: Mean of the error of the results, (channels,).
    """

    mean: NDArray[np.float64]
    inputs: NDArray[np.float64]
    missing: NDArray[np.float64]

    @classmethod
    def of(cls, layer: Any, inputs: Any, missing: Any) -> "Moments":
        """Compute the moments of a layer's inputs and of the error of its results.

        Args:
            layer: Conv2D, DepthwiseConv2D or Dense.
            inputs: Its inputs, (n, …, channels).
            missing: The error: the correction of its results, (n, …, outputs).
        """
        import tensorflow as tf

        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        total: Any = 0.0
        products: Any = 0.0
        count = 0
        shift: Any = None
        # Of large feature maps, some of the images are enough for the moments.
        pixels = int(np.prod(inputs.shape[:-1]))
        chosen = inputs[:: max(1, min(pixels // _ENOUGH, inputs.shape[0] // _FEWEST))]
        kernel = int(np.prod(getattr(layer, "kernel_size", 1)))
        numbers = int(np.prod(missing.shape[1:-1])) * kernel * inputs.shape[-1]
        chunk = max(1, _PATCHES // numbers)
        for start in range(0, chosen.shape[0], chunk):
            seen = _patches(layer, chosen[start : start + chunk])
            count += seen.shape[0]
            if depthwise:
                seen = tf.reshape(seen, (seen.shape[0], -1, missing.shape[-1]))
                seen = tf.transpose(seen, (2, 0, 1))
            # Shifted by the mean: float32 would lose a small variance beside a large mean.
            shift = tf.reduce_mean(seen, axis=-2, keepdims=True) if shift is None else shift
            seen = seen - shift
            total += tf.reduce_sum(seen, axis=-2).numpy().astype("float64")
            products += tf.matmul(seen, seen, transpose_a=True).numpy().astype("float64")
        mean = total / count
        offset = shift.numpy()[..., 0, :].astype("float64")
        return cls(
            mean + offset,
            products / count - mean[..., :, None] * mean[..., None, :],
            tf.reduce_mean(tf.reshape(missing, (-1, missing.shape[-1])), axis=0).numpy(),
        )

    def as_matrix(self, kernel: NDArray) -> NDArray:
        """Return a layer's kernel as a matrix (..., k, outputs)."""
        if self.mean.ndim == 1:
            return kernel.reshape(-1, kernel.shape[-1])
        return np.moveaxis(kernel[..., 0], -1, 0).reshape(kernel.shape[2], -1, 1)

    def as_kernel(self, matrix: NDArray, shape: tuple[int, ...]) -> NDArray:
        """Return a matrix as the layer's kernel."""
        if self.mean.ndim == 1:
            return matrix.reshape(shape)
        return np.moveaxis(matrix.reshape(shape[2], shape[0], shape[1]), 0, -1)[..., None]


def _damped(moments: NDArray) -> NDArray:
    """Add to the diagonal for a stable inverse; 1 where everything is zero."""
    size = moments.shape[-1]
    mean = np.trace(moments, axis1=-2, axis2=-1)[..., None, None] / size
    return moments + np.where(mean > _NO_POWER, _DAMPING * mean, 1.0) * np.eye(size)


def _patches(layer: Any, inputs: Any) -> Any:
    """Return the inputs of each output, (outputs, k), or (outputs, k·channels) if depthwise."""
    import tensorflow as tf

    if isinstance(layer, layers.Dense) or layer.kernel_size == (1, 1):
        return tf.reshape(inputs, (-1, inputs.shape[-1]))
    patches = tf.image.extract_patches(
        inputs,
        (1, *layer.kernel_size, 1),
        (1, *layer.strides, 1),
        (1, 1, 1, 1),
        layer.padding.upper(),
    )
    return tf.reshape(patches, (-1, patches.shape[-1]))
