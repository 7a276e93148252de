"""The cosine between the embeddings of a small network and those of a large one."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.unit_length import unit_length
from keras_osnet.losses.base import teacher_and_student


@keras.saving.register_keras_serializable(package="keras_osnet")
class CosineDistillation(keras.losses.Loss):
    """Direct feature loss: 1 - cos(t, s) for the teacher's embedding t and the student's s.

    FitNets (Romero et al., ICLR 2015, arXiv:1412.6550, Eq. 3) has ½ ‖t - r(s)‖², with a regressor r
    from the student's features to the teacher's. Re-identification compares directions, and
    embedders return vectors of length 1, for which ½ ‖t - s‖² is 1 - cos(t, s): the length of
    either vector does not matter here. No gradient goes into the teacher's embeddings.

    Args:
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: the teacher's embeddings (batch, dim).

    Predictions: the student's (batch, dim), of any float type; the loss is computed in float32 and
    is 0 to 2. The loss of a zero vector is 1.

    Raises:
        ValueError: The two are not of one shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import CosineDistillation
        >>> teacher, student = np.array([[1.0, 0.0]]), np.array([[3.0, 3.0]])
        >>> round(float(CosineDistillation()(teacher, student)), 4)  # 1 - cos 45°
        0.2929
    """

    def __init__(
        self, name: str = "cosine_distillation", reduction: str | None = "sum_over_batch_size"
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map the embeddings of teacher and student (batch, dim) to losses (batch,)."""
        teacher, student = teacher_and_student("CosineDistillation", y_true, y_pred, one_dim=True)
        return 1 - ops.sum(unit_length(teacher) * unit_length(student), axis=-1)
