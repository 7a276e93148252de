"""The protocol of CUHK03's classic splits: one gallery image a person."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.evaluation.labels import checked_labels
from keras_osnet.evaluation.ranking import RankingResult, evaluate_ranking


def evaluate_single_gallery_shot(
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    max_rank: int = 50,
    repeats: int = 100,
    seed: int = 0,
) -> RankingResult:
    """Evaluate a ranked gallery by the protocol of CUHK03 (Li et al., CVPR 2014).

    For each query, the gallery images of the same identity under the same camera are left out, as
    in `evaluate_ranking`. From the rest, one image of every identity is drawn at random and the
    query's match is ranked among these; that is repeated, and the CMC curve is the mean. As in
    torchreid's "cuhk03" protocol, which repeats ten times, mAP and mINP take no part in that: they
    are those of `evaluate_ranking`, over the whole gallery. Equal distances go by gallery index.

    The images drawn for a query depend on `seed`, on the labels and on the place of the query among
    the queries, not on the distances: two models are compared on the same draws.

    Args:
        distances: As for `evaluate_ranking`.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        max_rank: Length of the CMC curve; at most the number of identities in the gallery is kept.
        repeats: How many times images are drawn, for each query.
        seed: Seed of the draws, not negative.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: If `repeats` is not positive or `seed` is negative, or for what
            `evaluate_ranking` refuses.
        TypeError: For what `evaluate_ranking` refuses.

    Example:
        Of the two images of "bob", one is nearer than the match and one is not: the match comes
        first half of the time.

        >>> result = evaluate_single_gallery_shot(
        ...     [[0.1, 0.2, 0.3]],
        ...     query_ids=["ann"],
        ...     gallery_ids=["bob", "ann", "bob"],
        ...     repeats=10000,
        ... )
        >>> round(result.rank(1), 1), result.rank(2), result.mean_average_precision
        (0.5, 1.0, 0.5)
    """
    if repeats < 1:
        raise ValueError(f"`repeats` must be at least 1. Received: {repeats}")
    if seed < 0:
        raise ValueError(f"`seed` must not be negative. Received: {seed}")
    matrix = np.asarray(distances)
    whole = evaluate_ranking(
        matrix, query_ids, gallery_ids, query_cameras, gallery_cameras, max_rank
    )
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    # The gallery, one identity after the other.
    order = np.argsort(labels.gallery_ids, kind="stable")
    identities, starts, counts = np.unique(
        labels.gallery_ids[order], return_index=True, return_counts=True
    )
    found_at = np.zeros(len(identities))
    for row, (identity, camera) in enumerate(
        zip(labels.query_ids, labels.query_cameras, strict=True)
    ):
        same = labels.gallery_ids == identity
        candidates = np.flatnonzero(same & (labels.gallery_cameras != camera))
        if not len(candidates):
            continue
        draws = np.random.default_rng([seed, row]).random((repeats, len(identities)))
        drawn = order[starts + (draws * counts).astype(np.int64)]
        own = np.searchsorted(identities, identity)
        drawn[:, own] = candidates[(draws[:, own] * len(candidates)).astype(np.int64)]
        found_at += np.bincount(_ranks(matrix[row], drawn, own) - 1, minlength=len(identities))

    cmc = np.cumsum(found_at)[:max_rank] / (repeats * whole.valid_queries)
    cmc.setflags(write=False)
    return replace(whole, cmc=cmc)


def _ranks(line: NDArray, drawn: NDArray[np.int64], own: np.intp) -> NDArray[np.int64]:
    """Return the rank (from 1) of column `own` in each row of images drawn."""
    values = line[drawn]
    match, index = values[:, own, None], drawn[:, own, None]
    nearer = (values < match) | ((values == match) & (drawn < index))
    return np.count_nonzero(nearer, axis=1) + 1
