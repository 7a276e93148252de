"""Vectors of length 1, with a gradient at zero."""

from typing import Any

from keras import ops

_SMALLEST_SQUARE = 1e-12


def unit_length(vectors: Any, axis: int = -1) -> Any:
    """Scale vectors (…, dim), or along another axis, to length 1.

    The gradient is finite at zero, where that of `keras.ops.normalize` is NaN. Vectors shorter than
    1e-6 stay shorter than 1.
    """
    squares = ops.sum(ops.square(vectors), axis=axis, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _SMALLEST_SQUARE))
