"""Triplet loss over all triplets of the batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.triplet_loss import TripletLoss


@keras.saving.register_keras_serializable(package="keras_osnet")
class BatchAllTripletLoss(TripletLoss):
    """Batch-all triplet loss, the mean of the terms above 0 (Hermans et al., arXiv:1703.07737).

    The terms are [m + d(a, p) - d(a, n)]₊ of all triplets in the batch, with the Euclidean distance
    d, samples a and p of one identity and n of another; with the soft margin
    log(1 + exp(d(a, p) - d(a, n))), which are all above 0. The mean is over the terms above 0 (the
    paper's "BA≠0"): most triplets are easy after a few epochs, and would hide the others.

    Each sample's loss is the sum over the triplets that it anchors, times batch / (terms above 0 in
    the batch), so that its mean over the batch is the mean of these terms. Without triplets it
    is 0. Two arrays of batch³ and batch² × dim float32 are computed.

    Args:
        margin: m, at least 0; or `"soft"`.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers from 0 to below 2**24, of any dtype; the loss of
    any other is NaN.

    Predictions: embeddings (batch, dim) of any float type; the loss is computed in float32.

    Raises:
        ValueError: `margin` is neither a number of at least 0 nor `"soft"`, or labels or embeddings
            have another shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import BatchAllTripletLoss
        >>> embeddings = np.array([[0.0], [1.0], [3.0], [3.5]])
        >>> float(BatchAllTripletLoss(margin=1.5)([0, 0, 1, 1], embeddings))  # of 1, 1, 2 and 2.5
        0.5
    """

    def __init__(
        self,
        margin: float | str = 0.3,
        name: str = "batch_all_triplet",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, name, reduction)

    def of_samples(self, between: Any, same: Any, partners: Any) -> Any:
        """Add up the terms that each sample anchors."""
        triplets = ops.logical_and(partners[:, :, None], ops.logical_not(same)[:, None, :])
        terms = self.hinge(between[:, :, None] - between[:, None, :])
        terms = ops.where(triplets, terms, 0.0)
        above = ops.sum(ops.cast(terms > 0, "float32"))
        batch = ops.cast(ops.shape(terms)[0], "float32")
        return ops.sum(terms, axis=(1, 2)) * batch / ops.maximum(above, 1.0)
