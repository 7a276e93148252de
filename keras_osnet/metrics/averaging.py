"""Averages of several evaluations: the splits of a small dataset, or the seeds of a training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keras_osnet.metrics.ranking import RankingResult


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


def average_results(results: Sequence[RankingResult]) -> AveragedRanking:
    """Average several evaluations, such as ten splits of VIPeR or GRID, or several seeds.

    Args:
        results: At least one result, with CMC curves of the same length.

    Returns:
        An `AveragedRanking`.

    Raises:
        ValueError: If there is no result or the curves differ in length.

    Example:
        >>> from keras_osnet.metrics import evaluate_ranking
        >>> first = evaluate_ranking([[0.1, 0.2]], [1], [1, 2])
        >>> second = evaluate_ranking([[0.2, 0.1]], [1], [1, 2])
        >>> both = average_results([first, second])
        >>> f"rank-1 {both.mean.rank(1):.2f} ± {both.std.rank(1):.2f}"
        'rank-1 0.50 ± 0.71'
    """
    if not results:
        raise ValueError("`results` must hold at least one result. Received: none")
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


def _deviation(values: Sequence, axis: int = 0) -> NDArray[np.float64]:
    if len(values) == 1:  # NumPy would return NaN too, with a warning
        return np.full(np.shape(values)[1:], np.nan)
    return np.std(values, axis=axis, ddof=1)
