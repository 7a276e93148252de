"""Ranked lists: the gallery images that a query retrieves, nearest first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole
from keras_osnet.metrics.ranking import check_numbers, checked_labels, checked_matrix


@dataclass(frozen=True, eq=False)
class RankedList:
    """The gallery images that one query retrieves, nearest first.

    Attributes:
        query: Index of the query.
        gallery: Array (length,), int64: indices of the gallery images.
        distances: Array (length,): their distances from the query.
        matches: Array (length,), bool: whether they show the query's identity.
    """

    query: int
    gallery: NDArray[np.int64]
    distances: NDArray
    matches: NDArray[np.bool_]


def ranked_lists(
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    queries: int | Sequence[int] | None = None,
    top_k: int | None = 10,
) -> list[RankedList]:
    """List the gallery images that queries retrieve, by the rules of `evaluate_ranking`.

    Gallery images of the query's identity under its own camera are left out, and ties are broken
    by gallery index. A query without a match, which `evaluate_ranking` skips, gets a list too.

    If the full distance matrix does not fit in memory, pass the rows and labels of some queries at
    a time.

    Args:
        distances: Array (num_query, num_gallery) of real numbers, smaller is more similar, from
            `pairwise_distances` or `k_reciprocal_rerank`.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        queries: Index or indices of the queries; None for all.
        top_k: Maximum length of a list; None for the whole gallery.

    Returns:
        One `RankedList` for each of `queries`.

    Raises:
        ValueError: If shapes do not agree, a distance is NaN, only one side's cameras are given,
            there is no such query, or `top_k` is not positive.
        TypeError: If identities or cameras are neither integers nor strings, or are of one kind
            for the queries and of the other for the gallery.

    Example:
        Image 0 shows Ann, but under the query's own camera.

        >>> (found,) = ranked_lists(
        ...     [[0.1, 0.4, 0.2, 0.2]],
        ...     query_ids=["ann"],
        ...     gallery_ids=["ann", "ann", "bob", "eve"],
        ...     query_cameras=[1],
        ...     gallery_cameras=[1, 2, 1, 2],
        ... )
        >>> found.gallery.tolist(), found.matches.tolist()
        ([2, 3, 1], [False, False, True])
    """
    matrix = checked_matrix(distances)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    if top_k is not None:
        check_whole(1, top_k=top_k)
    lists = []
    for query in _chosen(queries, len(matrix)):
        line = matrix[query]
        check_numbers(line, query)
        matches, left_out = labels.found_by(query)
        images = np.delete(np.arange(len(line)), left_out)
        order = images[np.argsort(line[images], kind="stable")[:top_k]]
        lists.append(RankedList(query, order, line[order], np.isin(order, matches)))
    return lists


def _chosen(queries: int | Sequence[int] | None, count: int) -> list[int]:
    """Return the chosen queries as indices."""
    if queries is None:
        return list(range(count))
    indices = np.atleast_1d(queries)
    if indices.dtype.kind not in "iu" or indices.ndim > 1 or not indices.size:
        raise ValueError(f"`queries` must be integers. Received: {queries!r}")
    if indices.min() < 0 or indices.max() >= count:
        raise ValueError(f"`queries` must be between 0 and {count - 1}. Received: {queries!r}")
    return [int(index) for index in indices]
