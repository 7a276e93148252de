"""What a query finds: the gallery in order of distance, and who is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole
from keras_osnet.metrics.labels import checked_labels
from keras_osnet.metrics.ranking import check_numbers, checked_matrix


@dataclass(frozen=True, eq=False)
class RankedList:
    """The gallery as one query sees it, the nearest image first.

    Attributes:
        query: Which query, from 0.
        gallery: Array (length,), int64: which gallery images, from 0.
        distances: Array (length,): how far they are from the query.
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
    """List what queries find, by the rules of `evaluate_ranking`.

    Gallery images of the query's identity under its own camera are left out, and equal distances
    go by gallery index. A query without a match, which `evaluate_ranking` skips, has its list, too.

    Of a gallery that is too large for a matrix of all distances, pass the rows and labels of some
    queries at a time.

    Args:
        distances: Array (num_query, num_gallery) of real numbers; smaller is more alike: what
            `pairwise_distances` or `k_reciprocal_rerank` return.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        queries: One of the queries, or some in any order; None for all.
        top_k: Longest length of a list; None for the whole gallery.

    Returns:
        A list for each of `queries`.

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
    """The queries asked for, as indices."""
    if queries is None:
        return list(range(count))
    indices = np.atleast_1d(queries)
    if indices.dtype.kind not in "iu" or indices.ndim > 1 or not indices.size:
        raise ValueError(f"`queries` must be integers. Received: {queries!r}")
    if indices.min() < 0 or indices.max() >= count:
        raise ValueError(f"`queries` must be between 0 and {count - 1}. Received: {queries!r}")
    return [int(index) for index in indices]
