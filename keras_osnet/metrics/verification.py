"""Verification: are two images of the same person? ROC, TPR at a given FPR, and EER."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import number
from keras_osnet.metrics.verification_pairs import checked_pairs, similarity_of

FEWEST_FALSE = 10
"""Pairs of different people that a false positive rate must accept to be measured."""


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """The ROC curve of the decision "same person if the similarity is at least the threshold".

    Attributes:
        thresholds: Array (n,), float64, descending: the cosine similarities at which the curve
            changes, rounded down to multiples of 2⁻¹⁶. The first is above every pair's.
        false_positive_rates: Array (n,): share of the pairs of different people that each
            threshold accepts; from 0 to 1.
        true_positive_rates: Array (n,): share of the pairs of the same person; from 0 to 1.
        equal_error_rate: Where as large a share of the pairs of different people is accepted as is
            rejected of the pairs of the same person; between two thresholds, interpolated.
        genuine_pairs: Number of pairs of the same person.
        impostor_pairs: Number of pairs of different people.
        identities: Number of people.
    """

    thresholds: NDArray[np.float64]
    false_positive_rates: NDArray[np.float64]
    true_positive_rates: NDArray[np.float64]
    equal_error_rate: float
    genuine_pairs: int
    impostor_pairs: int
    identities: int

    def rates_at(self, threshold: float) -> tuple[float, float]:
        """Return the false and the true positive rate of a threshold, a multiple of 2⁻¹⁶.

        A similarity between two multiples is rounded up.

        Raises:
            ValueError: The threshold is not from -1 to 1.
        """
        threshold = number("threshold", threshold, -1, 1)
        # `thresholds` descends: the last one that is not below, or the first, above every pair's.
        place = max(int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1, 0)
        return float(self.false_positive_rates[place]), float(self.true_positive_rates[place])

    def true_positive_rate_at(self, false_positive_rate: float) -> float:
        """Return the true positive rate at the lowest threshold of a false positive rate.

        Args:
            false_positive_rate: The largest rate that is allowed, above 0 and at most 1.

        Returns:
            The rate, or NaN if there are too few pairs of different people to tell: fewer than 10
            of them would be accepted.

        Raises:
            ValueError: The rate is not above 0 and at most 1.
        """
        allowed = checked_rate(false_positive_rate)
        if self.impostor_pairs * allowed < FEWEST_FALSE:
            return float("nan")
        place = np.searchsorted(self.false_positive_rates, allowed, side="right") - 1
        return float(self.true_positive_rates[place])

    def to_dict(self, rates: Sequence[float] = (1e-1, 1e-2, 1e-3, 1e-4)) -> dict[str, float]:
        """Return the equal error rate, and the true positive rate at some false positive rates.

        Those that there are too few pairs for are NaN.

        Args:
            rates: The false positive rates.
        """
        at = {f"true_positive_rate_at_{rate:g}": self.true_positive_rate_at(rate) for rate in rates}
        return {"equal_error_rate": self.equal_error_rate, **at}


def evaluate_verification(
    query: ArrayLike,
    gallery: ArrayLike | None,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike | None = None,
    query_cameras: ArrayLike | None = None,
    gallery_cameras: ArrayLike | None = None,
) -> VerificationResult:
    """Evaluate how well the cosine similarity of two embeddings tells whether it is one person.

    With cameras, only pairs under different cameras count. Retrieval leaves out those of one person
    under one camera; here those of different people are left out as well, because two people under
    one camera look more alike than under two, and the threshold would be that of another question.

    Similarities are computed as by `pairwise_distances`, some rows at a time, and counted in steps
    of 2⁻¹⁶: the rates at these thresholds are exact, and there are none between. Equal embeddings
    have the similarity 1, whatever rounding leaves.

    Args:
        query: Embeddings (num_query, dim) of any real dtype.
        gallery: Embeddings (num_gallery, dim), each compared with every query; or None to compare
            each two images of `query` once.
        query_ids: Identities of the queries (num_query,), integers or strings.
        gallery_ids: Identities of the gallery images (num_gallery,), of the same kind.
        query_cameras: Cameras of the queries (num_query,), integers or strings, or None.
        gallery_cameras: Cameras of the gallery images (num_gallery,), or None.

    Returns:
        A `VerificationResult`.

    Raises:
        ValueError: Shapes do not agree, an embedding is NaN or infinite, only one side's cameras
            are given, or there is no pair of one person or none of different people.
        TypeError: Identities or cameras are neither integers nor strings, or are of one kind for
            the queries and of the other for the gallery.

    Example:
        >>> vectors = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]
        >>> result = evaluate_verification(vectors, None, ["ann", "ann", "bob", "bob"])
        >>> result.genuine_pairs, result.impostor_pairs, result.equal_error_rate
        (2, 4, 0.0)
        >>> result.rates_at(0.5)
        (0.0, 1.0)
    """
    pairs = checked_pairs(query, gallery, query_ids, gallery_ids, query_cameras, gallery_cameras)
    counts = pairs.count()  # fails before the distances are computed
    return result_of(*pairs.histograms(), counts.identities)


def result_of(
    genuine: NDArray[np.int64], impostor: NDArray[np.int64], identities: int
) -> VerificationResult:
    """Return the result of two histograms of `VerificationPairs`."""
    steps = np.flatnonzero(genuine + impostor)
    false, true = (
        np.concatenate([[0.0], np.cumsum(counts[steps]) / counts.sum()])
        for counts in (impostor, genuine)
    )
    thresholds = similarity_of(np.concatenate([[steps[0] - 1], steps]))
    for array in (thresholds, false, true):
        array.setflags(write=False)
    return VerificationResult(
        thresholds,
        false,
        true,
        equal_error_rate=_equal_error_rate(false, true),
        genuine_pairs=int(genuine.sum()),
        impostor_pairs=int(impostor.sum()),
        identities=identities,
    )


def checked_rate(value: float) -> float:
    """Return a false positive rate if it is above 0 and at most 1, else raise ValueError."""
    rate = number("false_positive_rate", value, 0, 1)
    if rate == 0:
        raise ValueError(f"`false_positive_rate` must be above 0. Received: {value!r}")
    return rate


def _equal_error_rate(false_positive: NDArray, true_positive: NDArray) -> float:
    """Return the rate where the curve crosses the line of equal errors."""
    excess = false_positive - (1 - true_positive)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    low, high = excess[after - 1], excess[after]
    low_rate, high_rate = false_positive[after - 1], false_positive[after]
    return float(low_rate + (high_rate - low_rate) * low / (low - high))
