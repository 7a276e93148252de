"""How well a distance matrix ranks a gallery: CMC, mAP and mINP."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.metrics.labels import Labels, checked_labels

# How many queries a thread ranks before it turns to others.
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class RankingResult:
    """The measures of one evaluation, all in 0..1.

    Attributes:
        cmc: Array (min(max_rank, num_gallery),), float64, read-only: entry k-1 is rank-k, the
            share of queries with a match among their first k gallery images.
        mean_average_precision: mAP.
        mean_inverse_negative_penalty: mINP (Ye et al., TPAMI 2021): the mean of matches over the
            rank of the last match, that is, how far down one has to look to find them all.
        valid_queries: Number of queries with at least one match, over which the means are taken.
    """

    cmc: NDArray[np.float64]
    mean_average_precision: float
    mean_inverse_negative_penalty: float
    valid_queries: int

    def rank(self, k: int) -> float:
        """Rank-k, the share of queries with a match among their first `k` gallery images.

        Args:
            k: From 1 to the length of `cmc`.

        Raises:
            ValueError: If `k` is outside that range.
        """
        if not 1 <= k <= len(self.cmc):
            raise ValueError(f"`k` must be between 1 and {len(self.cmc)}. Received: {k}")
        return float(self.cmc[k - 1])

    def figures(self, ranks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
        """What is usually reported: `rank_1`, `rank_5`, `rank_10`, `mAP` and `mINP`.

        A rank beyond the curve is its last one: in a gallery of six, whoever is found is found
        among the first six.

        Args:
            ranks: Which ranks, from 1.

        Raises:
            ValueError: If a rank is below 1.
        """
        return {
            **{f"rank_{k}": self.rank(min(k, len(self.cmc))) for k in ranks},
            "mAP": self.mean_average_precision,
            "mINP": self.mean_inverse_negative_penalty,
        }


def evaluate_ranking(
    distances: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    max_rank: int = 50,
) -> RankingResult:
    """Evaluate a ranked gallery by the protocol of Market-1501 (Zheng et al., ICCV 2015).

    For each query, the gallery images of the same identity *under the same camera* are left out:
    they are near-duplicates of the query. A query with no match left is skipped. Average
    precision is the mean, over a query's matches, of the precision at each match. This is
    torchreid's "market1501" protocol, except that its order among equal distances is undefined:
    here they go by gallery index.

    Without cameras nothing is left out, so a gallery that contains the queries themselves finds
    them at rank 1.

    Args:
        distances: Array (num_query, num_gallery) of real numbers; smaller is more alike. Infinity
            is allowed and ranks last.
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        max_rank: Length of the CMC curve; at most `num_gallery` of it are kept.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: If shapes do not agree, a distance is NaN, only one side's cameras are given,
            `max_rank` is not positive, or no query has a match.
        TypeError: If identities or cameras are neither integers nor strings, or are of one kind
            for the queries and of the other for the gallery.

    Example:
        The first query finds its only match second. The second query's identity is in the
        gallery under its own camera alone, and is skipped.

        >>> result = evaluate_ranking(
        ...     [[0.1, 0.2, 0.3], [0.2, 0.1, 0.3]],
        ...     query_ids=["ann", "bob"],
        ...     gallery_ids=["bob", "ann", "eve"],
        ...     query_cameras=[1, 1],
        ...     gallery_cameras=[1, 2, 2],
        ... )
        >>> result.rank(1), result.rank(2), result.mean_average_precision, result.valid_queries
        (0.0, 1.0, 0.5, 1)
    """
    matrix = checked_matrix(distances)
    check_max_rank(max_rank)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    return rank_blocks([matrix], labels, max_rank)


def rank_blocks(blocks: Iterable[NDArray], labels: Labels, max_rank: int) -> RankingResult:
    """Evaluate some queries after the other, so that the matrix need not be there as a whole.

    Args:
        blocks: Rows of the distance matrix (some queries, num_gallery), in order. A block may be
            overwritten when the next one is asked for.
        labels: The labels of both sides.
        max_rank: Length of the CMC curve.

    Raises:
        ValueError: If a distance is NaN or no query has a match.
    """
    first_ranks, precisions, penalties = [], [], []
    with ThreadPoolExecutor() as pool:
        for ranks in _ranks_by_query(blocks, labels, pool):
            if not len(ranks):
                continue
            first_ranks.append(ranks[0])
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
            penalties.append(len(ranks) / ranks[-1])

    if not precisions:
        raise labels.error_if_no_match()
    length = min(max_rank, len(labels.gallery_ids))
    found_at = np.bincount(np.asarray(first_ranks) - 1, minlength=length)[:length]
    cmc = np.cumsum(found_at) / len(first_ranks)
    cmc.setflags(write=False)
    return RankingResult(
        cmc=cmc,
        mean_average_precision=float(np.mean(precisions)),
        mean_inverse_negative_penalty=float(np.mean(penalties)),
        valid_queries=len(precisions),
    )


def _ranks_by_query(
    blocks: Iterable[NDArray], labels: Labels, pool: Executor
) -> Iterator[NDArray[np.int64]]:
    """Yield the ascending ranks of every query's matches, in the order of the queries."""

    def of_some(block: NDArray, start: int, first: int) -> list[NDArray[np.int64]]:
        """The ranks for a few of the block's rows, of which the first is row `first` of all."""
        ranks = []
        for row, line in enumerate(block[start : start + _ROWS_AT_ONCE], start=first + start):
            check_numbers(line, row)
            ranks.append(_match_ranks(line, *labels.found_by(row)))
        return ranks

    first = 0
    for block in blocks:
        starts = range(0, len(block), _ROWS_AT_ONCE)
        # NumPy sorts and compares without holding Python's lock.
        for some in pool.map(of_some, repeat(block), starts, repeat(first)):
            yield from some
        first += len(block)


