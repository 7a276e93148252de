"""Choose the similarity above which two images show the same person, with its uncertainty."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole, number
from keras_osnet.metrics.verification import (
    FEWEST_FALSE,
    VerificationResult,
    checked_rate,
    result_of,
)
from keras_osnet.metrics.verification_pairs import (
    PairCounts,
    VerificationPairs,
    checked_pairs,
    similarity_of,
)

Interval = tuple[float, float]

_FEWEST_PEOPLE = 5
"""With fewer, the people that are drawn are nearly always the same."""

_MOST_GROUPS = 128
"""More identities than that are drawn in groups, whose pairs are counted group by group."""

_LEVELS = 96
_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class ChosenThreshold:
    """A similarity, and the errors of "same person if the similarity is at least that".

    Attributes:
        similarity: The threshold, a cosine similarity.
        similarity_interval: Where it lies if other people are drawn: (low, high).
        false_positive_rate: Share of the pairs of different people that it accepts.
        false_positive_interval: (low, high) of that share, with this threshold.
        true_positive_rate: Share of the pairs of the same person that it accepts.
        true_positive_interval: (low, high) of that share.
        confidence: Of the intervals.
        verification: The whole curve, with numbers of pairs and people.
    """

    similarity: float
    similarity_interval: Interval
    false_positive_rate: float
    false_positive_interval: Interval
    true_positive_rate: float
    true_positive_interval: Interval
    confidence: float
    verification: VerificationResult

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the curve, for JSON."""
        facts = dataclasses.asdict(self)
        curve = facts.pop("verification")
        counts = ("genuine_pairs", "impostor_pairs", "identities")
        return facts | {name: curve[name] for name in counts}


