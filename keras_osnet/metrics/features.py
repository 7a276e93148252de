"""Operations on embeddings: normalization, flip averaging, concatenation, and their checks."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# torch.nn.functional.normalize divides by max(norm, eps) with this eps.
_NORM_EPSILON = 1e-12

PART_ROWS = 4096
"""Number of rows converted to float64 at a time: 16 MiB of 512-d embeddings."""


def normalize(features: ArrayLike) -> NDArray[np.float32]:
    """Scale every embedding to unit length.

    A vector is divided by `max(norm, 1e-12)`, as in `torch.nn.functional.normalize`: an all-zero
    vector stays zero. Sums are accumulated in float64 and rounded once.

    Args:
        features: Array (num_images, dim) of any real dtype.

    Returns:
        Array (num_images, dim), float32, each row of length 1 or 0.

    Raises:
        ValueError: If the array is not two-dimensional, is empty, is not made of real numbers or
            holds NaN or infinity.

    Example:
        >>> normalize([[0.0, 2.0], [0.0, 0.0]]).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    return scale_to_unit(checked_features(features, "features")).astype(np.float32)


def flip_average(features: ArrayLike, flipped: ArrayLike) -> NDArray[np.float32]:
    """Average the embeddings of images with those of their mirror images.

    The mean is taken of the embeddings as the model returns them. It is not normalized: the
    "cosine" distance does so, and `normalize` does it for "euclidean".

    Args:
        features: Embeddings of the images, array (num_images, dim) of any real dtype.
        flipped: Embeddings of the same images, flipped left to right, in the same order.

    Returns:
        Array (num_images, dim), float32.

    Raises:
        ValueError: If the shapes differ, or `normalize` would raise one.

    Example:
        >>> flip_average([[1.0, 2.0]], [[3.0, 2.0]]).tolist()
        [[2.0, 2.0]]
    """
    straight = checked_features(features, "features")
    mirrored = checked_features(flipped, "flipped")
    if straight.shape != mirrored.shape:
        raise ValueError(
            "`features` and `flipped` must have the same shape. "
            f"Received: features of shape {straight.shape}, flipped of shape {mirrored.shape}"
        )
    mean = straight / 2 + mirrored / 2  # halved first: the sum of two large values may overflow
    largest = np.abs(mean).max()
    if largest > np.finfo(np.float32).max:
        raise ValueError(
            "`features` and `flipped` must fit float32; scale them down. "
            f"Received: a largest magnitude of {largest:.3g}"
        )
    return mean.astype(np.float32)


def concatenate_features(features: Sequence[ArrayLike]) -> NDArray[np.float32]:
    """Concatenate the embeddings of several models: an ensemble.

    The embeddings of each model are scaled to unit length first, so that all models have the same
    weight. The cosine similarity of two rows is then the mean of the models' cosine similarities.

    Args:
        features: One array (num_images, dim) per model, rows in the same order; `dim` may differ.

    Returns:
        Array (num_images, sum of the models' dim), float32.

    Raises:
        ValueError: If there is no array, the numbers of rows differ, or `normalize` would raise
            one.

    Example:
        >>> concatenate_features([[[0.0, 2.0]], [[3.0]]]).tolist()
        [[0.0, 1.0, 1.0]]
    """
    listed = isinstance(features, list | tuple) or getattr(features, "ndim", 0) == 3
    if not listed or not len(features):
        raise ValueError(
            f"`features` must be a list of at least one array. Received: {features!r:.80}"
        )
    arrays = [checked_shape(one, f"features[{i}]") for i, one in enumerate(features)]
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(
            "`features` must have one row per image in every array. "
            f"Received: arrays of shapes {[array.shape for array in arrays]}"
        )
    result = np.empty((len(arrays[0]), sum(array.shape[1] for array in arrays)), np.float32)
    start = 0
    for index, array in enumerate(arrays):
        # One array at a time in float64, to save memory.
        part = slice(start, start + array.shape[1])
        result[:, part] = scale_to_unit(checked_features(array, f"features[{index}]"))
        start = part.stop
    return result


def as_array(values: Any, name: str) -> NDArray:
    """Return values as an array, or raise ValueError if rows differ in length or some are masked.

    NumPy would drop a mask without a word.
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"`{name}` must not have masked values; leave them out, or fill them. "
            f"Received: {np.ma.count_masked(values)} of {np.size(values)} masked"
        )
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # such as a tensor on a GPU
        raise ValueError(
            f"`{name}` must be an array, or a list of rows of one length. "
            f"Received: {type(values).__name__} ({error})"
        ) from None


def checked_shape(
    values: ArrayLike, name: str, shape: str = "number of images, feature dimension"
) -> NDArray:
    """Return values as an array, or raise ValueError if they are not a real matrix.

    Args:
        values: The matrix.
        name: Name of the argument, for errors.
        shape: Names of its dimensions, for errors.
    """
    array = as_array(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"`{name}` must be a non-empty array ({shape}). Received: shape {array.shape}"
        )
    # By casting rule rather than by kind, so that bfloat16 of ml_dtypes is accepted too.
    if array.dtype.kind in "mM" or not np.can_cast(array.dtype, np.float64, casting="same_kind"):
        raise ValueError(f"`{name}` must hold real numbers. Received: dtype {array.dtype}")
    return array


def checked_numbers(
    values: ArrayLike, name: str, shape: str = "number of images, feature dimension"
) -> NDArray:
    """Return values as an array as `checked_shape` does, or raise ValueError if one is not finite.

    An array is not copied.
    """
    array = checked_shape(values, name, shape)
    finite = np.empty(len(array), bool)
    for part in row_parts(array):
        finite[part] = np.isfinite(as_float64(array[part])).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        bad = as_float64(array[row])
        raise ValueError(
            f"`{name}` must be finite in every row. Received: {bad[~np.isfinite(bad)][0]} in row "
            f"{row} ({np.count_nonzero(~finite)} of {len(array)} rows are affected)"
        )
    return array


def checked_features(features: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return a copy of the features as float64, checked as in `checked_numbers`."""
    return checked_numbers(features, name).astype(np.float64)


def row_parts(features: NDArray) -> Iterator[slice]:
    """Yield the slices in which rows are converted to float64, in order."""
    for start in range(0, len(features), PART_ROWS):
        yield slice(start, min(start + PART_ROWS, len(features)))


def as_float64(features: NDArray) -> NDArray[np.float64]:
    """Return the features as float64, without a copy if they are float64 already."""
    return features.astype(np.float64, copy=False)


def scale_to_unit(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale the rows to unit length in place, as `normalize` defines it."""
    for part in row_parts(features):
        features[part] *= unit_scales(features[part])
    return features


def unit_scales(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factors (num_images, 1) that scale the rows to unit length."""
    norms = np.sqrt(np.einsum("ij,ij->i", features, features))[:, None]
    if not np.isfinite(norms).all():
        # Very large float64 values overflow when squared: divide by the row's largest magnitude
        # first and multiply the norm by it afterwards.
        largest = np.maximum(features.max(axis=1), -features.min(axis=1))[:, None]
        ratios = features / np.where(largest > 0, largest, 1.0)
        norms = largest * np.sqrt(np.einsum("ij,ij->i", ratios, ratios))[:, None]
    return 1.0 / np.maximum(norms, _NORM_EPSILON)