def _match_ranks(
    line: NDArray, matches: NDArray[np.int64], left_out: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ascending ranks (from 1) that the matches take in a stable sort of the distances.

    Args:
        line: Array (num_gallery,) of the distances.
        matches: Which gallery images are matches.
        left_out: Which take no part.
    """
    if not len(matches):
        return matches
    # Only the matches' ranks are wanted, and what is farther than the last match has no say in
    # them. Sorting the values of the rest is several times as fast as a stable argsort.
    wanted = np.sort(line[matches])
    near = line <= wanted[-1]
    near[left_out] = False
    kept = line[near]
    values = np.sort(kept)
    nearer = np.searchsorted(values, wanted, side="left")
    ranks = nearer + 1
    tied = np.searchsorted(values, wanted, side="right") > ranks
    if tied.any():
        # Equal distances go by gallery index, in which order `kept` still is.
        matching = np.zeros(len(line), bool)
        matching[matches] = True
        matching = matching[near]
        for value in np.unique(wanted[tied]):
            same = wanted == value
            ranks[same] = nearer[same] + np.flatnonzero(matching[kept == value]) + 1
    return ranks


def checked_matrix(distances: ArrayLike) -> NDArray:
    """Return the distances as an array, or raise a ValueError if it is no matrix."""
    matrix = np.asarray(distances)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(
            "`distances` must be a non-empty array (num_query, num_gallery). "
            f"Received: shape {matrix.shape}"
        )
    return matrix


def check_numbers(line: NDArray, row: int) -> None:
    """Raise a ValueError if a row of distances holds NaN, which has no place in an order."""
    if np.isnan(line).any():
        column = int(np.isnan(line).argmax())
        raise ValueError(
            f"`distances` must not hold NaN. Received: NaN in row {row}, column {column}"
        )


def check_max_rank(max_rank: int) -> None:
    """Raise a ValueError if a CMC curve cannot be that long."""
    if max_rank < 1:
        raise ValueError(f"`max_rank` must be at least 1. Received: {max_rank}")
