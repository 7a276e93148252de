"""Ranking a gallery: CMC, mAP and mINP, by the protocol of Market-1501; and their averages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, whole_number
from keras_osnet.metrics.ranked_lists import Labels, check_numbers, checked_labels, checked_matrix

# Queries per task of the thread pool.
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class RankingResult:
    """The measures of one evaluation, all from 0 to 1.

    Attributes:
        cmc: Array (min(max_rank, num_gallery),), float64, read-only: entry k-1 is rank-k, the
            share of queries with a match among their k nearest gallery images.
        mean_average_precision: mAP.
        mean_inverse_negative_penalty: mINP (Ye et al., TPAMI 2021): the mean over queries of the
            number of matches divided by the rank of the last match.
        valid_queries: Number of queries with at least one match, over which the means are taken.
    """

    cmc: NDArray[np.float64]
    mean_average_precision: float
    mean_inverse_negative_penalty: float
    valid_queries: int

    def rank(self, k: int) -> float:
        """Return rank-k, the share of queries with a match among their `k` nearest gallery images.

        Args:
            k: From 1 to the length of `cmc`.

        Raises:
            ValueError: If `k` is outside that range.
        """
        rank = whole_number(k)
        if rank is None or not 1 <= rank <= len(self.cmc):
            raise ValueError(f"`k` must be between 1 and {len(self.cmc)}. Received: {k!r}")
        return float(self.cmc[rank - 1])

    def to_dict(self, ranks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
        """Return the usual measures: `rank_1`, `rank_5`, `rank_10`, `mAP` and `mINP`.

        A rank beyond the end of the curve is reported as the last one.

        Args:
            ranks: The ranks to report, from 1.

        Raises:
            ValueError: If a rank is not a whole number of at least 1.
        """
        if not isinstance(ranks, Iterable):
            raise ValueError(
                f"`ranks` must be a list of ranks, such as (1, 5). Received: {ranks!r}"
            )
        for k in ranks:
            check_whole(1, ranks=k)
        return {
            **{f"rank_{k}": self.rank(min(k, len(self.cmc))) for k in ranks},
            "mAP": self.mean_average_precision,
            "mINP": self.mean_inverse_negative_penalty,
        }


@dataclass(frozen=True, eq=False)
class AveragedRanking:
    """Mean and standard deviation of several evaluations.

    Attributes:
        mean: The unweighted mean of every measure.
        std: The sample standard deviation of every measure (divided by `runs` - 1); NaN for a
            single evaluation.
        runs: Number of evaluations. `valid_queries` of both `mean` and `std` is their total.
    """

    mean: RankingResult
    std: RankingResult
    runs: int


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
    torchreid's "market1501" protocol, except that ties, whose order is undefined there, are broken
    by gallery index.

    Without cameras nothing is left out, so a gallery that contains the queries themselves returns
    them at rank 1.

    Args:
        distances: Array (num_query, num_gallery) of real numbers; smaller is more similar.
            Infinity is allowed and ranks last.
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        max_rank: Length of the CMC curve, cut at `num_gallery`.

    Returns:
        A `RankingResult`.

    Raises:
        ValueError: If shapes do not agree, a distance is NaN, only one side's cameras are given,
            `max_rank` is not positive, or no query has a match.
        TypeError: If identities or cameras are neither integers nor strings, or are of one kind
            for the queries and of the other for the gallery.

    Example:
        The only match of the first query ranks second. The second query is skipped: its identity
        is in the gallery under its own camera only.

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
    check_whole(1, max_rank=max_rank)
    labels = checked_labels(
        query_ids, gallery_ids, query_cameras, gallery_cameras, matrix.shape, "distances"
    )
    return rank_blocks([matrix], labels, max_rank)


def average_results(results: Sequence[RankingResult]) -> AveragedRanking:
    """Average several evaluations, such as ten splits of VIPeR or GRID, or several seeds.

    Args:
        results: At least one result, with CMC curves of the same length.

    Returns:
        An `AveragedRanking`.

    Raises:
        ValueError: If there is no result or the curves differ in length.

    Example:
        >>> first = evaluate_ranking([[0.1, 0.2]], [1], [1, 2])
        >>> second = evaluate_ranking([[0.2, 0.1]], [1], [1, 2])
        >>> both = average_results([first, second])
        >>> f"rank-1 {both.mean.rank(1):.2f} ± {both.std.rank(1):.2f}"
        'rank-1 0.50 ± 0.71'
    """
    if not isinstance(results, Sequence) or not results:
        raise ValueError(
            "`results` must be a list of at least one result. "
            f"Received: {'none' if isinstance(results, Sequence) else type(results).__name__}"
        )
    for result in results:
        if not isinstance(result, RankingResult):
            raise ValueError(
                "`results` must hold the results of `evaluate_ranking` and its like; those of "
                "`evaluate_retrieval` have one as `ranking`. "
                f"Received: {type(result).__name__}"
            )
    lengths = [len(result.cmc) for result in results]
    if len(set(lengths)) > 1:
        raise ValueError(
            "`results` must have CMC curves of the same length; give all evaluations a `max_rank` "
            f"that every gallery reaches. Received: lengths {lengths}"
        )

    def combined(function: Callable) -> RankingResult:
        cmc = function([result.cmc for result in results], axis=0)
        cmc.setflags(write=False)
        return RankingResult(
            cmc=cmc,
            mean_average_precision=float(function([r.mean_average_precision for r in results])),
            mean_inverse_negative_penalty=float(
                function([r.mean_inverse_negative_penalty for r in results])
            ),
            valid_queries=sum(result.valid_queries for result in results),
        )

    return AveragedRanking(combined(np.mean), combined(_deviation), len(results))


def rank_blocks(blocks: Iterable[NDArray], labels: Labels, max_rank: int) -> RankingResult:
    """Evaluate a distance matrix block by block, so that it is never in memory as a whole.

    Args:
        blocks: Consecutive rows of the distance matrix, arrays (rows, num_gallery). A block may be
            overwritten once the next one is requested.
        labels: Identities and cameras of queries and gallery.
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
    """Yield the ascending ranks of the matches of every query, in order."""

    def of_some(block: NDArray, start: int, first: int) -> list[NDArray[np.int64]]:
        """Rank some rows of a block, whose first row is row `first` of the matrix."""
        ranks = []
        for row, line in enumerate(block[start : start + _ROWS_AT_ONCE], start=first + start):
            check_numbers(line, row)
            ranks.append(_match_ranks(line, *labels.found_by(row)))
        return ranks

    first = 0
    for block in blocks:
        starts = range(0, len(block), _ROWS_AT_ONCE)
        # NumPy releases the GIL while it sorts and compares.
        for some in pool.map(of_some, repeat(block), starts, repeat(first)):
            yield from some
        first += len(block)