def choose_threshold(
    query: ArrayLike,
    gallery: ArrayLike | None,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike | None = None,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
    *,
    false_positive_rate: float | None = 0.01,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> ChosenThreshold:
    """Choose the lowest similarity that accepts at most a share of the pairs of different people.

    The intervals are of the bootstrap over identities: people are drawn with replacement, and the
    pairs of two drawn people count as often as these were drawn. Pairs are not independent: those
    of one person are alike, so that intervals over pairs would be far too narrow. More than 128
    people are drawn in 128 groups.

    The pairs are those of `evaluate_verification`, which are computed twice.

    Args:
        query: As for `evaluate_verification`.
        gallery: As for `evaluate_verification`.
        query_ids: As for `evaluate_verification`.
        gallery_ids: As for `evaluate_verification`.
        query_cameras: As for `evaluate_verification`.
        gallery_cameras: As for `evaluate_verification`.
        false_positive_rate: The largest share of the pairs of different people to accept. None
            chooses the threshold with the smallest sum of both errors, each a share of its pairs.
        confidence: Of the intervals, between 0 and 1.
        resamples: How often people are drawn, at least 100.
        seed: Of the drawing, not negative.

    Returns:
        A `ChosenThreshold`.

    Raises:
        ValueError: An argument is not as above, there are too few pairs of different people for
            the rate (10 of them must be accepted) or fewer than 5 people, or as for
            `evaluate_verification`.
        TypeError: As for `evaluate_verification`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> ids = np.arange(20).repeat(4)
        >>> vectors = rng.normal(size=(20, 16))[ids] + 0.5 * rng.normal(size=(80, 16))
        >>> chosen = choose_threshold(vectors, None, ids, false_positive_rate=0.01)
        >>> chosen.false_positive_rate <= 0.01 < chosen.true_positive_rate
        True
    """
    allowed = None if false_positive_rate is None else checked_rate(false_positive_rate)
    confidence = number("confidence", confidence, 0, 1)
    if confidence in (0, 1):
        raise ValueError(f"`confidence` must be between 0 and 1. Received: {confidence}")
    check_whole(100, resamples=resamples)
    check_whole(0, seed=seed)
    pairs = checked_pairs(query, gallery, query_ids, gallery_ids, query_cameras, gallery_cameras)
    counts = pairs.count()
    check_enough_pairs(counts, allowed)
    genuine, impostor = pairs.histograms()
    result = result_of(genuine, impostor, counts.identities)

    def chosen_at(true: NDArray, false: NDArray) -> int:
        """Return the place of the threshold in rates that rise along the last axis."""
        if allowed is not None:
            return int(np.searchsorted(false, allowed, side="right")) - 1
        # In the middle where several are best, such as between people who are well apart.
        errors = np.round(false - true, 12)
        best = np.flatnonzero(errors == errors.min())
        return int(best[len(best) // 2])

    true, false = (np.cumsum(counts) / counts.sum() for counts in (genuine, impostor))
    step = chosen_at(true, false)
    if step < 0:
        raise ValueError(
            "`false_positive_rate` cannot be reached: more pairs of different people have the same "
            f"embedding. Received: {false_positive_rate}, {impostor[0]} such pairs of "
            f"{result.impostor_pairs}"
        )
    steps = np.union1d(_candidates(genuine, impostor, allowed), step)
    place = int(np.searchsorted(steps, step))
    drawn_steps, drawn_true, drawn_false = [], [], []
    for true, false in _drawn_rates(pairs, steps, resamples, seed):
        drawn_steps.append(steps[max(chosen_at(true, false), 0)])  # the first accepts nobody
        drawn_true.append(true[place])
        drawn_false.append(false[place])

    def interval(values: Any) -> Interval:
        low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)

    similarity = float(similarity_of(step))
    at = result.rates_at(similarity)
    return ChosenThreshold(
        similarity=similarity,
        similarity_interval=interval(similarity_of(np.array(drawn_steps))),
        false_positive_rate=at[0],
        false_positive_interval=interval(drawn_false),
        true_positive_rate=at[1],
        true_positive_interval=interval(drawn_true),
        confidence=confidence,
        verification=result,
    )


def check_enough_pairs(counts: PairCounts, allowed: float | None) -> None:
    """Check that there are enough pairs to choose a threshold.

    Args:
        counts: Numbers of pairs.
        allowed: The false positive rate, or None for the smallest sum of both errors.

    Raises:
        ValueError: There are too few pairs of different people for the rate, or pairs of too few
            people for an interval.
    """
    if allowed is not None and counts.impostor * allowed < FEWEST_FALSE:
        raise ValueError(
            f"`false_positive_rate` needs at least {np.ceil(FEWEST_FALSE / allowed):,.0f} pairs of "
            f"different people, {FEWEST_FALSE} of which are accepted then. "
            f"Received: {allowed:g}, {counts.impostor:,} pairs"
        )
    if counts.people < _FEWEST_PEOPLE:
        raise ValueError(
            f"There must be pairs of at least {_FEWEST_PEOPLE} people for an interval over people. "
            f"Received: pairs of {counts.people} of {counts.identities} identities"
        )


def _candidates(
    genuine: NDArray[np.int64], impostor: NDArray[np.int64], allowed: float | None
) -> NDArray[np.int64]:
    """Return the steps among which a drawn set of people chooses, ascending.

    They are dense around the rate, as errors are to be measured relative to it.
    """
    low, high = (1e-4, 1.0) if allowed is None else (allowed / 20, min(20 * allowed, 1.0))
    accepted = np.cumsum(impostor)
    levels = np.geomspace(low, high, _LEVELS) * accepted[-1]
    steps = np.searchsorted(accepted, levels, side="right") - 1
    quantiles = np.linspace(0, 1, _LEVELS) * genuine.sum()
    others = np.searchsorted(np.cumsum(genuine), quantiles)
    none_accepted = np.flatnonzero(impostor)[0] - 1
    return np.unique(np.maximum(np.concatenate([[none_accepted], steps, others]), 0))


def _drawn_rates(
    pairs: VerificationPairs, steps: NDArray[np.int64], resamples: int, seed: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the true and the false positive rates at some steps, for each drawing of people."""
    rng = np.random.default_rng(seed)
    identities = pairs.identities
    groups = min(len(identities), _MOST_GROUPS)
    group_of = np.zeros(identities[-1] + 1, np.int64)
    group_of[identities] = rng.permutation(len(identities)) % groups
    genuine, impostor = pairs.counts_by_group(steps, group_of, groups)
    within = impostor[np.arange(groups), np.arange(groups)]  # people of one group
    for start in range(0, resamples, _AT_ONCE):
        count = min(_AT_ONCE, resamples - start)
        drawn = rng.multinomial(groups, np.full(groups, 1 / groups), count).astype(np.float64)
        accepted = np.einsum("dg,dgn->dn", drawn, np.tensordot(drawn, impostor, 1))
        # A group that is drawn twice has its own pairs twice, not four times.
        accepted -= (drawn**2 - drawn) @ within
        for true, false in zip(drawn @ genuine, accepted, strict=True):
            if true[-1] and false[-1]:
                yield true[:-1] / true[-1], false[:-1] / false[-1]
