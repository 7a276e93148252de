"""One vector for many crops of a person, which is searched faster and more reliably."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.gallery.columns import unit_vectors


def average_tracklets(
    vectors: ArrayLike, tracklets: Sequence[Any], columns: Mapping[str, Sequence[Any]] | None = None
) -> tuple[NDArray[np.float32], dict[str, list[Any]]]:
    """Average the vectors of each tracklet, the crops of one person under one camera.

    Args:
        vectors: Array (n, dim) of any real dtype; each is scaled to length 1 first.
        tracklets: The tracklet of every vector: n texts or numbers. People's names do as well.
        columns: Other columns, of n values each. A tracklet gets the values of its first crop.

    Returns:
        Array (tracklets, dim), float32, rows of length 1, in the order in which the tracklets first
        appear; and their columns, with `tracklet` and `crops`, the number of vectors averaged.

    Raises:
        ValueError: The lengths differ, or vectors are not as above.

    Example:
        >>> from keras_osnet.gallery import average_tracklets
        >>> vectors, columns = average_tracklets([[1, 0], [0, 1], [0, 2]], ["a", "b", "b"])
        >>> vectors.tolist(), columns
        ([[1.0, 0.0], [0.0, 1.0]], {'tracklet': ['a', 'b'], 'crops': [1, 2]})
    """
    units = unit_vectors(vectors)
    columns = {name: values for name, values in (columns or {}).items() if name != "tracklet"}
    for name, values in {"tracklets": tracklets, **columns}.items():
        if len(values) != len(units):
            raise ValueError(
                f"`{name}` must have a value for every vector. "
                f"Received: {len(values)} values, {len(units)} vectors"
            )
    first: dict[Any, int] = {}
    index = np.array([first.setdefault(each, len(first)) for each in tracklets])
    sums = np.zeros((len(first), units.shape[1]))
    np.add.at(sums, index, units)
    heads = np.unique(index, return_index=True)[1].tolist()
    kept = {name: [values[row] for row in heads] for name, values in columns.items()}
    counts = np.bincount(index).tolist()
    return unit_vectors(sums), {"tracklet": list(first), **kept, "crops": counts}
