"""Metrics of pedestrian attribute recognition."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.metrics.features import checked_shape


@dataclass(frozen=True, eq=False)
class AttributeResult:
    """The measures of one evaluation, all from 0 to 1.

    Attributes:
        mean_accuracy: mA, the mean of `attribute_accuracy` (label-based).
        accuracy: Mean over the images of |predicted and true| / |predicted or true|, where these
            are sets of attributes (instance-based, as are the next two).
        precision: Mean over the images of |predicted and true| / |predicted|.
        recall: Mean over the images of |predicted and true| / |true|.
        f1: Harmonic mean of `precision` and `recall` (not the mean of the per-image F1); 0 if
            both are 0.
        attribute_accuracy: Array (num_attributes,), float64, read-only: for each attribute, the
            mean of its true positive rate and its true negative rate; NaN for an attribute that
            all images have or none has.
    """

    mean_accuracy: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    attribute_accuracy: NDArray[np.float64]


def evaluate_attributes(
    probabilities: ArrayLike, labels: ArrayLike, threshold: float = 0.5
) -> AttributeResult:
    """Evaluate predicted attributes by the protocol of PA-100K, RAP and PETA.

    Label-based mA and instance-based accuracy, precision, recall and F1 (Li et al., "A Richly
    Annotated Dataset for Pedestrian Attribute Recognition", 2016). An attribute is predicted if its
    probability is at least `threshold`.

    No epsilon is added to any denominator. Where one is zero:

    - an image without any true attribute is left out of the instance-based measures, as in Li's
      code;
    - an image with true attributes for which none is predicted has precision 0;
    - an attribute that no image has, or that all have, is left out of mA.

    torchreid's attribute project divides 0 by 0 in these cases; where its numbers are finite, they
    are equal to these.

    Args:
        probabilities: Array (num_images, num_attributes) of real numbers from 0 to 1, or
            booleans.
        labels: Array (num_images, num_attributes) of 0 and 1, of any real dtype or bool.
        threshold: Lowest probability at which an attribute is predicted, above 0 and at most 1.

    Returns:
        An `AttributeResult`.

    Raises:
        ValueError: If shapes do not agree or are empty, a probability is outside 0..1, a label is
            neither 0 nor 1, `threshold` is out of its range, or no attribute has both positive and
            negative images.

    Example:
        >>> result = evaluate_attributes([[0.9, 0.2], [0.6, 0.8]], labels=[[1, 0], [0, 1]])
        >>> result.mean_accuracy, result.precision, result.recall
        (0.75, 0.75, 1.0)
        >>> result.attribute_accuracy.tolist()
        [0.5, 1.0]
    """
    check_threshold(threshold)
    p, t = (
        checked_shape(values, name, "number of images, number of attributes")
        for name, values in (("probabilities", probabilities), ("labels", labels))
    )
    if p.shape != t.shape:
        raise ValueError(
            "`probabilities` and `labels` must have the same shape. "
            f"Received: probabilities of shape {p.shape}, labels of shape {t.shape}"
        )
    outside = ~((p >= 0) & (p <= 1))  # NaN too
    if outside.any():
        raise ValueError(
            "`probabilities` must be between 0 and 1; logits go through a sigmoid first. "
            f"Received: {p[outside][0]}"
        )
    if not np.isin(t, (0, 1)).all():
        raise ValueError(f"`labels` must be 0 or 1. Received: {t[~np.isin(t, (0, 1))][0]}")

    predicted, true = p >= threshold, t == 1
    by_attribute = _attribute_accuracy(predicted, true)
    if np.isnan(by_attribute).all():
        raise ValueError(
            "`labels` must have an attribute that some image has and another has not. "
            f"Received: {np.count_nonzero(true.all(axis=0))} attributes that all {len(t)} images "
            f"have, {np.count_nonzero(~true.any(axis=0))} that none has"
        )
    by_attribute.setflags(write=False)

    # At least one image remains: some attribute has a positive image.
    counted = true.any(axis=1)
    predicted, true = predicted[counted], true[counted]
    correct = np.count_nonzero(predicted & true, axis=1)
    precision = np.mean(correct / np.maximum(np.count_nonzero(predicted, axis=1), 1))
    recall = np.mean(correct / np.count_nonzero(true, axis=1))
    return AttributeResult(
        mean_accuracy=float(np.nanmean(by_attribute)),
        accuracy=float(np.mean(correct / np.count_nonzero(predicted | true, axis=1))),
        precision=float(precision),
        recall=float(recall),
        f1=float(2 * precision * recall / (precision + recall)) if correct.any() else 0.0,
        attribute_accuracy=by_attribute,
    )


def check_threshold(threshold: float) -> None:
    """Raise ValueError unless `threshold` is above 0 and at most 1."""
    real = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not real or not 0 < float(threshold) <= 1:  # NaN too
        raise ValueError(f"`threshold` must be above 0 and at most 1. Received: {threshold!r}")


def _attribute_accuracy(
    predicted: NDArray[np.bool_], true: NDArray[np.bool_]
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # 0 / 0 gives the documented NaN
        found = np.count_nonzero(predicted & true, axis=0) / np.count_nonzero(true, axis=0)
        left = np.count_nonzero(~(predicted | true), axis=0) / np.count_nonzero(~true, axis=0)
    return (found + left) / 2
