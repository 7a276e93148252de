"""Triplet loss with soft mining in the batch."""

from typing import Any

import keras
from keras import ops

from keras_osnet.losses.base import FAR
from keras_osnet.losses.triplet_loss import TripletLoss


@keras.saving.register_keras_serializable(package="keras_osnet")
class AdaptiveTripletLoss(TripletLoss):
    """Triplet loss whose weights grow with difficulty (Ristani and Tomasi, CVPR 2018).

    For each sample a: [m + Σₚ wₚ d(a, p) - Σₙ wₙ d(a, n)]₊, with the Euclidean distance d, the
    samples p of its identity in the batch and n of the others, and the weights
    wₚ = exp(d(a, p)) / Σ exp(d(a, p')) and wₙ = exp(-d(a, n)) / Σ exp(-d(a, n')). Batch-hard mining
    (`BatchHardTripletLoss`) looks at the hardest pair alone, which is often a wrong label; here it
    only weighs more. With the soft margin [m + x]₊ is log(1 + exp(x)).

    A sample without a partner, or whose batch has no other identity, has the loss 0.

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
        >>> from keras_osnet.losses import AdaptiveTripletLoss
        >>> embeddings = np.array([[0.0], [1.0], [3.0], [3.0]])
        >>> loss = AdaptiveTripletLoss(margin=1.5, reduction=None)([0, 0, 1, 1], embeddings)
        >>> [round(float(value), 4) for value in loss]  # the last two: 1.5 - (2e + 3) / (e + 1)
        [0.0, 0.5, 0.0, 0.0]
    """

    def __init__(
        self,
        margin: float | str = 0.3,
        name: str = "adaptive_triplet",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(margin, name, reduction)

    def of_samples(self, between: Any, same: Any, partners: Any) -> Any:
        """Weigh the distances by their difficulty."""
        others = ops.logical_not(same)
        to_partners = ops.softmax(ops.where(partners, between, -FAR), axis=1)
        to_others = ops.softmax(ops.where(others, -between, -FAR), axis=1)
        difference = ops.sum((to_partners - to_others) * between, axis=1)
        complete = ops.logical_and(ops.any(partners, axis=1), ops.any(others, axis=1))
        return ops.where(complete, self.hinge(difference), 0.0)
