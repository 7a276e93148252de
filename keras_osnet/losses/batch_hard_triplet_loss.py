"""Triplet loss with hard mining in the batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import labeled

_SMALLEST_SQUARE = 1e-12
"""torchreid's floor for squared distances; the square root has no gradient at 0."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class BatchHardTripletLoss(keras.losses.Loss):
    """Batch-hard triplet loss (Hermans et al., arXiv:1703.07737; OSNet: supplement, Table 12f).

    For each sample: the largest Euclidean distance to a sample of its identity in the batch, less
    the smallest to one of another identity, plus the margin, where that is above 0. The value is
    torchreid's wherever torchreid's is defined and every sample has a partner. Use batches of
    P identities × K images.

    A sample without a partner, or whose batch has no other identity, is not part of a triplet: its
    loss is 0 and the mean is still over the whole batch. (torchreid fails without a second
    identity, and takes a sample without a partner as its own partner.)

    Distances are computed from differences, not as ‖a‖² + ‖b‖² - 2ab, which loses close pairs to
    rounding, especially where matrix products use TensorFloat-32. This takes an array of
    batch² × dim float32: 8 MB for 64 × 512.

    Args:
        margin: Target difference between the distances to the nearest image of another identity
            and to the farthest of the same, at least 0.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers 0 to 2**24, of any dtype.

    Predictions: embeddings (batch, dim) of any float type; the loss is computed in float32.

    A `sample_weight` of (batch,) multiplies each sample's own term. A sample of weight 0 is still
    mined by others. Under `tf.distribute` each replica mines its own part of the
    batch.

    Raises:
        ValueError: `margin` is not a number of at least 0, labels or embeddings have another shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import BatchHardTripletLoss
        >>> embeddings = np.array([[0.0], [1.0], [3.0], [3.5]])
        >>> loss = BatchHardTripletLoss(margin=1.5, reduction=None)([0, 0, 1, 1], embeddings)
        >>> [float(value) for value in loss]
        [0.0, 0.5, 0.0, 0.0]
    """

    def __init__(
        self,
        margin: float = 0.3,
        name: str = "batch_hard_triplet",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.margin = number("margin", margin, low=0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and embeddings (batch, dim) to the samples' losses (batch,)."""
        labels, embeddings = labeled("BatchHardTripletLoss", y_true, y_pred)
        difference = embeddings[:, None, :] - embeddings[None, :, :]
        squares = ops.sum(ops.square(difference), axis=-1)
        distances = ops.sqrt(ops.maximum(squares, _SMALLEST_SQUARE))

        same = ops.equal(labels[:, None], labels[None, :])
        # `same` includes the sample itself, at the smallest possible distance.
        partner = ops.max(ops.where(same, distances, 0.0), axis=1)
        other = ops.min(ops.where(same, float("inf"), distances), axis=1)
        has_partner = ops.sum(ops.cast(same, "int32"), axis=1) > 1
        # Without another identity its distance is infinite, and the hinge 0.
        return ops.where(has_partner, ops.relu(partner - other + self.margin), 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}
