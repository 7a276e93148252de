"""Triplet loss with hard mining in the batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet.losses.base import labeled

_SMALLEST_SQUARE = 1e-12
"""The reference's floor under squared distances. The square root has no gradient at 0."""


@keras.saving.register_keras_serializable(package="keras_osnet")
class BatchHardTripletLoss(keras.losses.Loss):
    """Batch-hard triplet loss (Hermans et al., arXiv:1703.07737; OSNet: supplement, Table 12f).

    For each sample: the largest Euclidean distance to a sample of its identity in the batch, less
    the smallest to one of another identity, plus the margin, where that is above 0. The value is
    torchreid's wherever torchreid's is defined and every sample has a partner; it wants batches of
    P identities × K images.

    A sample that has no partner, or whose batch has no other identity, is part of no triplet: it
    counts as 0 and the mean is still over the whole batch. (The reference fails without a second
    identity, and takes a sample without a partner for its own.)

    Differences are taken directly, not by way of ‖a‖² + ‖b‖² - 2ab: that loses close pairs to
    rounding, all the more where matrix products run in TensorFloat-32. The price is an array of
    batch² × dim float32: 8 MB for 64 × 512.

    Args:
        margin: How much nearer than the nearest stranger the farthest partner is to be, at least 0.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers 0 to 2**24, of any dtype.

    Predictions: embeddings (batch, dim) of any float type; the loss is computed in float32.

    A `sample_weight` of (batch,) weighs each sample's own term. A sample of weight 0 is still
    partner or stranger to others. Under `tf.distribute` each replica mines its own part of the
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
        # The sample itself is among `same`, at the smallest distance there is.
        partner = ops.max(ops.where(same, distances, 0.0), axis=1)
        stranger = ops.min(ops.where(same, float("inf"), distances), axis=1)
        has_partner = ops.sum(ops.cast(same, "int32"), axis=1) > 1
        # Without a stranger its distance is infinite, and the hinge 0.
        return ops.where(has_partner, ops.relu(partner - stranger + self.margin), 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "margin": self.margin}
