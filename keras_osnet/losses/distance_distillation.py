"""The distances between the embeddings of a batch, as a large network has them."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.unit_length import unit_length
from keras_osnet.losses.base import huber, mean_of_pairs, teacher_and_student

_SMALLEST_SQUARE = 1e-12
"""Floor of squared distances: the square root has no gradient at 0."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class DistanceDistillation(keras.losses.Loss):
    """Distance-wise relational loss (RKD-D; Park et al., CVPR 2019, arXiv:1904.05068, Eq. 6-8).

    For each sample i, the mean over the others j of the batch of l(ψᵢⱼ(teacher), ψᵢⱼ(student)),
    with ψᵢⱼ(x) = ‖xᵢ - xⱼ‖ / μ(x), where μ is the mean distance of the batch's pairs, and Huber's
    l(a, b) = ½ (a - b)² for |a - b| ≤ 1, else |a - b| - ½.

    The two networks may have embeddings of different lengths, as their relations are compared and
    not the vectors. Both are scaled to length 1 first, as re-identification compares cosines (the
    paper leaves the student's as they are). No gradient goes into the teacher's.

    Args:
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: the teacher's embeddings (batch, any dim).

    Predictions: the student's (batch, any dim), of any float type; the loss is computed in float32.
    It is 0 for a single sample.

    Raises:
        ValueError: The two do not have one row for each sample.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import DistanceDistillation
        >>> teacher = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> turned = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [0.0, -2.0, 0.0]])
        >>> float(DistanceDistillation()(teacher, turned))
        0.0
    """

    def __init__(
        self, name: str = "distance_distillation", reduction: str | None = "sum_over_batch_size"
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map the embeddings of teacher and student (batch, dim) to losses (batch,)."""
        teacher, student = teacher_and_student("DistanceDistillation", y_true, y_pred)
        return mean_of_pairs(huber(_relative_distances(teacher), _relative_distances(student)))


def _relative_distances(embeddings: Any) -> Any:
    """Return the distances (batch, batch) of unit vectors, divided by the mean of all pairs."""
    units = unit_length(embeddings)
    # From differences: ‖a‖² + ‖b‖² - 2ab loses close pairs to rounding.
    squares = ops.sum(ops.square(units[:, None, :] - units[None, :, :]), axis=-1)
    distances = ops.sqrt(ops.maximum(squares, _SMALLEST_SQUARE))
    return distances / ops.mean(mean_of_pairs(distances) + 1e-12)
