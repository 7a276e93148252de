"""Retrieval figures from embeddings, without the distance matrix between."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.evaluation.distances import DistanceRows, blocks, checked_sides
from keras_osnet.evaluation.labels import checked_labels
from keras_osnet.evaluation.ranking import RankingResult, check_max_rank, rank_rows
from keras_osnet.evaluation.reranking import rerank_rows


def evaluate_features(
    query: ArrayLike,
    gallery: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    max_rank: int = 50,
    rerank: bool = False,
) -> RankingResult:
    """Evaluate embeddings by the protocol of Market-1501, some queries at a time.

    The figures are those of `evaluate_ranking(pairwise_distances(query, gallery, metric), ...)`,
    to the last bit. Memory holds the embeddings in float64 and 64 MiB blocks of distances, but no
    matrix of all queries by all gallery images: for MSMT17 (11,659 × 82,161, 512 numbers an
    image) that is less than 1 GB instead of 4.

    Args:
        query: Embeddings (num_query, dim) of any real dtype.
        gallery: Embeddings (num_gallery, dim) of any real dtype.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        metric: "euclidean" or "cosine"; see `pairwise_distances`.
        max_rank: Length of the CMC curve; at most `num_gallery` of it are kept.
        rerank: Whether to rank by the distances of `rerank_features`, with the parameters of the
            paper.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: For what `pairwise_distances` and `evaluate_ranking` refuse.
        TypeError: For what `evaluate_ranking` refuses.

    Example:
        >>> result = evaluate_features(
        ...     query=[[0.0, 1.0]],
        ...     gallery=[[0.2, 1.0], [1.0, 0.0]],
        ...     query_ids=["ann"],
        ...     gallery_ids=["ann", "bob"],
        ... )
        >>> result.rank(1), result.mean_average_precision
        (1.0, 1.0)
    """
    q, g = checked_sides(query, gallery, metric)
    check_max_rank(max_rank)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, (len(q), len(g)), "features"
    )
    parts: Iterator[NDArray]
    if rerank:
        both, num_query = np.concatenate([q, g]), len(q)
        del q, g  # one copy is enough
        parts = rerank_rows(DistanceRows(both, both, metric), num_query)
    else:
        rows = DistanceRows(q, g, metric)
        parts = (rows[part] for part in blocks(rows.shape))
    return rank_rows((line for part in parts for line in part), labels, max_rank)
