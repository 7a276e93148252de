"""One vector for many crops of a person, which is searched faster and more reliably."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_dictionary
from keras_osnet.gallery.columns import unit_vectors
from keras_osnet.metrics.ranked_lists import checked_codes


def average_tracklets(
    vectors: ArrayLike, tracklets: Sequence[Any], columns: Mapping[str, Sequence[Any]] | None = None
) -> tuple[NDArray[np.float32], dict[str, list[Any]]]:
    """Average the vectors of each tracklet, the crops of one person under one camera.

    Args:
        vectors: Array (n, dim) of any real dtype; each is scaled to length 1 first.
        tracklets: The tracklet of every vector: n texts or integers. People's names do as well.
        columns: Other columns, of n values each. A tracklet gets the values of its first crop.

    Returns:
        Array (tracklets, dim), float32, rows of length 1, in the order in which the tracklets first
        appear; and their columns, with `tracklet` and `crops`, the number of vectors averaged.

    Raises:
        ValueError: The lengths differ, or vectors are not as above.
        TypeError: Tracklets are neither texts nor integers, such as a None among them.

    Example:
        >>> from keras_osnet.gallery import average_tracklets
        >>> vectors, columns = average_tracklets([[1, 0], [0, 1], [0, 2]], ["a", "b", "b"])
        >>> vectors.tolist(), columns
        ([[1.0, 0.0], [0.0, 1.0]], {'tracklet': ['a', 'b'], 'crops': [1, 2]})
    """
    units = unit_vectors(vectors)
    labels, codes = checked_codes(tracklets, "tracklets", len(units))
    columns = {} if columns is None else columns
    check_dictionary("columns", columns)
    kept = {
        name: _column(name, values, len(units))
        for name, values in columns.items()
        if name != "tracklet"
    }
    heads = np.unique(codes, return_index=True)[1]
    order = np.argsort(heads)
    sums = np.zeros((len(labels), units.shape[1]))
    np.add.at(sums, codes, units)
    return unit_vectors(sums[order], "mean vectors"), {
        "tracklet": labels[order].tolist(),
        **{name: [values[row] for row in heads[order]] for name, values in kept.items()},
        "crops": np.bincount(codes)[order].tolist(),
    }


def _column(name: str, values: Any, length: int) -> list[Any]:
    """Return the values of a column as a list: one of pandas is not indexed by place."""
    try:
        listed = list(values)
    except TypeError:  # a number, or None
        listed = []
    if len(listed) != length:
        raise ValueError(
            f"`{name}` of `columns` must have a value for every vector. "
            f"Received: {len(listed)} values, {length} vectors"
        )
    return listed
