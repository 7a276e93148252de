"""Embeddings before they are compared: checked, normalised, averaged, put side by side."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# torch.nn.functional.normalize divides by max(norm, eps) with this eps.
_NORM_EPSILON = 1e-12

PART_ROWS = 4096
"""How many images' features are in float64 at a time; 16 MiB, where an image has 512 numbers."""


def normalize(features: ArrayLike) -> NDArray[np.float32]:
    """Scale every embedding to unit length.

    A vector is divided by `max(norm, 1e-12)`, as `torch.nn.functional.normalize` does it: an
    all-zero vector stays zero. Sums are taken in float64 and rounded once.

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
    """Average the embeddings of pictures with those of their mirror images.

    The mean is taken of the embeddings as the model gives them. It is not normalised: the
    "cosine" distance does that, and `normalize` does it for the "euclidean" one.

    Args:
        features: Embeddings of the pictures, array (num_images, dim) of any real dtype.
        flipped: Embeddings of the same pictures, flipped left to right, in the same order.

    Returns:
        Array (num_images, dim), float32.

    Raises:
        ValueError: If the shapes differ, or for what `normalize` refuses.

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
    # Halved first: the sum of two large numbers may not fit.
    return (straight / 2 + mirrored / 2).astype(np.float32)


def concatenate(features: Sequence[ArrayLike]) -> NDArray[np.float32]:
    """Put the embeddings of several models side by side: an ensemble.

    Each model's embeddings are scaled to unit length first, so that none counts for more because
    its numbers are larger. The cosine similarity of two rows is then the mean of the models'
    cosine similarities.

    Args:
        features: One array (num_images, dim) a model, rows in the same order; `dim` may differ.

    Returns:
        Array (num_images, sum of the models' dim), float32.

    Raises:
        ValueError: If there is no array, if the numbers of rows differ, or for what `normalize`
            refuses.

    Example:
        >>> concatenate([[[0.0, 2.0]], [[3.0]]]).tolist()
        [[0.0, 1.0, 1.0]]
    """
    arrays = [checked_shape(one, f"features[{i}]") for i, one in enumerate(features)]
    if not arrays:
        raise ValueError("`features` must hold at least one array. Received: none")
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(
            "`features` must have one row an image in every array. "
            f"Received: arrays of shapes {[array.shape for array in arrays]}"
        )
    result = np.empty((len(arrays[0]), sum(array.shape[1] for array in arrays)), np.float32)
    start = 0
    for index, array in enumerate(arrays):
        # In float64 one after the other: they may be most of the memory there is.
        part = slice(start, start + array.shape[1])
        result[:, part] = scale_to_unit(checked_features(array, f"features[{index}]"))
        start = part.stop
    return result


def checked_shape(features: ArrayLike, name: str) -> NDArray:
    """Return the features as an array, or raise a ValueError if it is of another kind."""
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"`{name}` must be a non-empty array (number of images, feature dimension). "
            f"Received: shape {array.shape}"
        )
    # By casting rule rather than by kind, so that bfloat16 from ml_dtypes is welcome too.
    if not np.can_cast(array.dtype, np.float64, casting="same_kind"):
        raise ValueError(f"`{name}` must hold real numbers. Received: dtype {array.dtype}")
    return array


def checked_numbers(features: ArrayLike, name: str) -> NDArray:
    """Return the features as an array, or raise a ValueError that names the argument.

    Features that are an array already are not copied.
    """
    array = checked_shape(features, name)
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
    """Return a copy of the features as float64, checked as `checked_numbers` does."""
    return checked_numbers(features, name).astype(np.float64)


def row_parts(features: NDArray) -> Iterator[slice]:
    """Yield the parts in which rows are turned into float64, in order."""
    for start in range(0, len(features), PART_ROWS):
        yield slice(start, min(start + PART_ROWS, len(features)))


def as_float64(features: NDArray) -> NDArray[np.float64]:
    """Return the features as float64: themselves, if they are."""
    return features.astype(np.float64, copy=False)


def scale_to_unit(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale the rows to unit length, as `normalize` defines it, in place."""
    for part in row_parts(features):
        features[part] *= unit_scales(features[part])
    return features


def unit_scales(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factors (num_images, 1) that scale the rows to unit length."""
    norms = np.sqrt(np.einsum("ij,ij->i", features, features))[:, None]
    if not np.isfinite(norms).all():
        # Very large float64 values overflow when squared; dividing by the row's largest magnitude
        # first changes nothing else, as that magnitude is multiplied back into the norm.
        largest = np.maximum(features.max(axis=1), -features.min(axis=1))[:, None]
        ratios = features / np.where(largest > 0, largest, 1.0)
        norms = largest * np.sqrt(np.einsum("ij,ij->i", ratios, ratios))[:, None]
    return 1.0 / np.maximum(norms, _NORM_EPSILON)
