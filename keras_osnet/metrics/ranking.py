"""Ranking a gallery: CMC, mAP and mINP, by the protocol of Market-1501."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole

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
        if not 1 <= k <= len(self.cmc):
            raise ValueError(f"`k` must be between 1 and {len(self.cmc)}. Received: {k}")
        return float(self.cmc[k - 1])

    def to_dict(self, ranks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
        """Return the usual measures: `rank_1`, `rank_5`, `rank_10`, `mAP` and `mINP`.

        A rank beyond the end of the curve is reported as the last one.

        Args:
            ranks: The ranks to report, from 1.

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


@dataclass(frozen=True, eq=False)
class Labels:
    """Identities and cameras of queries and gallery, as integer codes.

    Equal labels have equal codes, within and across the two sides.

    Attributes:
        query_ids: Array (num_query,), int64.
        gallery_ids: Array (num_gallery,), int64.
        query_cameras: Array (num_query,), int64.
        gallery_cameras: Array (num_gallery,), int64. Without cameras, the codes of the two sides
            are disjoint.
        cameras_given: Whether cameras were given.
    """

    query_ids: NDArray[np.int64]
    gallery_ids: NDArray[np.int64]
    query_cameras: NDArray[np.int64]
    gallery_cameras: NDArray[np.int64]
    cameras_given: bool

    def found_by(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the gallery images of a query's identity: its matches, and those left out.

        Images under the query's own camera are left out.

        Returns:
            Two arrays of indices into the gallery, each in ascending order.
        """
        order, sorted_ids = self._by_identity
        identity = self.query_ids[query]
        images = order[slice(*np.searchsorted(sorted_ids, (identity, identity + 1)))]
        left_out = self.gallery_cameras[images] == self.query_cameras[query]
        return images[~left_out], images[left_out]

    @cached_property
    def _by_identity(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return gallery indices sorted by identity, and the sorted identities."""
        order = np.argsort(self.gallery_ids, kind="stable")
        return order, self.gallery_ids[order]

    def error_if_no_match(self) -> ValueError:
        """Return the error to raise if no query has a match in the gallery."""
        under = " under another camera" if self.cameras_given else ""
        q_ids, g_ids = self.query_ids, self.gallery_ids
        return ValueError(
            f"No query identity appears in the gallery{under}. "
            f"Received: {len(q_ids)} queries of {len(np.unique(q_ids))} identities, "
            f"{len(g_ids)} gallery images of {len(np.unique(g_ids))} identities, "
            f"{len(np.intersect1d(q_ids, g_ids))} identities in both"
        )


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


def checked_labels(
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    query_cameras: ArrayLike | None,
    gallery_cameras: ArrayLike | None,
    shape: tuple[int, int],
    beside: str,
) -> Labels:
    """Check the labels of an evaluation and convert them to integer codes.

    Args:
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.
        shape: (num_query, num_gallery).
        beside: Name of the array of that shape, for error messages.

    Raises:
        ValueError: If shapes do not agree or only one side's cameras are given.
        TypeError: If labels are neither integers nor strings, or of one kind for the queries and
            of the other for the gallery.
    """
    ids = _codes(query_ids, gallery_ids, "ids", shape, beside)
    if query_cameras is not None and gallery_cameras is not None:
        cameras = _codes(query_cameras, gallery_cameras, "cameras", shape, beside)
        return Labels(*ids, *cameras, cameras_given=True)
    if query_cameras is None and gallery_cameras is None:
        cameras = np.zeros(shape[0], np.int64), np.ones(shape[1], np.int64)
        return Labels(*ids, *cameras, cameras_given=False)
    given, missing = ("query", "gallery") if gallery_cameras is None else ("gallery", "query")
    raise ValueError(
        "`query_cameras` and `gallery_cameras` must be given together or not at all. "
        f"Received: {given}_cameras but no {missing}_cameras"
    )


def _codes(
    query: ArrayLike, gallery: ArrayLike, what: str, shape: tuple[int, int], beside: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sides = []
    for side, values, length in zip(("query", "gallery"), (query, gallery), shape, strict=True):
        array = np.asarray(values)
        if array.shape != (length,):
            raise ValueError(
                f"`{side}_{what}` must have shape ({length},) to go with the {beside}. "
                f"Received: {side}_{what} of shape {array.shape}, {beside} of shape {shape}"
            )
        if array.dtype == object:  # such as strings from pandas
            array = np.asarray(array.tolist())
        if array.dtype.kind not in "iuUS":
            raise TypeError(
                f"`{side}_{what}` must hold integers or strings. Received: dtype {array.dtype}"
            )
        # int64 and uint64 together would be promoted to float64, which merges large integers.
        sides.append(array.astype(np.int64) if array.dtype.kind == "u" else array)
    if sides[0].dtype.kind != sides[1].dtype.kind:
        raise TypeError(
            f"`query_{what}` and `gallery_{what}` must be of the same kind. "
            f"Received: dtypes {sides[0].dtype} and {sides[1].dtype}"
        )
    codes = np.unique(np.concatenate(sides), return_inverse=True)[1]
    return codes[: shape[0]], codes[shape[0] :]


def checked_matrix(distances: ArrayLike) -> NDArray:
    """Return the distances as an array, or raise ValueError if they are not a matrix."""
    matrix = np.asarray(distances)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(
            "`distances` must be a non-empty array (num_query, num_gallery). "
            f"Received: shape {matrix.shape}"
        )
    return matrix


def check_numbers(line: NDArray, row: int) -> None:
    """Raise ValueError if a row of distances holds NaN, which cannot be ranked."""
    if np.isnan(line).any():
        column = int(np.isnan(line).argmax())
        raise ValueError(
            f"`distances` must not hold NaN. Received: NaN in row {row}, column {column}"
        )
