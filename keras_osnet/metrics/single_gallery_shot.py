"""Single-gallery-shot evaluation, the protocol of CUHK03's classic splits."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, positive_integer
from keras_osnet.metrics.ranked_lists import Labels, checked_labels, checked_matrix
from keras_osnet.metrics.ranking import RankingResult, rank_blocks


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
    in `evaluate_ranking`. From the rest, one image of every identity is sampled and the query's
    match is ranked among these. This is repeated and the CMC curve is the mean. As in torchreid's
    "cuhk03" protocol, which repeats ten times, mAP and mINP are not sampled: they are those of
    `evaluate_ranking`, over the whole gallery. Ties are broken by gallery index.

    The sampled images depend on `seed`, on the labels and on the query's index, but not on the
    distances: two models are compared on the same samples.

    Args:
        distances: As for `evaluate_ranking`.
        query_ids: As for `evaluate_ranking`.
        gallery_ids: As for `evaluate_ranking`.
        query_cameras: As for `evaluate_ranking`.
        gallery_cameras: As for `evaluate_ranking`.
        max_rank: Length of the CMC curve; at most the number of identities in the gallery is kept.
        repeats: Number of samples per query.
        seed: Seed of the sampling, not negative.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: If `repeats` is not from 1 to a million or `seed` is negative, or as for
            `evaluate_ranking`.
        TypeError: As for `evaluate_ranking`.

    Example:
        One of the two images of "bob" is closer than the match and one is not: the match comes
        first in half of the samples.

        >>> result = evaluate_single_gallery_shot(
        ...     [[0.1, 0.2, 0.3]],
        ...     query_ids=["ann"],
        ...     gallery_ids=["bob", "ann", "bob"],
        ...     repeats=10000,
        ... )
        >>> round(result.rank(1), 1), result.rank(2), result.mean_average_precision
        (0.5, 1.0, 0.5)
    """
    check_sampling(repeats, seed)
    matrix = checked_matrix(distances)
    check_whole(1, max_rank=max_rank)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    return shoot_blocks([matrix], labels, max_rank, repeats, seed)


def shoot_blocks(
    blocks: Iterable[NDArray], labels: Labels, max_rank: int, repeats: int, seed: int
) -> RankingResult:
    """Evaluate a distance matrix block by block, so that it is never in memory as a whole.

    Args:
        blocks: Consecutive rows of the distance matrix, arrays (rows, num_gallery).
        labels: Identities and cameras of queries and gallery.
        max_rank: Length of the CMC curve.
        repeats: Number of samples per query.
        seed: Seed of the sampling.

    Raises:
        ValueError: If a distance is NaN or no query has a match.
    """
    # The gallery sorted by identity.
    order = np.argsort(labels.gallery_ids, kind="stable")
    identities, starts, counts = np.unique(
        labels.gallery_ids[order], return_index=True, return_counts=True
    )
    found_at = np.zeros(len(identities))

    def draw(row: int, line: NDArray) -> None:
        identity = labels.query_ids[row]
        candidates, _ = labels.found_by(row)
        if not len(candidates):
            return
        draws = np.random.default_rng([int(seed), row]).random((repeats, len(identities)))
        drawn = order[starts + (draws * counts).astype(np.int64)]
        own = np.searchsorted(identities, identity)
        drawn[:, own] = candidates[(draws[:, own] * len(candidates)).astype(np.int64)]
        found_at[:] += np.bincount(_ranks(line, drawn, own) - 1, minlength=len(identities))

    def drawn_from() -> Iterator[NDArray]:
        """Yield the blocks to the ranking of the whole gallery after sampling from each."""
        row = 0
        for block in blocks:
            for line in block:
                draw(row, line)
                row += 1
            yield block

    whole = rank_blocks(drawn_from(), labels, max_rank)
    cmc = np.cumsum(found_at)[:max_rank] / (repeats * whole.valid_queries)
    cmc.setflags(write=False)
    return replace(whole, cmc=cmc)


def check_sampling(repeats: int, seed: int) -> None:
    """Raise ValueError unless `repeats` is from 1 to a million and `seed` is not negative."""
    positive_integer("repeats", repeats, most=1_000_000)  # a query's samples are held in memory
    check_whole(0, seed=seed)


def _ranks(line: NDArray, drawn: NDArray[np.int64], own: np.intp) -> NDArray[np.int64]:
    """Return the rank (from 1) of column `own` in each row of sampled images."""
    values = line[drawn]
    match, index = values[:, own, None], drawn[:, own, None]
    nearer = (values < match) | ((values == match) & (drawn < index))
    return np.count_nonzero(nearer, axis=1) + 1
