"""Triplet loss with hard mining in the batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.base import FAR
from keras_osnet.losses.triplet_loss import TripletLoss


@keras.saving.register_keras_serializable(package="keras_osnet")
class BatchHardTripletLoss(TripletLoss):
    """Batch-hard triplet loss (Hermans et al., arXiv:1703.07737; OSNet: supplement, Table 12f).

    For each sample a: [m + max d(a, p) - min d(a, n)]₊, with the Euclidean distances d to the
    samples p of its identity in the batch and n of the others; with the soft margin
    log(1 + exp(max d(a, p) - min d(a, n))). The value is torchreid's wherever torchreid's is
    defined and every sample has a partner. Use batches of P identities × K images.

    A sample without a partner, or whose batch has no other identity, is not part of a triplet: its
    loss is 0 and the mean is still over the whole batch. (torchreid fails without a second
    identity, and takes a sample without a partner as its own partner.)

    Distances are computed from differences, which takes an array of batch² × dim float32: 8 MB for
    64 × 512.

    Args:
        margin: m, the target difference between the distances to the nearest image of another
            identity and to the farthest of the same, at least 0; or `"soft"`, which pulls images
            of one identity together without end.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers from 0 to below 2**24, of any dtype; the loss of
    any other is NaN.

    Predictions: embeddings (batch, dim) of any float type; the loss is computed in float32.

    A `sample_weight` of (batch,) multiplies each sample's own term. A sample of weight 0 is still
    mined by others. Under `tf.distribute` each replica mines its own part of the batch.

    Raises:
        ValueError: `margin` is neither a number of at least 0 nor `"soft"`, or labels or embeddings
            have another shape.

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
        margin: float | str = 0.3,
        name: str = "batch_hard_triplet",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, name, reduction)

    def of_samples(self, between: Any, same: Any, partners: Any) -> Any:
        """Compare the farthest partner with the nearest of the others."""
        farthest = ops.max(ops.where(partners, between, 0.0), axis=1)
        nearest = ops.min(ops.where(same, FAR, between), axis=1)
        has_partner = ops.any(partners, axis=1)
        # Without another identity its distance is very large, and the hinge 0.
        return ops.where(has_partner, self.hinge(farthest - nearest), 0.0)
