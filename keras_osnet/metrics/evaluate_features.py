"""Evaluate embeddings without a full distance matrix in memory."""

from collections.abc import Iterator
from typing import Literal, get_args

from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import boolean, check_whole
from keras_osnet.metrics.distances import (
    DistanceRows,
    Metric,
    check_metric,
    checked_sides,
    distance_blocks,
)
from keras_osnet.metrics.ranked_lists import checked_labels
from keras_osnet.metrics.ranking import RankingResult, rank_blocks
from keras_osnet.metrics.reranking import K1, rerank_rows, rows_of_all
from keras_osnet.metrics.single_gallery_shot import check_sampling, shoot_blocks

GalleryProtocol = Literal["market1501", "single-gallery-shot"]
"""Protocol by which a ranked gallery is evaluated."""


def evaluate_features(
    query: ArrayLike,
    gallery: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    metric: Metric = "cosine",
    max_rank: int = 50,
    rerank: bool = False,
    protocol: GalleryProtocol = "market1501",
    repeats: int = 100,
    seed: int = 0,
) -> RankingResult:
    """Evaluate embeddings by the protocol of Market-1501 or CUHK03, some queries at a time.

    The result is that of `evaluate_ranking(pairwise_distances(query, gallery, metric), ...)`,
    or of `evaluate_single_gallery_shot`, bit by bit. Only the distances of some queries at a time
    are in memory, never the full matrix.

    Args:
        query: Embeddings (num_query, dim) of any real dtype.
        gallery: Embeddings (num_gallery, dim) of any real dtype.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        metric: "cosine" or "euclidean"; see `pairwise_distances`.
        max_rank: Length of the CMC curve, cut at `num_gallery`.
        rerank: Whether to re-rank with `rerank_features` and the parameters of the paper.
        protocol: "market1501" searches the whole gallery, as `evaluate_ranking` does;
            "single-gallery-shot" repeatedly samples one image of every identity, as
            `evaluate_single_gallery_shot` does.
        repeats: For "single-gallery-shot": number of samples per query.
        seed: For "single-gallery-shot": seed of the sampling, not negative.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: If `pairwise_distances`, `evaluate_ranking` or `evaluate_single_gallery_shot`
            would raise one; if `protocol` is unknown; if there are too few images to re-rank.
        TypeError: If `evaluate_ranking` would raise one.

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
    check_ranking(metric, max_rank, rerank, protocol, repeats, seed)
    q, g = checked_sides(query, gallery, metric)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, (len(q), len(g)), "features"
    )
    parts: Iterator[NDArray]
    if rerank:
        if len(q) + len(g) <= K1:
            raise ValueError(
                f"`rerank=True` needs at least {K1 + 1} images, queries and gallery together, as "
                f"it compares images by the {K1} nearest of each. "
                f"Received: {len(q)} queries, {len(g)} gallery images"
            )
        parts = rerank_rows(rows_of_all(q, g, metric), len(q))
    else:
        parts = distance_blocks(DistanceRows(q, g, metric))
    if protocol == "single-gallery-shot":
        return shoot_blocks(parts, labels, max_rank, repeats, seed)
    return rank_blocks(parts, labels, max_rank)


def check_ranking(
    metric: str, max_rank: int, rerank: bool, protocol: str, repeats: int, seed: int
) -> None:
    """Raise ValueError if an argument of `evaluate_features` other than an array is wrong."""
    check_metric(metric)
    check_whole(1, max_rank=max_rank)
    boolean("rerank", rerank)
    if not isinstance(protocol, str) or protocol not in get_args(GalleryProtocol):
        listed = " or ".join(f'"{name}"' for name in get_args(GalleryProtocol))
        raise ValueError(f"`protocol` must be {listed}. Received: {protocol!r}")
    check_sampling(repeats, seed)