def _match_ranks(
    line: NDArray, matches: NDArray[np.int64], left_out: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the ascending ranks (from 1) of the matches in a stable sort of the distances.

    Args:
        line: Array (num_gallery,) of the distances.
        matches: Indices of the matches.
        left_out: Indices that are ignored.
    """
    if not len(matches):
        return matches
    # Only images at most as far as the last match affect the ranks. Sorting their values is
    # several times faster than a stable argsort of all.
    wanted = np.sort(line[matches])
    near = line <= wanted[-1]
    near[left_out] = False
    kept = line[near]
    values = np.sort(kept)
    nearer = np.searchsorted(values, wanted, side="left")
    ranks = nearer + 1
    tied = np.searchsorted(values, wanted, side="right") > ranks
    if tied.any():
        # Ties are broken by gallery index; `kept` is in that order.
        matching = np.zeros(len(line), bool)
        matching[matches] = True
        matching = matching[near]
        for value in np.unique(wanted[tied]):
            same = wanted == value
            ranks[same] = nearer[same] + np.flatnonzero(matching[kept == value]) + 1
    return ranks


def _deviation(values: Sequence, axis: int = 0) -> NDArray[np.float64]:
    if len(values) == 1:  # NumPy would return NaN too, with a warning
        return np.full(np.shape(values)[1:], np.nan)
    return np.std(values, axis=axis, ddof=1)
