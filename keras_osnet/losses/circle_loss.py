"""Circle loss of pairs of embeddings."""

from typing import Any

import keras
from keras import ops

from keras_osnet._utils.checks import number
from keras_osnet._utils.unit_length import unit_length
from keras_osnet.losses.base import FAR, labeled, pairs


@keras.saving.register_keras_serializable(package="keras_osnet")
class CircleLoss(keras.losses.Loss):
    """Circle loss with pair labels (Sun et al., CVPR 2020, arXiv:2002.10857).

    For each sample, with the cosines sₚ to the other samples of its identity in the batch and sₙ to
    those of other identities:

    log[1 + Σₙ exp(γ αₙ (sₙ - m)) · Σₚ exp(-γ αₚ (sₚ - 1 + m))], αₙ = [sₙ + m]₊, αₚ = [1 + m - sₚ]₊

    Pairs far from their goal (sₙ = 0, sₚ = 1) weigh more; no gradient goes through the weights α.
    A sample without a partner, or whose batch has no other identity, has the loss 0. Use batches of
    P identities × K images. `CircleSoftmax` is the form with class labels.

    `keras.losses.Circle` has the same value for embeddings of length 1. There, the gradient goes
    through α, which makes it about twice as large, and samples of the loss 0 are left out of the
    mean.

    Args:
        margin: m, 0 to 1.
        scale: γ, at least 1. The paper has 256 for faces; fast-reid 128 for people.
        name: Name of the loss.
        reduction: As in `keras.losses.Loss`; the mean over the batch if not given.

    Labels: (batch,) or (batch, 1), whole numbers from 0 to below 2**24, of any dtype; the loss of
    any other is NaN.

    Predictions: embeddings (batch, dim) of any float type and length; the loss is computed in
    float32.

    Raises:
        ValueError: `margin` or `scale` is outside its range, or labels or embeddings have another
            shape.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.losses import CircleLoss
        >>> embeddings = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
        >>> loss = CircleLoss(margin=0.25, scale=64)([0, 0, 1, 1], embeddings)
        >>> round(float(loss), 5)  # log(1 + 2 · exp(-64 / 16) · exp(-64 / 16))
        0.00067
    """

    def __init__(
        self,
        margin: float = 0.25,
        scale: float = 64.0,
        name: str = "circle",
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.margin = number("margin", margin, low=0, high=1)
        self.scale = number("scale", scale, low=1)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Map labels (batch,) and embeddings (batch, dim) to the samples' losses (batch,)."""
        labels, embeddings = labeled("CircleLoss", y_true, y_pred)
        same, partners = pairs(labels)
        others = ops.logical_not(same)
        units = unit_length(embeddings)
        # Not as a matrix product, which may be in TensorFloat-32.
        cosines = ops.sum(units[:, None, :] * units[None, :, :], axis=-1)
        fixed = ops.stop_gradient(cosines)
        of_others = ops.relu(fixed + self.margin) * (cosines - self.margin)
        of_partners = ops.relu(1 + self.margin - fixed) * (1 - self.margin - cosines)
        total_of_others = ops.logsumexp(ops.where(others, self.scale * of_others, -FAR), axis=1)
        total_of_partners = ops.logsumexp(
            ops.where(partners, self.scale * of_partners, -FAR), axis=1
        )
        losses = ops.softplus(total_of_others + total_of_partners)
        return ops.where(labels >= 0, losses, float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}
