"""Query expansion, and its counterpart for a gallery: embeddings averaged with their nearest."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, number
from keras_osnet.metrics.distances import DistanceRows, checked_sides, distance_blocks
from keras_osnet.metrics.features import checked_numbers, scale_to_unit


def expand_queries(
    query: ArrayLike, gallery: ArrayLike, k: int, *, alpha: float = 0.0
) -> NDArray[np.float32]:
    """Average every query with its `k` nearest gallery images (Chum et al., ICCV 2007).

    The sum is of vectors of length 1, those of the gallery weighted by similarity ** `alpha`: with
    0 the average of average query expansion, with 3 that of Radenović et al. (TPAMI 2018). Negative
    similarities count as 0. It is computed from the gallery alone, without identities and cameras.
    Good values of `k` are below the number of gallery images of a person.

    Args:
        query: Array (num_query, dim) of any real dtype.
        gallery: Array (num_gallery, dim) of any real dtype.
        k: Number of gallery images, from 1; all of a smaller gallery.
        alpha: Exponent of the weights, at least 0.

    Returns:
        Array (num_query, dim), float32, rows of length 1, or 0. For Euclidean distances from these,
        scale the gallery with `normalize`.

    Raises:
        ValueError: An array is not as above, the two differ in `dim`, or a number is wrong.

    Example:
        >>> expanded = expand_queries([[2.0, 0.0]], [[0.0, 1.0], [-1.0, 0.0]], k=1)
        >>> expanded.astype(float).round(3).tolist()
        [[0.707, 0.707]]
    """
    alpha = _checked_alpha(k, alpha)
    return _expanded(*checked_sides(query, gallery, "cosine"), k, alpha)


def augment_gallery(gallery: ArrayLike, k: int, *, alpha: float = 0.0) -> NDArray[np.float32]:
    """Average every gallery image with its `k` nearest in the gallery (Arandjelović, CVPR 2012).

    This is computed once, and a search is as fast as before. Images under one camera are averaged
    with each other first, as they are the nearest.

    Args:
        gallery: Array (num_gallery, dim) of any real dtype.
        k: Number of other images, from 1; all of a smaller gallery.
        alpha: As for `expand_queries`.

    Returns:
        Array (num_gallery, dim), float32, rows of length 1, or 0.

    Raises:
        ValueError: As for `expand_queries`.

    Example:
        >>> augment_gallery([[1.0, 0.0], [0.0, 1.0]], k=1).astype(float).round(3).tolist()
        [[0.707, 0.707], [0.707, 0.707]]
    """
    alpha = _checked_alpha(k, alpha)
    images = checked_numbers(gallery, "gallery")
    return _expanded(images, images, k, alpha, with_itself=False)


def _checked_alpha(k: int, alpha: float) -> float:
    check_whole(1, k=k)
    return number("alpha", alpha, 0)


def _expanded(
    query: NDArray, gallery: NDArray, k: int, alpha: float, *, with_itself: bool = True
) -> NDArray[np.float32]:
    result = np.empty(query.shape, np.float32)
    k = min(k, len(gallery) - (not with_itself))
    row = 0
    for block in distance_blocks(DistanceRows(query, gallery, "cosine")):
        for line in block:
            if not with_itself:
                line[row] = np.inf
            rows = np.concatenate([query[row, None], gallery[_nearest(line, k)]])
            units = scale_to_unit(rows.astype(np.float64))
            weights = np.clip(units[1:] @ units[0], 0, 1) ** alpha  # rounding leaves 1 + 1e-16
            result[row] = scale_to_unit(units[:1] + weights @ units[1:])
            row += 1
    return result


def _nearest(line: NDArray, k: int) -> NDArray[np.int64]:
    """Return the indices of the `k` smallest distances; of equal ones, the first."""
    if not k:
        return np.zeros(0, np.int64)
    near = np.flatnonzero(line <= np.partition(line, k - 1)[k - 1])
    return near[np.argsort(line[near], kind="stable")[:k]]
