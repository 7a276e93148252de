"""The angles between the embeddings of a batch, as a large network has them."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.unit_length import unit_length
from keras_osnet.losses.base import huber, teacher_and_student


@keras.saving.register_keras_serializable(package="keras_osnet")
class AngleDistillation(keras.losses.Loss):
    """Angle-wise relational loss (RKD-A; Park et al., CVPR 2019, arXiv:1904.05068, Eq. 9-11).

    For each sample j, the mean over pairs i ≠ k of the other samples of the batch of
    l(ψᵢⱼₖ(teacher), ψᵢⱼₖ(student)), with the cosine of the angle at xⱼ,
    ψᵢⱼₖ(x) = ⟨eᵢⱼ, eₖⱼ⟩, eᵢⱼ = (xᵢ - xⱼ) / ‖xᵢ - xⱼ‖, and Huber's l(a, b) = ½ (a - b)² for
    |a - b| ≤ 1, else |a - b| - ½.

    The two networks may have embeddings of different lengths. Both are scaled to length 1 first
    (the paper leaves the student's as they are). No gradient goes into the teacher's. The loss
    takes batch² × dim numbers of memory for each network: 2 MB for 32 × 512, 34 MB for 128 × 512.

    Args:
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: the teacher's embeddings (batch, any dim).

    Predictions: the student's (batch, any dim), of any float type; the loss is computed in float32.
    It is 0 for fewer than three samples.

    Raises:
        ValueError: The two do not have one row for each sample.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import AngleDistillation
        >>> teacher = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> turned = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [0.0, -2.0, 0.0]])
        >>> round(float(AngleDistillation()(teacher, turned)), 6)
        0.0
    """

    def __init__(
        self, name: str = "angle_distillation", reduction: str | None = "sum_over_batch_size"
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map the embeddings of teacher and student (batch, dim) to losses (batch,)."""
        teacher, student = teacher_and_student("AngleDistillation", y_true, y_pred)
        losses = huber(_cosines_of_angles(teacher), _cosines_of_angles(student))
        count = ops.shape(losses)[0]
        itself = ops.eye(count, dtype="float32")
        # Of the triples (j, i, k) those of three samples.
        distinct = (1 - itself)[:, :, None] * (1 - itself)[:, None, :] * (1 - itself)[None, :, :]
        pairs = ops.cast((count - 1) * (count - 2), "float32")
        return ops.sum(losses * distinct, axis=(1, 2)) / ops.maximum(pairs, 1.0)


def _cosines_of_angles(embeddings: Any) -> Any:
    """Return the cosines (batch, batch, batch) of the angles at j between i and k, at [j, i, k]."""
    units = unit_length(embeddings)
    directions = unit_length(units[None, :, :] - units[:, None, :])
    return ops.einsum("jid,jkd->jik", directions, directions)
